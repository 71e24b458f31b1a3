"""Our operation tables against the public API models that botocore installs: every operation is either built or listed
as not built, and what the model demands of a built operation's members is demanded here too. Tested from outside: a
request that breaks one rule of the model must get the sentence about that member."""
import base64
import http.client
import json
import pathlib
import re
import subprocess
import sys

import botocore.session
import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
from asking import Raw, told  # noqa: E402
from daemons import House, program  # noqa: E402

SESSION = botocore.session.get_session()
MODELS = {"kmsd": SESSION.get_service_model("kms"), "ddbd": SESSION.get_service_model("dynamodb")}
# Operations that a newer model than the installed one has: listed as not built.
NEWER = {"kmsd": set(), "ddbd": {"SearchVectors"}}


def listed(name):
    """(built, not built)"""
    lines = subprocess.run([program(name), "--list-operations"], capture_output=True, text=True, check=True).stdout
    rows = [line.split(None, 2) for line in lines.splitlines()[1:]]
    return ({r[0] for r in rows if r[2] != "not built"}, {r[0] for r in rows if r[2] == "not built"})


BUILT = {name: sorted(listed(name)[0]) for name in MODELS}


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    house = House(tmp_path_factory.mktemp("house"))
    try:
        yield house.start()
        house.stop()
    finally:
        house.abandon()


@pytest.mark.parametrize("name", MODELS)
def test_every_operation_is_built_or_listed(name):
    built, unbuilt = listed(name)
    known = set(MODELS[name].operation_names)
    assert not built & unbuilt
    assert built <= known
    assert known <= built | unbuilt, "operations that we do not know"
    assert (built | unbuilt) - known <= NEWER[name], "operations that the API does not have"


@pytest.mark.parametrize("name", MODELS)
def test_what_is_not_built_says_so(house, name):
    for operation in sorted(listed(name)[1]):
        assert ask(house, name, operation, {})[0] == "UnsupportedOperationException", operation


def ask(house, name, operation, body):
    if name == "kmsd":
        return told(house, operation, body)
    raw = Raw(operation, json.dumps(body).encode(), service="dynamodb")
    raw.headers["X-Amz-Target"] = f"DynamoDB_20120810.{operation}"
    raw.headers["Content-Type"] = "application/x-amz-json-1.0"
    raw.sign()
    connection = http.client.HTTPConnection("127.0.0.1", house.ddbd.port, timeout=60)
    try:
        connection.request("POST", "/", raw.body, raw.headers)
        reply = connection.getresponse()
        answer = json.loads(reply.read())
    finally:
        connection.close()
    if reply.status == 200:
        return "ok", answer
    return answer["__type"].split("#")[-1], answer.get("message", answer.get("Message"))


# ---- violations, made from the model ----

def good(shape):
    """A value that satisfies the shape."""
    kind = shape.type_name
    if kind == "string":
        if shape.enum:
            return shape.enum[0]
        at_least = shape.metadata.get("min", 0) or 1
        text = "a" * at_least
        pattern = shape.metadata.get("pattern")
        if pattern and not re.search(pattern, text):
            return None
        return text
    if kind == "blob":
        return "QUFB"
    if kind in ("integer", "long"):
        return shape.metadata.get("min", 1)
    if kind == "boolean":
        return False
    if kind == "list":
        one = good(shape.member)
        return [] if one is None else [one]
    if kind == "map":
        return {}
    if kind == "structure":
        return {m: good(s) for m, s in shape.members.items() if m in shape.required_members}
    return None


def lower(name):
    return name[0].lower() + name[1:]


def put(path, value):
    """A body with the value at the path of members (and list positions)."""
    for step in reversed(path):
        value = [value] if isinstance(step, int) else {step: value}
    return value


def sentence_path(path):
    return ".".join(f"{step + 1}.member" if isinstance(step, int) else lower(step) for step in path)


NOT_MATCHING = ["sp ace", "ü\u2603", "\u2603", "!"]


