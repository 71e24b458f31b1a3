"""How a key may be named, for every operation and member that names one, by what the model says of it: by id and ARN, by
alias, in another Region, in another account. The sentences are those of recorded replies."""
import json
import re
import uuid

import botocore.session
import pytest

from asking import PRINCIPALS, as_, method, opened, refused
from conftest import VIRTUAL
from daemons import ACCOUNT, REGION

MODEL = botocore.session.get_session().get_service_model("kms")
ELSEWHERE, OTHER = "eu-west-1", "444455556666"
NOBODY = "00000000-1111-2222-3333-444444444444"
BLOB = b"\x01\x02\x02\x00x" + bytes(200)
# The other required members: whatever is well formed, because the key is looked for first.
NEEDED = {
    "CreateAlias": {"AliasName": "alias/name-of-nothing"}, "UpdateAlias": {"AliasName": "alias/of-a-key"},
    "CreateGrant": {"GranteePrincipal": f"arn:aws:iam::{ACCOUNT}:user/alice", "Operations": ["DescribeKey"]},
    "Encrypt": {"Plaintext": b"x"}, "Decrypt": {"CiphertextBlob": None}, "ReEncrypt": {"CiphertextBlob": None},
    "GenerateDataKey": {"KeySpec": "AES_256"}, "GenerateDataKeyWithoutPlaintext": {"KeySpec": "AES_256"},
    "GenerateDataKeyPair": {"KeyPairSpec": "ECC_NIST_P256"}, "GenerateDataKeyPairWithoutPlaintext": {"KeyPairSpec": "ECC_NIST_P256"},
    "Sign": {"Message": b"m", "SigningAlgorithm": "ECDSA_SHA_256"},
    "Verify": {"Message": b"m", "Signature": b"s", "SigningAlgorithm": "ECDSA_SHA_256"},
    "GenerateMac": {"Message": b"m", "MacAlgorithm": "HMAC_SHA_256"},
    "VerifyMac": {"Message": b"m", "Mac": b"m", "MacAlgorithm": "HMAC_SHA_256"},
    "DeriveSharedSecret": {"KeyAgreementAlgorithm": "ECDH", "PublicKey": b"p"},
    "GetParametersForImport": {"WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"},
    "ImportKeyMaterial": {"ImportToken": b"t", "EncryptedKeyMaterial": b"m", "ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE"},
    "PutKeyPolicy": {"Policy": json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "kms:*", "Resource": "*"}]})},
    "ReplicateKey": {"ReplicaRegion": ELSEWHERE}, "UpdatePrimaryRegion": {"PrimaryRegion": ELSEWHERE},
    "RevokeGrant": {"GrantId": "0" * 64}, "RetireGrant": {"GrantId": "0" * 64},
    "TagResource": {"Tags": [{"TagKey": "k", "TagValue": "v"}]}, "UntagResource": {"TagKeys": ["k"]},
    "UpdateKeyDescription": {"Description": "d"},
}
MEMBERS = ("KeyId", "TargetKeyId", "SourceKeyId", "DestinationKeyId")
PLACES = [(operation, member) for operation in MODEL.operation_names
          for member in (MODEL.operation_model(operation).input_shape or {}).members if member in MEMBERS]
IDS = ["-".join(place) for place in PLACES]


def by_alias(operation, member):
    """Whether the model says that an alias will do. Of MACs it says nothing; they are used as data keys are."""
    if operation in ("GenerateMac", "VerifyMac"):
        return True
    text = MODEL.operation_model(operation).input_shape.members[member].documentation
    return "alias name" in text.lower() and "alias ARN" in text


def across_accounts(operation):
    return bool(re.search(r"Cross-account use</b>:\s*Yes", MODEL.operation_model(operation).documentation))


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    with opened(tmp_path_factory.mktemp("house"), kmsd=VIRTUAL, principals=PRINCIPALS) as house:
        yield house


@pytest.fixture(scope="module")
def world(house):
    """Keys here, in another Region and in another account; the last one's policy lets everybody in or not."""
    class World:
        kms = as_(house, "alice")
        here = kms.create_key()["KeyMetadata"]
        region = as_(house, "alice", region=ELSEWHERE).create_key()["KeyMetadata"]
        blob = kms.encrypt(KeyId=here["KeyId"], Plaintext=b"x")["CiphertextBlob"]
        dave = as_(house, "dave")
        closed = dave.create_key()["KeyMetadata"]
        both = {"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Action": "kms:*", "Resource": "*",
            "Principal": {"AWS": [f"arn:aws:iam::{a}:root" for a in (ACCOUNT, OTHER)]}}]}
        opened = dave.create_key(Policy=json.dumps(both))["KeyMetadata"]
    World.kms.create_alias(AliasName="alias/of-a-key", TargetKeyId=World.here["KeyId"])
    World.dave.create_alias(AliasName="alias/theirs", TargetKeyId=World.opened["KeyId"])
    return World


