"""Who calls: every way in which a signature can be wrong, with requests that are signed by hand; access keys, tokens,
accounts, Regions; the principals file and its reloading; a service's headers."""
import base64
import copy
import datetime
import hashlib
import json
import pathlib
import re
import signal
import subprocess

import botocore
import pytest

from asking import (ARNS, KEYS, OTHER, PRINCIPALS, Raw, allowed, amz_date, as_, code, opened, refused, secret_of,
                    service_client, told)
from conftest import VIRTUAL
from daemons import ACCOUNT, PATIENCE, REGION, House, program, until

UNRECOGNIZED = ("UnrecognizedClientException", "The security token included in the request is invalid.")
MISMATCH = ("InvalidSignatureException",
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access "
            "Key and signing method. Consult the service documentation for details.")
MISSING = ("MissingAuthenticationTokenException", "Missing Authentication Token")
ALICE, BOB = KEYS["alice"], KEYS["bob"]


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    with opened(tmp_path_factory.mktemp("house"), kmsd=VIRTUAL, principals=PRINCIPALS) as house:
        yield house


@pytest.fixture(scope="module")
def strict(tmp_path_factory):
    with opened(tmp_path_factory.mktemp("strict"), kmsd=[*VIRTUAL, "--auth=strict"], principals=PRINCIPALS) as house:
        yield house


@pytest.fixture(params=["open", "strict"])
def either(request, house, strict):
    return house if request.param == "open" else strict


def alice(**more):
    return Raw(key=ALICE, secret=secret_of(ALICE), **more)


def status(raw, house):
    return raw.send(house)[0]


def test_a_good_request(either):
    code, headers, body = alice().sign().send(either)
    assert code == 200 and body == {"Keys": [], "Truncated": False}
    assert len(headers["x-amzn-RequestId"]) == 36 and headers["Content-Type"] == "application/x-amz-json-1.1"


# ---- what lacks ----

def test_no_signature(either):
    assert alice().refusal(either) == MISSING
    assert alice().set(Authorization="Bearer abc").refusal(either) == MISSING
    assert alice().set(Authorization="").refusal(either) == MISSING


@pytest.mark.parametrize("part", ["Credential", "Signature", "SignedHeaders"])
def test_a_part_lacks(either, part):
    raw = alice().sign()
    kept = [p for p in raw.headers["Authorization"].split(" ", 1)[1].split(", ") if not p.startswith(part)]
    raw.headers["Authorization"] = value = "AWS4-HMAC-SHA256 " + ", ".join(kept)
    got, message = raw.refusal(either)
    assert got == "IncompleteSignatureException"
    digest = base64.b64encode(hashlib.sha256(value.encode()).digest()).decode()
    assert message == (f"Authorization header requires '{part}' parameter. (Hashed with SHA-256 and encoded with Base64) "
                       f"Authorization={digest}")


def test_all_parts_lack(either):
    got, message = alice().set(Authorization="AWS4-HMAC-SHA256 x=y").refusal(either)
    assert got == "IncompleteSignatureException"
    assert message.startswith("Authorization header requires 'Credential' parameter. Authorization header requires "
                              "'Signature' parameter. Authorization header requires 'SignedHeaders' parameter. ")


def test_no_date(either):
    raw = alice().sign()
    del raw.headers["X-Amz-Date"]
    got, message = raw.refusal(either)
    assert got == "IncompleteSignatureException" and "'X-Amz-Date' or a 'Date' header" in message


@pytest.mark.parametrize("value", ["AWS4-HMAC-SHA256 Credential", "AWS4-HMAC-SHA256 ,,,", "AWS4-HMAC-SHA256",
                                   "AWS4-HMAC-SHA256 Credential=, Signature=, SignedHeaders="])
def test_broken_headers(either, value):
    assert alice().set(Authorization=value).refusal(either)[0] == "IncompleteSignatureException"


