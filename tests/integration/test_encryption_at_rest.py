"""Encryption at rest as somebody with the disk sees it: nothing readable in any file, no changed byte that passes."""
import random
import shutil
import string

import botocore.exceptions
import pytest

from ddbd_state import forms_of, owned_key, plain_keys, records, state_dir, table_files
from tables import MANAGED, OWNED, customer, definition, describe, make_table, put, refused

CHANCE = random.Random("at rest")


# Begins every readable part of every item: whoever finds any of them finds this.
MARK = b"Zx7qLm2RtV9wKc4Hb1"


def marker():
    return MARK.decode() + "".join(CHANCE.choice(string.ascii_letters + string.digits) for _ in range(12))


def files_of(house):
    """Everything under the daemons' folders, their logs and the trail included."""
    return [path for path in house.folder.rglob("*") if path.is_file()]


def assert_nowhere(house, secrets, but=()):
    """No form of any of the byte strings stands in any file."""
    forms = {form: name for name, secret in secrets.items() for form in forms_of(secret)}
    for path in files_of(house):
        content = path.read_bytes() if path.name not in but else b""
        found = [name for form, name in forms.items() if form in content]
        assert not found, f"{path} holds {found}"


def filled(dynamodb, name, n=40):
    """Puts items whose every readable part is marked; returns them."""
    items = []
    for _ in range(n):
        item = {"pk": {"S": marker()}, marker(): {"S": marker()}, "binary": {"B": marker().encode()},
                "set": {"SS": [marker(), marker()]}, "list": {"L": [{"S": marker()}, {"M": {marker(): {"B": marker().encode()}}}]},
                "fill": {"S": "fill " * CHANCE.randrange(200)}}
        dynamodb.put_item(TableName=name, Item=item)
        items.append(item)
    return items


def read_all(dynamodb, name, items):
    """How many items are refused; asserts that all others are right."""
    failed = 0
    for item in items:
        try:
            got = dynamodb.get_item(TableName=name, Key={"pk": item["pk"]}).get("Item")
        except botocore.exceptions.ClientError as error:
            assert error.response["Error"]["Code"] == "InternalServerError", error
            failed += 1
        else:
            assert got is not None, "an item is gone without a word"
            assert {**got, "set": sorted(got["set"]["SS"])} == {**item, "set": sorted(item["set"]["SS"])}
    return failed


@pytest.fixture
def three(make_house):
    """A house with a table of each kind of key."""
    house = make_house()
    dynamodb = house.dynamodb()
    key_id = house.kms().create_key()["KeyMetadata"]["KeyId"]
    names = [make_table(dynamodb, sse=sse) for sse in (OWNED, MANAGED, customer(key_id))]
    return house, names


def test_nothing_readable_on_the_disk(three):
    house, names = three
    dynamodb = house.dynamodb()
    secrets, contents = {}, {}
    for name in names:
        contents[name] = filled(dynamodb, name)
        table_key, dek = plain_keys(house, name)
        secrets.update({f"table key of {name}": table_key, f"data key of {name}": dek})
    assert len(set(secrets.values())) == 6
    secrets.update({"the items": MARK, "ddbd's own key": owned_key(house)})
    assert_nowhere(house, secrets, but=("owned-key",))
    # After items were replaced and removed, files closed, a crash, and an end in order.
    for name in names:
        for item in contents[name][::2]:
            dynamodb.put_item(TableName=name, Item=item)
        dynamodb.delete_item(TableName=name, Key={"pk": contents[name][1]["pk"]})
    assert_nowhere(house, secrets, but=("owned-key",))
    house.clock(advance=301)
    assert_nowhere(house, secrets, but=("owned-key",))
    assert read_all(dynamodb, names[0], contents[names[0]][:1]) == 0
    house.ddbd.kill()
    assert_nowhere(house, secrets, but=("owned-key",))
    house.ddbd.start()
    for name in names:
        assert read_all(dynamodb, name, contents[name][2:]) == 0
    house.stop()
    assert_nowhere(house, secrets, but=("owned-key",))
    assert owned_key(house).hex() in (state_dir(house) / "owned-key").read_text()


