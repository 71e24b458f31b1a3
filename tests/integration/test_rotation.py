"""Rotation of key material: on its date, on demand, as often as it may be, through restarts and kills; what was encrypted
before decrypts for ever."""
import datetime
import json

import pytest

from asking import ARNS, PRINCIPALS, allowed, as_, code, members, pages, refused, rotate, unchecked
from conftest import START
from daemons import file_size_limit, until
from tables import MANAGED, get, make_table, put

DAY = 86400
ALL = "ALL_KEY_MATERIAL"


def days(n):
    """The time of the virtual clock after so many days."""
    return datetime.datetime.fromisoformat(START.replace("Z", "+00:00")) + datetime.timedelta(n)


@pytest.fixture
def house(make_house):
    return make_house(ddbd=False)


def current(kms, key):
    return kms.describe_key(KeyId=key)["KeyMetadata"]["CurrentKeyMaterialId"]


def status(kms, key):
    answer = kms.get_key_rotation_status(KeyId=key)
    return {name: answer[name] for name in members(answer)}


def rotations(kms, key, **more):
    return kms.list_key_rotations(KeyId=key, **more)["Rotations"]


def dates(kms, key):
    return [r["RotationDate"] for r in rotations(kms, key)]


# ---- on its date ----

def test_off_unless_asked_for(house, kms, key):
    assert status(kms, key) == {"KeyId": key, "KeyRotationEnabled": False}
    house.clock(advance=5000 * DAY)
    assert rotations(kms, key) == []
    (first,) = rotations(kms, key, IncludeKeyMaterial=ALL)
    assert first == {"KeyId": key, "KeyMaterialId": current(kms, key), "KeyMaterialState": "CURRENT"}


@pytest.mark.parametrize("period,asked", [(365, {}), (90, {"RotationPeriodInDays": 90}), (2560, {"RotationPeriodInDays": 2560})])
def test_a_key_rotates_every_period(house, kms, key, period, asked):
    before = current(kms, key)
    kms.enable_key_rotation(KeyId=key, **asked)
    assert status(kms, key) == {"KeyId": key, "KeyRotationEnabled": True, "RotationPeriodInDays": period,
                                "NextRotationDate": days(period)}
    house.clock(advance=period * DAY - 1)
    assert current(kms, key) == before
    house.clock(advance=1)
    now = current(kms, key)
    assert now != before and len(now) == 64
    assert status(kms, key)["NextRotationDate"] == days(2 * period)
    assert rotations(kms, key) == [{"KeyId": key, "KeyMaterialId": now, "KeyMaterialState": "CURRENT",
                                    "RotationDate": days(period), "RotationType": "AUTOMATIC"}]
    assert rotations(kms, key, IncludeKeyMaterial=ALL)[0] == {"KeyId": key, "KeyMaterialId": before, "KeyMaterialState": "NON_CURRENT"}
    house.clock(advance=period * DAY)
    assert dates(kms, key) == [days(period), days(2 * period)]


def test_a_clock_that_jumps_makes_up_for_every_period(house, kms, key):
    other = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=90)
    kms.enable_key_rotation(KeyId=other, RotationPeriodInDays=100)
    house.clock(advance=400 * DAY)
    assert dates(kms, key) == [days(n) for n in (90, 180, 270, 360)]
    assert dates(kms, other) == [days(n) for n in (100, 200, 300, 400)]
    events = [(e["resources"][0]["ARN"].rpartition("/")[2], e["eventTime"], e["serviceEventDetails"]["currentKeyMaterialId"])
              for e in house.trail("RotateKey")]
    assert sorted(events) == sorted((k, r["RotationDate"].strftime("%Y-%m-%dT%H:%M:%SZ"), r["KeyMaterialId"])
                                    for k in (key, other) for r in rotations(kms, k))


def test_hundreds_of_keys_at_once(house, kms):
    keys = [kms.create_key()["KeyMetadata"]["KeyId"] for _ in range(300)]
    for key in keys:
        kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=90)
    house.clock(advance=180 * DAY)
    assert all(dates(kms, key) == [days(90), days(180)] for key in keys)
    assert len(house.trail("RotateKey")) == 600


