"""scripts/query and scripts/picture over log files made here: the blog's DDL and queries, no daemons."""
import gzip
import json
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts/lib"))

from trail_sql import Ddl, SqlError, Table, Trail, blog_query, repair, split  # noqa: E402

ACCOUNT, REGION = "111122223333", "us-east-1"
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"


def event(name, time, table=None, grant=None, source="kms", **more):
    context = {"aws:dynamodb:tableName": table, "aws:dynamodb:subscriberId": ACCOUNT}
    parameters = {"constraints": {"encryptionContextSubset": context}} if name == "CreateGrant" else \
        {"grantId": grant} if name == "RetireGrant" else {"encryptionContext": context} if table else None
    return {"eventVersion": "1.11", "userIdentity": {"type": "IAMUser", "userName": "alice", "sessionContext": {
                "sessionIssuer": {"userName": "app"}, "attributes": {"mfaAuthenticated": "false"}},
                "invokedBy": "dynamodb.amazonaws.com"},
            "eventTime": time, "eventSource": f"{source}.amazonaws.com", "eventName": name, "awsRegion": REGION,
            "sourceIPAddress": "dynamodb.amazonaws.com", "requestParameters": parameters,
            "responseElements": {"grantId": grant} if name == "CreateGrant" else None, "requestID": "r", "eventID": time,
            "readOnly": True, "resources": [{"accountId": ACCOUNT, "type": "AWS::KMS::Key", "ARN": KEY}],
            "recipientAccountId": ACCOUNT, **more}


@pytest.fixture
def trail(tmp_path):
    def write(events, day="2019/03/11", account=ACCOUNT, region=REGION, name="a"):
        folder = tmp_path / "AWSLogs" / account / "CloudTrail" / region / day
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.json.gz").write_bytes(gzip.compress(json.dumps({"Records": events}).encode()))
    write([event("CreateGrant", "2019-03-11T09:00:00Z", "ratings", "g1"),
           event("GenerateDataKey", "2019-03-11T09:00:01Z", "ratings"),
           event("CreateTable", "2019-03-11T09:00:02Z", source="dynamodb")])
    write([event("Decrypt", "2019-03-11T09:07:00Z", "ratings", errorCode="DisabledException"),
           event("Decrypt", "2019-03-11T09:06:00Z", "it's"), event("RetireGrant", "2019-03-11T10:00:00Z", grant="g1")], name="b")
    write([event("Decrypt", "2019-03-12T09:00:00Z", "ratings")], day="2019/03/12")
    tmp_path.joinpath("write").write_text("")
    return tmp_path


def rows(trail, sql):
    return Table(Trail(trail)).rows(sql)


def test_the_four_queries(trail):
    day = ("2019", "03", "11")
    assert [r[4] for r in rows(trail, blog_query(1, day))] == ["CreateTable"]
    assert len(rows(trail, blog_query(2, day))) == 5
    assert [r[:2] for r in rows(trail, blog_query(3, day, "ratings"))] == [
        ("2019-03-11T09:00:01Z", "GenerateDataKey"), ("2019-03-11T09:07:00Z", "Decrypt")]
    assert [r[1] for r in rows(trail, blog_query(3, day, "it's"))] == ["Decrypt"]
    assert sorted(str(r[2]) for r in rows(trail, blog_query(4, day, key=KEY))) == ["None", "None", "it's", "ratings", "ratings"]
    assert rows(trail, blog_query(4, day, key=KEY + "0")) == []
    assert len(rows(trail, blog_query(2, ("2019", "03", "12")))) == 1


def test_columns_are_named_as_the_ddl_names_them(trail):
    sql = "SELECT useridentity.sessioncontext.sessionissuer.username, resources[1].arn, readonly, requestparameters, year " \
          "FROM cloudtrail_logs_trail WHERE eventname = 'GenerateDataKey'"
    (found,) = rows(trail, sql)
    assert found[:3] == ("app", KEY, "true") and json.loads(found[3])["encryptionContext"]["aws:dynamodb:tableName"] == "ratings"
    assert found[4] == "2019"
    (identity,) = rows(trail, "SELECT useridentity FROM cloudtrail_logs_trail WHERE day = '12'")[0]
    assert list(identity) == ["type", "principalid", "arn", "accountid", "invokedby", "accesskeyid", "userName", "sessioncontext"]


def test_text_copied_from_a_page_runs(trail):
    sql = ("SELECT count(*) FROM cloudtrail_logs_<S3 bucket name> WHERE year=\u20192019\u2019 AND eventsource = "
           "\u2018kms.amazonaws.com.rproxy.example.com\u2019;")
    assert rows(trail, sql) == [(6,)]
    assert repair("\u2013-table-name") == "--table-name"


