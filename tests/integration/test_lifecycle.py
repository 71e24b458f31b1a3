"""Starts and ends: in which order they come, what survives, and that an end under load loses nothing and hangs on nobody."""
import collections
import json
import signal
import socket
import threading
import time

import botocore.exceptions
import pytest

from asking import pages
from daemons import ACCOUNT, PATIENCE, until
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


@pytest.mark.measured
def test_both_end_within_a_second(make_house):
    """With much to deliver."""
    house = make_house()
    kms, dynamodb = house.kms(), house.dynamodb()
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    make_table(dynamodb, sse=MANAGED)
    for _ in range(500):
        kms.generate_data_key(KeyId=key, KeySpec="AES_256", EncryptionContext={"x": "y" * 4000})
        dynamodb.list_tables()
    for daemon in (house.ddbd, house.kmsd):
        began = time.monotonic()
        assert daemon.terminate() == 0
        assert time.monotonic() - began < 1
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
        for _ in range(5):
            daemon.signal(signal.SIGTERM)
        assert daemon.process.wait(PATIENCE) == 0
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
