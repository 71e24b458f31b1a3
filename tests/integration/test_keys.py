"""The operations of kmsd when all is well: what they answer, and the forms in which a key may be named."""
import base64
import datetime
import json
import os
import re
import subprocess

import pytest

from asking import Raw, code, members, method, pages
from conftest import START
from daemons import ACCOUNT, AWS_CLI, REGION

NOW = datetime.datetime.fromisoformat(START.replace("Z", "+00:00"))
UUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
METADATA = {"AWSAccountId", "Arn", "CreationDate", "CurrentKeyMaterialId", "CustomerMasterKeySpec", "Description",
            "Enabled", "EncryptionAlgorithms", "KeyId", "KeyManager", "KeySpec", "KeyState", "KeyUsage", "MultiRegion",
            "Origin"}
BOB = f"arn:aws:iam::{ACCOUNT}:user/bob"


def arn_of(key):
    return f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{key}"


@pytest.fixture
def kms(house):
    return house.kms(ACCOUNT)  # twelve digits: root of the account


def test_create_key(kms):
    m = kms.create_key(Description="für alle", Tags=[{"TagKey": "team", "TagValue": "blue"}])["KeyMetadata"]
    assert set(m) == METADATA
    assert re.fullmatch(UUID, m["KeyId"])
    assert m.pop("CreationDate") == NOW
    assert re.fullmatch("[0-9a-f]{64}", m.pop("CurrentKeyMaterialId"))
    assert m == {
        "AWSAccountId": ACCOUNT, "Arn": arn_of(m["KeyId"]), "CustomerMasterKeySpec": "SYMMETRIC_DEFAULT",
        "Description": "für alle", "Enabled": True, "EncryptionAlgorithms": ["SYMMETRIC_DEFAULT"], "KeyId": m["KeyId"],
        "KeyManager": "CUSTOMER", "KeySpec": "SYMMETRIC_DEFAULT", "KeyState": "Enabled", "KeyUsage": "ENCRYPT_DECRYPT",
        "MultiRegion": False, "Origin": "AWS_KMS"}
    assert kms.list_resource_tags(KeyId=m["KeyId"])["Tags"] == [{"TagKey": "team", "TagValue": "blue"}]


def test_describe_key_says_what_create_key_said(kms):
    made = kms.create_key()["KeyMetadata"]
    assert kms.describe_key(KeyId=made["KeyId"])["KeyMetadata"] == made


@pytest.mark.parametrize("named", [{}, {"KeySpec": "SYMMETRIC_DEFAULT"}, {"KeyUsage": "ENCRYPT_DECRYPT"},
                                   {"CustomerMasterKeySpec": "SYMMETRIC_DEFAULT"}, {"Origin": "AWS_KMS"},
                                   {"MultiRegion": False}, {"Description": ""}, {"Tags": []}])
def test_create_key_with_its_defaults_spelt_out(kms, named):
    assert kms.create_key(**named)["KeyMetadata"]["KeySpec"] == "SYMMETRIC_DEFAULT"


def test_states(kms, key):
    def state():
        m = kms.describe_key(KeyId=key)["KeyMetadata"]
        return m["KeyState"], m["Enabled"], m.get("DeletionDate")
    assert members(kms.disable_key(KeyId=key)) == set()
    assert state() == ("Disabled", False, None)
    assert members(kms.enable_key(KeyId=key)) == set()
    assert state() == ("Enabled", True, None)
    answer = kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=9)
    until = NOW + datetime.timedelta(days=9)
    assert members(answer) == {"KeyId", "DeletionDate", "KeyState", "PendingWindowInDays"}
    assert (answer["KeyId"], answer["KeyState"], answer["PendingWindowInDays"]) == (arn_of(key), "PendingDeletion", 9)
    assert answer["DeletionDate"] == until
    assert state() == ("PendingDeletion", False, until)
    answer = kms.cancel_key_deletion(KeyId=key)
    assert members(answer) == {"KeyId"} and answer["KeyId"] == arn_of(key)
    assert state() == ("Disabled", False, None)


def test_deletion_takes_thirty_days_unless_told(kms, key):
    answer = kms.schedule_key_deletion(KeyId=key)
    assert answer["PendingWindowInDays"] == 30
    assert answer["DeletionDate"] == NOW + datetime.timedelta(days=30)


def test_description(kms, key):
    assert members(kms.update_key_description(KeyId=key, Description="new")) == set()
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["Description"] == "new"
    kms.update_key_description(KeyId=key, Description="")
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["Description"] == ""


def test_list_keys(kms, key):
    keys = pages(kms.list_keys, "Keys")
    assert {"KeyArn": arn_of(key), "KeyId": key} in keys
    assert [k["KeyId"] for k in keys] == sorted(k["KeyId"] for k in keys)


