"""Custom key stores of the type AWS_CLOUDHSM, whose clusters are simulated (--cloudhsm)."""
import json
import signal
import sqlite3
import subprocess

import pytest

from asking import PRINCIPALS, as_, code, opened, pages, refused
from conftest import VIRTUAL
from daemons import ROOT, program, until
from xks_proxy import root_certificate

CLUSTER = "cluster-2a3b4c5defg"
PASSWORD = "kmsuser's password"
CERTIFICATE, OTHER_CERTIFICATE = (root_certificate()[0].decode() for _ in range(2))


def cluster_id(n):
    return f"cluster-{'abcdefghij'[n]}a3b4c5defg"


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    with opened(tmp_path_factory.mktemp("house"), kmsd=VIRTUAL, principals=PRINCIPALS) as house:
        yield house


@pytest.fixture
def kms(house):
    return as_(house, "alice")


def make_store(kms, name="hsm", cluster=CLUSTER, certificate=CERTIFICATE, password=PASSWORD, **more):
    return kms.create_custom_key_store(CustomKeyStoreName=name, CloudHsmClusterId=cluster, TrustAnchorCertificate=certificate,
                                       KeyStorePassword=password, **more)["CustomKeyStoreId"]


def entry(kms, store):
    (found,) = kms.describe_custom_key_stores(CustomKeyStoreId=store)["CustomKeyStores"]
    return found


def connect(kms, store):
    kms.connect_custom_key_store(CustomKeyStoreId=store)
    return until(lambda: entry(kms, store)["ConnectionState"] != "CONNECTING" and entry(kms, store), "the connection")


def disconnect(kms, store):
    kms.disconnect_custom_key_store(CustomKeyStoreId=store)
    assert entry(kms, store)["ConnectionState"] == "DISCONNECTED"


def make_key(kms, store):
    return kms.create_key(Origin="AWS_CLOUDHSM", CustomKeyStoreId=store)["KeyMetadata"]


@pytest.fixture(scope="module")
def store(house):
    kms = as_(house, "alice")
    made = make_store(kms)
    assert connect(kms, made)["ConnectionState"] == "CONNECTED"
    return made


def test_what_is_created_is_described(kms, store):
    found = entry(kms, store)
    found.pop("CreationDate")
    assert found == {"CustomKeyStoreId": store, "CustomKeyStoreName": "hsm", "CloudHsmClusterId": CLUSTER,
                     "TrustAnchorCertificate": CERTIFICATE, "ConnectionState": "CONNECTED", "CustomKeyStoreType": "AWS_CLOUDHSM"}
    assert kms.describe_custom_key_stores(CustomKeyStoreName="hsm")["CustomKeyStores"] == [entry(kms, store)]


def test_what_a_store_needs(kms):
    for left_out in ({"CloudHsmClusterId": CLUSTER}, {"TrustAnchorCertificate": CERTIFICATE}, {"KeyStorePassword": PASSWORD}):
        terms = {"CloudHsmClusterId": CLUSTER, "TrustAnchorCertificate": CERTIFICATE, "KeyStorePassword": PASSWORD}
        (name,) = left_out
        terms.pop(name)
        answer, message = refused(kms.create_custom_key_store, CustomKeyStoreName="needs", **terms)
        assert answer == "ValidationException" and message.startswith(name)
    assert code(make_store, kms, "needs", XksProxyUriPath="/kms/xks/v1") == "ValidationException"


def test_bounds(house):
    kms = as_(house, "alice", parameter_validation=False)
    for more, member in (({"cluster": "cluster-1a23b4cdef0"}, "cloudHsmClusterId"), ({"password": "short"}, "keyStorePassword"),
                         ({"certificate": ""}, "trustAnchorCertificate"), ({"name": "n" * 257}, "customKeyStoreName"),
                         ({"CustomKeyStoreType": "OTHER"}, "customKeyStoreType")):
        answer, message = refused(make_store, kms, **{"name": "bounds", **more})
        assert answer == "ValidationException" and f"at '{member}' failed to satisfy constraint" in message
    _, message = refused(make_store, kms, name="bounds", password="short")
    assert message.startswith("1 validation error detected: Value at 'keyStorePassword' failed"), "secrets are not quoted"
    assert code(kms.describe_custom_key_stores, CustomKeyStoreId="a", CustomKeyStoreName="b") == "ValidationException"
    _, message = refused(kms.connect_custom_key_store)
    assert message == ("1 validation error detected: Value null at 'customKeyStoreId' failed to satisfy constraint: Member must not "
                       "be null")