def test_a_deleted_tables_keys_are_forgotten(three):
    house, names = three
    dynamodb = house.dynamodb()
    wrapped = records(house)[names[2]]["key"]["wrapped"]
    dynamodb.delete_table(TableName=names[2])
    house.clock(advance=60)
    assert names[2] not in records(house)
    house.ddbd.restart()  # the store's log is folded in
    assert wrapped.encode() not in (state_dir(house) / "state.db").read_bytes()


def test_state_is_for_its_owner_alone(three):
    house, names = three
    put(house.dynamodb(), names[0], "a", x="1")
    for path in state_dir(house).rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path


# ---- changed bytes ----

def flip(path, at, bit):
    with open(path, "r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 1 << bit]))


def test_a_changed_byte_is_an_error_of_that_table_only(three):
    house, names = three
    dynamodb = house.dynamodb()
    contents = {name: filled(dynamodb, name, 25) for name in names}
    detected = {name: 0 for name in names}
    house.clock(advance=301)  # all files are closed now
    for round_ in range(30):
        for name in names:
            path, = table_files(house, name)
            at, bit = CHANCE.randrange(path.stat().st_size), CHANCE.randrange(8)
            flip(path, at, bit)
            failed = read_all(dynamodb, name, contents[name])
            detected[name] += failed > 0
            other = names[(names.index(name) + 1) % 3]
            assert read_all(dynamodb, other, contents[other][round_ % 25:][:2]) == 0
            assert describe(dynamodb, name)["TableStatus"] == "ACTIVE"
            house.clock(advance=301)
            flip(path, at, bit)
    # Bytes that nobody reads (free space of block 0, unused pages) may be changed without notice, most may not.
    assert all(n >= 15 for n in detected.values()), detected
    for name in names:
        assert read_all(dynamodb, name, contents[name]) == 0


def test_a_changed_byte_of_the_write_ahead_log(three, tmp_path):
    """After a crash the log holds acknowledged items: they come back whole, or the table tells that it is damaged."""
    house, names = three
    dynamodb = house.dynamodb()
    name, other = names[2], names[0]
    contents = {n: filled(dynamodb, n, 12) for n in (name, other)}
    house.ddbd.kill()
    saved = tmp_path / "saved"
    shutil.copytree(state_dir(house), saved)
    log = next(path.name for path in table_files(house, name) if path.name.endswith("-wal"))
    size = (saved / "tables" / log).stat().st_size
    assert size > 4096
    detected = 0
    for _ in range(15):
        flip(state_dir(house) / "tables" / log, CHANCE.randrange(size), CHANCE.randrange(8))
        house.ddbd.start()
        detected += read_all(dynamodb, name, contents[name]) == len(contents[name])
        assert read_all(dynamodb, other, contents[other]) == 0
        house.ddbd.kill()
        shutil.rmtree(state_dir(house))
        shutil.copytree(saved, state_dir(house))
    assert detected >= 8
    house.ddbd.start()
    assert read_all(dynamodb, name, contents[name]) == 0


@pytest.mark.parametrize("damage", ["removed", "cut", "empty", "exchanged", "log removed"])
def test_files_lost_or_exchanged(three, damage):
    house, names = three
    dynamodb = house.dynamodb()
    contents = {n: filled(dynamodb, n, 12) for n in names}
    if damage == "log removed":
        house.ddbd.kill()
    else:
        assert house.ddbd.terminate() == 0
    files = {n: [p for p in table_files(house, n) if p.suffix == ".db"][0] for n in names}
    path, other = files[names[0]], files[names[1]]
    if damage == "removed":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[:-4096])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "exchanged":
        one, two = path.read_bytes(), other.read_bytes()
        path.write_bytes(two)
        other.write_bytes(one)
    else:
        path.with_name(path.name + "-wal").unlink()
    house.ddbd.start()
    assert read_all(dynamodb, names[0], contents[names[0]]) > 0
    put_fails = refused("InternalServerError", dynamodb.put_item, TableName=names[0], Item={"pk": {"S": "new"}})
    assert "SQL" not in put_fails and str(house.folder) not in put_fails
    assert read_all(dynamodb, names[1], contents[names[1]]) == (12 if damage == "exchanged" else 0)
    assert read_all(dynamodb, names[2], contents[names[2]]) == 0
    # It can still be deleted.
    dynamodb.delete_table(TableName=names[0])
    house.clock(advance=30)
    make_table(dynamodb, names[0])


