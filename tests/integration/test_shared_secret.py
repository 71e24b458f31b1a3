"""DeriveSharedSecret: the secret that Python's `cryptography` derives on the other side, and public keys that do not fit."""
import subprocess

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa, x25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from asking import ARNS, PRINCIPALS, as_, code, members, refused
from asymmetric import CURVES, make, public_key

SIZES = {"ECC_NIST_P256": 32, "ECC_NIST_P384": 48, "ECC_NIST_P521": 66}
WRONG = ("ValidationException", "")
DRY_RUN = ("DryRunOperationException", "The request would have succeeded, but the DryRun option is set.")


def spki(private, point=PublicFormat.SubjectPublicKeyInfo):
    return private.public_key().public_bytes(Encoding.DER, point)


def asked(key, public, **more):
    return {"KeyId": key, "KeyAgreementAlgorithm": "ECDH", "PublicKey": public, **more}


@pytest.fixture
def agreer(kms):
    return make(kms, "ECC_NIST_P256", "KEY_AGREEMENT")


@pytest.mark.parametrize("spec", SIZES)
def test_both_sides_have_the_same_secret(kms, spec):
    key = make(kms, spec, "KEY_AGREEMENT")
    ours = public_key(kms, key["KeyId"])
    for _ in range(20):
        theirs = ec.generate_private_key(CURVES[spec]())
        answer = kms.derive_shared_secret(**asked(key["KeyId"], spki(theirs)))
        assert members(answer) == {"KeyId", "SharedSecret", "KeyAgreementAlgorithm", "KeyOrigin"}
        assert (answer["KeyId"], answer["KeyAgreementAlgorithm"], answer["KeyOrigin"]) == (key["Arn"], "ECDH", "AWS_KMS")
        assert len(answer["SharedSecret"]) == SIZES[spec], "leading zeros stay"
        assert answer["SharedSecret"] == theirs.exchange(ec.ECDH(), ours)


def test_two_keys_of_kms(kms, agreer):
    other = make(kms, "ECC_NIST_P256", "KEY_AGREEMENT")
    publics = [kms.get_public_key(KeyId=k["KeyId"])["PublicKey"] for k in (agreer, other)]
    a = kms.derive_shared_secret(**asked(agreer["KeyId"], publics[1]))["SharedSecret"]
    assert a == kms.derive_shared_secret(**asked(other["KeyId"], publics[0]))["SharedSecret"]
    pair = kms.generate_data_key_pair(KeyId=kms.create_key()["KeyMetadata"]["KeyId"], KeyPairSpec="ECC_NIST_P256")
    assert kms.derive_shared_secret(**asked(agreer["Arn"], pair["PublicKey"]))["SharedSecret"] != a


def test_outlives_a_restart(make_house):
    house = make_house(ddbd=False)
    key = make(house.kms(), "ECC_NIST_P521", "KEY_AGREEMENT")["KeyId"]
    request = asked(key, spki(ec.generate_private_key(ec.SECP521R1())))
    before = house.kms().derive_shared_secret(**request)["SharedSecret"]
    house.stop()
    house.start(ddbd=False)
    assert house.kms().derive_shared_secret(**request)["SharedSecret"] == before


# ---- refusals ----

def test_public_keys_that_do_not_fit(kms, agreer):
    good = spki(ec.generate_private_key(ec.SECP256R1()))
    prefix = good[:-65]
    off_the_curve = prefix + b"\x04" + b"\x00" * 63 + b"\x01"
    for public in [b"InvalidPublicKey", good[:-1], good + b"\0", good[:-1] + bytes([good[-1] ^ 1]), off_the_curve,
                   # the point at infinity
                   bytes.fromhex("3019301306072a8648ce3d020106082a8648ce3d03010703020000"),
                   *(spki(ec.generate_private_key(curve())) for curve in (ec.SECP384R1, ec.SECP521R1, ec.SECP256K1)),
                   spki(rsa.generate_private_key(65537, 2048)), spki(ed25519.Ed25519PrivateKey.generate()),
                   spki(x25519.X25519PrivateKey.generate()),
                   ec.generate_private_key(ec.SECP256R1()).public_key().public_bytes(
                       Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)]:
        assert refused(kms.derive_shared_secret, **asked(agreer["KeyId"], public)) == WRONG, public
        assert refused(kms.derive_shared_secret, **asked(agreer["KeyId"], public, DryRun=True)) == WRONG


def test_a_curve_that_is_spelt_out(kms, agreer, tmp_path):
    """Parameters that a peer chooses could be those of a weak curve."""
    for name, form in (("named", "named_curve"), ("explicit", "explicit")):
        subprocess.run(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256",
                        "-pkeyopt", f"ec_param_enc:{form}", "-out", tmp_path / name], check=True)
        public = subprocess.run(["openssl", "pkey", "-in", tmp_path / name, "-pubout", "-outform", "DER"],
                                check=True, capture_output=True).stdout
        if name == "named":
            kms.derive_shared_secret(**asked(agreer["KeyId"], public))
        else:
            assert len(public) > 200
            assert refused(kms.derive_shared_secret, **asked(agreer["KeyId"], public)) == WRONG