def test_two_centuries(house, kms, key):
    kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=90)
    blob = kms.encrypt(KeyId=key, Plaintext=b"old")["CiphertextBlob"]
    house.clock(set="2226-01-01T00:00:00Z")
    n = (datetime.datetime.fromisoformat("2226-01-01T00:00:00+00:00") - days(0)).days // 90
    assert [r["RotationDate"] for r in pages(kms.list_key_rotations, "Rotations", KeyId=key, Limit=300)] == [
        days(90 * i) for i in range(1, n + 1)]
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"old"


def test_another_period_counts_from_when_it_was_set(house, kms, key):
    kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=90)
    house.clock(advance=80 * DAY)
    kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=200)
    assert status(kms, key)["NextRotationDate"] == days(280)
    kms.enable_key_rotation(KeyId=key)
    assert status(kms, key)["RotationPeriodInDays"] == 365
    house.clock(advance=364 * DAY)
    assert dates(kms, key) == []
    house.clock(advance=DAY)
    assert dates(kms, key) == [days(445)]


def test_disabling_rotation_keeps_the_material(house, kms, key):
    kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=90)
    house.clock(advance=100 * DAY)
    now = current(kms, key)
    kms.disable_key_rotation(KeyId=key)
    assert status(kms, key) == {"KeyId": key, "KeyRotationEnabled": False}
    kms.disable_key_rotation(KeyId=key)
    house.clock(advance=1000 * DAY)
    assert current(kms, key) == now and len(dates(kms, key)) == 1
    kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=90)
    assert status(kms, key)["NextRotationDate"] == days(1190)


def test_a_disabled_key_waits(house, kms, key):
    """The date passes while it is disabled: it rotates when it is enabled, once, and each period after that."""
    kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=100)
    kms.disable_key(KeyId=key)
    house.clock(advance=350 * DAY)
    assert dates(kms, key) == []
    assert status(kms, key)["KeyRotationEnabled"] is True, "disabling a key does not change it"
    kms.enable_key(KeyId=key)
    until(lambda: dates(kms, key) == [days(350)], "the rotation that was due")
    assert status(kms, key)["NextRotationDate"] == days(450)
    assert len(house.trail("RotateKey")) == 1


def test_a_key_that_was_disabled_in_between_keeps_its_schedule(house, kms, key):
    kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=100)
    kms.disable_key(KeyId=key)
    house.clock(advance=99 * DAY)
    kms.enable_key(KeyId=key)
    assert status(kms, key)["NextRotationDate"] == days(100)
    house.clock(advance=DAY)
    assert dates(kms, key) == [days(100)]


def test_a_key_that_waits_for_deletion_does_not_rotate(house, kms, key):
    kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=90)
    house.clock(advance=80 * DAY)
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=30)
    assert status(kms, key) == {"KeyId": key, "KeyRotationEnabled": False}
    house.clock(advance=29 * DAY)
    kms.cancel_key_deletion(KeyId=key)
    assert status(kms, key)["KeyRotationEnabled"] is True and dates(kms, key) == []
    kms.enable_key(KeyId=key)
    until(lambda: dates(kms, key) == [days(109)], "the rotation that was due")


# ---- on demand ----

def test_on_demand(house, kms, key):
    before = current(kms, key)
    answer = kms.rotate_key_on_demand(KeyId=key)
    assert members(answer) == {"KeyId"} and answer["KeyId"] == key
    now = until(lambda: current(kms, key) != before and current(kms, key), "the rotation")
    assert rotations(kms, key) == [{"KeyId": key, "KeyMaterialId": now, "KeyMaterialState": "CURRENT", "RotationDate": days(0),
                                    "RotationType": "ON_DEMAND"}]
    assert status(kms, key) == {"KeyId": key, "KeyRotationEnabled": False}


