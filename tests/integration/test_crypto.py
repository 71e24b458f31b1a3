"""Ciphertexts: their layout as AWS's, that nothing about them can be changed, encryption contexts, sizes, restarts."""
import base64
import re
import subprocess

import pytest

from asking import code, method, refused
from daemons import ACCOUNT

DER_AT = 58
SIZES = [1, 2, 16, 32, 64, 100, 101, 227, 228, 229, 230, 255, 256, 1000, 4095, 4096]


def encrypt(kms, key, plaintext=b"x", **more):
    return kms.encrypt(KeyId=key, Plaintext=plaintext, **more)["CiphertextBlob"]


def decrypt(kms, blob, **more):
    return kms.decrypt(CiphertextBlob=blob, **more)["Plaintext"]


# ---- layout ----

def test_the_head_of_a_blob(kms, key):
    a, b = encrypt(kms, key, b"k" * 32), encrypt(kms, key, b"k" * 32)
    for blob in (a, b):
        assert blob[:2] == b"\x01\x02" and blob[2] in (1, 2, 3) and blob[3:5] == b"\x00\x78" and blob[37] == 1
        assert int.from_bytes(blob[54:58], "big") == len(blob) - DER_AT == 0x7e
    assert a[:38] == b[:38], "the same backing key has the same id"
    assert a[38:54] != b[38:54] and a[-59:] != b[-59:], "nonce and content are new each time"
    other = encrypt(kms, kms.create_key()["KeyMetadata"]["KeyId"])
    assert a[5:37] != other[5:37]


def test_what_secret_scanners_look_for(kms, key):
    text = base64.b64encode(encrypt(kms, key, b"k" * 32)).decode()
    assert text[:6] in ("AQIBAH", "AQICAH", "AQIDAH") and text[6] in "ghij"
    assert "AAAAfjB8BgkqhkiG9w0BBwagbzBtAgEAMGgGCSqGSIb3DQEHATAeBglghkgBZQMEAS4wEQQM" in text
    assert re.search("AgEQgD[s-v]", text), "the last character has two bits of the content"


@pytest.mark.parametrize("plain,total", [(10, 162), (11, 163), (16, 168), (32, 184), (64, 220), (518, 680)])
def test_lengths_are_those_of_aws(kms, key, plain, total):
    assert len(encrypt(kms, key, b"x" * plain)) == total


@pytest.mark.parametrize("size", [1, 32, 200, 4096])
def test_openssl_reads_the_envelope(kms, key, tmp_path, size):
    path = tmp_path / "blob"
    path.write_bytes(encrypt(kms, key, b"x" * size))
    shown = subprocess.run(["openssl", "asn1parse", "-inform", "DER", "-offset", str(DER_AT), "-in", str(path)],
                           capture_output=True, text=True, check=True).stdout
    assert "pkcs7-encryptedData" in shown and "pkcs7-data" in shown and "aes-256-gcm" in shown.lower(), shown
    iv = [line for line in shown.splitlines() if "OCTET STRING" in line][0]
    assert "l=  12" in iv
    content = [line for line in shown.splitlines() if "cont [ 0 ]" in line][-1]
    assert int(re.search(r" l= *(\d+)", content).group(1)) == size + 27


# ---- changes ----

def test_every_changed_byte_is_noticed(kms, key):
    blob = encrypt(kms, key, b"k" * 32)
    for at in range(len(blob)):
        changed = blob[:at] + bytes([blob[at] ^ 0x40]) + blob[at + 1:]
        assert refused(kms.decrypt, CiphertextBlob=changed) == ("InvalidCiphertextException", ""), at