def test_only_the_partitions_that_alter_table_names(trail):
    table = Table(Trail(trail))
    list(table.run("ALTER TABLE cloudtrail_logs_<s3 bucket name> ADD PARTITION (year='2019', month='03', day= '12') LOCATION "
                   "'s3://<your-cloudtrail-s3-bucket>/AWSLogs/<account-number>/CloudTrail/<region>/2019/03/12/';"))
    assert table.rows("SELECT DISTINCT day FROM cloudtrail_logs_trail") == [("12",)]
    list(table.run("ALTER TABLE cloudtrail_logs_trail ADD PARTITION (year='2020', month='01', day='01')"))
    assert table.rows("SELECT count(*) FROM cloudtrail_logs_trail") == [(1,)]


def test_account_and_region_narrow_the_table(trail):
    other = trail / "AWSLogs/444455556666/CloudTrail/eu-west-1/2019/03/11"
    other.mkdir(parents=True)
    (other / "c.json.gz").write_bytes(gzip.compress(json.dumps({"Records": [event("Encrypt", "2019-03-11T01:00:00Z")]}).encode()))
    count = "SELECT count(*) FROM cloudtrail_logs_trail"
    assert rows(trail, count) == [(8,)]
    assert Table(Trail(trail, account="444455556666")).rows(count) == [(1,)]
    assert Table(Trail(trail, region=REGION)).rows(count) == [(7,)]
    with pytest.raises(SqlError, match="no log files"):
        Trail(trail, account="999999999999")


def test_other_ddl(trail):
    table = Table(Trail(trail), "CREATE EXTERNAL TABLE IF NOT EXISTS t (`eventName` string COMMENT 'what, and why', "
                                "managementEvent boolean, nonesuch STRUCT<a:bigint,b:ARRAY<string>>) PARTITIONED BY (year string)")
    assert table.rows("SELECT DISTINCT nonesuch, year FROM t") == [(None, "2019")]


@pytest.mark.parametrize("ddl, why", [("SELECT 1", "no CREATE EXTERNAL TABLE"), ("CREATE EXTERNAL TABLE t (a map)", "type 'map'"),
                                      ("CREATE EXTERNAL TABLE t (a string b)", "after the column or member 'a'"),
                                      ("CREATE EXTERNAL TABLE t (a struct<b string>)", "where ':' belongs"),
                                      ("CREATE EXTERNAL TABLE t (a string", "the end")])
def test_bad_ddl_is_refused_with_a_reason(ddl, why):
    with pytest.raises(SqlError, match=why):
        Ddl(ddl)


def test_statements_are_split_outside_quotes():
    assert split("SELECT ';' -- a;b\n; SELECT \"x;y\";;") == ["SELECT ';'", 'SELECT "x;y"']


def run(*arguments):
    return subprocess.run([*map(str, arguments)], cwd=ROOT, capture_output=True, text=True)


def test_command_line(trail):
    done = run("scripts/query", "--trail", trail, "--date", "2019-03-11", "--format", "json", "3")
    assert [json.loads(line)["eventName"] for line in done.stdout.splitlines()] == ["GenerateDataKey", "Decrypt"]
    assert "the one with most calls: ratings" in done.stderr
    done = run("scripts/query", "--trail", trail, "--format", "csv", "SELECT eventname AS n FROM cloudtrail_logs_trail ORDER BY n LIMIT 1")
    assert done.stdout == "n\nCreateGrant\n"
    done = run("scripts/query", "--trail", trail, "--width", "100", "all")
    assert done.returncode == 0 and max(map(len, done.stdout.splitlines())) <= 100
    done = run("scripts/query", "--trail", trail / "nothing", "1")
    assert done.returncode == 1 and done.stderr.startswith("query: no log files under")
    done = run("scripts/query", "--trail", trail, "SELEC")
    assert done.returncode == 1 and "syntax error" in done.stderr and "Traceback" not in done.stderr


def test_picture(trail, tmp_path):
    done = run("scripts/picture", "--trail", trail, "--date", "2019-03-11", "--text", "--width", "100", "--out", tmp_path / "p.png")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 100
    # The retired grant names no table; it belongs to the one that it was created for.
    assert "ratings: 4 calls, 1 refused" in lines and "it's: 1 call" in lines
    assert any(line.split()[0] == "RetireGrant" and " 1 " in line for line in lines if line.startswith("  R"))
