"""Custom key stores of the type EXTERNAL_KEY_STORE, against a proxy that is really called (xks_proxy.py)."""
import base64
import json
import subprocess
import threading

import pytest

from asking import PRINCIPALS, as_, code, opened, refused
from conftest import VIRTUAL
from daemons import ACCOUNT, program, until
from xks_proxy import CREDENTIAL, ENDPOINT, NAME, PATH, SECOND_PATH, running

REJECTED = "The external key store proxy rejected the request because "
REPORT = "If you see this error repeatedly, report it to your external key store proxy administrator."
NOT_UNDERSTOOD = f"AWS KMS cannot interpret the response from the external key store proxy. {REPORT}"
CUT_OFF = ("This KMS key is in a custom key store that is not connected to its external key store proxy. Connect the external "
           "key store and try the request again.")
TERMS = {"CustomKeyStoreType": "EXTERNAL_KEY_STORE", "XksProxyConnectivity": "PUBLIC_ENDPOINT",
         "XksProxyUriEndpoint": ENDPOINT, "XksProxyUriPath": PATH, "XksProxyAuthenticationCredential": CREDENTIAL}
VPC = {"XksProxyConnectivity": "VPC_ENDPOINT_SERVICE",
       "XksProxyVpcEndpointServiceName": "com.amazonaws.vpce.us-east-1.vpce-svc-0123456789abcdef0"}
CONTEXT = {"Department": "Engineering", "Purpose": "Test"}


@pytest.fixture(scope="module")
def proxy(tmp_path_factory):
    with running(tmp_path_factory.mktemp("proxy")) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def house(tmp_path_factory, proxy):
    with opened(tmp_path_factory.mktemp("house"), kmsd=[*VIRTUAL, *proxy.flags()], principals=PRINCIPALS) as house:
        yield house


@pytest.fixture
def kms(house):
    return as_(house, "alice")


@pytest.fixture(autouse=True)
def faultless(proxy):
    yield
    proxy.faults.clear()
    proxy.asked.clear()
    proxy.credential = dict(CREDENTIAL)
    proxy.status = ["ACTIVE", "UNAVAILABLE"]


def entry(kms, store):
    (found,) = kms.describe_custom_key_stores(CustomKeyStoreId=store)["CustomKeyStores"]
    return found


def settled(kms, store):
    """The store's entry when nothing is under way any more."""
    def look():
        found = entry(kms, store)
        return found["ConnectionState"] not in ("CONNECTING", "DISCONNECTING") and found
    return until(look, "the connection to settle")


def connect(kms, store):
    kms.connect_custom_key_store(CustomKeyStoreId=store)
    return settled(kms, store)


def make_store(kms, name, **terms):
    return kms.create_custom_key_store(CustomKeyStoreName=name, **{**TERMS, **terms})["CustomKeyStoreId"]


def make_key(kms, store, proxy, name, **more):
    proxy.add_key(name, **more)
    return kms.create_key(Origin="EXTERNAL_KEY_STORE", CustomKeyStoreId=store, XksKeyId=name)["KeyMetadata"]


@pytest.fixture(scope="module")
def store(house):
    """One that is connected."""
    kms = as_(house, "alice")
    made = make_store(kms, "external")
    assert connect(kms, made)["ConnectionState"] == "CONNECTED"
    return made


@pytest.fixture
def second(kms):
    """Another one, for one test."""
    made = make_store(kms, "second", XksProxyUriPath=SECOND_PATH)
    yield made
    if settled(kms, made)["ConnectionState"] != "DISCONNECTED":
        kms.disconnect_custom_key_store(CustomKeyStoreId=made)
    kms.delete_custom_key_store(CustomKeyStoreId=made)


@pytest.fixture(scope="module")
def key(house, store, proxy):
    return make_key(as_(house, "alice"), store, proxy, "key-1.of_tests")


# ---- key stores ----

def test_what_is_created_is_described(kms, store):
    found = entry(kms, store)
    assert found.pop("CreationDate").isoformat() == "2026-05-20T20:45:00+00:00"
    assert found == {
        "CustomKeyStoreId": store, "CustomKeyStoreName": "external", "ConnectionState": "CONNECTED",
        "CustomKeyStoreType": "EXTERNAL_KEY_STORE",
        "XksProxyConfiguration": {"Connectivity": "PUBLIC_ENDPOINT", "AccessKeyId": CREDENTIAL["AccessKeyId"],
                                  "UriEndpoint": ENDPOINT, "UriPath": PATH}}
    assert len(store) == 21 and store.startswith("cks-")


def test_the_proxy_is_asked_for_its_health(kms, proxy, second):
    created = proxy.asked[-1]
    assert created["path"] == f"{SECOND_PATH}/health"
    assert set(created["body"]) == {"requestMetadata"}
    assert created["body"]["requestMetadata"]["kmsOperation"] == "CreateCustomKeyStore"
    proxy.asked.clear()
    assert connect(kms, second)["ConnectionState"] == "CONNECTED"
    (asked,) = proxy.asked
    assert asked["body"]["requestMetadata"]["kmsOperation"] == "ConnectCustomKeyStore"
    kms.connect_custom_key_store(CustomKeyStoreId=second)  # is connected, and stays so
    assert entry(kms, second)["ConnectionState"] == "CONNECTED" and len(proxy.asked) == 1