def test_encrypt_and_decrypt(kms, key):
    sealed = kms.encrypt(KeyId=key, Plaintext=b"word", EncryptionContext={"a": "b"})
    assert members(sealed) == {"CiphertextBlob", "KeyId", "EncryptionAlgorithm"}
    assert (sealed["KeyId"], sealed["EncryptionAlgorithm"]) == (arn_of(key), "SYMMETRIC_DEFAULT")
    plain = kms.decrypt(CiphertextBlob=sealed["CiphertextBlob"], EncryptionContext={"a": "b"})
    assert members(plain) == {"EncryptionAlgorithm", "KeyId", "KeyMaterialId", "Plaintext"}
    assert (plain["KeyId"], plain["Plaintext"]) == (arn_of(key), b"word")
    assert plain["KeyMaterialId"] == kms.describe_key(KeyId=key)["KeyMetadata"]["CurrentKeyMaterialId"]


def test_data_keys(kms, key):
    whole = kms.generate_data_key(KeyId=key, KeySpec="AES_256")
    assert members(whole) == {"CiphertextBlob", "KeyId", "KeyMaterialId", "Plaintext"}
    assert kms.decrypt(CiphertextBlob=whole["CiphertextBlob"])["Plaintext"] == whole["Plaintext"]
    blind = kms.generate_data_key_without_plaintext(KeyId=key, KeySpec="AES_256")
    assert members(blind) == {"CiphertextBlob", "KeyId", "KeyMaterialId"}
    assert blind["KeyId"] == whole["KeyId"] == arn_of(key)
    assert len(kms.decrypt(CiphertextBlob=blind["CiphertextBlob"])["Plaintext"]) == 32


def test_re_encrypt(kms, key):
    other = kms.create_key()["KeyMetadata"]
    sealed = kms.encrypt(KeyId=key, Plaintext=b"word", EncryptionContext={"from": "1"})
    answer = kms.re_encrypt(CiphertextBlob=sealed["CiphertextBlob"], SourceEncryptionContext={"from": "1"},
                            DestinationKeyId=other["KeyId"], DestinationEncryptionContext={"to": "2"})
    assert members(answer) == {
        "CiphertextBlob", "DestinationEncryptionAlgorithm", "DestinationKeyMaterialId", "KeyId",
        "SourceEncryptionAlgorithm", "SourceKeyId", "SourceKeyMaterialId"}
    assert (answer["SourceKeyId"], answer["KeyId"]) == (arn_of(key), other["Arn"])
    assert answer["DestinationKeyMaterialId"] == other["CurrentKeyMaterialId"]
    plain = kms.decrypt(CiphertextBlob=answer["CiphertextBlob"], EncryptionContext={"to": "2"})
    assert plain["Plaintext"] == b"word"


def test_generate_random(kms):
    answer = kms.generate_random(NumberOfBytes=1024)
    assert members(answer) == {"Plaintext"}
    assert len(answer["Plaintext"]) == 1024
    assert answer["Plaintext"] != kms.generate_random(NumberOfBytes=1024)["Plaintext"]
    assert len(kms.generate_random(NumberOfBytes=1)["Plaintext"]) == 1


