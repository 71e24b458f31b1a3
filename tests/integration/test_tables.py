"""CreateTable, DescribeTable, ListTables, UpdateTable, DeleteTable and the operations about the service itself: answers
and refusals, as clients of DynamoDB know them."""
import datetime
import json
import re

import pytest

from daemons import ACCOUNT, REGION, until
from tables import (MANAGED, customer, definition, describe, invalid, make_table, put, refused, unique, until_active, until_gone, wire, without_table_keys)

ARN = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/"
START = datetime.datetime(2026, 5, 20, 20, 45, tzinfo=datetime.timezone.utc)
IN_USE = "Attempt to change a resource which is still in use: "
INVALID = "One or more parameter values were invalid: "
TABLE_OPERATIONS = ["CreateTable", "DescribeTable", "UpdateTable", "DeleteTable"]


# ---- what a table looks like ----

def test_create_and_describe(house, dynamodb):
    name = unique()
    made = dynamodb.create_table(**definition(name, range_key="sk:N", BillingMode="PROVISIONED",
                                              ProvisionedThroughput={"ReadCapacityUnits": 5, "WriteCapacityUnits": 7}))
    table = made["TableDescription"]
    assert table["TableStatus"] == "CREATING"
    described = until_active(dynamodb, name)
    assert described == {**table, "TableStatus": "ACTIVE"}
    assert table["AttributeDefinitions"] == [{"AttributeName": "pk", "AttributeType": "S"},
                                             {"AttributeName": "sk", "AttributeType": "N"}]
    assert table["KeySchema"] == [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}]
    assert table["ProvisionedThroughput"] == {"NumberOfDecreasesToday": 0, "ReadCapacityUnits": 5, "WriteCapacityUnits": 7}
    assert table["CreationDateTime"] == START
    assert table["TableArn"] == ARN + name and table["TableName"] == name
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", table["TableId"])
    assert (table["ItemCount"], table["TableSizeBytes"], table["DeletionProtectionEnabled"]) == (0, 0, False)
    # What DynamoDB shows of such a table only when there is something to say.
    assert not {"SSEDescription", "BillingModeSummary", "TableClassSummary", "StreamSpecification"} & set(table)


def test_on_demand(dynamodb):
    table = describe(dynamodb, make_table(dynamodb, BillingMode="PAY_PER_REQUEST"))
    assert table["BillingModeSummary"] == {"BillingMode": "PAY_PER_REQUEST", "LastUpdateToPayPerRequestDateTime": START}
    assert table["ProvisionedThroughput"] == {"NumberOfDecreasesToday": 0, "ReadCapacityUnits": 0, "WriteCapacityUnits": 0}


def test_class_and_protection(dynamodb):
    name = make_table(dynamodb, TableClass="STANDARD_INFREQUENT_ACCESS", DeletionProtectionEnabled=True)
    table = describe(dynamodb, name)
    assert table["TableClassSummary"] == {"TableClass": "STANDARD_INFREQUENT_ACCESS"}
    assert table["DeletionProtectionEnabled"] is True


def test_definitions_keep_their_order(dynamodb):
    name = unique()
    dynamodb.create_table(**{**definition(name, range_key="sk:B"), "AttributeDefinitions": [
        {"AttributeName": "sk", "AttributeType": "B"}, {"AttributeName": "pk", "AttributeType": "S"}]})
    table = until_active(dynamodb, name)
    assert [d["AttributeName"] for d in table["AttributeDefinitions"]] == ["sk", "pk"]
    assert [d["AttributeName"] for d in table["KeySchema"]] == ["pk", "sk"]


def test_name_as_arn(dynamodb):
    name = make_table(dynamodb)
    assert describe(dynamodb, ARN + name)["TableName"] == name
    dynamodb.put_item(TableName=ARN + name, Item={"pk": {"S": "a"}})
    assert dynamodb.get_item(TableName=ARN + name, Key={"pk": {"S": "a"}})["Item"] == {"pk": {"S": "a"}}
    made = unique()
    assert dynamodb.create_table(**definition(ARN + made))["TableDescription"]["TableName"] == made
    until_active(dynamodb, made)
    assert dynamodb.delete_table(TableName=ARN + made)["TableDescription"]["TableStatus"] == "DELETING"


