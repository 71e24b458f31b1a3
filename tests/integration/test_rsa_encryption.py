"""Encrypt, Decrypt and ReEncrypt on RSA keys, with Python's `cryptography` as the other side; and on SM2 keys of China
Regions, whose ciphertexts the openssl command reads."""
import subprocess

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from asking import code, members, refused
from asymmetric import OAEP, RSA_SPECS, make, public_key

HASHES = {"RSAES_OAEP_SHA_1": hashes.SHA1, "RSAES_OAEP_SHA_256": hashes.SHA256}
# (spec, algorithm): the longest plaintext, as the API reference lists them.
LONGEST = {("RSA_2048", "RSAES_OAEP_SHA_1"): 214, ("RSA_2048", "RSAES_OAEP_SHA_256"): 190,
           ("RSA_3072", "RSAES_OAEP_SHA_1"): 342, ("RSA_3072", "RSAES_OAEP_SHA_256"): 318,
           ("RSA_4096", "RSAES_OAEP_SHA_1"): 470, ("RSA_4096", "RSAES_OAEP_SHA_256"): 446}
NO_CONTEXT = ("ValidationException",
              "EncryptionContext is not supported when encrypting/decrypting with asymmetric CMKs.")
INVALID = ("InvalidCiphertextException", "")
SHA_1, SHA_256 = OAEP


def oaep(algorithm):
    return padding.OAEP(mgf=padding.MGF1(HASHES[algorithm]()), algorithm=HASHES[algorithm](), label=None)


@pytest.fixture(scope="module")
def keys():
    """Metadata of RSA keys by spec, each made once."""
    return {}


@pytest.fixture
def rsa(kms, keys):
    def of(spec="RSA_2048"):
        if spec not in keys:
            keys[spec] = make(kms, spec, "ENCRYPT_DECRYPT")
        return keys[spec]
    return of


@pytest.mark.parametrize("spec,algorithm", LONGEST)
def test_encrypt_and_decrypt(kms, rsa, spec, algorithm):
    key, longest = rsa(spec), LONGEST[spec, algorithm]
    for plaintext in (b"x", bytes(range(100)), b"p" * longest):
        sealed = kms.encrypt(KeyId=key["KeyId"], Plaintext=plaintext, EncryptionAlgorithm=algorithm)
        assert members(sealed) == {"CiphertextBlob", "EncryptionAlgorithm", "KeyId"}
        assert (sealed["EncryptionAlgorithm"], sealed["KeyId"]) == (algorithm, key["Arn"])
        assert len(sealed["CiphertextBlob"]) == RSA_SPECS[spec] // 8, "the bare block"
        opened = kms.decrypt(KeyId=key["KeyId"], CiphertextBlob=sealed["CiphertextBlob"], EncryptionAlgorithm=algorithm)
        assert members(opened) == {"Plaintext", "EncryptionAlgorithm", "KeyId"}
        assert (opened["Plaintext"], opened["EncryptionAlgorithm"], opened["KeyId"]) == (plaintext, algorithm, key["Arn"])
    assert refused(kms.encrypt, KeyId=key["KeyId"], Plaintext=b"p" * (longest + 1), EncryptionAlgorithm=algorithm) == (
        "ValidationException",
        f"Algorithm {algorithm} and key spec {spec} cannot encrypt data larger than {longest} bytes.")


@pytest.mark.parametrize("spec,algorithm", LONGEST)
def test_what_was_encrypted_elsewhere(kms, rsa, spec, algorithm):
    key = rsa(spec)["KeyId"]
    public = public_key(kms, key)
    for plaintext in (b"", b"secret", b"p" * LONGEST[spec, algorithm]):
        blob = public.encrypt(plaintext, oaep(algorithm))
        assert kms.decrypt(KeyId=key, CiphertextBlob=blob, EncryptionAlgorithm=algorithm)["Plaintext"] == plaintext


