"""A small XKS proxy of the tests: the public API specification over HTTPS, with certificates of its own, which verifies
signatures itself, keeps what it was asked, and can be faulted."""
import base64
import contextlib
import datetime
import hashlib
import hmac
import http.server
import json
import os
import re
import ssl
import threading

from cryptography import x509
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.x509.oid import NameOID

NAME = "proxy.xks.example.com"
ENDPOINT = f"https://{NAME}"
PATH, SECOND_PATH = "/tests/kms/xks/v1", "/second/kms/xks/v1"
CREDENTIAL = {"AccessKeyId": "ABCDEFGHIJKLMNOPQRSTUVW234567", "RawSecretAccessKey": "s3cret/+" + "x" * 40}
STATUS = {"ValidationException": 400, "InvalidStateException": 400, "InvalidCiphertextException": 400,
          "InvalidKeyUsageException": 400, "AuthenticationFailedException": 401, "AccessDeniedException": 403,
          "KeyNotFoundException": 404, "InvalidUriPathException": 404, "ThrottlingException": 429,
          "UnsupportedOperationException": 501, "DependencyTimeoutException": 503, "InternalException": 500}


# ---- certificates ----

def _name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _certificate(subject, issuer, key, issuer_key, extensions, days=1):
    now = datetime.datetime.now(datetime.timezone.utc)
    start = min(now, now + datetime.timedelta(days=days)) - datetime.timedelta(days=1)
    builder = x509.CertificateBuilder(issuer, subject, key.public_key(), x509.random_serial_number(), start,
                                      now + datetime.timedelta(days=days))
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def _pem(certificate):
    return certificate.public_bytes(serialization.Encoding.PEM)


def root_certificate():
    """(PEM, certificate, key) of a new root."""
    key = ec.generate_private_key(ec.SECP256R1())
    root = _certificate(_name("Root of tests"), _name("Root of tests"), key, key,
                        [x509.BasicConstraints(ca=True, path_length=None)])
    return _pem(root), root, key


# ---- the proxy ----

class Proxy:
    """Listens from start() on. `faults` is what the next requests get, by API ("health", "metadata", "encrypt", "decrypt")
    or "any": a name of an error, or a function of the handler that answers instead."""

    def __init__(self, folder, name=NAME, days=1):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.credential = dict(CREDENTIAL)
        self.keys = {}
        self.asked = []
        self.faults = {}
        self.metadata = base64.b64encode(b"version 1").decode()
        self.status = ["ACTIVE", "UNAVAILABLE"]
        self.connections = 0
        self.go_on = threading.Event()  # what holds an answer back waits for it
        pem, root, root_key = root_certificate()
        self.ca = folder / "root.pem"
        self.ca.write_bytes(pem)
        key = ec.generate_private_key(ec.SECP256R1())
        leaf = _certificate(_name(name), root.subject, key, root_key,
                            [x509.SubjectAlternativeName([x509.DNSName(name)])], days)
        (folder / "leaf.pem").write_bytes(_pem(leaf) + key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        self.port = 0
        self.server = None

    def add_key(self, xks_key_id, **more):
        self.keys[xks_key_id] = {"key": AESGCM(os.urandom(32)), "keySpec": "AES_256",
                                 "keyUsage": ["ENCRYPT", "DECRYPT", "WRAP"], "keyStatus": "ENABLED", **more}
        return xks_key_id

    def start(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / "leaf.pem")
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), type("Bound", (Handler,), {"proxy": self}))
        self.server.daemon_threads = True
        # The handshake belongs to the connection's own thread.
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def stop(self):
        if self.server:
            self.go_on.set()
            self.server.shutdown()
            self.server.server_close()
            self.server = None

    def flags(self):
        """What kmsd must be started with to reach it."""
        return [f"--xks-ca={self.ca}", f"--xks-connect={NAME}=127.0.0.1:{self.port}", "--xks-timeout=10s"]

    def apis(self):
        return [asked["api"] for asked in self.asked]


