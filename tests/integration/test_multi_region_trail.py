"""What the trails of the Regions tell of multi-Region keys."""
import gzip
import re

import pytest

from asking import code
from daemons import ACCOUNT
from multi_region import DAY, HERE, THERE, arn, replicate

UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"


@pytest.fixture
def house(make_house):
    return make_house(ddbd=False)


@pytest.fixture
def key(kms):
    """The id of a new primary key."""
    return kms.create_key(MultiRegion=True)["KeyMetadata"]["KeyId"]


def test_a_replication_is_told_in_both_regions(house, kms, key):
    answer = kms.replicate_key(KeyId=key, ReplicaRegion=THERE)
    request = answer["ResponseMetadata"]["RequestId"]
    here, there = sorted(house.trail(requestID=request), key=lambda e: e["awsRegion"])
    assert (here["eventName"], here["awsRegion"]) == ("ReplicateKey", HERE)
    assert (there["eventName"], there["awsRegion"]) == ("CreateKey", THERE)
    assert there["userIdentity"] == {**here["userIdentity"], "invokedBy": "kms.amazonaws.com"}
    assert there["requestParameters"] == {
        "description": "", "origin": "AWS_KMS", "bypassPolicyLockoutSafetyCheck": False, "customerMasterKeySpec": "SYMMETRIC_DEFAULT",
        "keySpec": "SYMMETRIC_DEFAULT", "keyUsage": "ENCRYPT_DECRYPT", "multiRegion": True}
    assert there["responseElements"]["keyMetadata"] == here["responseElements"]["replicaKeyMetadata"]
    assert there["responseElements"]["keyMetadata"]["keyState"] == "Creating"
    assert there["resources"] == [{"accountId": ACCOUNT, "type": "AWS::KMS::Key", "ARN": arn(key, THERE)}]
    assert (there["sourceIPAddress"], there["userAgent"]) == (here["sourceIPAddress"], here["userAgent"])
    assert "tlsDetails" not in there and there["eventID"] != here["eventID"]
    files = {path.parts[-5] for path in house.log_files() if request.encode() in gzip.decompress(path.read_bytes())}
    assert files == {HERE, THERE}, "each Region's log files have their own"


def test_a_refused_replication_is_told_once(house, kms, key):
    code(kms.replicate_key, KeyId=key, ReplicaRegion=HERE)
    code(kms.update_primary_region, KeyId=key, PrimaryRegion=THERE)
    assert [(e["awsRegion"], e["errorCode"]) for e in house.trail("ReplicateKey")] == [(HERE, "AlreadyExistsException")]
    assert [(e["awsRegion"], e["errorCode"]) for e in house.pick("UpdatePrimaryRegion")] == [(HERE, "NotFoundException")]


def test_another_primary_region_is_told_in_both(house, kms, key):
    replicate(house, kms, key)
    request = kms.update_primary_region(KeyId=key, PrimaryRegion=THERE)["ResponseMetadata"]["RequestId"]
    here, there = sorted(house.trail("UpdatePrimaryRegion", requestID=request), key=lambda e: e["awsRegion"])
    assert here["requestParameters"] == {"keyId": key, "primaryRegion": THERE}
    assert here["responseElements"] == there["responseElements"] == {"keyId": arn(key)}
    assert here["resources"] == [{"accountId": ACCOUNT, "type": "AWS::KMS::Key", "ARN": arn(key)}]
    assert "invokedBy" not in here["userIdentity"]
    assert (there["awsRegion"], there["userIdentity"]["invokedBy"]) == (THERE, "kms.amazonaws.com")
    assert there["requestParameters"] == {"keyId": arn(key, THERE), "primaryRegion": THERE}
    assert "resources" not in there and not there["readOnly"]


def test_waiting_for_replicas_is_told(house, kms, key):
    replicate(house, kms, key)
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=30)
    (event,) = house.trail("ScheduleKeyDeletion")
    assert event["responseElements"] == {"keyId": arn(key), "keyState": "PendingReplicaDeletion", "pendingWindowInDays": 30}


def test_synchronizing_is_told(house, kms, key):
    replicate(house, kms, key)
    (event,) = house.trail("SynchronizeMultiRegionKey")
    assert {n: v for n, v in event.items() if n not in ("eventID", "requestID")} == {
        "eventVersion": "1.11", "userIdentity": {"accountId": ACCOUNT, "invokedBy": "AWS Internal"}, "eventTime": "2026-05-20T20:45:01Z",
        "eventSource": "kms.amazonaws.com", "eventName": "SynchronizeMultiRegionKey", "awsRegion": HERE,
        "sourceIPAddress": "AWS Internal", "userAgent": "AWS Internal", "requestParameters": None,
        "responseElements": {"keyId": arn(key)}, "readOnly": False,
        "resources": [{"accountId": ACCOUNT, "type": "AWS::KMS::Key", "ARN": arn(key)}], "eventType": "AwsApiCall",
        "managementEvent": True, "recipientAccountId": ACCOUNT, "eventCategory": "Management"}
    assert re.fullmatch(UUID, event["requestID"])
    kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=90)
    house.clock(advance=1)
    assert len(house.trail("SynchronizeMultiRegionKey")) == 2
    house.clock(advance=90 * DAY)
    rotations = house.trail("RotateKey")
    assert sorted((e["awsRegion"], e["resources"][0]["ARN"]) for e in rotations) == [(HERE, arn(key)), (THERE, arn(key, THERE))]
    assert rotations[0]["serviceEventDetails"] == rotations[1]["serviceEventDetails"]
    assert len(house.pick("SynchronizeMultiRegionKey")) == 3


def test_keys_without_replicas_are_not_synchronized(house, kms, key):
    kms.enable_key_rotation(KeyId=key)
    house.clock(advance=366 * DAY)
    assert house.trail("SynchronizeMultiRegionKey") == [] and len(house.pick("RotateKey")) == 1
