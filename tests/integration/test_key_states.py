"""The table of key states (tests/data/key_states.json), cell by cell, on keys that are really in those states."""
import json
import subprocess
import uuid

import pytest

from asking import method, refused
from daemons import ACCOUNT, REGION, ROOT, program, until
from importing import FOREVER, import_into, material, parameters_for, wrap
from xks_proxy import root_certificate

TABLE = json.loads((ROOT / "tests/data/key_states.json").read_text())
CELLS = [(operation, state, cell) for operation, row in TABLE["operations"].items()
         for state, cell in zip(TABLE["states"], row, strict=True) if cell != "-"]
THERE = "us-west-2"
GRANT = {"GranteePrincipal": f"arn:aws:iam::{ACCOUNT}:user/bob", "Operations": ["Decrypt"]}


# What these operations need instead of a symmetric key.
KINDS = {"GetPublicKey": ("ECC_NIST_P256", "SIGN_VERIFY"), "Sign": ("ECC_NIST_P256", "SIGN_VERIFY"),
         "Verify": ("ECC_NIST_P256", "SIGN_VERIFY"), "GenerateMac": ("HMAC_256", "GENERATE_VERIFY_MAC"),
         "VerifyMac": ("HMAC_256", "GENERATE_VERIFY_MAC"), "DeriveSharedSecret": ("ECC_NIST_P256", "KEY_AGREEMENT")}
SIGNED = {"Message": b"m", "SigningAlgorithm": "ECDSA_SHA_256"}
MAC = {"Message": b"m", "MacAlgorithm": "HMAC_SHA_256"}


def furnished(kms, key, working=None, grant=True):
    """The key with everything that the operations need; working: a client of a Region where the key works already."""
    working = working or kms
    alias = f"alias/states-{uuid.uuid4()}"
    kms.create_alias(AliasName=alias, TargetKeyId=key["KeyId"])
    elsewhere = f"{alias}-elsewhere"
    kms.create_alias(AliasName=elsewhere, TargetKeyId=kms.create_key()["KeyMetadata"]["KeyId"])
    kms.tag_resource(KeyId=key["KeyId"], Tags=[{"TagKey": "k", "TagValue": "v"}])
    made = {"key": key["KeyId"], "arn": key["Arn"], "alias": alias, "elsewhere": elsewhere,
            "policy": kms.get_key_policy(KeyId=key["KeyId"])["Policy"]}
    if key["KeySpec"] == "SYMMETRIC_DEFAULT":
        made["blob"] = working.encrypt(KeyId=key["KeyId"], Plaintext=b"x")["CiphertextBlob"]
        made["grant"] = kms.create_grant(KeyId=key["KeyId"], **GRANT) if grant else None
    if key["KeyUsage"] == "KEY_AGREEMENT":
        made["peer"] = working.get_public_key(KeyId=key["KeyId"])["PublicKey"]
    if key["KeyUsage"] == "SIGN_VERIFY":
        made["signature"] = working.sign(KeyId=key["KeyId"], **SIGNED)["Signature"]
    if key["KeyUsage"] == "GENERATE_VERIFY_MAC":
        made["mac"] = working.generate_mac(KeyId=key["KeyId"], **MAC)["Mac"]
    return made


@pytest.fixture
def subject(kms):
    """A key with everything that the operations need."""
    return furnished(kms, kms.create_key()["KeyMetadata"])


# ---- keys in each state ----

def alone(house, kms, more):
    key = kms.create_key(**more)["KeyMetadata"]
    if more.get("Origin") != "EXTERNAL":
        return furnished(kms, key)
    secret = material(key["KeySpec"])
    import_into(kms, key["KeyId"], secret)
    got = parameters_for(kms, key["KeyId"])
    return furnished(kms, key) | {"import": {"ImportToken": got["ImportToken"], **FOREVER,
                                             "EncryptedKeyMaterial": wrap(got, "RSAES_OAEP_SHA_256", secret)}}


def enabled(house, kms, more):
    """A primary key has a replica."""
    made = alone(house, kms, more)
    if more.get("MultiRegion"):
        kms.replicate_key(KeyId=made["key"], ReplicaRegion=THERE)
        house.clock(advance=1)
    return made


