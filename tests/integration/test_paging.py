"""Markers: opaque, only good for the list that gave them, and nothing is lost or told twice while others change it."""
import base64
import random
import threading
import uuid

import pytest

from asking import code, pages, refused, rotate
from daemons import ACCOUNT, until
from xks_proxy import root_certificate

BOB = f"arn:aws:iam::{ACCOUNT}:user/bob"


def make_store(kms):
    n = uuid.uuid4().int
    cluster = "cluster-" + "".join("234567abcdefghijklmnopqrstuvwxyz"[n >> 5 * i & 31] for i in range(11))
    return kms.create_custom_key_store(CustomKeyStoreName=str(uuid.uuid4()), CloudHsmClusterId=cluster, KeyStorePassword="kmsuser's own",
                                       TrustAnchorCertificate=root_certificate()[0].decode())["CustomKeyStoreId"]


@pytest.fixture(scope="module")
def lists(house):
    """A few of everything that is listed: name -> (call, result, parameters)."""
    kms = house.kms()
    keys = [kms.create_key()["KeyMetadata"]["KeyId"] for _ in range(4)]
    for i in range(4):
        kms.create_alias(AliasName=f"alias/paging-{i}", TargetKeyId=keys[0])
        kms.create_grant(KeyId=keys[0], GranteePrincipal=BOB, RetiringPrincipal=BOB, Operations=["Decrypt"])
        kms.tag_resource(KeyId=keys[0], Tags=[{"TagKey": f"k{i}", "TagValue": ""}])
        rotate(kms, keys[0])
        make_store(kms)
    return {"ListKeys": (kms.list_keys, "Keys", {}), "ListAliases": (kms.list_aliases, "Aliases", {}),
            "ListAliases of a key": (kms.list_aliases, "Aliases", {"KeyId": keys[0]}),
            "ListGrants": (kms.list_grants, "Grants", {"KeyId": keys[0]}),
            "ListRetirableGrants": (kms.list_retirable_grants, "Grants", {"RetiringPrincipal": BOB}),
            "ListResourceTags": (kms.list_resource_tags, "Tags", {"KeyId": keys[0]}),
            "ListKeyRotations": (kms.list_key_rotations, "Rotations", {"KeyId": keys[0]}),
            "ListKeyRotations of all": (kms.list_key_rotations, "Rotations",
                                        {"KeyId": keys[0], "IncludeKeyMaterial": "ALL_KEY_MATERIAL"}),
            "DescribeCustomKeyStores": (kms.describe_custom_key_stores, "CustomKeyStores", {})}


NAMES = ["ListKeys", "ListAliases", "ListAliases of a key", "ListGrants", "ListRetirableGrants", "ListResourceTags",
         "ListKeyRotations", "ListKeyRotations of all", "DescribeCustomKeyStores"]


@pytest.mark.parametrize("name", NAMES)
def test_pages_make_up_the_whole(lists, name):
    call, result, more = lists[name]
    whole = call(**more)
    assert not whole["Truncated"] and "NextMarker" not in whole and len(whole[result]) >= 4
    for limit in (1, 2, 3, 4, 100):
        assert pages(call, result, Limit=limit, **more) == whole[result]


@pytest.mark.parametrize("name", NAMES)
def test_the_last_page_is_the_last(lists, name):
    call, result, more = lists[name]
    n = len(call(**more)[result])
    answer = call(Limit=n, **more)
    assert len(answer[result]) == n and not answer["Truncated"]
    answer = call(Limit=n - 1, **more)
    assert answer["Truncated"]
    assert len(call(Limit=n - 1, Marker=answer["NextMarker"], **more)[result]) == 1


@pytest.mark.parametrize("name", NAMES)
def test_forged_markers(lists, name):
    call, _, more = lists[name]
    marker = call(Limit=1, **more)["NextMarker"]
    assert len(marker) <= 1024
    forged = [marker[:-1], marker + "A", marker[1:], "x", "=", marker.swapcase(), base64.b64encode(b"0" * 40).decode(),
              "A" * 1024, "ü"]
    forged += [marker[:at] + ("A" if marker[at] != "A" else "B") + marker[at + 1:] for at in range(len(marker))]
    for text in forged:
        assert refused(call, Marker=text, **more)[0] == "InvalidMarkerException", text
    assert code(call, Marker="A" * 1025, **more) == "ValidationException"


