"""The cache of table keys as the trail and the callers see it: one Decrypt for each principal and table in 300 seconds,
counted from that Decrypt; what is withdrawn bites at the next one (spec 12, 16 to 19)."""
import base64
import json
import os
import signal
import threading

import botocore.exceptions
import pytest

from daemons import ACCOUNT, REGION, in_threads, until
from ddbd_state import memory_has, plain_keys, table_files
from tables import MANAGED, PRINCIPALS, credentials_of, customer, get, make_table, put, refused

DENIED = "KMS key access denied error: com.amazonaws.services.kms.model.AWSKMSException: "


class Lab:
    """A house with principals, a customer key, a table under it with one item, and an eye on the Decrypts."""

    def __init__(self, house):
        self.house = house
        self.alice, self.kms = self.dynamodb("alice"), house.kms(**credentials_of("alice"))
        self.key = self.kms.create_key()["KeyMetadata"]
        self.table = make_table(self.alice, sse=customer(self.key["KeyId"]))
        put(self.alice, self.table, "a", x="1")
        self.seen = set()
        self.expire()
        self.decrypts()

    def dynamodb(self, who, **more):
        return self.house.dynamodb(**credentials_of(who), **more)

    def expire(self):
        self.house.clock(advance=301)

    def decrypts(self, everybody=False):
        """The new Decrypts in the trail since the last question: who asked, and how it ended. Moves the clock by 301 s, so
        that all cached keys have expired afterwards."""
        events = [e for e in self.house.trail("Decrypt") if e["eventID"] not in self.seen]
        self.seen |= {e["eventID"] for e in events}
        return sorted((e["userIdentity"].get("arn", e["userIdentity"].get("invokedBy")).rpartition(":")[2], e.get("errorCode"))
                      for e in events if everybody or e["userIdentity"]["type"] != "AWSService")

    def read(self, client=None, table=None):
        return get(client or self.alice, table or self.table, "a")


@pytest.fixture
def lab(make_house):
    def make(**more):
        return Lab(make_house(principals=PRINCIPALS, kmsd=["--auth=strict"], **more))
    return make


ALICE, BOB = ("user/alice", None), ("user/bob", None)


# ---- how long and for whom ----

def test_one_decrypt_in_300_seconds(lab):
    lab = lab()
    for _ in range(50):
        assert lab.read() == {"x": "1"}
        put(lab.alice, lab.table, "b", y="2")
    lab.alice.delete_item(TableName=lab.table, Key={"pk": {"S": "b"}})
    assert lab.decrypts() == [ALICE]


def test_the_lifetime_counts_from_the_decrypt_and_does_not_slide(lab):
    lab = lab()
    lab.read()
    for _ in range(9):
        lab.house.clock(advance=30)
        lab.read()
    lab.house.clock(advance=29.9)  # 299.9 s after the Decrypt
    lab.read()
    lab.house.clock(advance=0.2)
    lab.read()  # in constant use, and yet asked anew
    assert lab.decrypts() == [ALICE, ALICE]


def test_nothing_is_asked_without_need(lab):
    lab = lab()
    lab.house.clock(advance=3000)
    assert lab.decrypts() == []


def test_each_principal_and_each_table_on_its_own(lab):
    lab = lab()
    bob, one, two = lab.dynamodb("bob"), lab.dynamodb("app/i-0abc"), lab.dynamodb("app/i-0def")
    other = make_table(lab.alice, sse=customer(lab.key["KeyId"]))
    for _ in range(3):
        for client in (lab.alice, bob, one, two):
            assert lab.read(client) == {"x": "1"}
        put(bob, other, "a", x="2")
        assert lab.read(bob, other) == {"x": "2"}
    assert lab.decrypts() == sorted([ALICE, BOB, BOB, ("assumed-role/app/i-0abc", None), ("assumed-role/app/i-0def", None)])


