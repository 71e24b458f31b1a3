"""Keys really go when the clock reaches their date, and only then."""
import contextlib
import datetime
import sqlite3

import pytest

from asking import code, pages
from conftest import START
from daemons import ACCOUNT, until

DAY = 86400
BOB = f"arn:aws:iam::{ACCOUNT}:user/bob"


@pytest.fixture
def house(make_house):
    return make_house(ddbd=False)


def exists(kms, key):
    try:
        return kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"]
    except kms.exceptions.NotFoundException:
        return None


@pytest.mark.parametrize("days", [7, 30])
def test_a_key_goes_on_its_day(house, kms, key, days):
    kms.create_alias(AliasName="alias/short-lived", TargetKeyId=key)
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    grant = kms.create_grant(KeyId=key, GranteePrincipal=BOB, RetiringPrincipal=BOB, Operations=["Decrypt"])
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=days)
    house.clock(advance=days * DAY - 1)
    assert exists(kms, key) == "PendingDeletion"
    house.clock(advance=1)
    assert exists(kms, key) is None
    assert [k["KeyId"] for k in kms.list_keys()["Keys"]] == []
    assert not any("TargetKeyId" in a for a in kms.list_aliases()["Aliases"]), "its aliases go with it"
    assert kms.list_retirable_grants(RetiringPrincipal=BOB)["Grants"] == [], "and its grants"
    assert code(kms.decrypt, CiphertextBlob=blob) in ("AccessDeniedException", "InvalidCiphertextException")
    assert code(kms.decrypt, CiphertextBlob=blob, KeyId=key) == "NotFoundException"
    assert code(kms.retire_grant, GrantToken=grant["GrantToken"]) == "InvalidGrantTokenException"
    assert code(kms.cancel_key_deletion, KeyId=key) == "NotFoundException"
    kms.create_alias(AliasName="alias/short-lived", TargetKeyId=kms.create_key()["KeyMetadata"]["KeyId"])


def test_the_trail_tells_of_it(house, kms, key):
    arn = kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)["KeyId"]
    house.clock(advance=7 * DAY)
    (event,) = house.trail("DeleteKey")
    assert event["eventType"] == "AwsServiceEvent" and event["resources"][0]["ARN"] == arn
    assert event["userIdentity"] == {"accountId": ACCOUNT, "invokedBy": "AWS Internal"}


def test_its_sealed_material_is_wiped_from_the_disk(house, kms, key):
    state = house.folder / "kmsd/state/state.db"
    assert house.kmsd.terminate() == 0
    with contextlib.closing(sqlite3.connect(state)) as db:
        tables = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        values = [bytes(v) for t in tables for row in db.execute(f'SELECT * FROM "{t}"') for v in row
                  if isinstance(v, bytes) and len(v) > 60]
    # The sealed material is the only run of 40 bytes that is neither text nor numbers.
    runs = {v[i:i + 40] for v in values for i in range(0, len(v) - 40)}
    parts = {run for run in runs if sum(32 <= c < 127 for c in run) < 24 and run.count(0) < 8}
    assert parts and any(p in state.read_bytes() for p in parts)
    house.kmsd.start()
    house.kms().schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    house.clock(advance=7 * DAY)
    assert house.kmsd.terminate() == 0
    left = b"".join(f.read_bytes() for f in state.parent.glob("state.db*"))
    assert not any(p in left for p in parts)
    house.kmsd.start()
    assert exists(house.kms(), key) is None


def test_cancelling(house, kms, key):
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    house.clock(advance=7 * DAY - 1)
    kms.cancel_key_deletion(KeyId=key)
    house.clock(advance=365 * DAY)
    assert exists(kms, key) == "Disabled"
    kms.enable_key(KeyId=key)
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"


def test_scheduling_again_starts_a_new_window(house, kms, key):
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    kms.cancel_key_deletion(KeyId=key)
    house.clock(advance=3 * DAY)
    answer = kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=8)
    assert answer["DeletionDate"] == datetime.datetime.fromisoformat(START.replace("Z", "+00:00")) + datetime.timedelta(11)
    house.clock(advance=7 * DAY)
    assert exists(kms, key) == "PendingDeletion"
    house.clock(advance=DAY)
    assert exists(kms, key) is None