@pytest.mark.parametrize("arn, what", [
    (f"arn:aws-cn:dynamodb:{REGION}:{ACCOUNT}:table/abc", "AWS partition"),
    (f"arn:aws:sqs:{REGION}:{ACCOUNT}:table/abc", "AWS service"),
    (f"arn:aws:dynamodb:eu-west-1:{ACCOUNT}:table/abc", "AWS region"),
    (f"arn:aws:dynamodb:{REGION}:1234:table/abc", "AWS account"),
    (f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:global/abc", "resource type"),
    (f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/abc/index/i", "resource type"),
])
def test_arns_of_something_else(dynamodb, arn, what):
    assert invalid(dynamodb.describe_table, TableName=arn) == f"1 validation error detected: Invalid {what} in '{arn}'"


@pytest.mark.parametrize("region, partition", [("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov"), ("eusc-de-east-1", "aws-eusc")])
def test_other_partitions(house, region, partition):
    """Table and key are of the Region's partition."""
    dynamodb = house.dynamodb(region=region)
    made = definition(SSESpecification={"Enabled": True, "SSEType": "KMS"})
    dynamodb.create_table(**made)
    until_active(dynamodb, made["TableName"])
    table = describe(dynamodb, made["TableName"])
    assert table["TableArn"] == f"arn:{partition}:dynamodb:{region}:{ACCOUNT}:table/{made['TableName']}"
    assert table["SSEDescription"]["KMSMasterKeyArn"].startswith(f"arn:{partition}:kms:{region}:{ACCOUNT}:key/")
    dynamodb.put_item(TableName=table["TableArn"], Item={"pk": {"S": "a"}})
    assert dynamodb.get_item(TableName=made["TableName"], Key={"pk": {"S": "a"}})["Item"] == {"pk": {"S": "a"}}
    assert invalid(dynamodb.describe_table, TableName=ARN + made["TableName"]).startswith(
        "1 validation error detected: Invalid AWS partition")
    dynamodb.delete_table(TableName=made["TableName"])


# ---- names ----

@pytest.mark.parametrize("operation", TABLE_OPERATIONS)
def test_bad_names(house, operation):
    def message(name, **more):
        reply = wire(house, operation, {**({} if name is ... else {"TableName": name}), **more})
        assert (reply.status, reply.type) == (400, "ValidationException")
        return reply.message
    missing = "The parameter 'TableName' is required but was not present in the request"
    length = "1 validation error detected: Value '{}' at 'tableName' failed to satisfy constraint: Member must have length {}"
    assert message(...) == message(None) == missing
    assert message("") == length.format("", "greater than or equal to 3")
    assert message("a;") == length.format("a;", "greater than or equal to 3")
    assert message("a" * 256) == length.format("a" * 256, "less than or equal to 255")
    ok = {k: v for k, v in definition().items() if k != "TableName"} if operation == "CreateTable" else {}
    assert message("abc;", **ok) == ("1 validation error detected: Value 'abc;' at 'tableName' failed to satisfy constraint: "
                                     "Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+")


@pytest.mark.parametrize("operation", ["DescribeTable", "UpdateTable", "DeleteTable"])
def test_missing_table(house, operation):
    more = {"DeletionProtectionEnabled": True} if operation == "UpdateTable" else {}
    reply = wire(house, operation, {"TableName": "missing", **more})
    assert reply.body["__type"] == "com.amazonaws.dynamodb.v20120810#ResourceNotFoundException"
    assert reply.message == "Requested resource not found: Table: missing not found"


# ---- CreateTable's refusals ----

def constraint(at, rule, value=None):
    shown = "Value null" if value is None else f"Value '{value}'"
    return f"1 validation error detected: {shown} at '{at}' failed to satisfy constraint: Member must {rule}"


def key(name="pk", kind="HASH"):
    return {"AttributeName": name, "KeyType": kind}


def attribute(name="pk", kind="S"):
    return {"AttributeName": name, "AttributeType": kind}


UNITS = {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1}

REFUSALS = [
    ({"AttributeDefinitions": None}, constraint("attributeDefinitions", "not be null")),
    ({"KeySchema": None}, constraint("keySchema", "not be null")),
    ({"KeySchema": []}, constraint("keySchema", "have length greater than or equal to 1", "[]")),
    ({"KeySchema": [key(), key("sk", "RANGE"), key("extra", "RANGE")]},
     constraint("keySchema", "have length less than or equal to 2",
                "[KeySchemaElement(attributeName=pk, keyType=HASH), KeySchemaElement(attributeName=sk, keyType=RANGE), "
                "KeySchemaElement(attributeName=extra, keyType=RANGE)]")),
    ({"KeySchema": [{"KeyType": "HASH"}]}, constraint("keySchema.1.member.attributeName", "not be null")),
    ({"KeySchema": [key(), {"AttributeName": "a"}]}, constraint("keySchema.2.member.keyType", "not be null")),
    ({"KeySchema": [key("pk", "INVALID")]},
     constraint("keySchema.1.member.keyType", "satisfy enum value set: [HASH, RANGE]", "INVALID")),
    ({"AttributeDefinitions": [attribute("pk", "SS")]},
     constraint("attributeDefinitions.1.member.attributeType", "satisfy enum value set: [B, N, S]", "SS")),
    ({"AttributeDefinitions": [attribute("p" * 256)]},
     constraint("attributeDefinitions.1.member.attributeName", "have length less than or equal to 255", "p" * 256)),
    ({"BillingMode": "CHEAP"}, constraint("billingMode", "satisfy enum value set: [PROVISIONED, PAY_PER_REQUEST]", "CHEAP")),
    ({"ProvisionedThroughput": {"ReadCapacityUnits": 1}},
     constraint("provisionedThroughput.writeCapacityUnits", "not be null")),
    ({"ProvisionedThroughput": {**UNITS, "ReadCapacityUnits": 0}},
     constraint("provisionedThroughput.readCapacityUnits", "have value greater than or equal to 1", "0")),
    ({"SSESpecification": {"SSEType": "kms"}}, constraint("sSESpecification.sSEType", "satisfy enum value set: [AES256, KMS]", "kms")),
    ({"TableClass": "COLD"}, constraint("tableClass", "satisfy enum value set: [STANDARD, STANDARD_INFREQUENT_ACCESS]", "COLD")),
    ({"ProvisionedThroughput": UNITS},
     INVALID + "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST"),
    ({"BillingMode": None},
     INVALID + "ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED"),
    ({"BillingMode": "PROVISIONED"},
     INVALID + "ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED"),
    ({"AttributeDefinitions": []}, "Invalid KeySchema: Some index key attribute have no definition"),
    ({"KeySchema": [key(), key("pk", "RANGE")]}, "Invalid KeySchema: Some index key attribute have no definition"),
    ({"KeySchema": [key("other")]},
     INVALID + "Some index key attributes are not defined in AttributeDefinitions. Keys: [other], AttributeDefinitions: [pk]"),
    ({"AttributeDefinitions": [attribute(), attribute("b")]},
     INVALID + "Number of attributes in KeySchema does not exactly match number of attributes defined in AttributeDefinitions"),
    ({"AttributeDefinitions": [attribute(), attribute("b")], "KeySchema": [key(), key("pk", "RANGE")]},
     "Both the Hash Key and the Range Key element in the KeySchema have the same name"),
    ({"KeySchema": [key("pk", "RANGE")]}, "Invalid KeySchema: The first KeySchemaElement is not a HASH key type"),
    ({"AttributeDefinitions": [attribute(), attribute("b")], "KeySchema": [key(), key("b", "HASH")]},
     "Invalid KeySchema: The second KeySchemaElement is not a RANGE key type"),
]


@pytest.mark.parametrize("change, message", REFUSALS, ids=range(len(REFUSALS)))
def test_create_refusals(house, dynamodb, change, message):
    name = unique()
    reply = wire(house, "CreateTable", {**definition(name), **change})
    assert (reply.status, reply.type, reply.message) == (400, "ValidationException", message)
    assert name not in dynamodb.list_tables()["TableNames"]


def test_several_violations_in_one_sentence(house):
    reply = wire(house, "CreateTable", {"TableName": "abc", "AttributeDefinitions": [{}], "KeySchema": [key("a", "X")],
                                        "BillingMode": "Y"})
    assert reply.message.startswith("4 validation errors detected: ")
    assert reply.message.count("; ") == 3 and reply.message.count("Member must not be null") == 2


def test_units_beyond_the_quota(dynamodb):
    message = refused("LimitExceededException", dynamodb.create_table, **definition(
        BillingMode="PROVISIONED", ProvisionedThroughput={"ReadCapacityUnits": 1, "WriteCapacityUnits": 40001}))
    assert "40001" in message and "Per table maximum: 40000" in message


@pytest.mark.parametrize("member, value", [
    ("TableName", 5), ("AttributeDefinitions", {}), ("AttributeDefinitions", ["x"]), ("KeySchema", "x"),
    ("ProvisionedThroughput", []), ("BillingMode", True), ("DeletionProtectionEnabled", "yes")])
def test_wrong_types(house, member, value):
    reply = wire(house, "CreateTable", {**definition(), member: value})
    assert reply.body["__type"] == "com.amazon.coral.service#SerializationException"


@pytest.mark.parametrize("body", [b"{", b"[]", b"null", b"{}x", b'{"TableName":"abc"', b"\xff", b'{"TableName":"\xff\xff\xff"}'])
def test_bodies_that_are_no_json_object(house, body):
    reply = wire(house, "DescribeTable", body)
    assert (reply.status, reply.type) == (400, "SerializationException")


def test_name_taken(dynamodb):
    name = make_table(dynamodb)
    assert refused("ResourceInUseException", dynamodb.create_table, **definition(name)) == f"Table already exists: {name}"


@pytest.mark.parametrize("member, value", [
    ("LocalSecondaryIndexes", []), ("GlobalSecondaryIndexes", [{"IndexName": "abc"}]), ("Tags", [{"Key": "a", "Value": "b"}]),
    ("StreamSpecification", {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}), ("ResourcePolicy", "{}"),
    ("WarmThroughput", {"ReadUnitsPerSecond": 1}), ("OnDemandThroughput", {"MaxReadRequestUnits": 1})])
def test_create_with_what_is_not_built(house, dynamodb, member, value):
    name = unique()
    reply = wire(house, "CreateTable", {**definition(name), member: value})
    assert (reply.type, reply.message) == ("ValidationException", f"{INVALID}{member} is not supported by ddbd yet")
    assert name not in dynamodb.list_tables()["TableNames"]


@pytest.mark.parametrize("tags", ["x", {}, {"Key": "a"}, True, [None]], ids=str)
def test_tags_of_another_shape_are_not_ignored(house, tags):
    assert wire(house, "CreateTable", {**definition(), "Tags": tags}).type == "ValidationException"


def test_empty_tags_are_none(dynamodb):
    make_table(dynamodb, Tags=[])


# ---- ListTables ----

def test_list_tables(house):
    dynamodb = house.dynamodb(key="222233334444")  # an account of its own
    assert dynamodb.list_tables()["TableNames"] == []
    names = sorted(["b.b", "a-a", "A_A", "a.a", "000", "zzz", "B12"])
    for name in names:
        make_table(dynamodb, name)
    assert dynamodb.list_tables()["TableNames"] == names
    assert "LastEvaluatedTableName" not in dynamodb.list_tables(Limit=len(names))
    pages = list(dynamodb.get_paginator("list_tables").paginate(PaginationConfig={"PageSize": 3}))
    assert [len(page["TableNames"]) for page in pages] == [3, 3, 1]
    assert [n for page in pages for n in page["TableNames"]] == names
    page = dynamodb.list_tables(Limit=2)
    assert page["LastEvaluatedTableName"] == page["TableNames"][-1] == names[1]
    # A name that is no table's is a place in the order all the same.
    assert dynamodb.list_tables(ExclusiveStartTableName="a-b")["TableNames"] == [n for n in names if n > "a-b"]
    assert dynamodb.list_tables(ExclusiveStartTableName="zzz")["TableNames"] == []


def test_many_tables(house):
    dynamodb = house.dynamodb(key="555566667777")
    names = [f"table{i:03}" for i in range(103)]
    for name in names:
        dynamodb.create_table(**definition(name))
    page = dynamodb.list_tables()
    assert (page["TableNames"], page["LastEvaluatedTableName"]) == (names[:100], names[99])
    assert dynamodb.list_tables(ExclusiveStartTableName=names[99])["TableNames"] == names[100:]


@pytest.mark.parametrize("sse", [None, MANAGED], ids=["owned", "managed"])
def test_longest_and_shortest_names(dynamodb, sse):
    for name in ("L" * 251 + unique()[-4:], "a-1"):
        make_table(dynamodb, name, sse=sse)
        put(dynamodb, name, "a", x="1")
        assert dynamodb.get_item(TableName=ARN + name, Key={"pk": {"S": "a"}})["Item"]["x"] == {"S": "1"}
        dynamodb.delete_table(TableName=name)
        until_gone(dynamodb, name)


@pytest.mark.parametrize("parameters, message", [
    ({"Limit": 0}, constraint("limit", "have value greater than or equal to 1", "0")),
    ({"Limit": 101}, constraint("limit", "have value less than or equal to 100", "101")),
    ({"ExclusiveStartTableName": "a" * 256},
     constraint("exclusiveStartTableName", "have length less than or equal to 255", "a" * 256)),
])
def test_list_tables_refusals(house, parameters, message):
    assert wire(house, "ListTables", parameters).message == message


def test_list_tables_ignores_what_it_does_not_know(house):
    assert wire(house, "ListTables", {"hi": "yo", "Limit": None}).status == 200


# ---- UpdateTable ----

def update(client, name, **change):
    """The answer; waits until the table is ACTIVE again."""
    table = client.update_table(TableName=name, **change)["TableDescription"]
    until_active(client, name)
    return table


def test_throughput(dynamodb):
    name = make_table(dynamodb, BillingMode="PROVISIONED", ProvisionedThroughput=UNITS)
    assert update(dynamodb, name, ProvisionedThroughput={"ReadCapacityUnits": 9, "WriteCapacityUnits": 8})["TableStatus"] == "UPDATING"
    got = describe(dynamodb, name)["ProvisionedThroughput"]
    assert got == {"LastIncreaseDateTime": START, "NumberOfDecreasesToday": 0, "ReadCapacityUnits": 9, "WriteCapacityUnits": 8}
    update(dynamodb, name, ProvisionedThroughput={"ReadCapacityUnits": 9, "WriteCapacityUnits": 7})
    got = describe(dynamodb, name)["ProvisionedThroughput"]
    assert (got["NumberOfDecreasesToday"], got["LastDecreaseDateTime"]) == (1, START)
    message = invalid(dynamodb.update_table, TableName=name, ProvisionedThroughput={"ReadCapacityUnits": 9, "WriteCapacityUnits": 7})
    assert message.startswith("The provisioned throughput for the table will not change. The requested value equals the "
                              "current value. Current ReadCapacityUnits provisioned for the table: 9. ")


def test_decreases_of_a_day(house, dynamodb):
    name = make_table(dynamodb, BillingMode="PROVISIONED", ProvisionedThroughput={"ReadCapacityUnits": 9, "WriteCapacityUnits": 1})
    for units in (8, 7, 6, 5):
        update(dynamodb, name, ProvisionedThroughput={"ReadCapacityUnits": units, "WriteCapacityUnits": 1})
    message = refused("LimitExceededException", dynamodb.update_table, TableName=name,
                      ProvisionedThroughput={"ReadCapacityUnits": 4, "WriteCapacityUnits": 1})
    assert message.startswith("Subscriber limit exceeded: Provisioned throughput decreases are limited within a given UTC day. ")
    assert "Number of decreases today: 4. Last decrease at Wednesday, May 20, 2026 8:45:00 PM UTC. " in message


def test_billing_mode(dynamodb):
    name = make_table(dynamodb, BillingMode="PROVISIONED", ProvisionedThroughput=UNITS)
    assert update(dynamodb, name, BillingMode="PAY_PER_REQUEST")["TableStatus"] == "UPDATING"
    assert describe(dynamodb, name)["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    update(dynamodb, name, BillingMode="PAY_PER_REQUEST")  # no change is fine here
    update(dynamodb, name, BillingMode="PROVISIONED", ProvisionedThroughput={"ReadCapacityUnits": 3, "WriteCapacityUnits": 4})
    table = describe(dynamodb, name)
    assert table["BillingModeSummary"]["BillingMode"] == "PROVISIONED"
    assert (table["ProvisionedThroughput"]["ReadCapacityUnits"], table["ProvisionedThroughput"]["WriteCapacityUnits"]) == (3, 4)


@pytest.mark.parametrize("change, message", [
    ({}, "At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, GlobalSecondaryIndexUpdates, SSESpecification, "
         "ReplicaUpdates, MultiAccountReplicaReady, ReplicaTransitRoleArn, MultiRegionConsistency, DeletionProtectionEnabled, "
         "OnDemandThroughput, WarmThroughput or TableClass is required"),
    ({"BillingMode": "PAY_PER_REQUEST", "ProvisionedThroughput": UNITS},
     INVALID + "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST"),
    ({"BillingMode": "PROVISIONED"}, INVALID + "ProvisionedThroughput must be specified when BillingMode is PROVISIONED"),
    ({"ProvisionedThroughput": {"ReadCapacityUnits": 0, "WriteCapacityUnits": 1}},
     constraint("provisionedThroughput.readCapacityUnits", "have value greater than or equal to 1", "0")),
    ({"SSESpecification": {"Enabled": True}, "DeletionProtectionEnabled": True},
     INVALID + "Server-Side Encryption modification must be the only operation in the request"),
    ({"SSESpecification": {"Enabled": True}, "BillingMode": "PAY_PER_REQUEST"},
     INVALID + "Server-Side Encryption modification must be the only operation in the request"),
    *[({member: value}, f"{INVALID}{member} is not supported by ddbd yet") for member, value in [
        ("GlobalSecondaryIndexUpdates", [{"Delete": {"IndexName": "abc"}}]), ("ReplicaUpdates", [{"Create": {"RegionName": "x"}}]),
        ("StreamSpecification", {"StreamEnabled": True}), ("TableClass", "STANDARD"),
        ("OnDemandThroughput", {"MaxReadRequestUnits": 1}), ("WarmThroughput", {"ReadUnitsPerSecond": 1})]],
], ids=lambda v: None if isinstance(v, str) else "-".join(v) or "nothing")
def test_update_refusals(house, dynamodb, change, message):
    name = make_table(dynamodb)
    before = describe(dynamodb, name)
    reply = wire(house, "UpdateTable", {"TableName": name, **change})
    assert (reply.type, reply.message) == ("ValidationException", message)
    assert describe(dynamodb, name) == before


def test_deletion_protection(dynamodb):
    name = make_table(dynamodb, DeletionProtectionEnabled=True)
    assert invalid(dynamodb.delete_table, TableName=name) == (
        "Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection first.")
    table = dynamodb.update_table(TableName=name, DeletionProtectionEnabled=False)["TableDescription"]
    assert table["DeletionProtectionEnabled"] is False
    dynamodb.delete_table(TableName=name)
    until_gone(dynamodb, name)


# ---- DeleteTable ----

def test_delete(house, dynamodb):
    name = make_table(dynamodb)
    files = lambda: {path.name for path in (house.folder / "ddbd/state/tables").iterdir()}
    identity = describe(dynamodb, name)["TableId"]
    put(dynamodb, name, "a", x="1")
    assert any(identity in f for f in files())
    assert dynamodb.delete_table(TableName=name)["TableDescription"]["TableStatus"] == "DELETING"
    until_gone(dynamodb, name)
    assert name not in dynamodb.list_tables()["TableNames"]
    assert not any(identity in f for f in files())
    assert refused("ResourceNotFoundException", dynamodb.put_item, TableName=name, Item={"pk": {"S": "a"}}) == \
        "Requested resource not found"
    # The name is free, and nothing of the old table is in the new one.
    make_table(dynamodb, name)
    assert describe(dynamodb, name)["TableId"] != identity
    assert "Item" not in dynamodb.get_item(TableName=name, Key={"pk": {"S": "a"}})


@pytest.fixture
def stuck(make_house):
    """A table that stays CREATING: no table key can be made for it."""
    house = make_house()
    kms, dynamodb = house.kms(), house.dynamodb()
    key_id = kms.create_key(Policy=without_table_keys())["KeyMetadata"]["KeyId"]
    name = unique()
    dynamodb.create_table(**definition(name, SSESpecification=customer(key_id)))
    return house, name, key_id


def test_in_use_while_being_created(stuck):
    house, name, key_id = stuck
    dynamodb = house.dynamodb()
    assert describe(dynamodb, name)["TableStatus"] == "CREATING"
    assert refused("ResourceInUseException", dynamodb.delete_table, TableName=name) == f"{IN_USE}Table is being created: {name}"
    for change in ({"DeletionProtectionEnabled": True}, {"BillingMode": "PAY_PER_REQUEST"}, {"SSESpecification": MANAGED}):
        assert refused("ResourceInUseException", dynamodb.update_table, TableName=name, **change) == \
            f"{IN_USE}Table is being created: {name}"
    refused("ResourceInUseException", dynamodb.create_table, **definition(name))
    assert refused("ResourceNotFoundException", dynamodb.get_item, TableName=name, Key={"pk": {"S": "a"}})
    # Somebody lets DynamoDB use the key after all.
    kms = house.kms()
    kms.put_key_policy(KeyId=key_id, Policy=json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "kms:*", "Resource": "*"}]}))
    until_active(dynamodb, name)
    put(dynamodb, name, "a", x="1")