FAULTS = [
    ("AuthenticationFailedException", "XksProxyIncorrectAuthenticationCredentialException", REJECTED + (
        "it could not authenticate AWS KMS. Verify the credentials for your external key store and update if necessary.")),
    ("InvalidUriPathException", "XksProxyInvalidConfigurationException", REJECTED + (
        "of an invalid URI path. Verify the URI path for your external key store and update if necessary.")),
    ("ThrottlingException", "XksProxyUriUnreachableException", (
        "The external key store proxy rejected the request due to a very high request rate. Reduce the frequency of your calls "
        "using KMS keys in this external key store.")),
    ("DependencyTimeoutException", "XksProxyUriUnreachableException", (
        f"The external key store proxy did not respond to the request in the time allotted. Retry the request. {REPORT}")),
    ("InternalException", "XksProxyInvalidResponseException", REJECTED + (
        "it cannot communicate with the external key manager. Verify that the external key store proxy configuration is correct "
        "and that the external key manager is available.")),
    (lambda h: h.reply(200, b"{not json"), "XksProxyInvalidResponseException", NOT_UNDERSTOOD),
    (lambda h: h.reply(200, {"xksProxyFleetSize": 1}), "XksProxyInvalidResponseException", NOT_UNDERSTOOD),
    (lambda h: h.reply(500, b"<html>"), "XksProxyInvalidResponseException", NOT_UNDERSTOOD),
    (lambda h: h.reply(400, {"errorName": "NoSuchName"}), "XksProxyInvalidResponseException", NOT_UNDERSTOOD),
    (lambda h: h.reply(200, b"x" * 100_000), "XksProxyInvalidResponseException", NOT_UNDERSTOOD),
]


@pytest.mark.parametrize("fault,answer,message", FAULTS, ids=[f[0] if isinstance(f[0], str) else f"malformed{i}"
                                                              for i, f in enumerate(FAULTS)])
def test_a_faulty_proxy_makes_no_store_and_changes_none(kms, store, proxy, fault, answer, message):
    proxy.faults["health"] = fault
    assert refused(make_store, kms, "faulty", XksProxyUriPath=SECOND_PATH) == (answer, message)
    assert refused(kms.update_custom_key_store, CustomKeyStoreId=store, XksProxyUriPath=SECOND_PATH) == (answer, message)
    assert entry(kms, store)["XksProxyConfiguration"]["UriPath"] == PATH
    assert code(kms.describe_custom_key_stores, CustomKeyStoreName="faulty") == "CustomKeyStoreNotFoundException"


def test_no_key_manager_is_available(kms, proxy, second):
    proxy.status = ["UNAVAILABLE"]
    assert refused(kms.update_custom_key_store, CustomKeyStoreId=second, XksProxyUriPath=SECOND_PATH) == (
        "XksProxyUriUnreachableException", "The external key store proxy is in an unhealthy state. If you see this message "
        "repeatedly, notify your external key store proxy administrator.")
    assert connect(kms, second)["ConnectionErrorCode"] == "XKS_PROXY_NOT_REACHABLE"


def test_what_a_store_needs(kms):
    for left_out in ("XksProxyConnectivity", "XksProxyAuthenticationCredential", "XksProxyUriEndpoint", "XksProxyUriPath"):
        terms = {name: value for name, value in TERMS.items() if name != left_out}
        answer, message = refused(kms.create_custom_key_store, CustomKeyStoreName="needs", **terms)
        assert answer == "ValidationException" and message.startswith(left_out)
    for more in ({"CloudHsmClusterId": "cluster-2a3b4c5defg"}, {"KeyStorePassword": "password"},
                 {"XksProxyConnectivity": "VPC_ENDPOINT_SERVICE"},
                 {"XksProxyVpcEndpointServiceName": VPC["XksProxyVpcEndpointServiceName"]}):
        assert code(make_store, kms, "needs", **more) == "ValidationException"


def test_what_is_wrong_is_quoted_but_no_secret_in_the_trail(house):
    wrong = {"AccessKeyId": "lower case and so on", "RawSecretAccessKey": "too short for a secret"}
    unchecked = as_(house, "alice", parameter_validation=False)
    _, message = refused(make_store, unchecked, "quoted", XksProxyUriPath="/kms/xks/v1/", XksProxyAuthenticationCredential=wrong)
    assert message.startswith("4 validation errors detected: Value '/kms/xks/v1/' at 'xksProxyUriPath' failed to satisfy "
                              "constraint: Member must satisfy regular expression pattern: ^(/[a-zA-Z0-9\\/_-]+/kms/xks/v\\d{1,2})$"
                              "|^(/kms/xks/v\\d{1,2})$; Value at 'xksProxyAuthenticationCredential.accessKeyId' failed")
    assert "lower case" not in message and "too short" not in message, "not quoted, not even to who sent it"
    (told,) = [r for r in house.trail(eventName="CreateCustomKeyStore") if r.get("errorMessage", "").startswith("4 ")]
    assert "too short" not in json.dumps(told) and "lower case" not in json.dumps(told)
    assert "Value at 'xksProxyAuthenticationCredential.rawSecretAccessKey'" in told["errorMessage"]


