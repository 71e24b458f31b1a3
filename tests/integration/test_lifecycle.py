"""Starts and ends: in which order they come, what survives, and that an end under load loses nothing and hangs on nobody."""
import collections
import contextlib
import fcntl
import json
import os
import pathlib
import shutil
import signal
import socket
import threading

import botocore.exceptions
import pytest

from asking import pages
from conftest import VIRTUAL
from daemons import ACCOUNT, PATIENCE, Daemon, in_threads, until
from tables import MANAGED, OWNED, definition, describe, get, make_table, put, until_active


def request_id(answer):
    return answer["ResponseMetadata"]["RequestId"]


class Load:
    """Threads that call until they are told to stop or the daemon is gone; what was answered is noted."""

    def __init__(self, *calls):
        self.answered, self.refused, self.stop = [], collections.Counter(), threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(call,)) for call in calls]
        for thread in self.threads:
            thread.start()

    def run(self, call):
        while not self.stop.is_set():
            try:
                self.answered.append(call())
            except botocore.exceptions.ClientError as error:
                self.refused[error.response["Error"]["Code"]] += 1
            except (botocore.exceptions.BotoCoreError, OSError):
                return

    def wait(self, n):
        until(lambda: len(self.answered) >= n or not any(t.is_alive() for t in self.threads), f"{n} answers")

    def end(self):
        self.stop.set()
        for thread in self.threads:
            thread.join(PATIENCE)
        assert not any(thread.is_alive() for thread in self.threads)
        return self.answered


def check_trail(house, ids):
    counted = collections.Counter(e["requestID"] for e in house.delivered() if "requestID" in e)
    assert not set(ids) - set(counted), "answered calls are missing"
    assert max(counted.values()) == 1
    assert len({e["eventID"] for e in house.delivered()}) == len(house.delivered())


# ---- the end ----

@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_kmsd_ends_under_load(make_house, number):
    """Everything answered is delivered, also while strangers hold connections and wait for the clock."""
    house = make_house(ddbd=False)
    key = house.kms().create_key()["KeyMetadata"]["KeyId"]
    held = [socket.create_connection(("127.0.0.1", house.kmsd.port)) for _ in range(20)]
    held[0].sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
    held[1].sendall(b"POST / HT")
    held[2].sendall(b"GET /_kmsd/clock?after=%d HTTP/1.1\r\nHost: x\r\n\r\n" % house.clock()["generation"])

    def caller():
        client = house.kms()
        return lambda: request_id(client.generate_data_key(KeyId=key, KeySpec="AES_256"))
    load = Load(*[caller() for _ in range(4)])
    load.wait(50)
    house.kmsd.signal(number)
    assert house.kmsd.process.wait(PATIENCE) == 0
    ids = load.end()
    assert not load.refused
    check_trail(house, ids)
    for wire in held:
        wire.close()


def test_ddbd_ends_under_load(make_house):
    house = make_house()
    client = house.dynamodb()
    table = make_table(client, sse=MANAGED)
    stored = {}

    def caller(i):
        client, n = house.dynamodb(), iter(range(10**9))

        def call():
            name = f"{i}-{next(n)}"
            put(client, table, name, x=name)
            stored[name] = True
            return request_id(client.describe_table(TableName=table))
        return call
    load = Load(*[caller(i) for i in range(3)])
    load.wait(30)
    assert house.ddbd.terminate() == 0
    ids = load.end()
    assert not load.refused
    assert house.kmsd.terminate() == 0
    check_trail(house, ids)
    house.kmsd.start()
    house.ddbd.start()
    client = house.dynamodb()
    for name in stored:
        assert get(client, table, name) == {"x": name}


def test_both_end_with_much_to_deliver(make_house):
    house = make_house()
    kms, dynamodb = house.kms(), house.dynamodb()
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    make_table(dynamodb, sse=MANAGED)
    for _ in range(500):
        kms.generate_data_key(KeyId=key, KeySpec="AES_256", EncryptionContext={"x": "y" * 4000})
        dynamodb.list_tables()
    for daemon in (house.ddbd, house.kmsd):
        assert daemon.terminate() == 0
    assert len(house.pick("ListTables")) == len(house.pick("GenerateDataKey")) - 1 == 500


