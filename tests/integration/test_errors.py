"""What kmsd says when it refuses, word by word as recorded from AWS; the sentences of validation."""
import base64
import json

import pytest

from asking import KEYS, PRINCIPALS, Raw, as_, code, refused, secret_of, told, unchecked
from daemons import ACCOUNT, REGION

NOBODY = "00000000-1111-2222-3333-444444444444"
BOB = f"arn:aws:iam::{ACCOUNT}:user/bob"
SPECS = ("RSA_2048, ECC_NIST_P384, ECC_NIST_P256, ECC_NIST_P521, HMAC_384, RSA_3072, ECC_SECG_P256K1, RSA_4096, "
         "SYMMETRIC_DEFAULT, HMAC_256, HMAC_224, HMAC_512")
INCORRECT = ("IncorrectKeyException",
             "The key ID in the request does not identify a CMK that can perform this operation.")


def one(text):
    return "ValidationException", f"1 validation error detected: {text}"


def arn_of(key, region=REGION, account=ACCOUNT):
    return f"arn:aws:kms:{region}:{account}:key/{key}"


@pytest.fixture
def kms(house):
    return unchecked(house, ACCOUNT)


# ---- CreateAlias, CreateKey ----

@pytest.mark.parametrize("name", ["lost", "alias", "alias/", "lias/x"])
def test_alias_without_its_prefix(kms, key, name):
    assert refused(kms.create_alias, AliasName=name, TargetKeyId=key) == (
        "ValidationException", 'Alias must start with the prefix "alias/". Please see '
        "https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html")


def test_reserved_tags(kms, key):
    tags = [{"TagKey": "fine", "TagValue": ""}, {"TagKey": "aws:mine", "TagValue": "x"}]
    expected = ("TagException", "Tags beginning with aws: are reserved")
    assert refused(kms.create_key, Tags=tags) == expected
    assert refused(kms.tag_resource, KeyId=key, Tags=tags) == expected
    assert kms.list_resource_tags(KeyId=key)["Tags"] == []


def test_too_many_tags(kms, key):
    tags = [{"TagKey": f"k{i}", "TagValue": "v"} for i in range(51)]
    assert refused(kms.create_key, Tags=tags) == ("TagException", "Too many tags")
    assert refused(kms.tag_resource, KeyId=key, Tags=tags) == ("TagException", "Too many tags")
    kms.tag_resource(KeyId=key, Tags=tags[:50])
    kms.tag_resource(KeyId=key, Tags=[{"TagKey": "k3", "TagValue": "again"}])
    assert refused(kms.tag_resource, KeyId=key, Tags=tags[50:]) == ("TagException", "Too many tags")


def test_duplicate_tags(kms, key):
    tags = [{"TagKey": "k", "TagValue": "1"}, {"TagKey": "k", "TagValue": "2"}]
    assert refused(kms.tag_resource, KeyId=key, Tags=tags) == ("TagException", "Duplicate tag keys")
    assert refused(kms.create_key, Tags=tags) == ("TagException", "Duplicate tag keys")


def test_tag_lengths(kms):
    assert refused(kms.create_key, Tags=[{"TagKey": "a" * 129, "TagValue": "v"}]) == one(
        f"Value '{'a' * 129}' at 'tags.1.member.tagKey' failed to satisfy constraint: "
        "Member must have length less than or equal to 128")
    assert refused(kms.create_key, Tags=[{"TagKey": "k", "TagValue": "v" * 257}]) == one(
        f"Value '{'v' * 257}' at 'tags.1.member.tagValue' failed to satisfy constraint: "
        "Member must have length less than or equal to 256")
    assert refused(kms.create_key, Tags=[{"TagKey": "ok", "TagValue": ""}, {"TagKey": "", "TagValue": ""}]) == one(
        "Value '' at 'tags.2.member.tagKey' failed to satisfy constraint: "
        "Member must have length greater than or equal to 1")


def test_key_spec_and_usage(kms):
    assert refused(kms.create_key, KeySpec="HMAC_random", KeyUsage="GENERATE_VERIFY_MAC") == one(
        f"Value 'HMAC_random' at 'keySpec' failed to satisfy constraint: Member must satisfy enum value set: [{SPECS}]")
    assert refused(kms.create_key, KeySpec="HMAC_256", KeyUsage="RANDOM") == one(
        "Value 'RANDOM' at 'keyUsage' failed to satisfy constraint: Member must satisfy enum value set: "
        "[ENCRYPT_DECRYPT, SIGN_VERIFY, GENERATE_VERIFY_MAC]")
    assert refused(kms.create_key, KeySpec="RSA_2048", KeyUsage="KEY_AGREEMENT") == (
        "ValidationException", "KeyUsage KEY_AGREEMENT is not compatible with KeySpec RSA_2048")
    assert refused(kms.create_key, KeySpec="HMAC_256") == (
        "ValidationException",
        "You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.")
    assert refused(kms.create_key, KeyUsage="SIGN_VERIFY") == (
        "ValidationException", "KeyUsage SIGN_VERIFY is not compatible with KeySpec SYMMETRIC_DEFAULT")