def test_no_two_stores_share_a_proxy_uri(kms, store, proxy):
    proxy.asked.clear()
    assert code(make_store, kms, "shares") == "XksProxyUriInUseException"
    assert code(make_store, kms, "external", XksProxyUriPath=SECOND_PATH) == "CustomKeyStoreNameInUseException"
    assert code(make_store, kms, "shares", **VPC, XksProxyUriPath=SECOND_PATH) == "XksProxyUriEndpointInUseException"
    assert proxy.asked == []


def test_behind_a_vpc_endpoint_service_the_proxy_is_asked_when_it_connects(kms, store, proxy):
    proxy.asked.clear()
    elsewhere = {**VPC, "XksProxyUriEndpoint": "https://nowhere.xks.example.com"}
    west = VPC["XksProxyVpcEndpointServiceName"].replace("us-east-1", "us-west-2")
    assert code(make_store, kms, "vpc", **{**elsewhere, "XksProxyVpcEndpointServiceName": west}) \
        == "XksProxyVpcEndpointServiceNotFoundException"
    made = make_store(kms, "vpc", **elsewhere)
    assert proxy.asked == []
    shown = entry(kms, made)["XksProxyConfiguration"]
    assert (shown["Connectivity"], shown["VpcEndpointServiceName"], shown["VpcEndpointServiceOwner"]) == (
        "VPC_ENDPOINT_SERVICE", VPC["XksProxyVpcEndpointServiceName"], ACCOUNT)
    assert code(make_store, kms, "vpc 2", **{**elsewhere, "XksProxyUriEndpoint": "https://other.xks.example.com"}) \
        == "XksProxyVpcEndpointServiceInUseException"
    kms.delete_custom_key_store(CustomKeyStoreId=made)


def test_changes_while_connected(kms, second, proxy):
    connect(kms, second)
    kms.update_custom_key_store(CustomKeyStoreId=second, NewCustomKeyStoreName="renamed")
    other = {"AccessKeyId": "Z" * 20, "RawSecretAccessKey": "y" * 43}
    assert code(kms.update_custom_key_store, CustomKeyStoreId=second, XksProxyAuthenticationCredential=other) \
        == "XksProxyIncorrectAuthenticationCredentialException"
    proxy.credential = other
    kms.update_custom_key_store(CustomKeyStoreId=second, XksProxyAuthenticationCredential=other, XksProxyUriPath=SECOND_PATH)
    found = entry(kms, second)
    assert (found["CustomKeyStoreName"], found["XksProxyConfiguration"]["AccessKeyId"]) == ("renamed", "Z" * 20)
    for more in ({"XksProxyUriEndpoint": ENDPOINT}, {"XksProxyConnectivity": "PUBLIC_ENDPOINT"}):
        assert code(kms.update_custom_key_store, CustomKeyStoreId=second, **more) == "CustomKeyStoreInvalidStateException"
    assert code(kms.update_custom_key_store, CustomKeyStoreId=second, KeyStorePassword="password") == "ValidationException"
    assert code(kms.update_custom_key_store, CustomKeyStoreId=second, NewCustomKeyStoreName="external") \
        == "CustomKeyStoreNameInUseException"
    kms.disconnect_custom_key_store(CustomKeyStoreId=second)
    kms.update_custom_key_store(CustomKeyStoreId=second, XksProxyUriEndpoint=ENDPOINT)


# ---- connections ----

@pytest.mark.parametrize("fault,error", [
    ("AuthenticationFailedException", "INVALID_CREDENTIALS"), ("AccessDeniedException", "XKS_PROXY_ACCESS_DENIED"),
    ("InvalidUriPathException", "XKS_PROXY_INVALID_CONFIGURATION"), ("DependencyTimeoutException", "XKS_PROXY_TIMED_OUT"),
    ("ThrottlingException", "XKS_PROXY_NOT_REACHABLE"), (lambda h: h.reply(200, b"[]"), "XKS_PROXY_INVALID_RESPONSE")],
    ids=lambda v: v if isinstance(v, str) else "malformed")
def test_connections_that_fail(kms, proxy, second, fault, error):
    proxy.faults["health"] = fault
    found = connect(kms, second)
    assert (found["ConnectionState"], found["ConnectionErrorCode"]) == ("FAILED", error)
    for call in (kms.connect_custom_key_store, kms.delete_custom_key_store):
        assert code(call, CustomKeyStoreId=second) == "CustomKeyStoreInvalidStateException"
    assert code(kms.update_custom_key_store, CustomKeyStoreId=second, NewCustomKeyStoreName="x") \
        == "CustomKeyStoreInvalidStateException"
    kms.disconnect_custom_key_store(CustomKeyStoreId=second)
    assert "ConnectionErrorCode" not in entry(kms, second)
    assert code(kms.disconnect_custom_key_store, CustomKeyStoreId=second) == "CustomKeyStoreInvalidStateException"
    proxy.faults.clear()
    assert connect(kms, second)["ConnectionState"] == "CONNECTED"