@pytest.mark.parametrize("credential", ["AKIAALICE", "AKIAALICE/20260101/us-east-1/kms", "a/b/c/d/e/f", "////"])
def test_broken_credentials(either, credential):
    raw = alice().sign()
    old = raw.headers["Authorization"]
    raw.headers["Authorization"] = old.replace(f"{ALICE}/{'/'.join(raw.scope)}", credential)
    assert raw.refusal(either)[0] in ("IncompleteSignatureException", "InvalidSignatureException")


def test_another_algorithm(either):
    raw = alice().sign()
    raw.headers["Authorization"] = raw.headers["Authorization"].replace("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256")
    assert raw.refusal(either)[0] == "IncompleteSignatureException"


# ---- what is wrong ----

def test_unknown_keys(strict):
    for key in ("AKIANOBODY", "test", ACCOUNT, OTHER, "x" * 200, "AKIAALIC", "AKIAALICEE"):
        assert Raw(key=key).sign().refusal(strict) == UNRECOGNIZED


def test_a_wrong_secret(either):
    assert Raw(key=ALICE, secret="guess").sign().refusal(either) == MISMATCH
    assert Raw(key=KEYS["root"], secret=secret_of(ALICE)).sign().refusal(either) == MISMATCH


@pytest.mark.parametrize("change", ["signature", "body", "target", "host", "header", "query", "content type"])
def test_anything_changed_on_the_way(either, change):
    raw = alice().sign()
    if change == "signature":
        old = raw.headers["Authorization"]
        raw.headers["Authorization"] = old[:-1] + ("0" if old[-1] != "0" else "1")
    elif change == "body":
        raw.body = b"{ }"
    elif change == "query":
        raw.target = "/?a=b"
    else:
        name = {"target": "X-Amz-Target", "host": "Host", "header": "X-Amz-Date", "content type": "Content-Type"}[change]
        raw.headers[name] = {"target": "TrentService.ListAliases", "host": "other", "content type": "text/plain",
                             "header": amz_date(1)}[change]
    assert raw.refusal(either) == MISMATCH


def test_every_digit_of_the_signature_counts(house):
    raw = alice().sign()
    good = raw.headers["Authorization"]
    for at in range(len(good) - 64, len(good)):
        raw.headers["Authorization"] = good[:at] + ("0" if good[at] != "0" else "1") + good[at + 1:]
        assert raw.refusal(house) == MISMATCH
    for wrong in (good[:-1], good + "0", good[:-64]):
        raw.headers["Authorization"] = wrong
        assert raw.refusal(house)[0] in ("InvalidSignatureException", "IncompleteSignatureException")
    raw.headers["Authorization"] = good
    assert status(raw, house) == 200


def test_headers_that_must_be_signed(either):
    raw = alice()
    raw.unsigned = {"host"}
    assert raw.sign().refusal(either)[0] == "InvalidSignatureException"
    raw = alice()
    raw.unsigned = {"x-amz-target"}
    assert raw.sign().refusal(either)[0] == "InvalidSignatureException"
    raw = alice()
    raw.unsigned = {"content-type"}
    assert status(raw.sign(), either) == 200


@pytest.mark.parametrize("claimed", ["UNSIGNED-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "0" * 64, "",
                                     hashlib.sha256(b"other").hexdigest()])
def test_bodies_that_are_not_covered(either, claimed):
    raw = alice()
    raw.headers["X-Amz-Content-SHA256"] = claimed
    raw.body_hash = claimed
    assert raw.sign().refusal(either)[0] == "InvalidSignatureException"


def test_the_right_hash_named(either):
    raw = alice()
    raw.headers["X-Amz-Content-SHA256"] = hashlib.sha256(raw.body).hexdigest()
    assert status(raw.sign(), either) == 200