def test_the_ciphertext_is_new_each_time(kms, rsa):
    asked = {"KeyId": rsa()["KeyId"], "Plaintext": b"x", "EncryptionAlgorithm": SHA_256}
    assert kms.encrypt(**asked)["CiphertextBlob"] != kms.encrypt(**asked)["CiphertextBlob"]


def test_by_alias(kms, rsa):
    key = rsa()
    alias = f"alias/rsa-{key['KeyId']}"
    kms.create_alias(AliasName=alias, TargetKeyId=key["KeyId"])
    blob = kms.encrypt(KeyId=alias, Plaintext=b"x", EncryptionAlgorithm=SHA_1)["CiphertextBlob"]
    assert kms.decrypt(KeyId=alias, CiphertextBlob=blob, EncryptionAlgorithm=SHA_1)["KeyId"] == key["Arn"]


# ---- refusals ----

def test_decrypt_must_be_told_key_and_algorithm(kms, rsa):
    key = rsa()["KeyId"]
    blob = kms.encrypt(KeyId=key, Plaintext=b"x", EncryptionAlgorithm=SHA_256)["CiphertextBlob"]
    assert refused(kms.decrypt, CiphertextBlob=blob) == INVALID
    assert refused(kms.decrypt, CiphertextBlob=blob, KeyId=key) == INVALID
    assert refused(kms.decrypt, CiphertextBlob=blob, KeyId=key, EncryptionAlgorithm="SYMMETRIC_DEFAULT") == INVALID
    assert refused(kms.decrypt, CiphertextBlob=blob, EncryptionAlgorithm=SHA_256) == (
        "ValidationException", "KeyId must not be null")
    assert refused(kms.re_encrypt, CiphertextBlob=blob, SourceEncryptionAlgorithm=SHA_256, DestinationKeyId=key,
                   DestinationEncryptionAlgorithm=SHA_256) == ("ValidationException", "SourceKeyId must not be null")


def test_what_is_no_ciphertext_of_this_key(kms, key, rsa):
    name = rsa()["KeyId"]
    blob = kms.encrypt(KeyId=name, Plaintext=b"x", EncryptionAlgorithm=SHA_256)["CiphertextBlob"]
    for wrong in (blob[:-1], blob + b"\0", b"\0" + blob, blob[:-1] + bytes([blob[-1] ^ 1]), b"\0" * 256, b"\xff" * 256, b"x"):
        assert refused(kms.decrypt, CiphertextBlob=wrong, KeyId=name, EncryptionAlgorithm=SHA_256) == INVALID
    assert refused(kms.decrypt, CiphertextBlob=blob, KeyId=name, EncryptionAlgorithm=SHA_1) == INVALID
    other = make(kms, "RSA_2048", "ENCRYPT_DECRYPT")["KeyId"]
    assert refused(kms.decrypt, CiphertextBlob=blob, KeyId=other, EncryptionAlgorithm=SHA_256) == INVALID
    symmetric = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    assert refused(kms.decrypt, CiphertextBlob=symmetric, KeyId=name, EncryptionAlgorithm=SHA_256) == INVALID
    assert code(kms.decrypt, CiphertextBlob=symmetric, KeyId=name) == "IncorrectKeyException"
    assert refused(kms.decrypt, CiphertextBlob=blob, KeyId=key, EncryptionAlgorithm=SHA_256) == (
        "InvalidKeyUsageException", f"Algorithm {SHA_256} is incompatible with key spec SYMMETRIC_DEFAULT.")
    labelled = public_key(kms, name).encrypt(b"x", padding.OAEP(
        mgf=padding.MGF1(hashes.SHA256()), algorithm=hashes.SHA256(), label=b"label"))
    assert refused(kms.decrypt, CiphertextBlob=labelled, KeyId=name, EncryptionAlgorithm=SHA_256) == INVALID
    mixed = public_key(kms, name).encrypt(b"x", padding.OAEP(
        mgf=padding.MGF1(hashes.SHA1()), algorithm=hashes.SHA256(), label=None))
    assert refused(kms.decrypt, CiphertextBlob=mixed, KeyId=name, EncryptionAlgorithm=SHA_256) == INVALID