def test_kmsd_ends_first(make_house):
    """ddbd goes on with what it can, and ends well afterwards."""
    house = make_house()
    client = house.dynamodb()
    warm, owned = make_table(client, sse=MANAGED), make_table(client, sse=OWNED)
    put(client, warm, "a", x="1")
    assert house.kmsd.terminate() == 0
    assert get(client, warm, "a") == {"x": "1"}
    put(client, owned, "a", x="1")
    ids = [request_id(client.list_tables()) for _ in range(3)]
    until(lambda: house.ddbd.get("/_ddbd/health")["kms"] == "unreachable", "ddbd to notice")
    assert house.ddbd.terminate() == 0
    house.kmsd.start()
    house.ddbd.start()
    assert house.ddbd.get("/_ddbd/health")["kms"] == "reachable"
    assert get(house.dynamodb(), warm, "a") == {"x": "1"}
    house.stop()
    check_trail(house, ids)


def test_a_second_signal_does_no_harm(make_house):
    house = make_house()
    ids = [request_id(house.kms().list_keys()) for _ in range(20)]
    for daemon in (house.ddbd, house.kmsd):
        while daemon.process.poll() is None:  # to the very end
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                daemon.signal(number)
        assert daemon.process.returncode == 0
    check_trail(house, ids)


def test_signals_that_are_none_of_ours(make_house):
    house = make_house()
    for daemon in (house.kmsd, house.ddbd):
        for number in (signal.SIGPIPE, signal.SIGHUP, signal.SIGCONT):
            daemon.signal(number)
        assert daemon.get(f"/_{daemon.name}/health")["status"] == "ok"


# ---- health ----

def test_health_of_kmsd(make_house):
    house = make_house(ddbd=False)
    kms = house.kms()
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName="alias/a", TargetKeyId=key)
    kms.create_grant(KeyId=key, GranteePrincipal=f"arn:aws:iam::{ACCOUNT}:user/x", Operations=["Decrypt"])
    health = house.kmsd.get("/_kmsd/health")
    assert health.pop("version")
    assert health == {"status": "ok", "account": ACCOUNT, "now": house.clock()["now"], "keys": 1, "aliases": 1, "grants": 1,
                      "deliveredFiles": 0, "deliveredRecords": 0}
    house.clock(advance=300)
    health = house.kmsd.get("/_kmsd/health")
    assert (health["deliveredFiles"], health["deliveredRecords"]) == (1, 3)
    assert {e["eventName"] for e in house.delivered()} == {"CreateKey", "CreateAlias", "CreateGrant"}  # of itself nothing is said


def test_health_of_ddbd(make_house):
    house = make_house()
    health = house.ddbd.get("/_ddbd/health")
    assert (health["status"], health["kms"], health["cachedKeys"]) == ("ok", "reachable", 0)
    client = house.dynamodb()
    put(client, make_table(client, sse=MANAGED), "a")
    assert house.ddbd.get("/_ddbd/health")["cachedKeys"] == 1


# ---- the start ----

def test_ddbd_starts_first(make_house):
    """Without a kmsd: tables under the owned key work; the others when there is one."""
    house = make_house(start=False)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        house.kmsd.port = free.getsockname()[1]
    house.start_ddbd()
    client = house.dynamodb()
    owned = make_table(client, sse=OWNED)
    put(client, owned, "a", x="1")
    house.kmsd.start()
    until(lambda: house.ddbd.get("/_ddbd/health")["kms"] == "reachable", "kmsd to be found")
    managed = make_table(client, sse=MANAGED)
    put(client, managed, "a", x="2")
    assert get(client, owned, "a") == {"x": "1"} and get(client, managed, "a") == {"x": "2"}
    credentials = json.loads((house.folder / "service-credentials").read_text())
    assert credentials["service"] == "dynamodb"


