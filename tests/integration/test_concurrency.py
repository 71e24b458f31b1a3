"""Many at once: what each caller was told stays true whatever the others do. Run once more under ThreadSanitizer."""
import collections
import itertools
import json
import signal

import botocore.exceptions
import pytest

from asking import ARNS, PRINCIPALS, ROLE_ARNS, as_, code, opened, pages
from conftest import VIRTUAL
from daemons import ACCOUNT, in_threads

pytestmark = pytest.mark.concurrency
THREADS = 8


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    with opened(tmp_path_factory.mktemp("house"), kmsd=[*VIRTUAL, "--workers=4"], principals=PRINCIPALS) as house:
        yield house


def may(call, *codes, **parameters):
    """The answer, or None when the call is refused with one of the codes."""
    try:
        return call(**parameters)
    except botocore.exceptions.ClientError as error:
        if error.response["Error"]["Code"] in codes:
            return None
        raise


def test_keys_made_at_once_are_all_there(house):
    made = [[] for _ in range(THREADS)]

    def work(i):
        kms = house.kms("121212121212")
        for n in range(10):
            key = kms.create_key(Description=f"{i}/{n}")["KeyMetadata"]
            kms.create_alias(AliasName=f"alias/{i}/{n}", TargetKeyId=key["KeyId"])
            made[i].append(key)
            assert kms.describe_key(KeyId=f"alias/{i}/{n}")["KeyMetadata"] == key
    in_threads(THREADS, work)
    kms = house.kms("121212121212")
    ids = {k["KeyId"] for k in itertools.chain(*made)}
    assert len(ids) == 10 * THREADS
    assert {k["KeyId"] for k in pages(kms.list_keys, "Keys", Limit=7)} == ids
    assert len([a for a in pages(kms.list_aliases, "Aliases", Limit=7) if "TargetKeyId" in a]) == 10 * THREADS


def test_one_alias_is_made_once(house):
    kms = house.kms()
    keys = [kms.create_key()["KeyMetadata"]["KeyId"] for _ in range(THREADS)]
    for n in range(5):
        won = []

        def work(i):
            if may(house.kms().create_alias, "AlreadyExistsException", AliasName=f"alias/race-{n}", TargetKeyId=keys[i]):
                won.append(keys[i])
        in_threads(THREADS, work)
        assert len(won) == 1
        assert kms.describe_key(KeyId=f"alias/race-{n}")["KeyMetadata"]["KeyId"] == won[0]


def test_an_aws_managed_key_is_made_once(house):
    for region in ("us-west-1", "us-west-2", "eu-west-1"):
        seen = [None] * THREADS

        def work(i):
            kms = house.kms(region=region)
            if i % 2:
                may(kms.decrypt, "InvalidCiphertextException", "AccessDeniedException", "NotFoundException",
                    CiphertextBlob=b"none", KeyId="alias/aws/dynamodb")
            seen[i] = kms.describe_key(KeyId="alias/aws/dynamodb")["KeyMetadata"]["KeyId"]
        in_threads(THREADS, work)
        assert len(set(seen)) == 1
        assert [k["KeyId"] for k in house.kms(region=region).list_keys()["Keys"]] == seen[:1]


def test_named_grants_are_made_once(house):
    kms = house.kms()
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    made = collections.defaultdict(set)

    def work(i):
        client = house.kms()
        for n in range(5):
            made[n].add(client.create_grant(KeyId=key, GranteePrincipal=ARNS["bob"], Operations=["Decrypt"],
                                            Name=f"n{n}")["GrantId"])
    in_threads(THREADS, work)
    assert all(len(ids) == 1 for ids in made.values())
    assert len(kms.list_grants(KeyId=key)["Grants"]) == 5


def test_a_grant_is_retired_once(house):
    key = house.kms().create_key()["KeyMetadata"]["KeyId"]
    for _ in range(5):
        token = house.kms().create_grant(KeyId=key, GranteePrincipal=ARNS["bob"], Operations=["Decrypt"])["GrantToken"]
        done = []

        def work(i):
            if may(house.kms().retire_grant, "InvalidGrantTokenException", "NotFoundException", GrantToken=token):
                done.append(i)
        in_threads(THREADS, work)
        assert len(done) == 1


