"""Importing key material: wrapping, tokens, terms, expiry, deleting and importing again. The material is wrapped by another
implementation."""
import base64
import contextlib
import datetime
import json
import os
import sqlite3

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from asking import ARNS, OTHER, PRINCIPALS, as_, code, members, method, opened, refused, unchecked
from asymmetric import KINDS
from conftest import START, VIRTUAL
from daemons import ACCOUNT, until
from importing import (FOREVER, SYMMETRIC, external, import_into, imported, material, parameters_for, pkcs8, private_key,
                       wrap)

DAY = 86400
NOW = datetime.datetime.fromisoformat(START.replace("Z", "+00:00"))
OAEP = ["RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"]
HYBRID = ["RSA_AES_KEY_WRAP_SHA_1", "RSA_AES_KEY_WRAP_SHA_256"]
WRAPPING_KEYS = ["RSA_2048", "RSA_3072", "RSA_4096"]
HEX = set("0123456789abcdef")


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    yield from opened_house(tmp_path_factory)


def opened_house(tmp_path_factory, **more):
    with opened(tmp_path_factory.mktemp("house"), kmsd=VIRTUAL, **more) as house:
        yield house


@pytest.fixture
def mine(make_house):
    """A house whose clock and processes a test may move."""
    return make_house(ddbd=False)


def state(kms, key):
    return kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"]


def now(house):
    return datetime.datetime.fromisoformat(house.clock()["now"].replace("Z", "+00:00"))


def in_days(house, days):
    return now(house) + datetime.timedelta(days=days)


# ---- keys without material ----

@pytest.mark.parametrize("spec,usage", [SYMMETRIC, *KINDS])
def test_a_key_waits_for_its_material(kms, spec, usage):
    m = kms.create_key(Origin="EXTERNAL", KeySpec=spec, KeyUsage=usage)["KeyMetadata"]
    assert (m["Origin"], m["KeyState"], m["Enabled"]) == ("EXTERNAL", "PendingImport", False)
    assert not {"ExpirationModel", "ValidTo", "CurrentKeyMaterialId"} & set(m)


def test_nothing_can_be_done_with_it(kms):
    key = kms.create_key(Origin="EXTERNAL")["KeyMetadata"]
    waiting = ("KMSInvalidStateException", f"{key['Arn']} is pending import.")
    for operation, more in {"Encrypt": {"Plaintext": b"x"}, "GenerateDataKey": {"KeySpec": "AES_256"}, "EnableKey": {},
                            "DisableKey": {}, "CreateGrant": {"GranteePrincipal": ARNS["bob"], "Operations": ["Decrypt"]}}.items():
        assert refused(method(kms, operation), KeyId=key["KeyId"], **more) == waiting
    kms.tag_resource(KeyId=key["KeyId"], Tags=[{"TagKey": "k", "TagValue": "v"}])
    kms.schedule_key_deletion(KeyId=key["KeyId"])
    kms.cancel_key_deletion(KeyId=key["KeyId"])
    assert state(kms, key["KeyId"]) == "PendingImport"


# ---- wrapping ----

@pytest.mark.parametrize("algorithm", OAEP + HYBRID)
@pytest.mark.parametrize("wrapping_key", WRAPPING_KEYS)
def test_wrapping(kms, algorithm, wrapping_key):
    key = external(kms)
    got = parameters_for(kms, key, algorithm, wrapping_key)
    assert members(got) == {"KeyId", "ImportToken", "ParametersValidTo", "PublicKey"}
    assert load_der_public_key(got["PublicKey"]).key_size == int(wrapping_key[4:])
    assert got["KeyId"] == kms.describe_key(KeyId=key)["KeyMetadata"]["Arn"] and len(got["ImportToken"]) <= 6144
    answer = import_into(kms, key, os.urandom(32), algorithm, parameters=got)
    assert members(answer) == {"KeyId", "KeyMaterialId"} and answer["KeyId"] == got["KeyId"]
    m = kms.describe_key(KeyId=key)["KeyMetadata"]
    assert (m["KeyState"], m["Enabled"], m["ExpirationModel"]) == ("Enabled", True, "KEY_MATERIAL_DOES_NOT_EXPIRE")
    assert m["CurrentKeyMaterialId"] == answer["KeyMaterialId"] and set(answer["KeyMaterialId"]) <= HEX
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=blob)["KeyMaterialId"] == answer["KeyMaterialId"]


@pytest.mark.parametrize("spec,usage", KINDS)
@pytest.mark.parametrize("algorithm", ["RSAES_OAEP_SHA_256", "RSA_AES_KEY_WRAP_SHA_256"])
def test_material_of_every_spec(kms, spec, usage, algorithm):
    key = external(kms, spec, usage)
    if spec.startswith("RSA") and algorithm in OAEP:
        assert code(parameters_for, kms, key, algorithm, "RSA_4096") == "UnsupportedOperationException"
        return
    secret, wrapping_key = material(spec), "RSA_3072" if spec == "ECC_NIST_P521" else "RSA_2048"
    answer = import_into(kms, key, secret, algorithm, wrapping_key)
    assert members(answer) == {"KeyId"}, "only symmetric keys have named material"
    assert state(kms, key) == "Enabled"
    assert "CurrentKeyMaterialId" not in kms.describe_key(KeyId=key)["KeyMetadata"]
    import_into(kms, key, secret, algorithm, wrapping_key)  # the same again
    assert code(import_into, kms, key, material(spec), algorithm, wrapping_key) == "IncorrectKeyMaterialException"


