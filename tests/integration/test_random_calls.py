"""Thousands of calls with members that are right, nearly right and absurd, made from botocore's model: every one is
answered, none with a failure of kmsd's own, and all that was acknowledged is there after a kill."""
import base64
import http.client
import json
import os
import random

import botocore.session
import pytest

from asking import ARNS, KEYS, PRINCIPALS, Raw, opened, pages, secret_of, told
from conftest import VIRTUAL
from daemons import ACCOUNT, REGION, PATIENCE

MODEL = botocore.session.get_session().get_service_model("kms")
OPERATIONS = [
    "CreateKey", "DescribeKey", "ListKeys", "EnableKey", "DisableKey", "ScheduleKeyDeletion", "CancelKeyDeletion",
    "CreateAlias", "UpdateAlias", "DeleteAlias", "ListAliases", "GetKeyPolicy", "PutKeyPolicy", "ListKeyPolicies",
    "TagResource", "UntagResource", "ListResourceTags", "UpdateKeyDescription", "Encrypt", "Decrypt", "ReEncrypt",
    "GenerateDataKey", "GenerateDataKeyWithoutPlaintext", "GenerateRandom", "CreateGrant", "ListGrants",
    "ListRetirableGrants", "RetireGrant", "RevokeGrant", "EnableKeyRotation", "DisableKeyRotation",
    "GetKeyRotationStatus", "ListKeyRotations", "RotateKeyOnDemand"]
LATER = {"CreateGrant": ["GranteeServicePrincipal", "RetiringServicePrincipal"],
         "ListRetirableGrants": ["RetiringServicePrincipal"], "ListGrants": ["GranteeServicePrincipal"]}
ABSURD = [None, True, 0, -1, 1e308, 5.5, "", "x" * 300, "\0", "ü", "alias/", "arn:", f"arn:aws:kms:{REGION}:{ACCOUNT}:",
          [], {}, [None], [[]], {"a": None}, {"a": {}}, ["x"] * 60, "%s%n", "😀" * 10, 2**63 - 1, -2**63]
CALLS = 6000


@pytest.fixture
def house(tmp_path):
    with opened(tmp_path, kmsd=VIRTUAL, principals=PRINCIPALS) as house:
        yield house