def disabled(house, kms, more):
    made = enabled(house, kms, more)
    kms.disable_key(KeyId=made["key"])
    return made


def pending_deletion(house, kms, more):
    made = alone(house, kms, more)
    kms.schedule_key_deletion(KeyId=made["key"])
    return made


def pending_replica_deletion(house, kms, more):
    made = enabled(house, kms, {**more, "MultiRegion": True})
    kms.schedule_key_deletion(KeyId=made["key"])
    return made


def replica(house, kms, more):
    """A new replica, and the client of its primary key; of imported material, what imports it into the replica."""
    there = house.kms(region=THERE)
    key = there.create_key(**{**more, "MultiRegion": True})["KeyMetadata"]["KeyId"]
    secret = material("SYMMETRIC_DEFAULT")
    if more.get("Origin") == "EXTERNAL":
        import_into(there, key, secret)
    return there.replicate_key(KeyId=key, ReplicaRegion=REGION)["ReplicaKeyMetadata"], there, secret


def creating(house, kms, more):
    key, there, _ = replica(house, kms, more)
    made = furnished(kms, key, working=there, grant=False)
    return made | {"import": {"ImportToken": b"none yet", "EncryptedKeyMaterial": b"none", **FOREVER}}


def updating(house, kms, more):
    key, there, secret = replica(house, kms, more)
    house.clock(advance=1)
    token = {}
    if more.get("Origin") == "EXTERNAL":
        import_into(kms, key["KeyId"], secret)
        got = parameters_for(kms, key["KeyId"])
        token = {"import": {"ImportToken": got["ImportToken"], **FOREVER,
                            "EncryptedKeyMaterial": wrap(got, "RSAES_OAEP_SHA_256", secret)}}
    made = furnished(kms, key) | token
    there.update_primary_region(KeyId=key["KeyId"], PrimaryRegion=REGION)
    return made


def pending_import(house, kms, more):
    made = enabled(house, kms, {**more, "Origin": "EXTERNAL"})
    kms.delete_imported_key_material(KeyId=made["key"])
    return made


def unavailable(house, kms, more):
    """Its custom key store is not connected any more."""
    store = {"CustomKeyStoreId": key_store(kms)}
    kms.connect_custom_key_store(**store)
    until(lambda: kms.describe_custom_key_stores(**store)["CustomKeyStores"][0]["ConnectionState"] == "CONNECTED", "the connection")
    made = alone(house, kms, {"Origin": "AWS_CLOUDHSM", **store})
    kms.disconnect_custom_key_store(**store)
    return made | {"import": {"ImportToken": b"none", "EncryptedKeyMaterial": b"none", **FOREVER}}


def key_store(kms):
    """The one for these tests, which comes and goes."""
    there = [s for s in kms.describe_custom_key_stores()["CustomKeyStores"] if s["CustomKeyStoreName"] == "states"]
    return there[0]["CustomKeyStoreId"] if there else kms.create_custom_key_store(
        CustomKeyStoreName="states", CloudHsmClusterId="cluster-2a3b4c5defg", KeyStorePassword="kmsuser's own",
        TrustAnchorCertificate=root_certificate()[0].decode())["CustomKeyStoreId"]


STATES = {"Enabled": enabled, "Disabled": disabled, "PendingDeletion": pending_deletion,
          "PendingReplicaDeletion": pending_replica_deletion, "PendingImport": pending_import, "Unavailable": unavailable,
          "Creating": creating, "Updating": updating}


