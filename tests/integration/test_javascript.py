"""The AWS SDK for JavaScript v3, as an application's test would use it (javascript.mjs)."""
import json
import os
import pathlib
import shutil
import subprocess

import pytest

from daemons import ACCOUNT, REGION, until

HERE = pathlib.Path(__file__).parent
UUID_LENGTH = 36


@pytest.fixture(scope="module")
def said(house):
    if not shutil.which("node") or not (HERE / "node_modules/@aws-sdk/client-dynamodb").is_dir():
        pytest.skip("no JavaScript SDK here (scripts/packages install test)")
    env = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
    env |= {"AWS_ENDPOINT_URL_KMS": house.kmsd.url, "AWS_ENDPOINT_URL_DYNAMODB": house.ddbd.url, "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null"}
    house.kms().create_key()
    done = subprocess.run(["node", str(HERE / "javascript.mjs")], env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_keys(said):
    assert said["key"]["Arn"] == f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{said['key']['KeyId']}"
    assert said["key"]["CreationDate"] == "2026-05-20T20:45:00.000Z"
    assert said["decrypted"] is True and said["dataKeyLength"] == 32
    assert len(said["keys"]) == 2 and said["key"]["KeyId"] in said["keys"]


def test_signatures_and_macs(said):
    assert said["signed"] is said["signedElsewhere"] is said["mac"] is True


def test_errors_are_the_sdks_own(said):
    assert said["wrongMac"]["name"] == "KMSInvalidMacException"
    assert said["wrongContext"]["name"] == "InvalidCiphertextException"
    assert said["noSuchKey"]["typed"] and said["noSuchKey"]["name"] == "NotFoundException"
    assert len(said["noSuchKey"]["requestId"]) == UUID_LENGTH
    assert said["noSuchTable"] == {"name": "ResourceNotFoundException", "message": "Requested resource not found", "status": 400,
                                   "requestId": said["noSuchTable"]["requestId"], "typed": True}
    assert len(said["noSuchTable"]["requestId"]) == 52
    assert (said["badKey"]["name"], said["badKey"]["message"]) == ("ValidationException", "The provided key element does not match the schema")
    assert said["disabled"]["message"].startswith("KMS key disabled error: com.amazonaws.services.kms.model.DisabledException: ")


def test_tables(said):
    assert said["waited"] == said["waitedForEnd"] == "SUCCESS"
    assert said["table"]["TableStatus"] == "ACTIVE"
    assert said["table"]["SSEDescription"] == {"Status": "ENABLED", "SSEType": "KMS", "KMSMasterKeyArn": said["key"]["Arn"]}
    assert said["tables"] == ["from-javascript"]


def test_items(said):
    item = said["item"]
    assert item["n"] == {"N": "1.5"} and item["yes"] == {"BOOL": True} and item["nothing"] == {"NULL": True}
    assert item["nested"]["M"]["list"]["L"] == [{"N": "12345678901234567890123456789012345678"}, {"S": "漢字 😀"}]
    assert said["blob"] == "00ff80" and sorted(item["set"]["SS"]) == ["x", "y"]
    assert said["deleted"] == "a" and said["gone"] is None and said["many"] is True


def test_the_trail_knows_the_sdk(said, house):
    events = house.trail("CreateTable")
    event = next(e for e in events if e["requestParameters"]["tableName"] == "from-javascript")
    assert "aws-sdk-js/3" in event["userAgent"]
    until(lambda: house.pick("DeleteTable"), "the deletion in the trail")