@pytest.mark.parametrize("ending", ["terminate", "kill"])
def test_everything_survives(make_house, ending):
    house = make_house()
    kms, client = house.kms(), house.dynamodb()
    key = kms.create_key(Description="kept", Tags=[{"TagKey": "a", "TagValue": "b"}])["KeyMetadata"]["KeyId"]
    off = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.disable_key(KeyId=off)
    doomed = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.schedule_key_deletion(KeyId=doomed, PendingWindowInDays=9)
    kms.create_alias(AliasName="alias/kept", TargetKeyId=key)
    kms.create_grant(KeyId=key, GranteePrincipal=f"arn:aws:iam::{ACCOUNT}:user/x", Operations=["Decrypt"], Name="n",
                     Constraints={"EncryptionContextSubset": {"a": "b"}})
    blob = kms.encrypt(KeyId=key, Plaintext=b"kept", EncryptionContext={"a": "b"})["CiphertextBlob"]
    table = make_table(client, sse={**MANAGED, "KMSMasterKeyId": key})
    put(client, table, "a", x="kept")

    def seen():
        kms, client = house.kms(), house.dynamodb()
        assert kms.decrypt(CiphertextBlob=blob, EncryptionContext={"a": "b"})["Plaintext"] == b"kept"
        assert get(client, table, "a") == {"x": "kept"}
        return ([kms.describe_key(KeyId=k)["KeyMetadata"] for k in (key, off, doomed)], pages(kms.list_aliases, "Aliases"),
                pages(kms.list_grants, "Grants", KeyId=key), kms.list_resource_tags(KeyId=key)["Tags"],
                kms.get_key_policy(KeyId=key)["Policy"], describe(client, table))
    before = seen()
    for _ in range(3):
        for daemon in (house.ddbd, house.kmsd):
            assert getattr(daemon, ending)() in (0, None)
        house.kmsd.start()
        house.ddbd.start()
        assert seen() == before


def test_a_table_whose_making_was_interrupted(make_house):
    """CreateTable was answered, and both are killed: the table becomes ACTIVE after all."""
    house = make_house()
    for n in range(5):
        name = f"table-{n}"
        house.dynamodb().create_table(**definition(name, SSESpecification=MANAGED))
        house.ddbd.kill()
        if n % 2:
            house.kmsd.kill()
            house.kmsd.start()
        house.ddbd.start()
        until_active(house.dynamodb(), name)
        put(house.dynamodb(), name, "a", x="1")


