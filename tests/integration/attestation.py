"""Makes attestation documents as AWS's Nitro system does: a root, a chain of certificates below it, and signed documents of
enclaves and of NitroTPM. `python attestation.py FOLDER` writes those that the unit tests and the fuzzer start from."""
import dataclasses
import datetime
import hashlib
import pathlib
import subprocess
import sys

import cbor2
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

ES384 = cbor2.dumps({1: -35})
DAY = datetime.timedelta(days=1)
DROPPED = "(dropped)"  # as a member's value: the document lacks it


def pcr(text):
    """A measurement: 48 bytes that stand for a text."""
    return hashlib.sha384(text.encode()).digest()


PCRS = {0: pcr("image"), 1: pcr("kernel"), 2: pcr("application"), 3: pcr("role"), 4: pcr("instance"), 5: bytes(48), 8: pcr("signer")}
TPM_PCRS = {n: pcr(f"tpm {n}") for n in range(24)}


def usage(**on):
    names = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "key_cert_sign",
             "crl_sign", "encipher_only", "decipher_only")
    return x509.KeyUsage(**{name: on.get(name, False) for name in names})


@dataclasses.dataclass
class Authority:
    """A key and its certificate."""
    key: object
    certificate: x509.Certificate

    @property
    def der(self):
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def pem(self):
        return self.certificate.public_bytes(serialization.Encoding.PEM)


def name(text):
    attribute = x509.NameAttribute
    return x509.Name([attribute(x509.NameOID.COUNTRY_NAME, "US"), attribute(x509.NameOID.ORGANIZATION_NAME, "Example"),
                      attribute(x509.NameOID.COMMON_NAME, text)])


def certified(text, issuer, now, days=1, ca=True, curve=None, usages=None):
    """A new key with a certificate of the issuer (None: its own), valid from now on."""
    key = ec.generate_private_key(curve or ec.SECP384R1())
    usages = usages or (usage(key_cert_sign=True, crl_sign=True) if ca else usage(digital_signature=True))
    builder = x509.CertificateBuilder(name(text) if not issuer else issuer.certificate.subject, name(text), key.public_key(),
                                      x509.random_serial_number(), now, now + days * DAY)
    builder = builder.add_extension(x509.BasicConstraints(ca, None), True).add_extension(usages, True)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
    if issuer:
        builder = builder.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key()), False)
    return Authority(key, builder.sign(issuer.key if issuer else key, hashes.SHA384()))


def open_map(members):
    """A map of indefinite length, as AWS writes its documents (and wrote them of definite length before)."""
    return b"\xbf" + b"".join(cbor2.dumps(name) + cbor2.dumps(value) for name, value in members.items()) + b"\xff"


class Nitro:
    """AWS's side: who signs the documents of an instance, at a time (RFC 3339, UTC)."""

    def __init__(self, now):
        self.now = datetime.datetime.fromisoformat(now)
        self.root = certified("aws.nitro-enclaves", None, self.now - DAY, 10000)
        self.region = certified("us-east-1.aws.nitro-enclaves", self.root, self.now - DAY, 20)
        self.instance = certified("i-123456789abcde123.us-east-1.aws.nitro-enclaves", self.region, self.now - DAY, 2)
        self.signer = self.leaf()

    def leaf(self, **more):
        return certified("i-123456789abcde123-enc123456789abcde12.us-east-1.aws", self.instance, self.now,
                         **{"days": 1, "ca": False, **more})

    def members(self, recipient, tpm=False, **changed):
        """A document's members for a Recipient."""
        document = {
            "module_id": "i-123456789abcde123-tpm0000000000000000" if tpm else "i-123456789abcde123-enc123456789abcde12",
            "digest": "SHA384", "timestamp": int(self.now.timestamp() * 1000),
            "nitrotpm_pcrs" if tpm else "pcrs": TPM_PCRS if tpm else PCRS, "certificate": self.signer.der,
            "cabundle": [self.root.der, self.region.der, self.instance.der],
            "public_key": recipient and recipient.spki, "user_data": None, "nonce": None}
        return {name: value for name, value in (document | changed).items() if value is not DROPPED}

    def sign(self, payload, signer=None, protected=ES384, unprotected=None, tag=False):
        """The COSE_Sign1 around a payload (a document's members, or bytes)."""
        payload = payload if isinstance(payload, bytes) else open_map(payload)
        signed = cbor2.dumps(["Signature1", protected, b"", payload])
        key = (signer or self.signer).key
        r, s = decode_dss_signature(key.sign(signed, ec.ECDSA(hashes.SHA384())))
        parts = [protected, unprotected or {}, payload, r.to_bytes(48, "big") + s.to_bytes(48, "big")]
        return cbor2.dumps(cbor2.CBORTag(18, parts) if tag else parts)

    def document(self, recipient, tpm=False, **changed):
        return self.sign(self.members(recipient, tpm, **changed))


class Recipient:
    """The attested side: an RSA key in an enclave or instance. Opens answers with OpenSSL's command."""

    def __init__(self, folder, bits=2048):
        self.key = rsa.generate_private_key(65537, bits)
        self.spki = self.key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        self.path = pathlib.Path(folder) / f"recipient-{bits}-{id(self)}.pem"
        self.path.write_bytes(self.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                                     serialization.NoEncryption()))

    def open(self, answer):
        return subprocess.run(["openssl", "cms", "-decrypt", "-binary", "-inform", "DER", "-inkey", self.path], check=True,
                              input=answer["CiphertextForRecipient"], capture_output=True).stdout


def asked(document):
    """The parameter Recipient."""
    return {"KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256", "AttestationDocument": document}


def main(folder):
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    nitro, other = Nitro("2026-05-20T20:45:00Z"), Nitro("2026-05-20T20:45:00Z")
    recipient = Recipient(folder)
    recipient.path.unlink()
    (folder / "root.pem").write_bytes(nitro.root.pem)
    (folder / "other-root.pem").write_bytes(other.root.pem)
    (folder / "enclave.cbor").write_bytes(nitro.document(recipient, user_data=b"user", nonce=b"nonce"))
    (folder / "nitrotpm.cbor").write_bytes(nitro.sign(cbor2.dumps(nitro.members(recipient, tpm=True)), tag=True))


if __name__ == "__main__":
    main(*sys.argv[1:])
