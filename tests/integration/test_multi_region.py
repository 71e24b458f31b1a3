"""Multi-Region keys: replicas, what related keys share and what is each key's own, rotation, another primary Region, who may
do it."""
import json
import re

import pytest

from asking import ARNS, KEYS, PRINCIPALS, code, members, refused, rotate, secret_of
from asymmetric import KINDS
from daemons import ACCOUNT, until
from multi_region import (DAY, ELSEWHERE, HERE, THERE, arn, configuration, days, described, history, replicate, rotation, state)


@pytest.fixture
def house(make_house):
    return make_house(ddbd=False)


@pytest.fixture
def key(kms):
    """The id of a new primary key."""
    return kms.create_key(MultiRegion=True)["KeyMetadata"]["KeyId"]


@pytest.fixture
def there(house):
    return house.kms(region=THERE)


# ---- making them ----

def test_a_primary_key(kms):
    made = kms.create_key(MultiRegion=True)["KeyMetadata"]
    assert re.fullmatch(r"mrk-[0-9a-f]{32}", made["KeyId"]) and made["Arn"] == arn(made["KeyId"])
    assert (made["MultiRegion"], made["KeyState"], made["Enabled"]) == (True, "Enabled", True)
    assert made["MultiRegionConfiguration"] == configuration(made["KeyId"], "PRIMARY", HERE)
    assert described(kms, made["KeyId"]) == made
    single = kms.create_key(MultiRegion=False)["KeyMetadata"]
    assert not single["MultiRegion"] and "MultiRegionConfiguration" not in single


def test_a_replica(house, kms, there, key):
    primary = described(kms, key)
    assert refused(there.describe_key, KeyId=key) == ("NotFoundException", f"Key '{arn(key, THERE)}' does not exist")
    house.clock(advance=60)
    answer = kms.replicate_key(KeyId=key, ReplicaRegion=THERE)
    made = answer["ReplicaKeyMetadata"]
    assert members(answer) == {"ReplicaKeyMetadata", "ReplicaPolicy", "ReplicaTags"} and answer["ReplicaTags"] == []
    assert made == {
        **{n: v for n, v in primary.items() if n != "CurrentKeyMaterialId"}, "Arn": arn(key, THERE), "Enabled": False,
        "KeyState": "Creating", "CreationDate": days(0, 60), "MultiRegionConfiguration": configuration(key, "REPLICA", HERE, THERE)}
    assert answer["ReplicaPolicy"] == there.get_key_policy(KeyId=key)["Policy"] == kms.get_key_policy(KeyId=key)["Policy"]
    assert described(there, key) == made
    assert refused(there.encrypt, KeyId=key, Plaintext=b"x") == ("KMSInvalidStateException", f"{arn(key, THERE)} is creating.")
    house.clock(advance=1)
    assert described(there, key) == {**made, "Enabled": True, "KeyState": "Enabled",
                                     "CurrentKeyMaterialId": primary["CurrentKeyMaterialId"]}
    assert described(kms, key) == {**primary, "MultiRegionConfiguration": configuration(key, "PRIMARY", HERE, THERE)}
    assert [k["KeyArn"] for k in there.list_keys()["Keys"]] == [arn(key, THERE)]


def test_replicas_are_listed_everywhere(house, kms, key):
    for region in (THERE, ELSEWHERE):
        replicate(house, kms, key, region)
    for region, kind in ((HERE, "PRIMARY"), (THERE, "REPLICA"), (ELSEWHERE, "REPLICA")):
        assert described(house.kms(region=region), key)["MultiRegionConfiguration"] == configuration(key, kind, HERE, ELSEWHERE, THERE)


def test_all_said(house, kms, there, key):
    policy = json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "kms:*", "Resource": "*"}]})
    tags = [{"TagKey": "a", "TagValue": "1"}, {"TagKey": "b", "TagValue": ""}]
    answer = kms.replicate_key(KeyId=arn(key), ReplicaRegion=THERE, Policy=policy, BypassPolicyLockoutSafetyCheck=True,
                               Description="the other", Tags=tags)
    assert answer["ReplicaPolicy"] == policy == there.get_key_policy(KeyId=key)["Policy"]
    assert answer["ReplicaTags"] == tags == there.list_resource_tags(KeyId=key)["Tags"]
    assert answer["ReplicaKeyMetadata"]["Description"] == "the other" == described(there, key)["Description"]
    assert described(kms, key)["Description"] == "" and kms.list_resource_tags(KeyId=key)["Tags"] == []


