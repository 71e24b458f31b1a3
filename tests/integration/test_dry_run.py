"""DryRun, of every operation that the model gives it, on every kind of key: the answer is that of the call itself, or says
that the call would have succeeded; and nothing is done."""
import botocore.exceptions
import pytest

from asking import ARNS, PRINCIPALS, as_, method, opened
from asymmetric import make
from conftest import VIRTUAL
from importing import imported
from multi_region import THERE
from test_cloudhsm_key_stores import connect, make_store

DRY_RUN = ("DryRunOperationException", "The request would have succeeded, but the DryRun option is set.")
BOB = {"GranteePrincipal": ARNS["bob"]}
OAEP = {"EncryptionAlgorithm": "RSAES_OAEP_SHA_256"}
SIGNED = {"Message": b"m", "SigningAlgorithm": "ECDSA_SHA_256"}
MAC = {"Message": b"m", "MacAlgorithm": "HMAC_SHA_256"}
GRANTS = ["CreateGrant", "RetireGrant", "RevokeGrant"]
ENCRYPTION = ["Encrypt", "Decrypt", "ReEncrypt"]
DATA_KEYS = ["GenerateDataKey", "GenerateDataKeyWithoutPlaintext"]
PAIRS = ["GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext"]
OPERATIONS = {
    "symmetric": ENCRYPTION + DATA_KEYS + PAIRS + GRANTS, "imported": ENCRYPTION + DATA_KEYS + PAIRS + GRANTS,
    "replica": ENCRYPTION + DATA_KEYS + PAIRS + GRANTS, "in a cluster": ENCRYPTION + DATA_KEYS + GRANTS,
    "RSA": ENCRYPTION + GRANTS, "signing": ["Sign", "Verify", *GRANTS], "HMAC": ["GenerateMac", "VerifyMac", *GRANTS],
    "agreement": ["DeriveSharedSecret", *GRANTS]}
# What fails on every kind of key, whether it is asked for in earnest or not.
WRONG = {"Encrypt": {"EncryptionAlgorithm": "SM2PKE"}, "Decrypt": {"CiphertextBlob": b"none"}, "Sign": {"SigningAlgorithm": "ECDSA_SHA_512"},
         "Verify": {"Signature": b"none"}, "VerifyMac": {"Mac": b"none"}, "GenerateMac": {"MacAlgorithm": "HMAC_SHA_512"},
         "DeriveSharedSecret": {"PublicKey": b"none"}, "CreateGrant": {"Operations": ["CreateGrant"]}, "RetireGrant": {"GrantToken": "none"},
         "RevokeGrant": {"GrantId": "0" * 64}, "ReEncrypt": {"CiphertextBlob": b"none"}, "GenerateDataKey": {"GrantTokens": ["none"]},
         "GenerateDataKeyWithoutPlaintext": {"NumberOfBytes": 5}, "GenerateDataKeyPair": {"GrantTokens": ["none"]},
         "GenerateDataKeyPairWithoutPlaintext": {"KeyPairSpec": "SM2"}}


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    with opened(tmp_path_factory.mktemp("house"), kmsd=VIRTUAL, principals=PRINCIPALS) as house:
        yield house


@pytest.fixture(scope="module")
def cluster(house):
    kms = as_(house, "alice")
    made = make_store(kms)
    connect(kms, made)
    return made


def replica(house):
    there = as_(house, "alice", region=THERE)
    key = there.create_key(MultiRegion=True)["KeyMetadata"]["KeyId"]
    there.replicate_key(KeyId=key, ReplicaRegion="us-east-1")
    house.clock(advance=1)
    return key


@pytest.fixture
def kms(house):
    return as_(house, "alice")


@pytest.fixture
def make_key(house, kms, cluster):
    """The id of a new key of that kind."""
    return lambda kind: {
        "symmetric": lambda: kms.create_key()["KeyMetadata"]["KeyId"], "imported": lambda: imported(kms), "replica": lambda: replica(house),
        "in a cluster": lambda: kms.create_key(Origin="AWS_CLOUDHSM", CustomKeyStoreId=cluster)["KeyMetadata"]["KeyId"],
        "RSA": lambda: make(kms, "RSA_2048", "ENCRYPT_DECRYPT")["KeyId"], "signing": lambda: make(kms, "ECC_NIST_P256", "SIGN_VERIFY")["KeyId"],
        "HMAC": lambda: make(kms, "HMAC_256", "GENERATE_VERIFY_MAC")["KeyId"],
        "agreement": lambda: make(kms, "ECC_NIST_P256", "KEY_AGREEMENT")["KeyId"]}[kind]()


