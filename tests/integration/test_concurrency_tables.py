"""Many callers at once, on several workers, while keys are switched off and on, changed, and tables come and go: no wrong
data, no lost acknowledged write, and a daemon that ends in order. Runs once more under ThreadSanitizer."""
import os
import random
import threading

import botocore.exceptions
import pytest

from daemons import ACCOUNT, in_threads, until
from tables import MANAGED, OWNED, customer, definition, describe, get, make_table, put, unique, until_active, until_gone

pytestmark = pytest.mark.concurrency

ROUNDS = int(os.environ.get("KMSD_TEST_ROUNDS", "60"))
WORKERS = ["--workers=4"]
# What a caller may be told while others change the table or its key.
PASSING = ("is disabled.", "is pending deletion.", "not authorized to perform: kms:Decrypt", "Requested resource not found")


@pytest.fixture
def house(make_house):
    return make_house(kmsd=WORKERS, ddbd_args=WORKERS)


def expected_refusal(error, texts=PASSING):
    error = error.response["Error"]
    return any(text in error["Message"] for text in texts)


def clients(house, n):
    """A client for each thread: connections spread over the workers."""
    return [house.dynamodb(max_pool_connections=2) for _ in range(n)]


class Writer:
    """Owns the items whose keys begin with its name, so it knows what must be there."""

    def __init__(self, client, name, seed):
        self.client, self.name, self.chance = client, name, random.Random(seed)
        self.sure = {}  # (table, key) -> value, as acknowledged; None: deleted

    def step(self, table):
        key = f"{self.name}-{self.chance.randrange(8)}"
        where = (table, key)
        what = self.chance.random()
        value = None if what < 0.2 else f"{self.name}:{self.chance.random()}:" + "x" * self.chance.randrange(300)
        try:
            if what >= 0.6:
                self.check(table, key)
            elif value is None:
                self.client.delete_item(TableName=table, Key={"pk": {"S": key}})
                self.sure[where] = None
            else:
                put(self.client, table, key, v=value)
                self.sure[where] = value
            return True
        except botocore.exceptions.ClientError as error:
            assert expected_refusal(error), error
            return False

    def check(self, table, key):
        got = get(self.client, table, key)
        assert (got and got["v"]) == self.sure.get((table, key)), (table, key, got)


# ---- items ----

def test_one_table(house):
    name = make_table(house.dynamodb(), sse=MANAGED)
    writers = [Writer(client, f"w{i}", i) for i, client in enumerate(clients(house, 12))]
    in_threads(12, lambda i: [writers[i].step(name) for _ in range(ROUNDS)])
    for writer in writers:
        for table, key in writer.sure:
            writer.check(table, key)
    expected = sum(value is not None for w in writers for value in w.sure.values())
    assert describe(house.dynamodb(), name)["ItemCount"] == expected
    house.ddbd.kill()  # acknowledged means kept
    house.ddbd.start()
    for writer in writers:
        for table, key in writer.sure:
            writer.check(table, key)


def test_one_item_by_all(house):
    """A reader sees what some writer wrote, whole; and who wrote last is what is there in the end."""
    name = make_table(house.dynamodb())
    values, lock = set(), threading.Lock()

    def work(i):
        client, chance = house.dynamodb(), random.Random(i)
        for n in range(ROUNDS):
            value = f"{i}/{n}/" + chance.choice("abc") * chance.randrange(2000)
            with lock:
                values.add(value)
            old = client.put_item(TableName=name, Item={"pk": {"S": "one"}, "v": {"S": value}}, ReturnValues="ALL_OLD")
            assert "Attributes" not in old or old["Attributes"]["v"]["S"] in values
            assert get(client, name, "one")["v"] in values
    in_threads(8, work)