def test_algorithms_that_the_key_does_not_have(kms, rsa):
    key = rsa()["KeyId"]
    for algorithm in ("SYMMETRIC_DEFAULT", "SM2PKE"):
        assert refused(kms.encrypt, KeyId=key, Plaintext=b"x", EncryptionAlgorithm=algorithm) == (
            "InvalidKeyUsageException", f"Algorithm {algorithm} is incompatible with key spec RSA_2048.")
    assert refused(kms.encrypt, KeyId=key, Plaintext=b"x", EncryptionAlgorithm="NONE") == (
        "ValidationException", "1 validation error detected: Value 'NONE' at 'encryptionAlgorithm' failed to satisfy "
        "constraint: Member must satisfy enum value set: [RSAES_OAEP_SHA_1, RSAES_OAEP_SHA_256, SM2PKE, SYMMETRIC_DEFAULT]")


def test_no_encryption_context(kms, key, rsa):
    name, context = rsa()["KeyId"], {"a": "b"}
    blob = kms.encrypt(KeyId=name, Plaintext=b"x", EncryptionAlgorithm=SHA_256, EncryptionContext={})["CiphertextBlob"]
    symmetric = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    named = {"CiphertextBlob": blob, "SourceKeyId": name, "SourceEncryptionAlgorithm": SHA_256}
    assert refused(kms.encrypt, KeyId=name, Plaintext=b"x", EncryptionAlgorithm=SHA_256, EncryptionContext=context) == NO_CONTEXT
    assert refused(kms.decrypt, KeyId=name, CiphertextBlob=blob, EncryptionAlgorithm=SHA_256, EncryptionContext=context) == NO_CONTEXT
    assert refused(kms.re_encrypt, **named, SourceEncryptionContext=context, DestinationKeyId=key) == NO_CONTEXT
    assert refused(kms.re_encrypt, CiphertextBlob=symmetric, DestinationKeyId=name, DestinationEncryptionAlgorithm=SHA_256,
                   DestinationEncryptionContext=context) == NO_CONTEXT


def test_dry_runs(kms, rsa):
    key = rsa()["KeyId"]
    asked = {"KeyId": key, "EncryptionAlgorithm": SHA_256, "DryRun": True}
    blob = kms.encrypt(KeyId=key, Plaintext=b"x", EncryptionAlgorithm=SHA_256)["CiphertextBlob"]
    assert code(kms.encrypt, **asked, Plaintext=b"x") == "DryRunOperationException"
    assert code(kms.encrypt, **asked, Plaintext=b"x" * 191) == "ValidationException"
    assert code(kms.encrypt, **asked, Plaintext=b"x", EncryptionContext={"a": "b"}) == "ValidationException"
    assert code(kms.decrypt, **asked, CiphertextBlob=blob) == "DryRunOperationException"
    assert code(kms.decrypt, **asked, CiphertextBlob=blob[:-1]) == "InvalidCiphertextException"
    assert code(kms.decrypt, **asked, DryRunModifiers=["IGNORE_CIPHERTEXT"]) == "DryRunOperationException"
    re = {"SourceKeyId": key, "SourceEncryptionAlgorithm": SHA_256, "DestinationKeyId": key,
          "DestinationEncryptionAlgorithm": SHA_1, "DryRun": True}
    assert code(kms.re_encrypt, **re, CiphertextBlob=blob) == "DryRunOperationException"
    assert code(kms.re_encrypt, **re, DryRunModifiers=["IGNORE_CIPHERTEXT"]) == "DryRunOperationException"