def test_an_answer_for_an_attempt_that_is_over_does_not_count(kms, proxy, second):
    def late(handler):
        proxy.go_on.wait(60)
        handler.health()
    proxy.go_on.clear()
    proxy.faults["health"] = late
    kms.connect_custom_key_store(CustomKeyStoreId=second)
    until(lambda: proxy.asked[-1]["body"]["requestMetadata"]["kmsOperation"] == "ConnectCustomKeyStore", "the request")
    assert entry(kms, second)["ConnectionState"] == "CONNECTING"
    kms.disconnect_custom_key_store(CustomKeyStoreId=second)
    proxy.faults["health"] = "AccessDeniedException"
    kms.connect_custom_key_store(CustomKeyStoreId=second)
    proxy.go_on.set()
    assert settled(kms, second)["ConnectionErrorCode"] == "XKS_PROXY_ACCESS_DENIED"


def connection_error(house, who="alice"):
    kms = as_(house, who)
    made = make_store(kms, "faulty", **VPC)
    return connect(kms, made)["ConnectionErrorCode"]


def house_for(make_house, proxy, **more):
    flags = {"--xks-ca": proxy.ca, "--xks-connect": f"{NAME}=127.0.0.1:{proxy.port}", "--xks-timeout": "10s", **more}
    return make_house(ddbd=False, principals=PRINCIPALS, kmsd=[f"{n}={v}" for n, v in flags.items() if v])


def test_a_proxy_that_does_not_listen(make_house, tmp_path):
    with running(tmp_path / "proxy") as proxy:
        house = house_for(make_house, proxy)
    assert connection_error(house) == "XKS_PROXY_NOT_REACHABLE"


@pytest.mark.parametrize("certificate,trusted", [({"name": "other.example.com"}, True), ({"days": -1}, True), ({}, False)],
                         ids=["another name", "expired", "unknown root"])
def test_a_proxy_that_cannot_be_trusted(make_house, tmp_path, certificate, trusted):
    with running(tmp_path / "proxy", **certificate) as proxy:
        house = house_for(make_house, proxy, **({} if trusted else {"--xks-ca": None}))
        kms = as_(house, "alice")
        assert refused(make_store, kms, "untrusted") == (
            "XksProxyUriUnreachableException", "AWS KMS cannot establish a TLS connection to the external key store proxy. "
            "Verify the TLS configuration, including its certificate.")
        assert connection_error(house) == "XKS_PROXY_INVALID_TLS_CONFIGURATION"
        assert proxy.asked == []


def test_a_proxy_that_is_too_slow(make_house, tmp_path):
    with running(tmp_path / "proxy") as proxy:
        house = house_for(make_house, proxy)
        kms = as_(house, "alice")
        store = make_store(kms, "slow")
        connect(kms, store)
        key = make_key(kms, store, proxy, "slow")["KeyId"]
        blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
        house.kmsd.arguments = [a for a in house.kmsd.arguments if "xks-timeout" not in a] + ["--xks-timeout=100ms"]
        house.kmsd.restart()
        proxy.faults["any"] = lambda handler: proxy.go_on.wait(60)
        kms = as_(house, "alice")
        assert refused(kms.decrypt, CiphertextBlob=blob) == (
            "KMSInvalidStateException", "AWS KMS rejected the request because the external key store proxy did not respond in "
            f"time. Retry the request. {REPORT}")
        kms.disconnect_custom_key_store(CustomKeyStoreId=store)
        assert connect(kms, store)["ConnectionErrorCode"] == "XKS_PROXY_TIMED_OUT"


# ---- keys ----

def test_metadata_of_a_key(kms, store, key):
    assert key == kms.describe_key(KeyId=key["KeyId"])["KeyMetadata"]
    told = {name: key[name] for name in ("KeyState", "Enabled", "Origin", "CustomKeyStoreId", "XksKeyConfiguration", "MultiRegion")}
    assert told == {"KeyState": "Enabled", "Enabled": True, "Origin": "EXTERNAL_KEY_STORE", "CustomKeyStoreId": store,
                    "XksKeyConfiguration": {"Id": "key-1.of_tests"}, "MultiRegion": False}
    assert not {"CurrentKeyMaterialId", "CloudHsmClusterId"} & set(key)


def test_the_external_key_is_asked_for(kms, store, proxy):
    proxy.asked.clear()
    made = make_key(kms, store, proxy, "asked")
    (asked,) = proxy.asked
    assert asked["path"] == f"{PATH}/keys/asked/metadata"
    metadata = asked["body"]["requestMetadata"]
    assert (metadata["kmsOperation"], metadata["awsPrincipalArn"]) == ("CreateKey", f"arn:aws:iam::{ACCOUNT}:user/alice")
    assert "kmsKeyArn" not in metadata
    assert code(kms.create_key, Origin="EXTERNAL_KEY_STORE", CustomKeyStoreId=store, XksKeyId="asked") == "XksKeyAlreadyInUseException"
    assert kms.describe_key(KeyId=made["Arn"])["KeyMetadata"]["XksKeyConfiguration"] == {"Id": "asked"}


@pytest.mark.parametrize("more,message", [
    ({"keySpec": "RSA_2048"}, "The key spec of the external key must be AES_256. The key spec of specified external key is RSA_2048."),
    ({"keyStatus": "DISABLED"}, "The status of the external key must be ENABLED. The status of specified external key is DISABLED."),
    ({"keyUsage": ["ENCRYPT", "SIGN"]}, "The key usage of the external key must include ENCRYPT and DECRYPT. The key use of "
     "specified external key is ENCRYPT, SIGN.")])
