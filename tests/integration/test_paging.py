"""Markers: opaque, only good for the list that gave them, and nothing is lost or told twice while others change it."""
import base64
import threading

import pytest

from asking import code, pages, refused, rotate
from daemons import ACCOUNT

BOB = f"arn:aws:iam::{ACCOUNT}:user/bob"


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
    return {"ListKeys": (kms.list_keys, "Keys", {}), "ListAliases": (kms.list_aliases, "Aliases", {}),
            "ListAliases of a key": (kms.list_aliases, "Aliases", {"KeyId": keys[0]}),
            "ListGrants": (kms.list_grants, "Grants", {"KeyId": keys[0]}),
            "ListRetirableGrants": (kms.list_retirable_grants, "Grants", {"RetiringPrincipal": BOB}),
            "ListResourceTags": (kms.list_resource_tags, "Tags", {"KeyId": keys[0]}),
            "ListKeyRotations": (kms.list_key_rotations, "Rotations", {"KeyId": keys[0]}),
            "ListKeyRotations of all": (kms.list_key_rotations, "Rotations",
                                        {"KeyId": keys[0], "IncludeKeyMaterial": "ALL_KEY_MATERIAL"})}


NAMES = ["ListKeys", "ListAliases", "ListAliases of a key", "ListGrants", "ListRetirableGrants", "ListResourceTags",
         "ListKeyRotations", "ListKeyRotations of all"]


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
