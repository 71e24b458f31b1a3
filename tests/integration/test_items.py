"""PutItem, GetItem, DeleteItem: what is put is what is got, in DynamoDB's own forms; and every refusal."""
import base64
import decimal
import random
import string

import pytest
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

from tables import customer, describe, invalid, make_table, unique, wire

INVALID = "One or more parameter values were invalid: "
DETECTED = "1 validation error detected: "
MISMATCH = "The provided key element does not match the schema"
ITEM_MAX = 400 * 1024


@pytest.fixture(scope="module")
def table(house):
    return make_table(house.dynamodb())


@pytest.fixture(scope="module")
def ranged(house):
    return make_table(house.dynamodb(), range_key="sk:N")


def round_trip(dynamodb, table, value):
    key = {"pk": {"S": unique("item")}}
    dynamodb.put_item(TableName=table, Item={**key, "value": value})
    return dynamodb.get_item(TableName=table, Key=key)["Item"]["value"]


# ---- values ----

VALUES = [
    {"S": ""}, {"S": "text"}, {"S": "π — 漢字 — 👩‍👩‍👧"}, {"S": "\u0000\u0001\u001f\"\\\u007f\u2028"}, {"S": "x" * 100_000},
    {"N": "0"}, {"N": "-12.5"}, {"B": b""}, {"B": bytes(range(256))}, {"BOOL": True}, {"BOOL": False}, {"NULL": True},
    {"SS": ["a", "b", ""]}, {"NS": ["1", "-2.5", "1000"]}, {"BS": [b"", b"\x00", b"\xff\xfe"]},
    {"L": []}, {"M": {}}, {"L": [{"S": "a"}, {"N": "1"}, {"L": [{"NULL": True}]}, {"M": {"x": {"B": b"1"}}}]},
    {"M": {"with space": {"S": "a"}, "ü": {"M": {"y": {"BOOL": True}}}, "a.b[0]#:": {"N": "1"}}},
]


@pytest.mark.parametrize("value", VALUES, ids=lambda v: next(iter(v)) + str(len(str(v))))
def test_round_trip(dynamodb, table, value):
    assert round_trip(dynamodb, table, value) == value


@pytest.mark.parametrize("sent, got", [
    ("0", "0"), ("-0", "0"), ("0.000", "0"), ("00042.1200", "42.12"), ("+7", "7"), ("1e2", "100"), ("1.5E2", "150"), ("1.0", "1"),
    (".5", "0.5"), ("5.", "5"), ("100", "100"), ("-1E-2", "-0.01"),
    ("12345678901234567890123456789012345678", "12345678901234567890123456789012345678"),
    ("-0.12345678901234567890123456789012345678", "-0.12345678901234567890123456789012345678"),
    ("1E125", "1" + "0" * 125), ("9.9999999999999999999999999999999999999E+125", "9" * 38 + "0" * 88),
    ("1E-130", "0." + "0" * 129 + "1"), ("-9.9999999999999999999999999999999999999E+125", "-" + "9" * 38 + "0" * 88),
    ("0.1000000000000000055511151231257827021", "0.1000000000000000055511151231257827021"),
])
def test_numbers(dynamodb, table, sent, got):
    assert round_trip(dynamodb, table, {"N": sent}) == {"N": got}
    assert round_trip(dynamodb, table, {"NS": [sent, "3"]}) == {"NS": [got, "3"]}


def test_random_numbers_against_decimal(dynamodb, table):
    chance = random.Random(38)
    with decimal.localcontext(prec=60):
        numbers = []
        while len(numbers) < 300:
            digits = "".join(chance.choice(string.digits) for _ in range(chance.randint(1, 38)))
            text = f"{chance.choice(['', '-'])}{digits[0]}.{digits[1:]}E{chance.randint(-90, 80)}"
            numbers.append(text)
        got = round_trip(dynamodb, table, {"L": [{"N": n} for n in numbers]})["L"]
        for sent, back in zip(numbers, got):
            assert decimal.Decimal(back["N"]) == decimal.Decimal(sent)
            assert "E" not in back["N"] and not back["N"].startswith((".", "-."))