def test_external_keys_that_will_not_do(kms, store, proxy, more, message):
    assert refused(make_key, kms, store, proxy, "unfit", **more) == ("XksKeyInvalidConfigurationException", message)


def test_keys_that_cannot_be_created(kms, store, proxy, second):
    create = kms.create_key
    external = {"Origin": "EXTERNAL_KEY_STORE", "CustomKeyStoreId": store, "XksKeyId": "new"}
    assert refused(create, **external) == ("XksKeyNotFoundException", f"{REJECTED}it could not find the external key.")
    assert code(create, **{**external, "CustomKeyStoreId": second}) == "CustomKeyStoreInvalidStateException"
    assert code(create, **{**external, "CustomKeyStoreId": "cks-00000000000000000"}) == "CustomKeyStoreNotFoundException"
    assert code(create, **{**external, "KeySpec": "RSA_2048", "KeyUsage": "SIGN_VERIFY"}) == "UnsupportedOperationException"
    assert code(create, **{**external, "MultiRegion": True}) == "UnsupportedOperationException"
    for wrong in ({"Origin": "AWS_CLOUDHSM"}, {"Origin": "AWS_KMS"}):
        assert code(create, **{**external, **wrong}) == "ValidationException"
    for left_out in external:
        assert code(create, **{n: v for n, v in external.items() if n != left_out}) == "ValidationException"
    for fault, answer in (("AccessDeniedException", "CustomKeyStoreInvalidStateException"),
                          ("InternalException", "CustomKeyStoreInvalidStateException"),
                          ("InvalidStateException", "XksKeyInvalidConfigurationException"),
                          (lambda h: h.reply(200, {"keySpec": "AES_256"}), "CustomKeyStoreInvalidStateException")):
        proxy.faults["metadata"] = fault
        assert code(create, **external) == answer


def test_round_trips_are_encrypted_twice(kms, key, proxy):
    proxy.asked.clear()
    blob = kms.encrypt(KeyId=key["KeyId"], Plaintext=b"plain as day", EncryptionContext=CONTEXT)["CiphertextBlob"]
    (asked,) = proxy.asked
    metadata = asked["body"]["requestMetadata"]
    assert asked["path"] == f"{PATH}/keys/key-1.of_tests/encrypt"
    assert (metadata["kmsOperation"], metadata["kmsKeyArn"]) == ("Encrypt", key["Arn"])
    inner = base64.b64decode(asked["body"]["plaintext"])
    assert b"plain as day" not in inner and len(inner) > 100
    assert b"Department" in base64.b64decode(asked["body"]["additionalAuthenticatedData"])
    answer = kms.decrypt(CiphertextBlob=blob, EncryptionContext=CONTEXT)
    assert (answer["Plaintext"], answer["KeyId"]) == (b"plain as day", key["Arn"])
    assert proxy.asked[-1]["body"]["requestMetadata"]["kmsOperation"] == "Decrypt"
    assert kms.decrypt(CiphertextBlob=blob, EncryptionContext=CONTEXT, KeyId=key["KeyId"])["Plaintext"] == b"plain as day"


