"""kill -9 at any moment: what was answered is in the trail and in the store, what is in the store is in the trail, and
nothing is delivered twice."""
import collections
import random
import threading

import botocore.exceptions
import pytest

from daemons import ACCOUNT, until
from tables import MANAGED, definition, describe

KILLS_KMSD = 80
KILLS_DDBD = 40
CALLERS = 3


class Caller(threading.Thread):
    """Calls in a loop until the daemon is gone; notes every answered call, and the error that no call may end with."""

    def __init__(self, call, acknowledged):
        super().__init__()
        self.call, self.acknowledged, self.error = call, acknowledged, None

    def run(self):
        while True:
            try:
                self.acknowledged.append(self.call())
            except (botocore.exceptions.BotoCoreError, OSError):
                return
            except Exception as error:  # noqa: BLE001 - told to the test
                self.error = error
                return


def run_and_kill(daemon, calls, enough, acknowledged):
    """Lets every caller call; kills the daemon as soon as `enough` more calls were answered."""
    before = len(acknowledged)
    threads = [Caller(call, acknowledged) for call in calls]
    for thread in threads:
        thread.start()
    until(lambda: len(acknowledged) >= before + enough or not any(t.is_alive() for t in threads), "answers")
    daemon.kill()
    for thread in threads:
        thread.join()
    errors = [t.error for t in threads if t.error]
    assert not errors, (errors, daemon.log_text()[-4000:])
    assert len(acknowledged) >= before + enough, daemon.log_text()


def twice(values):
    return [v for v, n in collections.Counter(values).items() if n > 1]


def request_id(answer):
    return answer["ResponseMetadata"]["RequestId"]


class Keys:
    """What a kmsd was told to keep, by several callers, each with a key of its own."""

    def __init__(self, house):
        self.house, self.rng = house, random.Random(7)
        kms = house.kms()
        self.tagged = [kms.create_key()["KeyMetadata"]["KeyId"] for _ in range(CALLERS)]
        self.tag = [0] * CALLERS  # the value of the last tag that was acknowledged
        self.granted = [set() for _ in range(CALLERS)]
        self.revoked = [set() for _ in range(CALLERS)]
        self.created = list(self.tagged)

    def caller(self, i):
        client, key, rng = self.house.kms(), self.tagged[i], random.Random(self.rng.random())

        def tag():
            answer = client.tag_resource(KeyId=key, Tags=[{"TagKey": "n", "TagValue": str(self.tag[i] + 1)}])
            self.tag[i] += 1
            return answer

        def create():
            answer = client.create_key()
            self.created.append(answer["KeyMetadata"]["KeyId"])
            return answer

        def grant():
            answer = client.create_grant(KeyId=key, GranteePrincipal=f"arn:aws:iam::{ACCOUNT}:user/x", Operations=["Decrypt"])
            self.granted[i].add(answer["GrantId"])
            return answer

        def revoke():
            if not self.granted[i]:
                return grant()
            grant_id = self.granted[i].pop()
            answer = client.revoke_grant(KeyId=key, GrantId=grant_id)
            self.revoked[i].add(grant_id)
            return answer

        def use():
            return client.generate_data_key(KeyId=key, KeySpec="AES_256")
        return lambda: request_id(rng.choice([tag, create, grant, revoke, use, use, use])())

    def check(self):
        kms = self.house.kms()
        for i, key in enumerate(self.tagged):
            tags = kms.list_resource_tags(KeyId=key)["Tags"]
            value = int(tags[0]["TagValue"]) if tags else 0
            assert value in (self.tag[i], self.tag[i] + 1)  # the last call may have been done and not answered
            self.tag[i] = value
            grants = {g["GrantId"] for page in kms.get_paginator("list_grants").paginate(KeyId=key) for g in page["Grants"]}
            assert self.granted[i] <= grants and not self.revoked[i] & grants

    def check_trail(self, events):
        keys = {k["KeyId"] for page in self.house.kms().get_paginator("list_keys").paginate() for k in page["Keys"]}
        assert set(self.created) <= keys
        assert keys <= {e["responseElements"]["keyMetadata"]["keyId"] for e in events if e["eventName"] == "CreateKey"}
        for i, key in enumerate(self.tagged):
            told = [e for e in events if any(r["ARN"].endswith(key) for r in e.get("resources", []))]
            tags = [int(e["requestParameters"]["tags"][0]["tagValue"]) for e in told if e["eventName"] == "TagResource"]
            assert set(range(1, self.tag[i] + 1)) <= set(tags)
            made = {e["responseElements"]["grantId"] for e in told if e["eventName"] == "CreateGrant"}
            assert self.granted[i] | self.revoked[i] <= made
            assert {g["GrantId"] for g in self.house.kms().list_grants(KeyId=key, Limit=100)["Grants"]} <= made