def test_a_table_that_never_gets_its_key_is_gone_after_an_hour(stuck):
    house, name, key_id = stuck
    dynamodb, kms = house.dynamodb(), house.kms()
    house.clock(advance=58 * 60)
    assert describe(dynamodb, name)["TableStatus"] == "CREATING"
    assert len(kms.list_grants(KeyId=key_id)["Grants"]) == 2
    house.clock(advance=2 * 60)
    until_gone(dynamodb, name)
    until(lambda: not kms.list_grants(KeyId=key_id)["Grants"], "the grants to be retired")
    make_table(dynamodb, name)


# ---- accounts and Regions ----

def test_accounts_and_regions_are_apart(house):
    name = unique()
    places = [("111122223333", "us-east-1"), ("111122223333", "eu-west-1"), ("999988887777", "us-east-1")]
    clients = [house.dynamodb(key=account, region=region) for account, region in places]
    for i, client in enumerate(clients):
        make_table(client, name)
        put(client, name, "who", i=str(i))
    for i, client in enumerate(clients):
        assert client.get_item(TableName=name, Key={"pk": {"S": "who"}})["Item"]["i"]["S"] == str(i)
        assert describe(client, name)["TableArn"] == f"arn:aws:dynamodb:{places[i][1]}:{places[i][0]}:table/{name}"
    clients[0].delete_table(TableName=name)
    until_gone(clients[0], name)
    assert describe(clients[1], name) and describe(clients[2], name)