@pytest.mark.parametrize("spec", ["RSA_2048", "ECC_NIST_P256", "ECC_SECG_P256K1", "ECC_NIST_EDWARDS25519"])
def test_the_public_key_is_that_of_the_material(kms, spec):
    key, pair = external(kms, spec, "SIGN_VERIFY"), private_key(spec)
    import_into(kms, key, pkcs8(pair), HYBRID[1])
    der = pair.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert kms.get_public_key(KeyId=key)["PublicKey"] == der


def test_p521_does_not_fit_into_rsa_2048(kms):
    key = external(kms, "ECC_NIST_P521", "SIGN_VERIFY")
    for algorithm in OAEP:
        assert code(parameters_for, kms, key, algorithm, "RSA_2048") == "UnsupportedOperationException"
        import_into(kms, external(kms, "ECC_NIST_P521", "SIGN_VERIFY"), material("ECC_NIST_P521"), algorithm, "RSA_3072")
    import_into(kms, key, material("ECC_NIST_P521"), HYBRID[1], "RSA_2048")


def test_algorithms_that_are_refused(house, kms):
    key = external(kms)
    assert code(parameters_for, kms, key, "RSAES_PKCS1_V1_5") == "UnsupportedOperationException"
    assert code(parameters_for, kms, key, "SM2PKE", "SM2") == "UnsupportedOperationException"
    assert code(parameters_for, kms, key, "SM2PKE", "RSA_2048") == "UnsupportedOperationException"
    assert code(parameters_for, kms, key, OAEP[1], "SM2") == "UnsupportedOperationException"
    assert refused(parameters_for, unchecked(house), key, "ROT13", "RSA_1024") == (
        "ValidationException", "2 validation errors detected: Value 'ROT13' at 'wrappingAlgorithm' failed to satisfy constraint: "
        "Member must satisfy enum value set: [RSAES_PKCS1_V1_5, RSAES_OAEP_SHA_1, RSAES_OAEP_SHA_256, RSA_AES_KEY_WRAP_SHA_1, "
        "RSA_AES_KEY_WRAP_SHA_256, SM2PKE]; Value 'RSA_1024' at 'wrappingKeySpec' failed to satisfy constraint: Member must "
        "satisfy enum value set: [RSA_2048, RSA_3072, RSA_4096, SM2]")


def test_china(house):
    kms = house.kms(region="cn-north-1")
    key = external(kms)
    for algorithm in HYBRID:
        assert code(parameters_for, kms, key, algorithm) == "UnsupportedOperationException"
    import_into(kms, key, os.urandom(32))
    got = parameters_for(kms, key, "SM2PKE", "SM2")
    assert b"\x2a\x81\x1c\xcf\x55\x01\x82\x2d" in got["PublicKey"], "the curve's object identifier (GM/T 0006)"


def test_wrapped_wrongly(kms):
    key, other = external(kms), external(kms)
    secret = os.urandom(32)
    got, of_other = (parameters_for(kms, k, "RSAES_OAEP_SHA_256") for k in (key, other))
    send = {"KeyId": key, "ImportToken": got["ImportToken"], **FOREVER}
    for wrapped in (os.urandom(256), wrap(of_other, OAEP[1], secret), wrap(got, OAEP[0], secret)):
        assert refused(kms.import_key_material, EncryptedKeyMaterial=wrapped, **send) == ("InvalidCiphertextException", "")
    for wrapped in (b"x", os.urandom(255), os.urandom(512), wrap(got, HYBRID[1], secret)):
        assert refused(kms.import_key_material, EncryptedKeyMaterial=wrapped, **send) == (
            "ValidationException", "Invalid encrypted key size.")
    assert state(kms, key) == "PendingImport"
    got = parameters_for(kms, key, HYBRID[1])
    send["ImportToken"] = got["ImportToken"]
    good = wrap(got, HYBRID[1], secret)
    for wrapped in (good[:-1] + bytes([good[-1] ^ 1]), good[:100] + bytes([good[100] ^ 1]) + good[101:], good + bytes(8),
                    wrap(got, HYBRID[0], secret), wrap(got, HYBRID[1], secret, aes=os.urandom(16))):
        assert code(kms.import_key_material, EncryptedKeyMaterial=wrapped, **send) == "InvalidCiphertextException"
    kms.import_key_material(EncryptedKeyMaterial=good, **send)