def test_everything_at_once(house):
    """Create, disable, encrypt, grant, tag, list, delete: each thread's own things are as it left them."""
    shared = house.kms().create_key()["KeyMetadata"]["KeyId"]
    states = ("DisabledException", "KMSInvalidStateException")

    def work(i):
        kms, bob = house.kms(ACCOUNT), as_(house, "bob")
        mine = kms.create_key(Tags=[{"TagKey": "of", "TagValue": str(i)}])["KeyMetadata"]["KeyId"]
        for n in range(12):
            word, context = f"{i}/{n}".encode(), {"n": str(n)}
            blob = kms.encrypt(KeyId=mine, Plaintext=word, EncryptionContext=context)["CiphertextBlob"]
            sealed = {"CiphertextBlob": blob, "EncryptionContext": context}
            grant = kms.create_grant(KeyId=mine, GranteePrincipal=ARNS["bob"], Operations=["Decrypt"])
            assert bob.decrypt(GrantTokens=[grant["GrantToken"]], **sealed)["Plaintext"] == word
            kms.disable_key(KeyId=mine)
            assert code(kms.decrypt, **sealed) == "DisabledException"
            kms.enable_key(KeyId=mine)
            kms.revoke_grant(KeyId=mine, GrantId=grant["GrantId"])
            assert code(bob.decrypt, **sealed) == "AccessDeniedException"
            # What all share changes under everybody's feet.
            step = (i + n) % 8
            if step == 0:
                kms.disable_key(KeyId=shared)
            elif step == 1:
                kms.enable_key(KeyId=shared)
            elif step == 2:
                may(kms.create_grant, *states, KeyId=shared, GranteePrincipal=ROLE_ARNS["idle"], Operations=["Encrypt"])
            elif step == 3:
                kms.put_key_policy(KeyId=shared, Policy=json.dumps({"Version": "2012-10-17", "Statement": [
                    {"Sid": f"{i}", "Effect": "Allow", "Principal": {"AWS": ARNS["root"]}, "Action": "kms:*",
                     "Resource": "*"}]}))
            elif step == 4:
                for g in kms.list_grants(KeyId=shared)["Grants"]:
                    may(kms.revoke_grant, "NotFoundException", KeyId=shared, GrantId=g["GrantId"])
            elif step == 5:
                kms.tag_resource(KeyId=shared, Tags=[{"TagKey": f"k{n}", "TagValue": str(i)}])
                kms.list_resource_tags(KeyId=shared)
            elif step == 6:
                made = may(kms.generate_data_key, *states, KeyId=shared, KeySpec="AES_256")
                plain = made and may(kms.decrypt, *states, CiphertextBlob=made["CiphertextBlob"])
                assert not plain or plain["Plaintext"] == made["Plaintext"]
            else:
                kms.get_key_policy(KeyId=shared)
                kms.list_keys(Limit=5)
                kms.list_aliases()
        kms.schedule_key_deletion(KeyId=mine, PendingWindowInDays=7)
        assert kms.list_resource_tags(KeyId=mine)["Tags"] == [{"TagKey": "of", "TagValue": str(i)}]
    in_threads(THREADS, work)


def test_deletion_beside_calls(house):
    """Keys go by the clock while others use, list and grant on them."""
    doomed = [house.kms(region="sa-east-1").create_key()["KeyMetadata"]["KeyId"] for _ in range(40)]
    for key in doomed[:20]:
        house.kms(region="sa-east-1").schedule_key_deletion(KeyId=key, PendingWindowInDays=7)

    def work(i):
        kms = house.kms(region="sa-east-1")
        if i == 0:
            for _ in range(9):
                house.clock(advance=86400)
            return
        for n in range(12):
            key = doomed[(7 * i + n) % 20]
            codes = ("NotFoundException", "KMSInvalidStateException", "AccessDeniedException")
            may(kms.describe_key, *codes, KeyId=key)
            may(kms.encrypt, *codes, KeyId=key, Plaintext=b"x")
            may(kms.create_grant, *codes, KeyId=key, GranteePrincipal=ARNS["bob"], Operations=["Decrypt"])
            pages(kms.list_keys, "Keys", Limit=9)
    in_threads(THREADS, work)
    assert {k["KeyId"] for k in house.kms(region="sa-east-1").list_keys()["Keys"]} == set(doomed[20:])


def test_reloading_beside_calls(house):
    key = as_(house, "alice").create_key()["KeyMetadata"]["KeyId"]

    def work(i):
        if i == 0:
            for _ in range(20):
                house.kmsd.signal(signal.SIGHUP)
                house.kmsd.get("/_kmsd/health")
            return
        for who in ("alice", "app", "root") * 3:
            kms = as_(house, who)
            blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
            assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
            assert code(as_(house, "bob").list_keys) == "AccessDeniedException"
            house.kms(f"stranger{i}").list_aliases()
    in_threads(THREADS, work)


def everything(kms):
    return pages(kms.list_aliases, "Aliases"), {
        key: (kms.describe_key(KeyId=key)["KeyMetadata"], pages(kms.list_grants, "Grants", KeyId=key),
              kms.list_resource_tags(KeyId=key)["Tags"], kms.get_key_policy(KeyId=key)["Policy"])
        for key in (k["KeyId"] for k in pages(kms.list_keys, "Keys"))}


def test_all_of_it_is_there_after_a_restart(house):
    before = everything(house.kms(ACCOUNT))
    house.kmsd.restart()
    assert everything(house.kms(ACCOUNT)) == before