def made_faster_than_they_become_active(house, n):
    """CreateTable's request ids; their files are still to be made when the last one is answered."""
    ids = []

    def create(i):
        client = house.dynamodb()
        for m in range(n // 4):
            ids.append(request_id(client.create_table(**definition(f"table-{i}-{m}", SSESpecification=OWNED))))
    in_threads(4, create)
    return ids


@pytest.mark.parametrize("ending", ["terminate", "kill"])
def test_many_tables_to_make(make_house, ending):
    """Many tables wait for their files over an end and a start; each becomes ACTIVE, each is in the trail once."""
    house = make_house()
    ids = made_faster_than_they_become_active(house, 100)
    getattr(house.ddbd, ending)()
    house.ddbd.start()
    ids += [request_id(house.dynamodb().list_tables()) for _ in range(3)]
    client = house.dynamodb()
    for page in client.get_paginator("list_tables").paginate():
        for name in page["TableNames"]:
            until_active(client, name)
    assert house.ddbd.terminate() == 0 and house.kmsd.terminate() == 0
    check_trail(house, ids)
    assert len(house.pick("CreateTable")) == 100


def test_the_end_comes_before_many_tables_are_made(make_house):
    """Their files are the disk's work, one after the other; nobody waits for all of them: not a signal, not the trail."""
    house = make_house()
    ids = made_faster_than_they_become_active(house, 800)
    house.ddbd.kill()
    house.ddbd.start()
    assert house.ddbd.terminate() == 0
    assert house.kmsd.terminate() == 0
    check_trail(house, ids)


# ---- the end while the other one hangs ----

def test_ddbd_ends_while_kmsd_hangs(make_house):
    """Calls that wait for it are answered or cut off, those that were answered count, events stay for the next time."""
    house = make_house()
    warm, cold = house.dynamodb(), house.dynamodb("444455556666", "x")
    table = make_table(warm, sse=MANAGED)
    other = make_table(cold, sse=MANAGED)  # another account, whose key is not in the cache
    put(warm, table, "a", x="1")
    house.kmsd.signal(signal.SIGSTOP)
    load = Load(*[lambda n=n, c=house.dynamodb("444455556666", "x"): put(c, other, f"item{n}", x="1") or n for n in range(4)],
                lambda: house.dynamodb().create_table(**definition(SSESpecification=MANAGED)))
    ids = [request_id(warm.list_tables()) for _ in range(5)]
    put(warm, table, "b", x="2")
    until(lambda: unread(house.kmsd.port) >= 2, "calls to wait for kmsd")
    assert house.ddbd.terminate() == 0
    put_by_then = load.end()
    assert not put_by_then and set(load.refused) <= {"InternalServerError", "ServiceUnavailable"}
    house.kmsd.signal(signal.SIGCONT)
    house.ddbd.start()
    warm = house.dynamodb()
    assert get(warm, table, "a") == {"x": "1"} and get(warm, table, "b") == {"x": "2"}
    put(cold_again := house.dynamodb("444455556666", "x"), other, "a", x="3")
    assert get(cold_again, other, "a") == {"x": "3"}
    ids.append(request_id(warm.list_tables()))
    house.stop()
    check_trail(house, ids)


def unread(port):
    """How many connections to that port of this machine hold what nobody has read."""
    lines = [line.split() for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(line[1].endswith(f":{port:04X}") and line[3] == "01" and int(line[4].split(":")[1], 16) > 0 for line in lines)


def test_kmsd_ends_while_ddbd_hangs(make_house):
    """A change of the clock waits for it; the end waits for neither."""
    house = make_house()
    ids = [request_id(house.kms().list_keys()) for _ in range(5)]
    house.ddbd.signal(signal.SIGSTOP)
    wire = socket.create_connection(("127.0.0.1", house.kmsd.port))
    wire.sendall(b"POST /_kmsd/clock HTTP/1.1\r\nHost: x\r\nContent-Length: 14\r\n\r\n{\"advance\": 5}")
    until(lambda: house.clock()["now"].endswith("45:05Z"), "the clock to move")
    assert house.kmsd.terminate() == 0
    wire.close()
    house.ddbd.signal(signal.SIGCONT)
    house.kmsd.start()
    ids.append(request_id(house.dynamodb().list_tables()))
    until(lambda: house.ddbd.get("/_ddbd/health")["kms"] == "reachable", "ddbd to find kmsd")
    house.stop()
    check_trail(house, ids)


def test_kmsd_ends_while_ddbd_asks(make_house):
    """A table key is held for a millisecond only: what kmsd answered is in the trail, what it did not is AWS's error to the caller."""
    house = make_house(ddbd_args=["--key-cache-ttl=1ms"])
    house.clock(scale=1)
    client = house.dynamodb()
    table = make_table(client, sse=MANAGED)
    put(client, table, "a", x="1")

    def caller():
        client = house.dynamodb()

        def call():
            assert get(client, table, "a") == {"x": "1"}
            return request_id(client.describe_table(TableName=table))
        return call
    load = Load(*[caller() for _ in range(4)])
    for _ in range(3):
        load.wait(len(load.answered) + 20)
        assert house.kmsd.terminate() == 0
        house.kmsd.start()
        until(lambda: house.ddbd.get("/_ddbd/health")["kms"] == "reachable", "ddbd to find kmsd")
    load.wait(len(load.answered) + 20)
    ids = load.end()
    assert set(load.refused) <= {"InternalServerError"}
    assert get(client, table, "a") == {"x": "1"}
    house.stop()
    check_trail(house, ids)
    assert len(house.pick("Decrypt")) >= 4  # one a life of kmsd at least; callers at the same time share one


def test_the_end_comes_while_it_starts(make_house):
    """At any moment of the start: it ends, in order once it has begun to listen, and the next start finds all in order."""
    house = make_house()
    kms = house.kms()
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    table = make_table(house.dynamodb(), sse=MANAGED)
    put(house.dynamodb(), table, "a", x="1")
    for kmsd_is_there in (True, False):
        if not kmsd_is_there:
            house.kmsd.terminate()
        for daemon in (house.ddbd, house.kmsd):
            daemon.terminate()
            for n in range(25):
                daemon.start(wait=False)
                for _ in range(n * 40):  # a little later every time
                    daemon.log_text()
                daemon.process.send_signal(signal.SIGTERM)
                assert daemon.process.wait(PATIENCE) in (0, -signal.SIGTERM), daemon.log_text()
                assert daemon.process.returncode == 0 or "listening" not in daemon.log_text()
            if daemon is house.ddbd or kmsd_is_there:
                daemon.start()
    house.kmsd.start()
    until(lambda: house.ddbd.get("/_ddbd/health")["kms"] == "reachable", "ddbd to find kmsd")
    assert [k["KeyId"] for k in house.kms().list_keys()["Keys"] if k["KeyId"] == key]
    assert get(house.dynamodb(), table, "a") == {"x": "1"}


# ---- without state on the disk ----

@pytest.fixture
def in_memory(make_house, tmp_path, monkeypatch):
    """Both without state; TMPDIR is the test's own."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    house = make_house(start=False)
    credentials = f"--service-credentials={house.folder}/service-credentials"
    house.trail_dir = house.folder / "trail"
    house.kmsd.arguments = [*VIRTUAL, "--state-dir=:memory:", credentials, f"--trail-dir={house.trail_dir}", f"--account={ACCOUNT}"]
    house.ddbd_arguments = ["--state-dir=:memory:", credentials, f"--account={ACCOUNT}"]
    return house


def folders_in_memory(daemon):
    """The folders below /dev/shm and the temporary one in which it has files open."""
    places = ("/dev/shm/", os.environ["TMPDIR"] + "/")
    found = set()
    for fd in pathlib.Path(f"/proc/{daemon.process.pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            path = str(fd.readlink())
            found |= {"/".join(path.split("/")[:place.count("/") + 1]) for place in places if path.startswith(place)}
    return {pathlib.Path(path) for path in found}


def test_nothing_of_what_was_in_memory_is_left(in_memory, tmp_path):
    house = in_memory.start()
    dynamodb = house.dynamodb()
    tables = [make_table(dynamodb, sse=sse) for sse in (MANAGED, OWNED)]
    for table in tables:
        put(dynamodb, table, "a", x="what was said in confidence")
        assert get(dynamodb, table, "a") == {"x": "what was said in confidence"}
    (folder,) = folders_in_memory(house.ddbd)
    assert folder.stat().st_mode & 0o777 == 0o700 and list(folder.iterdir())
    assert not folders_in_memory(house.kmsd)
    for path in [p for p in folder.rglob("*") if p.is_file()]:
        assert b"in confidence" not in path.read_bytes()
    house.stop()
    assert not folder.exists()
    assert not list((tmp_path / "tmp").iterdir())
    assert {p.name for p in house.folder.iterdir()} == {"kmsd", "ddbd", "trail", "service-credentials"}
    assert {p.suffix for p in house.trail_dir.rglob("*") if p.is_file() and ".journal" not in p.parts} == {".gz"}
    names = collections.Counter(e["eventName"] for e in house.delivered())
    assert names["CreateTable"] == 2 and names["Decrypt"] == 1 and names["GenerateDataKey"] >= 1
    house.start()  # anew: nothing is there but the trail
    assert house.dynamodb().list_tables()["TableNames"] == [] and house.kms().list_keys()["Keys"] == []
    house.stop()
    assert collections.Counter(e["eventName"] for e in house.delivered())["CreateTable"] == 2


def test_what_a_killed_one_left_in_memory_goes_with_the_next(in_memory):
    """But nothing of one that lives, or may just be starting."""
    house = in_memory.start()
    (alive,) = folders_in_memory(house.ddbd)
    old, young = (alive.with_name(f"ddbd-{name}{os.getpid()}") for name in ("old", "new"))
    for folder in (old, young):
        (folder / "tables").mkdir(parents=True)
        (folder / "lock").touch()
    for folder in (old, alive):
        os.utime(folder, (0, 0))
    try:
        other = Daemon("ddbd", house.folder / "second", [f"--kms-url={house.kmsd.url}", *house.ddbd_arguments]).start()
        assert other.terminate() == 0
        assert not old.exists() and young.exists() and alive.exists()
        house.dynamodb().list_tables()
    finally:
        for folder in (old, young):
            shutil.rmtree(folder, ignore_errors=True)


def test_refused_starts_leave_nothing_in_memory(in_memory, tmp_path):
    house = in_memory.start(ddbd=False)
    before = set(pathlib.Path("/dev/shm").glob("ddbd-*"))
    daemon = Daemon("ddbd", house.folder / "second", [*house.ddbd_arguments, f"--listen=127.0.0.1:{house.kmsd.port}"])
    daemon.start(wait=False)
    assert daemon.process.wait(PATIENCE) == 1 and "already in use" in daemon.log_text()
    until(lambda: all(is_locked(p) for p in set(pathlib.Path("/dev/shm").glob("ddbd-*")) - before), "only others' folders to be there")
    assert not list((tmp_path / "tmp").iterdir())


def is_locked(folder):
    """Some process holds it, or it is gone."""
    try:
        with open(folder / "lock") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return False
    except BlockingIOError:
        return True
    except OSError:
        return not folder.exists()


def test_one_kmsd_a_trail_without_state(in_memory):
    """Two with nothing on the disk but the same trail would mix their journals."""
    house = in_memory.start(ddbd=False)
    second = Daemon("kmsd", house.folder / "second", house.kmsd.arguments)
    second.start(wait=False)
    assert second.process.wait(PATIENCE) == 1
    assert "is in use by another process" in second.log_text() and str(house.trail_dir) in second.log_text()
    assert house.kms().list_keys()["Keys"] == []
