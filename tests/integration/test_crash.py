"""kill -9 at any moment: what was answered is in the trail and in the store, and nothing is delivered twice."""
import collections
import random
import threading

import botocore.exceptions
import pytest

from daemons import until

KILLS_KMSD = 80
KILLS_DDBD = 40
CALLERS = 3


class Caller(threading.Thread):
    """Calls in a loop until the daemon is gone; notes every answered call."""

    def __init__(self, call, acknowledged):
        super().__init__()
        self.call, self.acknowledged = call, acknowledged

    def run(self):
        while True:
            try:
                self.acknowledged.append(self.call())
            except (botocore.exceptions.BotoCoreError, OSError):
                return


def run_and_kill(daemon, calls, enough, acknowledged):
    """Lets every caller call; kills the daemon as soon as `enough` more calls were answered."""
    before = len(acknowledged)
    threads = [Caller(call, acknowledged) for call in calls]
    for thread in threads:
        thread.start()
    until(lambda: len(acknowledged) >= before + enough or not any(t.is_alive() for t in threads), "answers")
    assert len(acknowledged) >= before + enough, daemon.log_text()
    daemon.kill()
    for thread in threads:
        thread.join()


def twice(values):
    return [v for v, n in collections.Counter(values).items() if n > 1]


def restart(daemon):
    daemon.arguments = [a for a in daemon.arguments if not a.startswith("--listen")]
    daemon.start()


@pytest.mark.slow
def test_kmsd(make_house):
    house = make_house(ddbd=False)
    kms = house.kms()
    tagged = [kms.create_key()["KeyMetadata"]["KeyId"] for _ in range(CALLERS)]
    last = [0] * CALLERS  # the value of the last tag that was acknowledged
    created = []
    acknowledged = []

    def tag(i, client, n):
        reply = client.tag_resource(KeyId=tagged[i], Tags=[{"TagKey": "n", "TagValue": str(n)}])
        last[i] = n
        return reply["ResponseMetadata"]["RequestId"]

    def create(client):
        reply = client.create_key()
        created.append(reply["KeyMetadata"]["KeyId"])
        return reply["ResponseMetadata"]["RequestId"]

    def caller(i):
        client = house.kms()
        rng = random.Random()

        def call():
            kind = rng.randrange(4)
            if kind == 0:
                return tag(i, client, last[i] + 1)
            if kind == 1:
                return create(client)
            return client.generate_data_key(KeyId=tagged[i], KeySpec="AES_256")["ResponseMetadata"]["RequestId"]
        return call

    def deliver():
        # Log files are made while the daemon is killed.
        house.clock(advance=301)
        return None

    rng = random.Random(7)
    for _ in range(KILLS_KMSD):
        run_and_kill(house.kmsd, [caller(i) for i in range(CALLERS)] + [deliver], rng.randrange(1, 30), acknowledged)
        restart(house.kmsd)

    for i in range(CALLERS):
        tags = kms.list_resource_tags(KeyId=tagged[i])["Tags"]
        value = int(tags[0]["TagValue"]) if tags else 0
        # The last call of all may have been made and not answered.
        assert value in (last[i], last[i] + 1)
    keys = {k["KeyId"] for page in kms.get_paginator("list_keys").paginate() for k in page["Keys"]}
    assert set(created) <= keys
    assert house.kmsd.terminate() == 0
    check_trail(house, acknowledged)


def check_trail(house, acknowledged):
    events = house.delivered()
    assert not twice(e["eventID"] for e in events)
    assert not twice(e["requestID"] for e in events if "requestID" in e)
    missing = {r for r in acknowledged if r} - {e.get("requestID") for e in events}
    assert not missing, f"{len(missing)} of {len(acknowledged)} answered calls are not in the trail"


@pytest.mark.slow
def test_ddbd(make_house):
    house = make_house()
    dynamodb = house.dynamodb()
    dynamodb.create_table(TableName="table", BillingMode="PAY_PER_REQUEST",
                          AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
                          KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
                          SSESpecification={"Enabled": True, "SSEType": "KMS"})
    until(lambda: dynamodb.describe_table(TableName="table")["Table"]["TableStatus"] == "ACTIVE", "the table")
    stored = {}  # id -> last acknowledged number
    acknowledged = []

    def caller(i):
        client = house.dynamodb()
        rng = random.Random()

        def call():
            if rng.randrange(8) == 0:
                return client.describe_table(TableName="table")["ResponseMetadata"]["RequestId"]
            name = f"{i}-{rng.randrange(40)}"
            number = stored.get(name, 0) + 1
            client.put_item(TableName="table", Item={"id": {"S": name}, "n": {"N": str(number)}})
            stored[name] = number
            return None
        return call

    rng = random.Random(11)
    for _ in range(KILLS_DDBD):
        run_and_kill(house.ddbd, [caller(i) for i in range(CALLERS)], rng.randrange(1, 40), acknowledged)
        house.start_ddbd()
        client = house.dynamodb()
        for name, number in stored.items():
            item = client.get_item(TableName="table", Key={"id": {"S": name}}, ConsistentRead=True)["Item"]
            assert int(item["n"]["N"]) in (number, number + 1)
    assert house.ddbd.terminate() == 0
    assert house.kmsd.terminate() == 0
    check_trail(house, acknowledged)