def parameters(operation, s):
    key = {"KeyId": s["key"]}
    return {
        "CreateAlias": {"AliasName": f"{s['alias']}-new", "TargetKeyId": s["key"]},
        "UpdateAlias": {"AliasName": s["elsewhere"], "TargetKeyId": s["key"]},
        "DeleteAlias": {"AliasName": s["alias"]},
        "CreateGrant": {**key, **GRANT},
        "Decrypt": {"CiphertextBlob": s.get("blob")},
        "Encrypt": {**key, "Plaintext": b"x"},
        "GenerateMac": {**key, **MAC},
        "VerifyMac": {**key, **MAC, "Mac": s.get("mac")},
        "Sign": {**key, **SIGNED},
        "Verify": {**key, **SIGNED, "Signature": s.get("signature")},
        "GenerateDataKey": {**key, "KeySpec": "AES_256"},
        "GenerateDataKeyWithoutPlaintext": {**key, "KeySpec": "AES_256"},
        "GenerateDataKeyPair": {**key, "KeyPairSpec": "ECC_NIST_P256"},
        "GenerateDataKeyPairWithoutPlaintext": {**key, "KeyPairSpec": "ECC_NIST_P256"},
        "DeriveSharedSecret": {**key, "KeyAgreementAlgorithm": "ECDH", "PublicKey": s.get("peer")},
        "GetParametersForImport": {**key, "WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"},
        "ImportKeyMaterial": {**key, **s.get("import", {})},
        "PutKeyPolicy": {**key, "Policy": s["policy"]},
        "ReEncrypt": {"CiphertextBlob": s.get("blob"), "DestinationKeyId": s["key"]},
        "ReplicateKey": {**key, "ReplicaRegion": "eu-west-1"},
        "UpdatePrimaryRegion": {**key, "PrimaryRegion": THERE},
        "RetireGrant": {"GrantToken": (s.get("grant") or {}).get("GrantToken")},
        "RevokeGrant": {**key, "GrantId": (s.get("grant") or {}).get("GrantId")},
        "TagResource": {**key, "Tags": [{"TagKey": "k", "TagValue": "w"}]},
        "UntagResource": {**key, "TagKeys": ["k"]},
        "UpdateKeyDescription": {**key, "Description": "d"},
    }.get(operation, key)


@pytest.mark.parametrize("operation,state,cell", CELLS, ids=[f"{o}-{s}" for o, s, _ in CELLS])
def test_cell(house, kms, operation, state, cell):
    more = dict(zip(("KeySpec", "KeyUsage"), KINDS.get(operation, ())))
    if operation in ("ReplicateKey", "UpdatePrimaryRegion"):
        more["MultiRegion"] = True
    if operation in ("GetParametersForImport", "ImportKeyMaterial", "DeleteImportedKeyMaterial"):
        more["Origin"] = "EXTERNAL"
    subject = STATES[state](house, kms, more)
    assert kms.describe_key(KeyId=subject["key"])["KeyMetadata"]["KeyState"] == state
    call, more = method(kms, operation), parameters(operation, subject)
    if cell == "ok":
        call(**more)
    else:
        code, message = TABLE["codes"][cell]
        assert refused(call, **more) == (code, message.format(arn=subject["arn"]))


def test_every_operation_on_a_key_has_a_row():
    listed = subprocess.run([program("kmsd"), "--list-operations"], capture_output=True, text=True, check=True).stdout
    built = {line.split()[0] for line in listed.splitlines()[1:] if "not built" not in line}
    assert TABLE["states"] == list(STATES)
    without_key = {"CreateKey", "ListKeys", "GenerateRandom", "ListRetirableGrants"}
    assert set(TABLE["operations"]) == {o for o in built if "CustomKeyStore" not in o} - without_key


def test_re_encrypt_asks_for_both_keys(kms, subject):
    other = kms.create_key()["KeyMetadata"]
    kms.disable_key(KeyId=other["KeyId"])
    assert refused(kms.re_encrypt, CiphertextBlob=subject["blob"], DestinationKeyId=other["KeyId"]) == (
        "DisabledException", f"{other['Arn']} is disabled.")
    kms.enable_key(KeyId=other["KeyId"])
    kms.disable_key(KeyId=subject["key"])
    assert refused(kms.re_encrypt, CiphertextBlob=subject["blob"], DestinationKeyId=other["KeyId"]) == (
        "DisabledException", f"{subject['arn']} is disabled.")


def test_what_is_refused_changes_nothing(kms, subject):
    kms.schedule_key_deletion(KeyId=subject["key"], PendingWindowInDays=7)
    before = kms.describe_key(KeyId=subject["key"])["KeyMetadata"]
    for operation in ("EnableKey", "DisableKey", "ScheduleKeyDeletion", "UpdateKeyDescription", "TagResource"):
        refused(method(kms, operation), **parameters(operation, subject))
    assert kms.describe_key(KeyId=subject["key"])["KeyMetadata"] == before
    assert kms.list_resource_tags(KeyId=subject["key"])["Tags"] == [{"TagKey": "k", "TagValue": "v"}]
