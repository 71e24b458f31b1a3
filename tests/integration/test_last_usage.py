"""GetKeyLastUsage: which calls are uses of a key, and that the last one is known with the event id of the trail's own
record, also after a restart and after kill -9."""
import json
import threading

import botocore.exceptions
import pytest

from asking import OTHER, PRINCIPALS, as_, code, opened, service_client, told
from conftest import VIRTUAL
from daemons import ACCOUNT, REGION, file_size_limit, until

SIGNED = {"Message": b"m", "SigningAlgorithm": "ECDSA_SHA_256"}
MAC = {"Message": b"m", "MacAlgorithm": "HMAC_SHA_256"}
CALLERS = 3


def last_usage(house, key):
    """The answer about a key of the default account."""
    got, answer = told(house, "GetKeyLastUsage", {"KeyId": key})
    assert got == "ok", answer
    return answer


def last_use(house, key):
    return last_usage(house, key)["KeyLastUsage"]


def request_id(answer):
    return answer["ResponseMetadata"]["RequestId"]


def make(kms, spec="SYMMETRIC_DEFAULT", usage="ENCRYPT_DECRYPT"):
    return kms.create_key(KeySpec=spec, KeyUsage=usage)["KeyMetadata"]["KeyId"]


# ---- what counts ----

def uses(kms):
    """operation -> (key, the call, its parameters), for every operation that is a use."""
    key, blob_of = make(kms), lambda k: kms.encrypt(KeyId=k, Plaintext=b"x")["CiphertextBlob"]
    other, signer, maker = make(kms), make(kms, "ECC_NIST_P256", "SIGN_VERIFY"), make(kms, "HMAC_256", "GENERATE_VERIFY_MAC")
    agreer = make(kms, "ECC_NIST_P256", "KEY_AGREEMENT")
    signature, mac = kms.sign(KeyId=signer, **SIGNED)["Signature"], kms.generate_mac(KeyId=maker, **MAC)["Mac"]
    peer = kms.get_public_key(KeyId=agreer)["PublicKey"]
    pair = {"KeyId": key, "KeyPairSpec": "ECC_NIST_P256"}
    data_key = {"KeyId": key, "KeySpec": "AES_256"}
    return {
        "Encrypt": (key, kms.encrypt, {"KeyId": key, "Plaintext": b"x"}),
        "Decrypt": (key, kms.decrypt, {"CiphertextBlob": blob_of(key)}),
        "ReEncrypt": (other, kms.re_encrypt, {"CiphertextBlob": blob_of(key), "DestinationKeyId": other}),
        "GenerateDataKey": (key, kms.generate_data_key, data_key),
        "GenerateDataKeyWithoutPlaintext": (key, kms.generate_data_key_without_plaintext, data_key),
        "GenerateDataKeyPair": (key, kms.generate_data_key_pair, pair),
        "GenerateDataKeyPairWithoutPlaintext": (key, kms.generate_data_key_pair_without_plaintext, pair),
        "Sign": (signer, kms.sign, {"KeyId": signer, **SIGNED}),
        "Verify": (signer, kms.verify, {"KeyId": signer, **SIGNED, "Signature": signature}),
        "GenerateMac": (maker, kms.generate_mac, {"KeyId": maker, **MAC}),
        "VerifyMac": (maker, kms.verify_mac, {"KeyId": maker, **MAC, "Mac": mac}),
        "DeriveSharedSecret": (agreer, kms.derive_shared_secret,
                               {"KeyId": agreer, "KeyAgreementAlgorithm": "ECDH", "PublicKey": peer})}


def test_every_use_is_told_with_the_id_of_its_event(house):
    told_of = {}
    for operation, (key, call, parameters) in uses(house.kms()).items():
        answer = call(**parameters)
        told_of[operation] = (answer, last_use(house, key))
    events = {e["requestID"]: e for e in house.trail() if "requestID" in e}
    for operation, (answer, use) in told_of.items():
        event = events[request_id(answer)]
        assert event["eventName"] == operation
        assert use == {"Operation": operation, "KmsRequestId": request_id(answer), "CloudTrailEventId": event["eventID"],
                       "Timestamp": use["Timestamp"]}
        assert use["Timestamp"] == int(use["Timestamp"]) > 0


def test_re_encrypt_uses_both_keys(house, kms):
    source, target = make(kms), make(kms)
    blob = kms.encrypt(KeyId=source, Plaintext=b"x")["CiphertextBlob"]
    kms.re_encrypt(CiphertextBlob=blob, DestinationKeyId=target)
    assert last_use(house, source) == last_use(house, target)
    assert last_use(house, source)["Operation"] == "ReEncrypt"