def test_a_date_that_is_off(either):
    """By the real clock, whatever the daemon's virtual one says."""
    for offset in (-290, -60, 60, 290):
        assert status(alice(date=amz_date(offset)).sign(), either) == 200
    early = amz_date(-3600)
    got, message = alice(date=early).sign().refusal(either)
    now = datetime.datetime.now(datetime.timezone.utc)
    assert got == "InvalidSignatureException"
    words = message.split()
    assert message.startswith(f"Signature expired: {early} is now earlier than ") and message.endswith(" - 5 min.)")
    told_now = datetime.datetime.strptime(words[8].lstrip("("), "%Y%m%dT%H%M%S%z")
    assert abs((told_now - now).total_seconds()) < 60
    assert datetime.datetime.strptime(words[7], "%Y%m%dT%H%M%S%z") == told_now - datetime.timedelta(minutes=5)
    late = amz_date(3600)
    got, message = alice(date=late).sign().refusal(either)
    assert got == "InvalidSignatureException"
    assert message.startswith(f"Signature not yet current: {late} is still later than ") and message.endswith(" + 5 min.)")


@pytest.mark.parametrize("date", ["yesterday", "20260101", "2026-01-01T00:00:00Z", "20261301T000000Z", "20260101T000000"])
def test_a_date_that_is_none(either, date):
    assert alice(date=date, scope_date="20260101").sign().refusal(either)[0] in (
        "IncompleteSignatureException", "InvalidSignatureException")


def test_scopes(either):
    assert alice(service="dynamodb").sign().refusal(either) == (
        "InvalidSignatureException", "Credential should be scoped to correct service: 'kms'. ")
    assert alice(region="nowhere-1").sign().refusal(either) == (
        "InvalidSignatureException", "Credential should be scoped to a valid region, not 'nowhere-1'. ")
    assert alice(terminator="aws4").sign().refusal(either)[0] == "InvalidSignatureException"
    raw = alice(scope_date="20200101")
    assert raw.sign().refusal(either) == (
        "InvalidSignatureException", "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from "
        f"HTTP: '20200101' != '{raw.date[:8]}', from '{raw.date}'.")
    for region in ("us-east-1", "eu-central-2", "cn-north-1", "us-gov-west-1", "ap-southeast-5", "il-central-1"):
        assert status(alice(region=region).sign(), either) == 200


def test_every_region_of_the_sdk(strict):
    """Of the partitions that anybody can have an account in."""
    text = (pathlib.Path(botocore.__file__).parent / "data/partitions.json").read_text()
    regions = {region: partition["id"] for partition in json.loads(text)["partitions"]
               for region in partition["regions"] if not region.endswith("global") and "-iso" not in partition["id"]}
    assert len(regions) > 35 and set(regions.values()) == {"aws", "aws-cn", "aws-us-gov", "aws-eusc"}
    for region, partition in regions.items():
        key = as_(strict, "alice", region=region).create_key()["KeyMetadata"]
        assert key["Arn"].startswith(f"arn:{partition}:kms:{region}:{ACCOUNT}:key/")
    for region in ("us-iso-east-1", "aws-global", "us-east-1a", "US-EAST-1", ""):
        assert alice(region=region).sign().refusal(strict) == (
            "InvalidSignatureException", f"Credential should be scoped to a valid region, not '{region}'. ")


# ---- ddbd: the same, in DynamoDB's words ----

def to_ddbd(house, raw):
    """(code, message) of ddbd's refusal."""
    raw.set(X_Amz_Target="DynamoDB_20120810.ListTables", Content_Type="application/x-amz-json-1.0")
    if "Authorization" in raw.headers:
        raw.sign()
    reply = raw.send(house, house.ddbd.port)
    assert reply[0] == 400 and reply[1]["Content-Type"] == "application/x-amz-json-1.0"
    assert re.fullmatch("[0-9A-Z]{52}", reply[1]["x-amzn-RequestId"]) and reply[1]["x-amz-crc32"]
    prefix, name = reply[2]["__type"].split("#")
    assert prefix == "com.amazon.coral.service"
    return name, reply[2]["message"]