def test_the_decrypt_is_the_callers_on_behalf_of_whom_dynamodb_asks(lab):
    lab = lab()
    lab.read(lab.dynamodb("bob"))
    lab.read(lab.dynamodb("app/i-0abc"))
    events = lab.house.trail("Decrypt")
    event = next(e for e in events if e["userIdentity"].get("userName") == "bob")
    assert event["userIdentity"]["arn"] == f"arn:aws:iam::{ACCOUNT}:user/bob"
    assert event["userIdentity"]["invokedBy"] == event["sourceIPAddress"] == event["userAgent"] == "dynamodb.amazonaws.com"
    assert event["requestParameters"] == {"encryptionContext": {
        "aws:dynamodb:tableName": lab.table, "aws:dynamodb:subscriberId": ACCOUNT}, "encryptionAlgorithm": "SYMMETRIC_DEFAULT"}
    assert [r["ARN"] for r in event["resources"]] == [lab.key["Arn"]]
    event = next(e for e in events if e["userIdentity"]["type"] == "AssumedRole")
    assert event["userIdentity"]["arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/app/i-0abc"


def test_the_owned_key_asks_nobody(lab):
    lab = lab()
    name = make_table(lab.alice)
    put(lab.alice, name, "a", x="1")
    lab.expire()
    assert lab.read(table=name) == {"x": "1"}
    assert lab.decrypts(everybody=True) == []


def test_the_managed_key_lets_everybody_of_the_account_decrypt_through_dynamodb(lab):
    """Its fixed policy needs no right of the caller's own (spec 21): carol has none."""
    lab = lab()
    name = make_table(lab.alice, sse=MANAGED)
    put(lab.alice, name, "a", x="1")
    assert lab.read(lab.dynamodb("carol"), name) == {"x": "1"}
    assert lab.decrypts() == [ALICE, ("user/carol", None)]


@pytest.mark.parametrize("ttl, before, after", [("10s", 9, 2), ("3600s", 3599, 2)])
def test_another_lifetime(lab, ttl, before, after):
    lab = lab(ddbd_args=[f"--key-cache-ttl={ttl}"])
    lab.house.clock(advance=4000)
    lab.decrypts()
    lab.read()
    lab.house.clock(advance=before)
    lab.read()
    assert lab.decrypts() == [ALICE]
    lab.house.clock(advance=after)
    lab.read()
    assert lab.decrypts() == [ALICE]


def test_the_clock_is_set_back(lab):
    """What was cached in what is now the future is asked anew, not kept for ever."""
    lab = lab()
    lab.read()
    lab.house.clock(set="2026-05-20T12:00:00Z")
    lab.read()
    lab.house.clock(advance=299)
    lab.read()
    lab.house.clock(set="2026-05-21T12:00:00Z")
    assert lab.decrypts() == [ALICE, ALICE]


# ---- many at once ----

@pytest.mark.concurrency
@pytest.mark.parametrize("workers", [1, 4])
def test_simultaneous_misses_share_a_decrypt(lab, workers):
    lab = lab(ddbd_args=[f"--workers={workers}"])
    clients = [(lab.alice, 34), (lab.dynamodb("bob", max_pool_connections=60), 16)]
    alice = lab.dynamodb("alice", max_pool_connections=60)
    for _ in range(3):
        together = threading.Barrier(50)

        def one(i):
            together.wait()
            assert lab.read(alice if i < clients[0][1] else clients[1][0]) == {"x": "1"}
        in_threads(50, one)
        assert lab.decrypts() == [ALICE, BOB]


def test_those_who_wait_for_a_refusal_are_all_told(lab):
    lab = lab()
    carol = lab.dynamodb("carol", max_pool_connections=20)
    in_threads(20, lambda _: refused("AccessDeniedException", carol.get_item, TableName=lab.table, Key={"pk": {"S": "a"}}))
    assert set(lab.decrypts()) == {("user/carol", "AccessDenied")}


# ---- who may not, and what is withdrawn ----

def test_a_caller_without_the_right_to_the_key(lab):
    lab = lab()
    carol = lab.dynamodb("carol")
    lab.read()  # the key is in memory, for alice
    message = refused("AccessDeniedException", carol.get_item, TableName=lab.table, Key={"pk": {"S": "a"}})
    assert message.startswith(DENIED) and "(Service: AWSKMS; Status Code: 400; Error Code: AccessDeniedException; Request ID: " in message
    assert message.endswith("; Proxy: null)")
    refused("AccessDeniedException", carol.put_item, TableName=lab.table, Item={"pk": {"S": "a"}})
    assert lab.read() == {"x": "1"}
    # A refusal is not kept: as soon as she may, she can.
    grant = lab.kms.create_grant(KeyId=lab.key["KeyId"], GranteePrincipal=f"arn:aws:iam::{ACCOUNT}:user/carol", Operations=["Decrypt"])
    assert lab.read(carol) == {"x": "1"}
    # And when the grant is gone she is not stopped before her 300 seconds are over.
    lab.kms.revoke_grant(KeyId=lab.key["KeyId"], GrantId=grant["GrantId"])
    lab.house.clock(advance=299)
    assert lab.read(carol) == {"x": "1"}
    lab.house.clock(advance=2)
    assert DENIED in refused("AccessDeniedException", carol.get_item, TableName=lab.table, Key={"pk": {"S": "a"}})
    assert lab.read() == {"x": "1"}


def denying(*arns):
    """A key policy as usual, but for these principals."""
    return json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "kms:*", "Resource": "*"},
        *[{"Effect": "Deny", "Principal": {"AWS": arn}, "Action": "kms:Decrypt", "Resource": "*"} for arn in arns]]})


