"""/_kmsd/faults: which calls they meet, what becomes of these, and how the trail shows it."""
import contextlib
import json
import time
import urllib.error
import urllib.request

import botocore.exceptions
import botocore.session
import pytest

from asking import ARNS, PRINCIPALS, ROLE_ARNS, as_, opened, refused
from conftest import VIRTUAL
from daemons import in_threads, until
from tables import MANAGED, definition

THROTTLED = "You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls."


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    with opened(tmp_path_factory.mktemp("faults"), kmsd=[*VIRTUAL, "--test-control", "--workers=2"],
                principals=PRINCIPALS) as house:
        yield house


@pytest.fixture
def house(shared):
    yield shared
    ask(shared, "DELETE")


@pytest.fixture
def key(house):
    return as_(house, "alice").create_key()["KeyMetadata"]["KeyId"]


def ask(house, method, body=None, query=""):
    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(f"{house.kmsd.url}/_kmsd/faults{query}", data, method=method)
    with urllib.request.urlopen(request) as reply:
        return json.load(reply)


def fault(house, **members):
    return ask(house, "POST", members)["id"]


def listed(house):
    return ask(house, "GET")["faults"]


# ---- which calls ----

def test_the_next_calls_of_an_operation(house, key):
    kms = as_(house, "alice")
    assert fault(house, operation="Encrypt", count=2, error="ThrottlingException") > 0
    assert [(f["operation"], f["count"], f["percent"], f["error"], f["hits"]) for f in listed(house)] == [
        ("Encrypt", 2, 100, "ThrottlingException", 0)]
    kms.describe_key(KeyId=key)
    assert refused(kms.encrypt, KeyId=key, Plaintext=b"x") == ("ThrottlingException", THROTTLED)
    assert listed(house)[0]["count"] == 1 and listed(house)[0]["hits"] == 1
    assert refused(kms.encrypt, KeyId=key, Plaintext=b"x")[0] == "ThrottlingException"
    kms.encrypt(KeyId=key, Plaintext=b"x")
    assert listed(house) == []


def test_an_sdk_gets_over_it(house, key):
    kms = as_(house, "alice", retries={"total_max_attempts": 4, "mode": "standard"})
    fault(house, operation="GenerateDataKey", count=1, error="ThrottlingException")
    fault(house, operation="GenerateDataKey", count=1, error="KMSInternalException")
    answer = kms.generate_data_key(KeyId=key, KeySpec="AES_256")
    assert answer["ResponseMetadata"]["RetryAttempts"] == 2


def test_of_a_key(house, key):
    kms = as_(house, "alice")
    other = kms.create_key()["KeyMetadata"]
    kms.create_alias(AliasName=f"alias/{key}", TargetKeyId=key)
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    arn = other["Arn"].replace(other["KeyId"], key)
    for name in (key, arn, f"alias/{key}", arn.replace("key/", "alias/")):
        fault(house, key=name, error="KMSInvalidStateException", message="as told")
        assert refused(kms.decrypt, CiphertextBlob=blob) == ("KMSInvalidStateException", "as told")
        assert refused(kms.encrypt, KeyId=f"alias/{key}", Plaintext=b"x")[0] == "KMSInvalidStateException"
        assert refused(kms.re_encrypt, CiphertextBlob=blob, DestinationKeyId=other["KeyId"])[0] == "KMSInvalidStateException"
        kms.encrypt(KeyId=other["KeyId"], Plaintext=b"x")
        kms.generate_random(NumberOfBytes=4)
        assert ask(house, "DELETE") == {"cleared": 1}
        kms.decrypt(CiphertextBlob=blob)


@pytest.mark.parametrize("principal,met", [(ARNS["alice"], "alice"), (ARNS["app"], "app"), (ROLE_ARNS["app"], "app")])
def test_of_a_principal(house, key, principal, met):
    fault(house, principal=principal, operation="DescribeKey", error="KMSInternalException")
    for who in ("alice", "app"):
        if who == met:
            assert refused(as_(house, who).describe_key, KeyId=key)[0] == "KMSInternalException"
        else:
            as_(house, who).describe_key(KeyId=key)


def test_a_service(make_house):
    house = make_house(kmsd=["--test-control"])
    fault(house, principal="dynamodb.amazonaws.com", error="KMSInternalException", operation="CreateGrant")
    with contextlib.suppress(botocore.exceptions.ClientError):
        house.dynamodb().create_table(**definition(SSESpecification=MANAGED))
    until(lambda: listed(house)[0]["hits"], "the fault to be met")
    house.kms().list_keys()