def test_related_keys_each_have_their_own(house, kms):
    key, there = kms.create_key(MultiRegion=True)["KeyMetadata"]["KeyId"], house.kms(region="us-west-2")
    kms.replicate_key(KeyId=key, ReplicaRegion="us-west-2")
    house.clock(advance=1)
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    assert kms.get_key_last_usage(KeyId=key)["KeyLastUsage"]["Operation"] == "Encrypt"
    assert there.get_key_last_usage(KeyId=key)["KeyLastUsage"] == {}
    request = there.decrypt(CiphertextBlob=blob)["ResponseMetadata"]["RequestId"]
    told = there.get_key_last_usage(KeyId=key)["KeyLastUsage"]
    assert (told["Operation"], told["KmsRequestId"]) == ("Decrypt", request)
    assert kms.get_key_last_usage(KeyId=key)["KeyLastUsage"]["Operation"] == "Encrypt"


def test_what_is_no_use(house, kms):
    key, signer = make(kms), make(kms, "ECC_NIST_P256", "SIGN_VERIFY")
    kms.describe_key(KeyId=key)
    kms.get_public_key(KeyId=signer)
    kms.generate_random(NumberOfBytes=8)
    kms.enable_key_rotation(KeyId=key)
    assert code(kms.encrypt, KeyId=key, Plaintext=b"x", DryRun=True) == "DryRunOperationException"
    assert code(kms.verify, KeyId=signer, **SIGNED, Signature=b"no") == "KMSInvalidSignatureException"
    kms.disable_key(KeyId=key)
    assert code(kms.encrypt, KeyId=key, Plaintext=b"x") == "DisabledException"
    for k in (key, signer):
        answer = last_usage(house, k)
        created = answer["KeyCreationDate"]
        assert answer == {"KeyId": k, "KeyLastUsage": {}, "KeyCreationDate": created, "TrackingStartDate": created}
        assert created == kms.describe_key(KeyId=k)["KeyMetadata"]["CreationDate"].timestamp()


def test_a_later_failure_leaves_the_last_use(house, kms):
    key = make(kms)
    used = request_id(kms.encrypt(KeyId=key, Plaintext=b"x"))
    kms.disable_key(KeyId=key)
    assert code(kms.encrypt, KeyId=key, Plaintext=b"x") == "DisabledException"
    assert last_use(house, key)["KmsRequestId"] == used


def test_the_time_is_the_clocks(make_house):
    house = make_house(ddbd=False)
    key = make(house.kms())
    house.clock(set="2031-02-03T04:05:06.789Z")
    house.kms().encrypt(KeyId=key, Plaintext=b"x")
    assert last_use(house, key)["Timestamp"] == 1927857906


def test_the_use_that_makes_an_aws_managed_key_counts(make_house):
    """Its record is written before the turn's end."""
    house = make_house(ddbd=False)
    through = service_client(house, user=("test", f"arn:aws:iam::{ACCOUNT}:user/local"))
    answer = through.generate_data_key(KeyId="alias/aws/dynamodb", KeySpec="AES_256")
    use = last_use(house, answer["KeyId"])
    assert (use["Operation"], use["KmsRequestId"]) == ("GenerateDataKey", request_id(answer))


# ---- who may ask, and how ----

def test_aliases_are_not_accepted(house, kms, key):
    kms.create_alias(AliasName="alias/last-usage", TargetKeyId=key)
    for name in ("alias/last-usage", f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/last-usage"):
        assert told(house, "GetKeyLastUsage", {"KeyId": name}) == (
            "InvalidArnException", "Key Aliases are not supported for this operation.")
    arn = kms.describe_key(KeyId=key)["KeyMetadata"]["Arn"]
    assert last_usage(house, arn)["KeyId"] == key


def test_each_account_gets_the_event_of_its_own(tmp_path):
    """A key that another account uses, too: its owner is told of its copy of the record."""
    with opened(tmp_path / "house", kmsd=VIRTUAL, principals=PRINCIPALS) as house:
        alice, dave = as_(house, "alice"), as_(house, "dave")
        policy = {"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"AWS": [f"arn:aws:iam::{a}:root" for a in (ACCOUNT, OTHER)]}, "Action": "kms:*",
             "Resource": "*"}]}
        ours = alice.create_key(Policy=json.dumps(policy))["KeyMetadata"]
        theirs = dave.create_key()["KeyMetadata"]
        blob = dave.encrypt(KeyId=theirs["Arn"], Plaintext=b"x")["CiphertextBlob"]
        request = request_id(dave.re_encrypt(CiphertextBlob=blob, DestinationKeyId=ours["Arn"]))
        uses = {ACCOUNT: told(house, "GetKeyLastUsage", {"KeyId": ours["KeyId"]}, "AKIAALICE", "secret of AKIAALICE")[1],
                OTHER: told(house, "GetKeyLastUsage", {"KeyId": theirs["KeyId"]}, "AKIADAVE", "secret of AKIADAVE")[1]}
        refused = told(house, "GetKeyLastUsage", {"KeyId": ours["Arn"]}, "AKIADAVE", "secret of AKIADAVE")
        assert refused[0] == "AccessDeniedException"
        events = {e["recipientAccountId"]: e["eventID"] for e in house.trail("ReEncrypt", requestID=request)}
        assert len(events) == 2
        # The owner's copy has the request's id as the caller's has.
        events |= {e["recipientAccountId"]: e["eventID"] for e in house.trail("ReEncrypt", sharedEventID=house.pick(
            "ReEncrypt", requestID=request)[0]["sharedEventID"])}
        assert {a: u["KeyLastUsage"]["CloudTrailEventId"] for a, u in uses.items()} == events


