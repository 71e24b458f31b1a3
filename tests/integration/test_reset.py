"""POST /_kmsd/reset: back to the seed, and what goes on."""
import http.client
import json
import socket
import urllib.error
import urllib.request

import pytest

from asking import PRINCIPALS, refused
from conftest import START
from daemons import in_threads, until
from tables import customer, get, make_table, put

KEY = "11111111-2222-4333-8444-555555555555"
MATERIAL = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
GRANT = {"GranteePrincipal": "arn:aws:iam::111122223333:user/bob", "Operations": ["Encrypt"], "Name": "g"}
SEED = {"Keys": [
    {"KeyId": KEY, "Material": MATERIAL, "Aliases": ["alias/app"], "Description": "seed", "Grants": [GRANT],
     "Tags": [{"TagKey": "a", "TagValue": "b"}]},
    {"KeyId": "22222222-2222-4333-8444-555555555555"}]}  # without Material


@pytest.fixture
def seeded(make_house, tmp_path):
    def make(seed=SEED, *flags, **more):
        (tmp_path / "seed.json").write_text(json.dumps(seed))
        return make_house(kmsd=["--test-control", f"--seed-file={tmp_path}/seed.json", *flags], **{"ddbd": False, **more})
    return make


def view(kms):
    """All that can be seen of the keys, but for dates."""
    keys = []
    for entry in kms.list_keys()["Keys"]:
        data = kms.describe_key(KeyId=entry["KeyId"])["KeyMetadata"]
        data.pop("CreationDate")
        grants = [{k: g[k] for k in ("GranteePrincipal", "Operations", "Name")} for g in
                  kms.list_grants(KeyId=entry["KeyId"])["Grants"]]
        keys.append((data, grants, kms.list_resource_tags(KeyId=entry["KeyId"])["Tags"],
                     kms.get_key_policy(KeyId=entry["KeyId"])["Policy"]))
    aliases = [(a["AliasName"], a["TargetKeyId"]) for a in kms.list_aliases()["Aliases"] if "TargetKeyId" in a]
    return keys, aliases


def change(kms):
    """Something of everything; returns ciphertexts of the seed's keys and of a new one."""
    blobs = [kms.encrypt(KeyId=k["KeyId"], Plaintext=b"x")["CiphertextBlob"] for k in kms.list_keys()["Keys"]]
    new = kms.create_key()["KeyMetadata"]["KeyId"]
    blobs.append(kms.encrypt(KeyId=new, Plaintext=b"x")["CiphertextBlob"])
    kms.update_alias(AliasName="alias/app", TargetKeyId=new)
    kms.create_alias(AliasName="alias/new", TargetKeyId=KEY)
    kms.update_key_description(KeyId=KEY, Description="mine")
    kms.tag_resource(KeyId=KEY, Tags=[{"TagKey": "x", "TagValue": "y"}])
    kms.create_grant(KeyId=KEY, GranteePrincipal="arn:aws:iam::111122223333:user/carol", Operations=["Decrypt"])
    kms.revoke_grant(KeyId=KEY, GrantId=next(g["GrantId"] for g in kms.list_grants(KeyId=KEY)["Grants"] if g.get("Name")))
    kms.disable_key(KeyId=KEY)
    kms.schedule_key_deletion(KeyId=KEY, PendingWindowInDays=7)
    return blobs


def test_back_to_the_seed(seeded):
    house = seeded()
    kms = house.kms()
    before = view(kms)
    blobs = change(kms)
    house.clock(advance=8 * 86400)  # the key is deleted
    assert view(kms) != before
    assert house.kmsd.post("/_kmsd/reset", {}) == {"keys": 2, "aliases": 1, "grants": 1}
    assert view(kms) == before
    assert [kms.decrypt(CiphertextBlob=blob)["Plaintext"] for blob in blobs[:2]] == [b"x", b"x"]
    assert refused(kms.decrypt, CiphertextBlob=blobs[2])[0] == "InvalidCiphertextException"
    # It holds across a restart.
    house.kmsd.restart()
    assert view(house.kms()) == before
    assert house.kms().decrypt(CiphertextBlob=blobs[0])["Plaintext"] == b"x"


def test_it_survives_kill_and_works_in_memory(seeded):
    house = seeded()
    before = view(house.kms())
    change(house.kms())
    house.kmsd.post("/_kmsd/reset", {})
    house.kmsd.kill()
    house.kmsd.start()
    assert view(house.kms()) == before


def test_in_memory_and_without_a_seed(make_house):
    house = make_house(ddbd=False, start=False, kmsd=["--test-control"])
    house.kmsd.arguments = [a for a in house.kmsd.arguments if not a.startswith("--state-dir")]
    house.kmsd.arguments += ["--state-dir=:memory:", f"--trail-dir={house.folder}/trail"]
    house.kmsd.start()
    house.kms().create_alias(AliasName="alias/a", TargetKeyId=house.kms().create_key()["KeyMetadata"]["KeyId"])
    assert house.kmsd.post("/_kmsd/reset", {}) == {"keys": 0, "aliases": 0, "grants": 0}
    assert view(house.kms()) == ([], [])


