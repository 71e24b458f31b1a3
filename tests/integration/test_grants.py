"""Grants decide: operations, constraints, tokens, names, children, retiring and revoking, lists. The callers are those of
asking.PRINCIPALS: bob, carol and the role idle have no rights of their own."""
import base64
import contextlib
import itertools
import json
import sqlite3
import zlib

import pytest

from asking import (ARNS, KEYS, OTHER, PRINCIPALS, ROLE_ARNS, allowed, as_, code, opened, pages, refused, secret_of,
                    service_client, told)
from conftest import VIRTUAL
from daemons import ACCOUNT, REGION

BOB, CAROL = ARNS["bob"], ARNS["carol"]
TABLE = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/t"
ALL = ["Encrypt", "Decrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext", "GenerateDataKeyPair",
       "GenerateDataKeyPairWithoutPlaintext", "ReEncryptFrom", "ReEncryptTo", "CreateGrant", "DescribeKey", "RetireGrant"]


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    with opened(tmp_path_factory.mktemp("house"), kmsd=[*VIRTUAL, "--auth=strict"], principals=PRINCIPALS) as house:
        yield house


@pytest.fixture
def kms(house):
    return as_(house, "alice")


@pytest.fixture
def bob(house):
    return as_(house, "bob")


def arn_of(key):
    return f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{key}"


def grant(kms, key, operations=("Decrypt",), grantee=BOB, **more):
    return kms.create_grant(KeyId=key, GranteePrincipal=grantee, Operations=list(operations), **more)


def encrypt(kms, key, **context):
    return kms.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext=context)["CiphertextBlob"]


def ids(grants):
    return {g["GrantId"] for g in grants}


# ---- operations ----

def uses(client, key, blob):
    """Whether the client may, operation by operation."""
    other = {"KeyId": key, "Operations": ["Decrypt"], "GranteePrincipal": CAROL}
    return {
        "Encrypt": allowed(client.encrypt, KeyId=key, Plaintext=b"x"),
        "Decrypt": allowed(client.decrypt, CiphertextBlob=blob, KeyId=key),
        "GenerateDataKey": allowed(client.generate_data_key, KeyId=key, KeySpec="AES_256"),
        "GenerateDataKeyWithoutPlaintext": allowed(client.generate_data_key_without_plaintext, KeyId=key,
                                                   KeySpec="AES_256"),
        "DescribeKey": allowed(client.describe_key, KeyId=key),
        "ReEncrypt": allowed(client.re_encrypt, CiphertextBlob=blob, DestinationKeyId=key),
        "CreateGrant": allowed(client.create_grant, **other),
        "ListGrants": allowed(client.list_grants, KeyId=key),
        "DisableKey": allowed(client.disable_key, KeyId=key),
    }


@pytest.mark.parametrize("operations,able", [
    (["Encrypt"], {"Encrypt"}), (["Decrypt"], {"Decrypt"}), (["GenerateDataKey"], {"GenerateDataKey"}),
    (["GenerateDataKeyWithoutPlaintext"], {"GenerateDataKeyWithoutPlaintext"}), (["DescribeKey"], {"DescribeKey"}),
    (["ReEncryptFrom"], set()), (["ReEncryptTo"], set()), (["ReEncryptFrom", "ReEncryptTo"], {"ReEncrypt"}),
    (["CreateGrant", "Decrypt"], {"CreateGrant", "Decrypt"}), (["CreateGrant", "Encrypt"], {"Encrypt"}),
    (["RetireGrant"], set()),
    (ALL, {"Encrypt", "Decrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext", "DescribeKey", "ReEncrypt",
           "CreateGrant"})])
def test_a_grant_allows_its_operations_only(kms, bob, key, operations, able):
    blob = encrypt(kms, key)
    assert not any(uses(bob, key, blob).values())
    made = grant(kms, key, operations)
    assert {name for name, may in uses(bob, key, blob).items() if may} == able
    kms.revoke_grant(KeyId=key, GrantId=made["GrantId"])
    assert not any(uses(bob, key, blob).values())


@pytest.mark.parametrize("operation", ["Sign", "Verify", "GetPublicKey", "GenerateMac", "VerifyMac",
                                       "DeriveSharedSecret"])
def test_operations_of_other_kinds_of_keys(kms, key, operation):
    assert code(grant, kms, key, ["Decrypt", operation]) == "ValidationException"


def test_a_grant_is_for_its_key(kms, bob, key):
    other = kms.create_key()["KeyMetadata"]["KeyId"]
    grant(kms, key)
    assert allowed(bob.decrypt, CiphertextBlob=encrypt(kms, key))
    assert not allowed(bob.decrypt, CiphertextBlob=encrypt(kms, other))