def test_names_and_clusters_are_taken_once(kms, store):
    assert code(make_store, kms, cluster=cluster_id(1), certificate=OTHER_CERTIFICATE) == "CustomKeyStoreNameInUseException"
    assert code(make_store, kms, "another", certificate=OTHER_CERTIFICATE) == "CloudHsmClusterInUseException"
    assert code(make_store, kms, "another", cluster=cluster_id(1)) == "CloudHsmClusterInUseException"  # the same backup
    assert code(make_store, kms, "another", cluster_id(1), "no certificate") == "IncorrectTrustAnchorException"


def test_stores_of_others(house, kms, store):
    dave = as_(house, "dave")
    assert dave.describe_custom_key_stores()["CustomKeyStores"] == []
    for call in (dave.connect_custom_key_store, dave.disconnect_custom_key_store, dave.delete_custom_key_store,
                 dave.update_custom_key_store, dave.describe_custom_key_stores):
        assert code(call, CustomKeyStoreId=store) == "CustomKeyStoreNotFoundException"
    assert code(as_(house, "bob").describe_custom_key_stores) == "AccessDeniedException"


def test_pages_and_the_quota(make_house):
    house = make_house(ddbd=False)
    kms = house.kms()
    made = [make_store(kms, f"store {i}", cluster_id(i), root_certificate()[0].decode()) for i in range(10)]
    assert code(make_store, kms, "one more") == "LimitExceededException"
    for limit in (1, 3, 10):
        found = pages(kms.describe_custom_key_stores, "CustomKeyStores", Limit=limit)
        assert [s["CustomKeyStoreId"] for s in found] == sorted(made)
    assert len(kms.describe_custom_key_stores()["CustomKeyStores"]) == 10
    assert code(kms.describe_custom_key_stores, Marker="forged") == "InvalidMarkerException"
    kms.delete_custom_key_store(CustomKeyStoreId=made[3])
    assert code(kms.describe_custom_key_stores, CustomKeyStoreName="store 3") == "CustomKeyStoreNotFoundException"


# ---- keys ----

