"""Importing key material for the tests: material of every key spec, and its wrapping by Python's `cryptography`."""
import os

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.keywrap import aes_key_wrap_with_padding
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_der_public_key

from asymmetric import CURVES, RSA_SPECS

FOREVER = {"ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE"}
HASHES = {"SHA_1": hashes.SHA1, "SHA_256": hashes.SHA256}
SYMMETRIC = ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT")


def private_key(spec):
    if spec in RSA_SPECS:
        return rsa.generate_private_key(65537, RSA_SPECS[spec])
    return ec.generate_private_key(CURVES[spec]()) if spec in CURVES else ed25519.Ed25519PrivateKey.generate()


def pkcs8(key):
    return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def material(spec):
    """Fresh material for a key of this spec."""
    if spec == "SYMMETRIC_DEFAULT":
        return os.urandom(32)
    return os.urandom(int(spec[5:]) // 8) if spec.startswith("HMAC_") else pkcs8(private_key(spec))


def wrap(parameters, algorithm, secret, aes=None):
    """EncryptedKeyMaterial for what GetParametersForImport answered."""
    public = load_der_public_key(parameters["PublicKey"])
    digest = HASHES[algorithm[algorithm.index("SHA_"):]]
    oaep = padding.OAEP(padding.MGF1(digest()), digest(), None)
    if algorithm.startswith("RSAES"):
        return public.encrypt(secret, oaep)
    aes = aes or os.urandom(32)
    return public.encrypt(aes, oaep) + aes_key_wrap_with_padding(aes, secret)


def external(kms, spec="SYMMETRIC_DEFAULT", usage="ENCRYPT_DECRYPT", **more):
    """The id of a new key that waits for its material."""
    return kms.create_key(Origin="EXTERNAL", KeySpec=spec, KeyUsage=usage, **more)["KeyMetadata"]["KeyId"]


def parameters_for(kms, key, algorithm="RSAES_OAEP_SHA_256", spec="RSA_2048"):
    return kms.get_parameters_for_import(KeyId=key, WrappingAlgorithm=algorithm, WrappingKeySpec=spec)


def import_into(kms, key, secret, algorithm="RSAES_OAEP_SHA_256", spec="RSA_2048", parameters=None, **terms):
    """The answer of ImportKeyMaterial; material that does not expire unless terms say so."""
    parameters = parameters or parameters_for(kms, key, algorithm, spec)
    return kms.import_key_material(KeyId=key, ImportToken=parameters["ImportToken"],
                                   EncryptedKeyMaterial=wrap(parameters, algorithm, secret),
                                   **(terms if "ExpirationModel" in terms or "ValidTo" in terms else {**terms, **FOREVER}))


def imported(kms, secret=None, **terms):
    """The id of a new symmetric key with imported material."""
    key = external(kms)
    import_into(kms, key, secret or os.urandom(32), **terms)
    return key
