"""The daemons' own log: one line an entry, with the request's id and operation; whatever clients send, none fakes a line."""
import json
import os
import re
import signal
import subprocess

import pytest

from asking import KEYS, PRINCIPALS, Raw, as_, code, secret_of
from daemons import ACCOUNT, in_threads, program, until
from tables import MANAGED, allow, make_table, put, wire

LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (error|warn|info|debug) (kmsd|ddbd): ([^\x00-\x1f\x7f]+)")
ANNOUNCED = re.compile(r"(kmsd|ddbd): listening on http://\S+")


def entries(daemon):
    """[(level, text)] of every line; a line of another form fails the test."""
    text = daemon.log_text()
    assert text.endswith("\n")
    found = []
    for line in text[:-1].split("\n"):
        if ANNOUNCED.fullmatch(line):
            continue
        match = LINE.fullmatch(line)
        assert match and match[2] == daemon.name, repr(line)
        found.append((match[1], match[3]))
    return found


def of(daemon, request_id):
    return [entry for entry in entries(daemon) if request_id in entry[1]]


def outcome(call, **parameters):
    """(request id, operation's fate) of a call."""
    try:
        return call(**parameters)["ResponseMetadata"]["RequestId"], "ok"
    except call.__self__.exceptions.ClientError as error:
        return error.response["ResponseMetadata"]["RequestId"], error.response["Error"]["Code"]


def test_one_line_a_call(make_house):
    house = make_house(kmsd=["--log-level=debug"], ddbd_args=["--log-level=debug"])
    kms, dynamodb = house.kms(), house.dynamodb()
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    table = make_table(dynamodb, sse=MANAGED)
    calls = [(house.kmsd, "Encrypt", kms.encrypt, {"KeyId": key, "Plaintext": b"x"}), (house.kmsd, "ListKeys", kms.list_keys, {}),
             (house.kmsd, "DescribeKey", kms.describe_key, {"KeyId": "alias/nonsense"}),
             (house.ddbd, "PutItem", dynamodb.put_item, {"TableName": table, "Item": {"pk": {"S": "a"}}}),
             (house.ddbd, "PutItem", dynamodb.put_item, {"TableName": table, "Item": {"pk": {"N": "1"}}}),
             (house.ddbd, "DescribeTable", dynamodb.describe_table, {"TableName": "nonsense"}),
             (house.ddbd, "Scan", dynamodb.scan, {"TableName": table})]
    for daemon, operation, call, parameters in calls * 3:
        request_id, fate = outcome(call, **parameters)
        (entry,) = of(daemon, request_id)
        assert entry == ("debug" if fate == "ok" else "info", f"{request_id} {operation} {fate}")


def test_items_and_secrets_are_in_no_log(make_house):
    house = make_house(kmsd=["--log-level=debug"], ddbd_args=["--log-level=debug"], principals=PRINCIPALS)
    dynamodb = house.dynamodb(KEYS["root"], secret_of(KEYS["root"]))
    table = make_table(dynamodb, sse=MANAGED)
    dynamodb.put_item(TableName=table, Item={"pk": {"S": "key to hide"}, "v": {"S": "value to hide"}})
    dynamodb.get_item(TableName=table, Key={"pk": {"S": "key to hide"}})
    assert outcome(dynamodb.get_item, TableName=table, Key={"pk": {"N": "987654321"}})[1] == "ValidationException"
    assert outcome(house.dynamodb(KEYS["root"], "guess to hide").list_tables)[1] == "InvalidSignatureException"
    service = json.loads((house.folder / "service-credentials").read_text())["secretAccessKey"]
    house.stop()
    assert any("PutItem ok" in text for _, text in entries(house.ddbd))
    for daemon in (house.kmsd, house.ddbd):
        for secret in ("to hide", "987654321", secret_of(KEYS["root"]), service, "Signature="):
            assert secret not in daemon.log_text()


def test_calls_that_are_none_have_a_line_too(make_house):
    house = make_house(kmsd=["--log-level=debug"], ddbd_args=["--log-level=debug"])
    status, headers, body = Raw("ListKeys").send(house)
    assert of(house.kmsd, headers["x-amzn-RequestId"]) == [("info", f"{headers['x-amzn-RequestId']} ListKeys {body['__type']}")]
    status, headers, body = Raw("Nonsense").sign().send(house)
    ((level, text),) = of(house.kmsd, headers["x-amzn-RequestId"])
    assert level == "info" and text.endswith("UnknownOperationException")
    answer = wire(house, "Nonsense", {})
    ((level, text),) = of(house.ddbd, answer.headers["x-amzn-RequestId"])
    assert level == "info" and text.endswith("UnknownOperationException")


@pytest.mark.parametrize("level,shown", [("error", set()), ("warn", set()), ("info", {"info"}), ("debug", {"info", "debug"})])
def test_levels(make_house, level, shown):
    house = make_house(kmsd=[f"--log-level={level}"], ddbd_args=[f"--log-level={level}"])
    house.kms().list_keys()
    house.dynamodb().list_tables()
    assert code(house.kms().describe_key, KeyId="alias/nonsense") == "NotFoundException"
    assert code(house.dynamodb().describe_table, TableName="nonsense") == "ResourceNotFoundException"
    for daemon in (house.ddbd, house.kmsd):
        assert daemon.terminate() == 0
        assert ("listening on" in daemon.log_text()) and {its for its, _ in entries(daemon) if its != "warn"} == shown