def test_policies(kms, key):
    assert kms.list_key_policies(KeyId=key)["PolicyNames"] == ["default"]
    answer = kms.get_key_policy(KeyId=key, PolicyName="default")
    assert members(answer) == {"Policy", "PolicyName"}
    assert json.loads(answer["Policy"])["Statement"][0]["Principal"] == {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
    assert kms.get_key_policy(KeyId=key)["PolicyName"] == "default"
    text = answer["Policy"].replace("Enable IAM", "Still enable IAM")
    assert members(kms.put_key_policy(KeyId=key, PolicyName="default", Policy=text)) == set()
    assert kms.get_key_policy(KeyId=key)["Policy"] == text


def test_grants(kms, key):
    answer = kms.create_grant(KeyId=key, GranteePrincipal=BOB, Operations=["Encrypt", "Decrypt"])
    assert members(answer) == {"GrantId", "GrantToken"}
    assert re.fullmatch("[0-9a-f]{64}", answer["GrantId"])
    listed = kms.list_grants(KeyId=key)
    assert members(listed) == {"Grants", "Truncated"}
    assert listed["Grants"] == [{
        "KeyId": arn_of(key), "GrantId": answer["GrantId"], "Name": "", "CreationDate": NOW, "GranteePrincipal": BOB,
        "IssuingAccount": f"arn:aws:iam::{ACCOUNT}:root", "Operations": ["Decrypt", "Encrypt"]}]
    assert members(kms.revoke_grant(KeyId=key, GrantId=answer["GrantId"])) == set()
    assert kms.list_grants(KeyId=key)["Grants"] == []
    token = kms.create_grant(KeyId=key, GranteePrincipal=BOB, RetiringPrincipal=BOB, Operations=["Decrypt"])
    assert [g["GrantId"] for g in kms.list_retirable_grants(RetiringPrincipal=BOB)["Grants"]] == [token["GrantId"]]
    assert members(kms.retire_grant(GrantToken=token["GrantToken"])) == set()
    assert kms.list_retirable_grants(RetiringPrincipal=BOB)["Grants"] == []


# ---- the forms of a key's name ----

ANY_FORM = ["DescribeKey", "Encrypt", "Decrypt", "ReEncrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext"]
ID_OR_ARN = ["EnableKey", "DisableKey", "UpdateKeyDescription", "ScheduleKeyDeletion", "CancelKeyDeletion",
             "GetKeyPolicy", "PutKeyPolicy", "ListKeyPolicies", "TagResource", "UntagResource", "ListResourceTags",
             "CreateGrant", "ListGrants", "RevokeGrant", "RetireGrant", "ListAliases"]


@pytest.fixture(scope="module")
def subject(house):
    """A key with an alias, a ciphertext and a grant."""
    kms = house.kms(ACCOUNT)
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName="alias/the/subject", TargetKeyId=key)
    return {"key": key, "forms": {"id": key, "arn": arn_of(key), "alias": "alias/the/subject",
                                  "alias arn": f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/the/subject"},
            "blob": kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"],
            "policy": kms.get_key_policy(KeyId=key)["Policy"]}


def parameters(kms, operation, subject, name):
    grant = {"GranteePrincipal": BOB, "Operations": ["Decrypt"]}
    return {
        "Encrypt": {"Plaintext": b"x"},
        "Decrypt": {"CiphertextBlob": subject["blob"]},
        "ReEncrypt": {"CiphertextBlob": subject["blob"], "SourceKeyId": name, "DestinationKeyId": name},
        "GenerateDataKey": {"KeySpec": "AES_128"},
        "GenerateDataKeyWithoutPlaintext": {"NumberOfBytes": 3},
        "UpdateKeyDescription": {"Description": "d"},
        "PutKeyPolicy": {"Policy": subject["policy"]},
        "TagResource": {"Tags": [{"TagKey": "k", "TagValue": ""}]},
        "UntagResource": {"TagKeys": ["k"]},
        "CreateGrant": grant,
        "RevokeGrant": lambda: {"GrantId": kms.create_grant(KeyId=subject["key"], **grant)["GrantId"]},
        "RetireGrant": lambda: {"GrantId": kms.create_grant(KeyId=subject["key"], **grant)["GrantId"]},
    }.get(operation, {})


def ask(kms, operation, subject, form):
    name = subject["forms"][form]
    more = parameters(kms, operation, subject, name)
    more = more() if callable(more) else more
    if operation != "ReEncrypt":
        more = {"KeyId": name, **more}
    return method(kms, operation), more


@pytest.mark.parametrize("form", ["id", "arn", "alias", "alias arn"])
@pytest.mark.parametrize("operation", ANY_FORM)
def test_any_form_of_name(kms, subject, operation, form):
    call, more = ask(kms, operation, subject, form)
    answer = call(**more)
    assert answer.get("KeyId", answer.get("KeyMetadata", {}).get("Arn")) == arn_of(subject["key"])


@pytest.mark.parametrize("form", ["id", "arn"])
@pytest.mark.parametrize("operation", ID_OR_ARN)
def test_id_or_arn(kms, subject, operation, form):
    if operation == "CancelKeyDeletion":
        kms.schedule_key_deletion(KeyId=subject["key"])
    call, more = ask(kms, operation, subject, form)
    call(**more)
    if operation == "ScheduleKeyDeletion":
        kms.cancel_key_deletion(KeyId=subject["key"])
    kms.enable_key(KeyId=subject["key"])


@pytest.mark.parametrize("form", ["alias", "alias arn"])
@pytest.mark.parametrize("operation", ID_OR_ARN)
def test_no_alias_where_only_the_key_itself_will_do(kms, subject, operation, form):
    call, more = ask(kms, operation, subject, form)
    assert code(call, **more) == "InvalidArnException"


# ---- Regions, no operations, the AWS CLI ----

def test_a_key_is_of_its_region(house, kms, key):
    elsewhere = house.kms(ACCOUNT, region="eu-central-1")
    made = elsewhere.create_key()["KeyMetadata"]
    assert made["Arn"] == f"arn:aws:kms:eu-central-1:{ACCOUNT}:key/{made['KeyId']}"
    assert code(elsewhere.describe_key, KeyId=key) == "NotFoundException"
    assert made["KeyId"] not in [k["KeyId"] for k in pages(kms.list_keys, "Keys")]
    china = house.kms(ACCOUNT, region="cn-north-1").create_key()["KeyMetadata"]
    assert china["Arn"].startswith(f"arn:aws-cn:kms:cn-north-1:{ACCOUNT}:key/")


def test_aws_managed_key_is_made_on_first_use(house):
    kms = house.kms("777788889999")
    assert pages(kms.list_keys, "Keys") == []
    m = kms.describe_key(KeyId="alias/aws/dynamodb")["KeyMetadata"]
    assert (m["KeyManager"], m["KeyState"]) == ("AWS", "Enabled")
    assert "DynamoDB" in m["Description"]
    assert kms.describe_key(KeyId="alias/aws/dynamodb")["KeyMetadata"] == m
    assert [k["KeyId"] for k in pages(kms.list_keys, "Keys")] == [m["KeyId"]]
    assert [a["AliasName"] for a in kms.list_aliases()["Aliases"] if "TargetKeyId" in a] == ["alias/aws/dynamodb"]


@pytest.mark.parametrize("operation", ["Nonsense", "", "CreateKeyX", "createkey"])
def test_operations_that_do_not_exist(house, operation):
    status, _, body = Raw(operation).sign().send(house)
    assert (status, body["__type"]) == (400, "UnknownOperationException")


def aws(house, *args):
    env = {**os.environ, "AWS_ACCESS_KEY_ID": ACCOUNT, "AWS_SECRET_ACCESS_KEY": "x", "AWS_DEFAULT_REGION": REGION,
           "AWS_ENDPOINT_URL_KMS": house.kmsd.url}
    return subprocess.run([AWS_CLI, "kms", *args, "--output", "json"], env=env, capture_output=True, text=True)


def test_aws_cli(house, tmp_path):
    made = json.loads(aws(house, "create-key", "--description", "by CLI").stdout)["KeyMetadata"]
    (tmp_path / "plain").write_bytes(b"what the CLI sends")
    sealed = json.loads(aws(house, "encrypt", "--key-id", made["KeyId"], "--plaintext", f"fileb://{tmp_path}/plain",
                            "--encryption-context", "a=b").stdout)
    assert house.kms(ACCOUNT).decrypt(CiphertextBlob=base64.b64decode(sealed["CiphertextBlob"]),
                                      EncryptionContext={"a": "b"})["Plaintext"] == b"what the CLI sends"
    failed = aws(house, "describe-key", "--key-id", "fake-key-id")
    assert failed.returncode != 0
    assert "(NotFoundException) when calling the DescribeKey operation: Invalid keyId 'fake-key-id'" in failed.stderr


def test_aws_cli_with_keys_of_every_kind(house, tmp_path):
    """As the guides' own examples have it: files in, files out."""
    def said(*args):
        done = aws(house, *args)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout else None

    def create(*args):
        return said("create-key", *args)["KeyMetadata"]["KeyId"]
    message = tmp_path / "message"
    message.write_bytes(b"what is signed")
    signer = create("--key-spec", "ECC_NIST_P256", "--key-usage", "SIGN_VERIFY")
    how = ("--key-id", signer, "--message", f"fileb://{message}", "--signing-algorithm", "ECDSA_SHA_256")
    (tmp_path / "signature").write_bytes(base64.b64decode(said("sign", *how)["Signature"]))
    assert said("verify", *how, "--signature", f"fileb://{tmp_path}/signature")["SignatureValid"] is True
    (tmp_path / "public.der").write_bytes(base64.b64decode(said("get-public-key", "--key-id", signer)["PublicKey"]))
    checked = subprocess.run(["openssl", "dgst", "-sha256", "-verify", tmp_path / "public.der", "-keyform", "DER", "-signature",
                              tmp_path / "signature", message], capture_output=True, text=True)
    assert "Verified OK" in checked.stdout, checked.stderr
    maker = create("--key-spec", "HMAC_256", "--key-usage", "GENERATE_VERIFY_MAC")
    how = ("--key-id", maker, "--message", f"fileb://{message}", "--mac-algorithm", "HMAC_SHA_256")
    (tmp_path / "mac").write_bytes(base64.b64decode(said("generate-mac", *how)["Mac"]))
    assert said("verify-mac", *how, "--mac", f"fileb://{tmp_path}/mac")["MacValid"] is True
    key = create("--multi-region")
    said("enable-key-rotation", "--key-id", key, "--rotation-period-in-days", "180")
    assert said("get-key-rotation-status", "--key-id", key)["RotationPeriodInDays"] == 180
    assert said("replicate-key", "--key-id", key, "--replica-region", "eu-west-1")["ReplicaKeyMetadata"]["KeyId"] == key
    assert said("describe-key", "--key-id", key, "--region", "eu-west-1")["KeyMetadata"]["MultiRegion"] is True
    assert said("describe-custom-key-stores")["CustomKeyStores"] == []