def test_re_encrypt_takes_a_grant_on_each_key(kms, bob, key):
    other = kms.create_key()["KeyMetadata"]["KeyId"]
    blob = encrypt(kms, key, a="b")
    ask = {"CiphertextBlob": blob, "SourceEncryptionContext": {"a": "b"}, "DestinationKeyId": other,
           "DestinationEncryptionContext": {"c": "d"}}
    grant(kms, key, ["ReEncryptFrom"], Constraints={"EncryptionContextEquals": {"a": "b"}})
    assert not allowed(bob.re_encrypt, **ask)
    made = grant(kms, other, ["ReEncryptTo"], Constraints={"EncryptionContextEquals": {"a": "b"}})
    assert not allowed(bob.re_encrypt, **ask)
    kms.revoke_grant(KeyId=other, GrantId=made["GrantId"])
    grant(kms, other, ["ReEncryptTo"], Constraints={"EncryptionContextEquals": {"c": "d"}})
    assert allowed(bob.re_encrypt, **ask)


# ---- who is the grantee ----

@pytest.mark.parametrize("grantee,able", [
    (BOB, {"bob"}), (ROLE_ARNS["idle"], {"idle"}), (ARNS["idle"], {"idle"}),
    (f"arn:aws:sts::{ACCOUNT}:assumed-role/idle/another", set()),
    # The account: whoever its own policies allow (the key policy of this test's key names nobody of them).
    (ARNS["root"], {"root", "alice", "app"}),
    (ARNS["erin"], {"erin"}), (ARNS["other root"], {"other root", "dave"})])
def test_grantees(house, grantee, able):
    owner = as_(house, "root")
    key = owner.create_key(BypassPolicyLockoutSafetyCheck=True, Policy=statement(
        Principal={"AWS": CAROL}, Action="kms:*"))["KeyMetadata"]["Arn"]
    carol = as_(house, "carol")
    blob = encrypt(carol, key)
    who = [w for w in KEYS if w != "carol"]
    assert not any(allowed(as_(house, w).decrypt, CiphertextBlob=blob, KeyId=key) for w in who)
    grant(carol, key, grantee=grantee)
    assert {w for w in who if allowed(as_(house, w).decrypt, CiphertextBlob=blob, KeyId=key)} == able


def statement(Effect="Allow", Resource="*", **more):
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": Effect, "Resource": Resource, **more}]})


@pytest.mark.parametrize("principal", [
    f"arn:aws:iam::{ACCOUNT}:group/g", "arn:aws:iam::1:user/x", "bob", "*", f"arn:aws:iam::{ACCOUNT}:user/",
    f"arn:aws:s3::{ACCOUNT}:user/x", f"arn:aws:iam::{ACCOUNT}:assumed-role/a/b", "arn:aws:organizations::1:o"])
def test_who_cannot_be_a_grantee(kms, key, principal):
    assert code(grant, kms, key, grantee=principal) in ("InvalidArnException", "ValidationException")
    assert code(grant, kms, key, RetiringPrincipal=principal) in ("InvalidArnException", "ValidationException")


# ---- constraints ----

CONTEXTS = [{}, {"a": "1"}, {"a": "1", "b": "2"}, {"a": "1", "b": "2", "c": "3"}, {"a": "2"}, {"b": "2"}, {"A": "1"}]


@pytest.mark.parametrize("kind,pairs,fits", [
    ("Equals", {"a": "1"}, [{"a": "1"}, {"A": "1"}]),
    ("Equals", {"b": "2", "a": "1"}, [{"a": "1", "b": "2"}]),
    ("Subset", {"a": "1"}, [{"a": "1"}, {"a": "1", "b": "2"}, {"a": "1", "b": "2", "c": "3"}, {"A": "1"}]),
    ("Subset", {"a": "1", "b": "2"}, [{"a": "1", "b": "2"}, {"a": "1", "b": "2", "c": "3"}])])
def test_context_constraints(kms, bob, key, kind, pairs, fits):
    grant(kms, key, ["Encrypt", "Decrypt", "DescribeKey", "GenerateDataKey"],
          Constraints={f"EncryptionContext{kind}": pairs})
    for context in CONTEXTS:
        blob = encrypt(kms, key, **context)
        able = [allowed(bob.encrypt, KeyId=key, Plaintext=b"x", EncryptionContext=context),
                allowed(bob.decrypt, CiphertextBlob=blob, EncryptionContext=context),
                allowed(bob.generate_data_key, KeyId=key, KeySpec="AES_128", EncryptionContext=context)]
        assert able == [context in fits] * 3, context
    assert allowed(bob.describe_key, KeyId=key), "it is not asked for the context"


def test_exact_case_on_request(make_house):
    house = make_house(ddbd=False, kmsd=["--grant-context-case=exact"], principals=PRINCIPALS)
    kms, bob = as_(house, "alice"), as_(house, "bob")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    grant(kms, key, ["Encrypt"], Constraints={"EncryptionContextEquals": {"a": "1"}})
    assert allowed(bob.encrypt, KeyId=key, Plaintext=b"x", EncryptionContext={"a": "1"})
    assert not allowed(bob.encrypt, KeyId=key, Plaintext=b"x", EncryptionContext={"A": "1"})