def test_it_leaves_the_schedule_alone(house, kms, key):
    kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=90)
    house.clock(advance=89 * DAY)
    rotate(kms, key)
    assert status(kms, key)["NextRotationDate"] == days(90)
    house.clock(advance=DAY)
    assert [(r["RotationType"], r["RotationDate"]) for r in rotations(kms, key)] == [
        ("ON_DEMAND", days(89)), ("AUTOMATIC", days(90))]


def test_not_when_the_automatic_one_is_about_to_begin(house, kms, key):
    kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=90)
    house.clock(advance=90 * DAY - 20 * 60)
    rotate(kms, key)
    house.clock(advance=1)
    assert code(kms.rotate_key_on_demand, KeyId=key) == "ConflictException"
    kms.disable_key_rotation(KeyId=key)
    rotate(kms, key)


def test_ten_times_and_no_more(house, kms, key):
    arn = kms.describe_key(KeyId=key)["KeyMetadata"]["Arn"]
    ids = [current(kms, key)] + [rotate(kms, key) for _ in range(10)]
    assert len(set(ids)) == 11
    full = ("LimitExceededException", "The on-demand rotations limit has been reached for the given keyId. "
            f"No more on-demand rotations can be performed for this key: {arn}")
    assert refused(kms.rotate_key_on_demand, KeyId=key) == full
    house.kmsd.restart()
    kms = house.kms()
    assert refused(kms.rotate_key_on_demand, KeyId=key) == full, "over its life"
    assert [r["KeyMaterialId"] for r in rotations(kms, key, IncludeKeyMaterial=ALL)] == ids
    kms.enable_key_rotation(KeyId=key)
    house.clock(advance=365 * DAY)
    assert current(kms, key) not in ids, "the automatic ones go on"


# ---- what was encrypted before ----

def test_old_ciphertexts_decrypt_for_ever(house, kms, key):
    context = {"a": "b"}
    made = []
    for i in range(5):
        blob = kms.encrypt(KeyId=key, Plaintext=b"%d" % i, EncryptionContext=context)["CiphertextBlob"]
        made.append((blob, b"%d" % i, current(kms, key)))
        data_key = kms.generate_data_key(KeyId=key, KeySpec="AES_256", EncryptionContext=context)
        assert data_key["KeyMaterialId"] == current(kms, key)
        made.append((data_key["CiphertextBlob"], data_key["Plaintext"], data_key["KeyMaterialId"]))
        sealed = kms.generate_data_key_without_plaintext(KeyId=key, NumberOfBytes=7)
        assert sealed["KeyMaterialId"] == current(kms, key)
        rotate(kms, key)
    assert len({blob[5:37] for blob, _, _ in made}) == 5, "a ciphertext names its material"
    house.kmsd.restart()
    kms = house.kms()
    for blob, plaintext, material in made:
        for named in ({}, {"KeyId": key}):
            answer = kms.decrypt(CiphertextBlob=blob, EncryptionContext=context, **named)
            assert (answer["Plaintext"], answer["KeyMaterialId"]) == (plaintext, material)
    answer = kms.re_encrypt(CiphertextBlob=made[0][0], SourceEncryptionContext=context, DestinationKeyId=key)
    assert (answer["SourceKeyMaterialId"], answer["DestinationKeyMaterialId"]) == (made[0][2], current(kms, key))
    assert kms.decrypt(CiphertextBlob=answer["CiphertextBlob"])["KeyMaterialId"] == current(kms, key)


def test_the_trail_names_the_material(house, kms, key):
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    first = current(kms, key)
    second = rotate(kms, key)
    kms.encrypt(KeyId=key, Plaintext=b"x")
    kms.decrypt(CiphertextBlob=blob)
    house.clock(advance=301)
    assert [e["additionalEventData"]["keyMaterialId"] for e in house.pick("Decrypt")] == [first]
    assert sorted(e["additionalEventData"]["keyMaterialId"] for e in house.pick("Encrypt")) == sorted([first, second])