def test_what_cannot_be_replicated(house, kms, key):
    single = kms.create_key()["KeyMetadata"]
    there = replicate(house, kms, key)
    for client, k, a in ((kms, single["KeyId"], single["Arn"]), (there, key, arn(key, THERE))):
        assert refused(client.replicate_key, KeyId=k, ReplicaRegion=ELSEWHERE) == (
            "UnsupportedOperationException", f"{a} is not a multi-region primary key.")
    for region in (HERE, THERE):
        assert refused(kms.replicate_key, KeyId=key, ReplicaRegion=region) == (
            "AlreadyExistsException", f"A key with the ARN {arn(key, region)} already exists")
    for region in ("us-nowhere-1", "cn-north-1", "us-gov-west-1"):
        assert refused(kms.replicate_key, KeyId=key, ReplicaRegion=region) == (
            "UnsupportedOperationException", f"ReplicaRegion {region} is not a Region of the partition aws.")
    assert refused(kms.replicate_key, KeyId=key, ReplicaRegion="us_east_1") == (
        "ValidationException", "1 validation error detected: Value 'us_east_1' at 'replicaRegion' failed to satisfy constraint: "
        r"Member must satisfy regular expression pattern: ^([a-z]+-){2,3}\d+$")
    assert code(kms.replicate_key, KeyId=key, ReplicaRegion=ELSEWHERE, Policy="{") == "MalformedPolicyDocumentException"
    assert code(kms.replicate_key, KeyId=key, ReplicaRegion=ELSEWHERE, Tags=[{"TagKey": "aws:a", "TagValue": ""}]) == "TagException"
    assert code(house.kms(region=ELSEWHERE).describe_key, KeyId=key) == "NotFoundException"
    assert refused(there.describe_key, KeyId=arn(key)) == ("NotFoundException", f"Invalid arn {HERE}")


@pytest.mark.parametrize("region", ["us-east-", "us-1", "us-east-1a", "a-b-c-d-1", "Us-east-1", "us-east-1\n", "us--1"])
def test_what_is_no_region(kms, key, region):
    for call, name in ((kms.replicate_key, "ReplicaRegion"), (kms.update_primary_region, "PrimaryRegion")):
        assert code(call, KeyId=key, **{name: region}) == "ValidationException"