@pytest.mark.parametrize("spec,usage,wrong", [
    ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", [bytes(31), bytes(33), bytes(16), b"x"]),
    ("HMAC_384", "GENERATE_VERIFY_MAC", [bytes(32), bytes(64)]),
    ("ECC_NIST_P256", "SIGN_VERIFY", [bytes(32), "ECC_NIST_P384", "ECC_SECG_P256K1", "ECC_NIST_EDWARDS25519", "RSA_2048"]),
    ("ECC_NIST_EDWARDS25519", "SIGN_VERIFY", ["ECC_NIST_P256", bytes(32)]),
    ("RSA_2048", "SIGN_VERIFY", ["RSA_3072", "ECC_NIST_P256", bytes(1200)]),
])
def test_material_of_another_kind(kms, spec, usage, wrong):
    key = external(kms, spec, usage)
    for secret in wrong:
        secret = material(secret) if isinstance(secret, str) else secret
        assert code(import_into, kms, key, secret, HYBRID[1]) == "IncorrectKeyMaterialException"
    right = material(spec)
    assert code(import_into, kms, key, right + b"x", HYBRID[1]) == "IncorrectKeyMaterialException"
    import_into(kms, key, right, HYBRID[1])


def test_halves_that_do_not_belong_together(kms):
    one, two = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    public = [k.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint) for k in (one, two)]
    assert public[0] in pkcs8(one)
    key = external(kms, "ECC_NIST_P256", "SIGN_VERIFY")
    assert code(import_into, kms, key, pkcs8(one).replace(public[0], public[1])) == "IncorrectKeyMaterialException"
    numbers = rsa.generate_private_key(65537, 2048)
    key = external(kms, "RSA_2048", "SIGN_VERIFY")
    modulus = numbers.public_key().public_numbers().n.to_bytes(256, "big")
    broken = pkcs8(numbers).replace(modulus, modulus[:-4] + bytes([modulus[-4] ^ 1]) + modulus[-3:])
    assert code(import_into, kms, key, broken, HYBRID[1]) == "IncorrectKeyMaterialException"


def test_another_spelling_of_the_same_key(kms):
    """PKCS#8 of an elliptic curve key may leave its public half out."""
    pair = ec.generate_private_key(ec.SECP256R1())
    number = pair.private_numbers().private_value.to_bytes(32, "big")
    short = bytes.fromhex("3041020100301306072a8648ce3d020106082a8648ce3d030107042730250201010420") + number
    key = external(kms, "ECC_NIST_P256", "SIGN_VERIFY")
    import_into(kms, key, short)
    der = pair.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert kms.get_public_key(KeyId=key)["PublicKey"] == der
    import_into(kms, key, pkcs8(pair))


# ---- tokens ----

def test_a_token_is_for_its_key_only(house, kms):
    key, other = external(kms), external(kms)
    got = parameters_for(kms, key)
    wrapped = wrap(got, OAEP[1], bytes(32))
    for client, target in ((kms, other), (house.kms(OTHER), external(house.kms(OTHER))),
                           (house.kms(region="eu-west-1"), external(house.kms(region="eu-west-1")))):
        assert code(client.import_key_material, KeyId=target, ImportToken=got["ImportToken"], EncryptedKeyMaterial=wrapped,
                    **FOREVER) == "InvalidImportTokenException"
    kms.import_key_material(KeyId=key, ImportToken=got["ImportToken"], EncryptedKeyMaterial=wrapped, **FOREVER)


def test_a_token_is_for_its_wrapping_key_only(kms):
    key = external(kms)
    one, two = parameters_for(kms, key), parameters_for(kms, key)
    assert one["ImportToken"] != two["ImportToken"] and one["PublicKey"] != two["PublicKey"]
    assert code(kms.import_key_material, KeyId=key, ImportToken=one["ImportToken"],
                EncryptedKeyMaterial=wrap(two, OAEP[1], bytes(32)), **FOREVER) == "InvalidCiphertextException"


def test_forged_tokens(house, kms, mine):
    key = external(kms)
    got = parameters_for(kms, key)
    token = got["ImportToken"]
    theirs = mine.kms()
    foreign = parameters_for(theirs, external(theirs))["ImportToken"]
    changed = [token[:i] + bytes([token[i] ^ 1]) + token[i + 1:] for i in (0, 1, 12, 13, 100, len(token) - 1)]
    for bad in (*changed, token[:-1], token + b"x", b"x", bytes(6144), foreign,
                kms.encrypt(KeyId=kms.create_key()["KeyMetadata"]["KeyId"], Plaintext=b"x")["CiphertextBlob"]):
        assert code(kms.import_key_material, KeyId=key, ImportToken=bad, EncryptedKeyMaterial=wrap(got, OAEP[1], bytes(32)),
                    **FOREVER) == "InvalidImportTokenException"


@pytest.mark.parametrize("ending", ["none", "restart", "kill"])
def test_a_token_lives_a_day(mine, ending):
    kms = mine.kms()
    key = external(kms)
    got = parameters_for(kms, key)
    assert got["ParametersValidTo"] == NOW + datetime.timedelta(days=1)
    if ending != "none":
        getattr(mine.kmsd, ending)()
        if ending == "kill":
            mine.kmsd.start()
        kms = mine.kms()
    send = {"KeyId": key, "ImportToken": got["ImportToken"], "EncryptedKeyMaterial": wrap(got, OAEP[1], bytes(32)), **FOREVER}
    mine.clock(advance=DAY - 1)
    kms.import_key_material(**send)
    mine.clock(advance=1)
    assert code(kms.import_key_material, **send) == "ExpiredImportTokenException"


