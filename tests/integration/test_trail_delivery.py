"""Log files: where they lie, what they hold, when they come; each event once, whatever cannot be written or is away."""
import collections
import contextlib
import gzip
import json
import os
import re
import resource
import subprocess

import botocore.exceptions
import pytest

from asking import code, refused
from daemons import ACCOUNT, until
from tables import definition, make_table

NAME = re.compile(r"AWSLogs/(?P<account>\d{12})/CloudTrail/(?P<region>[a-z0-9-]+)/(?P<date>\d{4}/\d\d/\d\d)/"
                  r"(?P=account)_CloudTrail_(?P=region)_(?P<time>\d{8}T\d{4}Z)_[A-Za-z0-9]{16}\.json\.gz")


def request_id(answer):
    return answer["ResponseMetadata"]["RequestId"]


def names(house):
    return [str(path.relative_to(house.trail_dir)) for path in house.log_files()]


def everything(house):
    """Every file under the trail's folder."""
    return [path for path in house.trail_dir.rglob("*") if path.is_file()] if house.trail_dir.exists() else []


def check_once(house, acknowledged):
    """Every acknowledged request is delivered, and no event twice."""
    events = house.delivered()
    for member in ("eventID", "requestID"):
        ids = collections.Counter(e[member] for e in events if member in e and "sharedEventID" not in e)
        assert ids and max(ids.values()) == 1, [i for i, n in ids.items() if n > 1]
    missing = set(acknowledged) - {e.get("requestID") for e in events}
    assert not missing, f"{len(missing)} of {len(acknowledged)}"
    return events


# ---- names and contents ----

def test_names_and_folders(make_house):
    house = make_house(ddbd=False)
    clients = {(account, region): house.kms(account, region=region) for account in ("111122223333", "444455556666")
               for region in ("us-east-1", "eu-central-1")}
    for client in clients.values():
        client.list_keys()
        client.list_aliases()
    assert everything(house) == []  # not before the interval is over
    house.clock(advance=299)
    assert everything(house) == []
    house.clock(advance=1)
    found = [NAME.fullmatch(name) for name in names(house)]
    assert len(found) == 4 and all(found) and len(everything(house)) == 4
    assert {(m["account"], m["region"]) for m in found} == set(clients)
    assert {(m["date"], m["time"]) for m in found} == {("2026/05/20", "20260520T2050Z")}
    for path in house.log_files():
        packed = path.read_bytes()
        assert packed[:3] == b"\x1f\x8b\x08"
        text = gzip.decompress(packed)
        assert text.startswith(b'{"Records":[{"eventVersion":"1.11",') and text.endswith(b"}]}") and b"\n" not in text
        document = json.loads(text)
        assert list(document) == ["Records"]
        place = path.parts[-7], path.parts[-5]
        assert [(e["recipientAccountId"], e["awsRegion"]) for e in document["Records"]] == [place] * 2
        assert [e["eventName"] for e in document["Records"]] == ["ListKeys", "ListAliases"]
        assert path.stat().st_mode & 0o077 == 0


def test_every_interval(make_house):
    house = make_house(ddbd=False)
    kms = house.kms()
    house.clock(advance=3 * 300)
    assert everything(house) == []  # nothing is delivered where nothing happened
    for n in range(1, 5):
        kms.list_keys()
        house.clock(advance=300)
        assert len(names(house)) == n
    house.clock(advance=3600)
    assert len(names(house)) == 4
    # Over midnight and the end of the year: the date is that of the delivery.
    house.clock(set="2026-12-31T23:59:00Z")
    kms.list_keys()
    house.clock(advance=300)
    assert NAME.fullmatch(names(house)[-1])["date"] == "2027/01/01"
    assert [e["eventTime"] for e in house.pick("ListKeys")][-1] == "2026-12-31T23:59:00Z"
    # A clock that was set back does not put delivery off.
    house.clock(set="2026-01-01T00:00:00Z")
    kms.list_keys()
    house.clock(advance=300)
    assert len(names(house)) == 6


def test_an_interval_of_ones_own(make_house):
    house = make_house(ddbd=False, kmsd=["--trail-interval=10m"])
    house.kms().list_keys()
    house.clock(advance=599)
    assert everything(house) == []
    house.clock(advance=1)
    assert len(names(house)) == 1


def test_at_the_end(make_house):
    """SIGTERM delivers what waits; under a real clock too, with short intervals too."""
    for virtual in (True, False):
        house = make_house(ddbd=False, virtual=virtual)
        ids = [request_id(house.kms().list_keys()) for _ in range(5)]
        assert house.kmsd.terminate() == 0
        check_once(house, ids)
        before = names(house)
        house.kmsd.start()
        assert house.kmsd.terminate() == 0
        assert names(house) == before  # nothing happened, so nothing is delivered