@pytest.mark.parametrize("mode", ["open", "strict"])
def test_ddbd_verifies_as_well(make_house, mode):
    house = make_house(principals=PRINCIPALS, kmsd=[f"--auth={mode}"], ddbd_args=[f"--auth={mode}"])

    def signed(**more):
        return alice(**{"service": "dynamodb", **more}).sign()
    assert to_ddbd(house, alice()) == ("MissingAuthenticationTokenException", "Request is missing Authentication Token")
    assert to_ddbd(house, signed(service="kms")) == (
        "InvalidSignatureException", "Credential should be scoped to correct service: 'dynamodb'. ")
    assert to_ddbd(house, signed(region="mars-1"))[1] == "Credential should be scoped to a valid region, not 'mars-1'. "
    assert to_ddbd(house, signed(date=amz_date(-900)))[1].startswith("Signature expired: ")
    assert to_ddbd(house, signed(date=amz_date(900)))[1].startswith("Signature not yet current: ")
    wrong = alice(service="dynamodb")
    wrong.secret = "guess"
    assert to_ddbd(house, wrong.sign()) == MISMATCH
    assert to_ddbd(house, session(service="dynamodb").sign()) == UNRECOGNIZED, "a session's key without its token"
    assert house.dynamodb(KEYS["root"], secret_of(KEYS["root"])).list_tables()["TableNames"] == []
    stranger = house.dynamodb("AKIANOBODY", "x")
    if mode == "strict":
        assert refused(stranger.list_tables) == UNRECOGNIZED
    else:
        assert stranger.list_tables()["TableNames"] == []
    until(lambda: len(house.trail("ListTables")) == (1 if mode == "strict" else 2), "the calls that were let in, and no other")


def test_a_signature_in_the_query(either):
    raw = alice()
    raw.target = "/?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=x&X-Amz-Date=x&X-Amz-SignedHeaders=host&X-Amz-Signature=x"
    assert raw.refusal(either)[0] in ("IncompleteSignatureException", "MissingAuthenticationTokenException")


# ---- session tokens ----

def session(**more):
    return Raw(key=KEYS["app"], secret=secret_of(KEYS["app"]), **more)


def test_session_tokens(either):
    token = f"token of {KEYS['app']}"
    assert status(session().set(X_Amz_Security_Token=token).sign(), either) == 200
    for wrong in ("", "x", token[:-1], token + "x", token.upper()):
        assert session().set(X_Amz_Security_Token=wrong).sign().refusal(either) == UNRECOGNIZED
    assert session().sign().refusal(either) == UNRECOGNIZED
    assert alice().set(X_Amz_Security_Token=token).sign().refusal(either) == UNRECOGNIZED, "a user has none"


def test_a_long_token(make_house):
    principals = copy.deepcopy(PRINCIPALS)
    key = principals["accounts"][ACCOUNT]["roles"]["app"]["sessions"][0]["accessKey"]
    key["token"] = "t" * 4096
    house = make_house(ddbd=False, principals=principals)
    assert allowed(house.kms(key["id"], key["secret"], key["token"]).list_keys)


# ---- open: strangers ----

def test_twelve_digits_are_an_accounts_root(house):
    made = house.kms("999900001111", "any secret").create_key()["KeyMetadata"]
    assert made["Arn"].startswith(f"arn:aws:kms:{REGION}:999900001111:key/")
    (event,) = [e for e in house.trail("CreateKey") if e["recipientAccountId"] == "999900001111"]
    assert (event["userIdentity"]["type"], event["userIdentity"]["arn"]) == ("Root", "arn:aws:iam::999900001111:root")


def test_anybody_else_is_local(house):
    made = house.kms("whatever", "x").create_key()["KeyMetadata"]
    assert made["AWSAccountId"] == ACCOUNT
    event = [e for e in house.trail("CreateKey") if e["userIdentity"]["type"] == "IAMUser"][-1]
    assert event["userIdentity"]["arn"] == f"arn:aws:iam::{ACCOUNT}:user/local"
    assert event["userIdentity"]["accessKeyId"] == "whatever"
    assert house.kms("other", "x", token="any token").describe_key(KeyId=made["KeyId"])


def test_known_keys_are_verified_in_open_too(house):
    assert Raw(key=BOB, secret="x").sign().refusal(house) == MISMATCH
    assert code(as_(house, "bob").list_keys) == "AccessDeniedException"


# ---- accounts and Regions ----

