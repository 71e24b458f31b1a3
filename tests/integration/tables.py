"""What the tests of ddbd share: tables made and waited for, requests on the wire, principals with and without rights."""
import json
import types
import urllib.error
import urllib.request
import uuid
import zlib

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import botocore.exceptions
import pytest

from daemons import ACCOUNT, REGION, until

MANAGED = {"Enabled": True, "SSEType": "KMS"}
OWNED = {"Enabled": False}


def customer(key_id):
    return {"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": key_id}


# ---- principals ----

def user(name, *statements):
    return {"accessKeys": [{"id": f"AKIA{name.upper():A<16}", "secret": f"secret-of-{name}"}],
            "policies": {"only": {"Version": "2012-10-17", "Statement": list(statements)}}}


def allow(*actions, **more):
    return {"Effect": "Allow", "Action": list(actions), "Resource": "*", **more}


def session(role, name):
    short = f"{role}{name}".upper().replace("-", "")
    return {"name": name, "accessKey": {"id": f"ASIA{short:A<16}", "secret": f"secret-of-{role}-{name}",
                                        "token": f"token-of-{role}-{name}"}}


PRINCIPALS = {"accounts": {
    ACCOUNT: {
        "users": {
            "alice": user("alice", allow("dynamodb:*", "kms:*")),
            "bob": user("bob", allow("dynamodb:*"), allow("kms:Decrypt")),
            # May use tables, but no key.
            "carol": user("carol", allow("dynamodb:*")),
        },
        "roles": {"app": {"policies": {"only": {"Version": "2012-10-17", "Statement": [
            allow("dynamodb:GetItem", "dynamodb:PutItem", "kms:Decrypt")]}},
            "sessions": [session("app", "i-0abc"), session("app", "i-0def")]}},
    },
    "444455556666": {"users": {"eve": user("eve", allow("dynamodb:*", "kms:*"))}},
}}


def credentials_of(name):
    """Arguments of House.client(): "alice", or "app/i-0abc" for a role's session."""
    for account in PRINCIPALS["accounts"].values():
        if name in account["users"]:
            key = account["users"][name]["accessKeys"][0]
            return {"key": key["id"], "secret": key["secret"]}
        for role, its in account.get("roles", {}).items():
            for one in its["sessions"]:
                if f"{role}/{one['name']}" == name:
                    key = one["accessKey"]
                    return {"key": key["id"], "secret": key["secret"], "token": key["token"]}
    raise KeyError(name)


# ---- keys and tables ----

def without_table_keys(account=ACCOUNT):
    """A key policy under which DynamoDB gets its grants, but no table key."""
    root = {"Principal": {"AWS": f"arn:aws:iam::{account}:root"}, "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "kms:*", **root},
        {"Effect": "Deny", "Principal": "*", "Action": "kms:GenerateDataKey", "Resource": "*"}]})


def unique(prefix="table"):
    return f"{prefix}-{uuid.uuid4().hex[:12]}"


def definition(name=None, hash_key="pk:S", range_key=None, **more):
    """CreateTable's parameters; keys as "name:type"."""
    keys = [key.split(":") for key in (hash_key, range_key) if key]
    parameters = {"TableName": name or unique(),
                  "AttributeDefinitions": [{"AttributeName": n, "AttributeType": t} for n, t in keys],
                  "KeySchema": [{"AttributeName": n, "KeyType": kind} for (n, _), kind in zip(keys, ("HASH", "RANGE"))]}
    if more.get("BillingMode") != "PROVISIONED" and "ProvisionedThroughput" not in more:
        more.setdefault("BillingMode", "PAY_PER_REQUEST")
    return {**parameters, **more}


def describe(client, name):
    return client.describe_table(TableName=name)["Table"]


def until_active(client, name):
    return until(lambda: (t := describe(client, name))["TableStatus"] == "ACTIVE" and t, f"{name} to be ACTIVE")


def make_table(client, name=None, sse=None, **more):
    """Creates a table, waits until it is ACTIVE, and returns its name."""
    if sse is not None:
        more["SSESpecification"] = sse
    name = client.create_table(**definition(name, **more))["TableDescription"]["TableName"]
    until_active(client, name)
    return name


def until_gone(client, name):
    def gone():
        try:
            describe(client, name)
        except client.exceptions.ResourceNotFoundException:
            return True
    until(gone, f"{name} to be gone")


def put(client, table, pk, **attributes):
    client.put_item(TableName=table, Item={"pk": {"S": pk}, **{k: {"S": v} for k, v in attributes.items()}})


def get(client, table, pk):
    """The item's attributes but the key, all texts; None when there is no such item."""
    item = client.get_item(TableName=table, Key={"pk": {"S": pk}}).get("Item")
    return item and {k: v["S"] for k, v in item.items() if k != "pk"}


# ---- errors ----

def refused(code, call, **parameters):
    """Asserts that the call fails with that code; returns the message."""
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        call(**parameters)
    error = caught.value.response["Error"]
    assert error["Code"] == code, f"{error['Code']}: {error['Message']}"
    return error["Message"]


def invalid(call, **parameters):
    return refused("ValidationException", call, **parameters)


# ---- the wire ----

def wire(house, operation, body, key="test", secret="test", region=REGION, target="DynamoDB_20120810", headers=(), sign=True):
    """One signed request with any body (bytes, or what becomes JSON). Returns status, headers, raw, and for errors type
    and message; body is the reply's JSON."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = botocore.awsrequest.AWSRequest("POST", house.ddbd.url + "/", data=data, headers={
        "Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": f"{target}.{operation}", **dict(headers)})
    if sign:
        botocore.auth.SigV4Auth(botocore.credentials.Credentials(key, secret), "dynamodb", region).add_auth(request)
    prepared = urllib.request.Request(request.url, data, dict(request.headers), method="POST")
    try:
        reply = urllib.request.urlopen(prepared, timeout=30)
    except urllib.error.HTTPError as error:
        reply = error
    with reply:
        raw = reply.read()
        result = types.SimpleNamespace(status=reply.status, headers=reply.headers, raw=raw, body=json.loads(raw))
    assert int(result.headers["x-amz-crc32"]) == zlib.crc32(raw)
    result.type = result.body.get("__type", "").partition("#")[2] if result.status != 200 else None
    result.message = result.body.get("message", result.body.get("Message")) if result.status != 200 else None
    return result