@pytest.mark.parametrize("size", [1, 4096])
def test_sizes(kms, key, proxy, size):
    proxy.asked.clear()
    blob = kms.encrypt(KeyId=key["KeyId"], Plaintext=b"x" * size, EncryptionContext={"k": "v" * 8000})["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=blob, EncryptionContext={"k": "v" * 8000})["Plaintext"] == b"x" * size
    assert len(base64.b64decode(proxy.asked[0]["body"]["plaintext"])) <= 4300


def test_data_keys(kms, key, proxy):
    made = kms.generate_data_key(KeyId=key["KeyId"], KeySpec="AES_256", EncryptionContext=CONTEXT)
    assert proxy.asked[-1]["body"]["ciphertextDataIntegrityValueAlgorithm"] == "SHA_256"
    assert kms.decrypt(CiphertextBlob=made["CiphertextBlob"], EncryptionContext=CONTEXT)["Plaintext"] == made["Plaintext"]
    blind = kms.generate_data_key_without_plaintext(KeyId=key["KeyId"], NumberOfBytes=100)
    assert len(kms.decrypt(CiphertextBlob=blind["CiphertextBlob"])["Plaintext"]) == 100


def test_a_data_key_whose_integrity_is_not_proved_is_not_given_out(kms, key, proxy):
    def corrupt(handler):
        # As encrypted, but for one bit that was lost on the way.
        reply = handler.reply
        def altered(status, body):
            raw = bytearray(base64.b64decode(body["ciphertext"]))
            raw[0] ^= 1
            reply(status, {**body, "ciphertext": base64.b64encode(raw).decode()})
        handler.reply = altered
        handler.encrypt(proxy.keys["key-1.of_tests"], json.loads(handler.body))
        del handler.reply
    proxy.faults["encrypt"] = corrupt
    assert refused(kms.generate_data_key, KeyId=key["KeyId"], KeySpec="AES_256") == ("KMSInvalidStateException", NOT_UNDERSTOOD)


def test_without_metadata_of_the_proxy(kms, key, proxy):
    proxy.metadata = ""
    blob = kms.encrypt(KeyId=key["KeyId"], Plaintext=b"x")["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
    assert "ciphertextMetadata" not in proxy.asked[-1]["body"]
    proxy.metadata = base64.b64encode(b"v1").decode()


def test_re_encrypt_between_stores_and_kms(kms, store, key, proxy):
    other = make_key(kms, store, proxy, "re-encrypts")["KeyId"]
    plain = kms.create_key()["KeyMetadata"]["KeyId"]
    blob = kms.encrypt(KeyId=plain, Plaintext=b"goes round")["CiphertextBlob"]
    for destination in (key["KeyId"], other, plain, key["KeyId"]):
        blob = kms.re_encrypt(CiphertextBlob=blob, DestinationKeyId=destination)["CiphertextBlob"]
        assert kms.decrypt(CiphertextBlob=blob, KeyId=destination)["Plaintext"] == b"goes round"
    proxy.asked.clear()
    kms.re_encrypt(CiphertextBlob=blob, DestinationKeyId=other)
    assert proxy.apis() == ["decrypt", "encrypt"]
    assert {a["body"]["requestMetadata"]["kmsOperation"] for a in proxy.asked} == {"ReEncrypt"}


@pytest.mark.parametrize("fault,message", [
    ("InvalidCiphertextException", f"{REJECTED}the specified ciphertext or additional authenticated data is corrupted, missing, or "
     "otherwise invalid."),
    ("InvalidStateException", f"{REJECTED}the external key is not enabled in the external key manager."),
    ("InvalidKeyUsageException", f"{REJECTED}the external key does not support the requested operation."),
    ("KeyNotFoundException", f"{REJECTED}it could not find the external key."),
    ("AccessDeniedException", "The external key store proxy denied access to the operation. Verify that the user and the external "
     "key are both authorized for this operation, and try the request again."),
    ("UnsupportedOperationException", f"{REJECTED}it does not support the requested cryptographic operation."),
    ("ValidationException", NOT_UNDERSTOOD),
    (lambda h: h.reply(200, {}), NOT_UNDERSTOOD),
    (lambda h: h.reply(200, {"plaintext": "eHg="}), NOT_UNDERSTOOD),  # of another length
    (lambda h: h.reply(200, {"plaintext": json.loads(h.body)["ciphertext"]}),
     "The ciphertext that the external key store proxy submitted for decryption, or the encryption context, is corrupted, "
     "missing, or otherwise invalid."),
    (lambda h: setattr(h, "close_connection", True), "AWS KMS cannot communicate with the external key store proxy. This might be "
     "a transient network issue. If you see this error repeatedly, verify that your external key store proxy is active and is "
     "connected to the network, and that its endpoint URI is correct in your external key store."),
], ids=lambda v: v if isinstance(v, str) and v.endswith("Exception") else "")
def test_faults_of_decrypt(house, kms, key, proxy, fault, message):
    blob = kms.encrypt(KeyId=key["KeyId"], Plaintext=b"x")["CiphertextBlob"]
    proxy.faults["decrypt"] = fault
    with pytest.raises(kms.exceptions.KMSInvalidStateException) as caught:
        kms.decrypt(CiphertextBlob=blob)
    assert caught.value.response["Error"]["Message"] == message
    (told,) = house.trail(requestID=caught.value.response["ResponseMetadata"]["RequestId"])
    assert (told["errorCode"], told["errorMessage"]) == ("KMSInvalidStateException", message)
    assert told["additionalEventData"] == {"customKeyStoreId": key["CustomKeyStoreId"], "xksKeyId": "key-1.of_tests"}


@pytest.mark.parametrize("fault", [
    {"initializationVector": "AAAA"}, {"authenticationTag": ""}, {"ciphertext": "AAAA"}, {"ciphertextMetadata": "A" * 40},
    {"initializationVector": None}, {"authenticationTag": 7}])
def test_faults_of_encrypt(kms, key, proxy, fault):
    def answer(handler):
        body = {"ciphertext": json.loads(handler.body)["plaintext"], "initializationVector": "A" * 16,
                "authenticationTag": base64.b64encode(bytes(16)).decode()}
        handler.reply(200, {**body, **fault})
    proxy.faults["encrypt"] = answer
    assert refused(kms.encrypt, KeyId=key["KeyId"], Plaintext=b"x") == ("KMSInvalidStateException", NOT_UNDERSTOOD)


def test_ciphertexts_that_are_not_what_they_were(kms, key, proxy):
    blob = kms.encrypt(KeyId=key["KeyId"], Plaintext=b"x", EncryptionContext=CONTEXT)["CiphertextBlob"]
    assert code(kms.decrypt, CiphertextBlob=blob) == "KMSInvalidStateException"
    assert code(kms.decrypt, CiphertextBlob=blob[:-1] + bytes([blob[-1] ^ 1]), EncryptionContext=CONTEXT) == "KMSInvalidStateException"
    for short in (blob[:38], blob[:60], b"\1\2" + blob[2:37]):
        assert code(kms.decrypt, CiphertextBlob=short, EncryptionContext=CONTEXT) in (
            "InvalidCiphertextException", "KMSInvalidStateException")
    plain = kms.create_key()["KeyMetadata"]["KeyId"]
    assert code(kms.decrypt, CiphertextBlob=blob, EncryptionContext=CONTEXT, KeyId=plain) == "IncorrectKeyException"


def test_rights_are_asked_before_the_proxy_is(house, kms, key, proxy):
    proxy.asked.clear()
    assert code(as_(house, "bob").encrypt, KeyId=key["KeyId"], Plaintext=b"x") == "AccessDeniedException"
    assert code(as_(house, "bob").create_custom_key_store, CustomKeyStoreName="bob's", **TERMS) == "AccessDeniedException"
    assert proxy.asked == []


def test_others_do_not_wait_for_a_slow_proxy(house, kms, key, proxy):
    """While the proxy holds its answer back, calls that need it not are answered, changes included."""
    proxy.asked.clear()
    plain = kms.create_key()["KeyMetadata"]["KeyId"]
    proxy.go_on.clear()
    def late(handler):
        proxy.go_on.wait(60)
        handler.encrypt(proxy.keys["key-1.of_tests"], json.loads(handler.body))
    proxy.faults["encrypt"] = late
    answers = []
    waiting = threading.Thread(target=lambda: answers.append(kms.encrypt(KeyId=key["KeyId"], Plaintext=b"late")))
    waiting.start()
    until(lambda: "encrypt" in proxy.apis(), "the proxy to be asked")
    other = as_(house, "alice")
    for _ in range(20):
        other.encrypt(KeyId=plain, Plaintext=b"x")
        other.update_key_description(KeyId=plain, Description="changed")
    assert not answers
    proxy.go_on.set()
    waiting.join()
    assert kms.decrypt(CiphertextBlob=answers[0]["CiphertextBlob"])["Plaintext"] == b"late"


def test_what_happens_to_the_key_meanwhile_counts(house, kms, store, proxy):
    proxy.asked.clear()
    made = make_key(kms, store, proxy, "meanwhile")["KeyId"]
    proxy.go_on.clear()
    def late(handler):
        proxy.go_on.wait(60)
        handler.encrypt(proxy.keys["meanwhile"], json.loads(handler.body))
    proxy.faults["encrypt"] = late
    answers = []
    waiting = threading.Thread(target=lambda: answers.append(code(kms.encrypt, KeyId=made, Plaintext=b"late")))
    waiting.start()
    until(lambda: "encrypt" in proxy.apis(), "the proxy to be asked")
    as_(house, "alice").disable_key(KeyId=made)
    proxy.go_on.set()
    waiting.join()
    assert answers == ["DisabledException"]


def test_a_dry_run_asks_no_proxy(kms, key, proxy):
    blob = kms.encrypt(KeyId=key["KeyId"], Plaintext=b"x")["CiphertextBlob"]
    proxy.asked.clear()
    for call, more in ((kms.decrypt, {"CiphertextBlob": blob}), (kms.encrypt, {"KeyId": key["KeyId"], "Plaintext": b"x"}),
                       (kms.generate_data_key, {"KeyId": key["KeyId"], "KeySpec": "AES_256"}),
                       (kms.re_encrypt, {"CiphertextBlob": blob, "DestinationKeyId": key["KeyId"]})):
        assert code(call, DryRun=True, **more) == "DryRunOperationException"
    assert proxy.asked == []


def test_the_end_does_not_wait_for_a_proxy(make_house, tmp_path):
    with running(tmp_path / "proxy") as proxy:
        house = house_for(make_house, proxy, **{"--xks-timeout": "1h"})
        kms = as_(house, "alice", retries={"total_max_attempts": 1})
        store = make_store(kms, "held")
        connect(kms, store)
        made = make_key(kms, store, proxy, "held")["KeyId"]
        proxy.faults["encrypt"] = lambda handler: proxy.go_on.wait(60)
        answers = []
        waiting = threading.Thread(target=lambda: answers.append(code(kms.encrypt, KeyId=made, Plaintext=b"x")))
        waiting.start()
        until(lambda: "encrypt" in proxy.apis(), "the proxy to be asked")
        assert house.kmsd.terminate() == 0
        waiting.join()
        assert answers == ["KMSInvalidStateException"]


@pytest.mark.concurrency
def test_many_at_once_while_the_store_comes_and_goes(make_house, tmp_path):
    with running(tmp_path / "proxy") as proxy:
        house = house_for(make_house, proxy)
        kms = as_(house, "alice")
        store = make_store(kms, "busy")
        connect(kms, store)
        keys = [make_key(kms, store, proxy, f"busy-{i}")["KeyId"] for i in range(3)]
        over, wrong = threading.Event(), []

        def use(i):
            mine = as_(house, "alice")
            while not over.is_set():
                try:
                    made = mine.generate_data_key(KeyId=keys[i % 3], KeySpec="AES_256")
                    moved = mine.re_encrypt(CiphertextBlob=made["CiphertextBlob"], DestinationKeyId=keys[(i + 1) % 3])
                    if mine.decrypt(CiphertextBlob=moved["CiphertextBlob"])["Plaintext"] != made["Plaintext"]:
                        wrong.append("another plaintext")
                except mine.exceptions.KMSInvalidStateException as error:
                    if error.response["Error"]["Message"] != CUT_OFF:
                        wrong.append(error)
        threads = [threading.Thread(target=use, args=(i,)) for i in range(6)]
        for thread in threads:
            thread.start()
        for _ in range(15):
            kms.disconnect_custom_key_store(CustomKeyStoreId=store)
            assert connect(kms, store)["ConnectionState"] == "CONNECTED"
            before = len(proxy.asked)
            until(lambda: len(proxy.asked) > before + 20, "more calls")
        over.set()
        for thread in threads:
            thread.join()
        assert not wrong


def test_a_key_is_unavailable_while_its_store_is_not_connected(house, kms, second, proxy):
    connect(kms, second)
    made = make_key(kms, second, proxy, "cut-off")["KeyId"]
    blob = kms.encrypt(KeyId=made, Plaintext=b"x")["CiphertextBlob"]
    kms.disconnect_custom_key_store(CustomKeyStoreId=second)
    shown = kms.describe_key(KeyId=made)["KeyMetadata"]
    assert (shown["KeyState"], shown["Enabled"]) == ("Unavailable", False)
    for call, more in ((kms.decrypt, {"CiphertextBlob": blob}), (kms.encrypt, {"KeyId": made, "Plaintext": b"x"}),
                       (kms.generate_data_key, {"KeyId": made, "KeySpec": "AES_256"})):
        assert refused(call, **more) == ("KMSInvalidStateException", CUT_OFF)
    assert code(kms.delete_custom_key_store, CustomKeyStoreId=second) == "CustomKeyStoreHasCMKsException"
    kms.disable_key(KeyId=made)
    assert kms.describe_key(KeyId=made)["KeyMetadata"]["KeyState"] == "Unavailable"
    connect(kms, second)
    assert kms.describe_key(KeyId=made)["KeyMetadata"]["KeyState"] == "Disabled"
    kms.enable_key(KeyId=made)
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
    kms.schedule_key_deletion(KeyId=made, PendingWindowInDays=7)
    kms.disconnect_custom_key_store(CustomKeyStoreId=second)
    assert kms.describe_key(KeyId=made)["KeyMetadata"]["KeyState"] == "PendingDeletion"
    house.kmsd.post("/_kmsd/clock", {"advance": 8 * 86400})
    assert code(kms.describe_key, KeyId=made) == "NotFoundException"


# ---- the trail, the state ----

def test_what_the_trail_tells(house, kms, store, key):
    answer = kms.encrypt(KeyId=key["KeyId"], Plaintext=b"x", EncryptionContext=CONTEXT)
    (told,) = house.trail(requestID=answer["ResponseMetadata"]["RequestId"])
    assert told["additionalEventData"] == {"customKeyStoreId": store, "xksKeyId": "key-1.of_tests"}
    (created,) = [r for r in house.trail(eventName="CreateKey") if (r["requestParameters"] or {}).get("xksKeyId") == "key-1.of_tests"]
    assert created["requestParameters"] == {
        "description": "", "origin": "EXTERNAL_KEY_STORE", "bypassPolicyLockoutSafetyCheck": False,
        "customerMasterKeySpec": "SYMMETRIC_DEFAULT", "keySpec": "SYMMETRIC_DEFAULT", "keyUsage": "ENCRYPT_DECRYPT",
        "customKeyStoreId": store, "xksKeyId": "key-1.of_tests"}
    shown = created["responseElements"]["keyMetadata"]
    assert (shown["customKeyStoreId"], shown["xksKeyConfiguration"]) == (store, {"id": "key-1.of_tests"})
    assert "additionalEventData" not in created
    made = next(r for r in house.trail(eventName="CreateCustomKeyStore") if r["responseElements"] == {"customKeyStoreId": store})
    assert made["requestParameters"] == {
        "customKeyStoreName": "external", "customKeyStoreType": "EXTERNAL_KEY_STORE", "xksProxyConnectivity": "PUBLIC_ENDPOINT",
        "xksProxyUriEndpoint": ENDPOINT, "xksProxyUriPath": PATH}
    assert "resources" not in made and made["readOnly"] is False


def test_state_survives_a_restart_and_holds_no_secret(make_house, tmp_path):
    with running(tmp_path / "proxy") as proxy:
        house = house_for(make_house, proxy)
        kms = as_(house, "alice")
        store = make_store(kms, "kept")
        connect(kms, store)
        key = make_key(kms, store, proxy, "kept")["KeyId"]
        blob = kms.encrypt(KeyId=key, Plaintext=b"kept")["CiphertextBlob"]
        before = entry(kms, store)
        house.kmsd.kill()
        house.kmsd.start()
        kms = as_(house, "alice")
        assert entry(kms, store) == before
        assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"kept"
        secret = CREDENTIAL["RawSecretAccessKey"].encode()
        files = [f for f in house.folder.rglob("*") if f.is_file()]
        assert any(b"kept" in f.read_bytes() for f in files)
        assert not [f for f in files if secret in f.read_bytes() and f.name != "principals.json"]


@pytest.mark.parametrize("flag,reason", [("--xks-ca=nowhere.pem", "nowhere.pem cannot be used"),
                                         ("--xks-connect=nowhere", "not of the form NAME=ADDRESS:PORT"),
                                         ("--xks-connect=a=not.an.address:1", "not of the form NAME=ADDRESS:PORT")])
def test_a_wrong_option_stops_the_start(tmp_path, flag, reason):
    ended = subprocess.run([program("kmsd"), f"--state-dir={tmp_path}", "--listen=127.0.0.1:0", flag], capture_output=True, text=True)
    assert ended.returncode == 1 and reason in ended.stderr