# ---- names of keys ----

@pytest.mark.parametrize("name", ["134f2428cec14b25a1ae9048164dba47", "fake-key-id", "mrk-fake-key-id", "key_id",
                                  "invalid", "mrk-1234", "mrk-g234567890abcdef1234567890abcdef"])
def test_what_is_no_key_id(kms, name):
    assert refused(kms.describe_key, KeyId=name) == ("NotFoundException", f"Invalid keyId '{name}'")
    assert code(kms.create_grant, KeyId=name, GranteePrincipal=BOB, Operations=["Decrypt"]) == "NotFoundException"
    assert code(kms.list_grants, KeyId=name) == "NotFoundException"


@pytest.mark.parametrize("name", [NOBODY, "mrk-0123456789abcdef0123456789abcdef"])
def test_keys_that_are_not_there(kms, name):
    expected = ("NotFoundException", f"Key '{arn_of(name)}' does not exist")
    assert refused(kms.describe_key, KeyId=name) == expected
    assert refused(kms.describe_key, KeyId=arn_of(name)) == expected
    assert refused(kms.encrypt, KeyId=name, Plaintext=b"x") == expected


def test_a_key_of_another_region(house, kms, key):
    elsewhere = house.kms(ACCOUNT, region="ap-southeast-1")
    assert refused(elsewhere.describe_key, KeyId=key) == (
        "NotFoundException", f"Key '{arn_of(key, 'ap-southeast-1')}' does not exist")
    assert refused(elsewhere.describe_key, KeyId=arn_of(key)) == ("NotFoundException", f"Invalid arn {REGION}")


@pytest.mark.parametrize("name", ["arn:aws:kms", f"arn:aws:s3:::bucket", f"arn:aws:kms:{REGION}:12:key/{NOBODY}",
                                  f"arn:aws:kms:{REGION}:{ACCOUNT}:thing/{NOBODY}", "arn:", "arn:::::"])
def test_what_is_no_key_arn(kms, name):
    assert refused(kms.describe_key, KeyId=name) == ("InvalidArnException", f"Invalid arn {name}")


def test_aliases_that_are_not_there(kms):
    arn = f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/none"
    assert refused(kms.encrypt, KeyId="alias/none", Plaintext=b"x") == (
        "NotFoundException", f"Alias {arn} is not found.")
    assert refused(kms.delete_alias, AliasName="alias/none") == ("NotFoundException", f"Alias {arn} is not found.")


def test_grants_take_no_alias(kms, key):
    kms.create_alias(AliasName="alias/for-grants", TargetKeyId=key)
    for name in ("alias/for-grants", f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/for-grants"):
        assert refused(kms.create_grant, KeyId=name, GranteePrincipal=BOB, Operations=["Decrypt"]) == (
            "InvalidArnException", "Key Aliases are not supported for this operation.")


# ---- cryptography ----

def test_ciphertexts_that_are_none_have_no_message(house, kms, key):
    blob = kms.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext={"a": "b"})["CiphertextBlob"]
    for more in ({"CiphertextBlob": blob}, {"CiphertextBlob": b"no ciphertext"},
                 {"CiphertextBlob": blob, "EncryptionContext": {"a": "c"}}):
        assert refused(kms.decrypt, **more) == ("InvalidCiphertextException", "")
    body = json.dumps({"CiphertextBlob": base64.b64encode(blob).decode()}).encode()
    assert Raw("Decrypt", body, key=ACCOUNT).sign().send(house)[2] == {"__type": "InvalidCiphertextException"}


def test_a_ciphertext_of_another_key(kms, key):
    other = kms.create_key()["KeyMetadata"]["KeyId"]
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    assert refused(kms.decrypt, CiphertextBlob=blob, KeyId=other) == INCORRECT
    assert refused(kms.re_encrypt, CiphertextBlob=blob, SourceKeyId=other, DestinationKeyId=key) == INCORRECT