def test_a_percentage_follows_the_seed(make_house):
    runs = []
    for _ in range(2):
        house = make_house(ddbd=False, kmsd=["--test-control", "--seed=a", "--workers=1"])
        kms = house.kms()
        key = kms.create_key()["KeyMetadata"]["KeyId"]
        fault(house, operation="DescribeKey", percent=40, error="ThrottlingException")
        runs.append("")
        for _ in range(100):
            try:
                kms.describe_key(KeyId=key)
                runs[-1] += "."
            except botocore.exceptions.ClientError:
                runs[-1] += "x"
    assert runs[0] == runs[1] and 20 < runs[0].count("x") < 60


def test_the_oldest_fault_counts_and_one_can_be_taken_back(house, key):
    kms = as_(house, "alice")
    first = fault(house, operation="DescribeKey", error="ThrottlingException")
    fault(house, error="KMSInternalException")
    assert refused(kms.describe_key, KeyId=key)[0] == "ThrottlingException"
    assert ask(house, "DELETE", query=f"?id={first}") == {"cleared": 1}
    assert refused(kms.describe_key, KeyId=key)[0] == "KMSInternalException"
    assert ask(house, "DELETE", query=f"?id={first}") == {"cleared": 0}


def test_a_reset_clears_them(make_house):
    house = make_house(ddbd=False, kmsd=["--test-control"])
    fault(house, error="ThrottlingException")
    house.kmsd.post("/_kmsd/reset", {})
    house.kms().list_keys()


def test_every_error_of_the_model(house, key):
    kms = as_(house, "alice")
    shapes = botocore.session.get_session().get_component("data_loader").load_service_model("kms", "service-2")["shapes"]
    codes = {name: shape.get("fault", False) for name, shape in shapes.items() if shape.get("exception")}
    assert len(codes) >= 40
    codes.update({"ThrottlingException": False, "AccessDeniedException": False, "ValidationException": False})
    for code, of_the_server in codes.items():
        fault(house, operation="DescribeKey", count=1, error=code)
        with pytest.raises(botocore.exceptions.ClientError) as caught:
            kms.describe_key(KeyId=key)
        assert caught.value.response["Error"]["Code"] == code
        assert (caught.value.response["ResponseMetadata"]["HTTPStatusCode"] >= 500) == of_the_server, code


# ---- what happens ----

def test_a_delay_is_of_the_real_clock_and_stops_nobody_else(make_house):
    house = make_house(ddbd=False, kmsd=["--test-control", "--workers=1"])
    kms = house.kms()
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    fault(house, operation="Encrypt", delay="300ms", count=1)
    order, start = [], time.monotonic()

    def call(i):
        if i == 0:
            kms.encrypt(KeyId=key, Plaintext=b"x")
            assert time.monotonic() - start >= 0.3
        else:
            until(lambda: not listed(house), "the delayed call to have come")
            house.kms().describe_key(KeyId=key)
        order.append(i)
    in_threads(2, call)
    assert order == [1, 0]
    event, = house.trail("Encrypt")
    assert "errorCode" not in event and event["resources"][0]["ARN"].endswith(key)


def test_a_delayed_call_sees_the_world_as_it_is_then(house, key):
    kms = as_(house, "alice")
    fault(house, operation="Encrypt", delay=0.5, count=1)

    def call(i):
        if i == 0:
            assert refused(kms.encrypt, KeyId=key, Plaintext=b"x")[0] == "DisabledException"
        else:
            until(lambda: not listed(house), "the delayed call to have come")
            as_(house, "alice").disable_key(KeyId=key)
    in_threads(2, call)


def test_a_grant_is_made_once_after_a_delay(house, key):
    kms = as_(house, "alice")
    fault(house, operation="CreateGrant", delay="10ms")
    kms.create_grant(KeyId=key, GranteePrincipal=ARNS["bob"], Operations=["Encrypt"])
    assert len(kms.list_grants(KeyId=key)["Grants"]) == 1