# ---- terms ----

def test_terms(house, kms):
    key = external(kms)
    send = {"KeyId": key, "ImportToken": b"x", "EncryptedKeyMaterial": b"x"}
    missing = ("ValidationException", "A validTo date must be set if the ExpirationModel is KEY_MATERIAL_EXPIRES")
    assert refused(kms.import_key_material, **send) == missing
    assert refused(kms.import_key_material, ExpirationModel="KEY_MATERIAL_EXPIRES", **send) == missing
    assert code(kms.import_key_material, ValidTo=in_days(house, 1), **FOREVER, **send) == "ValidationException"
    assert refused(kms.import_key_material, ValidTo=now(house), **send) == (
        "ValidationException", "ValidTo must be in the future")
    for days in (366, 40000):
        assert code(kms.import_key_material, ValidTo=in_days(house, days), **send) == "ValidationException"
    assert code(kms.import_key_material, ImportType="NEW_KEY_MATERIAL", KeyMaterialId="0" * 64, **FOREVER,
                **send) == "ValidationException"
    raw = unchecked(house)
    for name, value in {"KeyMaterialDescription": "a;b", "KeyMaterialId": "X" * 64, "ImportType": "OLD"}.items():
        assert code(raw.import_key_material, **{name: value}, **FOREVER, **send) == "ValidationException"
    assert code(raw.import_key_material, ImportToken=bytes(6145), EncryptedKeyMaterial=b"x", KeyId=key,
                **FOREVER) == "ValidationException"
    until_then = in_days(house, 365)
    import_into(kms, key, bytes(32), ValidTo=until_then)
    m = kms.describe_key(KeyId=key)["KeyMetadata"]
    assert (m["ExpirationModel"], m["ValidTo"]) == ("KEY_MATERIAL_EXPIRES", until_then)
    import_into(kms, key, bytes(32))  # imported again, with other terms
    m = kms.describe_key(KeyId=key)["KeyMetadata"]
    assert m["ExpirationModel"] == "KEY_MATERIAL_DOES_NOT_EXPIRE" and "ValidTo" not in m


@pytest.mark.parametrize("more", [{"ImportType": "NEW_KEY_MATERIAL"}, {"ImportType": "EXISTING_KEY_MATERIAL"},
                                  {"KeyMaterialDescription": "d"}, {"KeyMaterialId": "0" * 64}])
def test_only_symmetric_keys_name_their_material(kms, more):
    key = external(kms, "HMAC_256", "GENERATE_VERIFY_MAC")
    assert code(import_into, kms, key, bytes(32), **more) == "UnsupportedOperationException"
    import_into(kms, key, bytes(32))
    assert code(kms.delete_imported_key_material, KeyId=key, KeyMaterialId="0" * 64) == "UnsupportedOperationException"


def test_keys_of_another_origin(kms, key):
    arn = kms.describe_key(KeyId=key)["KeyMetadata"]["Arn"]
    wrong = ("UnsupportedOperationException", f"{arn} origin is AWS_KMS which is not valid for this operation.")
    send = {"ImportToken": b"x", "EncryptedKeyMaterial": b"x", **FOREVER}
    assert refused(parameters_for, kms, key) == wrong
    assert refused(kms.import_key_material, KeyId=key, **send) == wrong
    assert refused(kms.delete_imported_key_material, KeyId=key) == wrong


# ---- deleting, importing again ----

def test_the_same_material_brings_the_key_back(kms):
    secret = os.urandom(32)
    key = external(kms)
    first = import_into(kms, key, secret)["KeyMaterialId"]
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    arn = kms.describe_key(KeyId=key)["KeyMetadata"]["Arn"]
    deleted = kms.delete_imported_key_material(KeyId=key)
    assert members(deleted) == {"KeyId", "KeyMaterialId"} and (deleted["KeyId"], deleted["KeyMaterialId"]) == (arn, first)
    m = kms.describe_key(KeyId=key)["KeyMetadata"]
    assert (m["KeyState"], m["Enabled"]) == ("PendingImport", False) and not {"ExpirationModel", "ValidTo"} & set(m)
    assert refused(kms.decrypt, CiphertextBlob=blob) == ("KMSInvalidStateException", f"{arn} is pending import.")
    assert code(import_into, kms, key, os.urandom(32)) == "IncorrectKeyMaterialException"
    assert code(import_into, kms, key, secret, ImportType="NEW_KEY_MATERIAL") == "IncorrectKeyMaterialException"
    assert code(import_into, kms, key, secret, KeyMaterialId="0" * 64) == "IncorrectKeyMaterialException"
    assert import_into(kms, key, secret, KeyMaterialId=first, ImportType="EXISTING_KEY_MATERIAL")["KeyMaterialId"] == first
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
    other = imported(kms, secret)
    assert kms.describe_key(KeyId=other)["KeyMetadata"]["CurrentKeyMaterialId"] != first, "the id is also the key's"