def test_algorithms_of_other_keys(kms, key):
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    expected = ("InvalidKeyUsageException", "Algorithm RSAES_OAEP_SHA_1 is incompatible with key spec SYMMETRIC_DEFAULT.")
    assert refused(kms.encrypt, KeyId=key, Plaintext=b"x", EncryptionAlgorithm="RSAES_OAEP_SHA_1") == expected
    assert refused(kms.decrypt, CiphertextBlob=blob, KeyId=key, EncryptionAlgorithm="RSAES_OAEP_SHA_1") == expected


def test_plaintext_sizes(kms, key):
    assert refused(kms.encrypt, KeyId=key, Plaintext=b"x" * 4097) == one(
        "Value at 'plaintext' failed to satisfy constraint: Member must have length less than or equal to 4096")
    assert refused(kms.encrypt, KeyId=key, Plaintext=b"") == one(
        "Value at 'plaintext' failed to satisfy constraint: Member must have length greater than or equal to 1")


def test_numbers_of_bytes(kms, key):
    assert refused(kms.generate_random, NumberOfBytes=0) == one(
        "Value '0' at 'numberOfBytes' failed to satisfy constraint: Member must have value greater than or equal to 1")
    assert refused(kms.generate_random, NumberOfBytes=1025) == one(
        "Value '1025' at 'numberOfBytes' failed to satisfy constraint: Member must have value less than or equal to 1024")
    assert refused(kms.generate_random) == ("ValidationException", "NumberOfBytes is required.")
    for more in ({}, {"NumberOfBytes": 16, "KeySpec": "AES_256"}):
        assert refused(kms.generate_data_key, KeyId=key, **more) == (
            "ValidationException", "Please specify either number of bytes or key spec.")


def test_dry_run(kms, key):
    expected = ("DryRunOperationException", "The request would have succeeded, but the DryRun option is set.")
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    grant = kms.create_grant(KeyId=key, GranteePrincipal=BOB, Operations=["Decrypt"])
    for call, more in [(kms.encrypt, {"KeyId": key, "Plaintext": b"x"}),
                       (kms.decrypt, {"CiphertextBlob": blob}),
                       (kms.re_encrypt, {"CiphertextBlob": blob, "DestinationKeyId": key}),
                       (kms.generate_data_key, {"KeyId": key, "KeySpec": "AES_256"}),
                       (kms.generate_data_key_without_plaintext, {"KeyId": key, "KeySpec": "AES_256"}),
                       (kms.create_grant, {"KeyId": key, "GranteePrincipal": BOB, "Operations": ["Encrypt"]}),
                       (kms.retire_grant, {"GrantToken": grant["GrantToken"]}),
                       (kms.revoke_grant, {"KeyId": key, "GrantId": grant["GrantId"]})]:
        assert refused(call, DryRun=True, **more) == expected
    assert [g["GrantId"] for g in kms.list_grants(KeyId=key)["Grants"]] == [grant["GrantId"]]


def test_a_dry_run_fails_as_the_call_would(kms, key):
    kms.disable_key(KeyId=key)
    assert code(kms.encrypt, KeyId=key, Plaintext=b"x", DryRun=True) == "DisabledException"


def test_a_dry_run_without_a_ciphertext(house, kms, key):
    ignore = {"DryRunModifiers": ["IGNORE_CIPHERTEXT"]}
    for operation, names in (("Decrypt", {"KeyId": key}), ("ReEncrypt", {"SourceKeyId": key, "DestinationKeyId": key})):
        assert told(house, operation, {**names, **ignore, "DryRun": True}, ACCOUNT)[0] == "DryRunOperationException"
        for more in (ignore, {"DryRun": True}):
            assert told(house, operation, {**names, **more}, ACCOUNT) == one(null("ciphertextBlob"))
    kms.disable_key(KeyId=key)
    assert told(house, "Decrypt", {"KeyId": key, **ignore, "DryRun": True}, ACCOUNT)[0] == "DisabledException"


def test_how_a_message_is_spelt(make_house):
    house = make_house(ddbd=False, kmsd=["--auth=strict"], principals=PRINCIPALS)
    for body, member in (({"KeyId": "x"}, "message"), ({"KeyId": arn_of(NOBODY, account="444455556666")}, "Message")):
        raw = Raw("DescribeKey", json.dumps(body).encode(), KEYS["alice"], secret_of(KEYS["alice"]))
        assert set(raw.sign().send(house)[2]) == {"__type", member}
    alice, bob = as_(house, "alice"), as_(house, "bob")
    key = alice.create_key()["KeyMetadata"]["KeyId"]
    assert code(bob.encrypt, KeyId=key, Plaintext=b"x", DryRun=True) == "AccessDeniedException"


# ---- grants, policies ----