def test_no_client_writes_lines(make_house):
    """Whatever it calls itself, its operation, its key."""
    house = make_house(kmsd=["--log-level=debug"], ddbd_args=["--log-level=debug"])
    forged = "2026-01-01T00:00:00.000Z error kmsd: forged"
    for evil in (f"\t{forged}", "\x1b[31mred", "\x7f", "\xc2\x9b31m", "x" * 20_000, "%s%n%s", "\\n" + forged):
        raw = Raw("ListKeys")
        raw.headers["X-Amz-Target"] = f"TrentService.{evil}"
        try:
            raw.sign().send(house)
        except ValueError:  # the client's library will not send it
            continue
        code(house.kms(f"AKIA{evil[:20]}", "x").describe_key, KeyId=f"alias/{evil[:200]}")
        wire(house, "PutItem", {"TableName": evil, "Item": {}})
        wire(house, "GetItem", {evil: evil})
    house.kms().list_keys()
    for daemon in (house.ddbd, house.kmsd):
        assert daemon.terminate() == 0
        for level, text in entries(daemon):
            assert level != "error" and len(text) < 4096


def test_lines_do_not_mix(make_house):
    """Several threads write at once."""
    house = make_house(ddbd=False, kmsd=["--log-level=debug", "--workers=4"])
    ids = []

    def work(i):
        kms = house.kms()
        for n in range(50):
            ids.append(outcome(kms.describe_key, KeyId=f"alias/{i}-{n}")[0])
            ids.append(outcome(kms.list_keys)[0])
    in_threads(8, work)
    logged = [text.split()[0] for _, text in entries(house.kmsd) if re.match(r"[0-9a-f-]{36} ", text)]
    assert sorted(logged) == sorted(ids)


def test_a_log_that_cannot_be_written_stops_nobody(make_house):
    """Its reader is gone: SIGPIPE ends no daemon."""
    house = make_house(start=False)
    read, write = os.pipe()
    daemon = subprocess.Popen([program("kmsd"), "--listen=127.0.0.1:0", *house.kmsd.arguments, "--log-level=debug"], stderr=write)
    os.close(write)
    try:
        with open(read, "rb", buffering=0) as log:
            text = b""
            while b"\n" not in text:
                text += log.read(1000)
        house.kmsd.process, house.kmsd.port = daemon, int(re.search(rb":(\d+)\s", text)[1])
        house.kmsd.log.touch()
        house.kmsd.log_start = 0
        for _ in range(5):
            house.kms().list_keys()
        assert code(house.kms().describe_key, KeyId="alias/nonsense") == "NotFoundException"
        assert house.kmsd.terminate() == 0
        assert len(house.pick("ListKeys")) == 5
    finally:
        if daemon.poll() is None:
            daemon.kill()


# ---- SIGHUP ----

def test_ddbd_reads_principals_again(make_house):
    """What the file says afterwards counts in ddbd too; a bad file changes nothing and is told of, naming itself and the place."""
    principals = json.loads(json.dumps(PRINCIPALS))
    users = principals["accounts"][ACCOUNT]["users"]
    users["alice"]["policies"]["tables"] = {"Version": "2012-10-17", "Statement": [allow("dynamodb:*")]}
    house = make_house(kmsd=["--auth=strict"], ddbd_args=["--auth=strict"], principals=principals)

    def reload(text, says):
        house.principals_path.write_text(text if isinstance(text, str) else json.dumps(text))
        for daemon in (house.kmsd, house.ddbd):
            n = daemon.log_text().count(says)
            daemon.signal(signal.SIGHUP)
            until(lambda: daemon.log_text().count(says) > n, f"{daemon.name} to say: {says}")

    alice = house.dynamodb("AKIAALICE", secret_of("AKIAALICE"))
    table = make_table(alice, sse=MANAGED)
    put(alice, table, "a", x="1")
    assert code(house.dynamodb("AKIAZOE", "z").list_tables) == "UnrecognizedClientException"
    users["zoe"] = {"accessKeys": [{"id": "AKIAZOE", "secret": "z"}], "policies": dict(users["alice"]["policies"])}
    del users["alice"]["policies"]["tables"]
    reload(principals, "principals read again")
    zoe = house.dynamodb("AKIAZOE", "z")
    put(zoe, table, "a", x="2")  # kmsd, too, knows whom ddbd speaks for
    assert code(alice.list_tables) == "AccessDeniedException"
    for bad in ("", "{", '{"accounts": {"12": {}}}', '{"accounts": {"%s": {"users": {"zoe": {"nonsense": 1}}}}}' % ACCOUNT):
        reload(bad, "principals stay as they were")
        put(zoe, table, "a", x="3")
        assert as_(house, "alice").list_keys()
    for daemon in (house.kmsd, house.ddbd):
        (last,) = [text for level, text in entries(daemon) if level == "error"][-1:]
        assert "principals.json" in last and "accounts" in last and "nonsense" in last, "the path of what is wrong"
    house.principals_path.unlink()
    for daemon in (house.kmsd, house.ddbd):
        n = daemon.log_text().count("principals stay")
        daemon.signal(signal.SIGHUP)
        until(lambda: daemon.log_text().count("principals stay") > n, "the log to say so")
        assert daemon.get(f"/_{daemon.name}/health")["status"] == "ok"
    put(zoe, table, "a", x="4")
