"""No room on the disk, as a limit of file sizes that is set and lifted while ddbd runs: refusals, no damage, nothing lost."""
import contextlib
import resource

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
        refused("ServiceUnavailable", dynamodb.create_table, **definition("new"))
        refused("ServiceUnavailable", dynamodb.delete_table, TableName=name)
        refused("ServiceUnavailable", dynamodb.describe_table, TableName=name)
    assert dynamodb.list_tables()["TableNames"] == [name]
    put(dynamodb, name, "b", x="2")
    make_table(dynamodb, "new")
    house.ddbd.kill()
    house.ddbd.start()
    assert get(dynamodb, name, "a") == {"x": "1"} and get(dynamodb, name, "b") == {"x": "2"}