def test_limits_of_constraints(kms, key):
    def make(pairs):
        return lambda: grant(kms, key, Constraints={"EncryptionContextSubset": pairs})
    make({f"k{i}": "v" for i in range(8)})()
    make({"k": "v" * 384})()
    assert code(make({f"k{i}": "v" for i in range(9)})) == "ValidationException"
    assert code(make({"k": "v" * 385})) == "ValidationException"


@pytest.mark.parametrize("source", [
    f"arn:aws:DynamoDB:{REGION}:{ACCOUNT}:table/t", f"arn:awsX:dynamodb:{REGION}:{ACCOUNT}:table/t",
    f"arn:aws:dynamodb:US:{ACCOUNT}:table/t", f"arn:aws:dynamodb:{REGION}:1:table/tables", "table/t-of-some-length",
    f"arn:aws::{REGION}:{ACCOUNT}:table/t", f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:"])
def test_sources_that_are_none(house, key, source):
    body = {"KeyId": key, "GranteePrincipal": BOB, "Operations": ["Decrypt"], "Constraints": {"SourceArn": source}}
    assert told(house, "CreateGrant", body, KEYS["alice"], secret_of(KEYS["alice"])) == (
        "ValidationException", f"1 validation error detected: Value '{source}' at 'constraints.sourceArn' failed to satisfy "
        "constraint: Member must satisfy regular expression pattern: "
        "^arn:aws[a-z0-9-]*:[a-z0-9-]+:[a-z0-9-]*:[0-9]{12}:.+$")


def test_listed_constraints(kms, key):
    for constraints in ({"EncryptionContextSubset": {"a": "1", "b": "2"}}, {"EncryptionContextEquals": {"x": "y"}}):
        made = grant(kms, key, Constraints=constraints)
        assert kms.list_grants(KeyId=key, GrantId=made["GrantId"])["Grants"][0]["Constraints"] == constraints


# ---- tokens ----

def test_every_call_gives_another_token_of_the_same_look(kms, key):
    made = [grant(kms, key, Name="n") for _ in range(3)]
    assert len({m["GrantToken"] for m in made}) == 3 and len(ids(made)) == 1
    for m in made:
        assert len(m["GrantToken"]) == 491 and m["GrantToken"].startswith("AQpA")
        raw = base64.urlsafe_b64decode(m["GrantToken"] + "=")
        assert len(raw) == 368 and raw[-32:].hex() == m["GrantId"] and raw[334:336] == b"\x2a\x20"
        assert raw[70:75] == b"\x01\x01\x02\x00\x78" and raw[75:107].hex().encode() == raw[3:67]


def test_a_delayed_grant_works_by_its_token_at_once(make_house):
    house = make_house(ddbd=False, kmsd=["--grant-delay=300s"], principals=PRINCIPALS)
    kms, bob, carol = as_(house, "alice"), as_(house, "bob"), as_(house, "carol")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    blob = encrypt(kms, key)
    made = grant(kms, key, ["Decrypt", "DescribeKey"])
    assert not allowed(bob.decrypt, CiphertextBlob=blob)
    assert allowed(bob.decrypt, CiphertextBlob=blob, GrantTokens=[made["GrantToken"]])
    assert allowed(bob.describe_key, KeyId=key, GrantTokens=[made["GrantToken"]])
    assert not allowed(carol.decrypt, CiphertextBlob=blob, GrantTokens=[made["GrantToken"]]), "it is bob's"
    house.clock(advance=299)
    assert not allowed(bob.decrypt, CiphertextBlob=blob)
    house.clock(advance=1)
    assert allowed(bob.decrypt, CiphertextBlob=blob)
    assert allowed(bob.decrypt, CiphertextBlob=blob, GrantTokens=[made["GrantToken"]]), "tokens do not expire"
    kms.revoke_grant(KeyId=key, GrantId=made["GrantId"])
    assert not allowed(bob.decrypt, CiphertextBlob=blob, GrantTokens=[made["GrantToken"]])


def test_a_token_serves_every_call_that_takes_one(make_house):
    house = make_house(ddbd=False, kmsd=["--grant-delay=300s"], principals=PRINCIPALS)
    kms, bob = as_(house, "alice"), as_(house, "bob")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    blob = encrypt(kms, key)
    operations = set(ALL) - {"GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext"}
    tokens = [grant(kms, key, [o], RetiringPrincipal=CAROL)["GrantToken"] for o in operations - {"CreateGrant"}]
    child = {"GranteePrincipal": CAROL, "Operations": ["Decrypt"]}
    calls = [(bob.encrypt, {"KeyId": key, "Plaintext": b"x"}), (bob.decrypt, {"CiphertextBlob": blob}),
             (bob.generate_data_key, {"KeyId": key, "KeySpec": "AES_256"}),
             (bob.generate_data_key_without_plaintext, {"KeyId": key, "KeySpec": "AES_256"}),
             (bob.describe_key, {"KeyId": key}), (bob.re_encrypt, {"CiphertextBlob": blob, "DestinationKeyId": key}),
             (bob.create_grant, {"KeyId": key, **child})]
    tokens.append(grant(kms, key, ["CreateGrant", "Decrypt"])["GrantToken"])
    for call, more in calls:
        assert not allowed(call, **more)
        assert allowed(call, GrantTokens=tokens, **more), more
    assert allowed(as_(house, "carol").retire_grant, GrantToken=tokens[0]), "retiring waits for nothing"


def test_a_changed_token_is_none(kms, bob, key):
    blob = encrypt(kms, key)
    token = grant(kms, key)["GrantToken"]
    # The last character carries two bits that belong to nothing; they too must be as they were written.
    for at in range(len(token)):
        changed = token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1:]
        assert code(bob.decrypt, CiphertextBlob=blob, GrantTokens=[changed]) == "InvalidGrantTokenException", at
    for changed in (token[:-1], token + "A", token + "=", "x", token[:200], token.swapcase()):
        assert code(bob.decrypt, CiphertextBlob=blob, GrantTokens=[changed]) == "InvalidGrantTokenException"
        assert code(bob.retire_grant, GrantToken=changed) == "InvalidGrantTokenException"
    assert code(bob.decrypt, CiphertextBlob=blob, GrantTokens=[token] * 11) == "ValidationException"
    assert allowed(bob.decrypt, CiphertextBlob=blob, GrantTokens=[token] * 10)


def test_a_token_of_another_kmsd_is_none(make_house, kms, key):
    house = make_house(ddbd=False)
    token = grant(kms, key)["GrantToken"]
    assert code(house.kms().retire_grant, GrantToken=token) == "InvalidGrantTokenException"


def test_tokens_and_grants_survive_a_restart(make_house):
    house = make_house(ddbd=False, principals=PRINCIPALS)
    kms = as_(house, "alice")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    blob = encrypt(kms, key, a="b", c="d")
    made = grant(kms, key, ["Decrypt", "RetireGrant"], Name="lasting", RetiringPrincipal=CAROL,
                 Constraints={"EncryptionContextSubset": {"a": "b"}})
    before = kms.list_grants(KeyId=key)["Grants"]
    house.kmsd.restart()
    kms, bob = as_(house, "alice"), as_(house, "bob")
    assert kms.list_grants(KeyId=key)["Grants"] == before
    assert ids(as_(house, "alice").list_retirable_grants(RetiringPrincipal=CAROL)["Grants"]) == {made["GrantId"]}
    assert allowed(bob.decrypt, CiphertextBlob=blob, EncryptionContext={"a": "b", "c": "d"})
    again = grant(kms, key, ["Decrypt", "RetireGrant"], Name="lasting", RetiringPrincipal=CAROL,
                  Constraints={"EncryptionContextSubset": {"a": "b"}})
    assert again["GrantId"] == made["GrantId"]
    bob.retire_grant(GrantToken=made["GrantToken"])
    house.kmsd.restart()
    assert as_(house, "alice").list_grants(KeyId=key)["Grants"] == []


# ---- names ----

def test_a_name_makes_a_call_repeatable(kms, key):
    terms = {"Name": "n", "Constraints": {"EncryptionContextSubset": {"a": "1", "b": "2"}}, "RetiringPrincipal": CAROL}
    first = grant(kms, key, ["Decrypt", "Encrypt"], **terms)
    turned = dict(terms, Constraints={"EncryptionContextSubset": {"b": "2", "a": "1"}})
    assert grant(kms, key, ["Encrypt", "Decrypt"], **turned)["GrantId"] == first["GrantId"]
    assert len(kms.list_grants(KeyId=key)["Grants"]) == 1
    different = [grant(kms, key, ["Decrypt"], **terms), grant(kms, key, ["Decrypt", "Encrypt"], CAROL, **terms),
                 grant(kms, key, ["Decrypt", "Encrypt"], **dict(terms, Name="m")),
                 grant(kms, key, ["Decrypt", "Encrypt"], Name="n", RetiringPrincipal=CAROL),
                 grant(kms, key, ["Decrypt", "Encrypt"], **dict(terms, RetiringPrincipal=BOB))]
    assert len(ids(different) | {first["GrantId"]}) == 6
    kms.revoke_grant(KeyId=key, GrantId=first["GrantId"])
    assert grant(kms, key, ["Encrypt", "Decrypt"], **terms)["GrantId"] != first["GrantId"]


def test_no_name_is_always_a_new_grant(kms, key):
    assert len({grant(kms, key)["GrantId"] for _ in range(3)}) == 3


def test_the_same_name_on_two_keys(kms, key):
    other = kms.create_key()["KeyMetadata"]["KeyId"]
    assert grant(kms, key, Name="n")["GrantId"] != grant(kms, other, Name="n")["GrantId"]


# ---- children ----

PARENT = ["CreateGrant", "Decrypt", "Encrypt"]


@pytest.mark.parametrize("constraint,operations,child,may", [
    (None, ["Decrypt"], None, True), (None, ["CreateGrant", "Decrypt"], None, True),
    (None, ["Decrypt", "DescribeKey"], None, False), (None, ["GenerateDataKey"], None, False),
    (None, ["Decrypt"], ("Subset", {"a": "1"}), True), (None, ["Decrypt"], ("Equals", {"a": "1"}), True),
    (("Subset", {"a": "1"}), ["Decrypt"], None, False),
    (("Subset", {"a": "1"}), ["Decrypt"], ("Subset", {"a": "1"}), True),
    (("Subset", {"a": "1"}), ["Decrypt"], ("Subset", {"a": "1", "b": "2"}), True),
    (("Subset", {"a": "1"}), ["Decrypt"], ("Subset", {"b": "2"}), False),
    (("Subset", {"a": "1"}), ["Decrypt"], ("Subset", {"a": "2"}), False),
    (("Subset", {"a": "1"}), ["Decrypt"], ("Equals", {"a": "1"}), True),
    (("Subset", {"a": "1"}), ["Decrypt"], ("Equals", {"a": "1", "b": "2"}), True),
    (("Subset", {"a": "1"}), ["Decrypt"], ("Equals", {"b": "2"}), False),
    (("Subset", {"a": "1", "b": "2"}), ["Decrypt"], ("Subset", {"a": "1"}), False),
    (("Equals", {"a": "1"}), ["Decrypt"], ("Equals", {"a": "1"}), True),
    (("Equals", {"a": "1"}), ["Decrypt"], ("Equals", {"a": "1", "b": "2"}), False),
    (("Equals", {"a": "1"}), ["Decrypt"], ("Subset", {"a": "1"}), False),
    (("Equals", {"a": "1"}), ["Decrypt"], None, False)])
def test_a_child_is_no_wider(kms, bob, key, constraint, operations, child, may):
    def constraints(c):
        return {"Constraints": {f"EncryptionContext{c[0]}": c[1]}} if c else {}
    grant(kms, key, PARENT, **constraints(constraint))
    assert allowed(grant, bob, key, operations, CAROL, **constraints(child)) == may


def test_a_child_lives_on_its_own(house, kms, bob, key):
    parent = grant(kms, key, PARENT)
    grant(bob, key, ["Decrypt"], CAROL)
    kms.revoke_grant(KeyId=key, GrantId=parent["GrantId"])
    assert allowed(as_(house, "carol").decrypt, CiphertextBlob=encrypt(kms, key))
    assert not allowed(grant, bob, key, ["Decrypt"], CAROL)


def test_two_grants_do_not_add_up(kms, bob, key):
    grant(kms, key, ["CreateGrant", "Encrypt"])
    grant(kms, key, ["Decrypt"])
    assert not allowed(grant, bob, key, ["Decrypt"], CAROL)


def test_by_policy_one_may_grant_what_one_may_not_do(house, key):
    root, carol = as_(house, "root"), as_(house, "carol")
    root.put_key_policy(KeyId=key, BypassPolicyLockoutSafetyCheck=True,
                        Policy=statement(Principal={"AWS": CAROL}, Action=["kms:CreateGrant", "kms:PutKeyPolicy"]))
    assert not allowed(carol.encrypt, KeyId=key, Plaintext=b"x")
    grant(carol, key, ["Encrypt"])
    assert allowed(as_(house, "bob").encrypt, KeyId=key, Plaintext=b"x")


# ---- retiring ----

def retirers(house, key, **terms):
    """Who of all may retire such a grant, each asked about one of their own."""
    may = set()
    for who in KEYS:
        made = grant(as_(house, "alice"), key, **terms)
        if allowed(as_(house, who).retire_grant, KeyId=key, GrantId=made["GrantId"]):
            may.add(who)
        else:
            as_(house, "alice").revoke_grant(KeyId=key, GrantId=made["GrantId"])
    assert as_(house, "alice").list_grants(KeyId=key)["Grants"] == []
    return may


# Root of the account that made it, and those of the account whom a policy allows kms:RetireGrant: always.
OWN = {"root", "alice", "app"}


@pytest.mark.parametrize("terms,may", [
    ({}, OWN), ({"operations": ["Decrypt", "RetireGrant"]}, OWN | {"bob"}),
    ({"RetiringPrincipal": CAROL}, OWN | {"carol"}),
    ({"RetiringPrincipal": ROLE_ARNS["idle"]}, OWN | {"idle"}), ({"RetiringPrincipal": ARNS["idle"]}, OWN | {"idle"}),
    ({"RetiringPrincipal": ARNS["erin"]}, OWN | {"erin"}),
    ({"RetiringPrincipal": ARNS["other root"]}, OWN | {"other root", "dave"})])
def test_who_may_retire(house, kms, terms, may):
    key = kms.create_key()["KeyMetadata"]["Arn"]
    assert retirers(house, key, **terms) == may


def test_a_denied_retirer(house, kms, key):
    root = as_(house, "root")
    root.put_key_policy(KeyId=key, Policy=json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": ARNS["root"]}, "Action": "kms:*", "Resource": "*"},
        {"Effect": "Deny", "Principal": {"AWS": CAROL}, "Action": "kms:RetireGrant", "Resource": "*"}]}))
    made = grant(kms, key, RetiringPrincipal=CAROL)
    assert refused(as_(house, "carol").retire_grant, GrantToken=made["GrantToken"]) == (
        "AccessDeniedException", f"User: {CAROL} is not authorized to perform: kms:RetireGrant on resource: "
        f"{arn_of(key)} with an explicit deny in a resource-based policy")