def test_delayed_calls_are_answered_when_kmsd_ends(make_house):
    house = make_house(ddbd=False, kmsd=["--test-control"])
    kms = house.kms()
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    fault(house, operation="Encrypt", delay=600, count=1)

    def call(i):
        if i == 0:
            kms.encrypt(KeyId=key, Plaintext=b"x")
        else:
            until(lambda: not listed(house), "the delayed call to have come")
            assert house.kmsd.terminate() == 0
    in_threads(2, call)
    assert len(house.pick("Encrypt")) == 1


def test_a_client_that_does_not_wait(house, key):
    fault(house, operation="DisableKey", key=key, delay="300ms", count=1)
    with pytest.raises(botocore.exceptions.ReadTimeoutError):
        as_(house, "alice", read_timeout=0.1).disable_key(KeyId=key)
    kms = as_(house, "alice")
    until(lambda: kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "Disabled", "the call to go on")
    assert len([e for e in house.trail("DisableKey") if e["resources"][0]["ARN"].endswith(key)]) == 1


def test_a_cut_connection(house, key):
    kms = as_(house, "alice")
    fault(house, operation="DisableKey", cut=True, count=1)
    with pytest.raises(botocore.exceptions.ConnectionClosedError):
        kms.disable_key(KeyId=key)
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "Disabled"
    event = [e for e in house.trail("DisableKey") if e["resources"][0]["ARN"].endswith(key)]
    assert len(event) == 1 and "errorCode" not in event[0]


def test_the_trail_shows_failed_calls_as_failed(house, key):
    kms = as_(house, "alice")
    fault(house, key=key, operation="Decrypt", count=1, error="ThrottlingException")
    fault(house, key=key, operation="DescribeKey", count=1, error="AccessDeniedException", message="no")
    fault(house, key=key, operation="EnableKey", count=1, error="KMSInternalException")
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    refused(kms.decrypt, CiphertextBlob=blob)
    assert refused(kms.describe_key, KeyId=key) == ("AccessDeniedException", "no")
    refused(kms.enable_key, KeyId=key)
    events = {e["eventName"]: e for e in house.trail() if (e.get("resources") or [{}])[0].get("ARN", "").endswith(key)}
    assert (events["Decrypt"]["errorCode"], events["Decrypt"]["errorMessage"]) == ("ThrottlingException", THROTTLED)
    assert events["Decrypt"]["responseElements"] is None and events["Decrypt"]["userIdentity"]["arn"] == ARNS["alice"]
    assert (events["DescribeKey"]["errorCode"], events["DescribeKey"]["errorMessage"]) == ("AccessDenied", "no")
    assert events["EnableKey"]["errorCode"] == "KMSInternalException"


# ---- bad requests ----

@pytest.mark.parametrize("body,says", [
    (b"", "the body is no JSON"), (b"[]", "the body is a JSON object"), ({}, "exactly one of them"),
    ({"operation": "Encrypt"}, "exactly one of them"), ({"error": "ThrottlingException", "cut": True}, "exactly one of them"),
    ({"operation": "Encript", "cut": True}, "operation: is no operation of KMS"), ({"operation": 1, "cut": True}, "operation:"),
    ({"error": "Oops"}, "error: is no error code of KMS"), ({"error": 500}, "error:"), ({"count": 0, "cut": True}, "count:"),
    ({"count": 1.5, "cut": True}, "count:"), ({"percent": 0, "cut": True}, "percent:"), ({"percent": 101, "cut": True}, "percent:"),
    ({"percent": "10", "cut": True}, "percent:"), ({"delay": "soon"}, "delay:"), ({"delay": -1}, "delay:"), ({"delay": 601}, "delay:"),
    ({"cut": False}, "cut:"), ({"cut": 1}, "cut:"), ({"key": "", "cut": True}, "key:"), ({"principal": "bob", "cut": True}, "principal:"),
    ({"message": "x", "cut": True}, "message: belongs to an error"), ({"error": "TagException", "message": 1}, "message:"),
    ({"cut": True, "retries": 1}, "retries: unknown member")])
def test_bad_requests(house, body, says):
    with pytest.raises(urllib.error.HTTPError) as caught:
        ask(house, "POST", body)
    assert caught.value.code == 400 and says in json.load(caught.value)["message"]
    assert listed(house) == []


@pytest.mark.parametrize("query", ["?id=x", "?id=0", "?id=99999999999999999999"])
def test_bad_ids(house, query):
    with pytest.raises(urllib.error.HTTPError) as caught:
        ask(house, "DELETE", query=query)
    assert caught.value.code == 400