def test_a_real_clock_delivers(make_house):
    house = make_house(ddbd=False, virtual=False, kmsd=["--trail-interval=1s"])
    answer = house.kms().list_keys()
    until(lambda: house.pick(requestID=request_id(answer)), "a delivery")


def test_no_name_is_used_twice(make_house):
    """Also with a seed, after which every start makes the same names."""
    house = make_house(ddbd=False, kmsd=["--seed=7", "--workers=1"])
    ids = []
    for n in range(4):
        ids.append(request_id(house.kms().list_keys()))
        house.kmsd.restart()
    assert len(names(house)) == 4
    assert {e["requestID"] for e in house.delivered()} == set(ids)


def test_a_trail_folder_elsewhere(make_house, tmp_path):
    house = make_house(ddbd=False, kmsd=[f"--trail-dir={tmp_path}/else/where"])
    house.trail_dir = tmp_path / "else" / "where"
    answer = house.kms().list_keys()
    assert house.trail("ListKeys")[0]["requestID"] == request_id(answer)
    assert not (house.folder / "kmsd/state/trail").exists()


def test_state_in_memory_keeps_the_trail(make_house, tmp_path):
    house = make_house(ddbd=False, start=False)
    trail = tmp_path / "trail"
    house.kmsd.arguments = [a for a in house.kmsd.arguments if not a.startswith("--state-dir")] + [
        "--state-dir=:memory:", f"--trail-dir={trail}"]
    house.trail_dir = trail
    house.kmsd.start()
    ids = [request_id(house.kms().create_key())]
    house.kmsd.kill()
    house.kmsd.start()
    assert house.kms().list_keys()["Keys"] == []
    ids.append(request_id(house.kms().create_key()))
    house.kmsd.restart()
    check_once(house, ids)


# ---- large ----

def test_large_deliveries_are_split(make_house):
    """Files end well before 50 MB (before compression); nothing is lost between them. Memory goes back."""
    house = make_house(ddbd=False, kmsd=["--workers=1"])
    kms = house.kms(parameter_validation=False)
    ids = []
    for _ in range(560):
        with pytest.raises(kms.exceptions.ClientError) as caught:
            kms.create_key(Description="x" * 95_000)  # too long, and shown whole in the record
        ids.append(request_id(caught.value.response))
    idle = house.kmsd.memory_kib()
    house.clock(advance=300)
    sizes = [len(gzip.decompress(path.read_bytes())) for path in house.log_files()]
    assert sum(sizes) > 50_000_000 and len(sizes) > 1 and max(sizes) <= 50_000_000
    check_once(house, ids)
    assert house.kmsd.memory_kib() < idle + 16 * 1024


# ---- what cannot be written ----

@pytest.mark.skipif(os.geteuid() != 0, reason="mounts")
def test_a_full_trail_folder(make_house, tmp_path):
    """Log files wait until there is room; calls go on."""
    trail = tmp_path / "small"
    trail.mkdir()
    with mounted(trail, "1m"):
        (trail / "filling").write_bytes(os.urandom(1 << 20)[:(1 << 20) - 8192])
        house = make_house(ddbd=False, kmsd=[f"--trail-dir={trail}"])
        house.trail_dir = trail
        kms = house.kms()
        key = kms.create_key()["KeyMetadata"]["KeyId"]
        ids = [request_id(kms.generate_data_key(KeyId=key, KeySpec="AES_256", EncryptionContext={"x": os.urandom(400).hex()}))
               for _ in range(50)]
        house.clock(advance=300)
        assert house.delivered() == [] and "log files cannot be delivered" in house.kmsd.log_text()
        ids.append(request_id(kms.list_keys()))
        (trail / "filling").unlink()
        house.clock(advance=300)
        check_once(house, ids)
        house.stop()


@contextlib.contextmanager
def mounted(folder, size):
    """A file system of its own, in memory; skips where that is not allowed."""
    if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], capture_output=True).returncode:
        pytest.skip("cannot mount")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def test_log_files_that_cannot_be_made(make_house):
    """A file in the way of the folder: events wait, over restarts and kills, and are delivered once there is a way."""
    house = make_house(ddbd=False)
    ids = [request_id(house.kms().list_keys())]
    house.trail_dir.mkdir(exist_ok=True)
    (house.trail_dir / "AWSLogs").write_text("in the way")
    house.clock(advance=300)
    assert "log files cannot be delivered" in house.kmsd.log_text()
    ids.append(request_id(house.kms().list_keys()))
    house.kmsd.restart()
    ids.append(request_id(house.kms().list_keys()))
    house.kmsd.kill()
    house.kmsd.start()
    ids.append(request_id(house.kms().list_keys()))
    (house.trail_dir / "AWSLogs").unlink()
    house.clock(advance=300)
    check_once(house, ids)
    assert len(house.delivered()) == 4