def test_a_key_policy_does_not_make_a_retirer(house, kms, key):
    as_(house, "root").put_key_policy(KeyId=key, BypassPolicyLockoutSafetyCheck=True, Policy=statement(
        Principal={"AWS": [BOB, ARNS["alice"]]}, Action="kms:*"))
    made = grant(kms, key, grantee=CAROL)
    assert not allowed(as_(house, "bob").retire_grant, GrantToken=made["GrantToken"])


def test_ways_to_name_the_grant(kms, key):
    for way in ("token", "id", "arn"):
        made = grant(kms, key)
        named = {"token": {"GrantToken": made["GrantToken"]}, "id": {"KeyId": key, "GrantId": made["GrantId"]},
                 "arn": {"KeyId": arn_of(key), "GrantId": made["GrantId"]}}[way]
        kms.retire_grant(**named)
        assert code(kms.retire_grant, **named) in ("NotFoundException", "InvalidGrantTokenException")
    assert code(kms.retire_grant, KeyId=key) == code(kms.retire_grant, GrantId="0" * 64) == "ValidationException"


def test_revoking_takes_a_policy(house, kms, bob, key):
    made = grant(kms, key, ALL, RetiringPrincipal=BOB)
    named = {"KeyId": key, "GrantId": made["GrantId"]}
    assert not allowed(bob.revoke_grant, **named)
    assert not allowed(as_(house, "carol").revoke_grant, **named)
    as_(house, "root").revoke_grant(**named)
    assert code(kms.revoke_grant, **named) == "NotFoundException"
    other = kms.create_key()["KeyMetadata"]["KeyId"]
    made = grant(kms, key)
    assert code(kms.revoke_grant, KeyId=other, GrantId=made["GrantId"]) == "NotFoundException"