def test_accounts_and_regions_are_apart(house):
    seen = {}
    for account in ("100000000001", "100000000002"):
        for region in ("us-west-1", "us-west-2"):
            kms = house.kms(account, region=region)
            key = kms.create_key()["KeyMetadata"]["KeyId"]
            kms.create_alias(AliasName="alias/same", TargetKeyId=key)
            seen[account, region] = key
    for (account, region), key in seen.items():
        kms = house.kms(account, region=region)
        assert [k["KeyId"] for k in kms.list_keys()["Keys"]] == [key]
        assert [a["TargetKeyId"] for a in kms.list_aliases()["Aliases"] if "TargetKeyId" in a] == [key]
        for other, foreign in seen.items():
            if other != (account, region):
                assert code(kms.describe_key, KeyId=foreign) == "NotFoundException"


# ---- what the trail shows ----

def test_a_refused_signature_is_not_in_the_trail(house):
    before = len(house.trail())
    alice().refusal(house)
    alice().set(Authorization="AWS4-HMAC-SHA256 x=y").refusal(house)
    Raw(key=ALICE, secret="x").sign().refusal(house)
    for wrong in ({"service": "dynamodb"}, {"region": "nowhere-1"}, {"date": amz_date(-400)}, {"date": amz_date(400)}):
        alice(**wrong).sign().refusal(house)
    session().sign().refusal(house)
    assert allowed(as_(house, "alice").list_keys)
    assert len(house.trail()) == before + 1


# ---- the principals file ----

def start_with(tmp_path, principals, *flags):
    house = House(tmp_path, kmsd=flags, principals=principals)
    house.kmsd.start(wait=False)
    house.kmsd.process.wait(30)
    return house.kmsd.process.returncode, house.kmsd.log_text()


def broken(change):
    p = copy.deepcopy(PRINCIPALS)
    change(p["accounts"], p)
    return p


BROKEN = {
    "(document)": lambda a, p: p.update({"extra": 1}),
    "accounts.12": lambda a, p: a.update({"12": {}}),
    f"accounts.{ACCOUNT}.user": lambda a, p: a[ACCOUNT].update({"user": {}}),
    f"accounts.{ACCOUNT}.users.alice.key": lambda a, p: a[ACCOUNT]["users"]["alice"].update({"key": 1}),
    f"accounts.{ACCOUNT}.users.alice.accessKeys[0].secret": lambda a, p: a[ACCOUNT]["users"]["alice"]["accessKeys"][0].pop(
        "secret"),
    f"accounts.{ACCOUNT}.users.alice.accessKeys[0].token": lambda a, p: a[ACCOUNT]["users"]["alice"]["accessKeys"][0].update(
        {"token": "x"}),
    f"accounts.{ACCOUNT}.users.bob.accessKeys[0].id": lambda a, p: a[ACCOUNT]["users"]["bob"]["accessKeys"][0].update(
        {"id": ALICE}),
    f"accounts.{ACCOUNT}.roles.app.sessions[0].accessKey.token": lambda a, p: a[ACCOUNT]["roles"]["app"]["sessions"][0][
        "accessKey"].pop("token"),
    f"accounts.{ACCOUNT}.roles.app.sessions[0].name": lambda a, p: a[ACCOUNT]["roles"]["app"]["sessions"][0].pop("name"),
    f"accounts.{ACCOUNT}.roles.app.accessKeys": lambda a, p: a[ACCOUNT]["roles"]["app"].update({"accessKeys": []}),
    f"accounts.{ACCOUNT}.root.policies": lambda a, p: a[ACCOUNT]["root"].update({"policies": {}}),
    f"accounts.{ACCOUNT}.users.bad name": lambda a, p: a[ACCOUNT]["users"].update({"bad name": {}}),
    f"accounts.{ACCOUNT}.users": lambda a, p: a[ACCOUNT].update({"users": []}),
}


@pytest.mark.parametrize("path", BROKEN)
def test_mistakes_in_the_file_are_named_by_their_path(tmp_path, path):
    status, log = start_with(tmp_path, broken(BROKEN[path]))
    assert status == 1 and "principals.json" in log and f"{path}:" in log.replace("(document).extra:", "(document):")