def test_deletes_are_counted_once(house):
    """Of many DeleteItem calls for one item exactly one gets it back."""
    name = make_table(house.dynamodb(), sse=MANAGED)
    several = clients(house, 8)
    for n in range(ROUNDS // 4):
        put(several[0], name, "one", n=str(n))
        got = []
        in_threads(8, lambda i: got.append(several[i].delete_item(TableName=name, Key={"pk": {"S": "one"}}, ReturnValues="ALL_OLD")
                                           .get("Attributes")))
        assert [g for g in got if g] == [{"pk": {"S": "one"}, "n": {"S": str(n)}}]


# ---- keys ----

def test_keys_are_switched_off_and_on(house):
    kms, dynamodb = house.kms(), house.dynamodb()
    keys = [kms.create_key()["KeyMetadata"]["KeyId"] for _ in range(2)]
    names = [make_table(dynamodb, sse=customer(key)) for key in keys] + [make_table(dynamodb, sse=MANAGED), make_table(dynamodb)]
    writers = [Writer(client, f"w{i}", i) for i, client in enumerate(clients(house, 8))]
    done = threading.Event()
    outcomes = []

    def trouble():
        chance = random.Random(0)
        while not done.is_set():
            key = chance.choice(keys)
            kms.disable_key(KeyId=key)
            house.clock(advance=301)
            kms.enable_key(KeyId=key)
            house.clock(advance=chance.choice([1, 150, 301]))

    def work(i):
        chance = random.Random(100 + i)
        outcomes.extend([writers[i].step(chance.choice(names)) for _ in range(ROUNDS)])

    troubling = threading.Thread(target=trouble)
    troubling.start()
    try:
        in_threads(8, work)
    finally:
        done.set()
        troubling.join()
    assert outcomes.count(True) > len(outcomes) / 4
    house.clock(advance=301)
    for writer in writers:
        for table, key in writer.sure:
            writer.check(table, key)


def test_keys_are_changed_under_load(house):
    kms, dynamodb = house.kms(), house.dynamodb()
    keys = [kms.create_key()["KeyMetadata"]["KeyId"] for _ in range(2)]
    names = [make_table(dynamodb, sse=customer(keys[0])), make_table(dynamodb)]
    writers = [Writer(client, f"w{i}", i) for i, client in enumerate(clients(house, 6))]
    done = threading.Event()
    changes = []

    def change():
        chance = random.Random(0)
        while not done.is_set():
            name = chance.choice(names)
            try:
                dynamodb.update_table(TableName=name, SSESpecification=chance.choice([OWNED, MANAGED, customer(keys[0]), customer(keys[1])]))
                changes.append(name)
            except botocore.exceptions.ClientError as error:
                assert expected_refusal(error, ("already encrypted", "in the process of being updated", "Subscriber limit exceeded")), error
            house.clock(advance=chance.choice([0.2, 0.45, 2, 301, 90000]))

    def work(i):
        chance = random.Random(100 + i)
        for _ in range(ROUNDS):
            assert writers[i].step(chance.choice(names)), "a change of key refused a call"

    changing = threading.Thread(target=change)
    changing.start()
    try:
        in_threads(6, work)
    finally:
        done.set()
        changing.join()
    assert changes
    house.clock(advance=90000)
    for name in names:
        until(lambda: (describe(dynamodb, name).get("SSEDescription") or {}).get("Status") != "UPDATING", "the changes to end")
    for writer in writers:
        for table, key in writer.sure:
            writer.check(table, key)
    used = {(describe(dynamodb, n).get("SSEDescription") or {}).get("KMSMasterKeyArn") for n in names}
    for key in keys:  # what is not used is not granted
        arn = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/{key}"
        wanted = 2 * sum((describe(dynamodb, n).get("SSEDescription") or {}).get("KMSMasterKeyArn") == arn for n in names)
        until(lambda: len(kms.list_grants(KeyId=key)["Grants"]) == wanted, f"the grants of {key} to be {wanted}, {used}")


def test_strict_under_load(make_house):
    """--key-cache=strict: after DisableKey has been answered no call that begins gets through."""
    house = make_house(kmsd=WORKERS, ddbd_args=[*WORKERS, "--key-cache=strict"])
    kms, dynamodb = house.kms(), house.dynamodb()
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    name = make_table(dynamodb, sse=customer(key))
    put(dynamodb, name, "a", x="1")
    several = clients(house, 6)
    for _ in range(5):
        in_threads(6, lambda i: [get(several[i], name, "a") for _ in range(5)])
        kms.disable_key(KeyId=key)

        def refused(i):
            for _ in range(5):
                try:
                    get(several[i], name, "a")
                    raise AssertionError("a withdrawn key was used")
                except botocore.exceptions.ClientError as error:
                    assert "is disabled." in str(error)
        in_threads(6, refused)
        kms.enable_key(KeyId=key)


# ---- tables ----

def test_tables_come_and_go(house):
    """Callers on tables that are created and deleted again and again: never an item of an earlier table of that name."""
    dynamodb = house.dynamodb()
    names = [unique() for _ in range(3)]
    done = threading.Event()
    generation = {name: 0 for name in names}

    def live(i):
        client, name = house.dynamodb(), names[i]
        for n in range(max(4, ROUNDS // 8)):
            client.create_table(**definition(name, SSESpecification=[OWNED, MANAGED][(n + i) % 2]))
            until_active(client, name)
            generation[name] += 1
            put(client, name, "mark", g=str(generation[name]))
            client.delete_table(TableName=name)
            until_gone(client, name)

    def use(i):
        client, chance = house.dynamodb(), random.Random(i)
        while not done.is_set():
            name = chance.choice(names)
            before = generation[name]
            try:
                got = get(client, name, "mark")
                assert got is None or int(got["g"]) >= before, (got, before)
                put(client, name, f"item{i}", x="1")
                client.delete_item(TableName=name, Key={"pk": {"S": f"item{i}"}})
            except botocore.exceptions.ClientError as error:
                assert expected_refusal(error), error

    users = [threading.Thread(target=lambda i=i: failures.extend(caught(use, i))) for i in range(6)]
    failures = []
    for user in users:
        user.start()
    try:
        in_threads(3, live)
    finally:
        done.set()
        for user in users:
            user.join()
    assert not failures, failures[0]
    assert dynamodb.list_tables()["TableNames"] == []
    house.clock(advance=30)
    assert list((house.folder / "ddbd/state/tables").iterdir()) == []


def caught(work, *arguments):
    try:
        work(*arguments)
        return []
    except BaseException as error:  # noqa: BLE001 - handed to the test
        return [error]


def test_one_name_for_many_creators(house):
    """Of many CreateTable calls for one name one wins, and the others leave no grants behind."""
    kms = house.kms()
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    several = clients(house, 8)
    for _ in range(3):
        name, won = unique(), []

        def create(i):
            try:
                won.append(several[i].create_table(**definition(name, SSESpecification=customer(key))))
            except several[i].exceptions.ResourceInUseException:
                pass
        in_threads(8, create)
        assert len(won) == 1
        until_active(several[0], name)
        until(lambda: len(kms.list_grants(KeyId=key)["Grants"]) == 2, "the grants of those who lost to be retired")
        several[0].delete_table(TableName=name)
        until_gone(several[0], name)
        until(lambda: kms.list_grants(KeyId=key)["Grants"] == [], "the grants to be retired")


@pytest.mark.parametrize("end", ["SIGTERM", "SIGKILL"])
def test_everything_while_ddbd_ends(house, end):
    """In the middle of it: what was acknowledged is there afterwards, and an end in order is one in order."""
    key = house.kms().create_key()["KeyMetadata"]["KeyId"]
    names = [make_table(house.dynamodb(), sse=sse) for sse in (customer(key), OWNED)]
    for round_ in range(10 if end == "SIGKILL" else 4):
        writers = [Writer(client, f"r{round_}w{i}", i) for i, client in enumerate(clients(house, 6))]
        begun = threading.Barrier(7)

        def work(i):
            begun.wait()
            for n in range(10_000):
                where, value = (names[n % 2], f"{writers[i].name}-{n}"), str(n)
                try:
                    put(writers[i].client, *where, v=value)
                except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError):
                    return  # it ends
                writers[i].sure[where] = value
        workers = [threading.Thread(target=work, args=(i,)) for i in range(6)]
        for worker in workers:
            worker.start()
        begun.wait()
        until(lambda: sum(len(w.sure) for w in writers) > ROUNDS, "some writes")
        if end == "SIGKILL":
            house.ddbd.kill()
        else:
            assert house.ddbd.terminate() == 0, house.ddbd.log_text()[-4000:]
        for worker in workers:
            worker.join()
        house.ddbd.start()
        house.clock(advance=301)
        for writer in writers:
            for table, pk in writer.sure:
                writer.check(table, pk)
