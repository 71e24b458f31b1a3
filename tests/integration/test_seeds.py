"""--seed-file: keys with fixed ids and given material, in kmsd's own form and in local-kms's; what loading twice does, and
what is said of a file that is wrong."""
import base64
import hmac
import json
import re

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key, load_pem_private_key

from asking import refused
from daemons import ACCOUNT, PATIENCE, ROOT, until
from importing import import_into

KEY = "11111111-2222-4333-8444-555555555555"
OTHER = "22222222-3333-4444-8555-666666666666"
MATERIAL = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
SECOND = "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100"
LEAST = {"Keys": [{"KeyId": KEY, "Material": MATERIAL, "Aliases": ["alias/app"]}]}


@pytest.fixture
def seeded(make_house, tmp_path):
    """seeded(seed, *flags): a kmsd with that seed (a text is YAML), and no ddbd."""
    def make(seed, *flags, name=None, start=True):
        text = seed if isinstance(seed, str) else json.dumps(seed)
        path = tmp_path / (name or ("seed.yaml" if isinstance(seed, str) else "seed.json"))
        path.write_text(text)
        return make_house(ddbd=False, start=start, kmsd=[f"--seed-file={path}", *flags])
    return make


def complaint(house):
    """What kmsd says about a seed that it does not start with."""
    house.kmsd.start(wait=False)
    assert house.kmsd.process.wait(PATIENCE) == 1
    house.kmsd.process = None
    return house.kmsd.log_text()


# ---- the examples ----