def test_random_documents(dynamodb, table):
    """Whatever boto3's own serializer makes of nested Python values comes back as the same values."""
    chance = random.Random(7)

    def document(depth):
        kind = chance.randrange(8 if depth else 6)
        return [lambda: "".join(chance.choice("aé漢😀\n\"") for _ in range(chance.randrange(20))),
                lambda: decimal.Decimal(chance.randrange(-10**9, 10**9)).scaleb(-chance.randrange(12)),
                lambda: chance.randbytes(chance.randrange(1, 40)),
                lambda: chance.choice([True, False, None]),
                lambda: {str(n) for n in range(chance.randrange(1, 5))},
                lambda: {decimal.Decimal(n) for n in range(chance.randrange(1, 5))},
                lambda: [document(depth - 1) for _ in range(chance.randrange(5))],
                lambda: {f"k{n}": document(depth - 1) for n in range(chance.randrange(5))}][kind]()

    def plain(value):
        if isinstance(value, dict):
            return {k: plain(v) for k, v in value.items()}
        if isinstance(value, list):
            return [plain(v) for v in value]
        return getattr(value, "value", value)

    for _ in range(60):
        value = document(4)
        got = round_trip(dynamodb, table, TypeSerializer().serialize(value))
        assert plain(TypeDeserializer().deserialize(got)) == value


def test_leniency_of_the_wire(house, dynamodb, table):
    """What DynamoDB takes and stores in one form."""
    key = {"pk": {"S": "lenient"}}
    body = {"TableName": table, "Item": {**key, "a": {"BOOL": "true"}, "b": {"NULL": False}, "c": {"S": "x", "N": None, "Odd": 1}}}
    assert wire(house, "PutItem", body).status == 200
    assert dynamodb.get_item(TableName=table, Key=key)["Item"] == {
        **key, "a": {"BOOL": True}, "b": {"NULL": True}, "c": {"S": "x"}}


# ---- keys ----

@pytest.mark.parametrize("hash_type, hashes", [
    ("S", [{"S": "a"}, {"S": "A"}, {"S": "a "}, {"S": "ä"}, {"S": "x" * 2048}]),
    ("N", [{"N": "0"}, {"N": "1"}, {"N": "-1"}, {"N": "0." + "0" * 129 + "1"}, {"N": "0.1"}, {"N": "9" * 38}]),
    ("B", [{"B": b"\x00"}, {"B": b"\x00\x00"}, {"B": b"a"}, {"B": b"\xff" * 2048}])])
@pytest.mark.parametrize("range_type, ranges", [
    (None, [None]), ("S", [{"S": "b"}, {"S": "bb"}, {"S": "y" * 1024}]), ("N", [{"N": "2"}, {"N": "-2"}, {"N": "0.2"}]),
    ("B", [{"B": b"b"}, {"B": b"\x00b"}, {"B": b"\xff" * 1024}])])
def test_key_types(dynamodb, hash_type, hashes, range_type, ranges):
    name = make_table(dynamodb, hash_key=f"pk:{hash_type}", range_key=range_type and f"sk:{range_type}")
    keys = [{"pk": h, **({"sk": r} if r else {})} for h in hashes for r in ranges]
    for i, key in enumerate(keys):
        dynamodb.put_item(TableName=name, Item={**key, "i": {"N": str(i)}})
    for i, key in enumerate(keys):
        assert dynamodb.get_item(TableName=name, Key=key)["Item"] == {**key, "i": {"N": str(i)}}
    assert describe(dynamodb, name)["ItemCount"] == len(keys)
    for key in keys[::2]:
        dynamodb.delete_item(TableName=name, Key=key)
    assert [i for i, key in enumerate(keys) if "Item" in dynamodb.get_item(TableName=name, Key=key)] == \
        list(range(1, len(keys), 2))


