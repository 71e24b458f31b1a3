"""Keys of every spec and usage: what CreateKey makes, what KeyMetadata and GetPublicKey have for each, and what a key of
one kind refuses to be used for."""
import re
import subprocess

import pytest
from cryptography.hazmat.primitives.serialization import load_der_public_key

from asking import code, members, refused
from asymmetric import HMAC_BITS, KINDS, is_of, make
from daemons import REGION, program

ALWAYS = {"AWSAccountId", "KeyId", "Arn", "CreationDate", "Enabled", "Description", "KeyUsage", "KeyState", "Origin",
          "KeyManager", "CustomerMasterKeySpec", "KeySpec", "MultiRegion"}
IDS = [f"{spec}-{usage}" for spec, usage in KINDS]


@pytest.mark.parametrize("spec,usage", KINDS, ids=IDS)
def test_metadata(kms, spec, usage):
    key = make(kms, spec, usage)
    member, algorithms = KINDS[spec, usage]
    assert set(key) == ALWAYS | {member}
    assert (key["KeySpec"], key["CustomerMasterKeySpec"], key["KeyUsage"]) == (spec, spec, usage)
    assert key[member] == algorithms
    assert (key["KeyState"], key["Enabled"], key["Origin"], key["MultiRegion"]) == ("Enabled", True, "AWS_KMS", False)
    assert kms.describe_key(KeyId=key["KeyId"])["KeyMetadata"] == key


@pytest.mark.parametrize("spec,usage", [kind for kind in KINDS if kind[1] != "GENERATE_VERIFY_MAC"],
                         ids=[i for i in IDS if "HMAC" not in i])
def test_public_key(kms, spec, usage):
    key = make(kms, spec, usage)
    member, algorithms = KINDS[spec, usage]
    answer = kms.get_public_key(KeyId=key["KeyId"])
    assert members(answer) == {"KeyId", "PublicKey", "CustomerMasterKeySpec", "KeySpec", "KeyUsage", member}
    assert (answer["KeyId"], answer["KeySpec"], answer["CustomerMasterKeySpec"], answer["KeyUsage"]) == (
        key["Arn"], spec, spec, usage)
    assert answer[member] == algorithms
    assert is_of(spec, load_der_public_key(answer["PublicKey"]))
    assert kms.get_public_key(KeyId=key["Arn"])["PublicKey"] == answer["PublicKey"]


def test_public_keys_differ(kms):
    keys = [kms.get_public_key(KeyId=make(kms, "ECC_NIST_P256", "SIGN_VERIFY")["KeyId"])["PublicKey"] for _ in range(3)]
    assert len(set(keys)) == 3


def test_public_key_outlives_a_restart(make_house):
    house = make_house(ddbd=False)
    kms = house.kms()
    keys = [make(kms, spec, "SIGN_VERIFY")["KeyId"] for spec in ("RSA_2048", "ECC_NIST_P521", "ECC_NIST_EDWARDS25519")]
    before = [kms.get_public_key(KeyId=key)["PublicKey"] for key in keys]
    house.stop()
    house.start(ddbd=False)
    assert [house.kms().get_public_key(KeyId=key)["PublicKey"] for key in keys] == before


def test_keys_without_a_public_half(kms, key):
    for name in (key, make(kms, "HMAC_256", "GENERATE_VERIFY_MAC")["KeyId"]):
        assert refused(kms.get_public_key, KeyId=name) == ("UnsupportedOperationException", "")


@pytest.mark.parametrize("spec,usage", [("HMAC_256", "SIGN_VERIFY"), ("ECC_NIST_P256", "ENCRYPT_DECRYPT"),
                                        ("ECC_SECG_P256K1", "KEY_AGREEMENT"), ("RSA_2048", "GENERATE_VERIFY_MAC"),
                                        ("ECC_NIST_EDWARDS25519", "KEY_AGREEMENT"), ("ML_DSA_44", "ENCRYPT_DECRYPT"),
                                        ("SYMMETRIC_DEFAULT", "GENERATE_VERIFY_MAC")])
def test_usages_that_a_spec_does_not_have(kms, spec, usage):
    assert refused(kms.create_key, KeySpec=spec, KeyUsage=usage) == (
        "ValidationException", f"KeyUsage {usage} is not compatible with KeySpec {spec}")


