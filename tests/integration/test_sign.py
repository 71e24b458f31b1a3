"""Sign and Verify: every algorithm against another implementation, every type of message, and what is refused."""
import concurrent.futures
import hashlib

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import utils

from asking import ARNS, PRINCIPALS, as_, code, members, opened, refused
from asymmetric import (ECDSA, RSA_SIGNING, RSA_SPECS, check_signature, digest, make, public_key)
from daemons import ACCOUNT, REGION

MESSAGE = b"a message to be signed"
ED25519 = "ECC_NIST_EDWARDS25519"
HASHED = [*((spec, algorithm) for spec in RSA_SPECS for algorithm in RSA_SIGNING), *ECDSA.items()]
SIGNING = [*HASHED, (ED25519, "ED25519_SHA_512")]
INVALID = ("KMSInvalidSignatureException", "")


@pytest.fixture(scope="module")
def signers(house):
    """spec -> KeyMetadata of a key that signs."""
    kms = house.kms()
    return {spec: make(kms, spec, "SIGN_VERIFY") for spec in [*RSA_SPECS, *ECDSA, ED25519]}


@pytest.fixture
def p256(signers):
    return signers["ECC_NIST_P256"]["Arn"]


def named(kinds):
    return {"argvalues": kinds, "ids": [f"{spec}-{algorithm}" for spec, algorithm in kinds]}


# ---- RAW ----

