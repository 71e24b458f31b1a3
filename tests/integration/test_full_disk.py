"""No room on the disk, as a limit of file sizes that is set and lifted while ddbd runs: refusals, no damage, nothing lost."""
import contextlib
import resource

import botocore.exceptions
import pytest

from tables import MANAGED, definition, describe, get, make_table, put, refused

UNLIMITED = resource.RLIM_INFINITY


@contextlib.contextmanager
def file_size_limit(daemon, limit):
    resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE, (limit, UNLIMITED))
    try:
        yield
    finally:
        resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE, (UNLIMITED, UNLIMITED))


def test_a_table_that_cannot_grow(make_house):
    house = make_house()
    dynamodb = house.dynamodb()
    name, other = make_table(dynamodb, sse=MANAGED), make_table(dynamodb)
    written = []

    def write(first, last):
        for i in range(first, last):
            put(dynamodb, name, str(i), x=f"{i} " * 30_000)
            written.append(i)

    def check():
        for i in written:
            assert get(dynamodb, name, str(i)) == {"x": f"{i} " * 30_000}
    with file_size_limit(house.ddbd, 3_000_000):
        for i in range(60):
            try:
                write(i, i + 1)
            except dynamodb.exceptions.InternalServerError:
                pass
        assert 5 < len(written) < 60
        check()
        put(dynamodb, other, "a", x="1")  # others have room
        assert get(dynamodb, other, "a") == {"x": "1"}
    write(60, 70)
    check()
    house.ddbd.kill()
    house.ddbd.start()
    check()
    assert describe(dynamodb, name)["ItemCount"] == len(written)


def test_nothing_can_be_written(make_house):
    """Reading goes on. What the trail must show is refused when the trail cannot be written."""
    house = make_house()
    dynamodb = house.dynamodb()
    name = make_table(dynamodb, sse=MANAGED)
    put(dynamodb, name, "a", x="1")
    with file_size_limit(house.ddbd, 1000):
        refused("InternalServerError", dynamodb.put_item, TableName=name, Item={"pk": {"S": "b"}})
        assert get(dynamodb, name, "a") == {"x": "1"}
        assert get(dynamodb, name, "b") is None
        refused("ServiceUnavailable", dynamodb.describe_table, TableName=name)
    assert describe(dynamodb, name)["TableStatus"] == "ACTIVE"
    put(dynamodb, name, "b", x="2")
    make_table(dynamodb, "new")
    house.ddbd.kill()
    house.ddbd.start()
    assert get(dynamodb, name, "a") == {"x": "1"} and get(dynamodb, name, "b") == {"x": "2"}


@pytest.mark.parametrize("change", ["create", "delete", "update"])
def test_a_change_that_cannot_be_recorded_does_not_happen(make_house, change):
    """The record's space is reserved before; if it cannot be written all the same, there is no way but to begin anew."""
    house = make_house()
    dynamodb = house.dynamodb()
    name = make_table(dynamodb, sse=MANAGED)
    put(dynamodb, name, "a", x="1")
    before = describe(dynamodb, name)
    call = {"create": lambda: dynamodb.create_table(**definition("new")), "delete": lambda: dynamodb.delete_table(TableName=name),
            "update": lambda: dynamodb.update_table(TableName=name, DeletionProtectionEnabled=True)}[change]
    resource.prlimit(house.ddbd.process.pid, resource.RLIMIT_FSIZE, (1000, UNLIMITED))
    with pytest.raises((botocore.exceptions.HTTPClientError, botocore.exceptions.ConnectionError)):
        call()
    assert house.ddbd.process.wait(30) == 1
    assert "cannot be recorded" in house.ddbd.log_text()
    house.ddbd.start()
    assert dynamodb.list_tables()["TableNames"] == [name]
    assert get(dynamodb, name, "a") == {"x": "1"}
    assert describe(dynamodb, name) == before
    assert [e["eventName"] for e in house.trail() if e["eventName"] in ("CreateTable", "DeleteTable", "UpdateTable")] == ["CreateTable"]