def test_deleting_what_is_not_there(kms):
    key = external(kms)
    assert members(kms.delete_imported_key_material(KeyId=key)) == {"KeyId"}
    assert code(kms.delete_imported_key_material, KeyId=key, KeyMaterialId="0" * 64) == "NotFoundException"
    import_into(kms, key, bytes(32))
    kms.delete_imported_key_material(KeyId=key)
    kms.delete_imported_key_material(KeyId=key)
    assert state(kms, key) == "PendingImport"


def test_key_states(kms):
    key = imported(kms, bytes(32))
    kms.disable_key(KeyId=key)
    import_into(kms, key, bytes(32))
    assert state(kms, key) == "Disabled", "material that was there makes nothing usable"
    kms.delete_imported_key_material(KeyId=key)
    assert state(kms, key) == "PendingImport"
    import_into(kms, key, bytes(32))
    assert state(kms, key) == "Enabled"
    got = parameters_for(kms, key)
    kms.schedule_key_deletion(KeyId=key)
    pending = ("KMSInvalidStateException", f"{kms.describe_key(KeyId=key)['KeyMetadata']['Arn']} is pending deletion.")
    assert refused(parameters_for, kms, key) == pending
    assert refused(import_into, kms, key, bytes(32), parameters=got) == pending
    kms.delete_imported_key_material(KeyId=key)
    assert state(kms, key) == "PendingDeletion"
    kms.cancel_key_deletion(KeyId=key)
    assert state(kms, key) == "PendingImport"
    import_into(kms, key, bytes(32), parameters=got)
    assert state(kms, key) == "Enabled"


@pytest.mark.parametrize("ending", ["restart", "kill"])
def test_the_end_of_the_process(mine, ending):
    kms = mine.kms()
    secret = os.urandom(32)
    there, gone = imported(kms, secret), imported(kms, secret)
    blobs = {key: kms.encrypt(KeyId=key, Plaintext=key.encode())["CiphertextBlob"] for key in (there, gone)}
    kms.delete_imported_key_material(KeyId=gone)
    getattr(mine.kmsd, ending)()
    if ending == "kill":
        mine.kmsd.start()
    kms = mine.kms()
    assert (state(kms, there), state(kms, gone)) == ("Enabled", "PendingImport")
    assert kms.decrypt(CiphertextBlob=blobs[there])["Plaintext"] == there.encode()
    assert code(import_into, kms, gone, os.urandom(32)) == "IncorrectKeyMaterialException"
    import_into(kms, gone, secret)
    assert kms.decrypt(CiphertextBlob=blobs[gone])["Plaintext"] == gone.encode()


def test_deleted_material_is_nowhere_on_the_disk(mine):
    kms = mine.kms()
    key = external(kms, "RSA_2048", "SIGN_VERIFY")
    secret = material("RSA_2048")
    import_into(kms, key, secret, HYBRID[1])
    assert mine.kmsd.terminate() == 0
    state_files = lambda: b"".join(f.read_bytes() for f in (mine.folder / "kmsd/state").glob("state.db*"))  # noqa: E731
    with contextlib.closing(sqlite3.connect(mine.folder / "kmsd/state/state.db")) as db:
        (record,) = [bytes(v) for row in db.execute("SELECT * FROM keys") for v in row
                     if isinstance(v, bytes) and len(v) > 1000]
    assert secret[-200:] not in state_files(), "it is sealed"
    sealed = record[-200:]  # the material ends the record
    assert sealed in state_files()
    mine.kmsd.start()
    mine.kms().delete_imported_key_material(KeyId=key)
    assert mine.kmsd.terminate() == 0
    assert sealed not in state_files()
    mine.kmsd.start()
    assert code(mine.kms().get_public_key, KeyId=key) == "KMSInvalidStateException"


# ---- several materials ----

def test_a_second_material_waits_for_its_rotation(kms):
    first, second, third = (os.urandom(32) for _ in range(3))
    key = external(kms)
    one = import_into(kms, key, first, ImportType="NEW_KEY_MATERIAL", KeyMaterialDescription="first")["KeyMaterialId"]
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")
    two = import_into(kms, key, second, ImportType="NEW_KEY_MATERIAL", KeyMaterialDescription="second")["KeyMaterialId"]
    m = kms.describe_key(KeyId=key)["KeyMetadata"]
    assert m["CurrentKeyMaterialId"] == one != two and m["KeyState"] == "Enabled"
    assert kms.generate_data_key(KeyId=key, KeySpec="AES_256")["KeyMaterialId"] == one
    got = parameters_for(kms, key)
    error, message = refused(import_into, kms, key, third, parameters=got, ImportType="NEW_KEY_MATERIAL")
    assert error == "KMSInvalidStateException"
    assert message.startswith("New key material (id: ") and message.endswith(
        f") cannot be imported into KMS key {m['Arn']}, because another key material (id: {two}) is pending rotation.")
    assert code(import_into, kms, key, second, ImportType="NEW_KEY_MATERIAL") == "IncorrectKeyMaterialException"
    assert import_into(kms, key, second)["KeyMaterialId"] == two
    # It does not belong to the key for good: another one may take its place.
    assert kms.delete_imported_key_material(KeyId=key, KeyMaterialId=two)["KeyMaterialId"] == two
    assert state(kms, key) == "Enabled"
    assert code(import_into, kms, key, second) == "IncorrectKeyMaterialException"
    assert code(kms.delete_imported_key_material, KeyId=key, KeyMaterialId=two) == "NotFoundException"
    import_into(kms, key, third, ImportType="NEW_KEY_MATERIAL")
    assert kms.decrypt(CiphertextBlob=blob["CiphertextBlob"])["Plaintext"] == b"x"


