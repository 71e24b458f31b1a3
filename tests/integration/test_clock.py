"""The virtual clock: who may move it, what hangs on it, and that ddbd goes with it."""
import datetime
import email.utils
import json
import signal
import socket
import threading
import urllib.error
import urllib.request

import pytest

from asking import PRINCIPALS, code
from conftest import START
from daemons import PATIENCE, in_threads, until
from tables import OWNED, definition, unique


def at(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


def now(house):
    return at(house.clock()["now"])


def after(seconds):
    return at(START) + datetime.timedelta(seconds=seconds)


def post(house, body, url=None):
    """(status, answer)"""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request((url or house.kmsd.url) + "/_kmsd/clock", data, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as reply:
            return reply.status, json.load(reply)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


@pytest.fixture
def here(make_house):
    """A kmsd of the test's own, its clock standing at START."""
    return make_house(ddbd=False)


def ddbd_now(dynamodb):
    """ddbd's time: that at which it makes a table."""
    table = dynamodb.create_table(**definition(unique(), SSESpecification=OWNED))["TableDescription"]
    return table["CreationDateTime"].astimezone(datetime.timezone.utc)


# ---- reading and changing ----

def test_reading(here):
    state = here.clock()
    assert state == {"virtual": True, "now": START, "nowNs": int(at(START).timestamp()) * 10**9, "scale": 0,
                     "generation": state["generation"]}
    assert here.clock() == state  # it stands still


def test_changes(here):
    generation = here.clock()["generation"]
    for change, wanted in [({"advance": 90}, after(90)), ({"advance": "5m"}, after(390)), ({"advance": 0.5}, after(390)),
                           ({"advance": "1h"}, after(3990)), ({"set": "2030-01-01T00:00:00Z"}, at("2030-01-01T00:00:00Z")),
                           ({"set": "2030-01-01T02:00:00+02:00"}, at("2030-01-01T00:00:00Z")),
                           ({"set": START, "advance": 10}, after(10)), ({"advance": 10, "set": START}, after(10)),
                           ({"set": "1970-01-01T00:00:00Z"}, at("1970-01-01T00:00:00Z")),
                           ({"set": "1999-12-31T23:59:59Z"}, at("1999-12-31T23:59:59Z")), ({"scale": 0}, at("1999-12-31T23:59:59Z")),
                           ({"advance": 0}, at("1999-12-31T23:59:59Z"))]:
        answer = here.clock(**change)
        assert at(answer["now"]) == now(here) == wanted, change
        assert answer["generation"] > generation
        generation = answer["generation"]


def test_scale(here):
    assert here.clock(scale=100_000)["scale"] == 100_000
    until(lambda: now(here) > after(3600), "an hour to pass")
    assert here.clock(scale=0.5)["scale"] == 0.5
    here.clock(scale=0)
    stopped = now(here)
    assert now(here) == stopped and here.clock(set=START)["now"] == START


@pytest.mark.parametrize("body", [
    b"", b"{", b"[]", b"null", b'"5m"', b"\xff", {}, {"now": START}, {"set": START, "more": 1}, {"set": 5}, {"set": "tomorrow"},
    {"set": "2030-13-01T00:00:00Z"}, {"set": "2030-01-01"}, {"set": "1969-12-31T23:59:59Z"}, {"set": "99999-01-01T00:00:00Z"}, {"advance": -1}, {"advance": "-5m"},
    {"advance": "5 parsecs"}, {"advance": None}, {"advance": 1e300}, {"advance": [1]}, {"scale": -1}, {"scale": "1"}, {"scale": 1e7},
    {"scale": True}, {"set": START, "advance": "x"}, {"advance": 60, "scale": -1}], ids=str)
def test_refused_changes(here, body):
    """A sentence that says what is wrong; the clock stays where it was."""
    before = here.clock()
    status, answer = post(here, body)
    assert status == 400 and len(json.dumps(answer)) > 20
    assert here.clock() == before


def test_the_end_of_time(here):
    """Beyond what the clock can show: refused as a whole."""
    before = here.clock()
    for body in ({"set": "2262-04-11T23:00:00Z", "advance": 999_999_999}, {"set": "2262-04-11T23:00:00Z", "advance": "1000d", "scale": 1}):
        status, _ = post(here, body)
        assert status in (400, 409) and here.clock() == before


def test_a_real_clock_cannot_be_moved(make_house):
    house = make_house(ddbd=False, virtual=False)
    state = house.clock()
    assert state["virtual"] is False and state["scale"] == 1
    assert abs(at(state["now"]).timestamp() - datetime.datetime.now().timestamp()) < 60
    status, answer = post(house, {"advance": 60})
    assert status == 409 and "--clock" in json.dumps(answer)


def own_address():
    """An address of this machine that others reach; None without one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing
            address = probe.getsockname()[0]
        except OSError:
            return None
    return None if address.startswith("127.") else address


def test_only_from_this_machine(make_house):
    address = own_address()
    if not address:
        pytest.skip("no address but the loopback's")
    house = make_house(ddbd=False, principals=PRINCIPALS, kmsd=["--auth=strict", f"--listen={address}:0", "--listen=127.0.0.1:0"])
    urls = [line.split()[-1] for line in house.kmsd.log_text().splitlines() if "listening on" in line]
    outer, inner = sorted(urls, key=lambda url: "127.0.0.1" in url)
    status, answer = post(house, {"advance": 60}, outer)
    assert status == 403 and answer
    with urllib.request.urlopen(outer + "/_kmsd/clock", timeout=PATIENCE) as reply:
        assert json.load(reply)["now"] == START
    assert post(house, {"advance": 60}, inner)[0] == 200


# ---- what hangs on it ----

def test_signatures_and_dates_are_real(house):
    """SDKs correct their signing clock by the Date of an answer; and signatures are judged by the real time."""
    house.clock(set="2040-01-01T00:00:00Z")
    for daemon, path in ((house.kmsd, "/_kmsd/health"), (house.ddbd, "/_ddbd/health")):
        with urllib.request.urlopen(daemon.url + path, timeout=PATIENCE) as reply:
            date = email.utils.parsedate_to_datetime(reply.headers["Date"])
        assert abs(date.timestamp() - datetime.datetime.now().timestamp()) < 60
    answer = house.kms().list_keys()
    assert "2040" not in answer["ResponseMetadata"]["HTTPHeaders"]["date"]
    assert house.kms().create_key()["KeyMetadata"]["CreationDate"].year == 2040
    house.clock(set=START)


def test_jobs_are_done_when_the_answer_comes(here):
    """Delivery, deletion: nothing has to be waited for."""
    kms = here.kms()
    for n in range(10):
        key = kms.create_key()["KeyMetadata"]["KeyId"]
        date = kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)["DeletionDate"]
        assert date.astimezone(datetime.timezone.utc) == now(here) + datetime.timedelta(days=7)
        here.clock(advance=7 * 86400 - 1)
        assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "PendingDeletion"
        here.clock(advance=1)
        assert code(kms.describe_key, KeyId=key) == "NotFoundException"
        here.clock(advance=300)
        assert [e for e in here.pick("DeleteKey") if e["resources"][0]["ARN"].endswith(key)]


def test_a_year_at_once(here):
    kms = here.kms()
    keys = [kms.create_key()["KeyMetadata"]["KeyId"] for _ in range(30)]
    for n, key in enumerate(keys[:24]):
        kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7 + n)
    here.clock(advance=366 * 86400)
    assert {k["KeyId"] for k in kms.list_keys()["Keys"]} == set(keys[24:])
    here.clock(advance=300)
    assert len(here.pick("DeleteKey")) == 24


def test_time_that_flows_by_itself(make_house):
    """Scaled: dates come and log files are delivered without anybody's doing, in both daemons."""
    house = make_house(kmsd=["--clock-scale=500000"])
    kms, dynamodb = house.kms(), house.dynamodb()
    kms.list_keys()
    until(lambda: house.pick("ListKeys"), "a delivery")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    until(lambda: gone(kms, key), "the deletion")
    assert ddbd_now(dynamodb) > after(7 * 86400)


def gone(kms, key):
    try:
        kms.describe_key(KeyId=key)
    except kms.exceptions.NotFoundException:
        return True


# ---- ddbd follows ----

def test_ddbd_is_there_when_the_answer_comes(make_house):
    house = make_house()
    dynamodb = house.dynamodb()
    assert ddbd_now(dynamodb) == at(START)
    for n in range(1, 40):
        house.clock(advance=10)
        assert ddbd_now(dynamodb) == after(10 * n)
    for time in ("2001-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "2262-04-11T00:00:00Z", START):
        house.clock(set=time)
        assert ddbd_now(dynamodb) == at(time)


def test_several_followers(make_house, tmp_path):
    """Two ddbds, one after another killed: those that live follow, those that died are not waited for."""
    house, other = make_house(), make_house(start=False)
    other.kmsd = house.kmsd
    other.ddbd_arguments.append(f"--service-credentials={house.folder}/service-credentials")
    other.start_ddbd()
    try:
        for n in range(1, 6):
            house.clock(advance=10)
            assert ddbd_now(house.dynamodb()) == ddbd_now(other.dynamodb()) == after(10 * n)
        other.ddbd.kill()
        for n in range(6, 10):
            house.clock(advance=10)
            assert ddbd_now(house.dynamodb()) == after(10 * n)
    finally:
        if other.ddbd.process.poll() is None:
            other.ddbd.kill()


def test_a_ddbd_that_stands_still_holds_nobody_up_for_long(make_house):
    """A stopped process: the change is answered all the same, and taken over when it goes on."""
    house = make_house()
    dynamodb = house.dynamodb()
    assert ddbd_now(dynamodb) == at(START)
    house.ddbd.signal(signal.SIGSTOP)
    try:
        assert house.clock(advance=100)["now"] == house.clock()["now"]
    finally:
        house.ddbd.signal(signal.SIGCONT)
    until(lambda: ddbd_now(dynamodb) == after(100), "ddbd to follow")


def test_restarts(make_house):
    """ddbd comes back to the time that is; a kmsd that starts anew begins where --clock says, and ddbd goes with it."""
    house = make_house()
    house.clock(advance=1000)
    house.ddbd.restart()
    assert ddbd_now(house.dynamodb()) == after(1000)
    house.ddbd.kill()
    house.clock(advance=1000)
    house.ddbd.start()
    assert ddbd_now(house.dynamodb()) == after(2000)
    generation = house.clock()["generation"]
    house.kmsd.restart()
    assert house.clock()["now"] == START
    assert house.clock()["generation"] > generation  # ddbd knows that it has not this one yet
    until(lambda: ddbd_now(house.dynamodb()) == at(START), "ddbd to follow")
    house.clock(advance=5)
    assert ddbd_now(house.dynamodb()) == after(5)


def test_ddbd_without_kmsd_keeps_its_time(make_house):
    house = make_house()
    house.clock(advance=500)
    house.kmsd.kill()
    assert ddbd_now(house.dynamodb()) == after(500)
    house.kmsd.start()


# ---- following by hand ----

def poll(house, query):
    try:
        with urllib.request.urlopen(f"{house.kmsd.url}/_kmsd/clock?{query}", timeout=PATIENCE) as reply:
            return reply.status, json.load(reply)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_long_poll(here):
    generation = here.clock()["generation"]
    assert poll(here, f"after={generation - 1}")[1]["generation"] == generation  # what is old is answered at once
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(poll(here, f"after={generation}&follower=f{n}"))) for n in range(8)]
    for thread in threads:
        thread.start()
    until(lambda: here.clock(advance=1) and len(answers) == 8, "the polls")
    assert all(status == 200 and state["generation"] > generation for status, state in answers)
    for thread in threads:
        thread.join()


@pytest.mark.parametrize("query", ["after=", "after=x", "after=-1", "after=99999999999999999999999", "after=1&follower=" + "x" * 200])
def test_polls_that_are_none(here, query):
    status, answer = poll(here, query)
    assert status == 400 and answer


@pytest.mark.concurrency
def test_many_change_it_at_once(make_house):
    house = make_house(kmsd=["--workers=4"])

    def work(i):
        for _ in range(10):
            house.clock(advance=1)
            house.kms().list_keys()
    in_threads(8, work)
    assert now(house) == after(80)
    assert ddbd_now(house.dynamodb()) == after(80)


@pytest.mark.concurrency
def test_it_ends_while_it_is_being_changed(make_house):
    for _ in range(5):
        house = make_house()
        stop = threading.Event()

        def change():
            while not stop.is_set():
                try:
                    house.clock(advance=30)
                except OSError:
                    return
        threads = [threading.Thread(target=change) for _ in range(4)]
        for thread in threads:
            thread.start()
        until(lambda: now(house) > after(300), "some changes")
        assert house.kmsd.terminate() == 0, house.kmsd.log_text()[-4000:]
        stop.set()
        for thread in threads:
            thread.join()
