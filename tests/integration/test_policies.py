"""Who may: key policy x identity policies x grant; denials and their sentences; conditions; refused documents; lockout."""
import copy
import itertools
import json

import pytest

from asking import ARNS, KEYS, PRINCIPALS, ROLE_ARNS, allowed, as_, code, method, opened, refused, service_client
from conftest import VIRTUAL
from daemons import ACCOUNT, REGION, House

BOB, ROOT_ARN = ARNS["bob"], ARNS["root"]
TO_ACCOUNT = {"Effect": "Allow", "Principal": {"AWS": ROOT_ARN}, "Action": "kms:*", "Resource": "*"}


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    with opened(tmp_path_factory.mktemp("house"), kmsd=[*VIRTUAL, "--auth=strict"], principals=PRINCIPALS) as house:
        yield house


@pytest.fixture
def root(house):
    return as_(house, "root")


def policy(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(who, actions="kms:*", **more):
    principal = who if isinstance(who, (dict, str)) and not str(who).startswith("arn:") else {"AWS": who}
    return {"Effect": "Allow", "Principal": principal, "Action": actions, "Resource": "*", **more}


def deny(who, actions, **more):
    return allow(who, actions, **more) | {"Effect": "Deny"}


def key_with(root, *statements):
    return root.create_key(Policy=policy(*statements), BypassPolicyLockoutSafetyCheck=True)["KeyMetadata"]["Arn"]


def identity(*statements):
    return {"Version": "2012-10-17", "Statement": [{"Resource": "*", **s} for s in statements]}


def denied(who, action, resource, why):
    where = "on this resource " if why == "unknown" else f"on resource: {resource} " if resource else ""
    return ("AccessDeniedException", f"User: {ARNS[who]} is not authorized to perform: {action} {where}"
            + {"identity": f"because no identity-based policy allows the {action} action",
               "resource": f"because no resource-based policy allows the {action} action",
               "unknown": "because the resource does not exist in this Region, no resource-based policies allow access, or "
                          "a resource-based policy explicitly denies access",
               "identity deny": "with an explicit deny in an identity-based policy",
               "resource deny": "with an explicit deny in a resource-based policy"}[why])


# ---- the matrix ----

KEY_POLICIES = {
    "account": [TO_ACCOUNT],
    "caller": None,  # names the caller
    "account and caller": None,
    "nobody": [allow(ARNS["carol"])],
    "deny": None,
    "everyone": [allow("*")],
}
# By whom: of the key's account with rights, without, of another account with and without.
CALLERS = {"root": (True, True), "alice": (True, True), "bob": (True, False), "app": (True, True),
           "idle": (True, False), "other root": (False, True), "dave": (False, True), "erin": (False, False)}


def key_policy(name, who):
    caller = ROLE_ARNS.get(who, ARNS[who])
    return {"caller": [allow(caller)], "account and caller": [TO_ACCOUNT, allow(caller)],
            "deny": [TO_ACCOUNT, allow(caller), deny(caller, "kms:Encrypt")]}.get(name, KEY_POLICIES[name])


def expected(name, who, granted):
    same, rights = CALLERS[who]
    if name == "deny":
        return False
    if granted:
        return True
    if name == "account":
        return same and rights
    if name in ("caller", "account and caller", "everyone"):
        # A key's policy suffices within the account; the root of an account stands for the account, whose root has
        # every right. Across accounts both sides must agree.
        return same or rights
    return False


@pytest.mark.parametrize("granted", [False, True], ids=["", "granted"])
@pytest.mark.parametrize("name,who", list(itertools.product(KEY_POLICIES, CALLERS)))
def test_decision(house, root, name, who, granted):
    key = key_with(root, *key_policy(name, who))
    if granted:
        # Made before the policy is the one of the test.
        carol = as_(house, "carol")
        root_key = key_with(root, allow(ARNS["carol"]))
        carol.create_grant(KeyId=root_key, GranteePrincipal=ROLE_ARNS.get(who, ARNS[who]), Operations=["Encrypt"])
        carol.put_key_policy(KeyId=root_key, Policy=policy(*key_policy(name, who)), BypassPolicyLockoutSafetyCheck=True)
        key = root_key
    assert allowed(as_(house, who).encrypt, KeyId=key, Plaintext=b"x") == expected(name, who, granted)


# ---- what a denial says ----

def test_sentences(house, root):
    key = key_with(root, TO_ACCOUNT)
    assert refused(as_(house, "bob").encrypt, KeyId=key, Plaintext=b"x") == denied("bob", "kms:Encrypt", key, "identity")
    assert refused(as_(house, "idle").describe_key, KeyId=key) == denied("idle", "kms:DescribeKey", key, "identity")
    closed = key_with(root, allow(ARNS["carol"]))
    assert refused(as_(house, "alice").encrypt, KeyId=closed, Plaintext=b"x") == denied(
        "alice", "kms:Encrypt", closed, "resource")
    barred = key_with(root, TO_ACCOUNT, deny(ARNS["alice"], "kms:Encrypt"))
    assert refused(as_(house, "alice").encrypt, KeyId=barred, Plaintext=b"x") == denied(
        "alice", "kms:Encrypt", barred, "resource deny")
    assert refused(as_(house, "bob").create_key) == denied("bob", "kms:CreateKey", "*", "identity")
    assert refused(as_(house, "bob").list_keys) == denied("bob", "kms:ListKeys", "*", "identity")
    assert refused(as_(house, "bob").generate_random, NumberOfBytes=1) == denied(
        "bob", "kms:GenerateRandom", "*", "identity")


def test_re_encrypt_has_two_actions(house, root):
    key = key_with(root, TO_ACCOUNT)
    blob = root.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    half = key_with(root, TO_ACCOUNT, allow(BOB, "kms:ReEncryptFrom"))
    blob_half = root.encrypt(KeyId=half, Plaintext=b"x")["CiphertextBlob"]
    bob = as_(house, "bob")
    assert refused(bob.re_encrypt, CiphertextBlob=blob, SourceKeyId=key, DestinationKeyId=half) == denied(
        "bob", "kms:ReEncryptFrom", key, "identity")
    assert refused(bob.re_encrypt, CiphertextBlob=blob_half, DestinationKeyId=half) == denied(
        "bob", "kms:ReEncryptTo", half, "identity")
    # Also where there is no key to be decided about: the sentence names the half that failed.
    none = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/00000000-1111-2222-3333-444444444444"
    dave = as_(house, "dave")
    own = dave.create_key()["KeyMetadata"]["KeyId"]
    blob_own = dave.encrypt(KeyId=own, Plaintext=b"x")["CiphertextBlob"]
    assert refused(dave.re_encrypt, CiphertextBlob=blob_own, DestinationKeyId=none) == denied(
        "dave", "kms:ReEncryptTo", none, "unknown")
    assert refused(dave.re_encrypt, CiphertextBlob=blob_own, SourceKeyId=none, DestinationKeyId=own) == denied(
        "dave", "kms:ReEncryptFrom", none, "unknown")
    elsewhere = as_(house, "dave", region="eu-west-1")
    there = elsewhere.create_key()["KeyMetadata"]["KeyId"]
    _, message = refused(elsewhere.re_encrypt, CiphertextBlob=blob_own, DestinationKeyId=there)
    assert message.startswith(f"User: {ARNS['dave']} is not authorized to perform: kms:ReEncryptFrom on the resource "
                              "associated with this ciphertext because the resource does not exist in this Region")


def test_a_denied_caller_does_not_learn_the_keys_state(house, root):
    key = key_with(root, TO_ACCOUNT)
    root.disable_key(KeyId=key)
    assert code(as_(house, "bob").encrypt, KeyId=key, Plaintext=b"x") == "AccessDeniedException"


def test_keys_of_others_cannot_be_told_from_none(house, root):
    dave = as_(house, "dave")
    there = [key_with(root, allow(ARNS["carol"])), key_with(root, TO_ACCOUNT), key_with(root, deny("*", "kms:*"))]
    none = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/00000000-1111-2222-3333-444444444444"
    for action, more in (("DescribeKey", {}), ("Encrypt", {"Plaintext": b"x"}), ("DisableKey", {})):
        for key in [*there, none]:
            assert refused(method(dave, action), KeyId=key, **more) == denied("dave", f"kms:{action}", key, "unknown")


def test_calls_across_accounts(house, root):
    """A key policy may let another account's principals use a key, also by its alias, but not manage it."""
    key = key_with(root, TO_ACCOUNT, allow(ARNS["dave"]))
    alias = key.split(":key/")[0] + ":alias/shared"
    root.create_alias(AliasName="alias/shared", TargetKeyId=key)
    dave = as_(house, "dave")
    blob = dave.encrypt(KeyId=alias, Plaintext=b"x")["CiphertextBlob"]
    assert dave.decrypt(CiphertextBlob=blob)["KeyId"] == key
    assert dave.describe_key(KeyId=alias)["KeyMetadata"]["Arn"] == key
    made = dave.create_grant(KeyId=key, GranteePrincipal=BOB, Operations=["Decrypt"])
    assert [g["IssuingAccount"] for g in dave.list_grants(KeyId=key)["Grants"]] == [ARNS["other root"]]
    dave.revoke_grant(KeyId=key, GrantId=made["GrantId"])
    for action, more in (("DisableKey", {}), ("EnableKey", {}), ("ScheduleKeyDeletion", {}), ("CancelKeyDeletion", {}),
                         ("UpdateKeyDescription", {"Description": "x"}), ("GetKeyPolicy", {}), ("ListKeyPolicies", {}),
                         ("PutKeyPolicy", {"Policy": policy(TO_ACCOUNT)}), ("ListResourceTags", {}),
                         ("TagResource", {"Tags": []}), ("UntagResource", {"TagKeys": []}), ("ListAliases", {})):
        assert code(method(dave, action), KeyId=key, **more) == "AccessDeniedException", action
    assert code(dave.create_alias, AliasName="alias/mine", TargetKeyId=key) == "AccessDeniedException"
    none = alias.replace("shared", "none")
    assert refused(dave.describe_key, KeyId=none) == denied("dave", "kms:DescribeKey", none, "unknown")


# ---- the parts of statements ----

@pytest.mark.parametrize("actions,may", [
    ("kms:Encrypt", True), ("kms:encrypt", True), ("kms:*", True), ("*", True), ("kms:Enc*", True), ("kms:?ncrypt", True),
    (["kms:Decrypt", "kms:Encrypt"], True), ("kms:Decrypt", False), ("kms:Encryp", False), ("s3:*", False),
    ("kms:?Encrypt", False), ("KMS:ENCRYPT", True)])
def test_actions(house, root, actions, may):
    key = key_with(root, allow(BOB, actions))
    assert allowed(as_(house, "bob").encrypt, KeyId=key, Plaintext=b"x") == may


@pytest.mark.parametrize("principal,may", [
    (BOB, True), ([ARNS["carol"], BOB], True), ("*", True), (ARNS["carol"], False), (ROLE_ARNS["idle"], False)])
def test_principals(house, root, principal, may):
    key = key_with(root, allow({"AWS": principal}))
    assert allowed(as_(house, "bob").encrypt, KeyId=key, Plaintext=b"x") == may


@pytest.mark.parametrize("principal,may", [(ROLE_ARNS["idle"], True), (ARNS["idle"], True),
                                           (f"arn:aws:sts::{ACCOUNT}:assumed-role/idle/other", False),
                                           (ROLE_ARNS["app"], False)])
def test_role_sessions(house, root, principal, may):
    key = key_with(root, allow(principal))
    assert allowed(as_(house, "idle").encrypt, KeyId=key, Plaintext=b"x") == may


def test_the_account_by_its_number(house, root):
    key = key_with(root, allow({"AWS": ACCOUNT}))
    assert allowed(as_(house, "alice").encrypt, KeyId=key, Plaintext=b"x")
    assert not allowed(as_(house, "bob").encrypt, KeyId=key, Plaintext=b"x")


def test_a_denial_wins_wherever_it_stands(house, root):
    for order in (0, 1):
        statements = [allow(BOB), deny(BOB, "kms:Encrypt")]
        key = key_with(root, *(statements if order else statements[::-1]))
        assert not allowed(as_(house, "bob").encrypt, KeyId=key, Plaintext=b"x")
        assert allowed(as_(house, "bob").describe_key, KeyId=key)
    key = key_with(root, TO_ACCOUNT, deny("*", "kms:Encrypt"))
    assert not allowed(root.encrypt, KeyId=key, Plaintext=b"x"), "even to root"


def test_resources_of_identity_policies(tmp_path):
    """Identity policies with resources, denials and aliases, on a kmsd that is told of the keys after they exist."""
    principals = copy.deepcopy(PRINCIPALS)
    house = House(tmp_path, kmsd=[*VIRTUAL, "--auth=strict"], principals=principals)
    try:
        house.start(ddbd=False)
        root = as_(house, "root")
        mine, other = (root.create_key()["KeyMetadata"]["Arn"] for _ in range(2))
        users = principals["accounts"][ACCOUNT]["users"]
        users["bob"]["policies"] = {"mine": identity({"Effect": "Allow", "Action": "kms:*", "Resource": mine})}
        users["carol"]["policies"] = {
            "all": identity({"Effect": "Allow", "Action": "kms:*"}),
            "not other": identity({"Effect": "Deny", "Action": ["kms:Encrypt", "kms:DisableKey"], "Resource": other})}
        house.principals_path.write_text(json.dumps(principals))
        house.kmsd.restart()
        bob, carol, root = (as_(house, w) for w in ("bob", "carol", "root"))
        assert allowed(bob.encrypt, KeyId=mine, Plaintext=b"x") and not allowed(bob.encrypt, KeyId=other, Plaintext=b"x")
        assert not allowed(bob.list_keys), "its resource is *"
        assert not allowed(bob.create_alias, AliasName="alias/b", TargetKeyId=mine), "needs the alias too"
        assert allowed(carol.create_alias, AliasName="alias/c", TargetKeyId=mine)
        assert refused(carol.encrypt, KeyId=other, Plaintext=b"x") == denied(
            "carol", "kms:Encrypt", other, "identity deny")
        root.put_key_policy(KeyId=other, Policy=policy(TO_ACCOUNT, allow(ARNS["carol"])))
        root.create_grant(KeyId=other, GranteePrincipal=ARNS["carol"], Operations=["Encrypt"])
        assert not allowed(carol.encrypt, KeyId=other, Plaintext=b"x"), "a denial beats key policy and grant"
        house.stop()
    finally:
        house.abandon()


def test_rights_on_aliases_and_on_tags_at_birth(make_house):
    """An alias takes a right on itself and on each key that it points to; tags of a new key take one of their own."""
    principals = copy.deepcopy(PRINCIPALS)
    principals["accounts"][ACCOUNT]["users"]["bob"]["policies"] = {"p": identity(
        {"Effect": "Allow", "Action": "kms:*Alias", "Resource": f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/*"},
        {"Effect": "Allow", "Action": "kms:CreateKey"})}
    house = make_house(ddbd=False, principals=principals)
    root, bob = as_(house, "root"), as_(house, "bob")
    closed = key_with(root, TO_ACCOUNT)
    mine = key_with(root, TO_ACCOUNT, allow(BOB, "kms:*Alias"))
    assert refused(bob.create_alias, AliasName="alias/b", TargetKeyId=closed) == denied(
        "bob", "kms:CreateAlias", closed, "identity")
    bob.create_alias(AliasName="alias/b", TargetKeyId=mine)
    to_closed = denied("bob", "kms:UpdateAlias", closed, "identity")
    assert refused(bob.update_alias, AliasName="alias/b", TargetKeyId=closed) == to_closed
    root.update_alias(AliasName="alias/b", TargetKeyId=closed)
    assert refused(bob.update_alias, AliasName="alias/b", TargetKeyId=mine) == to_closed, "the key that it leaves"
    assert refused(bob.delete_alias, AliasName="alias/b") == denied("bob", "kms:DeleteAlias", closed, "identity")
    root.update_alias(AliasName="alias/b", TargetKeyId=mine)
    bob.delete_alias(AliasName="alias/b")
    bob.create_key()
    assert refused(bob.create_key, Tags=[{"TagKey": "a", "TagValue": ""}]) == denied(
        "bob", "kms:TagResource", None, "identity")


# ---- conditions ----

@pytest.mark.parametrize("condition,context,may", [
    ({"StringEquals": {"kms:EncryptionContext:team": "blue"}}, {"team": "blue"}, True),
    ({"StringEquals": {"kms:EncryptionContext:team": "blue"}}, {"team": "blue", "more": "x"}, True),
    ({"StringEquals": {"kms:EncryptionContext:team": "blue"}}, {"team": "Blue"}, False),
    ({"StringEquals": {"kms:EncryptionContext:team": "blue"}}, {}, False),
    ({"StringEquals": {"kms:EncryptionContext:team": ["red", "blue"]}}, {"team": "blue"}, True),
    ({"StringLike": {"kms:EncryptionContext:team": "b*e"}}, {"team": "blue"}, True),
    ({"StringLike": {"kms:EncryptionContext:team": "b?e"}}, {"team": "blue"}, False),
    ({"StringEquals": {"kms:EncryptionContext:team": "b*e"}}, {"team": "blue"}, False),
    ({"StringEquals": {"kms:EncryptionContext:a": "1", "kms:EncryptionContext:b": "2"}}, {"a": "1", "b": "2"}, True),
    ({"StringEquals": {"kms:EncryptionContext:a": "1", "kms:EncryptionContext:b": "2"}}, {"a": "1"}, False),
    ({"StringEquals": {"kms:EncryptionContext:a": "1"}, "StringLike": {"kms:EncryptionContext:b": "*"}}, {"a": "1"}, False),
    ({"StringEquals": {"kms:CallerAccount": ACCOUNT}}, {}, True),
    ({"StringEquals": {"KMS:calleraccount": ACCOUNT}}, {}, True),
    ({"StringEquals": {"kms:CallerAccount": "444455556666"}}, {}, False),
    ({"StringLike": {"kms:CallerAccount": "1111*"}}, {}, True),
    ({"StringEquals": {"kms:ViaService": f"dynamodb.{REGION}.amazonaws.com"}}, {}, False),
    ({"Bool": {"kms:GrantIsForAWSResource": "false"}}, {}, False),
])
def test_conditions(house, root, condition, context, may):
    key = key_with(root, allow(BOB, Condition=condition))
    assert allowed(as_(house, "bob").encrypt, KeyId=key, Plaintext=b"x", EncryptionContext=context) == may
    barred = key_with(root, allow(BOB), deny(BOB, "kms:Encrypt", Condition=condition))
    assert allowed(as_(house, "bob").encrypt, KeyId=barred, Plaintext=b"x", EncryptionContext=context) != may


def test_via_service(house, root):
    via = {"StringEquals": {"kms:ViaService": f"dynamodb.{REGION}.amazonaws.com"}}
    key = key_with(root, allow(BOB, Condition=via))
    direct, through = as_(house, "bob"), service_client(house, user=(KEYS["bob"], BOB))
    assert not allowed(direct.encrypt, KeyId=key, Plaintext=b"x")
    assert allowed(through.encrypt, KeyId=key, Plaintext=b"x")
    assert not allowed(service_client(house).encrypt, KeyId=key, Plaintext=b"x"), "the service itself is not bob"
    like = key_with(root, allow(BOB, Condition={"StringLike": {"kms:ViaService": "dynamodb.*.amazonaws.com"}}))
    assert allowed(through.encrypt, KeyId=like, Plaintext=b"x") and not allowed(direct.encrypt, KeyId=like, Plaintext=b"x")


def test_grants_for_aws_resources(house, root):
    rule = {"Bool": {"kms:GrantIsForAWSResource": "true"}}
    key = key_with(root, allow(BOB, "kms:CreateGrant", Condition=rule))
    terms = {"KeyId": key, "GranteePrincipal": f"dynamodb.{REGION}.amazonaws.com", "Operations": ["Decrypt"]}
    assert not allowed(as_(house, "bob").create_grant, **terms)
    assert allowed(service_client(house, user=(KEYS["bob"], BOB)).create_grant, **terms)


def test_a_grants_context_is_the_condition_of_create_grant(house, root):
    key = key_with(root, allow(BOB, "kms:CreateGrant", Condition={"StringEquals": {"kms:EncryptionContext:t": "1"}}))
    terms = {"KeyId": key, "GranteePrincipal": BOB, "Operations": ["Decrypt"]}
    bob = as_(house, "bob")
    assert not allowed(bob.create_grant, **terms)
    assert not allowed(bob.create_grant, Constraints={"EncryptionContextSubset": {"t": "2"}}, **terms)
    assert allowed(bob.create_grant, Constraints={"EncryptionContextSubset": {"t": "1"}}, **terms)


def test_re_encrypt_conditions_look_at_their_own_context(house, root):
    source = key_with(root, allow(ROOT_ARN), allow(
        BOB, "kms:ReEncryptFrom", Condition={"StringEquals": {"kms:EncryptionContext:side": "source"}}))
    to = key_with(root, allow(BOB, "kms:ReEncryptTo", Condition={"StringEquals": {"kms:EncryptionContext:side": "to"}}))
    blob = root.encrypt(KeyId=source, Plaintext=b"x", EncryptionContext={"side": "source"})["CiphertextBlob"]
    ask = {"CiphertextBlob": blob, "SourceEncryptionContext": {"side": "source"}, "DestinationKeyId": to}
    bob = as_(house, "bob")
    assert allowed(bob.re_encrypt, DestinationEncryptionContext={"side": "to"}, **ask)
    assert not allowed(bob.re_encrypt, DestinationEncryptionContext={"side": "source"}, **ask)


def test_a_service_by_key_policy(house, root):
    key = key_with(root, allow({"Service": "dynamodb.amazonaws.com"}, ["kms:DescribeKey", "kms:Decrypt"]))
    service = service_client(house)
    assert allowed(service.describe_key, KeyId=key) and not allowed(service.encrypt, KeyId=key, Plaintext=b"x")
    assert not allowed(service.describe_key, KeyId=key_with(root, TO_ACCOUNT)), "the account is not the service"


# ---- documents that are refused ----

REFUSED = {
    "no JSON": "{", "text": '"x"', "list": "[]", "empty": "{}", "doubled": '{"Version": "2012-10-17", "Version": "2012-10-17"}',
    "no statement": '{"Version": "2012-10-17"}', "statements empty": policy(),
    "version": policy(allow(ROOT_ARN)).replace("2012-10-17", "2013-01-01"),
    "effect": policy(allow(ROOT_ARN) | {"Effect": "allow"}), "unknown element": policy(allow(ROOT_ARN, NotAction="kms:X")),
    "not principal": policy({k: v for k, v in allow(ROOT_ARN).items() if k != "Principal"} | {"NotPrincipal": "*"}),
    "no principal": policy({k: v for k, v in allow(ROOT_ARN).items() if k != "Principal"}),
    "no action": policy({k: v for k, v in allow(ROOT_ARN).items() if k != "Action"}),
    "no resource": policy({k: v for k, v in allow(ROOT_ARN).items() if k != "Resource"}),
    "action": policy(allow(ROOT_ARN, "Encrypt")), "action type": policy(allow(ROOT_ARN, 5)),
    "resource": policy(allow(ROOT_ARN, Resource="key")), "principal": policy(allow({"AWS": "bob"})), "principal text": policy(allow("bob")),
    "group": policy(allow(f"arn:aws:iam::{ACCOUNT}:group/g")), "wildcard": policy(allow(f"arn:aws:iam::{ACCOUNT}:user/*")),
    "federated": policy(allow({"Federated": "x"})),
    "user of STS": policy(allow(f"arn:aws:sts::{ACCOUNT}:user/bob")),
    "session of IAM": policy(allow(f"arn:aws:iam::{ACCOUNT}:assumed-role/app/i-0abc")),
    "root of STS": policy(allow(f"arn:aws:sts::{ACCOUNT}:root")),
    "null operator": policy(allow(ROOT_ARN, Condition={"Null": {"kms:CallerAccount": "true"}})),
    "no keys": policy(allow(ROOT_ARN, Condition={"StringEquals": {}})),
    "no values": policy(allow(ROOT_ARN, Condition={"StringEquals": {"kms:CallerAccount": []}})),
    "number": policy(allow(ROOT_ARN, Condition={"StringEquals": {"kms:CallerAccount": 111122223333}})),
    "not resource": policy(allow(ROOT_ARN, NotResource="*")), "no principals": policy(allow({"AWS": []})),
    "canonical user": policy(allow({"CanonicalUser": "x"})), "more behind": policy(TO_ACCOUNT) + "x",
    "operator": policy(allow(ROOT_ARN, Condition={"NumericEquals": {"kms:CallerAccount": "1"}})),
    "negated": policy(allow(ROOT_ARN, Condition={"StringNotEquals": {"kms:CallerAccount": "1"}})),
    "if exists": policy(allow(ROOT_ARN, Condition={"StringEqualsIfExists": {"kms:CallerAccount": "1"}})),
    "set": policy(allow(ROOT_ARN, Condition={"ForAllValues:StringEquals": {"kms:CallerAccount": "1"}})),
    "key": policy(allow(ROOT_ARN, Condition={"StringEquals": {"aws:SourceIp": "1"}})),
    "bare context": policy(allow(ROOT_ARN, Condition={"StringEquals": {"kms:EncryptionContext:": "1"}})),
    "bool": policy(allow(ROOT_ARN, Condition={"Bool": {"kms:GrantIsForAWSResource": "yes"}})),
    "variable": policy(allow(ROOT_ARN, Resource="arn:aws:kms:*:*:key/${aws:username}")),
    "condition": policy(allow(ROOT_ARN, Condition=[])), "sid": policy(allow(ROOT_ARN, Sid=5)),
    "document": '{"Version": "2012-10-17", "More": 1, "Statement": []}',
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_documents(root, name):
    key = key_with(root, TO_ACCOUNT)
    before = root.get_key_policy(KeyId=key)["Policy"]
    assert code(root.put_key_policy, KeyId=key, Policy=REFUSED[name], BypassPolicyLockoutSafetyCheck=True) == (
        "MalformedPolicyDocumentException")
    assert root.get_key_policy(KeyId=key)["Policy"] == before
    assert code(root.create_key, Policy=REFUSED[name]) == "MalformedPolicyDocumentException"


# As the AWS console writes it, and other forms that the grammar allows.
BY_SERVICES = {"Effect": "Allow", "Principal": {"AWS": BOB}, "Resource": "*", "Sid": "Allow attachment of persistent resources",
               "Action": ["kms:CreateGrant", "kms:ListGrants", "kms:RevokeGrant"],
               "Condition": {"Bool": {"kms:GrantIsForAWSResource": True}}}
ACCEPTED = {
    "of the console": json.dumps({"Version": "2012-10-17", "Id": "key-consolepolicy-3", "Statement": [
        TO_ACCOUNT | {"Sid": "Enable IAM User Permissions"}, BY_SERVICES]}),
    "one statement": json.dumps({"Version": "2012-10-17", "Statement": TO_ACCOUNT}),
    "no version": json.dumps({"Statement": [TO_ACCOUNT]}),
    "old version": json.dumps({"Version": "2008-10-17", "Statement": [TO_ACCOUNT]}),
    "federated user": policy(TO_ACCOUNT, allow(f"arn:aws:sts::{ACCOUNT}:federated-user/f")),
    "no conditions": policy(TO_ACCOUNT | {"Condition": {}}),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_accepted_documents(house, root, name):
    key = root.create_key(Policy=ACCEPTED[name])["KeyMetadata"]["KeyId"]
    assert root.get_key_policy(KeyId=key)["Policy"] == ACCEPTED[name]
    assert allowed(as_(house, "alice").encrypt, KeyId=key, Plaintext=b"x")
    assert not allowed(as_(house, "bob").list_grants, KeyId=key), "only a service may, for bob"


def test_invalid_principals_in_aws_words(root):
    assert refused(root.create_key, Policy=REFUSED["principal"]) == (
        "MalformedPolicyDocumentException", "Policy contains a statement with one or more invalid principals.")


def test_sizes_of_policies(root):
    def long(n):
        return policy(TO_ACCOUNT | {"Sid": "x" * n})
    fits = 32768 - len(long(0))
    root.create_key(Policy=long(fits))
    assert code(root.create_key, Policy=long(fits + 1)) == "LimitExceededException"


def test_identity_policies_are_as_strict_at_start(tmp_path):
    for place, broken in (("accounts.111122223333.users.bob.policies.p", {"Version": "2012-10-17", "Statement": []}),
                          ("accounts.111122223333.users.bob.policies.p", identity(
                              {"Effect": "Allow", "Action": "kms:*", "Principal": "*"})),
                          ("accounts.111122223333.users.bob.policies.p", identity(
                              {"Effect": "Allow", "Action": "kms:*", "Condition": {"IpAddress": {"aws:SourceIp": "1"}}}))):
        principals = copy.deepcopy(PRINCIPALS)
        principals["accounts"][ACCOUNT]["users"]["bob"]["policies"] = {"p": broken}
        house = House(tmp_path, principals=principals)
        house.kmsd.start(wait=False)
        assert house.kmsd.process.wait(30) == 1
        assert place in house.kmsd.log_text()


# ---- the lockout check ----

LOCKED_OUT = ("MalformedPolicyDocumentException",
              "The new key policy will not allow you to update the key policy in the future.")


@pytest.mark.parametrize("who,statements,fine", [
    ("root", [TO_ACCOUNT], True), ("root", [allow(BOB)], False), ("alice", [allow(ARNS["alice"])], True),
    ("alice", [allow(ARNS["alice"], "kms:Encrypt")], False), ("alice", [allow(ARNS["alice"], "kms:PutKeyPolicy")], True),
    ("alice", [TO_ACCOUNT], True), ("alice", [TO_ACCOUNT, deny(ARNS["alice"], "kms:Put*")], False),
    ("app", [allow(ROLE_ARNS["app"])], True), ("app", [allow(ROLE_ARNS["idle"])], False)])
def test_lockout(house, who, statements, fine):
    kms = as_(house, who)
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    if fine:
        kms.put_key_policy(KeyId=key, Policy=policy(*statements))
        kms.create_key(Policy=policy(*statements))
    else:
        assert refused(kms.put_key_policy, KeyId=key, Policy=policy(*statements)) == LOCKED_OUT
        assert refused(kms.create_key, Policy=policy(*statements)) == LOCKED_OUT
    kms.put_key_policy(KeyId=key, Policy=policy(*statements), BypassPolicyLockoutSafetyCheck=True)