def test_key_states(kms):
    key = make(kms, "RSA_2048", "ENCRYPT_DECRYPT")
    blob = kms.encrypt(KeyId=key["KeyId"], Plaintext=b"x", EncryptionAlgorithm=SHA_256)["CiphertextBlob"]
    kms.disable_key(KeyId=key["KeyId"])
    disabled = ("DisabledException", f"{key['Arn']} is disabled.")
    assert refused(kms.encrypt, KeyId=key["KeyId"], Plaintext=b"x", EncryptionAlgorithm=SHA_256) == disabled
    assert refused(kms.decrypt, KeyId=key["KeyId"], CiphertextBlob=blob, EncryptionAlgorithm=SHA_256) == disabled
    kms.enable_key(KeyId=key["KeyId"])
    assert kms.decrypt(KeyId=key["KeyId"], CiphertextBlob=blob, EncryptionAlgorithm=SHA_256)["Plaintext"] == b"x"


def test_ciphertexts_outlive_a_restart(make_house):
    house = make_house(ddbd=False)
    key = make(house.kms(), "RSA_2048", "ENCRYPT_DECRYPT")["KeyId"]
    blob = house.kms().encrypt(KeyId=key, Plaintext=b"x", EncryptionAlgorithm=SHA_256)["CiphertextBlob"]
    house.stop()
    house.start(ddbd=False)
    assert house.kms().decrypt(KeyId=key, CiphertextBlob=blob, EncryptionAlgorithm=SHA_256)["Plaintext"] == b"x"


# ---- ReEncrypt ----

def material(kms, key):
    return kms.describe_key(KeyId=key)["KeyMetadata"]["CurrentKeyMaterialId"]


def test_re_encrypt_from_symmetric_to_rsa(kms, key, rsa):
    destination = rsa()
    blob = kms.encrypt(KeyId=key, Plaintext=b"moved", EncryptionContext={"a": "b"})["CiphertextBlob"]
    moved = kms.re_encrypt(CiphertextBlob=blob, SourceEncryptionContext={"a": "b"}, DestinationKeyId=destination["KeyId"],
                           DestinationEncryptionAlgorithm=SHA_256)
    assert members(moved) == {"CiphertextBlob", "SourceKeyId", "KeyId", "SourceEncryptionAlgorithm",
                              "DestinationEncryptionAlgorithm", "SourceKeyMaterialId"}
    assert (moved["SourceEncryptionAlgorithm"], moved["DestinationEncryptionAlgorithm"]) == ("SYMMETRIC_DEFAULT", SHA_256)
    assert (moved["KeyId"], moved["SourceKeyMaterialId"]) == (destination["Arn"], material(kms, key))
    assert kms.decrypt(KeyId=destination["KeyId"], CiphertextBlob=moved["CiphertextBlob"],
                       EncryptionAlgorithm=SHA_256)["Plaintext"] == b"moved"


def test_re_encrypt_from_rsa_to_symmetric(kms, key, rsa):
    source = rsa()
    blob = public_key(kms, source["KeyId"]).encrypt(b"moved", oaep(SHA_1))
    moved = kms.re_encrypt(CiphertextBlob=blob, SourceKeyId=source["KeyId"], SourceEncryptionAlgorithm=SHA_1,
                           DestinationKeyId=key, DestinationEncryptionContext={"a": "b"})
    assert members(moved) == {"CiphertextBlob", "SourceKeyId", "KeyId", "SourceEncryptionAlgorithm",
                              "DestinationEncryptionAlgorithm", "DestinationKeyMaterialId"}
    assert (moved["SourceEncryptionAlgorithm"], moved["DestinationEncryptionAlgorithm"]) == (SHA_1, "SYMMETRIC_DEFAULT")
    assert (moved["SourceKeyId"], moved["DestinationKeyMaterialId"]) == (source["Arn"], material(kms, key))
    assert kms.decrypt(CiphertextBlob=moved["CiphertextBlob"], EncryptionContext={"a": "b"})["Plaintext"] == b"moved"