BOBS_ARN = f"arn:aws:iam::{ACCOUNT}:user/bob"
CHANGES = {
    "policy": (lambda lab: lab.kms.put_key_policy(KeyId=lab.key["KeyId"], Policy=denying(BOBS_ARN)), "AccessDeniedException"),
    "disabled": (lambda lab: lab.kms.disable_key(KeyId=lab.key["KeyId"]), "ValidationException"),
    "deletion": (lambda lab: lab.kms.schedule_key_deletion(KeyId=lab.key["KeyId"], PendingWindowInDays=7), "ValidationException"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_withdrawal_bites_at_the_next_decrypt(lab, change):
    lab = lab()
    bob = lab.dynamodb("bob")
    assert lab.read(bob) == {"x": "1"}
    lab.house.clock(advance=200)
    withdraw, error = CHANGES[change]
    withdraw(lab)
    lab.house.clock(advance=99)
    assert lab.read(bob) == {"x": "1"}
    put(bob, lab.table, "still", x="allowed")
    lab.house.clock(advance=2)
    refused(error, bob.get_item, TableName=lab.table, Key={"pk": {"S": "a"}})
    refused(error, bob.put_item, TableName=lab.table, Item={"pk": {"S": "a"}})


@pytest.mark.parametrize("change", CHANGES)
def test_strict_a_withdrawal_bites_at_once(lab, change):
    lab = lab(ddbd_args=["--key-cache=strict"])
    bob = lab.dynamodb("bob")
    assert lab.read(bob) == {"x": "1"}
    withdraw, error = CHANGES[change]
    withdraw(lab)
    refused(error, bob.get_item, TableName=lab.table, Key={"pk": {"S": "a"}})
    refused(error, bob.put_item, TableName=lab.table, Item={"pk": {"S": "a"}})


def test_strict_grants(lab):
    lab = lab(ddbd_args=["--key-cache=strict"])
    carol = lab.dynamodb("carol")
    arn = f"arn:aws:iam::{ACCOUNT}:user/carol"
    for end in (lambda g: lab.kms.revoke_grant(KeyId=lab.key["KeyId"], GrantId=g["GrantId"]),
                lambda g: lab.kms.retire_grant(GrantToken=g["GrantToken"])):
        grant = lab.kms.create_grant(KeyId=lab.key["KeyId"], GranteePrincipal=arn, RetiringPrincipal=f"arn:aws:iam::{ACCOUNT}:user/alice",
                                     Operations=["Decrypt"])
        assert lab.read(carol) == {"x": "1"}
        end(grant)
        refused("AccessDeniedException", carol.get_item, TableName=lab.table, Key={"pk": {"S": "a"}})


def test_strict_other_principals(lab):
    """SIGHUP brings other policies of users and roles: what they withdraw bites too."""
    lab = lab(ddbd_args=["--key-cache=strict"])
    bob = lab.dynamodb("bob")
    assert lab.read(bob) == {"x": "1"}
    principals = json.loads(json.dumps(PRINCIPALS))
    for statement in principals["accounts"][ACCOUNT]["users"]["bob"]["policies"].values():
        statement["Statement"].append({"Effect": "Deny", "Action": "kms:Decrypt", "Resource": "*"})
    lab.house.principals_path.write_text(json.dumps(principals))
    lab.house.kmsd.signal(signal.SIGHUP)
    until(lambda: "principals read again" in lab.house.kmsd.log_text(), "kmsd to read them")
    refused("AccessDeniedException", bob.get_item, TableName=lab.table, Key={"pk": {"S": "a"}})
    assert lab.read() == {"x": "1"}


def test_strict_still_caches(lab):
    lab = lab(ddbd_args=["--key-cache=strict", "--workers=2"])
    for _ in range(20):
        lab.read()
    lab.kms.create_key()  # nothing that takes rights away
    lab.kms.create_alias(AliasName="alias/x", TargetKeyId=lab.key["KeyId"])
    for _ in range(20):
        lab.read()
    assert lab.decrypts() == [ALICE]
    # kmsd restarts: what it withdrew meanwhile cannot be known, so the cache starts anew.
    lab.read()
    lab.house.kmsd.restart()
    until(lambda: lab.house.ddbd.get("/_ddbd/health")["kms"] == "reachable", "ddbd to see kmsd again")
    assert lab.read() == {"x": "1"}
    assert lab.decrypts() == [ALICE, ALICE]


# ---- kmsd away ----

def stop_kmsd(house):
    assert house.kmsd.terminate() == 0


def freeze_kmsd(house):
    house.kmsd.signal(signal.SIGSTOP)


@pytest.mark.parametrize("away, back", [(stop_kmsd, lambda h: h.kmsd.start()), (freeze_kmsd, lambda h: h.kmsd.signal(signal.SIGCONT))],
                         ids=["stopped", "hanging"])
def test_kmsd_away(lab, away, back):
    """Who has the key goes on; who has not gets AWS's error within --kms-timeout; all is well when kmsd is back."""
    lab = lab(ddbd_args=["--kms-timeout=300ms"])
    house, bob = lab.house, lab.dynamodb("bob")
    lab.read()
    away(house)
    try:
        for i in range(20):
            assert lab.read() == {"x": "1"}
            put(lab.alice, lab.table, f"item{i}", x=str(i))
        for call, more in ((bob.get_item, {"Key": {"pk": {"S": "a"}}}), (bob.put_item, {"Item": {"pk": {"S": "a"}}})):
            message = refused("InternalServerError", call, TableName=lab.table, **more)
            assert message.startswith("KMS internal error: ")
        refused("InternalServerError", lab.alice.create_table, TableName="new", BillingMode="PAY_PER_REQUEST",
                AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}], KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
                SSESpecification=customer(lab.key["KeyId"]))
        name = make_table(lab.alice)  # under the owned key all goes on
        put(lab.alice, name, "a", x="1")
        assert "new" not in lab.alice.list_tables()["TableNames"]
    finally:
        back(house)
    until(lambda: house.ddbd.get("/_ddbd/health")["kms"] == "reachable", "ddbd to see kmsd again")
    assert lab.read(bob) == {"x": "1"}
    house.clock(advance=301)
    for i in range(20):
        assert get(lab.alice, lab.table, f"item{i}") == {"x": str(i)}