@pytest.mark.slow
@pytest.mark.parametrize("sync", ["interval", "always"])
def test_kmsd(make_house, sync):
    house = make_house(ddbd=False, kmsd=[f"--trail-sync={sync}", "--workers=2"])
    keys, acknowledged = Keys(house), []

    def deliver():
        house.clock(advance=301)  # log files are made while the daemon is killed

    rng = random.Random(7)
    for _ in range(KILLS_KMSD if sync == "interval" else KILLS_KMSD // 4):
        run_and_kill(house.kmsd, [keys.caller(i) for i in range(CALLERS)] + [deliver], rng.randrange(1, 30), acknowledged)
        house.kmsd.start()
        keys.check()
    house.kmsd.restart()
    keys.check_trail(check_trail(house, acknowledged))
    assert len([a for a in acknowledged if a]) > KILLS_KMSD // 4


def check_trail(house, acknowledged):
    events = house.delivered()
    assert not twice(e["eventID"] for e in events)
    assert not twice(e["requestID"] for e in events if "requestID" in e)
    missing = {r for r in acknowledged if r} - {e.get("requestID") for e in events}
    assert not missing, f"{len(missing)} of {len(acknowledged)} answered calls are not in the trail"
    return events


class Tables:
    """What a ddbd was told to keep: items of one table, and tables."""

    def __init__(self, house):
        self.house, self.rng = house, random.Random(11)
        self.stored = {}  # id -> last acknowledged number
        self.tables = set()
        house.dynamodb().create_table(**definition("table", "id:S", SSESpecification=MANAGED))
        until(lambda: describe(house.dynamodb(), "table")["TableStatus"] == "ACTIVE", "the table")

    def caller(self, i):
        client, rng = self.house.dynamodb(), random.Random(self.rng.random())

        def put():
            name = f"{i}-{rng.randrange(40)}"
            number = self.stored.get(name, 0) + 1
            client.put_item(TableName="table", Item={"id": {"S": name}, "n": {"N": str(number)}})
            self.stored[name] = number

        def create():
            name = f"table-{i}-{rng.getrandbits(64):x}"
            answer = client.create_table(**definition(name, SSESpecification=rng.choice([MANAGED, {"Enabled": False}])))
            self.tables.add(name)
            return request_id(answer)

        def look():
            return request_id(client.describe_table(TableName="table"))
        return lambda: rng.choice([put] * 12 + [create, look])()

    def check(self):
        client = self.house.dynamodb()
        for name, number in self.stored.items():
            item = client.get_item(TableName="table", Key={"id": {"S": name}}, ConsistentRead=True)["Item"]
            assert int(item["n"]["N"]) in (number, number + 1)
            self.stored[name] = int(item["n"]["N"])
        listed = {name for page in client.get_paginator("list_tables").paginate() for name in page["TableNames"]}
        assert self.tables <= listed
        for name in self.tables:
            until(lambda: describe(client, name)["TableStatus"] == "ACTIVE", f"{name} to be ACTIVE")
        return listed


@pytest.mark.slow
def test_ddbd(make_house):
    house = make_house()
    tables, acknowledged = Tables(house), []
    rng = random.Random(11)
    for n in range(KILLS_DDBD):
        run_and_kill(house.ddbd, [tables.caller(i) for i in range(CALLERS)], rng.randrange(1, 40), acknowledged)
        if n % 8 == 7:
            house.kmsd.kill()
            house.kmsd.start()
        house.start_ddbd()
        listed = tables.check()
    assert house.ddbd.terminate() == 0
    assert house.kmsd.terminate() == 0
    events = check_trail(house, acknowledged)
    assert listed <= {e["requestParameters"]["tableName"] for e in events if e["eventName"] == "CreateTable"}
    assert tables.tables