def test_equal_numbers_are_one_key(dynamodb, ranged):
    pk = {"S": "numbers"}
    for i, n in enumerate(("100", "1e2", "100.0", "+0100")):
        dynamodb.put_item(TableName=ranged, Item={"pk": pk, "sk": {"N": n}, "i": {"N": str(i)}})
    assert dynamodb.get_item(TableName=ranged, Key={"pk": pk, "sk": {"N": "1.00E+2"}})["Item"] == {
        "pk": pk, "sk": {"N": "100"}, "i": {"N": "3"}}


def test_composite_keys_do_not_run_together(dynamodb):
    name = make_table(dynamodb, range_key="sk:S")
    pairs = [("a", "bc"), ("ab", "c"), ("a\x00", "bc"), ("a", "\x00bc"), ("\x01a", "bc"), ("a" * 256, "b"), ("a", "a" * 256 + "b")]
    for h, r in pairs:
        dynamodb.put_item(TableName=name, Item={"pk": {"S": h}, "sk": {"S": r}, "v": {"S": h + "/" + r}})
    for h, r in pairs:
        assert dynamodb.get_item(TableName=name, Key={"pk": {"S": h}, "sk": {"S": r}})["Item"]["v"]["S"] == h + "/" + r


# ---- what PutItem and DeleteItem return ----

def test_return_values(dynamodb, table):
    key = {"pk": {"S": "returned"}}
    first, second = {**key, "x": {"S": "1"}}, {**key, "y": {"S": "2"}}
    put = lambda item, **more: {k: v for k, v in dynamodb.put_item(TableName=table, Item=item, **more).items()
                                if k != "ResponseMetadata"}
    assert put(first, ReturnValues="ALL_OLD") == {}
    assert put(second, ReturnValues="NONE") == {}
    assert put(first, ReturnValues="ALL_OLD") == {"Attributes": second}
    assert dynamodb.get_item(TableName=table, Key=key)["Item"] == first  # PutItem replaces, it does not merge
    assert dynamodb.delete_item(TableName=table, Key=key, ReturnValues="ALL_OLD")["Attributes"] == first
    assert "Attributes" not in dynamodb.delete_item(TableName=table, Key=key, ReturnValues="ALL_OLD")
    assert "Item" not in dynamodb.get_item(TableName=table, Key=key)


@pytest.mark.parametrize("value", ["ALL_NEW", "UPDATED_OLD", "UPDATED_NEW"])
def test_return_values_of_other_operations(dynamodb, table, value):
    key = {"pk": {"S": "a"}}
    assert invalid(dynamodb.put_item, TableName=table, Item=key, ReturnValues=value) == "Return values set to invalid value"
    assert invalid(dynamodb.delete_item, TableName=table, Key=key, ReturnValues=value) == "Return values set to invalid value"


@pytest.mark.parametrize("size, reads, writes", [(100, 1, 1), (1024, 1, 1), (1025, 1, 2), (4096, 1, 4), (4097, 2, 5), (20000, 5, 20)])
def test_consumed_capacity(dynamodb, table, size, reads, writes):
    key = {"pk": {"S": unique("c")[:14]}}
    item = {**key, "x": {"S": "x" * (size - 2 - 14 - 1)}}
    assert dynamodb.put_item(TableName=table, Item=item, ReturnConsumedCapacity="TOTAL")["ConsumedCapacity"] == {
        "TableName": table, "CapacityUnits": writes}
    got = dynamodb.get_item(TableName=table, Key=key, ReturnConsumedCapacity="TOTAL", ConsistentRead=True)
    assert got["ConsumedCapacity"]["CapacityUnits"] == reads
    assert dynamodb.get_item(TableName=table, Key=key, ReturnConsumedCapacity="TOTAL")["ConsumedCapacity"]["CapacityUnits"] == reads / 2
    got = dynamodb.delete_item(TableName=table, Key=key, ReturnConsumedCapacity="INDEXES")["ConsumedCapacity"]
    assert got == {"TableName": table, "CapacityUnits": writes, "Table": {"CapacityUnits": writes}}
    assert "ConsumedCapacity" not in dynamodb.get_item(TableName=table, Key=key, ReturnConsumedCapacity="NONE")