def test_rotation(mine):
    kms, first, second = mine.kms(), os.urandom(32), os.urandom(32)
    key = imported(kms, first)
    one = kms.describe_key(KeyId=key)["KeyMetadata"]["CurrentKeyMaterialId"]
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    two = import_into(kms, key, second, ImportType="NEW_KEY_MATERIAL", ValidTo=in_days(mine, 2))["KeyMaterialId"]
    kms.rotate_key_on_demand(KeyId=key)
    mine.clock(advance=1)
    m = kms.describe_key(KeyId=key)["KeyMetadata"]
    assert m["CurrentKeyMaterialId"] == two and m["ExpirationModel"] == "KEY_MATERIAL_EXPIRES"
    assert kms.decrypt(CiphertextBlob=blob)["KeyMaterialId"] == one
    mine.clock(advance=2 * DAY)
    assert state(kms, key) == "PendingImport", "any of its materials is missing"
    assert code(kms.decrypt, CiphertextBlob=blob) == "KMSInvalidStateException"
    assert import_into(kms, key, second)["KeyMaterialId"] == two
    assert state(kms, key) == "Enabled"


def test_existing_material_of_a_key_that_has_none(kms):
    key = external(kms)
    assert code(import_into, kms, key, bytes(32), ImportType="EXISTING_KEY_MATERIAL") == "IncorrectKeyMaterialException"
    assert code(import_into, kms, key, bytes(32), KeyMaterialId="0" * 64) == "IncorrectKeyMaterialException"
    import_into(kms, key, bytes(32))


def test_waiting_material_survives_a_restart(mine):
    kms = mine.kms()
    first, second = os.urandom(32), os.urandom(32)
    key = imported(kms, first)
    two = import_into(kms, key, second, ImportType="NEW_KEY_MATERIAL")["KeyMaterialId"]
    mine.kmsd.restart()
    kms = mine.kms()
    assert import_into(kms, key, second)["KeyMaterialId"] == two
    assert code(import_into, kms, key, os.urandom(32), ImportType="NEW_KEY_MATERIAL") == "KMSInvalidStateException"


# ---- expiry ----

def test_material_expires_on_its_day(mine):
    kms = mine.kms()
    secret = os.urandom(32)
    key = imported(kms, secret, ValidTo=in_days(mine, 3))
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    mine.clock(advance=3 * DAY - 1)
    assert state(kms, key) == "Enabled"
    mine.clock(advance=1)
    m = kms.describe_key(KeyId=key)["KeyMetadata"]
    assert m["KeyState"] == "PendingImport" and not {"ExpirationModel", "ValidTo"} & set(m)
    assert code(kms.decrypt, CiphertextBlob=blob) == "KMSInvalidStateException"
    import_into(kms, key, secret, ValidTo=in_days(mine, 1))
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
    mine.clock(advance=DAY)
    assert state(kms, key) == "PendingImport"


def test_importing_again_puts_the_date_off(mine):
    kms = mine.kms()
    key = imported(kms, bytes(32), ValidTo=in_days(mine, 1))
    import_into(kms, key, bytes(32), ValidTo=in_days(mine, 5))
    mine.clock(advance=2 * DAY)
    assert state(kms, key) == "Enabled"
    import_into(kms, key, bytes(32))
    mine.clock(advance=400 * DAY)
    assert state(kms, key) == "Enabled"
    assert not mine.trail("DeleteExpiredKeyMaterial")


def test_expiry_of_a_key_that_waits_for_its_deletion(mine):
    kms = mine.kms()
    key = imported(kms, bytes(32), ValidTo=in_days(mine, 3))
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    mine.clock(advance=4 * DAY)
    assert state(kms, key) == "PendingDeletion"
    kms.cancel_key_deletion(KeyId=key)
    assert state(kms, key) == "PendingImport"


def test_expiry_of_one_of_several(mine):
    kms = mine.kms()
    key = imported(kms, bytes(32), ValidTo=in_days(mine, 9))
    second = os.urandom(32)
    two = import_into(kms, key, second, ImportType="NEW_KEY_MATERIAL", ValidTo=in_days(mine, 2))["KeyMaterialId"]
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["ValidTo"] == in_days(mine, 9), "of what belongs to the key for good"
    mine.clock(advance=3 * DAY)
    assert state(kms, key) == "Enabled"
    (event,) = mine.trail("DeleteExpiredKeyMaterial")
    assert event["serviceEventDetails"] == {"keyId": key, "keyMaterialId": two}
    assert import_into(kms, key, second, ImportType="NEW_KEY_MATERIAL")["KeyMaterialId"] == two