# ---- through the end of the process ----

@pytest.mark.parametrize("end", ["in order", "kill", "delivered, then kill"])
def test_it_is_known_after_a_restart(make_house, end):
    house = make_house(ddbd=False)
    kms = house.kms()
    keys = {operation: key for operation, (key, call, parameters) in uses(kms).items() if call(**parameters)}
    idle = make(kms)
    before = {key: last_usage(house, key) for key in [*keys.values(), idle]}
    assert last_use(house, idle) == {} and all(before[k]["KeyLastUsage"] for k in keys.values())
    if end == "delivered, then kill":
        house.trail()
    if end == "in order":
        house.kmsd.restart()
    else:
        house.kmsd.kill()
        house.kmsd.start()
    assert {key: last_usage(house, key) for key in before} == before
    house.kmsd.kill()  # once more, with nothing in between
    house.kmsd.start()
    assert {key: last_usage(house, key) for key in before} == before


def test_newer_uses_than_what_was_saved(make_house):
    house = make_house(ddbd=False)
    kms = house.kms()
    key = make(kms)
    kms.encrypt(KeyId=key, Plaintext=b"x")
    house.trail()  # saves the first
    second = request_id(kms.generate_data_key(KeyId=key, KeySpec="AES_256"))
    house.kmsd.kill()
    house.kmsd.start()
    assert last_use(house, key)["KmsRequestId"] == second


@pytest.mark.concurrency
def test_kill_9_loses_no_answered_use(make_house):
    """Half of the kills come after a delivery that ran while the calls went on."""
    house = make_house(ddbd=False, virtual=False, kmsd=("--clock=2026-05-20T20:45:00Z", "--clock-scale=1"))
    keys = [make(house.kms()) for _ in range(CALLERS)]
    answered = [[] for _ in range(CALLERS)]

    def call(i):
        kms = house.kms()
        try:
            while True:
                answered[i].append(request_id(kms.generate_data_key(KeyId=keys[i], KeySpec="AES_256")))
        except (botocore.exceptions.BotoCoreError, OSError):
            return

    def more(n, before):
        until(lambda: all(len(a) >= b + n for a, b in zip(answered, before, strict=True)), "answers")
    told_of = []
    for round_ in range(8):
        before = [len(a) for a in answered]
        threads = [threading.Thread(target=call, args=(i,)) for i in range(CALLERS)]
        for t in threads:
            t.start()
        more(5, before)
        if round_ % 2:
            house.clock(advance=301)
            more(10, before)
        house.kmsd.kill()
        for t in threads:
            t.join()
        house.kmsd.start()
        for key, requests in zip(keys, answered, strict=True):
            use = last_use(house, key)
            told_of.append(use)
            # The last that was answered, or one behind it whose answer was cut off.
            assert use["KmsRequestId"] == requests[-1] or use["KmsRequestId"] not in requests
    events = {e["eventID"]: e["requestID"] for e in house.trail("GenerateDataKey")}
    for use in told_of:
        assert events[use["CloudTrailEventId"]] == use["KmsRequestId"]


def test_a_deleted_keys_use_goes_with_it(make_house):
    house = make_house(ddbd=False)
    kms = house.kms()
    key = make(kms)
    kms.encrypt(KeyId=key, Plaintext=b"x")
    house.trail()
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    house.clock(advance=8 * 86400)
    until(lambda: told(house, "GetKeyLastUsage", {"KeyId": key})[0] == "NotFoundException", "the key to be deleted")
    house.kmsd.restart()
    assert told(house, "GetKeyLastUsage", {"KeyId": key})[0] == "NotFoundException"


def test_a_reset_forgets(make_house, tmp_path):
    seed = tmp_path / "seed.yaml"
    seed.write_text("Keys:\n  - KeyId: 00000000-0000-4000-8000-000000000001\n")
    house = make_house(ddbd=False, kmsd=(f"--seed-file={seed}", "--test-control"))
    key = "00000000-0000-4000-8000-000000000001"
    for _ in range(2):
        house.kms().encrypt(KeyId=key, Plaintext=b"x")
        assert last_use(house, key)["Operation"] == "Encrypt"
        house.clock(advance=1)
        house.kmsd.post("/_kmsd/reset", {})
        assert last_use(house, key) == {}
    house.kmsd.kill()
    house.kmsd.start()
    assert last_use(house, key) == {}


def test_a_use_that_could_not_be_recorded_is_none(make_house):
    """The journal has no room: the call is refused, and the key was not used."""
    house = make_house(ddbd=False)
    kms = house.kms()
    key = make(kms)
    used = request_id(kms.encrypt(KeyId=key, Plaintext=b"x"))
    with file_size_limit(house.kmsd, 1000):
        assert code(kms.generate_data_key, KeyId=key, KeySpec="AES_256") == "KMSInternalException"
    assert last_use(house, key)["KmsRequestId"] == used
