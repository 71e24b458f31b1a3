"""GenerateDataKeyPair and GenerateDataKeyPairWithoutPlaintext: pairs of every spec, used by Python's `cryptography` as the
real keys that they are, and whose sealed halves Decrypt opens."""
import subprocess

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.serialization import load_der_private_key, load_der_public_key

from asking import ARNS, PRINCIPALS, as_, code, members, refused
from asymmetric import CURVES, RSA_SPECS, is_of, make

SPECS = [*RSA_SPECS, *CURVES, "ECC_NIST_EDWARDS25519"]
DRY_RUN = ("DryRunOperationException", "The request would have succeeded, but the DryRun option is set.")
DER_AT = 58  # of the envelope in a ciphertext blob


def methods(kms):
    return kms.generate_data_key_pair, kms.generate_data_key_pair_without_plaintext


def opened(kms, blob, **more):
    return kms.decrypt(CiphertextBlob=blob, **more)["Plaintext"]


def prove(spec, private, public):
    """That the two halves belong together: what one signs the other verifies."""
    message = b"message"
    if spec in RSA_SPECS:
        pss = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=32)
        public.verify(private.sign(message, pss, hashes.SHA256()), message, pss, hashes.SHA256())
    elif spec in CURVES:
        public.verify(private.sign(message, ec.ECDSA(hashes.SHA256())), message, ec.ECDSA(hashes.SHA256()))
    else:
        public.verify(private.sign(message), message)


@pytest.mark.parametrize("spec", SPECS)
def test_a_pair(kms, key, spec):
    pair = kms.generate_data_key_pair(KeyId=key, KeyPairSpec=spec, EncryptionContext={"a": "b"})
    metadata = kms.describe_key(KeyId=key)["KeyMetadata"]
    assert members(pair) == {"PrivateKeyCiphertextBlob", "PrivateKeyPlaintext", "PublicKey", "KeyId", "KeyPairSpec", "KeyMaterialId"}
    assert (pair["KeyId"], pair["KeyPairSpec"], pair["KeyMaterialId"]) == (
        metadata["Arn"], spec, metadata["CurrentKeyMaterialId"])
    assert pair["PrivateKeyPlaintext"].startswith(b"\x30") and b"PRIVATE KEY" not in pair["PrivateKeyPlaintext"]
    private, public = load_der_private_key(pair["PrivateKeyPlaintext"], None), load_der_public_key(pair["PublicKey"])
    assert is_of(spec, public)
    prove(spec, private, public)
    answer = kms.decrypt(CiphertextBlob=pair["PrivateKeyCiphertextBlob"], EncryptionContext={"a": "b"})
    assert answer["Plaintext"] == pair["PrivateKeyPlaintext"]
    assert (answer["KeyId"], answer["KeyMaterialId"]) == (metadata["Arn"], metadata["CurrentKeyMaterialId"])
    assert code(kms.decrypt, CiphertextBlob=pair["PrivateKeyCiphertextBlob"]) == "InvalidCiphertextException"


@pytest.mark.parametrize("spec", ["RSA_2048", "ECC_NIST_P521", "ECC_NIST_EDWARDS25519"])
def test_without_plaintext(kms, key, spec):
    pair = kms.generate_data_key_pair_without_plaintext(KeyId=key, KeyPairSpec=spec)
    assert members(pair) == {"PrivateKeyCiphertextBlob", "PublicKey", "KeyId", "KeyPairSpec", "KeyMaterialId"}
    assert pair["KeyPairSpec"] == spec
    private = load_der_private_key(opened(kms, pair["PrivateKeyCiphertextBlob"], KeyId=key), None)
    prove(spec, private, load_der_public_key(pair["PublicKey"]))


@pytest.mark.parametrize("spec", ["RSA_4096", "ECC_NIST_P256", "ECC_NIST_EDWARDS25519"])
def test_the_layout_of_the_sealed_half(kms, key, spec, tmp_path):
    pair = kms.generate_data_key_pair(KeyId=key, KeyPairSpec=spec)
    blob, size = pair["PrivateKeyCiphertextBlob"], len(pair["PrivateKeyPlaintext"])
    assert blob[:2] == b"\x01\x02" and blob[3:5] == b"\x00\x78" and blob[37] == 1
    assert blob[:38] == kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"][:38]
    assert int.from_bytes(blob[54:DER_AT], "big") == len(blob) - DER_AT
    assert len(blob) <= 6144
    if spec == "RSA_4096":
        assert blob[DER_AT:DER_AT + 2] == b"\x30\x82", "lengths in two bytes"
    path = tmp_path / "blob"
    path.write_bytes(blob)
    shown = subprocess.run(["openssl", "asn1parse", "-inform", "DER", "-offset", str(DER_AT), "-in", path],
                           capture_output=True, text=True, check=True).stdout
    content = [line for line in shown.splitlines() if "cont [ 0 ]" in line][-1]
    assert f"l={size + 27:4}" in content


def test_pairs_are_new_each_time(kms, key):
    pairs = [kms.generate_data_key_pair(KeyId=key, KeyPairSpec="ECC_NIST_P256") for _ in range(3)]
    for member in ("PublicKey", "PrivateKeyPlaintext", "PrivateKeyCiphertextBlob"):
        assert len({pair[member] for pair in pairs}) == 3


