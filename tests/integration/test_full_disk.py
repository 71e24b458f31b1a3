"""No room on the disk, as a limit of file sizes that is set and lifted while ddbd runs: refusals, no damage, nothing lost."""
import contextlib
import resource
import subprocess

import botocore.exceptions
import pytest

from conftest import VIRTUAL
from daemons import ACCOUNT, UNLIMITED, file_size_limit
from tables import MANAGED, definition, describe, get, make_table, put, refused



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


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 8 MiB of the test's own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "none", folder], capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"may not mount: {mounted.stderr}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def test_keys_on_a_full_disk(make_house, small_disk):
    """Changes are refused before they are made, and recorded as refused; keys are used all the same."""
    house = make_house(ddbd=False, start=False)
    house.trail_dir = house.folder / "trail"
    house.kmsd.arguments = [*VIRTUAL, f"--state-dir={small_disk}/state", f"--trail-dir={house.trail_dir}", f"--account={ACCOUNT}"]
    house.start(ddbd=False)
    kms = house.kms()
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    filler = small_disk / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while file.write(bytes(4096)):
            pass
    refused("KMSInternalException", kms.create_key)
    refused("KMSInternalException", kms.disable_key, KeyId=key)
    refused("KMSInternalException", kms.describe_key, KeyId="alias/aws/s3")  # it would make the key
    assert len(kms.generate_data_key(KeyId=key, KeySpec="AES_256")["Plaintext"]) == 32
    filler.unlink()
    kms.disable_key(KeyId=key)
    assert len(kms.list_keys()["Keys"]) == 1
    house.kmsd.kill()
    house.kmsd.start()
    assert [k["KeyId"] for k in house.kms().list_keys()["Keys"]] == [key]
    assert not house.kms().describe_key(KeyId=key)["KeyMetadata"]["Enabled"]
    assert [e.get("errorCode") for e in house.trail("DisableKey")] == ["KMSInternalException", None]