def test_replacing_costs_the_bigger_item(dynamodb, table):
    key = {"pk": {"S": "shrinks"}}
    dynamodb.put_item(TableName=table, Item={**key, "x": {"S": "x" * 5000}})
    got = dynamodb.put_item(TableName=table, Item=key, ReturnConsumedCapacity="TOTAL")
    assert got["ConsumedCapacity"]["CapacityUnits"] == 5


def test_collection_metrics_are_for_tables_with_local_indexes(dynamodb, table):
    got = dynamodb.put_item(TableName=table, Item={"pk": {"S": "a"}}, ReturnItemCollectionMetrics="SIZE")
    assert "ItemCollectionMetrics" not in got


# ---- limits ----

def item_of(size, pk):
    return {"pk": {"S": pk}, "x": {"S": "x" * (size - 2 - len(pk) - 1)}}


def test_item_size(dynamodb, table):
    item = item_of(ITEM_MAX, "big")
    dynamodb.put_item(TableName=table, Item=item)
    assert dynamodb.get_item(TableName=table, Key={"pk": {"S": "big"}})["Item"] == item
    assert invalid(dynamodb.put_item, TableName=table, Item=item_of(ITEM_MAX + 1, "big")) == \
        "Item size has exceeded the maximum allowed size"
    assert dynamodb.get_item(TableName=table, Key={"pk": {"S": "big"}})["Item"] == item


@pytest.mark.parametrize("value, size", [
    ({"N": "1E125"}, 2), ({"N": "3.14159"}, 5), ({"N": "123456"}, 4), ({"N": "-1"}, 3), ({"N": "0"}, 1), ({"B": b"x" * 7}, 7),
    ({"BOOL": True}, 1), ({"NULL": True}, 1), ({"SS": ["a", "bc"]}, 3), ({"BS": [b"abc"]}, 3), ({"L": []}, 3), ({"M": {}}, 3),
    ({"L": [{"S": "ab"}, {"S": ""}]}, 3 + 3 + 1), ({"M": {"key": {"S": "ab"}}}, 3 + 1 + 3 + 2), ({"S": "漢"}, 3)])
def test_sizes_to_the_byte(dynamodb, table, value, size):
    rest = ITEM_MAX - 2 - 1 - 1 - size - 1
    item = lambda n: {"pk": {"S": "1"}, "v": value, "p": {"S": "x" * n}}
    dynamodb.put_item(TableName=table, Item=item(rest))
    assert "Item size" in invalid(dynamodb.put_item, TableName=table, Item=item(rest + 1))