def test_outlives_a_restart_and_a_rotation(make_house):
    house = make_house(ddbd=False)
    kms = house.kms()
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    pair = kms.generate_data_key_pair(KeyId=key, KeyPairSpec="RSA_2048")
    kms.rotate_key_on_demand(KeyId=key)
    house.stop()
    house.start(ddbd=False)
    assert opened(house.kms(), pair["PrivateKeyCiphertextBlob"]) == pair["PrivateKeyPlaintext"]


def test_re_encrypt_of_a_sealed_half(kms, key):
    pair = kms.generate_data_key_pair(KeyId=key, KeyPairSpec="RSA_3072")
    other = kms.create_key()["KeyMetadata"]["KeyId"]
    moved = kms.re_encrypt(CiphertextBlob=pair["PrivateKeyCiphertextBlob"], DestinationKeyId=other)["CiphertextBlob"]
    assert opened(kms, moved, KeyId=other) == pair["PrivateKeyPlaintext"]


# ---- refusals ----

def test_only_on_symmetric_keys(kms):
    rsa = make(kms, "RSA_2048", "ENCRYPT_DECRYPT")["Arn"]
    signer = make(kms, "ECC_NIST_P256", "SIGN_VERIFY")["Arn"]
    for generate, name in zip(methods(kms), ("GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext"), strict=True):
        assert refused(generate, KeyId=rsa, KeyPairSpec="RSA_2048") == (
            "InvalidKeyUsageException", "You cannot generate a data key with an asymmetric CMK")
        assert refused(generate, KeyId=signer, KeyPairSpec="RSA_2048") == (
            "InvalidKeyUsageException", f"{signer} key usage is SIGN_VERIFY which is not valid for {name}.")


def test_specs(house, kms, key):
    free = house.kms(parameter_validation=False)
    for generate in methods(kms):
        assert refused(generate, KeyId=key, KeyPairSpec="RSA_1024") == (
            "ValidationException", "1 validation error detected: Value 'RSA_1024' at 'keyPairSpec' failed to satisfy "
            "constraint: Member must satisfy enum value set: [RSA_2048, ECC_NIST_P384, ECC_NIST_P256, ECC_NIST_P521, "
            "RSA_3072, ECC_SECG_P256K1, RSA_4096, SM2]")
        for spec in ("SYMMETRIC_DEFAULT", "HMAC_256", "ML_DSA_44"):
            assert code(generate, KeyId=key, KeyPairSpec=spec) == "ValidationException"
        assert refused(generate, KeyId=key, KeyPairSpec="SM2") == (
            "UnsupportedOperationException", "KeyPairSpec SM2 is not supported in this Region")
    for generate in methods(free):
        assert refused(generate, KeyId=key) == (
            "ValidationException", "1 validation error detected: Value null at 'keyPairSpec' failed to satisfy "
            "constraint: Member must not be null")


def test_dry_runs(kms, key):
    for generate in methods(kms):
        assert refused(generate, KeyId=key, KeyPairSpec="RSA_4096", DryRun=True) == DRY_RUN
        assert code(generate, KeyId=key, KeyPairSpec="RSA_1", DryRun=True) == "ValidationException"


def test_a_recipient(kms, key):
    assert code(kms.generate_data_key_pair, KeyId=key, KeyPairSpec="ECC_NIST_P256", Recipient={
        "KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256", "AttestationDocument": b"x"}) == "UnsupportedOperationException"


def test_grants_of_each_its_own(make_house):
    house = make_house(ddbd=False, principals=PRINCIPALS)
    root, bob = as_(house, "root"), as_(house, "bob")
    for mine, other in ((0, 1), (1, 0)):
        names = ("GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext")
        asked = {"KeyId": root.create_key()["KeyMetadata"]["KeyId"], "KeyPairSpec": "ECC_NIST_P256"}
        assert code(methods(bob)[mine], **asked) == "AccessDeniedException"
        root.create_grant(KeyId=asked["KeyId"], GranteePrincipal=ARNS["bob"], Operations=[names[mine]],
                          Constraints={"EncryptionContextSubset": {"a": "b"}})
        assert methods(bob)[mine](**asked, EncryptionContext={"a": "b"})["KeyPairSpec"] == "ECC_NIST_P256"
        code_, message = refused(methods(bob)[mine], **asked)
        assert code_ == "AccessDeniedException" and f"kms:{names[mine]} on resource" in message
        assert code(methods(bob)[other], **asked, EncryptionContext={"a": "b"}) == "AccessDeniedException"


def test_sm2_in_china(house, tmp_path):
    kms = house.kms(region="cn-north-1")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    pair = kms.generate_data_key_pair(KeyId=key, KeyPairSpec="SM2")
    assert opened(kms, pair["PrivateKeyCiphertextBlob"]) == pair["PrivateKeyPlaintext"]
    for name, member in (("private", "PrivateKeyPlaintext"), ("public", "PublicKey")):
        (tmp_path / name).write_bytes(pair[member])
    (tmp_path / "message").write_bytes(b"message")
    signed = ["-rawin", "-digest", "sm3", "-in", tmp_path / "message"]
    subprocess.run(["openssl", "pkeyutl", "-sign", "-keyform", "DER", "-inkey", tmp_path / "private", *signed,
                    "-out", tmp_path / "signature"], check=True)
    subprocess.run(["openssl", "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", tmp_path / "public", *signed,
                    "-sigfile", tmp_path / "signature"], check=True, capture_output=True)
