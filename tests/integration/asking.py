"""Ways of asking kmsd for the tests: by name of the operation, what a refusal says, calls of a service, raw requests that
are signed wrongly on purpose, and the principals that the tests about rights share."""
import contextlib
import datetime
import functools
import hashlib
import hmac
import http.client
import json
import re

import botocore.exceptions

from daemons import ACCOUNT, PATIENCE, REGION, House, until

OTHER = "444455556666"  # the other account
ALLOW_ALL = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "kms:*", "Resource": "*"}]}


def secret_of(key):
    return f"secret of {key}"


def _user(key, policies=None):
    return {"accessKeys": [{"id": key, "secret": secret_of(key)}], "policies": policies or {}}


def _role(key, policies=None):
    return {"policies": policies or {}, "sessions": [
        {"name": "i-0abc", "accessKey": {"id": key, "secret": secret_of(key), "token": f"token of {key}"}}]}


KEYS = {"root": "AKIAROOT", "alice": "AKIAALICE", "bob": "AKIABOB", "carol": "AKIACAROL", "app": "ASIAAPP",
        "idle": "ASIAIDLE", "other root": "AKIAOTHERROOT", "dave": "AKIADAVE", "erin": "AKIAERIN"}
PRINCIPALS = {"accounts": {
    ACCOUNT: {
        "root": {"accessKeys": [{"id": KEYS["root"], "secret": secret_of(KEYS["root"])}]},
        "users": {"alice": _user(KEYS["alice"], {"everything": ALLOW_ALL}), "bob": _user(KEYS["bob"]),
                  "carol": _user(KEYS["carol"])},
        "roles": {"app": _role(KEYS["app"], {"everything": ALLOW_ALL}), "idle": _role(KEYS["idle"])}},
    OTHER: {
        "root": {"accessKeys": [{"id": KEYS["other root"], "secret": secret_of(KEYS["other root"])}]},
        "users": {"dave": _user(KEYS["dave"], {"everything": ALLOW_ALL}), "erin": _user(KEYS["erin"])}}}}
ARNS = {"root": f"arn:aws:iam::{ACCOUNT}:root", "alice": f"arn:aws:iam::{ACCOUNT}:user/alice",
        "bob": f"arn:aws:iam::{ACCOUNT}:user/bob", "carol": f"arn:aws:iam::{ACCOUNT}:user/carol",
        "app": f"arn:aws:sts::{ACCOUNT}:assumed-role/app/i-0abc",
        "idle": f"arn:aws:sts::{ACCOUNT}:assumed-role/idle/i-0abc", "other root": f"arn:aws:iam::{OTHER}:root",
        "dave": f"arn:aws:iam::{OTHER}:user/dave", "erin": f"arn:aws:iam::{OTHER}:user/erin"}
ROLE_ARNS = {"app": f"arn:aws:iam::{ACCOUNT}:role/app", "idle": f"arn:aws:iam::{ACCOUNT}:role/idle"}


def as_(house, who, **config):
    """A KMS client of one of PRINCIPALS."""
    key = KEYS[who]
    token = f"token of {key}" if key.startswith("ASIA") else None
    return house.kms(key, secret_of(key), token, **config)


@contextlib.contextmanager
def opened(folder, ddbd=False, **more):
    """A house for a whole module: `yield from` it in a fixture of module scope."""
    house = House(folder, **more)
    try:
        yield house.start(ddbd)
        house.stop()
    finally:
        house.abandon()


# ---- refusals ----

def refused(call, *args, **parameters):
    """(code, message) of the error that the call must end with."""
    try:
        answer = call(*args, **parameters)
    except botocore.exceptions.ClientError as error:
        return error.response["Error"]["Code"], error.response["Error"]["Message"]
    raise AssertionError(f"not refused: {answer}")


def code(call, *args, **parameters):
    return refused(call, *args, **parameters)[0]


def allowed(call, *args, **parameters):
    """True, or False when the answer is AccessDeniedException; any other error is raised."""
    try:
        call(*args, **parameters)
        return True
    except botocore.exceptions.ClientError as error:
        if error.response["Error"]["Code"] == "AccessDeniedException":
            return False
        raise


def method(client, operation):
    """The client's method for an operation of the API: "ReEncrypt" -> client.re_encrypt."""
    import botocore
    return getattr(client, botocore.xform_name(operation))


def unchecked(house, *args, **more):
    """A client that sends whatever it is given."""
    return house.kms(*args, parameter_validation=False, **more)


def members(answer):
    return {name for name in answer if name != "ResponseMetadata"}


