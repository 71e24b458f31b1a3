"""SSESpecification, and changes of a table's key: shapes and refusals, the phases, grants, the quota, and crashes at any
point (spec 24 to 30)."""
import datetime
import random
import threading
import time

import botocore.exceptions
import pytest

from daemons import ACCOUNT, REGION, until
from ddbd_state import plain_keys, records
from tables import (MANAGED, OWNED, customer, definition, describe, get, make_table, put, refused, unique, until_active, until_gone,
                    wire, without_table_keys)

INVALID = "One or more parameter values were invalid: "
START = datetime.datetime(2026, 5, 20, 20, 45, tzinfo=datetime.timezone.utc)


def arn_of(key_id):
    return f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{key_id}"


class Lab:
    def __init__(self, house):
        self.house, self.dynamodb, self.kms = house, house.dynamodb(), house.kms()
        self.keys = [self.kms.create_key()["KeyMetadata"]["KeyId"] for _ in range(2)]

    def sse(self, name):
        return describe(self.dynamodb, name).get("SSEDescription")

    def change(self, name, sse):
        """UpdateTable's SSEDescription."""
        table = self.dynamodb.update_table(TableName=name, SSESpecification=sse)["TableDescription"]
        assert table["TableStatus"] == "ACTIVE"
        return table.get("SSEDescription")

    def done(self, name):
        """Lets the change come to its end; the SSEDescription then (None: the owned key)."""
        self.house.clock(advance=30)
        until(lambda: (self.sse(name) or {}).get("Status") != "UPDATING", "the change of key to end")
        return self.sse(name)

    def new_key(self):
        return self.kms.create_key()["KeyMetadata"]["KeyId"]

    def grants(self, key):
        return self.kms.list_grants(KeyId=key)["Grants"]

    def managed(self):
        return self.kms.describe_key(KeyId="alias/aws/dynamodb")["KeyMetadata"]["KeyId"]


@pytest.fixture(scope="module")
def lab(house):
    return Lab(house)


# ---- shapes ----