def test_a_marker_is_for_its_list(lists, house):
    markers = {name: call(Limit=1, **more)["NextMarker"] for name, (call, _, more) in lists.items()}
    for name, (call, _, more) in lists.items():
        for of, marker in markers.items():
            if of != name:
                assert code(call, Marker=marker, **more) == "InvalidMarkerException", (of, name)
    assert code(house.kms(region="eu-west-1").list_keys, Marker=markers["ListKeys"]) == "InvalidMarkerException"
    assert code(house.kms("444455556666").list_keys, Marker=markers["ListKeys"]) == "InvalidMarkerException"


def test_the_limit_may_change_from_page_to_page(lists):
    call, result, more = lists["ListKeys"]
    first = call(Limit=1, **more)
    rest = call(Limit=1000, Marker=first["NextMarker"], **more)
    assert first[result] + rest[result] == call(**more)[result]


def test_a_marker_whose_item_is_gone_still_works(kms, key):
    made = sorted(kms.create_grant(KeyId=key, GranteePrincipal=BOB, Operations=["Decrypt"])["GrantId"] for _ in range(4))
    marker = kms.list_grants(KeyId=key, Limit=2)["NextMarker"]
    kms.revoke_grant(KeyId=key, GrantId=made[1])
    assert [g["GrantId"] for g in kms.list_grants(KeyId=key, Marker=marker)["Grants"]] == made[2:]


def test_markers_survive_a_restart(make_house):
    house = make_house(ddbd=False)
    keys = sorted(house.kms().create_key()["KeyMetadata"]["KeyId"] for _ in range(3))
    marker = house.kms().list_keys(Limit=1)["NextMarker"]
    house.kmsd.restart()
    assert [k["KeyId"] for k in house.kms().list_keys(Marker=marker)["Keys"]] == keys[1:]


# ---- lists that change while they are read ----

class Changing:
    """A list of an account of its own: what tells its elements apart, and how one comes and goes."""

    def __init__(self, house, name):
        account = f"{uuid.uuid4().int % 10 ** 12:012}"
        self.house, self.kms, self.name = house, house.kms(account), name
        self.bob = f"arn:aws:iam::{account}:user/bob"
        self.of = {"KeyId": self.kms.create_key()["KeyMetadata"]["KeyId"]}
        self.grant = {**self.of, "GranteePrincipal": self.bob, "RetiringPrincipal": self.bob, "Operations": ["Decrypt"]}
        kms = self.kms
        self.call, self.result, self.id, self.parameters, self.start, self.most = {
            "ListKeys": (kms.list_keys, "Keys", "KeyId", {}, 6, 99),
            "ListAliases": (kms.list_aliases, "Aliases", "AliasName", {}, 6, 49),
            "ListAliases of a key": (kms.list_aliases, "Aliases", "AliasName", self.of, 6, 49),
            "ListGrants": (kms.list_grants, "Grants", "GrantId", self.of, 8, 99),
            "ListRetirableGrants": (kms.list_retirable_grants, "Grants", "GrantId", {"RetiringPrincipal": self.bob}, 8, 99),
            "ListResourceTags": (kms.list_resource_tags, "Tags", "TagKey", self.of, 6, 49),
            "ListKeyRotations": (kms.list_key_rotations, "Rotations", "KeyMaterialId", self.of, 4, 9),
            "ListKeyRotations of all": (kms.list_key_rotations, "Rotations", "KeyMaterialId",
                                        {**self.of, "IncludeKeyMaterial": "ALL_KEY_MATERIAL"}, 4, 9),
            "DescribeCustomKeyStores": (kms.describe_custom_key_stores, "CustomKeyStores", "CustomKeyStoreId", {}, 5, 9)}[name]

    def add(self):
        kms, new = self.kms, str(uuid.uuid4())
        kind = self.name.partition(" ")[0]
        if kind == "ListKeys":
            return kms.create_key()["KeyMetadata"]["KeyId"]
        if kind == "ListAliases":
            kms.create_alias(AliasName=f"alias/{new}", TargetKeyId=self.of["KeyId"])
            return f"alias/{new}"
        if kind in ("ListGrants", "ListRetirableGrants"):
            return kms.create_grant(**self.grant)["GrantId"]
        if kind == "ListResourceTags":
            kms.tag_resource(**self.of, Tags=[{"TagKey": new, "TagValue": ""}])
            return new
        return rotate(kms, self.of["KeyId"]) if kind == "ListKeyRotations" else make_store(kms)

    def remove(self, one):
        """False: such elements stay for ever."""
        kms, kind = self.kms, self.name.partition(" ")[0]
        if kind == "ListKeys":
            kms.schedule_key_deletion(KeyId=one, PendingWindowInDays=7)
            self.house.clock(advance=7 * 86400)
            until(lambda: code_of(kms.describe_key, KeyId=one) == "NotFoundException", "the key to be deleted")
        elif kind == "ListAliases":
            kms.delete_alias(AliasName=one)
        elif kind in ("ListGrants", "ListRetirableGrants"):
            kms.revoke_grant(**self.of, GrantId=one)
        elif kind == "ListResourceTags":
            kms.untag_resource(**self.of, TagKeys=[one])
        elif kind == "DescribeCustomKeyStores":
            kms.delete_custom_key_store(CustomKeyStoreId=one)
        return kind != "ListKeyRotations"


