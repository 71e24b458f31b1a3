"""The demo's story, chapter by chapter. scripts/demo starts it between two daemons and holds the help.

Usage: demo.py OUT [keep]
"""
import json
import os
import sys
import time
from pathlib import Path

import demo_day
from demo_stage import Stage, Untrue, caller, chapter, kms, names, paint, show, table_of, tell, timeline

ROOT = Path(__file__).resolve().parents[2]
ACCOUNT, REGION = "111122223333", "us-east-1"

CREATE = r"""aws dynamodb create-table \
    --table-name ratings \
    --attribute-definitions AttributeName=player,AttributeType=S \
 AttributeName=rating,AttributeType=N \
    --key-schema AttributeName=player,KeyType=HASH  AttributeName=rating,KeyType=RANGE \
    --provisioned-throughput ReadCapacityUnits=5,WriteCapacityUnits=5 \
    --sse-specification Enabled=true,SSEType=KMS"""

DESCRIBE = r"""aws dynamodb describe-table --table-name ratings \
     --query 'Table.{TableName:TableName, TableStatus:TableStatus, SSEDescription:SSEDescription}' --output json"""

PUT = """aws dynamodb put-item --table-name ratings \\
    --item '{"player": {"S": "ada"}, "rating": {"N": "97"}, "comment": {"S": "unbeaten since May"}}'"""

GET = """aws dynamodb get-item --table-name ratings --key '{"player": {"S": "ada"}, "rating": {"N": "97"}}'"""