@pytest.mark.parametrize("spec", ["RSA_2048", "ECC_NIST_P256", "HMAC_512", "ECC_NIST_EDWARDS25519", "ML_DSA_65"])
def test_a_usage_must_be_said(kms, spec):
    assert refused(kms.create_key, KeySpec=spec) == (
        "ValidationException", "You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.")


def test_the_old_name_of_the_spec(kms):
    key = kms.create_key(CustomerMasterKeySpec="ECC_NIST_P384", KeyUsage="SIGN_VERIFY")["KeyMetadata"]
    assert key["KeySpec"] == "ECC_NIST_P384"


# ---- SM2: in China Regions only ----

def test_sm2_elsewhere(kms):
    for usage in ("SIGN_VERIFY", "ENCRYPT_DECRYPT", "KEY_AGREEMENT"):
        assert refused(kms.create_key, KeySpec="SM2", KeyUsage=usage) == (
            "UnsupportedOperationException", "KeySpec SM2 is not supported in this Region")


def test_sm2_in_china(house):
    kms = house.kms(region="cn-north-1")
    for usage, member, algorithm in (("SIGN_VERIFY", "SigningAlgorithms", "SM2DSA"),
                                     ("ENCRYPT_DECRYPT", "EncryptionAlgorithms", "SM2PKE"),
                                     ("KEY_AGREEMENT", "KeyAgreementAlgorithms", "ECDH")):
        key = make(kms, "SM2", usage)
        assert key["Arn"].startswith("arn:aws-cn:kms:cn-north-1:")
        answer = kms.get_public_key(KeyId=key["KeyId"])
        assert answer[member] == key[member] == [algorithm]
        # SubjectPublicKeyInfo of an uncompressed point: id-ecPublicKey, the curve sm2p256v1 (1.2.156.10197.1.301).
        assert answer["PublicKey"].startswith(bytes.fromhex("3059301306072a8648ce3d020106082a811ccf5501822d03420004"))


# ---- what only some libraries have ----

def test_version_says_what_the_library_has(kms):
    said = subprocess.run([program("kmsd"), "--version"], capture_output=True, text=True, check=True).stdout
    assert re.search(r"^OpenSSL \d", said, re.M)

    def listed(word):
        return set(re.findall(r"\w+", (re.search(rf"^  {word} (.*)$", said, re.M) or ["", ""])[1]))
    there, lacking = listed("with"), listed("without")
    specs = {"ML_DSA_44", "ML_DSA_65", "ML_DSA_87"}
    assert there | lacking == specs | {"SM2", "SM2DSA", "ML_DSA_SHAKE_256", "ED25519_PH_SHA_512"} and not there & lacking
    for spec in specs & there:
        make(kms, spec, "SIGN_VERIFY")
    for spec in specs & lacking:
        got, message = refused(kms.create_key, KeySpec=spec, KeyUsage="SIGN_VERIFY")
        assert got == "UnsupportedOperationException" and spec in message and "OpenSSL" in message


# ---- what is made for one thing is not used for another ----

@pytest.mark.parametrize("spec,usage", [("RSA_2048", "SIGN_VERIFY"), ("ECC_NIST_P256", "KEY_AGREEMENT"),
                                        ("HMAC_256", "GENERATE_VERIFY_MAC")])
def test_encryption_wants_a_key_for_it(kms, key, spec, usage):
    arn = make(kms, spec, usage)["Arn"]
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]

    def wrong(operation):
        return "InvalidKeyUsageException", f"{arn} key usage is {usage} which is not valid for {operation}."
    assert refused(kms.encrypt, KeyId=arn, Plaintext=b"x") == wrong("Encrypt")
    assert refused(kms.generate_data_key, KeyId=arn, KeySpec="AES_256") == wrong("GenerateDataKey")
    assert refused(kms.generate_data_key_without_plaintext, KeyId=arn, KeySpec="AES_256") == wrong(
        "GenerateDataKeyWithoutPlaintext")
    assert refused(kms.re_encrypt, CiphertextBlob=blob, DestinationKeyId=arn) == wrong("ReEncrypt")
    # That the ciphertext is another key's is told first.
    assert code(kms.decrypt, CiphertextBlob=blob, KeyId=arn) == "IncorrectKeyException"
    assert refused(kms.decrypt, CiphertextBlob=b"x" * 64, KeyId=arn) == wrong("Decrypt")
    # The usage is judged before the state.
    kms.disable_key(KeyId=arn)
    assert refused(kms.encrypt, KeyId=arn, Plaintext=b"x") == wrong("Encrypt")