def test_the_cache_expires_while_kmsd_is_away(make_house):
    """ddbd's clock goes on by itself: a second's lifetime on the real clock."""
    house = make_house(virtual=False, ddbd_args=["--key-cache-ttl=1s", "--kms-timeout=300ms"])
    dynamodb = house.dynamodb()
    name = make_table(dynamodb, sse=customer(house.kms().create_key()["KeyMetadata"]["KeyId"]))
    put(dynamodb, name, "a", x="1")
    assert house.kmsd.terminate() == 0

    def fails():
        try:
            return get(dynamodb, name, "a") != {"x": "1"}
        except botocore.exceptions.ClientError as error:
            return error.response["Error"]["Code"] == "InternalServerError"
    until(fails, "the cached key to expire")
    house.kmsd.start()
    until(lambda: not fails(), "reading again")
    assert get(dynamodb, name, "a") == {"x": "1"}


def test_ddbd_is_there_before_kmsd(make_house):
    """And makes the service's credential, which kmsd then finds. Tables under the owned key need no kmsd."""
    house = make_house(start=False)
    house.kmsd.start()
    house.kmsd.terminate()  # the port is known now
    (house.folder / "service-credentials").unlink()
    house.start_ddbd()
    dynamodb = house.dynamodb()
    name = make_table(dynamodb)
    put(dynamodb, name, "a", x="1")
    assert house.ddbd.get("/_ddbd/health")["kms"] == "unreachable"
    house.kmsd.start()
    until(lambda: house.ddbd.get("/_ddbd/health")["kms"] == "reachable", "ddbd to see kmsd")
    other = make_table(dynamodb, sse=MANAGED)
    put(dynamodb, other, "a", x="2")
    assert get(dynamodb, name, "a") == {"x": "1"} and get(dynamodb, other, "a") == {"x": "2"}
    until(lambda: {e["requestParameters"]["tableName"] for e in house.trail("CreateTable")} == {name, other},
          "what ddbd kept while kmsd was not there to be in the trail")


