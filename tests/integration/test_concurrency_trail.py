"""The trail beside everything else: many threads call both daemons with several workers, log files are delivered, time
moves, keys go; every answered call is in the trail once. Run once more under ThreadSanitizer."""
import collections
import gzip
import json
import random
import signal
import threading

import botocore.exceptions
import pytest

from daemons import in_threads, until
from tables import MANAGED, definition, make_table, unique

pytestmark = pytest.mark.concurrency
THREADS = 8
CALLS = 60
ACCOUNTS = ("111122223333", "444455556666", "777788889999")
REGIONS = ("us-east-1", "eu-west-1")


def request_id(answer):
    return answer["ResponseMetadata"]["RequestId"]


class Told:
    """Request ids that came with an answer of any kind, by what was called."""

    def __init__(self):
        self.lock, self.calls = threading.Lock(), {}

    def __call__(self, call, **parameters):
        try:
            answer = call(**parameters)
        except botocore.exceptions.ClientError as error:
            answer = error.response
        with self.lock:
            assert request_id(answer) not in self.calls
            self.calls[request_id(answer)] = call.__name__
        return answer


def check_once(house, told):
    """Each answered call once; the other events belong to nobody who called."""
    seen, ids = collections.Counter(), collections.Counter()
    for event in house.delivered():
        ids[event["eventID"]] += 1
        if "requestID" in event:
            seen[event["requestID"], event["recipientAccountId"]] += 1
    assert ids and max(ids.values()) == 1 and max(seen.values()) == 1
    missing = [name for request, name in told.calls.items() if request not in {r for r, _ in seen}]
    assert not missing, f"{len(missing)} of {len(told.calls)}: {collections.Counter(missing)}"


def check_files(house):
    for path in house.log_files():
        document = json.loads(gzip.decompress(path.read_bytes()))
        account, region = path.parts[-7], path.parts[-5]
        assert document["Records"]
        times = [e["eventTime"] for e in document["Records"]]
        assert times == sorted(times)
        assert {(e["recipientAccountId"], e["awsRegion"]) for e in document["Records"]} == {(account, region)}


class Moving:
    """Deliveries, and everything else that hangs on the clock, in a thread of its own while the block runs."""

    def __init__(self, house, seconds):
        self.house, self.seconds, self.stop, self.moves, self.error = house, seconds, threading.Event(), 0, None
        self.thread = threading.Thread(target=self.run)

    def run(self):
        try:
            while not self.stop.is_set():
                self.house.clock(advance=self.seconds)
                self.moves += 1
        except Exception as error:  # noqa: BLE001 - told to the test
            self.error = error

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()
        assert not self.error, self.error


