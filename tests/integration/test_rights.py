"""The right to every operation: nobody has it without a policy, the policy that allows its action and no other gives it, and a
denial of that action alone takes it."""
import json
import re

import pytest

from asking import KEYS, PRINCIPALS, as_, method, opened, refused, secret_of
from asymmetric import make
from conftest import VIRTUAL
from daemons import ACCOUNT
from importing import FOREVER, external, material, parameters_for, wrap
from multi_region import THERE
from test_cloudhsm_key_stores import OTHER_CERTIFICATE, PASSWORD, cluster_id, connect, make_store

# Whose right is not of the operation's own name alone: AWS KMS API reference, "Required permissions".
ACTIONS = {"ReEncrypt": ["ReEncryptFrom", "ReEncryptTo"], "ReplicateKey": ["ReplicateKey", "CreateKey"]}
APART = {"RetireGrant"}  # a policy can take it, and does not give it: test_grants.py
SIGNED = {"Message": b"m", "SigningAlgorithm": "ECDSA_SHA_256"}
MAC = {"Message": b"m", "MacAlgorithm": "HMAC_SHA_256"}


def operations():
    import botocore.session
    model = botocore.session.get_session().get_service_model("kms")
    return sorted(set(model.operation_names) - APART)


def statement(effect, actions):
    return {"Effect": effect, "Action": [f"kms:{a}" for a in actions], "Resource": "*"}


def user(key, *statements):
    return {"accessKeys": [{"id": key, "secret": secret_of(key)}],
            "policies": {"its": {"Version": "2012-10-17", "Statement": list(statements)}} if statements else {}}


def with_a_user_for_each(principals):
    changed = json.loads(json.dumps(principals))
    users = changed["accounts"][ACCOUNT]["users"]
    for o in operations():
        actions = ACTIONS.get(o, [o])
        users[f"only-{o}"] = user(f"AKIAONLY{o.upper()}", statement("Allow", actions))
        users[f"not-{o}"] = user(f"AKIANOT{o.upper()}", statement("Allow", ["*"]), statement("Deny", actions))
    return changed


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    with opened(tmp_path_factory.mktemp("house"), kmsd=VIRTUAL, principals=with_a_user_for_each(PRINCIPALS)) as house:
        yield house


def client(house, name):
    key = f"AKIA{name.replace('-', '').upper()}"
    return house.kms(key, secret_of(key))


@pytest.fixture
def kms(house):
    return as_(house, "alice")