def test_re_encrypt_from_rsa_to_rsa(kms, rsa):
    source, destination = rsa(), rsa("RSA_3072")
    blob = public_key(kms, source["KeyId"]).encrypt(b"m" * 190, oaep(SHA_256))
    moved = kms.re_encrypt(CiphertextBlob=blob, SourceKeyId=source["KeyId"], SourceEncryptionAlgorithm=SHA_256,
                           DestinationKeyId=destination["KeyId"], DestinationEncryptionAlgorithm=SHA_1)
    assert members(moved) == {"CiphertextBlob", "SourceKeyId", "KeyId", "SourceEncryptionAlgorithm",
                              "DestinationEncryptionAlgorithm"}
    assert len(moved["CiphertextBlob"]) == 384
    assert kms.decrypt(KeyId=destination["KeyId"], CiphertextBlob=moved["CiphertextBlob"],
                       EncryptionAlgorithm=SHA_1)["Plaintext"] == b"m" * 190


def test_re_encrypt_of_what_is_too_long(kms, key, rsa):
    blob = kms.encrypt(KeyId=key, Plaintext=b"x" * 191)["CiphertextBlob"]
    asked = {"CiphertextBlob": blob, "DestinationKeyId": rsa()["KeyId"], "DestinationEncryptionAlgorithm": SHA_256}
    expected = ("ValidationException", f"Algorithm {SHA_256} and key spec RSA_2048 cannot encrypt data larger than 190 bytes.")
    assert refused(kms.re_encrypt, **asked) == expected
    assert refused(kms.re_encrypt, **asked, DryRun=True) == expected
    assert refused(kms.re_encrypt, CiphertextBlob=blob, DestinationKeyId=rsa()["KeyId"]) == (
        "InvalidKeyUsageException", "Algorithm SYMMETRIC_DEFAULT is incompatible with key spec RSA_2048.")


# ---- SM2 ----

def test_sm2_in_china(house, tmp_path):
    kms = house.kms(region="cn-north-1")
    key = make(kms, "SM2", "ENCRYPT_DECRYPT")["KeyId"]
    for plaintext in (b"x", b"p" * 1024):
        sealed = kms.encrypt(KeyId=key, Plaintext=plaintext, EncryptionAlgorithm="SM2PKE")
        assert sealed["EncryptionAlgorithm"] == "SM2PKE"
        opened = kms.decrypt(KeyId=key, CiphertextBlob=sealed["CiphertextBlob"], EncryptionAlgorithm="SM2PKE")
        assert opened["Plaintext"] == plaintext
    assert refused(kms.encrypt, KeyId=key, Plaintext=b"p" * 1025, EncryptionAlgorithm="SM2PKE") == (
        "ValidationException", "Algorithm SM2PKE and key spec SM2 cannot encrypt data larger than 1024 bytes.")
    assert refused(kms.decrypt, KeyId=key, CiphertextBlob=sealed["CiphertextBlob"][:-1], EncryptionAlgorithm="SM2PKE") == INVALID
    public, plain, sealed = tmp_path / "public.der", tmp_path / "plain", tmp_path / "sealed"
    public.write_bytes(kms.get_public_key(KeyId=key)["PublicKey"])
    for size, expected in ((100, b"m" * 100), (1500, None)):
        plain.write_bytes(b"m" * size)
        subprocess.run(["openssl", "pkeyutl", "-encrypt", "-pubin", "-keyform", "DER", "-inkey", public, "-in", plain,
                        "-out", sealed], check=True)
        asked = {"KeyId": key, "CiphertextBlob": sealed.read_bytes(), "EncryptionAlgorithm": "SM2PKE"}
        if expected:
            assert kms.decrypt(**asked)["Plaintext"] == expected
        else:
            assert refused(kms.decrypt, **asked) == INVALID
