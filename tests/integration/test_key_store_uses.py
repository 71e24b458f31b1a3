"""What keys in custom key stores of both types have in common with others, and what not: ReEncrypt among all of them, attested
and dry calls, data key pairs, grants, rotation and the rest of what they cannot do."""
import itertools
import json

import pytest

from asking import ARNS, PRINCIPALS, as_, code, method, opened, refused
from attestation import Nitro, Recipient, asked
from conftest import START, VIRTUAL
from importing import imported
from test_cloudhsm_key_stores import connect as connect_cluster
from test_cloudhsm_key_stores import make_store as make_cluster_store
from test_external_key_stores import connect as connect_proxy
from test_external_key_stores import make_key as make_external_key
from test_external_key_stores import make_store as make_proxy_store
from xks_proxy import running

STORED = {"cluster": "AWS_CLOUDHSM", "proxy": "EXTERNAL_KEY_STORE"}
CONTEXT = {"Purpose": "Test"}


@pytest.fixture(scope="module")
def nitro():
    return Nitro(START)


@pytest.fixture(scope="module")
def recipient(tmp_path_factory):
    return Recipient(tmp_path_factory.mktemp("recipient"))


@pytest.fixture(scope="module")
def proxy(tmp_path_factory):
    with running(tmp_path_factory.mktemp("proxy")) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def house(tmp_path_factory, proxy, nitro):
    folder = tmp_path_factory.mktemp("house")
    (folder / "root.pem").write_bytes(nitro.root.pem)
    flags = [*VIRTUAL, *proxy.flags(), f"--attestation-root={folder}/root.pem"]
    with opened(folder, kmsd=flags, principals=PRINCIPALS) as house:
        yield house


@pytest.fixture
def kms(house):
    house.clock(set=START)  # the trail's delivery moved it
    return as_(house, "alice")


@pytest.fixture(scope="module")
def keys(house, proxy):
    """KeyMetadata of one in each store, one of KMS and an imported one."""
    kms = as_(house, "alice")
    cluster, external = make_cluster_store(kms), make_proxy_store(kms, "external")
    connect_cluster(kms, cluster)
    connect_proxy(kms, external)
    return {"cluster": kms.create_key(Origin="AWS_CLOUDHSM", CustomKeyStoreId=cluster)["KeyMetadata"],
            "proxy": make_external_key(kms, external, proxy, "the-key"), "kms": kms.create_key()["KeyMetadata"],
            "imported": kms.describe_key(KeyId=imported(kms))["KeyMetadata"]}


@pytest.mark.parametrize("source,destination", list(itertools.product(["cluster", "proxy", "kms", "imported"], repeat=2)))
def test_re_encrypt(kms, keys, source, destination):
    blob = kms.encrypt(KeyId=keys[source]["KeyId"], Plaintext=b"text", EncryptionContext=CONTEXT)["CiphertextBlob"]
    given = {"CiphertextBlob": blob, "SourceEncryptionContext": CONTEXT, "DestinationKeyId": keys[destination]["KeyId"],
             "DestinationEncryptionContext": {"a": "b"}}
    assert code(kms.re_encrypt, **given, DryRun=True) == "DryRunOperationException"
    moved = kms.re_encrypt(**given)
    assert (moved["SourceKeyId"], moved["KeyId"]) == (keys[source]["Arn"], keys[destination]["Arn"])
    assert kms.decrypt(CiphertextBlob=moved["CiphertextBlob"], EncryptionContext={"a": "b"},
                       KeyId=keys[destination]["KeyId"])["Plaintext"] == b"text"
    assert code(kms.decrypt, CiphertextBlob=moved["CiphertextBlob"], EncryptionContext=CONTEXT) in (
        "InvalidCiphertextException", "KMSInvalidStateException")