@pytest.mark.parametrize("ending", ["restart", "kill"])
def test_an_expiry_survives_the_end_of_the_process(mine, ending):
    kms = mine.kms()
    key = imported(kms, bytes(32), ValidTo=in_days(mine, 3))
    getattr(mine.kmsd, ending)()
    if ending == "kill":
        mine.kmsd.start()
    assert state(mine.kms(), key) == "Enabled"
    mine.clock(advance=3 * DAY)
    assert state(mine.kms(), key) == "PendingImport"


def test_an_expiry_that_passed_while_kmsd_was_away(mine):
    kms = mine.kms()
    key = imported(kms, bytes(32), ValidTo=in_days(mine, 3))
    mine.kmsd.terminate()
    mine.kmsd.arguments = [a for a in mine.kmsd.arguments if not a.startswith("--clock=")] + ["--clock=2026-07-01T00:00:00Z"]
    mine.kmsd.start()
    until(lambda: state(mine.kms(), key) == "PendingImport", "the material to expire")
    assert len(mine.trail("DeleteExpiredKeyMaterial")) == 1


def test_many_expire_in_one_step(mine):
    kms = mine.kms()
    valid_to = in_days(mine, 3)
    for _ in range(12):
        imported(kms, ValidTo=valid_to)
    mine.clock(advance=3 * DAY)
    assert len(mine.trail("DeleteExpiredKeyMaterial")) == 12
    assert {state(kms, k["KeyId"]) for k in kms.list_keys()["Keys"]} == {"PendingImport"}


# ---- rights ----

def test_rights(make_house):
    house = make_house(ddbd=False, principals=PRINCIPALS)
    root, bob, dave = as_(house, "root"), as_(house, "bob"), as_(house, "dave")
    allow = lambda action, who: {"Effect": "Allow", "Principal": {"AWS": ARNS[who]}, "Action": action, "Resource": "*"}  # noqa: E731
    key = external(root)
    arn = root.describe_key(KeyId=key)["KeyMetadata"]["Arn"]
    got = parameters_for(root, key)
    calls = {"GetParametersForImport": {"WrappingAlgorithm": OAEP[1], "WrappingKeySpec": "RSA_2048"},
             "ImportKeyMaterial": {"ImportToken": got["ImportToken"], "EncryptedKeyMaterial": wrap(got, OAEP[1], bytes(32)),
                                   **FOREVER},
             "DeleteImportedKeyMaterial": {}}
    for operation, more in calls.items():
        error, message = refused(method(bob, operation), KeyId=key, **more)
        assert error == "AccessDeniedException" and f"kms:{operation}" in message and arn in message
        policy = {"Version": "2012-10-17", "Statement": [allow("kms:*", "root"), allow(f"kms:{operation}", "bob"),
                                                         allow(f"kms:{operation}", "dave")]}
        root.put_key_policy(KeyId=key, PolicyName="default", Policy=json.dumps(policy))
        method(bob, operation)(KeyId=key, **more)
        assert code(method(dave, operation), KeyId=arn, **more) == "AccessDeniedException", "no other account's keys"
        for other in set(calls) - {operation}:
            assert code(method(bob, other), KeyId=key, **calls[other]) == "AccessDeniedException"


def test_aliases_are_refused(kms):
    key = imported(kms)
    kms.create_alias(AliasName="alias/imported", TargetKeyId=key)
    assert code(parameters_for, kms, "alias/imported") == "InvalidArnException"


# ---- trail ----

def test_secrets_are_not_in_the_trail(mine):
    kms = mine.kms()
    key = external(kms)
    got = parameters_for(kms, key)
    wrapped = wrap(got, OAEP[1], bytes(32))
    kms.import_key_material(KeyId=key, ImportToken=got["ImportToken"], EncryptedKeyMaterial=wrapped, **FOREVER)
    code(kms.import_key_material, KeyId=key, ImportToken=b"secret token", EncryptedKeyMaterial=wrapped, **FOREVER)
    text = json.dumps(mine.trail())
    for secret in (got["ImportToken"], got["PublicKey"], wrapped, b"secret token"):
        assert base64.b64encode(secret).decode() not in text


def test_the_event_of_an_expiry(mine):
    kms = mine.kms()
    key = external(kms)
    made = import_into(kms, key, bytes(32), ValidTo=in_days(mine, 2))
    mine.clock(advance=2 * DAY)
    (got,) = mine.trail("DeleteExpiredKeyMaterial")
    wanted = {
        "eventVersion": "1.11", "userIdentity": {"accountId": ACCOUNT, "invokedBy": "AWS Internal"}, "eventTime": got["eventTime"],
        "eventSource": "kms.amazonaws.com", "eventName": "DeleteExpiredKeyMaterial", "awsRegion": "us-east-1",
        "sourceIPAddress": "AWS Internal", "userAgent": "AWS Internal", "requestParameters": None,
        "responseElements": None, "eventID": got["eventID"], "readOnly": False,
        "resources": [{"accountId": ACCOUNT, "type": "AWS::KMS::Key", "ARN": made["KeyId"]}], "eventType": "AwsServiceEvent",
        "managementEvent": True, "recipientAccountId": ACCOUNT,
        "serviceEventDetails": {"keyId": key, "keyMaterialId": made["KeyMaterialId"]}, "eventCategory": "Management"}
    assert json.dumps(got) == json.dumps(wanted)


# ---- multi-Region keys ----