def test_keys_for_other_things(kms, key):
    public = spki(ec.generate_private_key(ec.SECP256R1()))
    for arn, usage in ((kms.describe_key(KeyId=key)["KeyMetadata"]["Arn"], "ENCRYPT_DECRYPT"),
                       (make(kms, "ECC_NIST_P256", "SIGN_VERIFY")["Arn"], "SIGN_VERIFY"),
                       (make(kms, "HMAC_256", "GENERATE_VERIFY_MAC")["Arn"], "GENERATE_VERIFY_MAC")):
        assert refused(kms.derive_shared_secret, **asked(arn, public)) == (
            "InvalidKeyUsageException", f"{arn} key usage is {usage} which is not valid for DeriveSharedSecret.")


def test_members(house, kms, agreer):
    public = spki(ec.generate_private_key(ec.SECP256R1()))
    free = house.kms(parameter_validation=False)

    def violation(sentence):
        return "ValidationException", f"1 validation error detected: {sentence}"
    assert refused(kms.derive_shared_secret, **asked(agreer["KeyId"], public, KeyAgreementAlgorithm="INVALID")) == violation(
        "Value 'INVALID' at 'keyAgreementAlgorithm' failed to satisfy constraint: Member must satisfy enum value set: [ECDH]")
    assert refused(free.derive_shared_secret, KeyId=agreer["KeyId"], PublicKey=public) == violation(
        "Value null at 'keyAgreementAlgorithm' failed to satisfy constraint: Member must not be null")
    assert refused(free.derive_shared_secret, KeyId=agreer["KeyId"], KeyAgreementAlgorithm="ECDH") == violation(
        "Value null at 'publicKey' failed to satisfy constraint: Member must not be null")
    for n, bound in ((0, "greater than or equal to 1"), (8193, "less than or equal to 8192")):
        code_, message = refused(free.derive_shared_secret, **asked(agreer["KeyId"], b"x" * n))
        assert code_ == "ValidationException" and message.endswith(f"Member must have length {bound}")


def test_dry_run(kms, agreer):
    public = spki(ec.generate_private_key(ec.SECP256R1()))
    assert refused(kms.derive_shared_secret, **asked(agreer["KeyId"], public, DryRun=True)) == DRY_RUN


def test_a_recipient(kms, agreer):
    public = spki(ec.generate_private_key(ec.SECP256R1()))
    assert code(kms.derive_shared_secret, **asked(agreer["KeyId"], public), Recipient={
        "KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256", "AttestationDocument": b"x"}) == "UnsupportedOperationException"


def test_a_grant(make_house):
    house = make_house(ddbd=False, principals=PRINCIPALS)
    root, bob = as_(house, "root"), as_(house, "bob")
    request = asked(make(root, "ECC_NIST_P384", "KEY_AGREEMENT")["KeyId"], spki(ec.generate_private_key(ec.SECP384R1())))
    assert code(bob.derive_shared_secret, **request) == "AccessDeniedException"
    token = root.create_grant(KeyId=request["KeyId"], GranteePrincipal=ARNS["bob"], Operations=["DeriveSharedSecret"])["GrantToken"]
    assert bob.derive_shared_secret(**request, GrantTokens=[token])["SharedSecret"] == root.derive_shared_secret(**request)["SharedSecret"]
    assert code(bob.get_public_key, KeyId=request["KeyId"]) == "AccessDeniedException"


# ---- SM2 ----

P = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
A = P - 3


def multiply(scalar, point):
    """Point multiplication on the curve sm2p256v1, as a textbook has it."""
    def add(p, q):
        if p is None or q is None:
            return p or q
        if p[0] == q[0] and (p[1] + q[1]) % P == 0:
            return None
        slope = ((3 * p[0] ** 2 + A) * pow(2 * p[1], -1, P) if p == q else (q[1] - p[1]) * pow(q[0] - p[0], -1, P)) % P
        x = (slope ** 2 - p[0] - q[0]) % P
        return x, (slope * (p[0] - x) - p[1]) % P
    result = None
    for bit in bin(scalar)[2:]:
        result = add(result, result)
        if bit == "1":
            result = add(result, point)
    return result


def test_sm2_in_china(house, kms, agreer):
    china = house.kms(region="cn-north-1")
    key = make(china, "SM2", "KEY_AGREEMENT")["KeyId"]
    ours = china.get_public_key(KeyId=key)["PublicKey"]
    x, y = int.from_bytes(ours[-64:-32], "big"), int.from_bytes(ours[-32:], "big")
    pair = china.generate_data_key_pair(KeyId=china.create_key()["KeyMetadata"]["KeyId"], KeyPairSpec="SM2")
    scalar = int.from_bytes(pair["PrivateKeyPlaintext"].split(b"\x02\x01\x01\x04\x20", 1)[1][:32], "big")
    secret = china.derive_shared_secret(**asked(key, pair["PublicKey"]))["SharedSecret"]
    assert secret == multiply(scalar, (x, y))[0].to_bytes(32, "big")
    assert refused(china.derive_shared_secret, **asked(key, spki(ec.generate_private_key(ec.SECP256R1())))) == WRONG
    assert refused(kms.derive_shared_secret, **asked(agreer["KeyId"], ours)) == WRONG