def parameters(kms, operation, kind, key):
    named = {"KeyId": key}
    algorithm = OAEP if kind == "RSA" else {}
    if operation in ("Decrypt", "ReEncrypt"):
        blob = {"CiphertextBlob": kms.encrypt(KeyId=key, Plaintext=b"x", **algorithm)["CiphertextBlob"]}
        if operation == "Decrypt":
            return {**blob, **named, **algorithm}
        rsa = {"SourceEncryptionAlgorithm": "RSAES_OAEP_SHA_256", "DestinationEncryptionAlgorithm": "RSAES_OAEP_SHA_1"}
        return {**blob, "SourceKeyId": key, "DestinationKeyId": key, **(rsa if kind == "RSA" else {})}
    if operation == "Verify":
        return {**named, **SIGNED, "Signature": kms.sign(**named, **SIGNED)["Signature"]}
    if operation == "VerifyMac":
        return {**named, **MAC, "Mac": kms.generate_mac(**named, **MAC)["Mac"]}
    if operation == "DeriveSharedSecret":
        return {**named, "KeyAgreementAlgorithm": "ECDH", "PublicKey": kms.get_public_key(**named)["PublicKey"]}
    if operation in ("RetireGrant", "RevokeGrant"):
        made = kms.create_grant(**named, **BOB, Operations=["DescribeKey"], RetiringPrincipal=ARNS["alice"])
        return {"GrantToken": made["GrantToken"]} if operation == "RetireGrant" else {**named, "GrantId": made["GrantId"]}
    return {**named, **{
        "Encrypt": {"Plaintext": b"x", **algorithm}, "Sign": SIGNED, "GenerateMac": MAC,
        "CreateGrant": {**BOB, "Operations": ["DescribeKey"]}, **dict.fromkeys(DATA_KEYS, {"NumberOfBytes": 32}),
        **dict.fromkeys(PAIRS, {"KeyPairSpec": "ECC_NIST_P256"})}[operation]}


def outcome(client, operation, **asked):
    """None, or (code, message) of the refusal; and the id of the request."""
    try:
        answer = method(client, operation)(**asked)
        return None, answer["ResponseMetadata"]["RequestId"]
    except botocore.exceptions.ClientError as error:
        told = error.response["Error"]
        return (told["Code"], told["Message"]), error.response["ResponseMetadata"]["RequestId"]


def disabled(house, kms, key):
    kms.disable_key(KeyId=key)
    return kms


def doomed(house, kms, key):
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    return kms


def somebody(house, kms, key):
    return as_(house, "bob")


def test_the_model_has_no_others(kms):
    model = kms.meta.service_model
    assert set(WRONG) == {o for o in model.operation_names if "DryRun" in model.operation_model(o).input_shape.members}
    assert set(WRONG) == {o for operations in OPERATIONS.values() for o in operations}


def state(kms, key):
    grants = kms.list_grants(KeyId=key)["Grants"]
    return grants, kms.describe_key(KeyId=key)["KeyMetadata"], kms.get_key_last_usage(KeyId=key).get("KeyLastUsage")


@pytest.mark.parametrize("kind,operation", [(kind, o) for kind, operations in OPERATIONS.items() for o in operations])
def test_it_answers_as_the_call_would_and_does_nothing(house, kms, make_key, kind, operation):
    key = make_key(kind)
    asked = parameters(kms, operation, kind, key)
    before = state(kms, key)
    told, request = outcome(kms, operation, **asked, DryRun=True)
    assert told == DRY_RUN
    wrong = {**asked, **WRONG[operation]}
    if operation == "GenerateDataKeyWithoutPlaintext":
        wrong["KeySpec"] = "AES_256"
    told, _ = outcome(kms, operation, **wrong, DryRun=True)
    assert told and told == outcome(kms, operation, **wrong)[0]
    assert state(kms, key) == before
    assert outcome(kms, operation, **asked, DryRun=False)[0] is None
    (event,) = house.trail(requestID=request)
    assert (event["eventName"], event["errorCode"], event["responseElements"]) == (operation, DRY_RUN[0], None)


@pytest.mark.parametrize("situation", [disabled, doomed, somebody])
@pytest.mark.parametrize("kind", OPERATIONS)
def test_it_fails_as_the_call_would(house, kms, make_key, kind, situation):
    key = make_key(kind)
    asked = {o: parameters(kms, o, kind, key) for o in OPERATIONS[kind]}
    client = situation(house, kms, key)
    for operation, given in asked.items():
        dry, _ = outcome(client, operation, **given, DryRun=True)
        assert dry == (outcome(client, operation, **given)[0] or DRY_RUN), operation
        assert dry != DRY_RUN or operation in ("RetireGrant", "RevokeGrant"), operation