def test_the_example_works(make_house):
    house = make_house(ddbd=False, kmsd=[f"--seed-file={ROOT}/config/seed.yaml"])
    kms = house.kms()
    assert len(kms.list_keys()["Keys"]) == 4
    orders = kms.describe_key(KeyId="alias/orders")["KeyMetadata"]
    assert orders["KeyId"] == "0987dcba-09fe-87dc-65ba-ab0987654321"
    assert orders["Description"] == "What the orders are encrypted with" and orders["KeyState"] == "Enabled"
    assert kms.describe_key(KeyId="alias/orders-archive")["KeyMetadata"]["KeyId"] == orders["KeyId"]
    assert kms.list_resource_tags(KeyId=orders["KeyId"])["Tags"] == [{"TagKey": "team", "TagValue": "orders"}]
    policy = json.loads(kms.get_key_policy(KeyId=orders["KeyId"])["Policy"])
    assert policy["Statement"][0]["Principal"] == {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
    grant, = kms.list_grants(KeyId=orders["KeyId"])["Grants"]
    assert grant["Name"] == "for-the-app" and grant["GranteePrincipal"] == f"arn:aws:iam::{ACCOUNT}:role/app"
    assert grant["Constraints"] == {"EncryptionContextSubset": {"department": "orders"}}
    assert grant["Operations"] == ["Decrypt", "Encrypt", "GenerateDataKey"] and grant["IssuingAccount"]
    rotation = kms.get_key_rotation_status(KeyId=orders["KeyId"])
    assert rotation["KeyRotationEnabled"] and rotation["RotationPeriodInDays"] == 180
    materials = kms.list_key_rotations(KeyId=orders["KeyId"], IncludeKeyMaterial="ALL_KEY_MATERIAL")["Rotations"]
    assert [m["KeyMaterialState"] for m in materials] == ["NON_CURRENT", "CURRENT"]
    assert kms.describe_key(KeyId="77aa1b2c-3d4e-4f50-8192-a3b4c5d6e7f8")["KeyMetadata"]["KeyState"] == "Disabled"
    assert kms.describe_key(KeyId="66aa1b2c-3d4e-4f50-8192-a3b4c5d6e7f8")["KeyMetadata"]["KeyState"] == "PendingImport"
    elsewhere = house.kms(region="eu-central-1")
    invoices = elsewhere.describe_key(KeyId="alias/invoices")["KeyMetadata"]
    assert invoices["KeySpec"] == "ECC_NIST_P256" and invoices["Arn"].startswith("arn:aws:kms:eu-central-1:")
    pem = re.search(r"-----BEGIN(.|\n)*?END PRIVATE KEY-----", (ROOT / "config" / "seed.yaml").read_text()).group(0)
    pem = "\n".join(line.strip() for line in pem.splitlines()) + "\n"
    wanted = load_pem_private_key(pem.encode(), None).public_key()
    assert load_der_public_key(elsewhere.get_public_key(KeyId="alias/invoices")["PublicKey"]) == wanted


def test_local_kms_seed_works(make_house):
    house = make_house(ddbd=False, kmsd=[f"--seed-file={ROOT}/config/local-kms-seed.yaml", "--seed-region=eu-west-2"])
    kms = house.kms(region="eu-west-2")
    key = kms.describe_key(KeyId="alias/testing")["KeyMetadata"]
    assert key["KeyId"] == "b1b2c3d4-0f1e-4d2c-8b3a-495867768594" and key["AWSAccountId"] == ACCOUNT
    assert kms.decrypt(CiphertextBlob=kms.encrypt(KeyId="alias/testing", Plaintext=b"x")["CiphertextBlob"])["Plaintext"] == b"x"
    rotation = kms.get_key_rotation_status(KeyId=key["KeyId"])
    assert rotation["KeyRotationEnabled"] and rotation["NextRotationDate"].isoformat() == "2030-09-12T15:19:21+00:00"
    mac = kms.describe_key(KeyId="c2d3e4f5-1a2b-4c3d-9e4f-5a6b7c8d9e0f")["KeyMetadata"]
    assert (mac["KeySpec"], mac["KeyUsage"]) == ("HMAC_224", "GENERATE_VERIFY_MAC")
    ecc = kms.describe_key(KeyId="d3e4f5a6-2b3c-4d4e-8f5a-6b7c8d9e0f1a")["KeyMetadata"]
    assert (ecc["KeySpec"], ecc["KeyUsage"], ecc["Description"]) == (
        "ECC_NIST_P256", "SIGN_VERIFY", "ECC key with curve secp256r1")


# ---- material ----

def test_ciphertexts_of_another_kmsd_with_the_same_seed_decrypt(seeded):
    first, second = seeded(LEAST), seeded(LEAST)
    blob = first.kms().encrypt(KeyId="alias/app", Plaintext=b"hello", EncryptionContext={"a": "b"})["CiphertextBlob"]
    answer = second.kms().decrypt(CiphertextBlob=blob, EncryptionContext={"a": "b"})
    assert answer["Plaintext"] == b"hello"
    ids = [house.kms().describe_key(KeyId=KEY)["KeyMetadata"]["CurrentKeyMaterialId"] for house in (first, second)]
    assert ids[0] == ids[1] == answer["KeyMaterialId"]


def test_other_material_makes_another_key(seeded):
    blob = seeded(LEAST).kms().encrypt(KeyId=KEY, Plaintext=b"x")["CiphertextBlob"]
    kms = seeded({"Keys": [{"KeyId": KEY, "Material": SECOND}]}).kms()
    assert refused(kms.decrypt, CiphertextBlob=blob)[0] == "InvalidCiphertextException"


def test_older_material_still_decrypts(seeded):
    old = seeded({"Keys": [{"KeyId": KEY, "Material": [MATERIAL]}]}).kms()
    new = seeded({"Keys": [{"KeyId": KEY, "Material": [MATERIAL, SECOND]}]}).kms()
    blob = old.encrypt(KeyId=KEY, Plaintext=b"x")["CiphertextBlob"]
    assert new.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
    blob = new.encrypt(KeyId=KEY, Plaintext=b"y")["CiphertextBlob"]
    assert refused(old.decrypt, CiphertextBlob=blob)[0] == "InvalidCiphertextException"


def test_hexadecimal_and_base64_are_the_same(seeded):
    kms = seeded(LEAST).kms()
    blob = kms.encrypt(KeyId=KEY, Plaintext=b"x")["CiphertextBlob"]
    other = seeded({"Keys": [{"KeyId": KEY, "Material": base64.b64encode(bytes.fromhex(MATERIAL)).decode()}]}).kms()
    assert other.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"


def test_material_is_made_where_none_is_given(seeded):
    kms = seeded("Keys:\n  - KeyId: " + KEY + "\n").kms()
    assert kms.decrypt(CiphertextBlob=kms.encrypt(KeyId=KEY, Plaintext=b"x")["CiphertextBlob"])["Plaintext"] == b"x"


@pytest.mark.parametrize("spec,usage,form", [
    ("RSA_2048", "SIGN_VERIFY", "PKCS8"), ("RSA_2048", "ENCRYPT_DECRYPT", "TraditionalOpenSSL"),
    ("ECC_NIST_P384", "SIGN_VERIFY", "TraditionalOpenSSL"), ("ECC_NIST_P521", "KEY_AGREEMENT", "PKCS8"),
    ("ECC_SECG_P256K1", "SIGN_VERIFY", "PKCS8"), ("ECC_NIST_EDWARDS25519", "SIGN_VERIFY", "PKCS8")])
def test_key_pairs(seeded, spec, usage, form):
    curves = {"ECC_NIST_P384": ec.SECP384R1, "ECC_NIST_P521": ec.SECP521R1, "ECC_SECG_P256K1": ec.SECP256K1}
    if spec.startswith("RSA"):
        pair = rsa.generate_private_key(65537, 2048)
    elif spec in curves:
        pair = ec.generate_private_key(curves[spec]())
    else:
        pair = ed25519.Ed25519PrivateKey.generate()
    pem = pair.private_bytes(serialization.Encoding.PEM, getattr(serialization.PrivateFormat, form),
                             serialization.NoEncryption()).decode()
    kms = seeded({"Keys": [{"KeyId": KEY, "KeyUsage": usage, "Material": pem}]}).kms()
    assert kms.describe_key(KeyId=KEY)["KeyMetadata"]["KeySpec"] == spec
    assert load_der_public_key(kms.get_public_key(KeyId=KEY)["PublicKey"]) == pair.public_key()


def test_accounts_and_regions(seeded):
    house = seeded({"Account": "444455556666", "Region": "eu-west-1", "Keys": [
        {"KeyId": KEY, "Material": MATERIAL, "Aliases": ["alias/a"]},
        {"KeyId": OTHER, "Account": "777788889999", "Region": "cn-north-1", "Material": SECOND, "Aliases": ["alias/a"]}]})
    arn = house.kms("444455556666", region="eu-west-1").describe_key(KeyId="alias/a")["KeyMetadata"]["Arn"]
    assert arn == f"arn:aws:kms:eu-west-1:444455556666:key/{KEY}"
    arn = house.kms("777788889999", region="cn-north-1").describe_key(KeyId="alias/a")["KeyMetadata"]["Arn"]
    assert arn == f"arn:aws-cn:kms:cn-north-1:777788889999:key/{OTHER}"


def test_a_rotation_that_is_overdue_happens(seeded):
    house = seeded({"Keys": [{"KeyId": KEY, "Material": MATERIAL, "KeyRotationEnabled": True,
                              "NextRotationDate": "2019-09-12T15:19:21Z"}]})
    kms = house.kms()
    until(lambda: kms.list_key_rotations(KeyId=KEY)["Rotations"], "the key to be rotated")
    blob = seeded({"Keys": [{"KeyId": KEY, "Material": MATERIAL}]}).kms().encrypt(KeyId=KEY, Plaintext=b"x")["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"


def test_imported_material(seeded):
    kms = seeded({"Keys": [{"KeyId": KEY, "Origin": "EXTERNAL", "Material": MATERIAL}, {"KeyId": OTHER, "Origin": "EXTERNAL"}]}).kms()
    first, other = [kms.describe_key(KeyId=key)["KeyMetadata"] for key in (KEY, OTHER)]
    assert (first["Origin"], first["KeyState"], first["ExpirationModel"]) == (
        "EXTERNAL", "Enabled", "KEY_MATERIAL_DOES_NOT_EXPIRE")
    assert (other["Origin"], other["KeyState"]) == ("EXTERNAL", "PendingImport")
    blob = kms.encrypt(KeyId=KEY, Plaintext=b"x")["CiphertextBlob"]
    kms.delete_imported_key_material(KeyId=KEY)
    assert refused(import_into, kms, KEY, bytes.fromhex(SECOND))[0] == "IncorrectKeyMaterialException"
    assert import_into(kms, KEY, bytes.fromhex(MATERIAL))["KeyMaterialId"] == first["CurrentKeyMaterialId"]
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
    # It is the material of every kmsd: a key that waits for it gets the same id.
    waiting = seeded({"Keys": [{"KeyId": KEY, "Origin": "EXTERNAL"}]}).kms()
    assert import_into(waiting, KEY, bytes.fromhex(MATERIAL))["KeyMaterialId"] == first["CurrentKeyMaterialId"]


def test_a_pair_that_is_none(seeded, tmp_path):
    one, two = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    der = one.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    points = [pair.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
              for pair in (one, two)]
    mixed = base64.b64encode(der.replace(*points)).decode()
    said = complaint(seeded({"Keys": [{"KeyId": KEY, "KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY", "Material": mixed}]},
                            start=False))
    assert "Keys[0].Material: is no private key of this KeySpec" in said


def test_macs_and_signatures_by_given_material(seeded):
    pair = ec.generate_private_key(ec.SECP256R1())
    pem = pair.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    kms = seeded({"Keys": [
        {"KeyId": KEY, "KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC", "Material": MATERIAL},
        {"KeyId": OTHER, "KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY", "Material": pem.decode()}]}).kms()
    mac = kms.generate_mac(KeyId=KEY, MacAlgorithm="HMAC_SHA_256", Message=b"x")["Mac"]
    assert mac == hmac.digest(bytes.fromhex(MATERIAL), b"x", "sha256")
    signature = kms.sign(KeyId=OTHER, SigningAlgorithm="ECDSA_SHA_256", Message=b"x")["Signature"]
    pair.public_key().verify(signature, b"x", ec.ECDSA(hashes.SHA256()))


# ---- loading twice ----

def test_loading_twice_changes_nothing(seeded):
    house = seeded({"Keys": [{"KeyId": KEY, "Material": MATERIAL, "Aliases": ["alias/a", "alias/b"], "Description": "seed"},
                             {"KeyId": OTHER, "Material": SECOND, "Aliases": ["alias/c"]}]})
    kms = house.kms()
    before = kms.describe_key(KeyId=KEY)["KeyMetadata"]
    kms.update_key_description(KeyId=KEY, Description="mine")
    kms.disable_key(KeyId=KEY)
    kms.delete_alias(AliasName="alias/a")
    kms.update_alias(AliasName="alias/b", TargetKeyId=OTHER)
    kms.schedule_key_deletion(KeyId=OTHER, PendingWindowInDays=7)
    house.clock(advance=8 * 86400)
    house.kmsd.restart()
    kms = house.kms()
    after = kms.describe_key(KeyId=KEY)["KeyMetadata"]
    assert after == {**before, "Description": "mine", "Enabled": False, "KeyState": "Disabled"}
    assert [key["KeyId"] for key in kms.list_keys()["Keys"]] == [KEY]  # the other one stays deleted
    assert [a["AliasName"] for a in kms.list_aliases()["Aliases"] if "TargetKeyId" in a] == []


def test_what_a_seed_gained_is_made(seeded, tmp_path):
    house = seeded(LEAST)
    house.kms().encrypt(KeyId="alias/app", Plaintext=b"x")
    more = {"Keys": [{**LEAST["Keys"][0], "Aliases": ["alias/app", "alias/new"]}, {"KeyId": OTHER, "Material": SECOND}]}
    (tmp_path / "seed.json").write_text(json.dumps(more))
    house.kmsd.restart()
    assert house.kms().describe_key(KeyId="alias/new")["KeyMetadata"]["KeyId"] == KEY
    assert house.kms().describe_key(KeyId=OTHER)["KeyMetadata"]["KeyState"] == "Enabled"


def test_a_seed_leaves_no_trace_in_the_trail(seeded):
    assert seeded(LEAST).trail() == []


# ---- wrong files ----

def key(**members):
    return {"Keys": [{"KeyId": KEY, "Material": MATERIAL, **members}]}


@pytest.mark.parametrize("seed,says", [
    ({}, "Keys: is missing"), ([], "a seed is a map"), ({"Keys": {}, "Key": 1}, "Key: unknown member"),
    ({"Keys": [], "Regoin": "x"}, "Regoin: unknown member"),
    ({"Keys": [{"KeyId": KEY, "Materail": MATERIAL}]}, "Keys[0].Materail: unknown member"),
    ({"Keys": [{"Material": MATERIAL}]}, "Keys[0].KeyId: is missing"),
    ({"Keys": [{"KeyId": "mine", "Material": MATERIAL}]}, "Keys[0].KeyId: is no key id"),
    ({"Keys": [{"KeyId": KEY, "Material": MATERIAL}, {"KeyId": KEY, "Material": SECOND}]}, "Keys[1].KeyId: is also the key of"),
    ({"Keys": [{"KeyId": "mrk-" + 32 * "1", "MultiRegion": True},
               {"KeyId": "mrk-" + 32 * "1", "MultiRegion": True, "Region": "us-west-2"}]},
     "Keys[1].KeyId: is also the key of line 1 in another Region: ReplicateKey makes replicas"),
    (key(Material="00"), "Keys[0].Material: is not as many bytes as the KeySpec wants"),
    (key(Material="zz" * 32), "Keys[0].Material: is not as many bytes as the KeySpec wants, in hexadecimal or base64"),
    (key(Material=[MATERIAL, MATERIAL]), "Keys[0].Material[1]: is also that of the key of line"),
    (key(Material="-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"), "is no private key in PEM"),
    (key(KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY"), "Keys[0].Material: is no private key of this KeySpec in PEM"),
    (key(KeySpec="AES_256"), "Keys[0].KeySpec: 1 validation error detected: Value 'AES_256' at 'keySpec'"),
    (key(KeyUsage="SIGN_VERIFY"), "KeyUsage SIGN_VERIFY is not compatible with KeySpec SYMMETRIC_DEFAULT"),
    (key(Enabled="yes"), "Keys[0].Enabled: must be true or false"), (key(Account="1"), "is not an account of 12 digits"),
    (key(Region="mars-1"), "Keys[0].Region: is no Region of AWS"), (key(Aliases=["app"]), "Keys[0].Aliases: Alias must start"),
    (key(Aliases=["alias/aws/s3"]), "alias/aws/ is AWS's own"), (key(Aliases=["alias/a b"]), "an alias has at most"),
    (key(Aliases=["alias/a", "alias/a"]), "Keys[0].Aliases: alias/a is also the alias of line"),
    (key(Policy="{}"), "Keys[0].Policy:"), (key(Policy={"Version": "2012-10-17", "Statement": [{"Effect": "Maybe"}]}), "Keys[0].Policy:"),
    (key(Tags=[{"TagKey": "a"}]), "Keys[0].Tags[0].TagValue: is missing"),
    (key(Tags=[{"TagKey": "aws:a", "TagValue": ""}]), "Keys[0].Tags: Tags beginning with aws: are reserved"),
    (key(Grants=[{"Operations": ["Encrypt"]}]), "Keys[0].Grants[0]: You must specify either GranteePrincipal"),
    (key(Grants=[{"GranteePrincipal": "bob", "Operations": ["Encrypt"]}]), "Keys[0].Grants[0]: ARN does not refer to a valid"),
    (key(Grants=[{"GranteePrincipal": "arn:aws:iam::111122223333:root", "Operations": ["Sign"]}]), "Operation Sign is not supported"),
    (key(Grants=[{"KeyId": KEY, "GranteePrincipal": "x", "Operations": []}]), "Keys[0].Grants[0].KeyId: unknown member"),
    (key(Grants="all"), "Keys[0].Grants: must be a list"), (key(RotationPeriodInDays=90), "RotationPeriodInDays: needs KeyRotationEnabled"),
    (key(KeyRotationEnabled=True, RotationPeriodInDays=9), "is a number from 90 to 2560"),
    (key(KeyRotationEnabled=True, NextRotationDate="soon"), "Keys[0].NextRotationDate: is not an RFC 3339 time"),
])
def test_a_wrong_seed_is_a_refusal_to_start_that_names_the_place(seeded, seed, says, tmp_path):
    house = seeded(seed, start=False)
    said = complaint(house)
    assert f"{tmp_path}/seed.json:1: " in said and says in said, said
    assert MATERIAL not in said
    # Nothing of it was made.
    (tmp_path / "seed.json").write_text('{"Keys": []}')
    house.kmsd.start()
    assert house.kms().list_keys()["Keys"] == []


def test_errors_name_the_line(seeded, tmp_path):
    text = f"""# first line
Keys:
  - KeyId: {KEY}
    Material: {MATERIAL}
    Tags:
      - TagKey: a
        TagValue: b
      - TagKey: c
        TagValeu: d
"""
    assert f"{tmp_path}/seed.yaml:9: Keys[0].Tags[1].TagValeu: unknown member" in complaint(seeded(text, start=False))
    assert f"{tmp_path}/seed.yaml:8: Keys[0].Tags[1].TagValue: is missing" in complaint(
        seeded(text[:text.index("        TagValeu")], start=False))
    assert f"{tmp_path}/seed.yaml:3: " in complaint(seeded("Keys:\n  - KeyId: a\n   b: c\n", start=False))
    assert f"{tmp_path}/seed.yaml:4: KeyId is given twice" in complaint(
        seeded(f"Keys:\n  - KeyId: {KEY}\n    Material: {MATERIAL}\n    KeyId: {OTHER}\n", start=False))
    assert f"{tmp_path}/seed.json:2: " in complaint(seeded('{"Keys": [\n  1 2]}', start=False, name="seed.json"))


def test_a_missing_file(make_house, tmp_path):
    said = complaint(make_house(ddbd=False, start=False, kmsd=[f"--seed-file={tmp_path}/none.yaml"]))
    assert f"{tmp_path}/none.yaml: No such file" in said


# ---- local-kms ----

AES = f"      - Metadata:\n          KeyId: {KEY}\n        BackingKeys:\n          - {MATERIAL}\n"
VERSION_3 = f"Keys:\n  Symmetric:\n    Aes:\n{AES}Aliases:\n  - AliasName: alias/app\n    TargetKeyId: {KEY}\n"
VERSION_4 = f"""Version: 2
Aliases:
  - AliasName: app
    TargetKeyId: {KEY}
Keys:
  - KeyId: {KEY}
    Metadata:
      KeySpec: SYMMETRIC_DEFAULT
      Description: seed
    Material:
      BackingKeys:
        - {MATERIAL}
"""
BEFORE_3 = f"""Keys:
  - Metadata:
      KeyId: {KEY}
    BackingKeys:
      - {MATERIAL}
Aliases:
  - AliasName: alias/app
    TargetKeyId: {KEY}
"""


@pytest.mark.parametrize("text", [VERSION_3, VERSION_4, BEFORE_3])
def test_all_forms_of_local_kms(seeded, text):
    blob = seeded(LEAST).kms().encrypt(KeyId=KEY, Plaintext=b"x")["CiphertextBlob"]
    kms = seeded(text).kms()
    assert kms.describe_key(KeyId="alias/app")["KeyMetadata"]["KeyId"] == KEY
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"


def test_external_keys_of_local_kms(seeded):
    text = VERSION_3.replace(f"KeyId: {KEY}\n        Back", f"KeyId: {KEY}\n          Origin: EXTERNAL\n        Back")
    text = text.replace("Aliases:", f"      - Metadata:\n          KeyId: {OTHER}\n          Origin: EXTERNAL\nAliases:")
    kms = seeded(text).kms()
    states = [kms.describe_key(KeyId=key)["KeyMetadata"] for key in ("alias/app", OTHER)]
    assert [(s["Origin"], s["KeyState"]) for s in states] == [("EXTERNAL", "Enabled"), ("EXTERNAL", "PendingImport")]


@pytest.mark.parametrize("text,line,says", [
    (VERSION_3.replace(MATERIAL, "abc"), 7, "Keys.Symmetric.Aes[0].BackingKeys[0]: is not as many"),
    (VERSION_3.replace(f"TargetKeyId: {KEY}", f"TargetKeyId: {OTHER}"), 10, "Aliases[0].TargetKeyId: is no key of this file"),
    (VERSION_3.replace("Symmetric", "Symetric"), 2, "Symetric: unknown member"),
    (VERSION_3.replace("Aes", "Des"), 3, "Symmetric.Des: unknown member"),
    (VERSION_3.replace("KeyId:", "Keyid:"), 5, "Keys.Symmetric.Aes[0].Metadata.Keyid: unknown member"),
    (VERSION_4.replace("Version: 2", "Version: 3"), 1, "Version: only 2 is known"),
    (VERSION_4.replace("KeySpec: SYMMETRIC_DEFAULT", "KeySpec: HMAC_512"), 12, "Keys[0].Material.BackingKeys[0]: is not as many"),
])
def test_wrong_local_kms_seeds(seeded, text, line, says, tmp_path):
    said = complaint(seeded(text, start=False))
    assert f"{tmp_path}/seed.yaml:{line}: " in said and says in said, said
