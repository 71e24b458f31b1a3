"""The blog post's own day: its AWS CLI commands as printed, its DDL and its four queries over the delivered log files."""
import json
import os
import subprocess

import pytest

from daemons import AWS_CLI, ROOT, House
from tables import until_active, until_gone

ACCOUNT, REGION = "904672585901", "us-east-1"

CREATE = r"""aws dynamodb create-table \
    --table-name ratings \
    --attribute-definitions AttributeName=player,AttributeType=S \
 AttributeName=rating,AttributeType=N \
    --key-schema AttributeName=player,KeyType=HASH  AttributeName=rating,KeyType=RANGE \
    --provisioned-throughput ReadCapacityUnits=5,WriteCapacityUnits=5 \
    --sse-specification Enabled=true,SSEType=KMS"""

DESCRIBE = r"""aws dynamodb describe-table --table-name ratings \
     --query 'Table.{TableName:TableName, TableStatus:TableStatus, SSEDescription:SSEDescription}' --output json"""

KEY = """--key '{"player": {"S": "ada"}, "rating": {"N": "97"}}'"""
PUT = """aws dynamodb put-item --table-name ratings --item '{"player": {"S": "ada"}, "rating": {"N": "97"}, "note": {"S": "first"}}'"""
GET = "aws dynamodb get-item --table-name ratings " + KEY

# As the post prints them: placeholders, typographic quotes and all; only the proxy suffix of a copy is gone.
QUERY_1 = """SELECT * FROM cloudtrail_logs_<S3 bucket name>
WHERE year=’2019’ AND month=’03’ AND day=’11’
AND eventsource = ‘dynamodb.amazonaws.com’
LIMIT 1000;"""
QUERY_3 = """SELECT eventtime, eventname, sourceipaddress, useridentity, requestparameters FROM cloudtrail_logs_<S3 bucket name>
WHERE year='2019' AND month='03' AND day='11'
AND eventsource = 'kms.amazonaws.com'
AND sourceipaddress = 'dynamodb.amazonaws.com'
AND REPLACE(JSON_EXTRACT_SCALAR(requestparameters, '$.encryptionContext.aws:dynamodb:tableName'),'"','') = 'ratings'
ORDER BY eventtime
LIMIT 1000;"""


