"""AWS managed keys (tests/data/managed_keys.json): they appear when they are described or used, have the policy that AWS
gives them, and are nobody's to change; predefined aliases are listed before there is a key."""
import concurrent.futures
import json

import botocore.exceptions
import pytest

from asking import code, method, pages, refused, service_client
from daemons import ACCOUNT, ROOT, until

DATA = json.loads((ROOT / "tests/data/managed_keys.json").read_text())
ALL = sorted([*DATA["keys"], *DATA["also"]])
READS = ["kms:Describe*", "kms:Get*", "kms:List*"]
PREDEFINED = [f"alias/aws/{service}" for service in DATA["predefined"]]


def statement(of):
    if isinstance(of, str):
        return {"Sid": "Allow direct access to key metadata to the account", "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
                "Action": [*READS, "kms:RevokeGrant"] if of == "account, revoking" else READS, "Resource": "*"}
    if "service" in of:
        return {"Sid": of["Sid"], "Effect": "Allow", "Principal": {"Service": of["service"]}, "Action": READS, "Resource": "*"}
    caller = {"kms:CallerAccount": ACCOUNT}
    condition = {"StringEquals": {**caller, "kms:ViaService": of["via"]}} if "via" in of else {
        "StringEquals": caller, "StringLike": {"kms:ViaService": of["via any"]}}
    return {"Sid": of["Sid"], "Effect": "Allow", "Principal": {"AWS": "*"}, "Action": of["Action"], "Resource": "*",
            "Condition": condition}


@pytest.mark.parametrize("service", DATA["keys"])
def test_description_and_policy(kms, service):
    protects, policy_id, statements = DATA["keys"][service]
    key = kms.describe_key(KeyId=f"alias/aws/{service}")["KeyMetadata"]
    assert key["Description"] == f"Default key that protects my {protects} when no other key is defined"
    text = kms.get_key_policy(KeyId=key["KeyId"])["Policy"]
    assert json.loads(text) == {"Version": "2012-10-17", "Id": policy_id, "Statement": [statement(s) for s in statements]}
    assert text.startswith('{\n  "Version" : "2012-10-17",\n  "Id" : "auto-'), "spelt as AWS does"


@pytest.mark.parametrize("service", ALL)
def test_made_once_and_fixed(kms, service):
    alias = f"alias/aws/{service}"
    key = kms.describe_key(KeyId=alias)["KeyMetadata"]
    assert (key["KeyManager"], key["KeyState"], key["KeySpec"], key["Origin"]) == ("AWS", "Enabled", "SYMMETRIC_DEFAULT", "AWS_KMS")
    assert kms.describe_key(KeyId=alias)["KeyMetadata"] == key
    (entry,) = kms.list_aliases(KeyId=key["KeyId"])["Aliases"]
    assert (entry["AliasName"], entry["TargetKeyId"]) == (alias, key["KeyId"])
    assert kms.get_key_rotation_status(KeyId=key["KeyId"])["KeyRotationEnabled"] is True
    policy = kms.get_key_policy(KeyId=key["KeyId"])["Policy"]
    for call, more in ((kms.encrypt, {"Plaintext": b"x"}), (kms.disable_key, {}), (kms.schedule_key_deletion, {}),
                       (kms.put_key_policy, {"Policy": policy}), (kms.update_key_description, {"Description": "mine"}),
                       (kms.tag_resource, {"Tags": [{"TagKey": "a", "TagValue": "b"}]}), (kms.disable_key_rotation, {}),
                       (kms.create_grant, {"GranteePrincipal": f"arn:aws:iam::{ACCOUNT}:root", "Operations": ["Decrypt"]})):
        assert code(call, KeyId=key["KeyId"], **more) == "AccessDeniedException", call
    mine = kms.create_key()["KeyMetadata"]["KeyId"]
    assert code(kms.create_alias, AliasName=alias, TargetKeyId=mine) == "NotAuthorizedException"
    assert code(kms.update_alias, AliasName=alias, TargetKeyId=mine) == "NotAuthorizedException"
    assert code(kms.delete_alias, AliasName=alias) == "NotAuthorizedException"