def test_items_of_one_table_do_not_fit_another(three):
    """Not even with the same name and content: file, key and table belong together."""
    house, names = three
    dynamodb = house.dynamodb()
    items = filled(dynamodb, names[2], 5)
    house.clock(advance=301)
    old, = table_files(house, names[2])
    content = old.read_bytes()
    dynamodb.delete_table(TableName=names[2])
    house.clock(advance=30)
    make_table(dynamodb, names[2])
    house.clock(advance=301)
    new, = table_files(house, names[2])
    new.write_bytes(content)
    assert read_all(dynamodb, names[2], items) == len(items)


# ---- ddbd's own key ----

@pytest.mark.parametrize("wrong, why", [("0" * 64 + "\n", "is not the key that this state folder's tables were made under"),
                                        ("secret", "is not a key file"), (None, "is missing")])
def test_wrong_owned_key(three, wrong, why):
    house, names = three
    put(house.dynamodb(), names[0], "a", x="1")
    assert house.ddbd.terminate() == 0
    path = state_dir(house) / "owned-key"
    right = path.read_text()
    if wrong is None:
        path.unlink()
    else:
        path.write_text(wrong)
    house.ddbd.start(wait=False)
    assert house.ddbd.process.wait(30) == 1
    assert str(path) in house.ddbd.log_text() and why in house.ddbd.log_text()
    path.write_text(right)
    house.ddbd.start()
    assert house.dynamodb().get_item(TableName=names[0], Key={"pk": {"S": "a"}})["Item"]["x"]["S"] == "1"


def test_a_changed_record_of_the_catalogue_is_an_error_of_that_table_only(three):
    house, names = three
    dynamodb = house.dynamodb()
    contents = {name: filled(dynamodb, name, 5) for name in names}
    assert house.ddbd.terminate() == 0
    path = state_dir(house) / "state.db"
    content = path.read_bytes()
    name = f'"name":"{names[1]}"'.encode()
    assert content.count(name) == 1
    flip(path, content.index(name) + len(name) + 10, 0)  # the table's id
    house.ddbd.start()
    assert f"the record of table {names[1]}" in house.ddbd.log_text()
    assert [read_all(dynamodb, name, contents[name]) for name in names] == [0, 5, 0]
    damaged, key = {"TableName": names[1]}, {"pk": contents[names[1]][0]["pk"]}
    for call, more in ((dynamodb.describe_table, {}), (dynamodb.delete_table, {}), (dynamodb.put_item, {"Item": key}),
                       (dynamodb.delete_item, {"Key": key}), (dynamodb.update_table, {"DeletionProtectionEnabled": True}),
                       (dynamodb.create_table, {k: v for k, v in definition().items() if k != "TableName"})):
        refused("InternalServerError", call, **damaged, **more)
    assert dynamodb.list_tables()["TableNames"] == sorted(names)
    house.clock(advance=3600)
    assert house.ddbd.terminate() == 0
    path.write_bytes(content)
    house.ddbd.start()
    assert [read_all(dynamodb, name, contents[name]) for name in names] == [0, 0, 0]


def test_a_changed_byte_of_the_catalogues_log_is_a_refusal_to_start(three, tmp_path):
    """After a crash the log holds tables that were acknowledged: none may be missing, or older than it was, without a word."""
    house, names = three
    dynamodb = house.dynamodb()
    contents = {name: filled(dynamodb, name, 3) for name in names}
    house.ddbd.kill()
    saved = tmp_path / "saved"
    shutil.copytree(state_dir(house), saved)
    size = (saved / "state.db-wal").stat().st_size
    assert size > 3 * 4096
    for _ in range(20):
        flip(state_dir(house) / "state.db-wal", CHANCE.randrange(size), CHANCE.randrange(8))
        for _ in range(2):
            house.ddbd.start(wait=False)
            assert house.ddbd.process.wait(30) == 1
            assert "state.db: acknowledged changes are missing" in house.ddbd.log_text()
        shutil.rmtree(state_dir(house))
        shutil.copytree(saved, state_dir(house))
    house.ddbd.start()
    assert [read_all(dynamodb, name, contents[name]) for name in names] == [0, 0, 0]