@pytest.mark.parametrize("shape, kind", [
    ({}, "owned"), ({"Enabled": False}, "owned"), ({"Enabled": True}, "managed"), ({"SSEType": "KMS"}, "managed"),
    ({"Enabled": True, "SSEType": "KMS"}, "managed"), ({"SSEType": "KMS", "KMSMasterKeyId": "id"}, "customer"),
    ({"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": "arn"}, "customer"),
    ({"SSEType": "KMS", "KMSMasterKeyId": "alias/sse-shapes"}, "customer"),
    ({"SSEType": "KMS", "KMSMasterKeyId": f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/sse-shapes"}, "customer"),
    ({"SSEType": "KMS", "KMSMasterKeyId": "alias/aws/dynamodb"}, "managed"), (None, "owned")], ids=range(11))
def test_shapes(lab, shape, kind):
    if "alias/sse-shapes" not in [a["AliasName"] for a in lab.kms.list_aliases(Limit=100)["Aliases"]]:
        lab.kms.create_alias(AliasName="alias/sse-shapes", TargetKeyId=lab.keys[0])
    given = {"id": lab.keys[0], "arn": arn_of(lab.keys[0])}
    if shape is not None:
        shape = {k: given.get(v, v) if k == "KMSMasterKeyId" else v for k, v in shape.items()}
    name = unique()
    table = lab.dynamodb.create_table(**definition(name, **({} if shape is None else {"SSESpecification": shape})))["TableDescription"]
    table = [table, until_active(lab.dynamodb, name)]
    expected = None if kind == "owned" else {
        "Status": "ENABLED", "SSEType": "KMS", "KMSMasterKeyArn": arn_of(lab.managed() if kind == "managed" else lab.keys[0])}
    assert [t.get("SSEDescription") for t in table] == [expected] * 2


REFUSED = [
    ({"Enabled": False, "SSEType": "KMS"}, "SSEType can not be specified if Enabled is false"),
    ({"Enabled": False, "SSEType": "KMS", "KMSMasterKeyId": "x"}, "SSEType can not be specified if Enabled is false"),
    ({"Enabled": False, "KMSMasterKeyId": "x"}, "KMSMasterKeyId can not be specified if Enabled is false"),
    ({"Enabled": True, "KMSMasterKeyId": "x"}, "SSEType KMS is required if KMSMasterKeyId is specified"),
    ({"KMSMasterKeyId": "x"}, "SSEType KMS is required if KMSMasterKeyId is specified"),
    ({"Enabled": True, "SSEType": "AES256"}, "SSEType AES256 is not supported"),
]


@pytest.mark.parametrize("shape, message", REFUSED, ids=range(len(REFUSED)))
def test_refused_shapes(house, lab, shape, message):
    name = make_table(lab.dynamodb)
    for operation, body in (("CreateTable", definition()), ("UpdateTable", {"TableName": name})):
        reply = wire(house, operation, {**body, "SSESpecification": shape})
        assert (reply.type, reply.message) == ("ValidationException", INVALID + message)


def test_already_so(house, lab):
    name = make_table(lab.dynamodb)
    for shape in ({}, OWNED):
        assert refused("ValidationException", lab.dynamodb.update_table, TableName=name, SSESpecification=shape) == \
            INVALID + "Table is already encrypted by default"
    name = make_table(lab.dynamodb, sse=customer(lab.keys[0]))
    assert refused("ValidationException", lab.dynamodb.update_table, TableName=name, SSESpecification=customer(arn_of(lab.keys[0]))) == (
        INVALID + "Table is already encrypted with given KMSMasterKeyId. Use KMSMasterKeyId parameter if you want to change Master Key")


def test_the_managed_key_is_made_on_first_use(make_house):
    house = make_house()
    kms = house.kms()
    assert kms.list_keys()["Keys"] == []
    name = make_table(house.dynamodb(), sse=MANAGED)
    key = kms.describe_key(KeyId="alias/aws/dynamodb")["KeyMetadata"]
    assert key["Description"] == "Default key that protects my DynamoDB data when no other key is defined"
    assert (key["KeyManager"], key["Origin"], key["KeySpec"], key["Enabled"]) == ("AWS", "AWS_KMS", "SYMMETRIC_DEFAULT", True)
    assert describe(house.dynamodb(), name)["SSEDescription"]["KMSMasterKeyArn"] == key["Arn"]
    make_table(house.dynamodb(), sse=MANAGED)
    assert len(kms.list_keys()["Keys"]) == 1


# ---- what a table costs its key ----

def test_grants_of_a_table(lab):
    key = lab.new_key()
    name = make_table(lab.dynamodb, sse=customer(key))
    grants = lab.grants(key)
    assert len(grants) == 2 and len({g["GrantId"] for g in grants}) == 2
    for grant in grants:
        assert grant["GranteePrincipal"] == grant["RetiringPrincipal"] == f"dynamodb.{REGION}.amazonaws.com"
        assert set(grant["Operations"]) == {"DescribeKey", "GenerateDataKey", "Decrypt", "Encrypt", "ReEncryptFrom", "ReEncryptTo",
                                            "RetireGrant"}
        assert grant["Constraints"] == {"EncryptionContextSubset": {
            "aws:dynamodb:tableName": name, "aws:dynamodb:subscriberId": ACCOUNT}}
        assert len(grant["Name"]) == 36 and grant["IssuingAccount"] == f"arn:aws:iam::{ACCOUNT}:root"
    lab.dynamodb.delete_table(TableName=name)
    until_gone(lab.dynamodb, name)
    until(lambda: lab.grants(key) == [], "the grants to be retired")


@pytest.mark.parametrize("killed", [False, True])
def test_grants_that_take_their_time(make_house, killed):
    """kmsd --grant-delay: the grant token makes up for it, and after a crash the table waits until the grant is visible."""
    lab = Lab(make_house(kmsd=["--grant-delay=120s"]))
    if not killed:
        name = make_table(lab.dynamodb, sse=customer(lab.keys[0]))
    else:
        key = lab.keys[0]
        lab.kms.put_key_policy(KeyId=key, Policy=without_table_keys())
        name = unique()
        lab.dynamodb.create_table(**definition(name, SSESpecification=customer(key)))
        lab.house.ddbd.kill()
        lab.kms.put_key_policy(KeyId=key, Policy=without_table_keys().replace("kms:GenerateDataKey", "kms:ReEncryptFrom"))
        lab.house.ddbd.start()
        assert describe(lab.dynamodb, name)["TableStatus"] == "CREATING"
        lab.house.clock(advance=121)
        until_active(lab.dynamodb, name)
    put(lab.dynamodb, name, "a", x="1")
    lab.change(name, customer(lab.keys[1]))
    assert lab.done(name)["KMSMasterKeyArn"] == arn_of(lab.keys[1])
    assert get(lab.dynamodb, name, "a") == {"x": "1"}


# ---- the phases ----

def old_new(lab, old, new):
    name = make_table(lab.dynamodb, sse=old)
    put(lab.dynamodb, name, "a", x="1")
    return name, lab.sse(name), lab.change(name, new)


def step(lab, seconds=0.45):
    lab.house.clock(advance=seconds)


def test_from_key_to_key(lab):
    old, new = lab.new_key(), lab.new_key()
    name, before, answer = old_new(lab, customer(old), customer(new))
    assert answer == {**before, "Status": "UPDATING"}
    assert lab.sse(name) == answer
    assert get(lab.dynamodb, name, "a") == {"x": "1"}
    until(lambda: records(lab.house)[name]["phase"] == 2, "the new table key to be made")
    step(lab)
    assert lab.sse(name) == {"Status": "UPDATING", "SSEType": "KMS", "KMSMasterKeyArn": arn_of(new)}
    assert get(lab.dynamodb, name, "a") == {"x": "1"}
    step(lab, 0.6)
    assert lab.sse(name) == {"Status": "ENABLED", "SSEType": "KMS", "KMSMasterKeyArn": arn_of(new)}
    until(lambda: lab.grants(old) == [], "the old key's grants to be retired")
    assert len(lab.grants(new)) == 2
    # The old key is not needed any more.
    lab.kms.disable_key(KeyId=old)
    lab.house.clock(advance=301)
    assert get(lab.dynamodb, name, "a") == {"x": "1"}


def test_from_key_to_owned(lab):
    old = lab.new_key()
    name, before, answer = old_new(lab, customer(old), OWNED)
    assert answer == {**before, "Status": "UPDATING"}
    until(lambda: records(lab.house)[name]["phase"] == 2, "the new table key to be made")
    step(lab)
    assert lab.sse(name) == {"Status": "UPDATING"}
    step(lab, 0.6)
    assert lab.sse(name) is None
    until(lambda: lab.grants(old) == [], "the old key's grants to be retired")
    lab.kms.disable_key(KeyId=old)
    lab.house.clock(advance=301)
    assert get(lab.dynamodb, name, "a") == {"x": "1"}


def test_from_owned_to_key(lab):
    new = lab.new_key()
    name, before, answer = old_new(lab, OWNED, customer(new))
    assert before is None and answer == {"Status": "UPDATING"}
    until(lambda: records(lab.house)[name]["phase"] == 2, "the new table key to be made")
    step(lab)
    assert lab.sse(name) == {"Status": "UPDATING", "SSEType": "KMS", "KMSMasterKeyArn": arn_of(new)}
    step(lab, 0.6)
    assert lab.sse(name) == {"Status": "ENABLED", "SSEType": "KMS", "KMSMasterKeyArn": arn_of(new)}
    lab.house.clock(advance=301)
    assert get(lab.dynamodb, name, "a") == {"x": "1"}
    lab.kms.disable_key(KeyId=new)
    lab.house.clock(advance=301)
    assert "is disabled." in refused("ValidationException", lab.dynamodb.get_item, TableName=name, Key={"pk": {"S": "a"}})


def test_the_same_key_by_another_name_is_a_full_change(lab):
    key = lab.new_key()
    lab.kms.create_alias(AliasName=f"alias/{key}", TargetKeyId=key)
    name = make_table(lab.dynamodb, sse=customer(key))
    put(lab.dynamodb, name, "a", x="1")
    wrapped = records(lab.house)[name]["key"]["wrapped"]
    for given in (key, f"alias/{key}"):
        assert lab.change(name, customer(given))["Status"] == "UPDATING"
        assert lab.done(name)["KMSMasterKeyArn"] == arn_of(key)
        assert records(lab.house)[name]["key"]["wrapped"] != wrapped
    until(lambda: len(lab.grants(key)) == 2, "only the newest grants to be left")
    name = make_table(lab.dynamodb, sse=MANAGED)
    for shape in ({"Enabled": True}, MANAGED, customer("alias/aws/dynamodb")):
        assert lab.change(name, shape)["Status"] == "UPDATING"
        assert lab.done(name)["Status"] == "ENABLED"


def test_the_table_key_is_new_and_the_data_is_not_encrypted_again(lab):
    """Spec 5: the data encryption key is wrapped anew; the file stays as it is."""
    name = make_table(lab.dynamodb, sse=customer(lab.keys[0]))
    put(lab.dynamodb, name, "a", x="1")
    keys = [plain_keys(lab.house, name)]
    for sse in (customer(lab.keys[1]), MANAGED, OWNED):
        lab.change(name, sse)
        lab.done(name)
        keys.append(plain_keys(lab.house, name))
    table_keys, deks = zip(*keys)
    assert len(set(table_keys)) == 4 and len(set(deks)) == 1


def test_reading_and_writing_go_on_throughout(lab):
    name = make_table(lab.dynamodb, sse=customer(lab.keys[0]))
    sequence = [OWNED, MANAGED, customer(lab.keys[1]), OWNED]
    written = {}
    for round_, sse in enumerate(sequence):
        lab.change(name, sse)
        for i in range(12):
            written[f"{round_}-{i}"] = str(i)
            put(lab.dynamodb, name, f"{round_}-{i}", x=str(i))
            assert get(lab.dynamodb, name, f"{round_}-0") == {"x": "0"}
            step(lab, 0.1)
        lab.done(name)
        for pk, x in written.items():
            assert get(lab.dynamodb, name, pk) == {"x": x}


# ---- while it lasts ----

def test_in_use(lab):
    name = make_table(lab.dynamodb)
    lab.change(name, customer(lab.keys[0]))
    busy = f"Attempt to change a resource which is still in use: Table: {name} is in the process of being updated."
    assert refused("ResourceInUseException", lab.dynamodb.delete_table, TableName=name) == busy
    assert refused("ResourceInUseException", lab.dynamodb.update_table, TableName=name, SSESpecification=MANAGED) == busy
    # Other changes are admitted.
    lab.dynamodb.update_table(TableName=name, DeletionProtectionEnabled=True)
    lab.dynamodb.update_table(TableName=name, DeletionProtectionEnabled=False)
    lab.done(name)
    lab.dynamodb.delete_table(TableName=name)
    until_gone(lab.dynamodb, name)


def test_the_old_key_must_stay_usable_to_the_end(lab):
    """Spec 5. If it does not, the table stays where it was until it does."""
    old, new = lab.new_key(), lab.new_key()
    name, before, _ = old_new(lab, customer(old), customer(new))
    lab.kms.disable_key(KeyId=old)
    lab.house.clock(advance=301)
    # The old table key was at hand when UpdateTable was answered: nothing is lost.
    assert until(lambda: lab.sse(name)["Status"] == "ENABLED" and lab.sse(name), "the end")["KMSMasterKeyArn"] == arn_of(new)
    assert get(lab.dynamodb, name, "a") == {"x": "1"}


def test_a_new_key_that_cannot_make_table_keys(make_house):
    """The change is tried for an hour, then the table is as it was."""
    lab = Lab(make_house())
    name = make_table(lab.dynamodb, sse=customer(lab.keys[0]))
    put(lab.dynamodb, name, "a", x="1")
    new = lab.kms.create_key(Policy=without_table_keys())["KeyMetadata"]["KeyId"]
    assert lab.change(name, customer(new))["Status"] == "UPDATING"
    lab.house.clock(advance=1800)
    assert lab.sse(name) == {"Status": "UPDATING", "SSEType": "KMS", "KMSMasterKeyArn": arn_of(lab.keys[0])}
    assert get(lab.dynamodb, name, "a") == {"x": "1"}
    lab.house.clock(advance=1801)
    until(lambda: lab.sse(name) == {"Status": "ENABLED", "SSEType": "KMS", "KMSMasterKeyArn": arn_of(lab.keys[0])}, "the old state")
    until(lambda: lab.grants(new) == [], "the new key's grants to be retired")
    assert len(lab.grants(lab.keys[0])) == 2
    assert get(lab.dynamodb, name, "a") == {"x": "1"}
    assert lab.change(name, OWNED)["Status"] == "UPDATING"
    assert lab.done(name) is None


# ---- the quota ----

def test_quota(make_house):
    lab = Lab(make_house())
    name = make_table(lab.dynamodb, sse=customer(lab.keys[0]))
    for i in range(4):
        refused("ValidationException", lab.dynamodb.update_table, TableName=name, SSESpecification=customer("no-such-key"))  # not counted
        lab.change(name, customer(lab.keys[(i + 1) % 2]))
        lab.done(name)
    window_end = "2026-05-21T20:45:00.000Z"
    message = refused("LimitExceededException", lab.dynamodb.update_table, TableName=name, SSESpecification=customer(lab.keys[1]))
    assert message.startswith("Subscriber limit exceeded: Encryption mode changes are limited in the 24h window ending at "
                              f"{window_end}. After the first 4 change, each subsequent change in the same window can be performed at most "
                              "once every 21600 seconds. Number of updates today: 4. Last change at 2026-05-20T20:46:30.000Z.")
    # To the owned key it is never far, and it counts.
    lab.change(name, OWNED)
    assert lab.done(name) is None
    message = refused("LimitExceededException", lab.dynamodb.update_table, TableName=name, SSESpecification=MANAGED)
    assert "Number of updates today: 5." in message
    lab.house.clock(advance=6 * 3600)  # a quiet while
    lab.change(name, MANAGED)
    lab.done(name)
    refused("LimitExceededException", lab.dynamodb.update_table, TableName=name, SSESpecification=customer(lab.keys[0]))
    lab.house.clock(advance=18 * 3600)  # another day
    for i in range(4):
        lab.change(name, customer(lab.keys[i % 2]))
        lab.done(name)
    refused("LimitExceededException", lab.dynamodb.update_table, TableName=name, SSESpecification=MANAGED)


# ---- crashes ----

def test_killed_in_the_middle_of_changes(make_house):
    """kill -9 at 40 points of changes between all kinds of keys: the table is always readable, with the same data, and the
    change that was acknowledged comes to its end."""
    chance = random.Random(30)
    lab = Lab(make_house())
    house = lab.house
    name = make_table(lab.dynamodb, sse=customer(lab.keys[0]))
    items = {f"item{i}": str(i) * chance.randrange(1, 400) for i in range(15)}
    for pk, x in items.items():
        put(lab.dynamodb, name, pk, x=x)
    wishes = {"owned": OWNED, "managed": MANAGED, "first": customer(lab.keys[0]), "second": customer(lab.keys[1])}
    now, killed_in = "first", set()
    for round_ in range(40):
        wish = chance.choice([w for w in wishes if w != now])
        if round_ % 3:  # the moment is chance's: before, in or after the request, while the table key is made
            killer = threading.Thread(target=lambda delay: (time.sleep(delay), house.ddbd.kill()), args=(chance.random() * 0.012,))
            killer.start()
        answered = False
        try:
            house.dynamodb(read_timeout=5).update_table(TableName=name, SSESpecification=wishes[wish])
            answered = True
        except (botocore.exceptions.HTTPClientError, botocore.exceptions.ConnectionError):
            pass
        if round_ % 3:
            killer.join()
        else:  # between the phases
            house.clock(advance=chance.choice([0.1, 0.45, 0.9]))
            house.ddbd.kill()
        record = records(house)[name]
        killed_in.add((record["phase"], answered))
        house.ddbd.start()
        for pk, x in items.items():
            assert get(lab.dynamodb, name, pk) == {"x": x}, (round_, now, wish, record["phase"])
        put(lab.dynamodb, name, f"item{round_ % 15}", x=str(round_))
        items[f"item{round_ % 15}"] = str(round_)
        arn = (lab.done(name) or {}).get("KMSMasterKeyArn")
        arns = {"owned": None, "first": arn_of(lab.keys[0]), "second": arn_of(lab.keys[1])}
        ended = next((w for w, its in arns.items() if its == arn), "managed")
        assert ended == wish or (ended == now and not answered), (round_, now, wish, ended)
        now = ended
        for pk, x in items.items():
            assert get(lab.dynamodb, name, pk) == {"x": x}
        house.clock(advance=86400)  # the quota's window is over, and every cached key
    assert len(killed_in) >= 3, killed_in