def test_a_key(kms, store):
    made = make_key(kms, store)
    assert {n: made.get(n) for n in ("Origin", "CustomKeyStoreId", "CloudHsmClusterId", "KeyState", "CurrentKeyMaterialId")} == {
        "Origin": "AWS_CLOUDHSM", "CustomKeyStoreId": store, "CloudHsmClusterId": CLUSTER, "KeyState": "Enabled",
        "CurrentKeyMaterialId": None}
    context = {"Department": "Development"}
    blob = kms.encrypt(KeyId=made["KeyId"], Plaintext=b"x", EncryptionContext=context)["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=blob, EncryptionContext=context)["Plaintext"] == b"x"
    assert code(kms.decrypt, CiphertextBlob=blob) == "InvalidCiphertextException"
    data_key = kms.generate_data_key(KeyId=made["KeyId"], KeySpec="AES_256")
    plain = kms.create_key()["KeyMetadata"]["KeyId"]
    moved = kms.re_encrypt(CiphertextBlob=data_key["CiphertextBlob"], DestinationKeyId=plain)["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=moved)["Plaintext"] == data_key["Plaintext"]


def test_keys_that_cannot_be_created(kms, store):
    in_store = {"Origin": "AWS_CLOUDHSM", "CustomKeyStoreId": store}
    assert code(kms.create_key, **in_store, KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY") == "UnsupportedOperationException"
    assert code(kms.create_key, **in_store, MultiRegion=True) == "UnsupportedOperationException"
    assert code(kms.create_key, **in_store, XksKeyId="x") == "ValidationException"
    assert code(kms.create_key, **{**in_store, "Origin": "EXTERNAL_KEY_STORE"}, XksKeyId="x") == "ValidationException"
    assert code(kms.create_key, CustomKeyStoreId=store) == "ValidationException"
    assert code(kms.create_key, Origin="AWS_CLOUDHSM") == "ValidationException"
    assert code(kms.create_key, Origin="AWS_CLOUDHSM", CustomKeyStoreId="cks-none") == "CustomKeyStoreNotFoundException"


def test_random_bytes_of_a_cluster(kms, store):
    assert len(kms.generate_random(NumberOfBytes=33, CustomKeyStoreId=store)["Plaintext"]) == 33
    assert code(kms.generate_random, NumberOfBytes=33, CustomKeyStoreId="cks-none") == "CustomKeyStoreNotFoundException"


def test_a_store_that_is_not_connected(house, kms):
    made = make_store(kms, "apart", cluster_id(2), OTHER_CERTIFICATE)
    assert code(make_key, kms, made) == "CustomKeyStoreInvalidStateException"
    assert code(kms.generate_random, NumberOfBytes=1, CustomKeyStoreId=made) == "CustomKeyStoreInvalidStateException"
    assert code(kms.disconnect_custom_key_store, CustomKeyStoreId=made) == "CustomKeyStoreInvalidStateException"
    connect(kms, made)
    key = make_key(kms, made)
    blob = kms.encrypt(KeyId=key["KeyId"], Plaintext=b"x")["CiphertextBlob"]
    assert code(kms.delete_custom_key_store, CustomKeyStoreId=made) == "CustomKeyStoreHasCMKsException"
    disconnect(kms, made)
    assert kms.describe_key(KeyId=key["KeyId"])["KeyMetadata"]["KeyState"] == "Unavailable"
    assert refused(kms.decrypt, CiphertextBlob=blob) == ("KMSInvalidStateException", f"{key['Arn']} is unavailable.")
    kms.update_custom_key_store(CustomKeyStoreId=made, CloudHsmClusterId=cluster_id(3))  # made of a backup
    connect(kms, made)
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
    assert kms.describe_key(KeyId=key["KeyId"])["KeyMetadata"]["CloudHsmClusterId"] == cluster_id(3)
    for more in ({"CloudHsmClusterId": cluster_id(2)}, {"KeyStorePassword": PASSWORD}):
        assert code(kms.update_custom_key_store, CustomKeyStoreId=made, **more) == "CustomKeyStoreInvalidStateException"
    kms.update_custom_key_store(CustomKeyStoreId=made, NewCustomKeyStoreName="apart no more")
    assert code(kms.update_custom_key_store, CustomKeyStoreId=made, NewCustomKeyStoreName="hsm") == "CustomKeyStoreNameInUseException"
    kms.schedule_key_deletion(KeyId=key["KeyId"], PendingWindowInDays=7)
    house.kmsd.post("/_kmsd/clock", {"advance": 8 * 86400})
    disconnect(kms, made)
    kms.delete_custom_key_store(CustomKeyStoreId=made)
    assert code(kms.describe_custom_key_stores, CustomKeyStoreId=made) == "CustomKeyStoreNotFoundException"


def test_connecting_takes_its_time_on_the_clock(make_house):
    house = make_house(ddbd=False, kmsd=["--key-store-delay=20m"])
    kms = house.kms()
    made = make_store(kms)
    kms.connect_custom_key_store(CustomKeyStoreId=made)
    kms.connect_custom_key_store(CustomKeyStoreId=made)
    house.kmsd.post("/_kmsd/clock", {"advance": 19 * 60})
    assert entry(kms, made)["ConnectionState"] == "CONNECTING"
    house.kmsd.kill()  # what was begun goes on after a restart
    house.kmsd.start()
    kms = house.kms()
    house.kmsd.post("/_kmsd/clock", {"advance": 20 * 60})
    assert entry(kms, made)["ConnectionState"] == "CONNECTED"
    kms.disconnect_custom_key_store(CustomKeyStoreId=made)
    assert entry(kms, made)["ConnectionState"] == "DISCONNECTING"
    for call in (kms.connect_custom_key_store, kms.disconnect_custom_key_store, kms.delete_custom_key_store):
        assert code(call, CustomKeyStoreId=made) == "CustomKeyStoreInvalidStateException"
    house.kmsd.post("/_kmsd/clock", {"advance": 20 * 60})
    assert entry(kms, made)["ConnectionState"] == "DISCONNECTED"


# ---- clusters of a file ----

def write_clusters(path, **changes):
    one = {"clusterId": CLUSTER, "trustAnchorCertificate": CERTIFICATE, "kmsuserPassword": PASSWORD, **changes}
    others = [{"clusterId": cluster_id(1), "trustAnchorCertificate": CERTIFICATE},
              {"clusterId": cluster_id(2), "trustAnchorCertificate": OTHER_CERTIFICATE}]
    path.write_text(json.dumps({"clusters": [one, *others]}))


@pytest.fixture
def clusters(make_house, tmp_path):
    """(a client, a function that changes the cluster)."""
    path = tmp_path / "clusters.json"
    write_clusters(path)
    house = make_house(ddbd=False, principals=PRINCIPALS, kmsd=[f"--cloudhsm={path}"])

    def change(**changes):
        write_clusters(path, **changes)
        before = house.kmsd.log_text().count("clusters read again")
        house.kmsd.signal(signal.SIGHUP)
        until(lambda: house.kmsd.log_text().count("clusters read again") > before, "the file to be read again")
    return as_(house, "alice"), change


def test_clusters_that_do_not_fit(clusters):
    kms, change = clusters
    assert code(make_store, kms, cluster="cluster-zzzzzzzzzzz") == "CloudHsmClusterNotFoundException"
    assert code(make_store, kms, certificate=OTHER_CERTIFICATE) == "IncorrectTrustAnchorException"
    change(active=False)
    assert code(make_store, kms) == "CloudHsmClusterNotActiveException"
    change(hsms=1)
    assert code(make_store, kms) == "CloudHsmClusterInvalidConfigurationException"
    change()
    made = make_store(kms)
    assert code(kms.update_custom_key_store, CustomKeyStoreId=made, CloudHsmClusterId=cluster_id(2)) == "CloudHsmClusterNotRelatedException"
    assert code(kms.update_custom_key_store, CustomKeyStoreId=made, CloudHsmClusterId="cluster-zzzzzzzzzzz") \
        == "CloudHsmClusterNotFoundException"
    kms.update_custom_key_store(CustomKeyStoreId=made, CloudHsmClusterId=cluster_id(1))
    kms.update_custom_key_store(CustomKeyStoreId=made, CloudHsmClusterId=CLUSTER)
    change(active=False)
    assert code(kms.connect_custom_key_store, CustomKeyStoreId=made) == "CloudHsmClusterNotActiveException"
    change(hsms=1)
    connect(kms, made)
    assert code(make_key, kms, made) == "CloudHsmClusterInvalidConfigurationException"


@pytest.mark.parametrize("error", ["USER_LOCKED_OUT", "USER_NOT_FOUND", "USER_LOGGED_IN", "SUBNET_NOT_FOUND", "NETWORK_ERRORS",
                                   "INSUFFICIENT_FREE_ADDRESSES_IN_SUBNET", "INTERNAL_ERROR"])
def test_connections_that_are_to_fail(clusters, error):
    kms, change = clusters
    made = make_store(kms)
    change(connectionError=error)
    assert connect(kms, made)["ConnectionErrorCode"] == error


def test_connections_that_fail(clusters):
    kms, change = clusters
    made = make_store(kms, password="a wrong password")
    found = connect(kms, made)
    assert (found["ConnectionState"], found["ConnectionErrorCode"]) == ("FAILED", "INVALID_CREDENTIALS")
    disconnect(kms, made)
    kms.update_custom_key_store(CustomKeyStoreId=made, KeyStorePassword=PASSWORD)
    assert connect(kms, made)["ConnectionState"] == "CONNECTED"
    disconnect(kms, made)
    change(hsms=0)
    assert connect(kms, made)["ConnectionErrorCode"] == "INSUFFICIENT_CLOUDHSM_HSMS"
    disconnect(kms, made)
    change(clusterId="cluster-zzzzzzzzzzz")
    assert connect(kms, made)["ConnectionErrorCode"] == "CLUSTER_NOT_FOUND"


def test_the_example_works(make_house):
    example = ROOT / "config/cloudhsm.json"
    certificate = json.loads(example.read_text())["clusters"][0]["trustAnchorCertificate"]
    kms = make_house(ddbd=False, kmsd=[f"--cloudhsm={example}"]).kms()
    made = make_store(kms, certificate=certificate, password="kmsPswd")
    assert connect(kms, made)["ConnectionState"] == "CONNECTED"


@pytest.mark.parametrize("file,reason", [("{", "clusters.json"), ("{}", "clusters must be a list"),
                                         ('{"clusters": [{}]}', "clusters[0]: clusterId is missing or wrong"),
                                         ('{"clusters": [{"clusterId": "c", "hsms": "two"}]}', "clusters[0]: hsms"),
                                         ('{"clusters": [{"clusterId": "c", "connectionError": "X"}]}', "connectionError")])
def test_files_that_cannot_be_used(tmp_path, file, reason):
    path = tmp_path / "clusters.json"
    path.write_text(file)
    ended = subprocess.run([program("kmsd"), f"--state-dir={tmp_path}/state", "--listen=127.0.0.1:0", f"--cloudhsm={path}"],
                           capture_output=True, text=True)
    assert ended.returncode == 1 and reason in ended.stderr


# ---- the trail, the state ----

def test_what_the_trail_tells(make_house):
    house = make_house(ddbd=False, principals=PRINCIPALS)
    kms = as_(house, "alice")
    made = make_store(kms)
    connect(kms, made)
    key = make_key(kms, made)
    kms.decrypt(CiphertextBlob=kms.encrypt(KeyId=key["KeyId"], Plaintext=b"x")["CiphertextBlob"])
    kms.schedule_key_deletion(KeyId=key["KeyId"], PendingWindowInDays=7)
    kms.schedule_key_deletion(KeyId=make_key(kms, made)["KeyId"], PendingWindowInDays=30)
    kms.update_custom_key_store(CustomKeyStoreId=made, NewCustomKeyStoreName="renamed")
    house.kmsd.post("/_kmsd/clock", {"advance": 8 * 86400})
    disconnect(kms, made)
    house.kmsd.post("/_kmsd/clock", {"advance": 30 * 86400})
    kms.delete_custom_key_store(CustomKeyStoreId=made)

    def told(event):
        return house.trail(eventName=event)[0]
    create = told("CreateCustomKeyStore")
    assert create["requestParameters"] == {"customKeyStoreName": "hsm", "clusterId": CLUSTER}
    assert create["responseElements"] == {"customKeyStoreId": made}
    for event, name in (("ConnectCustomKeyStore", "hsm"), ("UpdateCustomKeyStore", "renamed"), ("DisconnectCustomKeyStore", "renamed"),
                        ("DeleteCustomKeyStore", "renamed")):
        found = told(event)
        assert found["additionalEventData"] == {"customKeyStoreName": name, "clusterId": CLUSTER}
        assert found["responseElements"] is None and "resources" not in found and found["readOnly"] is False
    assert told("UpdateCustomKeyStore")["requestParameters"] == {"customKeyStoreId": made, "newCustomKeyStoreName": "renamed"}
    assert told("Decrypt")["additionalEventData"] == told("Encrypt")["additionalEventData"] == {"customKeyStoreId": made}
    backing = json.loads(told("CreateKey")["additionalEventData"]["backingKey"])
    assert told("CreateKey")["responseElements"]["keyMetadata"]["cloudHsmClusterId"] == CLUSTER
    assert told("ScheduleKeyDeletion")["additionalEventData"] == {
        "customKeyStoreId": made, "clusterId": CLUSTER, "backingKeys": json.dumps([backing], separators=(",", ":"))}
    deleted, of_no_cluster = (e["additionalEventData"] for e in house.trail("DeleteKey"))
    assert json.loads(deleted["backingKeysDeletionStatus"]) == [{**backing, "deletionStatus": "SUCCESS"}]
    assert json.loads(deleted["backingKeys"]) == [backing]
    (left,) = json.loads(of_no_cluster["backingKeysDeletionStatus"])
    assert left["deletionStatus"] == "FAILURE", "AWS leaves orphaned key material in a cluster that it cannot reach"
    assert PASSWORD not in json.dumps(house.trail()) and "BEGIN CERTIFICATE" not in json.dumps(house.trail())


def test_state_survives_a_restart_and_holds_no_secret(make_house):
    house = make_house(ddbd=False)
    kms = house.kms()
    made = make_store(kms)
    connect(kms, made)
    key, gone = (make_key(kms, made)["KeyId"] for _ in range(2))
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    kms.schedule_key_deletion(KeyId=gone, PendingWindowInDays=7)
    house.kmsd.post("/_kmsd/clock", {"advance": 8 * 86400})
    before = entry(kms, made)
    house.kmsd.restart()
    kms = house.kms()
    assert entry(kms, made) == before
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
    assert house.kmsd.terminate() == 0
    (database,) = [f for f in (house.folder / "kmsd" / "state").iterdir() if f.is_file() and f.read_bytes()[:6] == b"SQLite"]
    with sqlite3.connect(database) as db:
        assert db.execute("SELECT count(*) FROM cloudhsm_keys").fetchone() == (1,)
    assert PASSWORD.encode() not in database.read_bytes() and PASSWORD not in house.kmsd.log_text()


def test_a_reset_takes_stores_and_their_keys(make_house):
    house = make_house(ddbd=False, kmsd=["--test-control"])
    kms = house.kms()
    made = make_store(kms)
    connect(kms, made)
    make_key(kms, made)
    house.kmsd.post("/_kmsd/reset", {})
    assert kms.describe_custom_key_stores()["CustomKeyStores"] == [] and kms.list_keys()["Keys"] == []
    house.kmsd.restart()
    kms = house.kms()
    assert kms.describe_custom_key_stores()["CustomKeyStores"] == []
    assert connect(kms, make_store(kms))["ConnectionState"] == "CONNECTED"