def limit_files(daemon, size):
    resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


@pytest.mark.parametrize("sync", ["always", "interval", "never"])
def test_a_journal_without_room(make_house, sync):
    """Calls that cannot be recorded are refused, before anything is done, with an answer; later all is well."""
    house = make_house(ddbd=False, kmsd=[f"--trail-sync={sync}", "--workers=1"])
    kms = house.kms()
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    ids, refusals = [], 0
    limit_files(house.kmsd, 1_300_000)  # the first megabyte of the journal is reserved, the second cannot be
    context = {"x": "y" * 8000}
    for _ in range(400):
        try:
            ids.append(request_id(kms.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext=context)))
        except botocore.exceptions.ClientError as error:
            assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 500
            assert error.response["Error"]["Code"] == "KMSInternalException"
            refusals += 1
    assert ids and refusals
    refused(kms.create_key)
    refused(kms.schedule_key_deletion, KeyId=key)
    assert code(kms.list_keys) == "KMSInternalException"
    assert house.kmsd.get("/_kmsd/health")["status"] == "ok"
    limit_files(house.kmsd, resource.RLIM_INFINITY)
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "Enabled"
    assert len(kms.list_keys()["Keys"]) == 1
    ids.append(request_id(kms.create_key()))
    house.kmsd.restart()
    events = check_once(house, ids)
    assert len([e for e in events if e["eventName"] == "Encrypt"]) == len(ids) - 1  # refused calls left nothing
    assert len(house.kms().list_keys()["Keys"]) == 2


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts")
def test_a_full_disk(make_house, tmp_path):
    """State, journal and all on a disk that fills up: kmsd refuses, or ends and comes back; what it said stays true."""
    disk = tmp_path / "disk"
    disk.mkdir()
    with mounted(disk, "6m"):
        house = make_house(ddbd=False, start=False, kmsd=["--workers=2"])
        house.kmsd.arguments = [a for a in house.kmsd.arguments if not a.startswith("--state-dir")] + [
            f"--state-dir={disk}/state", f"--trail-dir={tmp_path}/trail"]
        house.trail_dir = tmp_path / "trail"
        house.kmsd.start()
        kms = house.kms()
        ids, keys, refusals = [], [], 0
        for n in range(3000):
            try:
                answer = kms.create_key(Description="d" * 4000)
                ids.append(request_id(answer))
                keys.append(answer["KeyMetadata"]["KeyId"])
            except botocore.exceptions.ClientError:
                refusals += 1
            except botocore.exceptions.BotoCoreError:
                house.kmsd.process.wait(30)  # memory and disk did not agree: it ended
                refusals += 1
                break
            if refusals == 20:
                break
        assert refusals and keys
        if house.kmsd.process.poll() is None:
            assert house.kmsd.get("/_kmsd/health")["status"] == "ok"
            house.kmsd.kill()
            subprocess.run(["mount", "-o", "remount,size=64m", disk], check=True)
        house.kmsd.start()
        found = {k["KeyId"] for page in house.kms().get_paginator("list_keys").paginate() for k in page["Keys"]}
        assert set(keys) <= found
        ids.append(request_id(house.kms().create_key()))
        assert house.kmsd.terminate() == 0
        check_once(house, ids)


@pytest.mark.parametrize("damage", ["cut", "changed", "zeroed"])
def test_a_journal_that_was_damaged(make_house, damage):
    """A torn end is mended; bytes that were safe and are wrong are a refusal that names the file, never a silent gap."""
    house = make_house(ddbd=False, kmsd=["--workers=1", "--trail-sync=always"])
    ids = [request_id(house.kms().list_keys()) for _ in range(20)]
    house.kmsd.kill()
    (segment,) = (house.folder / "kmsd/state/journal").glob("w0-*.log")
    data = bytearray(segment.read_bytes())
    end = len(bytes(data).rstrip(b"\0"))
    if damage == "cut":  # in the middle of the last record
        data = data[:end - 100]
    elif damage == "zeroed":
        data[end - 100:end] = bytes(100)
    else:
        data[data.index(b"ListKeys")] ^= 1
    segment.write_bytes(data)
    if damage == "changed":
        with pytest.raises(AssertionError, match=segment.name):
            house.kmsd.start()
        house.kmsd.process.wait()
        house.kmsd.process = None
        return
    house.kmsd.start()
    house.kmsd.terminate()
    check_once(house, ids[:-1])
    assert len(house.delivered()) == 19