def test_other_partitions_have_replicas_of_their_own(house):
    beijing = house.kms(region="cn-north-1")
    key = beijing.create_key(MultiRegion=True, KeySpec="SM2", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
    ningxia = replicate(house, beijing, key, "cn-northwest-1")
    assert described(ningxia, key)["Arn"] == f"arn:aws-cn:kms:cn-northwest-1:{ACCOUNT}:key/{key}"
    assert code(beijing.replicate_key, KeyId=key, ReplicaRegion=HERE) == "UnsupportedOperationException"


def test_not_in_custom_key_stores(kms):
    assert refused(kms.create_key, MultiRegion=True, Origin="AWS_CLOUDHSM", CustomKeyStoreId="cks-1234567890abcdef0") == (
        "UnsupportedOperationException", "Multi-Region keys are not supported in custom key stores.")


def test_disabled_primary_keys_are_not_replicated(kms, key):
    kms.disable_key(KeyId=key)
    assert refused(kms.replicate_key, KeyId=key, ReplicaRegion=THERE) == ("DisabledException", f"{arn(key)} is disabled.")


def test_accounts_and_families_are_apart(house, kms, key):
    """A key of the same id in another account is nobody's relative."""
    there = replicate(house, kms, key)
    other = house.kms("444455556666", region=THERE)
    assert code(other.describe_key, KeyId=key) == "NotFoundException"
    second = kms.create_key(MultiRegion=True)["KeyMetadata"]["KeyId"]
    replicate(house, kms, second)
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    assert code(there.decrypt, CiphertextBlob=blob, KeyId=second) == "IncorrectKeyException"
    assert there.decrypt(CiphertextBlob=blob)["KeyId"] == arn(key, THERE)


# ---- what they are for ----

def test_a_ciphertext_decrypts_in_every_region(house, kms, key):
    there = replicate(house, kms, key)
    context = {"a": "b"}
    for ours, others, region in ((kms, there, THERE), (there, kms, HERE)):
        sealed = ours.encrypt(KeyId=key, Plaintext=b"text", EncryptionContext=context)["CiphertextBlob"]
        for name in ({}, {"KeyId": key}, {"KeyId": arn(key, region)}):
            opened = others.decrypt(CiphertextBlob=sealed, EncryptionContext=context, **name)
            assert (opened["Plaintext"], opened["KeyId"]) == (b"text", arn(key, region))
            assert opened["KeyMaterialId"] == described(kms, key)["CurrentKeyMaterialId"]
        data_key = ours.generate_data_key(KeyId=key, KeySpec="AES_256")
        again = others.re_encrypt(CiphertextBlob=data_key["CiphertextBlob"], DestinationKeyId=key)
        assert (again["SourceKeyId"], again["KeyId"]) == (arn(key, region), arn(key, region))
        assert ours.decrypt(CiphertextBlob=again["CiphertextBlob"])["Plaintext"] == data_key["Plaintext"]


def test_a_ciphertext_of_an_unrelated_region_does_not(house, kms, key):
    there = replicate(house, kms, key)
    for client in (kms, there):
        blob = client.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
        assert code(house.kms(region=ELSEWHERE).decrypt, CiphertextBlob=blob) == "AccessDeniedException"
    single = kms.create_key()["KeyMetadata"]["KeyId"]
    blob = kms.encrypt(KeyId=single, Plaintext=b"x")["CiphertextBlob"]
    assert code(there.decrypt, CiphertextBlob=blob) == "AccessDeniedException"
    assert code(there.decrypt, CiphertextBlob=blob, KeyId=key) == "IncorrectKeyException"


@pytest.mark.parametrize("spec,usage", [("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"), *KINDS])
def test_every_kind(house, kms, spec, usage):
    made = kms.create_key(MultiRegion=True, KeySpec=spec, KeyUsage=usage)["KeyMetadata"]
    key = made["KeyId"]
    there = replicate(house, kms, key)
    replica = described(there, key)
    own = {"Arn", "MultiRegionConfiguration", "CreationDate"}
    assert {n: v for n, v in made.items() if n not in own} == {n: v for n, v in replica.items() if n not in own}
    if usage == "SIGN_VERIFY":
        how = {"Message": b"m", "SigningAlgorithm": made["SigningAlgorithms"][0]}
        signature = kms.sign(KeyId=key, **how)["Signature"]
        assert there.verify(KeyId=key, Signature=signature, **how)["SignatureValid"]
    if usage == "GENERATE_VERIFY_MAC":
        how = {"Message": b"m", "MacAlgorithm": made["MacAlgorithms"][0]}
        assert there.verify_mac(KeyId=key, Mac=kms.generate_mac(KeyId=key, **how)["Mac"], **how)["MacValid"]
    if usage == "ENCRYPT_DECRYPT":
        how = {"KeyId": key, "EncryptionAlgorithm": made["EncryptionAlgorithms"][0]}
        blob = there.encrypt(Plaintext=b"x", **how)["CiphertextBlob"]
        assert kms.decrypt(CiphertextBlob=blob, **how)["Plaintext"] == b"x"
    if usage not in ("GENERATE_VERIFY_MAC",) and spec != "SYMMETRIC_DEFAULT":
        assert kms.get_public_key(KeyId=key)["PublicKey"] == there.get_public_key(KeyId=key)["PublicKey"]


# ---- what is each key's own ----

def test_independent_properties(house, kms, key):
    there = replicate(house, kms, key)
    kms.update_key_description(KeyId=key, Description="here")
    kms.tag_resource(KeyId=key, Tags=[{"TagKey": "k", "TagValue": "v"}])
    kms.create_alias(AliasName="alias/mine", TargetKeyId=key)
    grant = kms.create_grant(KeyId=key, GranteePrincipal=ARNS["bob"], Operations=["Decrypt"])
    assert described(there, key)["Description"] == ""
    assert there.list_resource_tags(KeyId=key)["Tags"] == [] == there.list_aliases(KeyId=key)["Aliases"]
    assert there.list_grants(KeyId=key)["Grants"] == []
    assert code(there.revoke_grant, KeyId=key, GrantId=grant["GrantId"]) == "NotFoundException"
    there.create_alias(AliasName="alias/mine", TargetKeyId=key)
    there.disable_key(KeyId=key)
    assert (state(kms, key), state(there, key)) == ("Enabled", "Disabled")
    blob = kms.encrypt(KeyId="alias/mine", Plaintext=b"x")["CiphertextBlob"]
    assert refused(there.decrypt, CiphertextBlob=blob) == ("DisabledException", f"{arn(key, THERE)} is disabled.")
    kms.disable_key(KeyId=key)
    there.enable_key(KeyId=key)
    assert (state(kms, key), there.decrypt(CiphertextBlob=blob)["Plaintext"]) == ("Disabled", b"x")


# ---- rotation ----

def test_rotation_is_shared(house, kms, key):
    there = replicate(house, kms, key)
    kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=90)
    assert rotation(there, key) == rotation(kms, key) and rotation(kms, key)["KeyRotationEnabled"]
    old = there.encrypt(KeyId=key, Plaintext=b"old")["CiphertextBlob"]
    house.clock(advance=90 * DAY)
    assert history(there, key) == history(kms, key) and len(history(kms, key)) == 2
    assert rotation(there, key) == rotation(kms, key)
    late = replicate(house, kms, key, ELSEWHERE)
    rotated = rotate(kms, key)
    assert history(late, key) == history(there, key) == history(kms, key)
    assert [described(c, key)["CurrentKeyMaterialId"] for c in (kms, there, late)] == [rotated] * 3
    new = late.encrypt(KeyId=key, Plaintext=b"new")["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=new)["KeyMaterialId"] == there.decrypt(CiphertextBlob=new)["KeyMaterialId"] == rotated
    assert [c.decrypt(CiphertextBlob=old)["Plaintext"] for c in (kms, there, late)] == [b"old"] * 3
    kms.disable_key_rotation(KeyId=key)
    assert not rotation(there, key)["KeyRotationEnabled"]


def test_only_the_primary_key_is_rotated(house, kms, key):
    there = replicate(house, kms, key)
    for call in (there.enable_key_rotation, there.disable_key_rotation, there.rotate_key_on_demand):
        assert refused(call, KeyId=key) == ("UnsupportedOperationException", f"{arn(key, THERE)} is not a multi-region primary key.")
    kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=90)
    there.disable_key(KeyId=key)
    house.clock(advance=90 * DAY)
    there.enable_key(KeyId=key)
    assert history(there, key) == history(kms, key) and len(history(kms, key)) == 2, "a disabled replica keeps up"
    kms.disable_key(KeyId=key)
    house.clock(advance=180 * DAY)
    there.disable_key(KeyId=key)
    there.enable_key(KeyId=key)
    assert len(history(there, key)) == 2 and rotation(there, key)["NextRotationDate"] == rotation(kms, key)["NextRotationDate"]
    kms.enable_key(KeyId=key)
    until(lambda: len(history(there, key)) == 3, "the rotation that was due")
    assert history(there, key) == history(kms, key) and rotation(there, key) == rotation(kms, key)