@pytest.mark.parametrize("character", ["\x01", "\"", "漢", "😀", "\u2028"])
def test_biggest_items_of_awkward_characters(dynamodb, table, character):
    """Six bytes of JSON for one of the item's, on the way in and out."""
    item = {"pk": {"S": "awkward"}, "x": {"S": character * ((ITEM_MAX - 10) // len(character.encode()))}}
    dynamodb.put_item(TableName=table, Item=item)
    assert dynamodb.get_item(TableName=table, Key={"pk": item["pk"]})["Item"] == item
    item["x"] = {"B": random.Random(1).randbytes(ITEM_MAX - 10)}
    dynamodb.put_item(TableName=table, Item=item)
    assert dynamodb.put_item(TableName=table, Item=item, ReturnValues="ALL_OLD")["Attributes"] == item


def test_more_than_the_cache_holds(dynamodb):
    """30 MB in one table: pages leave the cache, the log is folded in while it is read."""
    name = make_table(dynamodb)
    text = lambda i: f"{i} " * (100_000 // len(f"{i} "))
    for i in range(300):
        dynamodb.put_item(TableName=name, Item={"pk": {"S": str(i)}, "x": {"S": text(i)}})
    for i in random.Random(3).sample(range(300), 100):
        assert dynamodb.get_item(TableName=name, Key={"pk": {"S": str(i)}})["Item"]["x"]["S"] == text(i)
    assert describe(dynamodb, name)["ItemCount"] == 300


def test_nesting(dynamodb, table):
    def nested(levels):
        value = {"S": "x"}
        for _ in range(levels):
            value = {"M": {"a": value}}
        return value
    assert round_trip(dynamodb, table, nested(31)) == nested(31)
    assert invalid(dynamodb.put_item, TableName=table, Item={"pk": {"S": "a"}, "v": nested(32)}) == (
        DETECTED + "Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond supported limit")
    lists = {"L": [{"L": [{"S": "x"}]}] * 3}
    assert round_trip(dynamodb, table, lists) == lists


def test_many_attributes(dynamodb, table):
    item = {"pk": {"S": "wide"}, **{f"attribute{i}": {"N": str(i)} for i in range(5000)}}
    dynamodb.put_item(TableName=table, Item=item)
    assert dynamodb.get_item(TableName=table, Key={"pk": {"S": "wide"}})["Item"] == item


HASH_TOO_LONG = INVALID + "Size of hashkey has exceeded the maximum size limit of2048 bytes"
RANGE_TOO_LONG = INVALID + "Aggregated size of all range keys has exceeded the size limit of 1024 bytes"


def test_key_sizes(dynamodb):
    name = make_table(dynamodb, range_key="sk:S")
    for h, r, message in ((2049, 1, HASH_TOO_LONG), (1, 1025, RANGE_TOO_LONG)):
        key = {"pk": {"S": "x" * h}, "sk": {"S": "y" * r}}
        for call, member in ((dynamodb.put_item, "Item"), (dynamodb.get_item, "Key"), (dynamodb.delete_item, "Key")):
            assert invalid(call, TableName=name, **{member: key}) == message
    # Bytes count, not characters.
    assert invalid(dynamodb.put_item, TableName=name, Item={"pk": {"S": "ä" * 1025}, "sk": {"S": "y"}}) == HASH_TOO_LONG


# ---- refusals ----

PK = {"pk": {"S": "refused"}}
EMPTY = "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"

VALUE_REFUSALS = [
    ({}, EMPTY), ({"Odd": "x"}, EMPTY), ({"S": "a", "N": "1"},
     "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes"),
    ({"SS": []}, INVALID + "An string set  may not be empty"), ({"NS": []}, INVALID + "An number set  may not be empty"),
    ({"BS": []}, INVALID + "Binary sets should not be empty"),
    ({"SS": ["a", "b", "a"]}, INVALID + 'Input collection ["a", "b", "a"] contains duplicates.'),
    ({"NS": ["1", "2", "1.0"]}, "Input collection contains duplicates"),
    ({"N": "b"}, "The parameter cannot be converted to a numeric value: b"),
    ({"N": ""}, "The parameter cannot be converted to a numeric value"),
    ({"N": "1 "}, "The parameter cannot be converted to a numeric value: 1 "),
    ({"N": "0x10"}, "The parameter cannot be converted to a numeric value: 0x10"),
    ({"N": "NaN"}, "The parameter cannot be converted to a numeric value: NaN"),
    ({"N": "1" * 39}, "Attempting to store more than 38 significant digits in a Number"),
    ({"N": "1E126"}, "Number overflow. Attempting to store a number with magnitude larger than supported range"),
    ({"N": "-1E126"}, "Number overflow. Attempting to store a number with magnitude larger than supported range"),
    ({"N": "1E-131"}, "Number underflow. Attempting to store a number with magnitude smaller than supported range"),
    ({"L": [{"S": "a"}, {}]}, EMPTY), ({"M": {"x": {"SS": []}}}, INVALID + "An string set  may not be empty"),
]


@pytest.mark.parametrize("value, message", VALUE_REFUSALS, ids=range(len(VALUE_REFUSALS)))
def test_value_refusals(house, dynamodb, table, value, message):
    reply = wire(house, "PutItem", {"TableName": table, "Item": {**PK, "v": value}})
    assert (reply.status, reply.type, reply.message) == (400, "ValidationException", DETECTED + message)
    assert "Item" not in dynamodb.get_item(TableName=table, Key=PK)
    # Where a key is read it is told without the frame; the value is judged before the table is looked for.
    reply = wire(house, "GetItem", {"TableName": "missing", "Key": {"pk": value}})
    assert (reply.type, reply.message) == ("ValidationException", message)


@pytest.mark.parametrize("item, message", [
    ({}, INVALID + "Missing the key pk in the item"), ({"PK": {"S": "a"}}, INVALID + "Missing the key pk in the item"),
    ({"pk": {"N": "1"}}, INVALID + "Type mismatch for key pk expected: S actual: N"),
    ({"pk": {"NULL": True}}, INVALID + "Type mismatch for key pk expected: S actual: NULL"),
    ({"pk": {"S": ""}}, "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty "
                        "string value. Key: pk"),
])
def test_put_key_refusals(house, table, item, message):
    assert wire(house, "PutItem", {"TableName": table, "Item": item}).message == message


@pytest.mark.parametrize("operation", ["GetItem", "DeleteItem"])
def test_lookup_key_refusals(house, ranged, operation):
    full = {"pk": {"S": "a"}, "sk": {"N": "1"}}
    for key in ({}, {"pk": full["pk"]}, {"sk": full["sk"]}, {**full, "x": {"S": "a"}}, {**full, "pk": {"N": "1"}},
                {**full, "sk": {"S": "1"}}, {**full, "pk": {"L": []}}, {"pk": full["pk"], "SK": full["sk"]}):
        reply = wire(house, operation, {"TableName": ranged, "Key": key})
        assert (reply.type, reply.message) == ("ValidationException", MISMATCH), key
    reply = wire(house, operation, {"TableName": ranged, "Key": {**full, "pk": {"S": ""}}})
    assert reply.message.endswith("cannot contain an empty string value. Key: pk")


def test_empty_binary_key(dynamodb):
    name = make_table(dynamodb, hash_key="pk:B")
    for call, member in ((dynamodb.put_item, "Item"), (dynamodb.get_item, "Key")):
        assert invalid(call, TableName=name, **{member: {"pk": {"B": b""}}}).endswith("an empty binary value. Key: pk")


NULL = DETECTED + "Value null at '{}' failed to satisfy constraint: Member must not be null"
ENUM = "Value 'x' at '{}' failed to satisfy constraint: Member must satisfy enum value set: {}"
RETURN_VALUES = "Failed to satisfy constraint: Member must satisfy enum value set: [ALL_OLD, UPDATED_OLD, ALL_NEW, UPDATE_NEW, NONE]"


@pytest.mark.parametrize("operation, body, message", [
    ("PutItem", {"Item": PK}, NULL.format("tableName")), ("GetItem", {"Key": PK}, NULL.format("tableName")),
    ("PutItem", {"TableName": "abc"}, NULL.format("item")), ("GetItem", {"TableName": "abc"}, NULL.format("key")),
    ("DeleteItem", {"TableName": "abc", "Key": None}, NULL.format("key")),
    *[(operation, {"TableName": "", "ReturnValues": "x"}, DETECTED + "Value at 'TableName' failed to satisfy constraint: "
       "Member must have length greater than or equal to 1") for operation in ("PutItem", "GetItem", "DeleteItem")],
    ("PutItem", {"TableName": "a" * 256, "Item": {}}, DETECTED + f"Value '{'a' * 256}' at 'tableName' failed to satisfy "
     "constraint: Member must have length less than or equal to 255"),
    ("PutItem", {"TableName": "bad table!@#", "Item": PK}, DETECTED + "Value 'bad table!@#' at 'tableName' failed to satisfy "
     "constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+"),
    ("PutItem", {"TableName": "abc", "Item": PK, "ReturnConsumedCapacity": "x", "ReturnItemCollectionMetrics": "x", "ReturnValues": "x"},
     "3 validation errors detected: " + "; ".join([ENUM.format("returnConsumedCapacity", "[INDEXES, TOTAL, NONE]"), RETURN_VALUES,
                                                   ENUM.format("returnItemCollectionMetrics", "[SIZE, NONE]")])),
    ("DeleteItem", {"TableName": "abc", "Key": PK, "ReturnConsumedCapacity": "x", "ReturnValues": "x"},
     "2 validation errors detected: " + ENUM.format("returnConsumedCapacity", "[INDEXES, TOTAL, NONE]") + "; " + RETURN_VALUES),
    ("GetItem", {"TableName": "abc", "Key": PK, "ReturnConsumedCapacity": "x"},
     DETECTED + ENUM.format("returnConsumedCapacity", "[INDEXES, TOTAL, NONE]")),
])
def test_request_refusals(house, operation, body, message):
    reply = wire(house, operation, body)
    assert (reply.type, reply.message) == ("ValidationException", message)


@pytest.mark.parametrize("value", [
    {"S": 5}, {"S": True}, {"N": 1}, {"N": 1.5}, {"B": 5}, {"B": "23456"}, {"B": "=+/="}, {"B": "AAA*"}, {"SS": "a"}, {"SS": [1]},
    {"BOOL": "maybe"}, {"BOOL": 5}, {"NULL": []}, {"L": {}}, {"L": ["a"]}, {"M": []}, {"M": {"x": "a"}}, "text", 5, []])
def test_serialization_refusals(house, table, value):
    reply = wire(house, "PutItem", {"TableName": table, "Item": {**PK, "v": value}})
    assert (reply.status, reply.body["__type"]) == (400, "com.amazon.coral.service#SerializationException")
    assert reply.body["Message"]


@pytest.mark.parametrize("operation", ["PutItem", "GetItem", "DeleteItem"])
def test_missing_table(house, operation):
    body = {"TableName": "missing", "Item" if operation == "PutItem" else "Key": PK}
    reply = wire(house, operation, body)
    assert reply.body == {"__type": "com.amazonaws.dynamodb.v20120810#ResourceNotFoundException",
                          "message": "Requested resource not found"}


CONDITION = {"ConditionExpression": "attribute_not_exists(pk)"}
UNBUILT = [("PutItem", CONDITION), ("PutItem", {"Expected": {"pk": {"Exists": False}}}), ("PutItem", {"ConditionalOperator": "AND"}),
           ("PutItem", {"ExpressionAttributeNames": {"#a": "a"}}), ("PutItem", {"ExpressionAttributeValues": {":a": {"S": "a"}}}),
           ("DeleteItem", CONDITION), ("DeleteItem", {"Expected": {"pk": {"Exists": True}}}), ("GetItem", {"AttributesToGet": ["pk"]}),
           ("GetItem", {"ProjectionExpression": "pk"}), ("GetItem", {"ExpressionAttributeNames": {"#a": "a"}})]


@pytest.mark.parametrize("operation, more", UNBUILT, ids=lambda v: v if isinstance(v, str) else next(iter(v)))
def test_conditions_and_projections_are_refused(house, dynamodb, table, operation, more):
    """Never as if they had not been said: nothing is written, nothing is read."""
    key = {"pk": {"S": unique()}}
    dynamodb.put_item(TableName=table, Item={**key, "x": {"S": "old"}})
    body = {"TableName": table, **({"Item": {**key, "x": {"S": "new"}}} if operation == "PutItem" else {"Key": key}), **more}
    reply = wire(house, operation, body)
    assert (reply.type, reply.message) == ("ValidationException", f"{INVALID}{next(iter(more))} is not supported by ddbd yet")
    assert dynamodb.get_item(TableName=table, Key=key)["Item"]["x"] == {"S": "old"}


# ---- the wire ----

def test_wire_format(house, table):
    reply = wire(house, "PutItem", {"TableName": table, "Item": {"pk": {"S": "wire"}, "b": {"B": base64.b64encode(b"\xff\x00").decode()},
                                                                "n": {"N": "1.50"}}})
    assert (reply.status, reply.raw) == (200, b"{}")
    assert reply.headers["Content-Type"] == "application/x-amz-json-1.0"
    assert len(reply.headers["x-amzn-RequestId"]) == 52 and reply.headers["x-amzn-RequestId"].isalnum()
    assert int(reply.headers["Content-Length"]) == 2
    reply = wire(house, "GetItem", {"TableName": table, "Key": {"pk": {"S": "wire"}}})
    assert reply.body == {"Item": {"pk": {"S": "wire"}, "b": {"B": "/wA="}, "n": {"N": "1.5"}}}
    assert wire(house, "GetItem", {"TableName": table, "Key": {"pk": {"S": "nobody"}}}).raw == b"{}"


def test_unsigned_and_wrongly_signed(house, table):
    body = {"TableName": table, "Key": {"pk": {"S": "a"}}}
    assert wire(house, "GetItem", body, sign=False).type == "MissingAuthenticationTokenException"
    reply = wire(house, "GetItem", body, headers={"Authorization": "AWS4-HMAC-SHA256 nonsense"}, sign=False)
    assert reply.type == "IncompleteSignatureException"


# ---- keeping ----

def test_items_survive(make_house):
    house = make_house()
    dynamodb = house.dynamodb()
    key_id = house.kms().create_key()["KeyMetadata"]["KeyId"]
    tables = [make_table(dynamodb, range_key="sk:N"), make_table(dynamodb, range_key="sk:N", sse=customer(key_id))]
    items = [{"pk": {"S": f"p{i % 7}"}, "sk": {"N": str(i)}, "v": {"S": "v" * (i * 37 % 3000)}} for i in range(120)]
    for name in tables:
        for item in items:
            dynamodb.put_item(TableName=name, Item=item)
        for item in items[::3]:
            dynamodb.delete_item(TableName=name, Key={k: item[k] for k in ("pk", "sk")})
    left = [item for i, item in enumerate(items) if i % 3]
    for end in (house.ddbd.terminate, house.ddbd.kill):
        end()
        house.ddbd.start()
        for name in tables:
            for item in items:
                got = dynamodb.get_item(TableName=name, Key={k: item[k] for k in ("pk", "sk")}).get("Item")
                assert got == (item if item in left else None)
            assert describe(dynamodb, name)["ItemCount"] == len(left)


def test_in_memory(make_house):
    """--state-dir=:memory: keeps nothing on the disk."""
    house = make_house(ddbd=False)
    house.ddbd_arguments[0] = "--state-dir=:memory:"
    house.start_ddbd()
    dynamodb = house.dynamodb()
    name = make_table(dynamodb)
    for i in range(50):
        dynamodb.put_item(TableName=name, Item={"pk": {"S": str(i)}, "x": {"S": "remember " * 100}})
    assert dynamodb.get_item(TableName=name, Key={"pk": {"S": "7"}})["Item"]["x"]["S"] == "remember " * 100
    assert {p.name for p in (house.folder / "ddbd").iterdir()} == {"ddbd.log"}
    house.ddbd.restart()
    assert dynamodb.list_tables()["TableNames"] == []