# ---- lists ----

def test_filters(kms, key):
    made = {who: grant(kms, key, grantee=ARNS[who])["GrantId"] for who in ("bob", "carol", "erin")}
    assert ids(kms.list_grants(KeyId=key)["Grants"]) == set(made.values())
    assert ids(kms.list_grants(KeyId=key, GranteePrincipal=CAROL)["Grants"]) == {made["carol"]}
    assert ids(kms.list_grants(KeyId=key, GrantId=made["bob"])["Grants"]) == {made["bob"]}
    assert kms.list_grants(KeyId=key, GrantId=made["bob"], GranteePrincipal=CAROL)["Grants"] == []
    assert kms.list_grants(KeyId=key, GranteePrincipal=ARNS["dave"])["Grants"] == []
    assert code(kms.list_grants, KeyId=key, GrantId="f" * 64) == "NotFoundException"


def test_lists_by_service_are_for_services(house, kms, key):
    """A key's policy may let a service list; the filters by service principal are for it alone."""
    owner, service = (KEYS["alice"], secret_of(KEYS["alice"])), "dynamodb.amazonaws.com"
    made = service_grant(house, key)
    for operation, body in (("ListGrants", {"KeyId": arn_of(key), "GranteeServicePrincipal": service}),
                            ("ListRetirableGrants", {"RetiringServicePrincipal": service})):
        assert told(house, operation, body, *owner)[0] == "AccessDeniedException"
    as_(house, "root").put_key_policy(KeyId=key, Policy=json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": ARNS["root"]}, "Action": "kms:*", "Resource": "*"},
        {"Effect": "Allow", "Principal": {"Service": service}, "Action": "kms:ListGrants", "Resource": "*"}]}))
    credential = json.loads((house.folder / "service-credentials").read_text())
    for name, found in ((service, {made["GrantId"]}), ("s3.amazonaws.com", set())):
        answer = told(house, "ListGrants", {"KeyId": arn_of(key), "GranteeServicePrincipal": name},
                      credential["accessKeyId"], credential["secretAccessKey"], x_amz_source_account=ACCOUNT)
        assert answer[0] == "ok", answer
        assert ids(answer[1]["Grants"]) == found