THERE = "us-west-2"


def ids(kms, key):
    """KeyMaterialId to (state, is it here) of all materials."""
    entries = kms.list_key_rotations(KeyId=key, IncludeKeyMaterial="ALL_KEY_MATERIAL")["Rotations"]
    return {m["KeyMaterialId"]: (m["KeyMaterialState"], m["ImportState"]) for m in entries}


@pytest.fixture
def related(mine):
    """A primary key with material, its replica without, the clients of both, the material."""
    kms, secret = mine.kms(), os.urandom(32)
    key = external(kms, MultiRegion=True)
    one = import_into(kms, key, secret)["KeyMaterialId"]
    kms.replicate_key(KeyId=key, ReplicaRegion=THERE)
    mine.clock(advance=1)
    return key, kms, mine.kms(region=THERE), secret, one


def test_every_region_imports_the_material(related):
    key, kms, there, secret, one = related
    assert state(there, key) == "PendingImport"
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    assert code(import_into, there, key, os.urandom(32)) == "IncorrectKeyMaterialException"
    assert import_into(there, key, secret)["KeyMaterialId"] == one, "the same in every Region"
    assert there.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
    there.delete_imported_key_material(KeyId=key)
    assert (state(kms, key), state(there, key)) == ("Enabled", "PendingImport")


def test_new_material_begins_at_the_primary_key(related):
    key, kms, there, secret, one = related
    import_into(there, key, secret)
    second = os.urandom(32)
    assert code(import_into, there, key, second, ImportType="NEW_KEY_MATERIAL") == "UnsupportedOperationException"
    two = import_into(kms, key, second, ImportType="NEW_KEY_MATERIAL")["KeyMaterialId"]
    waiting = "PENDING_MULTI_REGION_IMPORT_AND_ROTATION"
    assert ids(kms, key)[two] == (waiting, "IMPORTED") and ids(there, key)[two] == (waiting, "PENDING_IMPORT")
    assert code(kms.rotate_key_on_demand, KeyId=key) == "KMSInvalidStateException"
    assert (state(kms, key), state(there, key)) == ("Enabled", "Enabled"), "it is not the keys' for good"
    assert import_into(there, key, second, ImportType="EXISTING_KEY_MATERIAL")["KeyMaterialId"] == two
    assert ids(kms, key)[two] == ids(there, key)[two] == ("PENDING_ROTATION", "IMPORTED")
    there.delete_imported_key_material(KeyId=key, KeyMaterialId=two)
    assert ids(kms, key)[two] == (waiting, "IMPORTED")
    kms.delete_imported_key_material(KeyId=key, KeyMaterialId=two)
    assert set(ids(kms, key)) == set(ids(there, key)) == {one}, "forgotten everywhere"


def test_rotation_of_imported_material(mine, related):
    key, kms, there, first, one = related
    import_into(there, key, first)
    second = os.urandom(32)
    two = import_into(kms, key, second, ImportType="NEW_KEY_MATERIAL")["KeyMaterialId"]
    import_into(there, key, second)
    before = kms.encrypt(KeyId=key, Plaintext=b"before")["CiphertextBlob"]
    kms.rotate_key_on_demand(KeyId=key)
    mine.clock(advance=1)
    for client in (kms, there):
        assert client.describe_key(KeyId=key)["KeyMetadata"]["CurrentKeyMaterialId"] == two
        assert client.decrypt(CiphertextBlob=before)["KeyMaterialId"] == one
    # Without its older material a key does not work, though it does not encrypt with it.
    kms.delete_imported_key_material(KeyId=key, KeyMaterialId=one)
    assert (state(kms, key), state(there, key)) == ("PendingImport", "Enabled")
    assert code(import_into, kms, key, second, KeyMaterialId=one) == "IncorrectKeyMaterialException"
    import_into(kms, key, first, KeyMaterialId=one)
    assert kms.decrypt(CiphertextBlob=before)["Plaintext"] == b"before"


def test_a_replica_that_comes_later(mine, related):
    key, kms, there, first, one = related
    import_into(there, key, first)
    second = os.urandom(32)
    two = import_into(kms, key, second, ImportType="NEW_KEY_MATERIAL")["KeyMaterialId"]
    import_into(there, key, second)
    kms.replicate_key(KeyId=key, ReplicaRegion="eu-west-1")
    mine.clock(advance=1)
    assert ids(kms, key)[two][0] == "PENDING_MULTI_REGION_IMPORT_AND_ROTATION"
    import_into(mine.kms(region="eu-west-1"), key, second)
    assert ids(kms, key)[two][0] == "PENDING_ROTATION"


def test_a_replica_that_lacked_material_goes(mine, related):
    key, kms, there, first, one = related
    import_into(there, key, first)
    two = import_into(kms, key, os.urandom(32), ImportType="NEW_KEY_MATERIAL")["KeyMaterialId"]
    there.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    mine.clock(advance=7 * 86400)
    assert ids(kms, key)[two][0] == "PENDING_ROTATION", "nobody lacks it any more"
    kms.rotate_key_on_demand(KeyId=key)
    mine.clock(advance=1)
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["CurrentKeyMaterialId"] == two