def test_every_changed_bit_is_noticed(kms, key):
    blob = encrypt(kms, key)
    for bit in range(0, 8 * len(blob)):
        if bit % 8 == 6:
            continue  # by the test above
        changed = bytearray(blob)
        changed[bit // 8] ^= 1 << bit % 8
        assert code(kms.decrypt, CiphertextBlob=bytes(changed), KeyId=key) == "InvalidCiphertextException", bit


def test_blobs_that_are_longer_or_shorter(kms, key):
    blob = encrypt(kms, key, b"k" * 32)
    for wrong in (blob[:-1], blob + b"\0", blob + blob, blob[:DER_AT], blob[:DER_AT + 1], blob[:5], b"\1", blob[1:],
                  blob[:54] + b"\xff\xff\xff\xff" + blob[58:], blob[:54] + b"\0\0\0\0" + blob[58:]):
        assert refused(kms.decrypt, CiphertextBlob=wrong) == ("InvalidCiphertextException", "")


def test_parts_of_two_blobs_do_not_fit(kms, key):
    a, b = encrypt(kms, key, b"k" * 32), encrypt(kms, key, b"K" * 32)
    assert decrypt(kms, a[:38] + b[38:]) == b"K" * 32, "up to the nonce they are the same"
    for cut in (40, 54, 58, 100, 115, 130, len(a) - 16):
        assert code(kms.decrypt, CiphertextBlob=a[:cut] + b[cut:]) == "InvalidCiphertextException"
    other = encrypt(kms, kms.create_key()["KeyMetadata"]["KeyId"], b"o" * 32)
    assert code(kms.decrypt, CiphertextBlob=a[:37] + other[37:]) == "InvalidCiphertextException"


# ---- encryption context ----

@pytest.mark.parametrize("context", [{"a": "b"}, {"a": "b", "c": "d"}, {"": ""}, {"ключ": "значение"}, {"a": "b" * 4000},
                                     {f"k{i}": str(i) for i in range(200)}])
def test_the_context_must_be_the_same(kms, key, context):
    blob = encrypt(kms, key, EncryptionContext=context)
    assert decrypt(kms, blob, EncryptionContext=dict(reversed(context.items()))) == b"x"
    name, value = next(iter(context.items()))
    wrong = [{}, context | {"more": "x"}, context | {name: value + "x"}, {n: v for n, v in context.items() if n != name},
             {n.upper() + "Z": v for n, v in context.items()}]
    for other in wrong:
        assert refused(kms.decrypt, CiphertextBlob=blob, EncryptionContext=other) == ("InvalidCiphertextException", "")


def test_pairs_do_not_run_into_one_another(kms, key):
    blob = encrypt(kms, key, EncryptionContext={"ab": "c", "d": "e"})
    for other in ({"a": "bc", "d": "e"}, {"ab": "cd", "": "e"}, {"abc": "", "d": "e"}, {"d": "c", "ab": "e"}):
        assert code(kms.decrypt, CiphertextBlob=blob, EncryptionContext=other) == "InvalidCiphertextException"


def test_no_context_and_an_empty_one_are_the_same(kms, key):
    assert decrypt(kms, encrypt(kms, key, EncryptionContext={})) == b"x"
    assert decrypt(kms, encrypt(kms, key), EncryptionContext={}) == b"x"


def test_a_context_that_is_too_long(kms, key):
    assert code(kms.encrypt, KeyId=key, Plaintext=b"x", EncryptionContext={"a": "b" * 9000}) == "ValidationException"


# ---- keys and sizes ----

@pytest.mark.parametrize("size", SIZES)
def test_sizes(kms, key, size):
    plain = bytes(i % 251 for i in range(size))
    assert decrypt(kms, encrypt(kms, key, plain), KeyId=key) == plain


def test_a_ciphertext_knows_its_key(kms, key):
    blobs = {}
    for _ in range(5):
        made = kms.create_key()["KeyMetadata"]
        blobs[made["Arn"]] = encrypt(kms, made["KeyId"], made["Arn"].encode())
    for arn, blob in blobs.items():
        answer = kms.decrypt(CiphertextBlob=blob)
        assert (answer["KeyId"], answer["Plaintext"]) == (arn, arn.encode())
        assert code(kms.decrypt, CiphertextBlob=blob, KeyId=key) == "IncorrectKeyException"


def test_ciphertexts_stay_in_their_region(house, key, kms):
    elsewhere = house.kms(region="eu-west-1")
    got, message = refused(elsewhere.decrypt, CiphertextBlob=encrypt(kms, key))
    assert got == "AccessDeniedException"
    assert message == (
        f"User: arn:aws:iam::{ACCOUNT}:user/local is not authorized to perform: kms:Decrypt on the resource associated "
        "with this ciphertext because the resource does not exist in this Region, no resource-based policies allow "
        "access, or a resource-based policy explicitly denies access")


@pytest.mark.parametrize("operation", ["GenerateDataKey", "GenerateDataKeyWithoutPlaintext"])
@pytest.mark.parametrize("asked,size", [({"KeySpec": "AES_256"}, 32), ({"KeySpec": "AES_128"}, 16),
                                        ({"NumberOfBytes": 1}, 1), ({"NumberOfBytes": 64}, 64),
                                        ({"NumberOfBytes": 1024}, 1024)])
def test_data_keys(kms, key, operation, asked, size):
    answer = method(kms, operation)(KeyId=key, EncryptionContext={"for": "me"}, **asked)
    plain = decrypt(kms, answer["CiphertextBlob"], EncryptionContext={"for": "me"})
    assert len(plain) == size and answer.get("Plaintext", plain) == plain
    assert code(kms.decrypt, CiphertextBlob=answer["CiphertextBlob"]) == "InvalidCiphertextException"
    assert len(answer["CiphertextBlob"]) == len(encrypt(kms, key, plain))


def test_data_keys_differ(kms, key):
    made = [kms.generate_data_key(KeyId=key, KeySpec="AES_256") for _ in range(50)]
    assert len({m["Plaintext"] for m in made}) == len({m["CiphertextBlob"] for m in made}) == 50


def test_re_encrypt(kms, key):
    other = kms.create_key()["KeyMetadata"]["KeyId"]
    blob = encrypt(kms, key, b"word", EncryptionContext={"n": "1"})
    moved = kms.re_encrypt(CiphertextBlob=blob, SourceEncryptionContext={"n": "1"}, SourceKeyId=key,
                           DestinationKeyId=other)["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=moved, KeyId=other)["Plaintext"] == b"word"
    assert decrypt(kms, blob, EncryptionContext={"n": "1"}) == b"word", "the old one stays good"
    same = kms.re_encrypt(CiphertextBlob=blob, SourceEncryptionContext={"n": "1"}, DestinationKeyId=key,
                          DestinationEncryptionContext={"n": "2"})["CiphertextBlob"]
    assert decrypt(kms, same, EncryptionContext={"n": "2"}) == b"word"
    assert code(kms.re_encrypt, CiphertextBlob=blob, DestinationKeyId=other) == "InvalidCiphertextException"
    assert code(kms.re_encrypt, CiphertextBlob=blob[:-1], SourceEncryptionContext={"n": "1"},
                DestinationKeyId=other) == "InvalidCiphertextException"


# ---- restarts ----

def test_keys_survive_a_restart_and_are_sealed(make_house):
    house = make_house(ddbd=False)
    kms = house.kms()
    key = kms.create_key()["KeyMetadata"]
    kms.create_alias(AliasName="alias/kept", TargetKeyId=key["KeyId"])
    blob = encrypt(kms, "alias/kept", b"kept", EncryptionContext={"a": "b"})
    house.kmsd.restart()
    kms = house.kms()
    assert kms.describe_key(KeyId="alias/kept")["KeyMetadata"] == key
    answer = kms.decrypt(CiphertextBlob=blob, EncryptionContext={"a": "b"})
    assert answer["Plaintext"] == b"kept"
    assert answer["KeyMaterialId"] == key["CurrentKeyMaterialId"]
    house.kmsd.kill()
    house.kmsd.start()
    assert decrypt(house.kms(), blob, EncryptionContext={"a": "b"}) == b"kept"


def test_the_same_seed_makes_the_same_ids_but_not_the_same_key(make_house):
    made = []
    for _ in range(2):
        house = make_house(ddbd=False, kmsd=["--seed=the same"])
        kms = house.kms()
        key = kms.create_key()["KeyMetadata"]
        made.append((key["KeyId"], key["CurrentKeyMaterialId"], encrypt(kms, key["KeyId"]), kms))
        house.kmsd.terminate()
        house.kmsd.start()
    assert made[0][:2] == made[1][:2]
    assert code(made[1][3].decrypt, CiphertextBlob=made[0][2]) == "InvalidCiphertextException"