class World:
    """What a call needs, made for that call."""

    def __init__(self, house, kms):
        self.house, self.kms = house, kms
        self.made = kms.create_key()["KeyMetadata"]
        self.key = {"KeyId": self.made["KeyId"]}
        self.alias = f"alias/{self.made['KeyId']}"

    def blob(self):
        return {"CiphertextBlob": self.kms.encrypt(**self.key, Plaintext=b"x")["CiphertextBlob"]}

    def of(self, spec, usage, **more):
        return {"KeyId": make(self.kms, spec, usage)["KeyId"], **more}

    def signer(self):
        asked = self.of("ECC_NIST_P256", "SIGN_VERIFY", **SIGNED)
        return {**asked, "Signature": self.kms.sign(**asked)["Signature"]}

    def mac(self):
        asked = self.of("HMAC_256", "GENERATE_VERIFY_MAC", **MAC)
        return {**asked, "Mac": self.kms.generate_mac(**asked)["Mac"]}

    def named(self, **more):
        self.kms.create_alias(AliasName=self.alias, TargetKeyId=self.made["KeyId"])
        return {"AliasName": self.alias, **more}

    def waiting(self):
        key, secret = external(self.kms), material("SYMMETRIC_DEFAULT")
        got = parameters_for(self.kms, key)
        return {"KeyId": key, "ImportToken": got["ImportToken"], "EncryptedKeyMaterial": wrap(got, "RSAES_OAEP_SHA_256", secret), **FOREVER}

    def family(self):
        key = self.kms.create_key(MultiRegion=True)["KeyMetadata"]["KeyId"]
        self.kms.replicate_key(KeyId=key, ReplicaRegion=THERE)
        self.house.clock(advance=1)
        return {"KeyId": key, "PrimaryRegion": THERE}

    def grant(self):
        made = self.kms.create_grant(**self.key, GranteePrincipal=f"arn:aws:iam::{ACCOUNT}:user/bob", Operations=["Decrypt"])
        return {**self.key, "GrantId": made["GrantId"]}

    def pending(self):
        self.kms.schedule_key_deletion(**self.key)
        return self.key

    def store(self, connected=False):
        for s in self.kms.describe_custom_key_stores()["CustomKeyStores"]:
            if s["ConnectionState"] == "CONNECTED":
                self.kms.disconnect_custom_key_store(CustomKeyStoreId=s["CustomKeyStoreId"])
            self.kms.delete_custom_key_store(CustomKeyStoreId=s["CustomKeyStoreId"])
        made = make_store(self.kms)
        if connected:
            connect(self.kms, made)
        return {"CustomKeyStoreId": made}

    def new_store(self):
        self.store()
        return {"CustomKeyStoreName": "another", "CloudHsmClusterId": cluster_id(1), "TrustAnchorCertificate": OTHER_CERTIFICATE,
                "KeyStorePassword": PASSWORD}

    def parameters(self, operation):
        grantee = {"GranteePrincipal": f"arn:aws:iam::{ACCOUNT}:user/bob", "Operations": ["Decrypt"]}
        peer = make(self.kms, "ECC_NIST_P256", "KEY_AGREEMENT")["KeyId"] if operation == "DeriveSharedSecret" else None
        wrapping = {"WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"}
        makers = {
            "CreateKey": dict, "ListKeys": dict, "ListAliases": dict, "GenerateRandom": lambda: {"NumberOfBytes": 1},
            "CreateAlias": lambda: {"AliasName": self.alias, "TargetKeyId": self.made["KeyId"]},
            "UpdateAlias": lambda: self.named(TargetKeyId=self.kms.create_key()["KeyMetadata"]["KeyId"]), "DeleteAlias": self.named,
            "CancelKeyDeletion": self.pending, "UpdateKeyDescription": lambda: {**self.key, "Description": "d"},
            "PutKeyPolicy": lambda: {**self.key, "Policy": self.kms.get_key_policy(**self.key)["Policy"], "BypassPolicyLockoutSafetyCheck": True},
            "TagResource": lambda: {**self.key, "Tags": [{"TagKey": "a", "TagValue": "b"}]},
            "UntagResource": lambda: {**self.key, "TagKeys": ["a"]}, "CreateGrant": lambda: {**self.key, **grantee},
            "RevokeGrant": self.grant, "ListRetirableGrants": lambda: {"RetiringPrincipal": f"arn:aws:iam::{ACCOUNT}:user/bob"},
            "Encrypt": lambda: {**self.key, "Plaintext": b"x"}, "Decrypt": self.blob,
            "ReEncrypt": lambda: {**self.blob(), "DestinationKeyId": self.made["KeyId"]},
            "GenerateDataKey": lambda: {**self.key, "KeySpec": "AES_256"},
            "GenerateDataKeyWithoutPlaintext": lambda: {**self.key, "KeySpec": "AES_256"},
            "GenerateDataKeyPair": lambda: {**self.key, "KeyPairSpec": "ECC_NIST_P256"},
            "GenerateDataKeyPairWithoutPlaintext": lambda: {**self.key, "KeyPairSpec": "ECC_NIST_P256"},
            "Sign": lambda: self.of("ECC_NIST_P256", "SIGN_VERIFY", **SIGNED), "Verify": self.signer,
            "GetPublicKey": lambda: self.of("ECC_NIST_P256", "SIGN_VERIFY"),
            "GenerateMac": lambda: self.of("HMAC_256", "GENERATE_VERIFY_MAC", **MAC), "VerifyMac": self.mac,
            "DeriveSharedSecret": lambda: {"KeyId": peer, "KeyAgreementAlgorithm": "ECDH",
                                           "PublicKey": self.kms.get_public_key(KeyId=peer)["PublicKey"]},
            "GetParametersForImport": lambda: {"KeyId": external(self.kms), **wrapping}, "ImportKeyMaterial": self.waiting,
            "DeleteImportedKeyMaterial": lambda: {"KeyId": external(self.kms)}, "UpdatePrimaryRegion": self.family,
            "ReplicateKey": lambda: {"KeyId": self.kms.create_key(MultiRegion=True)["KeyMetadata"]["KeyId"], "ReplicaRegion": THERE},
            "CreateCustomKeyStore": self.new_store, "DescribeCustomKeyStores": dict,
            "UpdateCustomKeyStore": lambda: {**self.store(), "NewCustomKeyStoreName": "renamed"}, "ConnectCustomKeyStore": self.store,
            "DisconnectCustomKeyStore": lambda: self.store(connected=True), "DeleteCustomKeyStore": self.store}
        return makers.get(operation, lambda: self.key)()


@pytest.mark.parametrize("operation", operations())
def test_the_right_to(house, kms, operation):
    asked = World(house, kms).parameters(operation)
    actions = "|".join(ACTIONS.get(operation, [operation]))
    for who, because in ((as_(house, "bob"), "no identity-based policy allows the kms:({}) action"),
                         (client(house, f"not-{operation}"), "with an explicit deny in an identity-based policy")):
        error, message = refused(method(who, operation), **asked)
        assert error == "AccessDeniedException"
        assert re.search(rf" is not authorized to perform: kms:({actions}) on ", message), message
        assert re.search(because.format(actions), message), message
    method(client(house, f"only-{operation}"), operation)(**asked)


def test_access_keys_are_apart():
    assert not {f"AKIA{p}{o.upper()}" for p in ("ONLY", "NOT") for o in operations()} & set(KEYS.values())