def test_grants_that_make_no_sense(house, kms, key):
    def make(**more):
        return refused(kms.create_grant, **{"KeyId": key, "GranteePrincipal": BOB, "Operations": ["Decrypt"], **more})
    assert make(Operations=["CreateGrant"]) == (
        "ValidationException", "Grants must not contain only the CreateGrant operation.")
    both = {"EncryptionContextEquals": {"a": "b"}, "EncryptionContextSubset": {}}
    assert make(Constraints=both) == ("ValidationException", "More than one constraint supplied")
    assert make(Operations=["Sign"])[0] == "ValidationException"
    assert make(GranteePrincipal=f"arn:aws:iam::{ACCOUNT}:group/admins")[0] == "InvalidArnException"
    assert make(RetiringPrincipal="arn:aws:iam::12:user/x")[0] == "InvalidArnException"
    service = {"KeyId": key, "GranteeServicePrincipal": "dynamodb.amazonaws.com", "Operations": ["Decrypt"]}
    source = {"Constraints": {"SourceArn": f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/t"}}
    for body in (service, service | source, service | {"RetiringPrincipal": BOB}, service | {"GranteePrincipal": BOB}):
        assert told(house, "CreateGrant", body)[0] == "ValidationException"
    assert told(house, "CreateGrant", service | source | {"RetiringPrincipal": BOB})[0] == "ok"
    assert told(house, "CreateGrant", service | source | {"RetiringPrincipal": BOB, "RetiringServicePrincipal": "a.b.c"})[
        0] == "ValidationException"
    for member in ("GranteeServicePrincipal", "RetiringServicePrincipal"):
        name = member[0].lower() + member[1:]
        assert told(house, "CreateGrant", service | source | {member: "a.b"}) == one(
            f"Value 'a.b' at '{name}' failed to satisfy constraint: Member must satisfy regular expression pattern: "
            "^([A-Za-z0-9\\-]+)\\.([A-Za-z0-9\\-]+)(\\.[A-Za-z0-9\\-]+)+$")
        assert told(house, "CreateGrant", service | source | {member: "a.b." + "c" * 125}) == one(
            f"Value 'a.b.{'c' * 125}' at '{name}' failed to satisfy constraint: Member must have length less than or equal "
            "to 128")
    assert make(GrantTokens=["AQpA" + "a" * 487])[0] == "InvalidGrantTokenException"
    assert refused(kms.retire_grant, GrantToken="none")[0] == "InvalidGrantTokenException"
    assert refused(kms.retire_grant)[0] == "ValidationException"
    assert refused(kms.revoke_grant, KeyId=key, GrantId="g" * 64)[0] == "InvalidGrantIdException"
    assert refused(kms.revoke_grant, KeyId=key, GrantId="0" * 64)[0] == "NotFoundException"
    assert refused(kms.list_grants, KeyId=key, GrantId="x")[0] == "InvalidGrantIdException"


def test_a_policy_that_is_not_default(kms, key):
    assert code(kms.get_key_policy, KeyId=key, PolicyName="other") == "NotFoundException"


# ---- validation sentences ----

def null(path):
    return f"Value null at '{path}' failed to satisfy constraint: Member must not be null"


def test_members_that_lack(kms):
    assert refused(kms.describe_key) == one(null("keyId"))
    assert refused(kms.create_alias) == (
        "ValidationException",
        f"2 validation errors detected: {null('aliasName')}; {null('targetKeyId')}")
    assert refused(kms.create_grant) == (
        "ValidationException", f"2 validation errors detected: {null('keyId')}; {null('operations')}")
    assert refused(kms.decrypt) == one(null("ciphertextBlob"))
    assert refused(kms.create_key, Tags=[{"TagKey": "k"}]) == one(null("tags.1.member.tagValue"))


def test_several_violations_are_told_together(kms):
    got = refused(kms.schedule_key_deletion, KeyId="", PendingWindowInDays=366)
    assert got == (
        "ValidationException",
        "3 validation errors detected: Value '' at 'keyId' failed to satisfy constraint: "
        "Member must have length greater than or equal to 1; Value '' at 'keyId' failed to satisfy constraint: "
        "Member must satisfy regular expression pattern: ^\\p{ASCII}+$; Value '366' at 'pendingWindowInDays' failed to satisfy "
        "constraint: Member must have value less than or equal to 365")
    got = refused(kms.create_grant, KeyId="k" * 2049, GranteePrincipal="no spaces", Operations=["Decrypt"], Name="a b")
    assert got == (
        "ValidationException",
        f"3 validation errors detected: Value '{'k' * 2049}' at 'keyId' failed to satisfy constraint: Member must have "
        "length less than or equal to 2048; Value 'no spaces' at 'granteePrincipal' failed to satisfy constraint: Member "
        "must satisfy regular expression pattern: ^[\\w+=,.@:/-]+$; Value 'a b' at 'name' failed to satisfy constraint: "
        "Member must satisfy regular expression pattern: ^[a-zA-Z0-9:/_-]+$")


def test_enumerations_in_lists(kms, key):
    _, message = refused(kms.create_grant, KeyId=key, GranteePrincipal=BOB, Operations=["Decrypt", "Eat"])
    assert message.startswith("1 validation error detected: Value '[Decrypt, Eat]' at 'operations' failed to satisfy "
                              "constraint: Member must satisfy constraint: [Member must satisfy enum value set: [")


def test_integers(kms, key):
    assert refused(kms.list_keys, Limit=0) == one(
        "Value '0' at 'limit' failed to satisfy constraint: Member must have value greater than or equal to 1")
    assert refused(kms.list_keys, Limit=1001) == one(
        "Value '1001' at 'limit' failed to satisfy constraint: Member must have value less than or equal to 1000")
    assert refused(kms.schedule_key_deletion, KeyId=key, PendingWindowInDays=0) == one(
        "Value '0' at 'pendingWindowInDays' failed to satisfy constraint: "
        "Member must have value greater than or equal to 1")
    for days in (1, 6, 31, 365):
        assert refused(kms.schedule_key_deletion, KeyId=key, PendingWindowInDays=days) == (
            "ValidationException", "PendingWindowInDays must be between 7 and 30")


def test_lengths_count_characters_not_bytes(kms, key):
    kms.update_key_description(KeyId=key, Description="ü" * 8192)
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["Description"] == "ü" * 8192
    assert code(kms.update_key_description, KeyId=key, Description="ü" * 8193) == "ValidationException"
    assert code(kms.update_key_description, KeyId=key, Description="😀" * 4097) == "ValidationException"
    kms.update_key_description(KeyId=key, Description="😀" * 4096)


# ---- bodies that do not fit ----

def ask(house, operation, body):
    return Raw(operation, body if isinstance(body, bytes) else json.dumps(body).encode(), key=ACCOUNT).sign().refusal(house)


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'"x"', b"null", b"\xff\xfe", b"{\"KeyId\": }", b"[" * 100000])
def test_bodies_that_are_no_object(house, body):
    got = ask(house, "DescribeKey", body)
    assert got[0] == ("ValidationException" if body == b"" else "SerializationException")