@pytest.mark.parametrize("spec,algorithm", **named(SIGNING))
@pytest.mark.parametrize("size", [1, 31, 4096])
def test_raw(kms, signers, spec, algorithm, size):
    key, message = signers[spec], bytes(range(256))[:size] * (1 if size < 256 else size // 256)
    answer = kms.sign(KeyId=key["KeyId"], Message=message, SigningAlgorithm=algorithm)
    assert members(answer) == {"KeyId", "Signature", "SigningAlgorithm"}
    assert (answer["KeyId"], answer["SigningAlgorithm"]) == (key["Arn"], algorithm)
    check_signature(algorithm, public_key(kms, key["KeyId"]), answer["Signature"], message)
    told = kms.verify(KeyId=key["Arn"], Message=message, MessageType="RAW", Signature=answer["Signature"],
                      SigningAlgorithm=algorithm)
    assert members(told) == {"KeyId", "SignatureValid", "SigningAlgorithm"}
    assert (told["KeyId"], told["SignatureValid"], told["SigningAlgorithm"]) == (key["Arn"], True, algorithm)


@pytest.mark.parametrize("spec,algorithm", **named(SIGNING))
def test_what_is_no_signature_of_it(kms, signers, spec, algorithm):
    key = signers[spec]["KeyId"]
    good = kms.sign(KeyId=key, Message=MESSAGE, SigningAlgorithm=algorithm)["Signature"]

    def told(signature, message=MESSAGE):
        return refused(kms.verify, KeyId=key, Message=message, Signature=signature, SigningAlgorithm=algorithm)
    assert told(good, MESSAGE + b".") == INVALID
    for at in (0, len(good) // 2, len(good) - 1):
        assert told(good[:at] + bytes([good[at] ^ 1]) + good[at + 1:]) == INVALID
    for bad in (good[:-1], good + b"\0", b"\0", bytes(len(good)), b"a" * 6144):
        assert told(bad) == INVALID


def test_another_keys_signature(kms, p256):
    other = make(kms, "ECC_NIST_P256", "SIGN_VERIFY")["KeyId"]
    signature = kms.sign(KeyId=other, Message=MESSAGE, SigningAlgorithm="ECDSA_SHA_256")["Signature"]
    assert refused(kms.verify, KeyId=p256, Message=MESSAGE, Signature=signature, SigningAlgorithm="ECDSA_SHA_256") == INVALID


def test_another_algorithms_signature(kms, signers):
    key = signers["RSA_2048"]["KeyId"]
    for made, asked in (("RSASSA_PSS_SHA_256", "RSASSA_PKCS1_V1_5_SHA_256"), ("RSASSA_PSS_SHA_256", "RSASSA_PSS_SHA_512"),
                        ("RSASSA_PKCS1_V1_5_SHA_384", "RSASSA_PKCS1_V1_5_SHA_256")):
        signature = kms.sign(KeyId=key, Message=MESSAGE, SigningAlgorithm=made)["Signature"]
        assert refused(kms.verify, KeyId=key, Message=MESSAGE, Signature=signature, SigningAlgorithm=asked) == INVALID


def test_which_signatures_are_always_the_same(kms, signers):
    def two(spec, algorithm):
        return {kms.sign(KeyId=signers[spec]["KeyId"], Message=MESSAGE, SigningAlgorithm=algorithm)["Signature"]
                for _ in range(2)}
    assert len(two("RSA_2048", "RSASSA_PKCS1_V1_5_SHA_256")) == len(two(ED25519, "ED25519_SHA_512")) == 1
    assert len(two("RSA_2048", "RSASSA_PSS_SHA_256")) == len(two("ECC_NIST_P256", "ECDSA_SHA_256")) == 2


# ---- DIGEST ----

@pytest.mark.parametrize("spec,algorithm", **named(HASHED))
def test_digest(kms, signers, spec, algorithm):
    """A message and its digest are the same message."""
    key, hashed = signers[spec]["KeyId"], digest(algorithm, MESSAGE)
    signature = kms.sign(KeyId=key, Message=hashed, MessageType="DIGEST", SigningAlgorithm=algorithm)["Signature"]
    check_signature(algorithm, public_key(kms, key), signature, MESSAGE)
    of_raw = kms.sign(KeyId=key, Message=MESSAGE, SigningAlgorithm=algorithm)["Signature"]
    for each in (signature, of_raw):
        for kind, message in (("RAW", MESSAGE), ("DIGEST", hashed)):
            assert kms.verify(KeyId=key, Message=message, MessageType=kind, Signature=each,
                              SigningAlgorithm=algorithm)["SignatureValid"]
        assert refused(kms.verify, KeyId=key, Message=hashed, Signature=each, SigningAlgorithm=algorithm) == INVALID


@pytest.mark.parametrize("spec,algorithm", **named([k for k in HASHED if k[0] not in ("RSA_3072", "RSA_4096")]))
def test_digests_of_another_length(kms, signers, spec, algorithm):
    wrong = ("ValidationException", f"Digest is invalid length for algorithm {algorithm}.")
    right = len(digest(algorithm, b""))
    for n in {1, 20, right - 1, right + 1, 28, 4096} - {right}:
        asked = {"KeyId": signers[spec]["KeyId"], "Message": b"d" * n, "MessageType": "DIGEST", "SigningAlgorithm": algorithm}
        assert refused(kms.sign, **asked) == wrong
        assert refused(kms.verify, Signature=b"s" * 64, **asked) == wrong


# ---- types of messages that an algorithm does not take ----

@pytest.mark.parametrize("spec,algorithm,kind,says", [
    (ED25519, "ED25519_SHA_512", "DIGEST", "algorithm ED25519_SHA_512"),
    (ED25519, "ED25519_PH_SHA_512", "RAW", "algorithm ED25519_PH_SHA_512"),
    (ED25519, "ED25519_SHA_512", "EXTERNAL_MU", f"key spec {ED25519}"),
    ("ECC_NIST_P256", "ECDSA_SHA_256", "EXTERNAL_MU", "key spec ECC_NIST_P256"),
    ("RSA_2048", "RSASSA_PSS_SHA_512", "EXTERNAL_MU", "key spec RSA_2048")])
def test_types_of_messages(kms, signers, spec, algorithm, kind, says):
    asked = {"KeyId": signers[spec]["KeyId"], "Message": b"m" * 64, "MessageType": kind, "SigningAlgorithm": algorithm}
    wrong = ("ValidationException", f"Message type {kind} is incompatible with {says}.")
    assert refused(kms.sign, **asked) == wrong
    assert refused(kms.verify, Signature=b"s" * 64, **asked) == wrong


def test_ed25519ph_wants_a_digest_of_sha_512(kms, signers):
    asked = {"KeyId": signers[ED25519]["KeyId"], "MessageType": "DIGEST", "SigningAlgorithm": "ED25519_PH_SHA_512"}
    wrong = ("ValidationException", "Digest is invalid length for algorithm ED25519_PH_SHA_512.")
    assert refused(kms.sign, Message=b"d" * 32, **asked) == wrong
    assert refused(kms.verify, Message=b"d" * 32, Signature=b"s" * 64, **asked) == wrong


# ---- algorithms that a key does not have ----

@pytest.mark.parametrize("spec,algorithm", [
    ("RSA_2048", "ECDSA_SHA_256"), ("RSA_2048", "SYMMETRIC_DEFAULT"), ("ECC_NIST_P256", "ECDSA_SHA_384"),
    ("ECC_NIST_P256", "RSASSA_PSS_SHA_256"), ("ECC_NIST_P256", "ED25519_PH_SHA_512"), ("ECC_NIST_P521", "ECDSA_SHA_256"),
    ("ECC_SECG_P256K1", "SM2DSA"), (ED25519, "ECDSA_SHA_512"), ("RSA_4096", "ML_DSA_SHAKE_256")])
def test_algorithms_of_other_keys(kms, signers, spec, algorithm):
    asked = {"KeyId": signers[spec]["KeyId"], "Message": b"m" * 20, "SigningAlgorithm": algorithm}
    wrong = ("InvalidKeyUsageException", f"Algorithm {algorithm} is incompatible with key spec {spec}.")
    assert refused(kms.sign, **asked) == refused(kms.sign, MessageType="DIGEST", **asked) == wrong
    assert refused(kms.verify, Signature=b"s" * 64, **asked) == wrong


def test_the_algorithm_is_validated_first(kms):
    (code_, message) = refused(kms.sign, KeyId="no-key", Message=MESSAGE, SigningAlgorithm="RSAES_OAEP_SHA_256")
    assert (code_, message) == (
        "ValidationException",
        "1 validation error detected: Value 'RSAES_OAEP_SHA_256' at 'signingAlgorithm' failed to satisfy constraint: Member "
        "must satisfy enum value set: [RSASSA_PSS_SHA_256, RSASSA_PSS_SHA_384, RSASSA_PSS_SHA_512, "
        "RSASSA_PKCS1_V1_5_SHA_256, RSASSA_PKCS1_V1_5_SHA_384, RSASSA_PKCS1_V1_5_SHA_512, ECDSA_SHA_256, ECDSA_SHA_384, "
        "ECDSA_SHA_512, ED25519_SHA_512, ED25519_PH_SHA_512, SM2DSA, ML_DSA_SHAKE_256]")


def test_sizes_and_lacking_members(house, kms, p256):
    def one(says, **asked):
        loose = house.kms(parameter_validation=False)
        for call in (loose.sign, loose.verify) if "Signature" not in asked else (loose.verify,):
            more = {"Signature": b"s"} if call == loose.verify else {}
            assert refused(call, **{"KeyId": p256, "Message": MESSAGE, "SigningAlgorithm": "ECDSA_SHA_256", **more, **asked}) == (
                "ValidationException", f"1 validation error detected: {says}")
    at = "failed to satisfy constraint: Member must"
    one(f"Value at 'message' {at} have length less than or equal to 4096", Message=b"m" * 4097)
    one(f"Value at 'message' {at} have length greater than or equal to 1", Message=b"")
    one(f"Value at 'signature' {at} have length less than or equal to 6144", Signature=b"s" * 6145)
    one(f"Value at 'signature' {at} have length greater than or equal to 1", Signature=b"")
    one(f"Value 'FOO' at 'messageType' {at} satisfy enum value set: [RAW, DIGEST, EXTERNAL_MU]", MessageType="FOO")
    loose = house.kms(parameter_validation=False)
    assert refused(loose.sign, KeyId=p256, SigningAlgorithm="ECDSA_SHA_256")[1].endswith(
        f"1 validation error detected: Value at 'message' {at} not be null")
    assert refused(loose.verify, KeyId=p256, Message=MESSAGE) == (
        "ValidationException", f"2 validation errors detected: Value null at 'signature' {at} not be null; "
        f"Value null at 'signingAlgorithm' {at} not be null")


# ---- keys, states, rights ----

@pytest.mark.parametrize("spec,usage", [("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"), ("HMAC_256", "GENERATE_VERIFY_MAC"),
                                        ("RSA_2048", "ENCRYPT_DECRYPT"), ("ECC_NIST_P256", "KEY_AGREEMENT")])
def test_keys_of_another_usage(kms, spec, usage):
    arn = make(kms, spec, usage)["Arn"]
    asked = {"KeyId": arn, "Message": MESSAGE, "SigningAlgorithm": "ECDSA_SHA_256"}
    for _ in range(2):
        for call, name, more in ((kms.sign, "Sign", {}), (kms.verify, "Verify", {"Signature": b"s"})):
            assert refused(call, **asked, **more) == (
                "InvalidKeyUsageException", f"{arn} key usage is {usage} which is not valid for {name}.")
        kms.disable_key(KeyId=arn)  # the usage is judged before the state


def test_the_state_is_judged_before_the_algorithm(kms):
    arn = make(kms, "ECC_NIST_P256", "SIGN_VERIFY")["Arn"]
    kms.disable_key(KeyId=arn)
    for algorithm in ("ECDSA_SHA_256", "RSASSA_PSS_SHA_256"):
        assert refused(kms.sign, KeyId=arn, Message=MESSAGE, SigningAlgorithm=algorithm) == (
            "DisabledException", f"{arn} is disabled.")


def test_dry_run(kms, p256):
    dry = ("DryRunOperationException", "The request would have succeeded, but the DryRun option is set.")
    asked = {"KeyId": p256, "Message": MESSAGE, "SigningAlgorithm": "ECDSA_SHA_256"}
    signature = kms.sign(**asked, DryRun=False)["Signature"]
    assert refused(kms.sign, **asked, DryRun=True) == refused(kms.verify, **asked, Signature=signature, DryRun=True) == dry
    # What would have failed fails.
    assert refused(kms.verify, **asked, Signature=b"s", DryRun=True) == INVALID
    assert code(kms.sign, **{**asked, "SigningAlgorithm": "ECDSA_SHA_384"}, DryRun=True) == "InvalidKeyUsageException"


def test_names_of_keys(house, kms, signers):
    key = signers["ECC_NIST_P384"]
    alias = f"alias/sign-{key['KeyId']}"
    kms.create_alias(AliasName=alias, TargetKeyId=key["KeyId"])
    for name in (key["KeyId"], key["Arn"], alias, f"arn:aws:kms:{REGION}:{ACCOUNT}:{alias}"):
        answer = kms.sign(KeyId=name, Message=MESSAGE, SigningAlgorithm="ECDSA_SHA_384")
        assert answer["KeyId"] == key["Arn"]
        assert kms.verify(KeyId=name, Message=MESSAGE, SigningAlgorithm="ECDSA_SHA_384",
                          Signature=answer["Signature"])["KeyId"] == key["Arn"]
    assert refused(kms.sign, KeyId="key_id", Message=MESSAGE, SigningAlgorithm="ECDSA_SHA_384") == (
        "NotFoundException", "Invalid keyId 'key_id'")


def test_grants(tmp_path):
    with opened(tmp_path / "house", principals=PRINCIPALS) as house:
        root, bob = as_(house, "root"), as_(house, "bob")
        key = make(root, "ECC_NIST_P256", "SIGN_VERIFY")["Arn"]
        asked = {"KeyId": key, "Message": MESSAGE, "SigningAlgorithm": "ECDSA_SHA_256"}
        assert code(bob.sign, **asked) == "AccessDeniedException"
        root.create_grant(KeyId=key, GranteePrincipal=ARNS["bob"], Operations=["Sign"])
        signature = bob.sign(**asked)["Signature"]
        assert code(bob.verify, **asked, Signature=signature) == code(bob.get_public_key, KeyId=key) == "AccessDeniedException"
        root.create_grant(KeyId=key, GranteePrincipal=ARNS["bob"], Operations=["Verify", "GetPublicKey"])
        assert bob.verify(**asked, Signature=signature)["SignatureValid"]
        check_signature("ECDSA_SHA_256", public_key(bob, key), signature, MESSAGE)


def test_signatures_outlive_a_restart(make_house):
    house = make_house(ddbd=False)
    made = {}
    for spec, algorithm in (("RSA_2048", "RSASSA_PSS_SHA_256"), ("ECC_SECG_P256K1", "ECDSA_SHA_256"), (ED25519, "ED25519_SHA_512")):
        key = make(house.kms(), spec, "SIGN_VERIFY")["KeyId"]
        made[key] = algorithm, house.kms().sign(KeyId=key, Message=MESSAGE, SigningAlgorithm=algorithm)["Signature"]
    house.stop()
    house.start(ddbd=False)
    for key, (algorithm, signature) in made.items():
        assert house.kms().verify(KeyId=key, Message=MESSAGE, SigningAlgorithm=algorithm, Signature=signature)["SignatureValid"]


@pytest.mark.concurrency
def test_the_first_use_by_many_at_once(make_house):
    """A key is loaded when it is first used, by whichever callers come first."""
    house = make_house(ddbd=False, kmsd=("--workers=4",))
    kinds = [("RSA_2048", "RSASSA_PSS_SHA_256"), ("ECC_NIST_P256", "ECDSA_SHA_256"), (ED25519, "ED25519_SHA_512")]
    keys = [make(house.kms(), spec, "SIGN_VERIFY")["KeyId"] for spec, _ in kinds]
    house.stop()
    house.start(ddbd=False)

    def use(i):
        kms, key, (_, algorithm) = house.kms(), keys[i % 3], kinds[i % 3]
        for _ in range(5):
            signature = kms.sign(KeyId=key, Message=MESSAGE, SigningAlgorithm=algorithm)["Signature"]
            assert kms.verify(KeyId=key, Message=MESSAGE, SigningAlgorithm=algorithm, Signature=signature)["SignatureValid"]
            kms.get_public_key(KeyId=key)
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        list(pool.map(use, range(12)))


# ---- SM2 ----

def test_sm2(house):
    kms = house.kms(region="cn-northwest-1")
    key = make(kms, "SM2", "SIGN_VERIFY")["KeyId"]
    asked = {"KeyId": key, "Message": MESSAGE, "SigningAlgorithm": "SM2DSA"}
    signature = kms.sign(**asked)["Signature"]
    assert signature[0] == 0x30
    assert kms.verify(**asked, Signature=signature)["SignatureValid"]
    assert refused(kms.verify, **{**asked, "Message": b"x"}, Signature=signature) == INVALID
    # The digest is over the signer's identity and the message (GB/T 32918.2), with the identity that AWS documents.
    public = kms.get_public_key(KeyId=key)["PublicKey"][-64:]
    curve = bytes.fromhex("FFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFC"
                          "28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93"
                          "32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7"
                          "BC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0")
    identity = b"1234567812345678"
    z = hashlib.new("sm3", (8 * len(identity)).to_bytes(2, "big") + identity + curve + public).digest()
    hashed = hashlib.new("sm3", z + MESSAGE).digest()
    as_digest = {**asked, "Message": hashed, "MessageType": "DIGEST"}
    assert kms.verify(**as_digest, Signature=signature)["SignatureValid"]
    assert kms.verify(**asked, Signature=kms.sign(**as_digest)["Signature"])["SignatureValid"]
    assert refused(kms.sign, **{**as_digest, "Message": b"d" * 31}) == (
        "ValidationException", "Digest is invalid length for algorithm SM2DSA.")


# ---- what only some libraries have ----

def test_ed25519ph(kms, signers):
    asked = {"KeyId": signers[ED25519]["KeyId"], "Message": hashlib.sha512(MESSAGE).digest(), "MessageType": "DIGEST",
             "SigningAlgorithm": "ED25519_PH_SHA_512"}
    try:
        signature = kms.sign(**asked)["Signature"]
    except kms.exceptions.ClientError as error:
        assert error.response["Error"]["Code"] == "UnsupportedOperationException"
        assert "ED25519_PH_SHA_512" in error.response["Error"]["Message"] and "OpenSSL" in error.response["Error"]["Message"]
        return
    assert len(signature) == 64 and kms.verify(**asked, Signature=signature)["SignatureValid"]
    with pytest.raises(InvalidSignature):  # it is another scheme than Ed25519's own
        public_key(kms, asked["KeyId"]).verify(signature, asked["Message"])


@pytest.mark.parametrize("spec,public_bytes,signature_bytes", [
    ("ML_DSA_44", 1334, 2420), ("ML_DSA_65", 1974, 3309), ("ML_DSA_87", 2614, 4627)])
def test_ml_dsa(kms, spec, public_bytes, signature_bytes):
    try:
        key = make(kms, spec, "SIGN_VERIFY")
    except kms.exceptions.ClientError as error:
        assert error.response["Error"]["Code"] == "UnsupportedOperationException"
        assert spec in error.response["Error"]["Message"] and "OpenSSL" in error.response["Error"]["Message"]
        return
    assert key["SigningAlgorithms"] == ["ML_DSA_SHAKE_256"]
    der = kms.get_public_key(KeyId=key["KeyId"])["PublicKey"]
    assert len(der) == public_bytes
    asked = {"KeyId": key["KeyId"], "SigningAlgorithm": "ML_DSA_SHAKE_256"}
    signature = kms.sign(Message=MESSAGE, **asked)["Signature"]
    assert len(signature) == signature_bytes
    public_key(kms, key["KeyId"]).verify(signature, MESSAGE)
    assert kms.verify(Message=MESSAGE, Signature=signature, **asked)["SignatureValid"]
    # mu of FIPS 204, 6.2, for an empty context: over the hash of the public key, 0, 0 and the message.
    raw_public = der[22:]
    mu = hashlib.shake_256(hashlib.shake_256(raw_public).digest(64) + b"\0\0" + MESSAGE).digest(64)
    by_mu = kms.sign(Message=mu, MessageType="EXTERNAL_MU", **asked)["Signature"]
    public_key(kms, key["KeyId"]).verify(by_mu, MESSAGE)
    assert kms.verify(Message=mu, MessageType="EXTERNAL_MU", Signature=signature, **asked)["SignatureValid"]
    assert refused(kms.sign, Message=b"m", MessageType="DIGEST", **asked) == (
        "ValidationException", f"Message type DIGEST is incompatible with key spec {spec}.")
    assert refused(kms.sign, Message=b"m" * 63, MessageType="EXTERNAL_MU", **asked) == (
        "ValidationException", "Digest is invalid length for algorithm ML_DSA_SHAKE_256.")
    assert refused(kms.verify, Message=b"m", Signature=signature, **asked) == INVALID
    assert refused(kms.verify, Message=MESSAGE, Signature=b"a" * 6144, **asked) == INVALID