# ---- another primary Region ----

def test_update_primary_region(house, kms, key):
    there = replicate(house, kms, key)
    kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=90)
    house.clock(advance=1)
    answer = kms.update_primary_region(KeyId=key, PrimaryRegion=THERE)
    assert members(answer) == set()
    assert (state(kms, key), state(there, key)) == ("Updating", "Updating")
    assert described(kms, key)["MultiRegionConfiguration"] == configuration(key, "REPLICA", THERE, HERE)
    assert described(there, key)["MultiRegionConfiguration"] == configuration(key, "PRIMARY", THERE, HERE)
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    assert there.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x", "the keys go on working"
    for call, more in ((there.replicate_key, {"ReplicaRegion": ELSEWHERE}), (there.disable_key, {}), (there.schedule_key_deletion, {})):
        assert refused(call, KeyId=key, **more) == ("KMSInvalidStateException", f"{arn(key, THERE)} is updating.")
    house.clock(advance=1)
    assert (state(kms, key), state(there, key)) == ("Enabled", "Enabled")
    assert code(kms.replicate_key, KeyId=key, ReplicaRegion=ELSEWHERE) == "UnsupportedOperationException"
    replicate(house, there, key, ELSEWHERE)
    assert described(kms, key)["MultiRegionConfiguration"] == configuration(key, "REPLICA", THERE, ELSEWHERE, HERE)
    house.clock(advance=90 * DAY)
    assert len(history(kms, key)) == 2 and history(kms, key) == history(there, key), "the schedule goes on in the new primary Region"
    rotate(there, key)
    there.update_primary_region(KeyId=arn(key, THERE), PrimaryRegion=HERE)
    kms.update_primary_region(KeyId=key, PrimaryRegion=THERE)
    house.clock(advance=1)
    assert described(there, key)["MultiRegionConfiguration"] == configuration(key, "PRIMARY", THERE, ELSEWHERE, HERE)