@pytest.mark.parametrize("operation,body,message", [
    ("DescribeKey", {"KeyId": 5}, "NUMBER_VALUE can not be converted to String"),
    ("DescribeKey", {"KeyId": ["x"]}, "Start of list found where not expected"),
    ("DescribeKey", {"KeyId": {"x": 1}}, "Start of structure or map found where not expected."),
    ("DescribeKey", {"KeyId": True}, "TRUE_VALUE can not be converted to String"),
    ("ListKeys", {"Limit": "5"}, "STRING_VALUE can not be converted to Integer"),
    ("CreateKey", {"MultiRegion": "true"}, "STRING_VALUE can not be converted to Boolean"),
])
def test_members_of_the_wrong_type(house, operation, body, message):
    assert ask(house, operation, body) == ("SerializationException", message)


def test_blobs_must_be_base64(house, key):
    for text in ("not base64!", "QQ", "Q===", "QUJD\n"):
        assert ask(house, "Encrypt", {"KeyId": key, "Plaintext": text})[0] == "SerializationException"


def test_unknown_members_do_no_harm(house, key):
    body = json.dumps({"KeyId": key, "Later": {"x": 1}}).encode()
    assert Raw("DescribeKey", body, key=ACCOUNT).sign().send(house)[0] == 200


def test_null_is_as_if_absent(house, key):
    body = json.dumps({"KeyId": key, "GrantTokens": None}).encode()
    assert Raw("DescribeKey", body, key=ACCOUNT).sign().send(house)[0] == 200


@pytest.mark.parametrize("operation,body", [
    ("CreateKey", {"Description": "a\0b"}), ("CreateKey", {"Tags": [{"TagKey": "a\0", "TagValue": ""}]}),
    ("CreateKey", {"Tags": [{"TagKey": "a", "TagValue": "\0"}]}), ("DescribeKey", {"KeyId": "alias/aws/dynamodb\0x"}),
    ("DescribeKey", {"KeyId": "\0"}), ("UntagResource", {"KeyId": NOBODY, "TagKeys": ["a\0"]})])
def test_texts_with_zeros_are_refused_not_cut(house, operation, body):
    assert ask(house, operation, body) == ("SerializationException", "U+0000 found where not expected")
