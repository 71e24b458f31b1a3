"""The end of multi-Region keys, in the right order, and of the process: a kill leaves all of a change of several Regions or
nothing."""
import json
import threading

import pytest

from asking import code, members, refused, rotate
from multi_region import (DAY, ELSEWHERE, HERE, THERE, arn, configuration, days, described, history, replicate, rotation, state)


@pytest.fixture
def house(make_house):
    return make_house(ddbd=False)


@pytest.fixture
def key(kms):
    """The id of a new primary key."""
    return kms.create_key(MultiRegion=True)["KeyMetadata"]["KeyId"]


@pytest.fixture
def there(house):
    return house.kms(region=THERE)


# ---- the end of keys ----

def test_a_primary_key_waits_for_its_replicas(house, kms, key):
    there, elsewhere = replicate(house, kms, key), replicate(house, kms, key, ELSEWHERE)
    answer = kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=10)
    assert {n: answer[n] for n in members(answer)} == {"KeyId": arn(key), "KeyState": "PendingReplicaDeletion", "PendingWindowInDays": 10}
    waiting = described(kms, key)
    assert (waiting["KeyState"], waiting["Enabled"], waiting["PendingDeletionWindowInDays"]) == ("PendingReplicaDeletion", False, 10)
    assert "DeletionDate" not in waiting
    for call, more in ((kms.encrypt, {"Plaintext": b"x"}), (kms.replicate_key, {"ReplicaRegion": "eu-west-1"}),
                       (kms.update_primary_region, {"PrimaryRegion": THERE}), (kms.schedule_key_deletion, {})):
        assert refused(call, KeyId=key, **more) == ("KMSInvalidStateException", f"{arn(key)} is pending replica deletion.")
    house.clock(advance=365 * DAY)
    assert state(kms, key) == "PendingReplicaDeletion"
    blob = there.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    there.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    elsewhere.schedule_key_deletion(KeyId=key, PendingWindowInDays=8)
    house.clock(advance=7 * DAY)
    assert refused(there.describe_key, KeyId=key) == ("NotFoundException", f"Key '{arn(key, THERE)}' does not exist")
    assert code(there.decrypt, CiphertextBlob=blob) == "AccessDeniedException"
    assert described(kms, key)["MultiRegionConfiguration"] == configuration(key, "PRIMARY", HERE, ELSEWHERE)
    assert state(kms, key) == "PendingReplicaDeletion"
    house.clock(advance=DAY)
    gone = described(kms, key)
    assert gone["KeyState"] == "PendingDeletion" and "PendingDeletionWindowInDays" not in gone
    assert gone["DeletionDate"] == days(365 + 8 + 10, 2), "its own window begins now"
    house.clock(advance=10 * DAY - 1)
    assert state(kms, key) == "PendingDeletion"
    house.clock(advance=1)
    assert code(kms.describe_key, KeyId=key) == "NotFoundException"
    assert [e["awsRegion"] for e in house.trail("DeleteKey")] == [THERE, ELSEWHERE, HERE]
    assert code(kms.decrypt, CiphertextBlob=blob) == "AccessDeniedException", "still no garbage"
    house.kmsd.restart()
    assert code(kms.decrypt, CiphertextBlob=blob) == "AccessDeniedException"


def test_the_waiting_can_be_cancelled(house, kms, key):
    there = replicate(house, kms, key)
    kms.schedule_key_deletion(KeyId=key)
    assert kms.cancel_key_deletion(KeyId=key)["KeyId"] == arn(key)
    assert state(kms, key) == "Disabled" and "PendingDeletionWindowInDays" not in described(kms, key)
    there.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    house.clock(advance=7 * DAY)
    assert state(kms, key) == "Disabled", "and nothing is left of it"
    kms.enable_key(KeyId=key)
    assert replicate(house, kms, key).describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "Enabled", "a deleted replica can be made anew"


def test_without_replicas_it_is_as_any_key(house, kms, key):
    answer = kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    assert (answer["KeyState"], answer["DeletionDate"]) == ("PendingDeletion", days(7))
    house.clock(advance=7 * DAY)
    assert code(kms.describe_key, KeyId=key) == "NotFoundException"


def test_a_replica_that_waits_for_its_deletion(house, kms, key):
    there = replicate(house, kms, key)
    assert there.schedule_key_deletion(KeyId=key)["KeyState"] == "PendingDeletion"
    assert code(kms.replicate_key, KeyId=key, ReplicaRegion=THERE) == "AlreadyExistsException"
    rotated = rotate(kms, key)
    there.cancel_key_deletion(KeyId=key)
    there.enable_key(KeyId=key)
    assert described(there, key)["CurrentKeyMaterialId"] == rotated