def everything(kms, key):
    """Parameters of every operation that changes or uses the key; what all but the key is of, is right."""
    grantee = f"arn:aws:iam::{ACCOUNT}:user/local"
    named = {o: {"KeyId": key} for o in (
        "EnableKey", "DisableKey", "CancelKeyDeletion", "ScheduleKeyDeletion", "EnableKeyRotation", "DisableKeyRotation",
        "RotateKeyOnDemand", "DeleteImportedKeyMaterial", "GetPublicKey")}
    more = {
        "UpdateKeyDescription": {"Description": "mine"}, "PutKeyPolicy": {"Policy": kms.get_key_policy(KeyId=key)["Policy"]},
        "TagResource": {"Tags": [{"TagKey": "a", "TagValue": "b"}]}, "UntagResource": {"TagKeys": ["a"]},
        "ReplicateKey": {"ReplicaRegion": "us-west-2"}, "UpdatePrimaryRegion": {"PrimaryRegion": "us-west-2"},
        "GetParametersForImport": {"WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"},
        "ImportKeyMaterial": {"ImportToken": b"x", "EncryptedKeyMaterial": b"x", "ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE"},
        "CreateGrant": {"GranteePrincipal": grantee, "Operations": ["Decrypt"]}, "Encrypt": {"Plaintext": b"x"},
        "GenerateDataKey": {"KeySpec": "AES_256"}, "GenerateDataKeyWithoutPlaintext": {"KeySpec": "AES_256"},
        "GenerateDataKeyPair": {"KeyPairSpec": "ECC_NIST_P256"}, "GenerateDataKeyPairWithoutPlaintext": {"KeyPairSpec": "ECC_NIST_P256"},
        "Sign": {"Message": b"x", "SigningAlgorithm": "ECDSA_SHA_256"},
        "Verify": {"Message": b"x", "SigningAlgorithm": "ECDSA_SHA_256", "Signature": b"x"},
        "GenerateMac": {"Message": b"x", "MacAlgorithm": "HMAC_SHA_256"}, "VerifyMac": {"Message": b"x", "MacAlgorithm": "HMAC_SHA_256", "Mac": b"x"},
        "DeriveSharedSecret": {"KeyAgreementAlgorithm": "ECDH", "PublicKey": b"x"}}
    own = kms.create_key()["KeyMetadata"]["KeyId"]
    blob = kms.encrypt(KeyId=own, Plaintext=b"x")["CiphertextBlob"]
    kms.create_alias(AliasName=f"alias/{own}", TargetKeyId=own)
    others = {"CreateAlias": {"AliasName": "alias/mine", "TargetKeyId": key}, "UpdateAlias": {"AliasName": f"alias/{own}", "TargetKeyId": key},
              "ReEncrypt": {"CiphertextBlob": blob, "DestinationKeyId": key}}
    return named | {o: {"KeyId": key, **p} for o, p in more.items()} | others


def test_nobody_changes_or_uses_it(house, kms):
    """Not even the account's root, whom every key policy of one's own names first."""
    key = kms.describe_key(KeyId="alias/aws/ebs")["KeyMetadata"]
    asked = everything(kms, key["KeyId"])
    reads = {"DescribeKey", "GetKeyPolicy", "ListKeyPolicies", "GetKeyRotationStatus", "ListKeyRotations", "GetKeyLastUsage", "ListGrants",
             "ListResourceTags", "ListAliases"}
    # By ciphertext or grant, of which the key has none; by alias: test_made_once_and_fixed; the account may revoke.
    apart = {"Decrypt", "RetireGrant", "RevokeGrant", "DeleteAlias"}
    model = kms.meta.service_model
    of_keys = {o for o in model.operation_names if {"KeyId", "TargetKeyId"} & set(getattr(model.operation_model(o).input_shape, "members", {}))}
    assert set(asked) | reads | apart == of_keys | {"ReEncrypt", "DeleteAlias"}
    policy, rotation = (method(kms, o)(KeyId=key["KeyId"]) for o in ("GetKeyPolicy", "GetKeyRotationStatus"))
    for client in (kms, house.kms(ACCOUNT)):
        for operation, given in asked.items():
            allowed = operation in ("GetPublicKey", "GetParametersForImport")  # kms:Get*, and not for such a key
            assert code(method(client, operation), **given) == (
                "UnsupportedOperationException" if allowed else "AccessDeniedException"), operation
    assert kms.describe_key(KeyId="alias/aws/ebs")["KeyMetadata"] == key
    assert kms.get_key_policy(KeyId=key["KeyId"])["Policy"] == policy["Policy"]
    assert kms.get_key_rotation_status(KeyId=key["KeyId"])["NextRotationDate"] == rotation["NextRotationDate"]
    assert code(kms.revoke_grant, KeyId=key["KeyId"], GrantId="0" * 64) in ("AccessDeniedException", "NotFoundException")
    for operation in sorted(reads - {"ListAliases"}):
        method(kms, operation)(KeyId=key["KeyId"])


@pytest.mark.parametrize("use", ["describe by ARN", "encrypt", "generate a data key"])
def test_use_makes_it(make_house, use):
    house = make_house(ddbd=False)
    kms = house.kms()
    if use == "describe by ARN":
        kms.describe_key(KeyId=f"arn:aws:kms:us-east-1:{ACCOUNT}:alias/aws/sqs")
    elif use == "encrypt":  # refused, as it does not come through SQS, but about a key that is there
        assert code(kms.encrypt, KeyId="alias/aws/sqs", Plaintext=b"x") == "AccessDeniedException"
    else:
        assert code(kms.generate_data_key, KeyId="alias/aws/sqs", KeySpec="AES_256") == "AccessDeniedException"
    (made,) = pages(kms.list_keys, "Keys")
    house.kmsd.restart()
    assert house.kms().describe_key(KeyId="alias/aws/sqs")["KeyMetadata"]["Arn"] == made["KeyArn"]
    assert pages(house.kms().list_keys, "Keys") == [made]