def test_a_deleted_key_takes_all_its_material_along(house, kms, key):
    blobs = []
    for _ in range(3):
        blobs.append(kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"])
        rotate(kms, key)
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    house.clock(advance=7 * DAY)
    for _ in range(2):
        assert {code(house.kms().decrypt, CiphertextBlob=blob) for blob in blobs} == {"AccessDeniedException"}
        house.kmsd.restart()


# ---- the end of the process ----

def trail_tells_what_is(house, kms, key):
    """Every rotation has an event, and no event tells of material that is not there."""
    told = {e["serviceEventDetails"]["currentKeyMaterialId"] for e in house.trail("RotateKey")}
    return told == {r["KeyMaterialId"] for r in pages(kms.list_key_rotations, "Rotations", KeyId=key)}


@pytest.mark.parametrize("ending", ["restart", "kill"])
def test_schedule_and_materials_survive_the_end_of_the_process(house, kms, key, ending):
    kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=90)
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    for n in range(1, 4):
        house.clock(set=(days(90 * n) + datetime.timedelta(seconds=1)).isoformat())
        if ending == "kill":
            house.kmsd.kill()
            house.kmsd.start()
        else:
            house.kmsd.restart()
        kms = house.kms()
        assert dates(kms, key) == [days(90 * i) for i in range(1, n + 1)]
        assert status(kms, key)["NextRotationDate"] == days(90 * (n + 1))
        assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
    assert trail_tells_what_is(house, kms, key)


def test_killed_in_the_middle(house, kms, key):
    """Whatever was asked for is done, once, and the trail tells of what is there."""
    for n in range(1, 9):
        before = current(kms, key)
        kms.rotate_key_on_demand(KeyId=key)
        house.kmsd.kill()
        house.kmsd.start()
        kms = house.kms()
        until(lambda: "OnDemandRotationStartDate" not in status(kms, key), "the rotation to complete")
        assert len(dates(kms, key)) == n and current(kms, key) != before
    assert trail_tells_what_is(house, kms, key)


def test_dates_that_passed_while_kmsd_was_away(house, kms, key):
    kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=90)
    house.kmsd.terminate()
    house.kmsd.arguments = [a for a in house.kmsd.arguments if not a.startswith("--clock=")] + ["--clock=2027-05-20T20:45:00Z"]
    house.kmsd.start()
    until(lambda: dates(house.kms(), key) == [days(90 * i) for i in range(1, 5)], "the rotations")
    assert trail_tells_what_is(house, house.kms(), key)


def test_a_rotation_that_cannot_be_recorded_is_put_off(house, kms, key):
    kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=90)
    before = current(kms, key)
    with file_size_limit(house.kmsd, 1000):
        house.clock(advance=90 * DAY)
    assert current(kms, key) == before and status(kms, key)["NextRotationDate"] == days(90)
    assert code(kms.rotate_key_on_demand, KeyId=key) == "ConflictException"
    house.clock(advance=60)
    assert dates(kms, key) == [days(90)] and current(kms, key) != before
    assert "key rotation of" in house.kmsd.log_text()
    assert trail_tells_what_is(house, kms, key)


# ---- AWS managed keys ----

def test_aws_managed_keys_rotate_yearly(house, kms):
    key = kms.describe_key(KeyId="alias/aws/dynamodb")["KeyMetadata"]["KeyId"]
    assert status(kms, key) == {"KeyId": key, "KeyRotationEnabled": True, "RotationPeriodInDays": 365, "NextRotationDate": days(365)}
    house.clock(advance=800 * DAY)
    assert dates(kms, key) == [days(365), days(730)]
    for call in (kms.enable_key_rotation, kms.disable_key_rotation, kms.rotate_key_on_demand):
        assert code(call, KeyId=key) == "AccessDeniedException"


def test_tables_outlive_the_rotation_of_their_key(make_house):
    house = make_house()
    kms, dynamodb = house.kms(), house.dynamodb()
    table = make_table(dynamodb, sse=MANAGED)
    put(dynamodb, table, "a", x="old")
    house.clock(advance=366 * DAY)
    key = kms.describe_key(KeyId="alias/aws/dynamodb")["KeyMetadata"]["KeyId"]
    assert dates(kms, key) == [days(365)]
    assert get(dynamodb, table, "a") == {"x": "old"}
    put(dynamodb, table, "b", x="new")
    house.ddbd.restart()
    dynamodb = house.dynamodb()
    assert get(dynamodb, table, "a") == {"x": "old"} and get(dynamodb, table, "b") == {"x": "new"}


