"""Reads what ddbd keeps on the disk, as somebody with the disk and with the right to the KMS key could: the catalogue's
records, a table's key (by a Decrypt of its own), and the data encryption key under it."""
import base64
import ctypes
import ctypes.util
import json
import pathlib
import shutil
import sqlite3
import tempfile


_crypto = ctypes.CDLL(ctypes.util.find_library("crypto"))
for _name in ("EVP_CIPHER_CTX_new", "EVP_aes_256_gcm"):
    getattr(_crypto, _name).restype = ctypes.c_void_p
TAG = 16


def open_gcm(key, nonce, sealed, aad):
    """AES-256-GCM by OpenSSL; None when the tag is wrong."""
    ctx = ctypes.c_void_p(_crypto.EVP_CIPHER_CTX_new())
    n, out = ctypes.c_int(), ctypes.create_string_buffer(len(sealed))
    text, tag = sealed[:-TAG], sealed[-TAG:]
    try:
        _crypto.EVP_DecryptInit_ex(ctx, ctypes.c_void_p(_crypto.EVP_aes_256_gcm()), None, key, nonce)
        _crypto.EVP_DecryptUpdate(ctx, None, ctypes.byref(n), aad, len(aad))
        _crypto.EVP_DecryptUpdate(ctx, out, ctypes.byref(n), text, len(text))
        _crypto.EVP_CIPHER_CTX_ctrl(ctx, 0x11, TAG, tag)
        return out.raw[:len(text)] if _crypto.EVP_DecryptFinal_ex(ctx, out, ctypes.byref(n)) == 1 else None
    finally:
        _crypto.EVP_CIPHER_CTX_free(ctx)


def state_dir(house):
    return house.folder / "ddbd" / "state"


def records(house):
    """{table name: record}, of every account and Region; also while ddbd runs."""
    with tempfile.TemporaryDirectory() as folder:
        for path in state_dir(house).glob("state.db*"):
            shutil.copy(path, folder)
        database = sqlite3.connect(pathlib.Path(folder) / "state.db")
        try:
            rows = database.execute('SELECT value FROM "tables"').fetchall()
        finally:
            database.close()
    return {record["name"]: record for record in (json.loads(value) for value, in rows)}


def table_files(house, name):
    return sorted((state_dir(house) / "tables").glob(records(house)[name]["id"] + "*"))


def _unwrap(under, record, what, wrapped):
    aad = f"ddbd|{what}|{record['id']}|{record['key']['version']}".encode()
    return open_gcm(under, wrapped[:12], wrapped[12:], aad)


def owned_key(house):
    return bytes.fromhex((state_dir(house) / "owned-key").read_text().strip())


def kms_as_dynamodb(house, account):
    """A client that calls kmsd as ddbd itself does, with the service's credential."""
    key = json.loads((house.folder / "service-credentials").read_text())
    kms = house.kms(key=key["accessKeyId"], secret=key["secretAccessKey"])
    kms.meta.events.register("before-sign.kms", lambda request, **_: request.headers.add_header("x-amz-source-account", account))
    return kms


def plain_keys(house, name):
    """(table key, data encryption key) of a table. Leaves a Decrypt by the service in the trail."""
    record = records(house)[name]
    wrapped = base64.b64decode(record["key"]["wrapped"])
    if record["key"]["kind"] == "owned":
        table_key = _unwrap(owned_key(house), record, "table key", wrapped)
    else:
        table_key = kms_as_dynamodb(house, record["account"]).decrypt(CiphertextBlob=wrapped, EncryptionContext={
            "aws:dynamodb:tableName": name, "aws:dynamodb:subscriberId": record["account"]})["Plaintext"]
    dek = _unwrap(table_key, record, "data encryption key", base64.b64decode(record["key"]["wrappedDek"]))
    assert table_key and dek and len(table_key) == len(dek) == 32
    return table_key, dek


def forms_of(secret):
    """The ways in which bytes are usually written down: raw, hex, base64 wherever they begin in a longer text."""
    base64s = [base64.b64encode(b"x" * shift + secret)[4 if shift else 0:-4] for shift in range(3)]
    return [secret, secret[::-1], secret.hex().encode(), secret.hex().upper().encode(), *base64s,
            *(b.translate(bytes.maketrans(b"+/", b"-_")) for b in base64s)]


def _resident(pid):
    """Ranges of readable memory that is there; a sanitizer's shadow (terabytes, nearly all of it empty) is left out."""
    ranges, now = [], None
    with open(f"/proc/{pid}/smaps") as lines:
        for line in lines:
            words = line.split()
            if "-" in words[0] and not words[0].endswith(":"):
                now = [int(x, 16) for x in words[0].split("-")] if "r" in words[1] and "[v" not in line else None
            elif words[0] == "Rss:" and now and int(words[1]) and now[1] - now[0] < 1 << 32:
                ranges.append(now)
    return ranges


def memory_has(pid, secrets, chunk=1 << 24, overlap=64):
    """Which of the byte strings the process's memory holds."""
    found = set()
    with open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for start, end in _resident(pid):
            for at in range(start, end, chunk):
                try:
                    memory.seek(at)
                    content = memory.read(min(chunk + overlap, end - at))
                except OSError:
                    continue
                found |= {s for s in secrets if s in content}
    return found