class Demo:
    def __init__(self, out, keep):
        self.out, self.keep = Path(out).resolve(), keep
        self.stage = Stage(os.environ["KMSD_TRAIL_DIR"])
        self.people = self.principals()
        self.table_key = self.own_key = self.alice = None

    def principals(self):
        """Alice by environment variables, as the blog's commands expect; the application's role as an AWS CLI profile."""
        account = json.loads((ROOT / "config/principals.json").read_text())["accounts"][ACCOUNT]
        people = {}
        for name in ("alice", "bob"):
            key = account["users"][name]["accessKeys"][0]
            people[name] = (key["id"], key["secret"], None)
        for session in account["roles"]["app"]["sessions"]:
            key = session["accessKey"]
            people[session["name"]] = (key["id"], key["secret"], key["token"])
        app = people["i-0abc"]
        (self.out / "aws-config").write_text(
            f"[profile app]\nregion = {REGION}\naws_access_key_id = {app[0]}\naws_secret_access_key = {app[1]}\n"
            f"aws_session_token = {app[2]}\n")
        (self.out / "aws-credentials").write_text("")
        os.environ.update({
            "AWS_ACCESS_KEY_ID": people["alice"][0], "AWS_SECRET_ACCESS_KEY": people["alice"][1],
            "AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION, "AWS_CONFIG_FILE": str(self.out / "aws-config"),
            "AWS_SHARED_CREDENTIALS_FILE": str(self.out / "aws-credentials"), "AWS_PAGER": "", "AWS_EC2_METADATA_DISABLED": "true",
            "PATH": f"{ROOT}/.venv/bin:{os.environ['PATH']}"})
        return people

    def create_table(self):
        chapter("A table with an AWS managed key")
        for name in ("AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL_KMS", "AWS_ACCESS_KEY_ID"):
            print(f"{name}={os.environ[name]}")
        print("Everything below runs against these two daemons; the AWS CLI and the SDKs know the variables themselves.")
        sse = self.stage.json(CREATE)["TableDescription"]["SSEDescription"]
        self.stage.verify("SSEDescription says ENABLED, KMS and a key's ARN", sse["Status"] == "ENABLED" and sse["SSEType"] == "KMS"
                          and sse["KMSMasterKeyArn"].startswith(f"arn:aws:kms:{REGION}:{ACCOUNT}:key/"), sse)
        self.table_key = sse["KMSMasterKeyArn"]
        self.alice = demo_day.client(self.people["alice"], os.environ["DDBD_URL"], REGION)
        self.until_active("ratings")
        described = self.stage.json(DESCRIBE)
        self.stage.verify("the table is ACTIVE and encrypted under that key", described["TableStatus"] == "ACTIVE"
                          and described["SSEDescription"] == sse, described)

    def until_active(self, name):
        end = time.monotonic() + 30
        while self.alice.describe_table(TableName=name)["Table"]["TableStatus"] != "ACTIVE":
            if time.monotonic() > end:
                raise Untrue(f"table {name} is not ACTIVE after 30 s")
            time.sleep(0.05)

    def five_minutes(self):
        chapter("The table key is cached for five minutes")
        self.stage.shell(PUT)
        item = self.stage.json(GET)["Item"]
        self.stage.verify("what was put is what is got", item["comment"]["S"] == "unbeaten since May", item)
        show("python: for n in range(100): dynamodb.get_item(TableName='ratings', Key=...)      # boto3, alice too")
        for _ in range(100):
            self.alice.get_item(TableName="ratings", Key={"player": {"S": "ada"}, "rating": {"N": "97"}})
        tell("Five minutes later kmsd delivers a log file. What it says of KMS:")
        self.stage.clock({"advance": "301s"})
        news = kms(self.stage.news())
        timeline(news)
        decrypts = kms(news, "Decrypt")
        self.stage.verify("102 item calls within five minutes made exactly one Decrypt, as the user who called",
                          [caller(r) for r in decrypts] == ["user/alice via dynamodb"], names(news))
        self.stage.verify("DynamoDB was granted the key, and made one table key by itself",
                          len(kms(news, "CreateGrant")) >= 1
                          and [caller(r) for r in kms(news, "GenerateDataKey")] == ["dynamodb.amazonaws.com"], names(news))
        tell("One more read. The cached table key has expired:")
        self.stage.json(GET)
        self.stage.clock({"advance": "301s"})
        news = kms(self.stage.news())
        timeline(news)
        self.stage.verify("after five minutes one read made exactly one Decrypt, and nothing else", names(news) == ["Decrypt"],
                          names(news))

    def second_principal(self):
        chapter("The cache is kept for each principal")
        self.stage.json(GET)
        self.stage.json(GET.replace("aws dynamodb", "aws --profile app dynamodb"))
        self.stage.json(GET.replace("aws dynamodb", "aws --profile app dynamodb"))
        self.stage.clock({"advance": "301s"})
        news = kms(self.stage.news())
        timeline(news)
        self.stage.verify("alice and the application's role each made one Decrypt of their own",
                          sorted(caller(r) for r in kms(news, "Decrypt"))
                          == ["assumed-role/app/i-0abc via dynamodb", "user/alice via dynamodb"], [caller(r) for r in news])

    def key_of_ones_own(self):
        chapter("A key of one's own, switched off")
        said = self.stage.shell(f"aws kms disable-key --key-id {self.table_key}", fails=True)
        self.stage.verify("an AWS managed key cannot be switched off", "AccessDenied" in said, said)
        key = self.stage.json("aws kms create-key --description 'for the table ratings' --query 'KeyMetadata.{KeyId:KeyId, Arn:Arn}'")
        self.own_key = key["Arn"]
        self.stage.shell(f"aws kms create-alias --alias-name alias/ratings --target-key-id {key['KeyId']}")
        self.stage.shell("aws dynamodb update-table --table-name ratings \\\n"
                         "    --sse-specification Enabled=true,SSEType=KMS,KMSMasterKeyId=alias/ratings \\\n"
                         "    --query TableDescription.SSEDescription")
        self.stage.clock({"advance": "30s"})
        self.until_key(key["Arn"])
        self.stage.shell(DESCRIBE)
        self.stage.json(GET)
        self.stage.shell(f"aws kms disable-key --key-id {key['KeyId']}")
        tell("For the rest of its five minutes the cached table key still works:")
        self.stage.json(GET)
        self.stage.clock({"advance": "301s"})
        said = self.stage.shell(GET, fails=True)
        self.stage.verify("then the table cannot be read any more", "is disabled" in said, said)
        self.stage.shell(f"aws kms enable-key --key-id {key['KeyId']}")
        item = self.stage.json(GET)["Item"]
        self.stage.verify("with the key enabled it can, and nothing is lost", item["rating"]["N"] == "97", item)
        self.stage.clock({"advance": "301s"})
        news = kms(self.stage.news())
        timeline(news)
        refused = [r for r in kms(news, "Decrypt") if "errorCode" in r]
        self.stage.verify("the trail shows the refused Decrypt too", [caller(r) for r in refused] == ["user/alice via dynamodb"]
                          and "Disabled" in refused[0]["errorCode"], [r.get("errorCode") for r in news])

    def until_key(self, arn):
        end = time.monotonic() + 30
        while True:
            sse = self.alice.describe_table(TableName="ratings")["Table"]["SSEDescription"]
            if (sse["Status"], sse.get("KMSMasterKeyArn")) == ("ENABLED", arn):
                return
            if time.monotonic() > end:
                raise Untrue(f"the table's key is not {arn} after 30 s: {sse}")
            time.sleep(0.05)

    def working_day(self):
        chapter("A working day, in seconds")
        for table, sse in (("players", "Enabled=true,SSEType=KMS"), ("sessions", "Enabled=false")):
            command = CREATE.replace("--table-name ratings", f"--table-name {table}")
            self.stage.shell(command.replace("Enabled=true,SSEType=KMS", sse) + " \\\n    --query TableDescription.SSEDescription")
            self.until_active(table)
        clients = {who: demo_day.client(keys, os.environ["DDBD_URL"], REGION) for who, keys in self.people.items()}
        start = demo_day.at(self.stage.clock({"advance": "1s"}, quiet=True))
        end = start.replace(hour=17, minute=0, second=0)
        show(f"python: alice, bob and two instances of the application use three tables, {start:%H:%M} to {end:%H:%M}")
        begun = time.monotonic()
        calls = demo_day.play(clients, ["ratings", "players", "sessions"],
                              lambda change: self.stage.clock(change, quiet=True), start, end)
        self.stage.clock({"advance": "301s"}, quiet=True)
        news = kms(self.stage.news(), "Decrypt")
        print(f"{(end - start).seconds // 60} minutes took {time.monotonic() - begun:.1f} s")
        for table, n in sorted(calls.items()):
            print(f"  {table:<10} {n:>5} item calls {sum(table_of(r) == table for r in news):>5} Decrypt calls")
        self.stage.verify("the table under the AWS owned key made no call to KMS, the others far fewer than item calls",
                          not any(table_of(r) == "sessions" for r in news)
                          and 0 < len(news) < (calls["ratings"] + calls["players"]) / 4, len(news))

    def delete_table(self):
        chapter("The table goes, and with it DynamoDB's grants")
        self.stage.shell("aws dynamodb delete-table --table-name ratings --query TableDescription.TableStatus")
        self.stage.clock({"advance": "301s"})
        news = kms(self.stage.news())
        timeline(news)
        left = self.stage.json(f"aws kms list-grants --key-id {self.own_key} --query Grants")
        self.stage.verify("DynamoDB retired its grants for the table", len(kms(news, "RetireGrant")) >= 1 and left == [],
                          names(news))
        self.stage.clock({"advance": "301s"}, quiet=True)

    def log_files(self):
        chapter("The log files")
        files = self.stage.files()
        records = self.stage.records()
        show("find $KMSD_TRAIL_DIR/AWSLogs -name '*.json.gz' | sort")
        for path in [*files[:3], None, files[-1]]:
            print(path.relative_to(self.stage.trail_folder) if path else f"... {len(files)} files, {len(records)} records ...")
        decrypt = next(r for r in kms(records, "Decrypt") if caller(r) == "user/alice via dynamodb")
        tell(f"One record (in the file all of them stand on one line):\n{json.dumps(decrypt, indent=2)}")
        ids = [r["eventID"] for r in records]
        self.stage.verify("no event was delivered twice", len(ids) == len(set(ids)))

    def queries(self):
        chapter("The same over SQL: the DDL and the four queries, with DuckDB")
        self.stage.shell("cat scripts/sql/create_table.sql scripts/sql/add_partition.sql")
        for number, options in ((1, " --rows 1"), (2, " --rows 2"), (3, " --table ratings --rows 2"),
                                (4, f" --key {self.table_key} --rows 12"), (4, f" --key {self.own_key} --rows 6")):
            self.stage.shell(f"scripts/query {number} --show --width 100{options}")
        records = [r for r in kms(self.stage.records()) if r["sourceIPAddress"] == "dynamodb.amazonaws.com"]
        answer = [json.loads(line) for line in self.stage.shell(
            "scripts/query 3 --table ratings --format json", quiet=True).splitlines()]
        expected = [r["eventName"] for r in records
                    if ((r["requestParameters"] or {}).get("encryptionContext") or {}).get("aws:dynamodb:tableName") == "ratings"]
        self.stage.verify(f"query 3 finds the {len(expected)} calls to KMS for the table ratings, every one that the files hold",
                          sorted(row["eventName"] for row in answer) == sorted(expected), len(answer))
        answer = [json.loads(line) for line in self.stage.shell(
            f"scripts/query 4 --key {self.table_key} --format json", quiet=True).splitlines()]
        self.stage.verify("query 4 names the tables that used the AWS managed key: players and ratings",
                          {row["ddbtbl"] for row in answer} - {None} == {"players", "ratings"}, answer[:3])

    def picture(self):
        chapter("The picture: calls to KMS over time and by operation, per table")
        self.stage.shell(f"scripts/picture --text --width 100 --out {self.out}/calls-to-kms.png")
        self.stage.verify("the picture is there", (self.out / "calls-to-kms.png").stat().st_size > 10000)

    def end(self):
        chapter("Done")
        print(f"{self.stage.verified} claims verified. Kept in {self.out}:\n"
              "  trail/              the log files\n  calls-to-kms.png    the picture\n"
              "  kmsd/ ddbd/         the daemons' state      kmsd.log ddbd.log   their logs")
        if not self.keep:
            return
        key, secret, _ = self.people["alice"]
        print(f"""
Both daemons stay up. To point an SDK or the AWS CLI at them:

  export AWS_ENDPOINT_URL_KMS={os.environ['KMSD_URL']} AWS_ENDPOINT_URL_DYNAMODB={os.environ['DDBD_URL']}
  export AWS_ACCESS_KEY_ID={key} AWS_SECRET_ACCESS_KEY={secret}
  export AWS_REGION={REGION} AWS_DEFAULT_REGION={REGION}
  export KMSD_TRAIL_DIR={os.environ['KMSD_TRAIL_DIR']}        # for scripts/query and scripts/picture

To end them, with the last log files delivered: scripts/with-daemons --stop {self.out}""")


def main():
    os.chdir(ROOT)
    demo = Demo(sys.argv[1], len(sys.argv) > 2)
    try:
        for scene in (demo.create_table, demo.five_minutes, demo.second_principal, demo.key_of_ones_own, demo.working_day,
                      demo.delete_table, demo.log_files, demo.queries, demo.picture, demo.end):
            scene()
    except Untrue as untrue:
        print(paint("1;31", f"\nNOT TRUE: {untrue}"), file=sys.stderr)
        print(f"Kept in {demo.out}: the trail, and the daemons' logs kmsd.log and ddbd.log", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