# ---- what is refused ----

def test_values(house, key):
    kms = unchecked(house)
    for period, sentence in ((89, "greater than or equal to 90"), (2561, "less than or equal to 2560")):
        assert refused(kms.enable_key_rotation, KeyId=key, RotationPeriodInDays=period) == (
            "ValidationException", f"1 validation error detected: Value '{period}' at 'rotationPeriodInDays' failed to satisfy "
            f"constraint: Member must have value {sentence}")
    assert refused(kms.list_key_rotations, KeyId=key, IncludeKeyMaterial="SOME") == (
        "ValidationException", "1 validation error detected: Value 'SOME' at 'includeKeyMaterial' failed to satisfy constraint: "
        "Member must satisfy enum value set: [ALL_KEY_MATERIAL, ROTATIONS_ONLY]")
    assert code(kms.list_key_rotations, KeyId=key, Limit=1001) == "ValidationException"
    for call in (kms.enable_key_rotation, kms.disable_key_rotation, kms.get_key_rotation_status, kms.list_key_rotations,
                 kms.rotate_key_on_demand):
        assert code(call) == "ValidationException"
        assert code(call, KeyId="alias/aws/dynamodb") == "InvalidArnException"
        assert code(call, KeyId="1234abcd-12ab-34cd-56ef-1234567890ab") == "NotFoundException"


@pytest.mark.parametrize("spec,usage", [("RSA_2048", "ENCRYPT_DECRYPT"), ("ECC_NIST_P256", "SIGN_VERIFY"),
                                        ("HMAC_256", "GENERATE_VERIFY_MAC")])
def test_only_symmetric_encryption_keys(house, kms, spec, usage):
    """AWS says nothing but the code; others do not rotate, and may be told so."""
    key = kms.create_key(KeySpec=spec, KeyUsage=usage)["KeyMetadata"]["KeyId"]
    for call in (kms.enable_key_rotation, kms.list_key_rotations, kms.rotate_key_on_demand):
        assert refused(call, KeyId=key) == ("UnsupportedOperationException", "")
    kms.disable_key_rotation(KeyId=key)
    assert status(kms, key) == {"KeyId": key, "KeyRotationEnabled": False}


def test_key_ids_are_told_as_they_were_asked_for(house, kms, key):
    arn = kms.describe_key(KeyId=key)["KeyMetadata"]["Arn"]
    assert kms.get_key_rotation_status(KeyId=arn)["KeyId"] == arn
    assert kms.rotate_key_on_demand(KeyId=arn)["KeyId"] == arn


def test_rights(make_house):
    house = make_house(ddbd=False, principals=PRINCIPALS)
    alice, bob, dave = (as_(house, who) for who in ("alice", "bob", "dave"))
    arn = alice.create_key()["KeyMetadata"]["Arn"]
    calls = ("enable_key_rotation", "disable_key_rotation", "get_key_rotation_status", "list_key_rotations", "rotate_key_on_demand")
    for call in calls:
        getattr(alice, call)(KeyId=arn)
        assert code(getattr(bob, call), KeyId=arn) == code(getattr(dave, call), KeyId=arn) == "AccessDeniedException"
    until(lambda: "OnDemandRotationStartDate" not in status(alice, arn), "the rotation to complete")
    policy = {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": [ARNS["alice"], ARNS["dave"]]}, "Action": "kms:*", "Resource": "*"},
        {"Effect": "Allow", "Principal": {"AWS": ARNS["bob"]}, "Action": "kms:RotateKeyOnDemand", "Resource": "*"}]}
    alice.put_key_policy(KeyId=arn, Policy=json.dumps(policy))
    assert [c for c in calls if allowed(getattr(bob, c), KeyId=arn)] == ["rotate_key_on_demand"]
    assert [c for c in calls if allowed(getattr(dave, c), KeyId=arn)] == ["get_key_rotation_status"], "the only one for other accounts"