def test_files_that_are_none(tmp_path):
    for text in ("", "{", "[]", '{"accounts": {}, "accounts": {}}'):
        status, log = start_with(tmp_path, text)
        assert status == 1 and "principals.json" in log
    house = House(tmp_path / "missing", kmsd=["--principals=/nowhere/principals.json"])
    house.kmsd.start(wait=False)
    assert house.kmsd.process.wait(30) == 1 and "/nowhere/principals.json" in house.kmsd.log_text()


def test_secrets_are_never_logged(tmp_path):
    house = House(tmp_path, kmsd=["--log-level=debug"], principals=PRINCIPALS)
    try:
        house.start(ddbd=False)
        kms = as_(house, "alice")
        key = kms.create_key()["KeyMetadata"]["KeyId"]
        kms.encrypt(KeyId=key, Plaintext=b"plain to see", EncryptionContext={"a": "context value"})
        kms.create_grant(KeyId=key, GranteePrincipal=ARNS["bob"], Operations=["Decrypt"])
        Raw(key=ALICE, secret="x").sign().refusal(house)
        house.stop()
        log = house.kmsd.log_text()
        assert "Encrypt ok" in log
        for secret in (secret_of(ALICE), "plain to see", "AQpA", "Signature="):
            assert secret not in log
    finally:
        house.abandon()


def test_reloading(make_house):
    house = make_house(ddbd=False, kmsd=["--auth=strict"], principals=PRINCIPALS)

    def reload(principals, says):
        house.principals_path.write_text(principals if isinstance(principals, str) else json.dumps(principals))
        n = house.kmsd.log_text().count(says)
        house.kmsd.signal(signal.SIGHUP)
        until(lambda: house.kmsd.log_text().count(says) > n, f"the log to say: {says}")
    kms = as_(house, "alice")
    kms.list_keys()
    changed = copy.deepcopy(PRINCIPALS)
    users = changed["accounts"][ACCOUNT]["users"]
    users["alice"]["accessKeys"][0]["secret"] = "a new secret"
    users["zoe"] = {"accessKeys": [{"id": "AKIAZOE", "secret": "z"}], "policies": users["alice"]["policies"]}
    del users["bob"]
    users["carol"]["policies"] = users["alice"]["policies"]
    assert not allowed(as_(house, "carol").list_keys)
    reload(changed, "principals read again")
    assert refused(kms.list_keys) == MISMATCH, "also where the signing key was kept"
    assert allowed(house.kms(ALICE, "a new secret").list_keys)
    assert allowed(house.kms("AKIAZOE", "z").list_keys)
    assert allowed(as_(house, "carol").list_keys)
    assert code(as_(house, "bob").list_keys) == "UnrecognizedClientException"
    reload('{"accounts": 5}', "principals stay as they were")
    assert allowed(house.kms(ALICE, "a new secret").list_keys)
    reload(PRINCIPALS, "principals read again")
    assert allowed(as_(house, "alice").list_keys)
    assert code(house.kms(ALICE, "a new secret").list_keys) == "InvalidSignatureException"


# ---- addresses ----

def listening_on(tmp_path, name, *addresses):
    done = subprocess.run([program(name), *(f"--listen={a}" for a in addresses), f"--state-dir={tmp_path}/state",
                           f"--service-credentials={tmp_path}/service"], capture_output=True, text=True, timeout=PATIENCE)
    assert not (tmp_path / "state").exists()
    return done.returncode, done.stderr


@pytest.mark.parametrize("address", ["0.0.0.0:0", "[::]:0", "192.0.2.1:0", "[fe80::1]:0", "[::ffff:10.0.0.1]:0",
                                     "[::ffff:0.0.0.0]:0", "128.0.0.1:0", "[::2]:0"])
