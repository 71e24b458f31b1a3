"""Key specs for the tests: what CreateKey takes and what a key of each has, and the key pairs' public halves as Python's
`cryptography` reads them."""
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key

OAEP = ["RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"]
RSA_SIGNING = ["RSASSA_PKCS1_V1_5_SHA_256", "RSASSA_PKCS1_V1_5_SHA_384", "RSASSA_PKCS1_V1_5_SHA_512",
               "RSASSA_PSS_SHA_256", "RSASSA_PSS_SHA_384", "RSASSA_PSS_SHA_512"]
RSA_SPECS = {"RSA_2048": 2048, "RSA_3072": 3072, "RSA_4096": 4096}
CURVES = {"ECC_NIST_P256": ec.SECP256R1, "ECC_NIST_P384": ec.SECP384R1, "ECC_NIST_P521": ec.SECP521R1,
          "ECC_SECG_P256K1": ec.SECP256K1}
ECDSA = {"ECC_NIST_P256": "ECDSA_SHA_256", "ECC_NIST_P384": "ECDSA_SHA_384", "ECC_NIST_P521": "ECDSA_SHA_512",
         "ECC_SECG_P256K1": "ECDSA_SHA_256"}
HMAC_BITS = [224, 256, 384, 512]
# (spec, usage): the member of KeyMetadata that lists its algorithms, and the list.
KINDS = {
    **{(spec, "ENCRYPT_DECRYPT"): ("EncryptionAlgorithms", OAEP) for spec in RSA_SPECS},
    **{(spec, "SIGN_VERIFY"): ("SigningAlgorithms", RSA_SIGNING) for spec in RSA_SPECS},
    **{(spec, "SIGN_VERIFY"): ("SigningAlgorithms", [algorithm]) for spec, algorithm in ECDSA.items()},
    **{(spec, "KEY_AGREEMENT"): ("KeyAgreementAlgorithms", ["ECDH"]) for spec in CURVES if spec != "ECC_SECG_P256K1"},
    ("ECC_NIST_EDWARDS25519", "SIGN_VERIFY"): ("SigningAlgorithms", ["ED25519_SHA_512", "ED25519_PH_SHA_512"]),
    **{(f"HMAC_{n}", "GENERATE_VERIFY_MAC"): ("MacAlgorithms", [f"HMAC_SHA_{n}"]) for n in HMAC_BITS},
}


def make(kms, spec, usage, **more):
    """KeyMetadata of a new key."""
    return kms.create_key(KeySpec=spec, KeyUsage=usage, **more)["KeyMetadata"]


def public_key(kms, key):
    return load_der_public_key(kms.get_public_key(KeyId=key)["PublicKey"])


def is_of(spec, public):
    """Whether it is a key of this spec."""
    if spec in RSA_SPECS:
        return isinstance(public, rsa.RSAPublicKey) and public.key_size == RSA_SPECS[spec]
    if spec in CURVES:
        return isinstance(public, ec.EllipticCurvePublicKey) and isinstance(public.curve, CURVES[spec])
    return isinstance(public, ed25519.Ed25519PublicKey)


# ---- signatures, checked by `cryptography` ----

HASHES = {"256": hashes.SHA256, "384": hashes.SHA384, "512": hashes.SHA512}


def hash_of(algorithm):
    return HASHES[algorithm[-3:]]()


def digest(algorithm, message):
    h = hashes.Hash(hash_of(algorithm))
    h.update(message)
    return h.finalize()


def rsa_padding(algorithm):
    chosen = hash_of(algorithm)
    if algorithm.startswith("RSASSA_PSS"):
        return padding.PSS(mgf=padding.MGF1(chosen), salt_length=chosen.digest_size)  # exactly this length
    return padding.PKCS1v15()


def check_signature(algorithm, public, signature, message):
    """Raises unless it is the message's signature."""
    if algorithm.startswith("RSASSA"):
        public.verify(signature, message, rsa_padding(algorithm), hash_of(algorithm))
    elif algorithm.startswith("ECDSA"):
        public.verify(signature, message, ec.ECDSA(hash_of(algorithm)))
    else:
        public.verify(signature, message)


def make_signature(algorithm, private, message):
    if algorithm.startswith("RSASSA"):
        return private.sign(message, rsa_padding(algorithm), hash_of(algorithm))
    if algorithm.startswith("ECDSA"):
        return private.sign(message, ec.ECDSA(hash_of(algorithm)))
    return private.sign(message)