def code_of(call, **parameters):
    try:
        call(**parameters)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is told
        return error.response["Error"]["Code"]
    return None


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", NAMES)
def test_pages_between_which_the_list_changes(house, name, seed):
    """Whatever was there all the time is listed once, what came and went at most once, and what never was not at all."""
    rng, changing = random.Random(f"{name} {seed}"), Changing(house, name)
    mine = [changing.add() for _ in range(changing.start)]
    lasting, ever = set(mine), set(mine)

    def change():
        if rng.random() < 0.5 and len(mine) > 2:
            gone = rng.choice(mine)
            if changing.remove(gone):
                mine.remove(gone)
                lasting.discard(gone)
        elif len(ever) < changing.most:
            mine.append(changing.add())
            ever.add(mine[-1])
    listed, marker = [], {}
    for _ in range(100):
        answer = changing.call(Limit=rng.randint(1, 3), **changing.parameters, **marker)
        listed += [item.get(changing.id) for item in answer[changing.result]]
        if not answer["Truncated"]:
            break
        marker = {"Marker": answer["NextMarker"]}
        for _ in range(rng.randint(0, 2)):
            change()
    listed = [i for i in listed if i in ever]
    assert len(listed) == len(set(listed)) and lasting <= set(listed), (sorted(lasting - set(listed)), listed)


@pytest.mark.concurrency
def test_nothing_is_lost_or_told_twice_while_others_change_the_list(house):
    kms = house.kms()
    key = kms.create_key()["KeyMetadata"]["KeyId"]

    def grant(client):
        return client.create_grant(KeyId=key, GranteePrincipal=BOB, RetiringPrincipal=BOB,
                                   Operations=["Decrypt"])["GrantId"]
    lasting = {grant(kms) for _ in range(30)}
    stop, errors = threading.Event(), []

    def churn():
        client, mine = house.kms(), []
        try:
            while not stop.is_set():
                mine.append(grant(client))
                if len(mine) > 10:
                    client.revoke_grant(KeyId=key, GrantId=mine.pop(0))
        except BaseException as error:  # noqa: BLE001 - told below
            errors.append(error)
    threads = [threading.Thread(target=churn) for _ in range(2)]
    for t in threads:
        t.start()
    try:
        for _ in range(6):
            for listed in (pages(kms.list_grants, "Grants", KeyId=key, Limit=7),
                           [g for g in pages(kms.list_retirable_grants, "Grants", RetiringPrincipal=BOB, Limit=7)
                            if g["KeyId"].endswith(key)]):
                ids = [g["GrantId"] for g in listed]
                assert len(ids) == len(set(ids)) and lasting <= set(ids)
    finally:
        stop.set()
        for t in threads:
            t.join()
    assert not errors


def test_lists_of_one_element_have_no_markers(lists, kms, key):
    """ListKeyPolicies has nothing to go on with: every marker is forged, other lists' too."""
    assert kms.list_key_policies(KeyId=key, Limit=1)["Truncated"] is False
    call, _, more = lists["ListKeys"]
    for marker in ("x", call(Limit=1, **more)["NextMarker"]):
        assert code(kms.list_key_policies, KeyId=key, Marker=marker) == "InvalidMarkerException"