def test_fifty_thousand_grants_a_key(make_house):
    """Most of them are copied in the stopped kmsd's store: one by one they would take a minute."""
    house = make_house(ddbd=False)
    key = house.kms().create_key()["KeyMetadata"]["KeyId"]
    last = grant(house.kms(), key)["GrantId"]
    assert house.kmsd.terminate() == 0
    copy_grant(house.folder / "kmsd/state/state.db", f"{arn_of(key)}/".encode(), last, 49999 - 1)
    house.kmsd.start()
    kms = house.kms()
    last = grant(kms, key, Name="last")["GrantId"]
    assert refused(grant, kms, key) == (
        "LimitExceededException",
        "Grants per key quota for this account in this region is 50000, current usage is 50000.")
    assert code(grant, kms, key, DryRun=True) == "LimitExceededException"
    assert grant(kms, key, Name="last")["GrantId"] == last, "no new one"
    assert code(grant, kms, key, Name="last", DryRun=True) == "DryRunOperationException"
    kms.revoke_grant(KeyId=key, GrantId=last)
    assert grant(kms, key)["GrantId"] != last


def copy_grant(state, key_prefix, grant_id, times):
    with contextlib.closing(sqlite3.connect(state)) as db:
        (value,) = db.execute("SELECT value FROM grants WHERE key = ?", (key_prefix + grant_id.encode(),)).fetchone()
        names = [key_prefix + b"%064x" % i for i in range(times)]
        sums = [zlib.crc32(name) << 32 | zlib.crc32(value) for name in names]
        db.executemany("INSERT INTO grants VALUES (?, ?, ?)", [
            (name, value, s - (s >> 63 << 64)) for name, s in zip(names, sums)])  # a signed integer there
        db.commit()