@pytest.mark.parametrize("name", ["kmsd", "ddbd"])
def test_open_is_refused_where_others_reach(tmp_path, name, address):
    status, log = listening_on(tmp_path, name, address)
    assert status == 1 and f"--auth=open is refused on {address}" in log
    status, log = listening_on(tmp_path, name, "127.0.0.1:0", address)
    assert status == 1 and f"--auth=open is refused on {address}" in log


@pytest.mark.parametrize("address", ["example.org:0", "localhost.example.org:0", "*:0", ":0", "127.1:0", "::1:0", "0:0"])
@pytest.mark.parametrize("name", ["kmsd", "ddbd"])
def test_names_are_not_looked_up(tmp_path, name, address):
    """So no name can turn out to be an address that others reach."""
    status, log = listening_on(tmp_path, name, address)
    assert status == 1 and f"{address} is not ADDRESS:PORT, with a numeric address or localhost" in log


@pytest.mark.parametrize("address,shown", [("localhost:0", "127.0.0.1"), ("127.9.9.9:0", "127.9.9.9"), ("[::1]:0", "[::1]")])
def test_open_may_listen_on_every_loopback_address(make_house, address, shown):
    house = make_house(ddbd=False, kmsd=[f"--listen={address}"])
    assert f"listening on http://{shown}:" in house.kmsd.log_text()


def test_strict_may_listen_anywhere(make_house):
    house = make_house(ddbd=False, kmsd=["--auth=strict", "--listen=0.0.0.0:0"], principals=PRINCIPALS)
    assert status(alice().sign(), house) == 200


# ---- a service's headers ----

def test_only_a_service_speaks_for_others(either):
    assert told(either, "ListKeys", {}, BOB, secret_of(BOB), x_kmsd_on_behalf_of=ALICE,
                x_kmsd_on_behalf_of_arn=ARNS["alice"])[0] == "AccessDeniedException"


def test_a_service_speaks_for_users_it_knows(either):
    key = as_(either, "alice").create_key()["KeyMetadata"]["KeyId"]
    through = service_client(either, user=(ALICE, ARNS["alice"]))
    assert allowed(through.describe_key, KeyId=key)
    assert not allowed(service_client(either, user=(BOB, ARNS["bob"])).describe_key, KeyId=key), "bob's rights decide"
    assert not allowed(service_client(either, user=(ALICE, ARNS["bob"])).describe_key, KeyId=key), "the ARN is another's"
    (event,) = [e for e in either.trail("DescribeKey") if e["userIdentity"].get("invokedBy") and not e.get("errorCode")]
    assert event["userIdentity"]["arn"] == ARNS["alice"]
    assert event["userIdentity"]["invokedBy"] == event["sourceIPAddress"] == event["userAgent"] == "dynamodb.amazonaws.com"


def test_unknown_users_of_a_service(strict):
    assert code(service_client(strict, user=("AKIANOBODY", ARNS["alice"])).list_keys) == "UnrecognizedClientException"


def test_a_service_must_say_in_which_account(either):
    assert code(service_client(either, account=None).list_keys) == "AccessDeniedException"
    assert code(service_client(either, account="12").list_keys) == "AccessDeniedException"


def test_a_service_has_no_rights_of_its_own(either):
    service = service_client(either)
    for call, more in ((service.list_keys, {}), (service.create_key, {}), (service.generate_random, {"NumberOfBytes": 1})):
        assert not allowed(call, **more)


def test_a_services_headers_must_be_signed(either):
    credential = json.loads((either.folder / "service-credentials").read_text())
    for header, value in (("X-Amz-Source-Account", ACCOUNT), ("X-Kmsd-On-Behalf-Of", ALICE)):
        raw = Raw(key=credential["accessKeyId"], secret=credential["secretAccessKey"]).sign()
        raw.headers[header] = value
        raw.headers["X-Kmsd-On-Behalf-Of-Arn"] = ARNS["alice"]
        assert raw.refusal(either)[0] in ("InvalidSignatureException", "AccessDeniedException")


def test_the_services_credential_is_private(either):
    path = either.folder / "service-credentials"
    assert path.stat().st_mode & 0o777 == 0o600
    assert json.loads(path.read_text())["service"] == "dynamodb"