@pytest.mark.parametrize("place", STORED)
def test_attested_calls(house, kms, keys, nitro, recipient, place):
    key, ask = keys[place], {"Recipient": asked(nitro.document(recipient))}
    blob = kms.encrypt(KeyId=key["KeyId"], Plaintext=b"text")["CiphertextBlob"]
    answer = kms.decrypt(CiphertextBlob=blob, **ask)
    assert recipient.open(answer) == b"text" and "Plaintext" not in answer
    (event,) = house.trail(requestID=answer["ResponseMetadata"]["RequestId"])
    assert event["additionalEventData"]["customKeyStoreId"] == key["CustomKeyStoreId"]
    assert event["additionalEventData"]["recipient"]["attestationDocumentModuleId"]
    assert event["additionalEventData"].get("xksKeyId") == key.get("XksKeyConfiguration", {}).get("Id")
    house.clock(set=START)
    made = kms.generate_data_key(KeyId=key["KeyId"], KeySpec="AES_256", **ask)
    assert recipient.open(made) == kms.decrypt(CiphertextBlob=made["CiphertextBlob"])["Plaintext"]
    assert code(kms.generate_data_key, KeyId=key["KeyId"], KeySpec="AES_256", **ask, DryRun=True) == "DryRunOperationException"


@pytest.mark.parametrize("place", STORED)
def test_what_such_a_key_cannot_do(kms, keys, place):
    """AWS KMS Developer Guide, custom key stores: no data key pairs, rotation, import, nor several Regions."""
    key = keys[place]
    for operation, more in {
            "GenerateDataKeyPair": {"KeyPairSpec": "RSA_2048"}, "GenerateDataKeyPairWithoutPlaintext": {"KeyPairSpec": "RSA_2048"},
            "EnableKeyRotation": {}, "DisableKeyRotation": {}, "GetKeyRotationStatus": {}, "ListKeyRotations": {}, "RotateKeyOnDemand": {},
            "GetParametersForImport": {"WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"},
            "ImportKeyMaterial": {"ImportToken": b"x", "EncryptedKeyMaterial": b"x", "ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE"},
            "DeleteImportedKeyMaterial": {}}.items():
        assert refused(method(kms, operation), KeyId=key["KeyId"], **more) == (
            "UnsupportedOperationException", f"{key['Arn']} origin is {STORED[place]} which is not valid for this operation."), operation
    for operation, region in (("ReplicateKey", "ReplicaRegion"), ("UpdatePrimaryRegion", "PrimaryRegion")):
        assert refused(method(kms, operation), KeyId=key["KeyId"], **{region: "us-west-2"}) == (
            "UnsupportedOperationException", f"{key['Arn']} is not a multi-region primary key.")


@pytest.mark.parametrize("place", STORED)
def test_a_grant(house, kms, keys, place):
    key, bob = keys[place]["Arn"], as_(house, "bob")
    blob = kms.encrypt(KeyId=key, Plaintext=b"text", EncryptionContext=CONTEXT)["CiphertextBlob"]
    sealed = {"CiphertextBlob": blob, "EncryptionContext": CONTEXT}
    assert code(bob.decrypt, **sealed) == "AccessDeniedException"
    grant = kms.create_grant(KeyId=key, GranteePrincipal=ARNS["bob"], Operations=["Decrypt", "ReEncryptFrom"],
                             Constraints={"EncryptionContextSubset": CONTEXT})
    assert bob.decrypt(**sealed)["Plaintext"] == b"text"
    assert code(bob.encrypt, KeyId=key, Plaintext=b"x", EncryptionContext=CONTEXT) == "AccessDeniedException"
    kms.revoke_grant(KeyId=key, GrantId=grant["GrantId"])
    assert code(bob.decrypt, **sealed) == "AccessDeniedException"


def test_the_trail_of_a_decryption_behind_a_proxy(house, kms, keys):
    key = keys["proxy"]
    blob = kms.encrypt(KeyId=key["KeyId"], Plaintext=b"text", EncryptionContext=CONTEXT)["CiphertextBlob"]
    answer = kms.decrypt(CiphertextBlob=blob, EncryptionContext=CONTEXT, KeyId=key["Arn"])
    (event,) = house.trail(requestID=answer["ResponseMetadata"]["RequestId"])
    assert event["requestParameters"] == {"keyId": key["Arn"], "encryptionContext": CONTEXT, "encryptionAlgorithm": "SYMMETRIC_DEFAULT"}
    assert json.dumps(event["additionalEventData"]) == json.dumps({"customKeyStoreId": key["CustomKeyStoreId"], "xksKeyId": "the-key"})
    assert event["resources"] == [{"accountId": key["AWSAccountId"], "type": "AWS::KMS::Key", "ARN": key["Arn"]}]