@contextlib.contextmanager
def running(folder, **more):
    proxy = Proxy(folder, **more).start()
    try:
        yield proxy
    finally:
        proxy.stop()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    proxy = None

    def setup(self):
        self.proxy.connections += 1
        super().setup()

    def handle(self):
        try:
            super().handle()
        except (ssl.SSLError, OSError):
            pass  # a client that does not trust this certificate

    def log_message(self, *_):
        pass

    def reply(self, status, body, content_type="application/json"):
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def error(self, name, message="as told"):
        self.reply(STATUS[name], {"errorName": name, "errorMessage": message})

    def do_POST(self):
        self.body = self.rfile.read(int(self.headers["Content-Length"]))
        match = re.fullmatch(r"/(?:tests|second)/kms/xks/v1/(?:health|keys/([A-Za-z0-9._-]+)/(metadata|encrypt|decrypt))", self.path)
        self.api = match and (match.group(2) or "health")
        asked = json.loads(self.body)
        self.proxy.asked.append({"api": self.api, "path": self.path, "key": match and match.group(1), "body": asked})
        fault = self.proxy.faults.get(self.api, self.proxy.faults.get("any"))
        if callable(fault):
            fault(self)
        elif fault:
            self.error(fault)
        elif not self.signature_holds():
            self.error("AuthenticationFailedException")
        elif not match:
            self.error("InvalidUriPathException")
        elif self.api == "health":
            self.health()
        elif match.group(1) not in self.proxy.keys:
            self.error("KeyNotFoundException")
        else:
            getattr(self, self.api)(self.proxy.keys[match.group(1)], asked)

    def signature_holds(self):
        found = re.fullmatch(r"AWS4-HMAC-SHA256 Credential=([A-Z2-7]+)/(\d{8})/([a-z0-9-]+)/kms-xks-proxy/aws4_request, "
                             r"SignedHeaders=(host;x-amz-date), Signature=([0-9a-f]{64})", self.headers["Authorization"] or "")
        if not found or found.group(1) != self.proxy.credential["AccessKeyId"]:
            return False
        _, day, region, names, signature = found.groups()
        date = self.headers["X-Amz-Date"]
        age = datetime.datetime.now(datetime.timezone.utc) - datetime.datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(
            tzinfo=datetime.timezone.utc)
        if abs(age.total_seconds()) > 300 or date[:8] != day:
            return False
        headers = "".join(f"{name}:{self.headers[name].strip()}\n" for name in names.split(";"))
        canonical = "\n".join(["POST", self.path, "", headers, names, hashlib.sha256(self.body).hexdigest()])
        scope = f"{day}/{region}/kms-xks-proxy/aws4_request"
        to_sign = "\n".join(["AWS4-HMAC-SHA256", date, scope, hashlib.sha256(canonical.encode()).hexdigest()])
        key = b"AWS4" + self.proxy.credential["RawSecretAccessKey"].encode()
        for part in (day, region, "kms-xks-proxy", "aws4_request"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        return hmac.compare_digest(hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest(), signature)

    def health(self):
        fleet = [{"id": f"hsm-{i}", "model": "Test HSM", "healthStatus": s} for i, s in enumerate(self.proxy.status)]
        self.reply(200, {"xksProxyFleetSize": 1, "xksProxyVendor": "Tests", "xksProxyModel": "Test proxy 1.0",
                         "ekmVendor": "Tests", "ekmFleetDetails": fleet})

    def metadata(self, key, _):
        self.reply(200, {name: key[name] for name in ("keySpec", "keyUsage", "keyStatus")})

    @staticmethod
    def aad(asked, metadata):
        given = base64.b64decode(asked.get("additionalAuthenticatedData", ""))
        return len(given).to_bytes(2, "big") + given + bytes([len(metadata)]) + metadata

    def encrypt(self, key, asked):
        iv, metadata = os.urandom(12), base64.b64decode(self.proxy.metadata)
        sealed = key["key"].encrypt(iv, base64.b64decode(asked["plaintext"]), self.aad(asked, metadata))
        parts = {"ciphertext": sealed[:-16], "initializationVector": iv, "authenticationTag": sealed[-16:]}
        if metadata:
            parts["ciphertextMetadata"] = metadata
        if asked.get("ciphertextDataIntegrityValueAlgorithm") == "SHA_256":
            given = base64.b64decode(asked.get("additionalAuthenticatedData", ""))
            parts["ciphertextDataIntegrityValue"] = hashlib.sha256(given + metadata + iv + sealed).digest()
        self.reply(200, {name: base64.b64encode(value).decode() for name, value in parts.items()})

    def decrypt(self, key, asked):
        part = {name: base64.b64decode(asked.get(name, "")) for name in (
            "ciphertext", "ciphertextMetadata", "initializationVector", "authenticationTag")}
        try:
            plaintext = key["key"].decrypt(part["initializationVector"], part["ciphertext"] + part["authenticationTag"],
                                           self.aad(asked, part["ciphertextMetadata"]))
        except InvalidTag:
            self.error("InvalidCiphertextException")
            return
        self.reply(200, {"plaintext": base64.b64encode(plaintext).decode()})