def test_each_account_and_region_has_its_own(house):
    arns = {house.kms(account, region=region).describe_key(KeyId="alias/aws/s3")["KeyMetadata"]["Arn"]
            for account in ("111122223333", "444455556666") for region in ("us-east-1", "eu-west-1")}
    assert len(arns) == 4
    policy = json.loads(house.kms(region="cn-north-1").get_key_policy(
        KeyId=house.kms(region="cn-north-1").describe_key(KeyId="alias/aws/s3")["KeyMetadata"]["KeyId"])["Policy"])
    assert policy["Statement"][1]["Principal"] == {"AWS": f"arn:aws-cn:iam::{ACCOUNT}:root"}


def test_only_through_its_service(make_house):
    """DynamoDB's credential says through which service a call comes: that is not what S3's key asks for."""
    house = make_house(ddbd=False)
    kms = house.kms()
    on_behalf = service_client(house, user=("whoever", f"arn:aws:iam::{ACCOUNT}:user/local"))
    keys = {s: kms.describe_key(KeyId=f"alias/aws/{s}")["KeyMetadata"]["KeyId"] for s in ("dynamodb", "s3")}
    on_behalf.generate_data_key(KeyId=keys["dynamodb"], KeySpec="AES_256")
    assert code(on_behalf.generate_data_key, KeyId=keys["s3"], KeySpec="AES_256") == "AccessDeniedException"


@pytest.mark.parametrize("name", ["alias/aws/nothing", "alias/aws/", "alias/aws/s3x", "alias/aws/S3"])
def test_what_is_no_service(kms, name):
    error, message = refused(kms.describe_key, KeyId=name)
    assert error == "NotFoundException" and name in message


# ---- predefined aliases ----

def test_predefined_aliases_are_listed_without_a_key(make_house):
    kms = make_house(ddbd=False).kms()
    assert kms.list_aliases()["Aliases"] == [
        {"AliasArn": f"arn:aws:kms:us-east-1:{ACCOUNT}:{name}", "AliasName": name} for name in PREDEFINED]
    assert pages(kms.list_keys, "Keys") == [], "listing makes none"
    key = kms.describe_key(KeyId="alias/aws/rds")["KeyMetadata"]["KeyId"]
    kms.describe_key(KeyId="alias/aws/lambda")
    mine = kms.create_key()["KeyMetadata"]["KeyId"]
    for name in ("alias/a", "alias/aws", "alias/awsome", "alias/z"):
        kms.create_alias(AliasName=name, TargetKeyId=mine)
    listed = kms.list_aliases()["Aliases"]
    assert [a["AliasName"] for a in listed] == sorted(
        [*PREDEFINED, "alias/aws/lambda", "alias/a", "alias/aws", "alias/awsome", "alias/z"])
    (rds,) = [a for a in listed if a["AliasName"] == "alias/aws/rds"]
    assert set(rds) == {"AliasArn", "AliasName", "TargetKeyId", "CreationDate", "LastUpdatedDate"} and rds["TargetKeyId"] == key
    for limit in (1, 2, 5, 100):
        assert pages(kms.list_aliases, "Aliases", Limit=limit) == listed
    assert [a["AliasName"] for a in kms.list_aliases(KeyId=mine)["Aliases"]] == ["alias/a", "alias/aws", "alias/awsome", "alias/z"]


def test_a_predefined_alias_gets_its_key_between_two_pages(make_house):
    kms = make_house(ddbd=False).kms()
    first = kms.list_aliases(Limit=3)
    for name in (PREDEFINED[0], PREDEFINED[2], PREDEFINED[3]):
        kms.describe_key(KeyId=name)
    rest = kms.list_aliases(Marker=first["NextMarker"])["Aliases"]
    assert [a["AliasName"] for a in first["Aliases"] + rest] == PREDEFINED


# ---- the disk ----

def test_a_key_that_others_can_find_is_on_the_disk(make_house):
    """The call that made it waits still; another one, which commits nothing, may have used the key."""
    house = make_house(ddbd=False, kmsd=["--test-control"])
    kms = house.kms()
    house.kmsd.post("/_kmsd/faults", {"operation": "DescribeKey", "count": 1, "delay": 600})
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(house.kms().describe_key, KeyId="alias/aws/s3")
        (key,) = until(lambda: kms.list_keys()["Keys"], "the key")
        house.kmsd.kill()
        with pytest.raises(botocore.exceptions.ConnectionClosedError):
            waiting.result()
    house.kmsd.start()
    assert house.kms().describe_key(KeyId="alias/aws/s3")["KeyMetadata"]["KeyId"] == key["KeyId"]