def test_callers_who_hang_up_while_kmsd_hangs(lab):
    lab = lab(ddbd_args=["--kms-timeout=300ms"])
    bob = lab.dynamodb("bob", read_timeout=0.05)
    freeze_kmsd(lab.house)
    hung_up = 0
    try:
        while hung_up < 5:
            try:
                bob.get_item(TableName=lab.table, Key={"pk": {"S": "a"}})
                raise AssertionError("kmsd hangs")
            except botocore.exceptions.ReadTimeoutError:
                hung_up += 1
            except botocore.exceptions.ClientError as error:  # came when the call that it shares was about to be given up
                assert "timed out" in str(error)
    finally:
        lab.house.kmsd.signal(signal.SIGCONT)

    def reads(client):  # who comes while the hanging call is still waited for shares its fate
        try:
            return lab.read(client) == {"x": "1"}
        except botocore.exceptions.ClientError as error:
            assert "timed out" in str(error)
    for who in ("alice", "bob"):
        client = lab.dynamodb(who)
        until(lambda: reads(client), f"{who} to read")


# ---- forgetting ----

def open_files(house):
    """Files that ddbd has open, by name."""
    folder = f"/proc/{house.ddbd.process.pid}/fd"
    names = []
    for fd in os.listdir(folder):
        try:
            names.append(os.path.basename(os.readlink(f"{folder}/{fd}")))
        except OSError:
            pass
    return names


def test_an_expired_key_is_wiped_and_its_file_closed(lab):
    lab = lab()
    house, bob = lab.house, lab.dynamodb("bob")
    table_key, dek = plain_keys(house, lab.table)
    on_the_wire = base64.b64encode(table_key).rstrip(b"=")
    file = next(path.name for path in table_files(house, lab.table))
    pid = house.ddbd.process.pid
    assert file not in open_files(house)
    assert memory_has(pid, [table_key, on_the_wire, dek]) == set()
    lab.read()
    assert file in open_files(house)
    # The data key is what is kept, so the search is one that finds it; the table key was needed for a moment only.
    assert memory_has(pid, [table_key, on_the_wire, dek]) == {dek}
    house.clock(advance=200)
    lab.read(bob)
    house.clock(advance=150)  # alice's is over, bob's is not
    assert file in open_files(house)
    assert house.ddbd.get("/_ddbd/health")["cachedKeys"] == 1
    house.clock(advance=151)
    assert file not in open_files(house)
    assert house.ddbd.get("/_ddbd/health")["cachedKeys"] == 0
    assert memory_has(pid, [table_key, on_the_wire, dek]) == set()


def test_the_owned_keys_table_keys_are_forgotten_when_idle(lab):
    lab = lab()
    name = make_table(lab.alice)
    put(lab.alice, name, "a", x="1")
    keys = plain_keys(lab.house, name)
    assert memory_has(lab.house.ddbd.process.pid, keys)
    lab.house.clock(advance=301)
    assert memory_has(lab.house.ddbd.process.pid, keys) == set()
    assert lab.read(table=name) == {"x": "1"}


def test_keys_of_deleted_tables_are_wiped(lab):
    lab = lab()
    lab.read()
    table_key, dek = plain_keys(lab.house, lab.table)
    pid = lab.house.ddbd.process.pid
    assert memory_has(pid, [dek]) == {dek}
    lab.alice.delete_table(TableName=lab.table)
    until(lambda: lab.table not in lab.alice.list_tables()["TableNames"], "the table to be gone")
    assert memory_has(pid, [table_key, dek]) == set()
    assert not list((lab.house.folder / "ddbd/state/tables").iterdir())


def test_region_is_part_of_the_service_name(lab):
    """Grants name dynamodb.<region>.amazonaws.com; another Region's table has its own keys and its own calls."""
    lab = lab()
    kms = lab.house.kms(**credentials_of("alice"), region="eu-west-1")
    key_id = kms.create_key()["KeyMetadata"]["KeyId"]
    dynamodb = lab.house.dynamodb(**credentials_of("alice"), region="eu-west-1")
    name = make_table(dynamodb, sse=customer(key_id))
    put(dynamodb, name, "a", x="1")
    grants = kms.list_grants(KeyId=key_id)["Grants"]
    assert {g["GranteePrincipal"] for g in grants} == {"dynamodb.eu-west-1.amazonaws.com"} and REGION != "eu-west-1"
    assert {e["awsRegion"] for e in lab.house.trail("Decrypt", userAgent="dynamodb.amazonaws.com")
            if e["requestParameters"]["encryptionContext"]["aws:dynamodb:tableName"] == name} == {"eu-west-1"}