class Walk:
    """What the calls so far have made, and values for the next."""

    def __init__(self, kms, seed):
        self.random = random.Random(seed)
        self.keys = [kms.create_key()["KeyMetadata"]["KeyId"] for _ in range(5)]
        self.blobs = [base64.b64encode(kms.encrypt(KeyId=k, Plaintext=b"x")["CiphertextBlob"]).decode() for k in self.keys]
        self.grants = [kms.create_grant(KeyId=k, GranteePrincipal=ARNS["bob"], Operations=["Decrypt"]) for k in self.keys]
        self.markers = [kms.list_keys(Limit=1)["NextMarker"]]
        self.policy = kms.get_key_policy(KeyId=self.keys[0])["Policy"]
        kms.create_alias(AliasName="alias/a", TargetKeyId=self.keys[0])

    def learn(self, operation, answer):
        def keep(things, thing):
            things.append(thing)
            del things[:-20]
        if operation == "CreateKey":
            keep(self.keys, answer["KeyMetadata"]["KeyId"])
        if operation == "CreateGrant":
            keep(self.grants, answer)
        if "NextMarker" in answer:
            keep(self.markers, answer["NextMarker"])
        if "CiphertextBlob" in answer:
            keep(self.blobs, answer["CiphertextBlob"])

    def key(self):
        key = self.random.choice(self.keys)
        return self.random.choice([key, key, key, "alias/a", "alias/aws/dynamodb", f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{key}",
                                   f"arn:aws:kms:{REGION}:444455556666:key/{key}"])

    def blob(self):
        blob = bytearray(base64.b64decode(self.random.choice(self.blobs)))
        if self.random.random() < 0.3:
            blob[self.random.randrange(len(blob))] ^= 1 << self.random.randrange(8)
        if self.random.random() < 0.1:
            del blob[self.random.randrange(len(blob)):]
        return base64.b64encode(blob).decode()

    def bent(self, value):
        """A policy with something in it that should not be."""
        if self.random.random() < 0.15:
            return self.random.choice(ABSURD)
        if isinstance(value, dict):
            return {k: self.bent(v) for k, v in value.items()}
        return [self.bent(v) for v in value] if isinstance(value, list) else value

    def known(self, name):
        choice, r = self.random.choice, self.random.random
        if name.endswith("KeyId") and name != "XksKeyId":
            return self.key()
        return {
            "AliasName": lambda: choice(["alias/a", "alias/b", "alias/c"]), "CiphertextBlob": self.blob,
            "GrantToken": lambda: choice(self.grants)["GrantToken"],
            "GrantTokens": lambda: [choice(self.grants)["GrantToken"]], "GrantId": lambda: choice(self.grants)["GrantId"],
            "Marker": lambda: choice(self.markers), "SourceArn": lambda: f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/t",
            "Policy": lambda: self.policy if r() < 0.7 else json.dumps(self.bent(json.loads(self.policy))),
            "GranteePrincipal": lambda: choice(list(ARNS.values())),
            "RetiringPrincipal": lambda: choice(list(ARNS.values())),
            "GranteeServicePrincipal": lambda: "dynamodb.amazonaws.com",
            "RetiringServicePrincipal": lambda: "dynamodb.amazonaws.com"}.get(name, lambda: None)()

    def value(self, name, shape):
        choice, r = self.random.choice, self.random.random
        if r() < 0.12:
            return choice(ABSURD)
        known = self.known(name)
        if known is not None:
            return known
        return {
            "string": lambda: choice(shape.enum or ["one", "two", "three"]),
            "blob": lambda: base64.b64encode(os.urandom(8)).decode(), "integer": lambda: choice([1, 7, 16, 30, 90, 1000]),
            "boolean": lambda: r() < 0.3, "map": lambda: {f"k{i}": choice(["v", "w" * 400]) for i in range(int(r() * 4))},
            "list": lambda: [self.value("", shape.member) for _ in range(1 + int(r() * 3))],
            "structure": lambda: {n: self.value(n, s) for n, s in shape.members.items() if r() < 0.6}}[shape.type_name]()

    def body(self, operation):
        shape = MODEL.operation_model(operation).input_shape
        r = self.random.random
        body = {n: self.value(n, s) for n, s in shape.members.items() if r() < (0.97 if n in shape.required_members else 0.3)}
        return body | {n: self.known(n) for n in LATER.get(operation, []) if r() < 0.3}


def everything(house):
    found = {}
    for account in (ACCOUNT, "444455556666"):
        kms = house.kms(account)
        found[account] = pages(kms.list_aliases, "Aliases")
        for key in pages(kms.list_keys, "Keys"):
            found[key["KeyArn"]] = [told(house, operation, {"KeyId": key["KeyId"]}, account) for operation in (
                "DescribeKey", "ListGrants", "ListResourceTags", "GetKeyPolicy", "GetKeyRotationStatus")]
    return found


@pytest.mark.parametrize("seed", [1, 2])
def test_random_calls(house, seed):
    walk = Walk(house.kms(), seed)
    callers = [("anybody", "x")] * 6 + [(KEYS["bob"], secret_of(KEYS["bob"]))]
    connection = http.client.HTTPConnection("127.0.0.1", house.kmsd.port, timeout=PATIENCE)
    fine = set()
    for n in range(CALLS // 2):
        operation = walk.random.choice(OPERATIONS)
        body = json.dumps(walk.body(operation)).encode()
        raw = Raw(operation, body, *walk.random.choice(callers)).sign()
        connection.request("POST", "/", raw.body, raw.headers)
        reply = connection.getresponse()
        text = reply.read()
        assert reply.status in (200, 400), (operation, body, text)
        if reply.status == 200:
            fine.add(operation)
            walk.learn(operation, json.loads(text) if text else {})
        if n % 500 == 499:
            house.clock(advance=walk.random.choice([0, 1, 8]) * 86400)
    connection.close()
    assert len(fine) > 24, "the walk must get somewhere"
    house.clock(advance=0)  # what was begun is completed
    before = everything(house)
    house.kmsd.kill()
    house.kmsd.start()
    assert everything(house) == before