class Day:
    def __init__(self, house):
        self.house = house
        self.env = {**{k: v for k, v in os.environ.items() if not k.startswith("AWS_")},
                    "AWS_ENDPOINT_URL_DYNAMODB": house.ddbd.url, "AWS_ENDPOINT_URL_KMS": house.kmsd.url,
                    "AWS_ACCESS_KEY_ID": ACCOUNT, "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": REGION,
                    "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_PAGER": "",
                    "AWS_EC2_METADATA_DISABLED": "true", "PATH": f"{ROOT}/.venv/bin:{os.environ['PATH']}"}
        self.client = house.dynamodb(key=ACCOUNT)
        self.answers = {}

    def shell(self, command):
        done = subprocess.run(command, shell=True, env=self.env, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else None

    def live(self):
        self.answers["create"] = self.shell(CREATE)["TableDescription"]
        until_active(self.client, "ratings")
        self.answers["describe"] = self.shell(DESCRIBE)
        self.house.clock(advance=5)
        self.answers["put"] = self.shell(PUT)
        self.answers["get"] = self.shell(GET)
        for _ in range(5):
            self.client.get_item(TableName="ratings", Key={"player": {"S": "ada"}, "rating": {"N": "97"}})
        self.house.clock(advance=301)
        self.answers["get later"] = self.shell(GET)
        self.house.clock(advance=60)
        self.shell("aws dynamodb delete-table --table-name ratings")
        until_gone(self.client, "ratings")
        self.house.clock(advance=301)
        return self

    def query(self, *arguments, sql=None):
        done = subprocess.run([str(ROOT / "scripts/query"), "--trail", str(self.house.trail_dir), "--account", ACCOUNT, "--format", "json",
                               *arguments], input=sql, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return [{k.lower(): v for k, v in json.loads(line).items()} for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def day(tmp_path_factory):
    if not AWS_CLI:
        pytest.skip("no AWS CLI here (scripts/packages install test)")
    house = House(tmp_path_factory.mktemp("blog"), kmsd=["--clock=2019-03-11T09:00:00Z", "--clock-scale=0"])
    try:
        yield Day(house.start()).live()
        house.stop()
    finally:
        house.abandon()


def test_create_table(day):
    table = day.answers["create"]
    assert set(table) == {"TableArn", "AttributeDefinitions", "ProvisionedThroughput", "TableSizeBytes", "TableName", "TableStatus",
                          "TableId", "SSEDescription", "KeySchema", "ItemCount", "CreationDateTime", "DeletionProtectionEnabled"}
    assert table["TableArn"] == f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/ratings"
    assert (table["TableStatus"], table["ItemCount"], table["TableSizeBytes"]) == ("CREATING", 0, 0)
    assert table["AttributeDefinitions"] == [{"AttributeName": "player", "AttributeType": "S"},
                                             {"AttributeName": "rating", "AttributeType": "N"}]
    assert table["ProvisionedThroughput"] == {"NumberOfDecreasesToday": 0, "WriteCapacityUnits": 5, "ReadCapacityUnits": 5}
    sse = table["SSEDescription"]
    assert sse.pop("KMSMasterKeyArn").startswith(f"arn:aws:kms:{REGION}:{ACCOUNT}:key/")
    assert sse == {"Status": "ENABLED", "SSEType": "KMS"}


def test_describe_table(day):
    assert day.answers["describe"] == {"TableStatus": "ACTIVE", "TableName": "ratings", "SSEDescription": {
        "Status": "ENABLED", "SSEType": "KMS", "KMSMasterKeyArn": day_key(day)}}


def day_key(day):
    return day.house.kms(key=ACCOUNT).describe_key(KeyId="alias/aws/dynamodb")["KeyMetadata"]["Arn"]


def test_items(day):
    item = {"player": {"S": "ada"}, "rating": {"N": "97"}, "note": {"S": "first"}}
    assert day.answers["get"] == day.answers["get later"] == {"Item": item}


def names(rows):
    return sorted(row["eventname"] for row in rows)


def test_query_1_calls_to_dynamodb(day):
    for rows in (day.query("1"), day.query("-", sql=QUERY_1)):
        assert {row["eventsource"] for row in rows} == {"dynamodb.amazonaws.com"}
        assert set(names(rows)) == {"CreateTable", "DescribeTable", "DeleteTable"}
        assert names(rows).count("CreateTable") == names(rows).count("DeleteTable") == 1
        create = next(row for row in rows if row["eventname"] == "CreateTable")
        assert json.loads(create["requestparameters"])["tableName"] == "ratings"
        assert create["eventtime"] == "2019-03-11T09:00:00Z" and create["recipientaccountid"] == ACCOUNT


FROM_DYNAMODB = ["CreateGrant", "CreateGrant", "Decrypt", "Decrypt", "DescribeKey", "GenerateDataKey", "RetireGrant", "RetireGrant"]


def test_query_2_calls_from_dynamodb_to_kms(day):
    rows = day.query("2")
    assert names(rows) == FROM_DYNAMODB
    assert set(rows[0]) == {"eventtime", "eventname", "sourceipaddress", "useridentity", "requestparameters"}
    assert {row["sourceipaddress"] for row in rows} == {"dynamodb.amazonaws.com"}


def test_query_3_one_table(day):
    for rows in (day.query("3", "--table", "ratings"), day.query("-", sql=QUERY_3)):
        assert [row["eventname"] for row in rows] == ["GenerateDataKey", "Decrypt", "Decrypt"]
        assert [row["eventtime"] for row in rows] == ["2019-03-11T09:00:00Z", "2019-03-11T09:00:05Z", "2019-03-11T09:05:06Z"]
        for row in rows:
            assert json.loads(row["requestparameters"])["encryptionContext"] == {
                "aws:dynamodb:tableName": "ratings", "aws:dynamodb:subscriberId": ACCOUNT}
    assert day.query("3", "--table", "other") == []


def test_query_4_tables_of_a_key(day):
    rows = day.query("4", "--key", day_key(day))
    assert {(row["eventname"], row["ddbtbl"]) for row in rows} >= {("GenerateDataKey", "ratings"), ("Decrypt", "ratings")}
    assert [row["ddbtbl"] for row in rows if row["eventname"] == "Decrypt"] == ["ratings", "ratings"]
    assert day.query("4", "--key", day_key(day)[:-1] + "x") == []


def test_sum_of_it(day):
    """The number that the post is about: seven item calls, two calls to KMS for them."""
    rows = day.query("SELECT eventname, count(*) AS n FROM cloudtrail_logs_trail WHERE eventsource = 'kms.amazonaws.com' "
                     "AND sourceipaddress = 'dynamodb.amazonaws.com' GROUP BY eventname ORDER BY eventname")
    assert {row["eventname"]: int(row["n"]) for row in rows} == {n: FROM_DYNAMODB.count(n) for n in FROM_DYNAMODB}