def test_trail_and_clock_go_on(seeded):
    house = seeded()
    house.kms().disable_key(KeyId=KEY)
    house.clock(advance=60)
    now = house.clock()["now"]
    house.kmsd.post("/_kmsd/reset", {})
    assert house.clock()["now"] == now
    created = house.kms().describe_key(KeyId=KEY)["KeyMetadata"]["CreationDate"]
    assert created.strftime("%Y-%m-%dT%H:%M:%SZ") == START
    assert [e["eventName"] for e in house.trail()] == ["DisableKey", "DescribeKey"]


def test_the_change_feed_is_told(seeded):
    house = seeded(ddbd=True, ddbd_args=["--key-cache=strict"])
    dynamodb = house.dynamodb()
    table = make_table(dynamodb, sse=customer(house.kms().create_key()["KeyMetadata"]["KeyId"]))
    put(dynamodb, table, "a")

    def key_is_lost():
        try:
            get(dynamodb, table, "a")
        except dynamodb.exceptions.ClientError:
            return True
    assert not key_is_lost()
    house.kmsd.post("/_kmsd/reset", {})
    until(key_is_lost, "the table key to be dropped")


@pytest.mark.concurrency
def test_under_load(seeded):
    house = seeded(SEED, "--workers=2")
    kms = house.kms()
    kms.describe_key(KeyId=KEY)

    def work(i):
        for n in range(30):
            if i == 0:
                house.kmsd.post("/_kmsd/faults", {"operation": "CreateAlias", "percent": 50, "delay": "2ms"})
                house.kmsd.post("/_kmsd/reset", {})
            else:
                key = kms.create_key()["KeyMetadata"]["KeyId"]
                kms.encrypt(KeyId=KEY, Plaintext=b"x")
                try:
                    kms.create_alias(AliasName=f"alias/{i}-{n}", TargetKeyId=key)
                except kms.exceptions.NotFoundException:
                    pass
    in_threads(3, work)
    assert house.kmsd.post("/_kmsd/reset", {}) == {"keys": 2, "aliases": 1, "grants": 1}
    assert len(house.trail("CreateKey")) == 60


def status(house, path="/_kmsd/reset", body=b"{}", method="POST"):
    request = urllib.request.Request(house.kmsd.url + path, body, {"Content-Type": "application/json"}, method=method)
    try:
        with urllib.request.urlopen(request) as reply:
            return reply.status, json.load(reply)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def test_only_with_test_control(house):
    assert status(house) == (404, {"message": "no such endpoint"})
    assert status(house, "/_kmsd/faults")[0] == status(house, "/_kmsd/faults", None, "GET")[0] == 404


def own_address():
    """An address of this machine by which other machines reach it; skips where there is none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        try:
            s.connect(("192.0.2.1", 9))  # sends nothing
        except OSError:
            pytest.skip("no network")
        return s.getsockname()[0]


def test_only_from_this_machine(make_house):
    house = make_house(ddbd=False, kmsd=["--test-control", "--auth=strict", "--listen=0.0.0.0:0"], principals=PRINCIPALS)
    for method, path in (("POST", "reset"), ("GET", "faults"), ("POST", "faults"), ("DELETE", "faults")):
        connection = http.client.HTTPConnection(own_address(), house.kmsd.port)
        connection.request(method, f"/_kmsd/{path}", b"{}")
        reply = connection.getresponse()
        assert (reply.status, json.load(reply)) == (403, {"message": "only from this machine"})


def test_not_from_web_pages(make_house):
    """A browser of this machine sends what any page asks it to send, as long as it needs no header of its own."""
    house = make_house(ddbd=False, kmsd=["--test-control"])
    key = house.kms().create_key()["KeyMetadata"]["KeyId"]
    for method, path in (("POST", "reset"), ("POST", "clock"), ("GET", "faults"), ("POST", "faults"), ("DELETE", "faults")):
        connection = house.kmsd.connection()
        connection.request(method, f"/_kmsd/{path}", b"{}", {"Origin": "https://example.com", "Content-Type": "text/plain"})
        reply = connection.getresponse()
        assert (reply.status, json.load(reply)) == (403, {"message": "not from web pages"})
    assert house.kms().describe_key(KeyId=key)["KeyMetadata"]["Enabled"]


def test_bad_requests(seeded):
    house = seeded()
    for body in (b"[]", b"{", b'{"keys": 1}'):
        assert status(house, body=body)[0] == 400
    assert status(house, method="GET", body=None)[0] == 405


def test_many_keys_time_and_again(seeded):
    seed = {"Keys": [{"KeyId": f"{i:08x}-2222-4333-8444-555555555555", "Material": f"{i:064x}",
                      "Aliases": [f"alias/{i}"]} for i in range(1000)]}
    house = seeded(seed)
    kms, connection = house.kms(), house.kmsd.connection()
    for _ in range(30):
        kms.disable_key(KeyId=seed["Keys"][1]["KeyId"])
        kms.create_key()
        connection.request("POST", "/_kmsd/reset")
        assert json.load(connection.getresponse()) == {"keys": 1000, "aliases": 1000, "grants": 0}