def test_another_accounts_table(house, dynamodb):
    name = make_table(dynamodb)
    other = house.dynamodb(key="999988887777")
    refused("AccessDeniedException", other.describe_table, TableName=ARN + name)
    refused("AccessDeniedException", other.get_item, TableName=ARN + name, Key={"pk": {"S": "a"}})


# ---- the service ----

def test_describe_endpoints(house, dynamodb):
    assert dynamodb.describe_endpoints()["Endpoints"] == [
        {"Address": f"127.0.0.1:{house.ddbd.port}", "CachePeriodInMinutes": 1440}]


def test_describe_limits(dynamodb):
    limits = dynamodb.describe_limits()
    limits.pop("ResponseMetadata")
    assert limits == {"AccountMaxReadCapacityUnits": 80000, "AccountMaxWriteCapacityUnits": 80000,
                      "TableMaxReadCapacityUnits": 40000, "TableMaxWriteCapacityUnits": 40000}


def test_every_other_operation_of_the_api_says_so(house, dynamodb):
    built = {"CreateTable", "DescribeTable", "ListTables", "UpdateTable", "DeleteTable", "PutItem", "GetItem", "DeleteItem",
             "DescribeEndpoints", "DescribeLimits"}
    others = set(dynamodb.meta.service_model.operation_names) - built
    assert len(others) > 40
    for operation in sorted(others):
        reply = wire(house, operation, {"TableName": "abc"})
        assert (reply.status, reply.type) == (400, "UnsupportedOperationException"), operation
        assert operation in reply.message