def ask(world, operation, member, name):
    """(code, message), or None when it was answered."""
    more = {k: world.blob if v is None else v for k, v in NEEDED.get(operation, {}).items()}
    if operation == "ReEncrypt":
        more["DestinationKeyId"] = world.here["KeyId"]
    call = method(world.kms, operation)
    try:
        call(**{**more, member: name})
    except world.kms.exceptions.ClientError as error:
        return error.response["Error"]["Code"], error.response["Error"]["Message"]
    return None


def arn(region, account, resource):
    return f"arn:aws:kms:{region}:{account}:{resource}"


@pytest.mark.parametrize("operation,member", PLACES, ids=IDS)
def test_another_region(world, operation, member):
    assert ask(world, operation, member, world.region["Arn"]) == ("NotFoundException", f"Invalid arn {ELSEWHERE}")
    assert ask(world, operation, member, world.region["KeyId"]) == (
        "NotFoundException", f"Key '{arn(REGION, ACCOUNT, 'key/' + world.region['KeyId'])}' does not exist")


@pytest.mark.parametrize("operation,member", PLACES, ids=IDS)
def test_no_such_key(world, operation, member):
    for name in (NOBODY, arn(REGION, ACCOUNT, f"key/{NOBODY}")):
        assert ask(world, operation, member, name) == (
            "NotFoundException", f"Key '{arn(REGION, ACCOUNT, 'key/' + NOBODY)}' does not exist")
    for name in ("fake-key-id", "mrk-fake", NOBODY.replace("-", "")):
        assert ask(world, operation, member, name) == ("NotFoundException", f"Invalid keyId '{name}'")
    for name in ("arn:aws:kms:us-east-1:1:key/x", f"arn:aws:s3:us-east-1:{ACCOUNT}:key/{NOBODY}", "arn:aws:kms"):
        assert ask(world, operation, member, name) == ("InvalidArnException", f"Invalid arn {name}")


@pytest.mark.parametrize("operation,member", PLACES, ids=IDS)
def test_by_alias(world, operation, member):
    names = "alias/of-a-key", arn(REGION, ACCOUNT, "alias/of-a-key")
    for name in names:
        got = ask(world, operation, member, name)
        if by_alias(operation, member):
            assert got is None or got[0] not in ("NotFoundException", "InvalidArnException", "AccessDeniedException"), got
        elif member == "TargetKeyId":
            assert got == ("ValidationException", "Aliases must refer to keys. Not aliases")
        else:
            assert got == ("InvalidArnException", "Key Aliases are not supported for this operation.")
    if by_alias(operation, member):
        gone = f"alias/{uuid.uuid4()}"
        for name in (gone, arn(REGION, ACCOUNT, gone)):
            assert ask(world, operation, member, name) == (
                "NotFoundException", f"Alias {arn(REGION, ACCOUNT, gone)} is not found.")
        assert ask(world, operation, member, arn(ELSEWHERE, ACCOUNT, gone)) == ("NotFoundException", f"Invalid arn {ELSEWHERE}")


@pytest.mark.parametrize("operation,member", PLACES, ids=IDS)
def test_another_account(world, operation, member):
    """A key that does not let the caller in, or does not exist, looks the same; one that does is used where the API reaches
    across accounts."""
    for name in (world.closed["Arn"], arn(REGION, OTHER, f"key/{NOBODY}")):
        got = ask(world, operation, member, name)
        assert got and got[0] == "AccessDeniedException", got
    got = ask(world, operation, member, world.opened["Arn"])
    if operation == "RetireGrant":
        assert got, "there is no such grant, and who may retire it is the grant's to say"
    elif across_accounts(operation):
        assert got is None or got[0] != "AccessDeniedException", got
    else:
        assert got and got[0] == "AccessDeniedException", got
    assert refused(world.kms.describe_key, KeyId=world.opened["KeyId"])[0] == "NotFoundException"