def test_many_keys_go_each_on_its_day(house, kms):
    keys = {days: [kms.create_key()["KeyMetadata"]["KeyId"] for _ in range(3)] for days in range(7, 31)}
    for days, ids in keys.items():
        for key in ids:
            kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=days)
    for day in range(1, 31):
        house.clock(advance=DAY)
        if day in (1, 6, 7, 8, 20, 29, 30):
            left = {k["KeyId"] for k in pages(kms.list_keys, "Keys")}
            assert left == {key for days, ids in keys.items() if days > day for key in ids}


def test_hundreds_in_one_step(house, kms):
    for _ in range(300):
        kms.schedule_key_deletion(KeyId=kms.create_key()["KeyMetadata"]["KeyId"], PendingWindowInDays=7)
    house.clock(advance=7 * DAY)
    assert kms.list_keys()["Keys"] == []
    assert len(house.trail("DeleteKey")) == 300


@pytest.mark.parametrize("ending", ["restart", "kill"])
def test_a_date_survives_the_end_of_the_process(house, kms, key, ending):
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=9)
    house.clock(advance=8 * DAY)
    if ending == "kill":
        house.kmsd.kill()
        house.kmsd.start()
    else:
        house.kmsd.restart()
    kms = house.kms()
    # The virtual clock starts anew where --clock says.
    m = kms.describe_key(KeyId=key)["KeyMetadata"]
    assert m["DeletionDate"] == datetime.datetime.fromisoformat(START.replace("Z", "+00:00")) + datetime.timedelta(9)
    house.clock(advance=9 * DAY)
    assert exists(kms, key) is None


def test_a_date_that_passed_while_kmsd_was_away(house, kms, key):
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    house.kmsd.terminate()
    house.kmsd.arguments = [a for a in house.kmsd.arguments if not a.startswith("--clock=")] + ["--clock=2026-07-01T00:00:00Z"]
    house.kmsd.start()
    until(lambda: exists(house.kms(), key) is None, "the key to go")
    assert len(house.trail("DeleteKey")) == 1


def test_a_real_clock_deletes_nothing_early(make_house):
    house = make_house(ddbd=False, virtual=False)
    kms = house.kms()
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    house.kmsd.restart()
    assert exists(house.kms(), key) == "PendingDeletion"


def test_the_end_of_time_comes_before_the_keys(make_house):
    """Times are nanoseconds in 64 bits: a date that lies beyond is never, not long ago."""
    house = make_house(ddbd=False, virtual=False, kmsd=["--clock=2262-04-01T00:00:00Z", "--clock-scale=0"])
    kms = house.kms()
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    assert kms.schedule_key_deletion(KeyId=key)["DeletionDate"].year == 2262
    house.clock(advance=86400)
    assert exists(kms, key) == "PendingDeletion"


def test_the_end_of_time_takes_no_key(make_house):
    """A clock that shows its last moment: what has no date, or one beyond, does not come."""
    house = make_house(ddbd=False, virtual=False, kmsd=["--clock=2262-04-11T00:00:00Z", "--clock-scale=0"])
    kms = house.kms()
    plain, rotating, waiting = (kms.create_key()["KeyMetadata"]["KeyId"] for _ in range(3))
    kms.enable_key_rotation(KeyId=rotating)
    kms.schedule_key_deletion(KeyId=waiting)
    house.clock(set="2262-04-11T23:47:16.854775807Z")
    assert [exists(kms, k) for k in (plain, rotating, waiting)] == ["Enabled", "Enabled", "PendingDeletion"]
    assert kms.list_key_rotations(KeyId=rotating)["Rotations"] == []
    assert exists(kms, kms.create_key(MultiRegion=True)["KeyMetadata"]["KeyId"]) == "Enabled", "and work goes on"