def kms_calls(kms, told, rng, n):
    """One thread's calls: all kinds, some of them refused."""
    key = told(kms.create_key)["KeyMetadata"]["KeyId"]
    alias = f"alias/{unique()}"
    told(kms.create_alias, AliasName=alias, TargetKeyId=key)
    blob = told(kms.encrypt, KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    grant = told(kms.create_grant, KeyId=key, GranteePrincipal=f"arn:aws:iam::{ACCOUNTS[0]}:user/x", Operations=["Decrypt"])
    calls = [
        lambda: told(kms.generate_data_key, KeyId=alias, KeySpec="AES_256", EncryptionContext={"n": str(n)}),
        lambda: told(kms.decrypt, CiphertextBlob=blob), lambda: told(kms.decrypt, CiphertextBlob=b"nonsense"),
        lambda: told(kms.describe_key, KeyId=key), lambda: told(kms.describe_key, KeyId="alias/none"),
        lambda: told(kms.list_keys, Limit=3), lambda: told(kms.list_aliases), lambda: told(kms.generate_random, NumberOfBytes=9),
        lambda: told(kms.tag_resource, KeyId=key, Tags=[{"TagKey": "a", "TagValue": "b" * rng.randrange(256)}]),
        lambda: told(kms.disable_key, KeyId=key), lambda: told(kms.enable_key, KeyId=key),
        lambda: told(kms.get_key_rotation_status, KeyId=key)]
    for _ in range(n):
        rng.choice(calls)()
    told(kms.retire_grant, GrantToken=grant["GrantToken"])
    told(kms.schedule_key_deletion, KeyId=key, PendingWindowInDays=7)


def table_calls(dynamodb, told, rng, table, n):
    for _ in range(n):
        choice = rng.randrange(6)
        if choice == 0:
            dynamodb.put_item(TableName=table, Item={"pk": {"S": str(rng.randrange(9))}, "x": {"S": "y"}})
        elif choice == 1:
            dynamodb.get_item(TableName=table, Key={"pk": {"S": str(rng.randrange(9))}})
        elif choice == 2:
            told(dynamodb.list_tables)
        elif choice == 3:
            told(dynamodb.describe_table, TableName="none")
        else:
            told(dynamodb.describe_table, TableName=table)
    name = unique()
    told(dynamodb.create_table, **definition(name, SSESpecification=rng.choice([MANAGED, {"Enabled": False}])))
    until(lambda: told(dynamodb.describe_table, TableName=name)["Table"]["TableStatus"] == "ACTIVE", f"{name} to be ACTIVE")
    told(dynamodb.delete_table, TableName=name)


@pytest.mark.parametrize("sync", ["interval", "always", "never"])
def test_every_call_once(make_house, sync):
    """Three accounts, two Regions, four workers each."""
    shared = [f"--trail-sync={sync}", "--workers=4"]
    house, told = make_house(kmsd=shared, ddbd_args=shared), Told()
    tables = {(account, region): make_table(house.dynamodb(account, region=region)) for account in ACCOUNTS[:2] for region in REGIONS}

    def work(i):
        rng = random.Random(i)
        account, region = ACCOUNTS[i % 3], REGIONS[i % 2]
        kms_calls(house.kms(account, region=region), told, rng, CALLS)
        if (account, region) in tables:
            table_calls(house.dynamodb(account, region=region), told, rng, tables[account, region], CALLS // 2)
    with Moving(house, 100) as moving:
        in_threads(THREADS, work)
    assert moving.moves
    house.clock(advance=8 * 86400)  # what was to be deleted goes
    assert house.ddbd.terminate() == 0 and house.kmsd.terminate() == 0
    check_once(house, told)
    check_files(house)
    deleted = [e["resources"][0]["ARN"] for e in house.pick("DeleteKey")]
    assert len(deleted) == len(set(deleted)) == THREADS


def test_ddbd_comes_and_goes(make_house):
    """Its events are handed over while kmsd takes calls of its own, over ends, kills and starts of ddbd."""
    house, told = make_house(kmsd=["--workers=4"], ddbd_args=["--workers=4"]), Told()
    done = threading.Event()

    def work(i):
        if i == 0:
            for n in range(6):
                in_threads(3, lambda _: [told(house.dynamodb().list_tables) for _ in range(20)])
                if n % 2:
                    house.ddbd.kill()
                    house.ddbd.start()
                else:
                    house.ddbd.restart()
            done.set()
            return
        kms = house.kms()
        while not done.is_set():
            told(kms.list_keys)
            told(kms.generate_random, NumberOfBytes=8)
    try:
        with Moving(house, 301):
            in_threads(4, work)
    finally:
        done.set()
    assert house.ddbd.terminate() == 0 and house.kmsd.terminate() == 0
    check_once(house, told)


def test_the_end_comes_while_all_call(make_house):
    """SIGTERM in the middle: what was answered is delivered by both."""
    house, told = make_house(kmsd=["--workers=4"], ddbd_args=["--workers=4"]), Told()
    table = make_table(house.dynamodb(), sse=MANAGED)

    def work(i):
        kms, dynamodb = house.kms(), house.dynamodb()
        try:
            while True:
                told(kms.create_key)
                told(dynamodb.describe_table, TableName=table)
                told(kms.list_aliases)
        except (botocore.exceptions.BotoCoreError, OSError):
            return

    def end():
        until(lambda: len(told.calls) > 100, "some calls")
        for daemon in (house.ddbd, house.kmsd):
            daemon.signal(signal.SIGTERM)
    ender = threading.Thread(target=end)
    ender.start()
    in_threads(6, work)
    ender.join()
    for daemon in (house.ddbd, house.kmsd):
        daemon.process.wait(120)
    # kmsd may have been gone before ddbd had handed all over.
    house.kmsd.start()
    house.ddbd.start()
    assert house.ddbd.terminate() == 0 and house.kmsd.terminate() == 0
    check_once(house, told)