# ---- ddbd's events ----

def described(dynamodb, n=1):
    return [request_id(dynamodb.list_tables()) for _ in range(n)]


def test_ddbds_events_when_kmsd_was_away(make_house):
    house = make_house()
    dynamodb = house.dynamodb()
    make_table(dynamodb)  # under the owned key: kmsd is not needed
    ids = described(dynamodb, 3)
    assert house.kmsd.terminate() == 0
    ids += described(dynamodb, 20)
    house.kmsd.start()
    ids += described(dynamodb, 3)
    until(lambda: house.trail() and set(ids) <= {e.get("requestID") for e in house.delivered()}, "ddbd's events")
    # Killed in the middle of it all.
    for _ in range(5):
        ids += described(dynamodb, 10)
        house.kmsd.kill()
        ids += described(dynamodb, 10)
        house.kmsd.start()
    house.ddbd.terminate()
    house.kmsd.terminate()
    check_once(house, ids)


def test_ddbds_events_when_ddbd_was_killed(make_house):
    house = make_house()
    ids = []
    for n in range(10):
        ids += described(house.dynamodb(), 7)
        house.ddbd.kill()
        if n % 3 == 0:
            house.kmsd.kill()
            house.kmsd.start()
        house.ddbd.start()
    assert house.ddbd.terminate() == 0 and house.kmsd.terminate() == 0
    check_once(house, ids)


def test_ddbd_ends_while_kmsd_is_away(make_house):
    """Its events stay in its journal for the next time."""
    house = make_house()
    ids = described(house.dynamodb(), 5)
    house.kmsd.terminate()
    ids += described(house.dynamodb(), 5)
    assert house.ddbd.terminate() == 0
    house.kmsd.start()
    house.ddbd.start()
    ids += described(house.dynamodb(), 5)
    assert house.ddbd.terminate() == 0 and house.kmsd.terminate() == 0
    check_once(house, ids)


def journal_bytes(house):
    return sum(path.stat().st_size for path in (house.folder / "ddbd/state/journal").glob("*.log"))


def test_many_events_at_once(make_house):
    """More than one batch waits for kmsd."""
    house = make_house(ddbd_args=["--workers=2"])
    dynamodb = house.dynamodb(parameter_validation=False)
    house.kmsd.terminate()
    ids = []
    for n in range(120):
        with pytest.raises(botocore.exceptions.ClientError) as caught:
            dynamodb.create_table(**definition("no such;name" * 1000, AttributeDefinitions=[
                {"AttributeName": "n" * 255, "AttributeType": "S"}] * 150))
        ids.append(request_id(caught.value.response))
    assert journal_bytes(house) > 5_000_000
    house.kmsd.start()
    until(lambda: house.trail() and set(ids) <= {e.get("requestID") for e in house.delivered()}, "ddbd's events")
    house.ddbd.restart()
    assert journal_bytes(house) < 3_000_000  # what was handed over is forgotten
    house.ddbd.terminate()
    house.kmsd.terminate()
    check_once(house, ids)


# ---- reproducible ----

def story(house):
    """The same calls, always."""
    kms = house.kms()
    key = kms.create_key(Description="seeded")["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName="alias/seeded", TargetKeyId=key)
    grant = kms.create_grant(KeyId=key, GranteePrincipal=f"arn:aws:iam::{ACCOUNT}:user/x", Operations=["Decrypt"])
    house.clock(advance=60)
    kms.generate_data_key(KeyId="alias/seeded", KeySpec="AES_256")
    kms.revoke_grant(KeyId=key, GrantId=grant["GrantId"])
    refused(kms.describe_key, KeyId="alias/none")
    house.clock(advance=300)
    return key, grant["GrantId"]


def without_addresses(event):
    """Ports differ from run to run; key material, and with it its id, is never predictable."""
    text = re.sub(r"127\.0\.0\.1:\d+", "HOST", json.dumps(event))
    return re.sub(r'"(keyMaterialId|currentKeyMaterialId)": "[0-9a-f]{64}"', "MATERIAL", text)


def test_a_seed_makes_trails_reproducible(make_house):
    told = []
    for seed in ("5", "5", "6"):
        house = make_house(ddbd=False, kmsd=[f"--seed={seed}", "--workers=1"])
        ids = story(house)
        told.append((ids, names(house), [without_addresses(e) for e in house.delivered()]))
    assert told[0] == told[1]
    assert told[0][0] != told[2][0] and told[0][1] != told[2][1]
    assert not {json.loads(e)["eventID"] for e in told[0][2] if "MATERIAL" not in e} & {
        json.loads(e)["eventID"] for e in told[2][2] if "MATERIAL" not in e}