def test_no_token_is_ever_listed(kms, key):
    grant(kms, key, RetiringPrincipal=CAROL)
    for listed in (kms.list_grants(KeyId=key), kms.list_retirable_grants(RetiringPrincipal=CAROL)):
        assert all("GrantToken" not in g for g in listed["Grants"])


def test_pages_of_grants(kms, key):
    made = {grant(kms, key)["GrantId"] for _ in range(7)} | {grant(kms, key, grantee=CAROL)["GrantId"]}
    for limit in (1, 3, 7, 8, 100, 1000):
        listed = pages(kms.list_grants, "Grants", KeyId=key, Limit=limit)
        assert len(listed) == 8 and ids(listed) == made
    assert len(pages(kms.list_grants, "Grants", KeyId=key, Limit=2, GranteePrincipal=BOB)) == 7


def test_lists_default_to_fifty(kms, key):
    for _ in range(101):
        grant(kms, key, RetiringPrincipal=ARNS["root"])
    assert [len(kms.list_grants(KeyId=key)["Grants"]), len(kms.list_grants(KeyId=key, Limit=1000)["Grants"])] == [50, 100]
    answer = kms.list_retirable_grants(RetiringPrincipal=ARNS["root"])
    assert len(answer["Grants"]) == 50 and answer["Truncated"]


def test_retirable_grants_are_those_of_all_keys(house, kms):
    made = set()
    for _ in range(3):
        key = kms.create_key()["KeyMetadata"]["KeyId"]
        made |= {grant(kms, key, RetiringPrincipal=ARNS["app"])["GrantId"] for _ in range(2)}
        grant(kms, key, RetiringPrincipal=CAROL)
    foreign = as_(house, "dave")
    key = foreign.create_key()["KeyMetadata"]["KeyId"]
    made.add(grant(foreign, key, RetiringPrincipal=ARNS["app"])["GrantId"])
    for limit in (1, 2, 3, 7, 50):
        assert ids(pages(kms.list_retirable_grants, "Grants", RetiringPrincipal=ARNS["app"], Limit=limit)) == made
    assert pages(as_(house, "alice").list_retirable_grants, "Grants", RetiringPrincipal=ARNS["alice"]) == []
    assert not allowed(foreign.list_retirable_grants, RetiringPrincipal=ARNS["app"]), "not of the caller's account"
    assert refused(as_(house, "bob").list_retirable_grants, RetiringPrincipal=BOB) == (
        "AccessDeniedException", f"User: {BOB} is not authorized to perform: kms:ListRetirableGrants on resource: {BOB} "
        "because no identity-based policy allows the kms:ListRetirableGrants action")


# ---- other accounts ----

def test_a_grantee_of_another_account_names_the_key_by_arn(house, kms, key):
    erin, blob = as_(house, "erin"), encrypt(kms, key)
    grant(kms, key, ["Decrypt", "Encrypt", "DescribeKey"], ARNS["erin"])
    assert allowed(erin.encrypt, KeyId=arn_of(key), Plaintext=b"x")
    assert allowed(erin.decrypt, CiphertextBlob=blob)
    assert erin.describe_key(KeyId=arn_of(key))["KeyMetadata"]["AWSAccountId"] == ACCOUNT
    assert code(erin.encrypt, KeyId=key, Plaintext=b"x") == "NotFoundException", "an id is of one's own account"


def test_another_accounts_keys_are_not_told_by_their_grants(house, kms, key):
    none = arn_of("00000000-1111-2222-3333-444444444444")
    for arn in (arn_of(key), none):
        assert refused(as_(house, "dave").retire_grant, KeyId=arn, GrantId="0" * 64) == (
            "AccessDeniedException", f"User: {ARNS['dave']} is not authorized to perform: kms:RetireGrant on this resource "
            "because the resource does not exist in this Region, no resource-based policies allow access, or a "
            "resource-based policy explicitly denies access")


