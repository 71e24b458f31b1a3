"""RSA keys take long to make: nobody else waits for them, those who asked get theirs, and the daemon's end does not wait."""
import concurrent.futures
import threading

import pytest

from asking import code
from asymmetric import RSA_SPECS, is_of, make, public_key
from daemons import PATIENCE, until

pytestmark = pytest.mark.concurrency
LARGE = {"KeySpec": "RSA_4096", "KeyUsage": "SIGN_VERIFY"}


@pytest.fixture
def pool():
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        yield pool


def test_others_are_served_meanwhile(make_house, pool):
    """With one worker, which would stand still while it made a key: at most one other call would come through between two
    of them."""
    house = make_house(ddbd=False, kmsd=("--workers=1",))
    kms = house.kms()
    small = kms.create_key()["KeyMetadata"]["KeyId"]
    made = [pool.submit(house.kms(read_timeout=PATIENCE * 10).create_key, **LARGE) for _ in range(5)]
    served = 0
    while served <= 3 * len(made) and not all(m.done() for m in made):
        kms.generate_data_key(KeyId=small, KeySpec="AES_256")
        served += 1
    assert served > 3 * len(made)
    keys = [m.result()["KeyMetadata"]["KeyId"] for m in made]
    assert len({kms.get_public_key(KeyId=k)["PublicKey"] for k in keys}) == len(keys)


def test_a_data_key_pair_waits_in_the_same_way(make_house, pool):
    """And what has become of its key meanwhile counts."""
    house = make_house(ddbd=False, kmsd=("--workers=1",))
    kms = house.kms()
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    asked = {"KeyId": key, "KeyPairSpec": "RSA_4096"}
    waiting = [pool.submit(house.kms(read_timeout=PATIENCE * 10).generate_data_key_pair, **asked) for _ in range(6)]
    until(lambda: any(w.done() for w in waiting), "the first pair")
    kms.disable_key(KeyId=key)
    made = [w.result() for w in waiting if not w.exception()]
    assert made and all(w.exception().response["Error"]["Code"] == "DisabledException" for w in waiting if w.exception())
    kms.enable_key(KeyId=key)
    for pair in made:
        assert kms.decrypt(CiphertextBlob=pair["PrivateKeyCiphertextBlob"])["Plaintext"] == pair["PrivateKeyPlaintext"]
    records = house.trail("GenerateDataKeyPair")
    assert len(records) == len(waiting) and sum("errorCode" not in r for r in records) == len(made)


def test_everybody_gets_a_key_of_the_spec_that_was_asked_for(house, pool):
    asked = [spec for spec in RSA_SPECS for _ in range(3)]
    made = pool.map(lambda spec: make(house.kms(), spec, "SIGN_VERIFY"), asked)
    for spec, key in zip(asked, made, strict=True):
        assert key["KeySpec"] == spec
        assert is_of(spec, public_key(house.kms(), key["KeyId"]))


def test_what_is_refused_does_not_wait(house, kms):
    assert code(kms.create_key, **LARGE, Tags=[{"TagKey": "aws:x", "TagValue": ""}]) == "TagException"
    assert code(kms.create_key, **LARGE, Policy="{}") == "MalformedPolicyDocumentException"


def test_one_record_of_a_call_that_waited(house, kms):
    key = make(kms, "RSA_3072", "SIGN_VERIFY", Description="waited")
    (record,) = [r for r in house.trail("CreateKey") if r["requestParameters"]["description"] == "waited"]
    assert record["responseElements"]["keyMetadata"]["arn"] == key["Arn"]
    assert [r["ARN"] for r in record["resources"]] == [key["Arn"]]


def test_the_end_in_the_middle_of_it(make_house, pool):
    house = make_house(ddbd=False)
    began = threading.Barrier(9)

    def ask(kms):
        began.wait()
        try:
            return kms.create_key(**LARGE)["KeyMetadata"]["KeyId"]
        except Exception as error:  # refused at the end, or too late to connect
            return error
    asked = [pool.submit(ask, house.kms()) for _ in range(8)]
    began.wait()
    until(lambda: any(a.done() for a in asked), "the first key")
    house.stop()  # in order: exit status 0
    answers = [a.result() for a in asked]
    refused = [a for a in answers if isinstance(a, Exception)]
    for error in refused:
        assert not hasattr(error, "response") or error.response["Error"]["Code"] == "KMSInternalException"
    made = {a for a in answers if not isinstance(a, Exception)}
    assert made and refused
    house.start(ddbd=False)
    assert {k["KeyId"] for k in house.kms().list_keys()["Keys"]} == made
    assert len(house.trail("CreateKey")) >= len(made)