def violations(shape, path=(), depth=0):
    """(path, value, what the sentence says of it) for every rule of the shape and what it holds."""
    kind, rules = shape.type_name, shape.metadata
    least, most = rules.get("min"), rules.get("max")
    if kind == "structure":
        for member, inner in shape.members.items():
            if member in shape.required_members:
                yield path + (member,), None, "Member must not be null"
            if depth < 3:
                yield from violations(inner, path + (member,), depth + 1)
    elif kind == "string":
        if shape.enum:
            yield path, "NO_SUCH_VALUE", "Member must satisfy enum value set: ["
            return
        if least:
            yield path, "a" * (least - 1), f"Member must have length greater than or equal to {least}"
        if most and most < 200000:
            yield path, "a" * (most + 1), f"Member must have length less than or equal to {most}"
        pattern = rules.get("pattern")
        text = pattern and next((t for t in NOT_MATCHING if not re.fullmatch(pattern, t)), None)
        if text:
            yield path, text, "Member must satisfy regular expression pattern: "
    elif kind == "blob":
        if least:
            yield path, "", f"Member must have length greater than or equal to {least}"
        if most:
            yield path, base64.b64encode(b"x" * (most + 1)).decode(), f"Member must have length less than or equal to {most}"
    elif kind in ("integer", "long"):
        if least is not None:
            yield path, least - 1, f"Member must have value greater than or equal to {least}"
        if most is not None:
            yield path, most + 1, f"Member must have value less than or equal to {most}"
    elif kind == "list":
        one = good(shape.member)
        if least:
            yield path, [one] * (least - 1), f"Member must have length greater than or equal to {least}"
        if most and most < 1000 and one is not None:
            yield path, [one] * (most + 1), f"Member must have length less than or equal to {most}"
        if shape.member.type_name == "structure" and depth < 3:
            yield from violations(shape.member, path + (0,), depth + 1)
        elif shape.member.type_name == "string":
            for _, value, says in violations(shape.member, path, depth + 1):
                yield path, [value], says


# Members that the newer model does not require any more: the other way to name a grantee came later.
NOT_REQUIRED = {("CreateGrant", "granteePrincipal"), ("ListRetirableGrants", "retiringPrincipal")}


def cases(name):
    for operation in BUILT[name]:
        shape = MODELS[name].operation_model(operation).input_shape
        if shape:
            for i, (path, value, says) in enumerate(violations(shape)):
                if says == "Member must not be null" and (operation, sentence_path(path)) in NOT_REQUIRED:
                    continue
                yield pytest.param(operation, path, value, says, id=f"{operation}-{sentence_path(path)}-{i}")


def sentences(message):
    """{path: [constraint]} of a message of violations."""
    found = {}
    body = re.sub(r"^\d+ validation errors? detected: ", "", message)
    for path, says in re.findall(r"at '([A-Za-z0-9.]+)' failed to satisfy constraint: (.*?)(?=; Value |$)", body, re.S):
        found.setdefault(path, []).append(says)
    return found


@pytest.mark.parametrize("operation,path,value,says", list(cases("kmsd")))
def test_kms_violation(house, operation, path, value, says):
    # The path begins with members and list positions; every member on the way is made.
    got, message = told(house, operation, put(path, value))
    assert got == "ValidationException", message
    told_of = sentences(message).get(sentence_path(path), [])
    assert any(says in s for s in told_of), (says, message[:600])


def constrained(shape, path=()):
    """The paths of the members that the model constrains; elements of a list are judged as the list."""
    kind = shape.type_name
    if kind == "structure":
        for member, inner in shape.members.items():
            yield from constrained(inner, path + (member,))
    elif kind == "list":
        if shape.metadata:
            yield path
        elements = shape.member.type_name == "structure"
        yield from (constrained(shape.member, path + (0,)) if elements else constrained(shape.member, path))
    elif shape.metadata.keys() & {"min", "max", "pattern", "enum"}:
        yield path


def test_kms_violations_are_of_every_constrained_member():
    tried = {(c.values[0], sentence_path(c.values[1])) for c in cases("kmsd")}
    assert len(BUILT["kmsd"]) == 54
    for operation in BUILT["kmsd"]:
        for path in constrained(MODELS["kmsd"].operation_model(operation).input_shape):
            assert (operation, sentence_path(path)) in tried, (operation, path)


def merge(one, other):
    """Both bodies in one; of lists, element by element."""
    if isinstance(one, dict) and isinstance(other, dict):
        return {k: merge(one.get(k), other.get(k)) if k in one and k in other else one.get(k, other.get(k))
                for k in {**one, **other}}
    if isinstance(one, list) and isinstance(other, list) and one and other:
        return [merge(one[0], other[0])]
    return one


