"""What AWS was seen to answer (tests/data/measured), row by row."""
import base64
import json
import re

import pytest

from asking import told
from daemons import ACCOUNT, REGION, ROOT
from importing import import_into, material

FILES = {path.stem: json.loads(path.read_text()) for path in sorted((ROOT / "tests/data/measured").glob("*.json"))}
CASES = [pytest.param(row, operation, FILES[name].get("requests", {}).get(operation, {}), id=f"{name}-{n}-{operation}")
         for name in FILES for n, row in enumerate(FILES[name]["rows"]) for operation in row["operations"]]
USAGES = {"ENCRYPT_DECRYPT", "SIGN_VERIFY", "GENERATE_VERIFY_MAC", "KEY_AGREEMENT"}


def here(region):
    return f"arn:aws:kms:{region}:{ACCOUNT}:"


def make(kms, words):
    """KeyMetadata of a new key as a row's `key` describes it."""
    spec, *rest = words.split()
    more = {"KeyUsage": word for word in rest if word in USAGES} | ({"Origin": "EXTERNAL"} if "EXTERNAL" in rest else {})
    try:
        key = kms.create_key(KeySpec=spec, **more)["KeyMetadata"]
    except kms.exceptions.UnsupportedOperationException as error:
        assert spec.startswith("ML_DSA") and "OpenSSL" in str(error)
        pytest.skip(f"the linked OpenSSL has no {spec}")
    if {"Imported", "Emptied"} & set(rest):
        import_into(kms, key["KeyId"], material(spec))
    if "Emptied" in rest:
        blob = kms.encrypt(KeyId=key["KeyId"], Plaintext=b"hello")["CiphertextBlob"]
        key["own"] = base64.b64encode(blob).decode()
        kms.delete_imported_key_material(KeyId=key["KeyId"])
    if "Disabled" in rest:
        kms.disable_key(KeyId=key["KeyId"])
    if "PendingDeletion" in rest:
        kms.schedule_key_deletion(KeyId=key["KeyId"], PendingWindowInDays=7)
    return key


@pytest.fixture(scope="module")
def shop(house):
    """What the texts may name, and the keys made so far."""
    kms = house.kms()
    other = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName="alias/there", TargetKeyId=other)
    ciphertext = kms.encrypt(KeyId=other, Plaintext=b"hello")["CiphertextBlob"]
    return {"keys": {},
            "names": {"keys": f"{here(REGION)}key/", "here": here(REGION), "elsewhere": here("us-west-2"),
                      "root": f"arn:aws:iam::{ACCOUNT}:root", "ciphertext": base64.b64encode(ciphertext).decode()}}


def filled(value, names):
    if isinstance(value, dict):
        return {name: filled(member, names) for name, member in value.items()}
    if isinstance(value, list):
        return [filled(element, names) for element in value]
    if not isinstance(value, str):
        return value
    value = re.sub(r"\{blob (\d+)\}", lambda found: base64.b64encode(bytes(int(found[1]))).decode(), value)
    return re.sub(r"\{(\w+)\}", lambda found: names.get(found[1], found[0]), value)


@pytest.mark.parametrize("row, operation, common", CASES)
def test_answer(house, shop, row, operation, common):
    names = shop["names"] | {"operation": operation}
    request = common | row.get("request", {})
    if words := row.get("key"):
        if words not in shop["keys"]:
            shop["keys"][words] = make(house.kms(), words)
        key = shop["keys"][words]
        names |= {"key": key["Arn"], "id": key["KeyId"], "own": key.get("own")}
        request = {"KeyId": key["Arn"]} | request
    request = filled({name: value for name, value in request.items() if value is not None}, names)
    answer = told(house, operation, request)
    if row["says"] == "ok":
        assert answer[0] == "ok", answer
    else:
        assert answer[:len(row["says"])] == tuple(filled(row["says"], names))