def test_a_grant_made_in_another_account(house, key):
    """By way of CreateGrant in a grant: the issuing account is the caller's."""
    grant(as_(house, "alice"), key, PARENT, ARNS["erin"])
    made = grant(as_(house, "erin"), arn_of(key), ["Decrypt"])
    listed = as_(house, "alice").list_grants(KeyId=key, GrantId=made["GrantId"])["Grants"][0]
    assert listed["IssuingAccount"] == f"arn:aws:iam::{OTHER}:root"
    assert allowed(as_(house, "bob").decrypt, CiphertextBlob=encrypt(as_(house, "alice"), key))
    assert allowed(as_(house, "other root").retire_grant, GrantToken=made["GrantToken"])


# ---- services ----

def service_grant(house, key, operations=("Decrypt",), source=TABLE, **more):
    body = {"KeyId": key, "GranteeServicePrincipal": "dynamodb.amazonaws.com", "Operations": list(operations),
            "Constraints": {"SourceArn": source}, "RetiringServicePrincipal": "dynamodb.amazonaws.com", **more}
    answer = told(house, "CreateGrant", body, KEYS["alice"], secret_of(KEYS["alice"]))
    assert answer[0] == "ok", answer
    return answer[1]


def test_a_service_by_its_regional_name(house, kms, key):
    service, blob = service_client(house), encrypt(kms, key)
    assert not allowed(service.decrypt, CiphertextBlob=blob)
    made = grant(kms, key, ["Decrypt", "DescribeKey"], f"dynamodb.{REGION}.amazonaws.com",
                 RetiringPrincipal=f"dynamodb.{REGION}.amazonaws.com")
    assert allowed(service.decrypt, CiphertextBlob=blob) and allowed(service.describe_key, KeyId=arn_of(key))
    assert not allowed(service.encrypt, KeyId=arn_of(key), Plaintext=b"x")
    assert made["GrantId"] in ids(pages(service.list_retirable_grants, "Grants",
                                        RetiringPrincipal=f"dynamodb.{REGION}.amazonaws.com"))
    service.retire_grant(GrantToken=made["GrantToken"])
    assert not allowed(service.decrypt, CiphertextBlob=blob)


def test_a_grant_to_a_service_of_another_region(house, kms, key):
    grant(kms, key, grantee="dynamodb.eu-west-1.amazonaws.com")
    assert not allowed(service_client(house).decrypt, CiphertextBlob=encrypt(kms, key))


def test_source_arn(house, kms, key):
    blob = encrypt(kms, key)
    made = service_grant(house, key, ["Decrypt", "DescribeKey"])
    right, wrong, none = (service_client(house, source_arn=s) for s in (TABLE, TABLE + "2", None))
    assert allowed(right.decrypt, CiphertextBlob=blob) and allowed(right.describe_key, KeyId=arn_of(key))
    for client in (wrong, none):
        assert not allowed(client.decrypt, CiphertextBlob=blob)
        assert not allowed(client.describe_key, KeyId=arn_of(key))
    listed = told(house, "ListGrants", {"KeyId": key, "GrantId": made["GrantId"]}, KEYS["alice"],
                  secret_of(KEYS["alice"]))[1]["Grants"][0]
    assert listed["GranteeServicePrincipal"] == listed["RetiringServicePrincipal"] == "dynamodb.amazonaws.com"
    assert "GranteePrincipal" not in listed and listed["Constraints"] == {"SourceArn": TABLE}
    none.retire_grant(GrantToken=made["GrantToken"])


def test_a_user_cannot_claim_a_source(house, kms, bob, key):
    blob = encrypt(kms, key)
    grant(kms, key, Constraints={"EncryptionContextSubset": {"a": "b"}})
    body = {"KeyId": key, "GranteePrincipal": BOB, "Operations": ["Decrypt"], "Constraints": {"SourceArn": TABLE}}
    assert told(house, "CreateGrant", body, KEYS["alice"], secret_of(KEYS["alice"]))[0] == "ok"
    assert not allowed(bob.decrypt, CiphertextBlob=blob)
    got = told(house, "Decrypt", {"CiphertextBlob": base64.b64encode(blob).decode()}, KEYS["bob"],
               secret_of(KEYS["bob"]), x_amz_source_arn=TABLE)
    assert got[0] == "AccessDeniedException"


def test_children_keep_the_source(house, key):
    grant_body = {"KeyId": key, "GranteePrincipal": CAROL, "Operations": ["Decrypt"]}
    service_grant(house, key, ["CreateGrant", "Decrypt"])
    service = service_client(house, source_arn=TABLE)
    assert not allowed(service.create_grant, **(grant_body | {"KeyId": arn_of(key)}))


def test_all_combinations_of_two_operations_list_as_given(kms, key):
    for pair in itertools.combinations(ALL, 2):
        if "CreateGrant" in pair:
            continue
        made = grant(kms, key, pair)
        listed = kms.list_grants(KeyId=key, GrantId=made["GrantId"])["Grants"][0]["Operations"]
        assert set(listed) == set(pair)