@pytest.mark.parametrize("operation", BUILT["kmsd"])
def test_kms_violations_are_told_together(house, operation):
    """One violation of every top-level member in one request: one message with a sentence of each."""
    chosen = {}
    for case in cases("kmsd"):
        of, path, value, says = case.values
        # Not what is judged alone, before everything else.
        if of == operation and value is not None and len(path) == 1 and path[0] not in chosen:
            chosen[path[0]] = (path, value, says)
    assert chosen, "every operation with members constrains one"
    body = {}
    for path, value, _ in chosen.values():
        body = merge(body, put(path, value))
    got, message = told(house, operation, body)
    assert got == "ValidationException", message
    found = sentences(message)
    for path, _, says in chosen.values():
        assert any(says in s for s in found.get(sentence_path(path), [])), (path, message[:2000])
    n = int(re.match(r"(\d+) validation errors? detected: ", message).group(1))
    assert n == sum(len(s) for s in found.values()) and ("errors" in message.split(" detected")[0]) == (n > 1)


def wrong_types(shape, path=(), depth=0):
    """(path, a value of another JSON type than the member's)."""
    kind = shape.type_name
    if path:
        wrong = {"string": [1, [], {}, True], "blob": [1, [], {}], "integer": ["x", [], {}], "long": ["x", [], {}],
                 "boolean": [[], {}], "list": ["x", 1, {}], "map": ["x", 1, []], "structure": ["x", 1, []],
                 "timestamp": [[], {}]}.get(kind, [])
        for value in wrong:
            yield path, value
    if kind == "structure" and depth < 3:
        for member, inner in shape.members.items():
            yield from wrong_types(inner, path + (member,), depth + 1)


@pytest.mark.parametrize("operation", BUILT["kmsd"])
def test_kms_members_of_another_type(house, operation):
    for path, value in wrong_types(MODELS["kmsd"].operation_model(operation).input_shape):
        got, message = told(house, operation, put(path, value))
        assert got == "SerializationException", (path, value, got, message)


@pytest.mark.parametrize("operation", BUILT["kmsd"])
def test_kms_enums_are_whole(house, operation):
    """No value that the model has is told to be none."""
    shape = MODELS["kmsd"].operation_model(operation).input_shape
    for member, inner in (shape.members if shape else {}).items():
        listed_values = inner.enum if inner.type_name == "string" else (
            inner.member.enum if inner.type_name == "list" and inner.member.type_name == "string" else [])
        for value in listed_values or []:
            body = {member: value if inner.type_name == "string" else [value]}
            got, message = told(house, operation, body)
            assert lower(member) not in sentences(message if isinstance(message, str) else ""), (value, message)


@pytest.mark.parametrize("operation", BUILT["kmsd"])
def test_kms_answers_are_of_the_model(house, operation):
    """Errors that an operation answers are declared by the model, or are those of every operation."""
    shape = MODELS["kmsd"].operation_model(operation).input_shape
    body = {m: good(s) for m, s in shape.members.items() if m in shape.required_members} if shape else {}
    body = {m: v for m, v in body.items() if v is not None}
    got, _ = told(house, operation, body)
    declared = {s.metadata.get("error", {}).get("code", s.name) for s in MODELS["kmsd"].operation_model(operation).error_shapes}
    declared |= {s.name for s in MODELS["kmsd"].operation_model(operation).error_shapes}
    assert got in declared | {"ok", "ValidationException", "AccessDeniedException"}, (got, declared)


# ---- DynamoDB: what lacks, and enumerations ----

def required_of(operation):
    shape = MODELS["ddbd"].operation_model(operation).input_shape
    return [m for m in (shape.required_members if shape else [])]


@pytest.mark.parametrize("operation", BUILT["ddbd"])
def test_dynamodb_members_that_lack(house, operation):
    for member in required_of(operation):
        got, message = ask(house, "ddbd", operation, {})
        assert got == "ValidationException"
        # DynamoDB tells of the table's name first, in words of its own.
        assert lower(member) in message or member in message or "TableName" in message or "KeySchema" in message, message


@pytest.mark.parametrize("operation,path,value,says", [
    c for c in cases("ddbd") if c.values[2] == "NO_SUCH_VALUE" and not any(isinstance(s, int) for s in c.values[1])])
def test_dynamodb_enumerations(house, operation, path, value, says):
    got, message = ask(house, "ddbd", operation, put(path, value))
    assert got == "ValidationException", message