UNDERSTOOD = {
    "CreateTable": {"TableName", "AttributeDefinitions", "KeySchema", "BillingMode", "ProvisionedThroughput", "SSESpecification",
                    "DeletionProtectionEnabled", "TableClass", "Tags"},
    "UpdateTable": {"TableName", "BillingMode", "ProvisionedThroughput", "SSESpecification", "DeletionProtectionEnabled"},
    "PutItem": {"TableName", "Item", "ReturnValues", "ReturnConsumedCapacity", "ReturnItemCollectionMetrics",
                "ReturnValuesOnConditionCheckFailure"},
    "DeleteItem": {"TableName", "Key", "ReturnValues", "ReturnConsumedCapacity", "ReturnItemCollectionMetrics",
                   "ReturnValuesOnConditionCheckFailure"},
    "GetItem": {"TableName", "Key", "ConsistentRead", "ReturnConsumedCapacity"},
}


@pytest.mark.parametrize("operation", UNDERSTOOD)
def test_every_other_parameter_of_the_api_is_refused(house, dynamodb, operation):
    """By the public model: what is not understood is never as if it had not been said."""
    name = make_table(dynamodb)
    item = {"pk": {"S": "a"}}
    body = {"CreateTable": definition(), "UpdateTable": {"TableName": name, "DeletionProtectionEnabled": False},
            "PutItem": {"TableName": name, "Item": item}}.get(operation, {"TableName": name, "Key": item})
    value = {"string": "x", "boolean": True, "list": [], "map": {}, "structure": {}}
    members = dynamodb.meta.service_model.operation_model(operation).input_shape.members
    assert UNDERSTOOD[operation] <= set(members)
    for member in set(members) - UNDERSTOOD[operation]:
        reply = wire(house, operation, {**body, member: value[members[member].type_name]})
        assert (reply.type, reply.message) == ("ValidationException", f"{INVALID}{member} is not supported by ddbd yet")
        assert wire(house, operation, {**body, member: None, "TableName": "x;;"}).type == "ValidationException"


@pytest.mark.parametrize("operation, target", [("Frobnicate", "DynamoDB_20120810"), ("ListTables", "DynamoDB_20111205"),
                                               ("ListTables", "TrentService")])
def test_unknown_operations(house, operation, target):
    reply = wire(house, operation, {}, target=target)
    assert reply.body == {"__type": "com.amazon.coral.service#UnknownOperationException"}


def test_state_survives(make_house):
    house = make_house()
    dynamodb = house.dynamodb()
    name = make_table(dynamodb, range_key="sk:B", DeletionProtectionEnabled=True, BillingMode="PROVISIONED",
                      ProvisionedThroughput={"ReadCapacityUnits": 3, "WriteCapacityUnits": 4})
    dynamodb.put_item(TableName=name, Item={"pk": {"S": "a"}, "sk": {"B": b"b"}, "x": {"S": "y" * 100}})
    before = describe(dynamodb, name)
    assert (before["ItemCount"], before["TableSizeBytes"]) == (1, 2 + 1 + 2 + 1 + 1 + 100)
    house.ddbd.restart()
    assert describe(dynamodb, name) == before
    house.ddbd.kill()
    house.ddbd.start()
    assert describe(dynamodb, name) == before