def pages(operation, result, **parameters):
    """All items of a List operation, page by page."""
    items, marker = [], {}
    while True:
        answer = operation(**parameters, **marker)
        items += answer[result]
        assert answer["Truncated"] == ("NextMarker" in answer)
        if not answer["Truncated"]:
            return items
        marker = {"Marker": answer["NextMarker"]}


def rotate(kms, key):
    """An on-demand rotation, completed; the id of the new key material."""
    kms.rotate_key_on_demand(KeyId=key)
    until(lambda: "OnDemandRotationStartDate" not in kms.get_key_rotation_status(KeyId=key), "the rotation to complete")
    return kms.describe_key(KeyId=key)["KeyMetadata"]["CurrentKeyMaterialId"]


# ---- a service's calls ----

def service_client(house, account=ACCOUNT, user=None, source_arn=None, headers=None, **more):
    """A KMS client with the service's credential: its own calls in an account, or those of user = (key, arn)."""
    credential = json.loads((house.folder / "service-credentials").read_text())
    client = house.kms(credential["accessKeyId"], credential["secretAccessKey"], **more)
    extra = dict(headers or {})
    if user:
        extra |= {"x-kmsd-on-behalf-of": user[0], "x-kmsd-on-behalf-of-arn": user[1]}
    elif account:
        extra["x-amz-source-account"] = account
    if source_arn:
        extra["x-amz-source-arn"] = source_arn

    def add(request, **_):
        for name, value in extra.items():
            request.headers[name] = value
    client.meta.events.register("before-sign.kms", add)
    return client


# ---- raw requests ----

def amz_date(offset=0):
    at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=offset)
    return at.strftime("%Y%m%dT%H%M%SZ")


def _mac(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


class Raw:
    """One request, signed by hand so that a test can change any part of it before or after signing."""

    def __init__(self, operation="ListKeys", body=b"{}", key="test", secret="test", region=REGION, service="kms",
                 date=None, scope_date=None, terminator="aws4_request"):
        self.body, self.secret, self.key = body, secret, key
        self.date = date or amz_date()
        self.scope = [scope_date or self.date[:8], region, service, terminator]
        self.headers = {"Host": "127.0.0.1", "Content-Type": "application/x-amz-json-1.1",
                        "X-Amz-Target": f"TrentService.{operation}", "X-Amz-Date": self.date}
        self.unsigned = set()
        self.target = "/"
        self.body_hash = None

    def sign(self):
        names = sorted(n.lower() for n in self.headers if n.lower() not in self.unsigned)
        values = {n.lower(): v for n, v in self.headers.items()}
        head = "".join(f"{n}:{' '.join(values[n].split())}\n" for n in names)
        digest = self.body_hash or hashlib.sha256(self.body).hexdigest()
        canonical = "\n".join(["POST", self.target, "", head, ";".join(names), digest])
        text = "\n".join(["AWS4-HMAC-SHA256", self.date, "/".join(self.scope),
                          hashlib.sha256(canonical.encode()).hexdigest()])
        signing_key = functools.reduce(_mac, self.scope, b"AWS4" + self.secret.encode())
        self.headers["Authorization"] = (f"AWS4-HMAC-SHA256 Credential={self.key}/{'/'.join(self.scope)}, "
                                         f"SignedHeaders={';'.join(names)}, "
                                         f"Signature={_mac(signing_key, text).hex()}")
        return self

    def set(self, **headers):
        for name, value in headers.items():
            self.headers[name.replace("_", "-")] = value
        return self

    def send(self, house, port=None):
        """(status, headers, decoded body) of kmsd's answer, or of that of another port"""
        connection = http.client.HTTPConnection("127.0.0.1", port or house.kmsd.port, timeout=PATIENCE)
        try:
            connection.putrequest("POST", self.target, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                connection.putheader(name, value)
            connection.putheader("Content-Length", str(len(self.body)))
            connection.endheaders(self.body)
            reply = connection.getresponse()
            text = reply.read()
            return reply.status, reply.headers, json.loads(text) if text else None
        finally:
            connection.close()

    def refusal(self, house):
        """(code, message) of a 400."""
        status, headers, body = self.send(house)
        assert status == 400, (status, body)
        assert re.fullmatch(r"[0-9a-f-]{36}", headers["x-amzn-RequestId"])
        assert headers["Date"] and headers["Content-Type"] == "application/x-amz-json-1.1"
        return body["__type"], body.get("message", body.get("Message"))


def told(house, operation, body, key="test", secret="test", **headers):
    """(code, message or the answer) of a call whose members boto3 does not know: ("ok", answer) when it succeeded."""
    raw = Raw(operation, json.dumps(body).encode(), key, secret)
    raw.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
    status, _, answer = raw.sign().send(house)
    if status == 200:
        return "ok", answer
    return answer["__type"], answer.get("message", answer.get("Message"))
