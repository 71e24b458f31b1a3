"""Aliases and tags."""
import pytest

from asking import code, members, pages, refused
from daemons import ACCOUNT, REGION


def arn_of(alias):
    return f"arn:aws:kms:{REGION}:{ACCOUNT}:{alias}"


@pytest.fixture
def name(request):
    return f"alias/{abs(hash(request.node.name))}"


def test_life_of_an_alias(kms, key, name):
    assert members(kms.create_alias(AliasName=name, TargetKeyId=key)) == set()
    (entry,) = kms.list_aliases(KeyId=key)["Aliases"]
    assert set(entry) == {"AliasArn", "AliasName", "CreationDate", "LastUpdatedDate", "TargetKeyId"}
    assert (entry["AliasArn"], entry["AliasName"], entry["TargetKeyId"]) == (arn_of(name), name, key)
    assert entry["CreationDate"] == entry["LastUpdatedDate"]
    other = kms.create_key()["KeyMetadata"]["KeyId"]
    assert members(kms.update_alias(AliasName=name, TargetKeyId=other)) == set()
    assert kms.list_aliases(KeyId=key)["Aliases"] == []
    assert kms.list_aliases(KeyId=other)["Aliases"][0]["AliasName"] == name
    assert kms.describe_key(KeyId=name)["KeyMetadata"]["KeyId"] == other
    assert members(kms.delete_alias(AliasName=name)) == set()
    assert code(kms.describe_key, KeyId=name) == "NotFoundException"
    assert kms.describe_key(KeyId=other)["KeyMetadata"]["KeyState"] == "Enabled"


def test_update_moves_the_second_date_only(house, kms, key, name):
    kms.create_alias(AliasName=name, TargetKeyId=key)
    made = kms.list_aliases(KeyId=key)["Aliases"][0]
    house.clock(advance=60)
    kms.update_alias(AliasName=name, TargetKeyId=key)
    entry = kms.list_aliases(KeyId=key)["Aliases"][0]
    assert entry["CreationDate"] == made["CreationDate"]
    assert (entry["LastUpdatedDate"] - made["LastUpdatedDate"]).total_seconds() == 60


def test_an_alias_is_followed_when_it_moves(kms, key, name):
    other = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName=name, TargetKeyId=key)
    blob = kms.encrypt(KeyId=name, Plaintext=b"x")["CiphertextBlob"]
    kms.update_alias(AliasName=name, TargetKeyId=other)
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
    assert code(kms.decrypt, CiphertextBlob=blob, KeyId=name) == "IncorrectKeyException"


def test_an_alias_moves_among_keys_of_one_kind(kms, key, name):
    def made(spec, usage):
        return kms.create_key(KeySpec=spec, KeyUsage=usage)["KeyMetadata"]["KeyId"]
    rsa, mac = made("RSA_2048", "ENCRYPT_DECRYPT"), made("HMAC_256", "GENERATE_VERIFY_MAC")
    signing, other = made("RSA_2048", "SIGN_VERIFY"), made("ECC_NIST_P384", "SIGN_VERIFY")
    kms.create_alias(AliasName=name, TargetKeyId=key)
    for target in (rsa, mac, signing):
        assert code(kms.update_alias, AliasName=name, TargetKeyId=target) == "ValidationException"
    assert kms.describe_key(KeyId=name)["KeyMetadata"]["KeyId"] == key
    kms.create_alias(AliasName=f"{name}/signing", TargetKeyId=signing)
    kms.update_alias(AliasName=f"{name}/signing", TargetKeyId=other)
    assert kms.describe_key(KeyId=f"{name}/signing")["KeyMetadata"]["KeyId"] == other
    for target in (rsa, mac, key):
        assert code(kms.update_alias, AliasName=f"{name}/signing", TargetKeyId=target) == "ValidationException"


def test_the_same_name_twice(kms, key, name):
    kms.create_alias(AliasName=name, TargetKeyId=key)
    assert refused(kms.create_alias, AliasName=name, TargetKeyId=key) == (
        "AlreadyExistsException", f"An alias with the name {arn_of(name)} already exists")


@pytest.mark.parametrize("name,wanted", [
    ("alias/aws/mine", "NotAuthorizedException"), ("alias/aws/dynamodb", "NotAuthorizedException"),
    ("alias/with:colon", "ValidationException"), ("alias/with space", "ValidationException"),
    ("alias/ü", "ValidationException"), ("alias/" + "x" * 251, "ValidationException"), ("alias/", "ValidationException"),
    ("Alias/x", "ValidationException")])
def test_names_that_are_refused(kms, key, name, wanted):
    assert code(kms.create_alias, AliasName=name, TargetKeyId=key) == wanted
    assert code(kms.delete_alias, AliasName=name) == wanted


@pytest.mark.parametrize("name", ["alias/a", "alias/A", "alias/a/b/c", "alias/-_-", "alias/0", "alias/" + "x" * 250])
def test_names_that_are_fine(kms, key, name):
    kms.create_alias(AliasName=name, TargetKeyId=key)
    assert kms.describe_key(KeyId=arn_of(name))["KeyMetadata"]["KeyId"] == key


def test_an_alias_is_no_target(kms, key, name):
    kms.create_alias(AliasName=name, TargetKeyId=key)
    for target in (name, arn_of(name)):
        assert code(kms.create_alias, AliasName=f"{name}-2", TargetKeyId=target) == "ValidationException"