def test_a_rotation_that_was_asked_for_moves_along(house, kms, key):
    there = replicate(house, kms, key)
    kms.rotate_key_on_demand(KeyId=key)
    kms.update_primary_region(KeyId=key, PrimaryRegion=THERE)
    until(lambda: len(history(there, key)) == 2, "the rotation")
    assert history(there, key) == history(kms, key)


def test_where_the_primary_region_cannot_go(house, kms, key):
    there = replicate(house, kms, key)
    single = kms.create_key()["KeyMetadata"]
    assert refused(kms.update_primary_region, KeyId=single["KeyId"], PrimaryRegion=THERE) == (
        "UnsupportedOperationException", f"{single['Arn']} is not a multi-region primary key.")
    assert refused(there.update_primary_region, KeyId=key, PrimaryRegion=THERE) == (
        "UnsupportedOperationException", f"{arn(key, THERE)} is not a multi-region primary key.")
    assert refused(kms.update_primary_region, KeyId=key, PrimaryRegion=HERE) == (
        "UnsupportedOperationException", f"{arn(key)} is not a multi-region replica key.")
    assert refused(kms.update_primary_region, KeyId=key, PrimaryRegion=ELSEWHERE) == (
        "NotFoundException", f"Key '{arn(key, ELSEWHERE)}' does not exist")
    kms.replicate_key(KeyId=key, ReplicaRegion=ELSEWHERE)
    assert refused(kms.update_primary_region, KeyId=key, PrimaryRegion=ELSEWHERE) == (
        "KMSInvalidStateException", f"{arn(key, ELSEWHERE)} is creating.")
    there.disable_key(KeyId=key)
    assert refused(kms.update_primary_region, KeyId=key, PrimaryRegion=THERE) == ("DisabledException", f"{arn(key, THERE)} is disabled.")
    assert described(kms, key)["MultiRegionConfiguration"]["PrimaryKey"]["Region"] == HERE


# ---- rights ----

def allow(*actions):
    return {"some": {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": "*"}]}}


def with_bob(*actions):
    principals = json.loads(json.dumps(PRINCIPALS))
    principals["accounts"][ACCOUNT]["users"]["bob"]["policies"] = allow(*actions)
    return principals


@pytest.mark.parametrize("actions,missing", [
    (["kms:CreateKey", "kms:TagResource"], "kms:ReplicateKey"), (["kms:ReplicateKey", "kms:TagResource"], "kms:CreateKey"),
    (["kms:ReplicateKey", "kms:CreateKey"], "kms:TagResource")])
def test_rights_to_replicate(make_house, actions, missing):
    house = make_house(ddbd=False, principals=with_bob(*actions))
    key = house.kms(KEYS["alice"], secret_of(KEYS["alice"])).create_key(MultiRegion=True)["KeyMetadata"]["KeyId"]
    bob = house.kms(KEYS["bob"], secret_of(KEYS["bob"]))
    tags = {"Tags": [{"TagKey": "k", "TagValue": "v"}]}
    told, message = refused(bob.replicate_key, KeyId=key, ReplicaRegion=THERE, **tags)
    assert told == "AccessDeniedException" and missing in message, message
    if missing == "kms:TagResource":
        bob.replicate_key(KeyId=key, ReplicaRegion=THERE, BypassPolicyLockoutSafetyCheck=True)


def test_rights_to_move(make_house):
    house = make_house(ddbd=False, principals=PRINCIPALS)
    alice = {r: house.kms(KEYS["alice"], secret_of(KEYS["alice"]), region=r) for r in (HERE, THERE)}
    bob = house.kms(KEYS["bob"], secret_of(KEYS["bob"]))
    dave = house.kms(KEYS["dave"], secret_of(KEYS["dave"]))
    key = alice[HERE].create_key(MultiRegion=True)["KeyMetadata"]["KeyId"]
    replicate(house, alice[HERE], key)
    policy = json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "kms:*", "Resource": "*"},
        {"Effect": "Allow", "Principal": {"AWS": [ARNS["bob"], ARNS["dave"]]}, "Action": "kms:UpdatePrimaryRegion", "Resource": "*"}]})
    move = {"KeyId": arn(key), "PrimaryRegion": THERE}
    for region in (HERE, THERE):
        told, message = refused(bob.update_primary_region, **move)
        assert told == "AccessDeniedException" and arn(key, region) in message, "both keys are asked"
        alice[region].put_key_policy(KeyId=key, Policy=policy)
    assert code(dave.update_primary_region, **move) == "AccessDeniedException", "not for other accounts"
    bob.update_primary_region(**move)