def test_a_replica_that_is_scheduled_while_it_is_created(house, kms, there, key):
    kms.replicate_key(KeyId=key, ReplicaRegion=THERE)
    there.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    house.clock(advance=1)
    assert state(there, key) == "PendingDeletion"
    there.cancel_key_deletion(KeyId=key)
    assert state(there, key) == "Disabled"


# ---- the end of the process ----

def family(house, key, *regions):
    """All that related keys share, as every Region shows it; it must be the same everywhere."""
    shown = []
    for region in regions:
        kms = house.kms(region=region)
        metadata = described(kms, key)
        config = metadata["MultiRegionConfiguration"]
        assert (config["MultiRegionKeyType"] == "PRIMARY") == (config["PrimaryKey"]["Region"] == region)
        shown.append((config["PrimaryKey"], config["ReplicaKeys"], rotation(kms, key), history(kms, key)))
    assert all(s == shown[0] for s in shown)
    return shown[0]


@pytest.mark.parametrize("ending", ["restart", "kill"])
def test_families_survive_the_end_of_the_process(house, kms, key, ending):
    replicate(house, kms, key)
    kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=90)
    house.clock(advance=90 * DAY)
    kms.replicate_key(KeyId=key, ReplicaRegion=ELSEWHERE)
    kms.update_primary_region(KeyId=key, PrimaryRegion=THERE)
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    before = family(house, key, HERE, THERE, ELSEWHERE)
    now = house.clock()["now"]
    if ending == "kill":
        house.kmsd.kill()
        house.kmsd.start()
    else:
        house.kmsd.restart()
    house.clock(set=now)
    assert family(house, key, HERE, THERE, ELSEWHERE) == before
    house.clock(advance=1)
    for region in (HERE, THERE, ELSEWHERE):
        client = house.kms(region=region)
        assert state(client, key) == "Enabled" and client.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
    house.clock(advance=90 * DAY)
    assert len(family(house, key, HERE, THERE, ELSEWHERE)[3]) == 3


def test_killed_in_the_middle(house, kms):
    """A change of two Regions is there in both or in neither; and the trail has what was answered."""
    answered = []
    for n in range(12):
        key = kms.create_key(MultiRegion=True)["KeyMetadata"]["KeyId"]
        replicate(house, kms, key)
        done = threading.Event()

        def change():
            try:
                kms_a, kms_b = house.kms(), house.kms(region=THERE)
                answered.append(kms_a.replicate_key(KeyId=key, ReplicaRegion=ELSEWHERE)["ResponseMetadata"]["RequestId"])
                done.set()
                for client, region in ((kms_a, THERE), (kms_b, HERE)) * 50:
                    answered.append(client.update_primary_region(KeyId=key, PrimaryRegion=region)["ResponseMetadata"]["RequestId"])
            except Exception:  # noqa: BLE001 - the daemon is gone
                done.set()
        caller = threading.Thread(target=change)
        caller.start()
        if n % 2:
            done.wait(60)
        house.kmsd.kill()
        caller.join()
        house.kmsd.start()
        there = [HERE, THERE] + ([ELSEWHERE] if code_or_none(house.kms(region=ELSEWHERE), key) is None else [])
        primary, replicas, _, _ = family(house, key, *there)
        assert sorted([primary["Region"]] + [r["Region"] for r in replicas]) == sorted(there)
        kms = house.kms()
    told = [e["requestID"] for e in house.trail() if e["eventName"] in ("ReplicateKey", "UpdatePrimaryRegion", "CreateKey")]
    assert all(told.count(r) == 2 for r in answered), "one record in each of the two Regions"


def code_or_none(kms, key):
    try:
        kms.describe_key(KeyId=key)
    except kms.exceptions.NotFoundException as error:
        return error
    return None


# ---- seeds ----

def test_going_back_to_a_seed(make_house, tmp_path):
    key = "mrk-00112233445566778899aabbccddeeff"
    seed = {"Keys": [{"KeyId": key, "MultiRegion": True, "Material": 64 * "1", "Aliases": ["alias/everywhere"]}]}
    (tmp_path / "seed.json").write_text(json.dumps(seed))
    house = make_house(ddbd=False, kmsd=["--test-control", f"--seed-file={tmp_path}/seed.json"])
    kms = house.kms()
    made = described(kms, key)
    assert made["MultiRegionConfiguration"] == configuration(key, "PRIMARY", HERE)
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    for change in ("nothing more", "another primary Region", "a restart"):
        there = replicate(house, kms, key)
        assert there.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
        if change == "another primary Region":
            kms.update_primary_region(KeyId=key, PrimaryRegion=THERE)
        house.kmsd.post("/_kmsd/reset", {})
        if change == "a restart":
            house.kmsd.restart()
        assert code(there.describe_key, KeyId=key) == "NotFoundException"
        assert described(kms, key) == made and kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