def test_fifty_aliases_a_key(kms, key, name):
    for i in range(50):
        kms.create_alias(AliasName=f"{name}/{i}", TargetKeyId=key)
    assert refused(kms.create_alias, AliasName=f"{name}/50", TargetKeyId=key) == (
        "LimitExceededException", "Aliases per key quota for this account in this region is 50, current usage is 50.")
    other = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName=f"{name}/50", TargetKeyId=other)
    assert code(kms.update_alias, AliasName=f"{name}/50", TargetKeyId=key) == "LimitExceededException"
    kms.update_alias(AliasName=f"{name}/0", TargetKeyId=key)
    assert len(pages(kms.list_aliases, "Aliases", KeyId=key)) == 50


def test_aliases_of_another_region_and_account(house, kms, key, name):
    kms.create_alias(AliasName=name, TargetKeyId=key)
    for other in (house.kms("444455556666"), house.kms(region="eu-west-1")):
        assert name not in [a["AliasName"] for a in pages(other.list_aliases, "Aliases")]
        mine = other.create_key()["KeyMetadata"]["KeyId"]
        other.create_alias(AliasName=name, TargetKeyId=mine)
        assert other.describe_key(KeyId=name)["KeyMetadata"]["KeyId"] == mine
        other.delete_alias(AliasName=name)
    assert kms.describe_key(KeyId=name)["KeyMetadata"]["KeyId"] == key


def test_aliases_survive_a_restart(make_house):
    house = make_house(ddbd=False)
    kms = house.kms()
    a, b = (kms.create_key()["KeyMetadata"]["KeyId"] for _ in range(2))
    for name in ("alias/one", "alias/two", "alias/three"):
        kms.create_alias(AliasName=name, TargetKeyId=a)
    kms.update_alias(AliasName="alias/two", TargetKeyId=b)
    kms.delete_alias(AliasName="alias/three")
    before = kms.list_aliases()["Aliases"]
    house.kmsd.restart()
    assert house.kms().list_aliases()["Aliases"] == before
    assert [(x["AliasName"], x["TargetKeyId"]) for x in before if "TargetKeyId" in x] == [("alias/one", a), ("alias/two", b)]


# ---- tags ----

def tags(kms, key, **more):
    return {t["TagKey"]: t["TagValue"] for t in pages(kms.list_resource_tags, "Tags", KeyId=key, **more)}


def put(kms, key, **pairs):
    kms.tag_resource(KeyId=key, Tags=[{"TagKey": k, "TagValue": v} for k, v in pairs.items()])


def test_life_of_tags(kms, key):
    assert tags(kms, key) == {}
    put(kms, key, a="1", b="", ü="ü")
    put(kms, key, a="2", c="3")
    assert tags(kms, key) == {"a": "2", "b": "", "c": "3", "ü": "ü"}
    assert members(kms.untag_resource(KeyId=key, TagKeys=["a", "none"])) == set()
    assert tags(kms, key) == {"b": "", "c": "3", "ü": "ü"}


def test_tags_know_case(kms, key):
    put(kms, key, Team="1", team="2")
    assert tags(kms, key) == {"Team": "1", "team": "2"}


def test_pages_of_tags(kms, key):
    wanted = {f"k{i:02}": str(i) for i in range(50)}
    put(kms, key, **wanted)
    for limit in (1, 7, 49, 50, 1000):
        assert tags(kms, key, Limit=limit) == wanted


def test_reserved_tags_cannot_be_taken_away(kms, key):
    assert code(kms.untag_resource, KeyId=key, TagKeys=["aws:x"]) == "TagException"


def test_tags_survive_a_restart(make_house):
    house = make_house(ddbd=False)
    kms = house.kms()
    key = kms.create_key(Tags=[{"TagKey": "x", "TagValue": "y"}])["KeyMetadata"]["KeyId"]
    put(kms, key, more="z")
    kms.untag_resource(KeyId=key, TagKeys=["x"])
    kms.update_key_description(KeyId=key, Description="told")
    kms.disable_key(KeyId=key)
    house.kmsd.restart()
    assert tags(house.kms(), key) == {"more": "z"}
    m = house.kms().describe_key(KeyId=key)["KeyMetadata"]
    assert (m["Description"], m["KeyState"]) == ("told", "Disabled")


# ---- AWS managed keys ----

def test_what_cannot_be_done_to_an_aws_managed_key(kms):
    key = kms.describe_key(KeyId="alias/aws/dynamodb")["KeyMetadata"]["KeyId"]
    for call, more in [(kms.disable_key, {}), (kms.schedule_key_deletion, {}), (kms.put_key_policy, {"Policy": "{}"}),
                       (kms.tag_resource, {"Tags": []}), (kms.update_key_description, {"Description": "mine"}),
                       (kms.encrypt, {"Plaintext": b"x"}), (kms.generate_data_key, {"KeySpec": "AES_256"}),
                       (kms.create_grant, {"GranteePrincipal": f"arn:aws:iam::{ACCOUNT}:root", "Operations": ["Decrypt"]})]:
        assert code(call, KeyId=key, **more) == "AccessDeniedException"
    assert code(kms.create_alias, AliasName="alias/mine", TargetKeyId=key) == "AccessDeniedException"
    for call in (kms.list_grants, kms.list_resource_tags, kms.list_key_policies, kms.get_key_policy, kms.list_aliases):
        call(KeyId=key)


def test_a_name_that_makes_no_key(house):
    """Only a key that the call is about is made on first use, not one that a ciphertext would be of."""
    kms = house.kms(region="eu-north-1")
    assert code(kms.decrypt, CiphertextBlob=b"x" * 200, KeyId="alias/aws/dynamodb") == "NotFoundException"
    assert code(kms.describe_key, KeyId="alias/aws/other") == "NotFoundException"
    assert kms.list_keys()["Keys"] == []