def test_an_rsa_key_does_not_encrypt_as_a_symmetric_one(kms, key):
    arn = make(kms, "RSA_2048", "ENCRYPT_DECRYPT")["Arn"]
    incompatible = ("InvalidKeyUsageException", "Algorithm SYMMETRIC_DEFAULT is incompatible with key spec RSA_2048.")
    assert refused(kms.encrypt, KeyId=arn, Plaintext=b"x") == incompatible
    assert refused(kms.encrypt, KeyId=arn, Plaintext=b"x", EncryptionAlgorithm="SYMMETRIC_DEFAULT") == incompatible
    assert refused(kms.encrypt, KeyId=key, Plaintext=b"x", EncryptionAlgorithm="RSAES_OAEP_SHA_256") == (
        "InvalidKeyUsageException", "Algorithm RSAES_OAEP_SHA_256 is incompatible with key spec SYMMETRIC_DEFAULT.")
    for generate in (kms.generate_data_key, kms.generate_data_key_without_plaintext):
        assert refused(generate, KeyId=arn, KeySpec="AES_256") == (
            "InvalidKeyUsageException", "You cannot generate a data key with an asymmetric CMK")
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    assert code(kms.decrypt, CiphertextBlob=blob, KeyId=arn) == "IncorrectKeyException"
    assert refused(kms.decrypt, CiphertextBlob=b"x" * 256, KeyId=arn) == ("InvalidCiphertextException", "")
    kms.disable_key(KeyId=arn)
    assert refused(kms.generate_data_key, KeyId=arn, KeySpec="AES_256") == ("DisabledException", f"{arn} is disabled.")


@pytest.mark.parametrize("spec,usage,operations", [
    ("RSA_2048", "ENCRYPT_DECRYPT", {"Encrypt", "Decrypt", "ReEncryptFrom", "ReEncryptTo", "GetPublicKey"}),
    ("ECC_NIST_P256", "SIGN_VERIFY", {"Sign", "Verify", "GetPublicKey"}),
    ("ECC_NIST_P256", "KEY_AGREEMENT", {"DeriveSharedSecret", "GetPublicKey"}),
    *((f"HMAC_{n}", "GENERATE_VERIFY_MAC", {"GenerateMac", "VerifyMac"}) for n in HMAC_BITS[:1])])
def test_grants_by_kind_of_key(kms, spec, usage, operations):
    key = make(kms, spec, usage)["KeyId"]
    for_all = {"CreateGrant", "DescribeKey", "RetireGrant"}
    every = kms.meta.service_model.shape_for("GrantOperation").enum
    for operation in every:
        asked = {"KeyId": key, "GranteePrincipal": "arn:aws:iam::000000000000:root", "Operations": [operation, "DescribeKey"]}
        if operation in operations | for_all:
            kms.create_grant(**asked)
        else:
            assert code(kms.create_grant, **asked) == "ValidationException", operation


def test_grants_on_other_keys_have_no_encryption_context(kms):
    key = make(kms, "HMAC_256", "GENERATE_VERIFY_MAC")["KeyId"]
    assert code(kms.create_grant, KeyId=key, GranteePrincipal=f"arn:aws:iam::000000000000:root", Operations=["GenerateMac"],
                Constraints={"EncryptionContextSubset": {"a": "b"}}) == "ValidationException"


def test_get_public_key_by_alias_and_from_another_region(house, kms):
    key = make(kms, "ECC_NIST_P256", "SIGN_VERIFY")
    kms.create_alias(AliasName=f"alias/public-{key['KeyId']}", TargetKeyId=key["KeyId"])
    assert kms.get_public_key(KeyId=f"alias/public-{key['KeyId']}")["KeyId"] == key["Arn"]
    elsewhere = house.kms(region="eu-west-1")
    assert refused(elsewhere.get_public_key, KeyId=key["Arn"]) == ("NotFoundException", f"Invalid arn {REGION}")
