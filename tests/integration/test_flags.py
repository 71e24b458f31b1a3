"""The programs' flags, configuration files and state folders: what they print, which source wins, what they refuse."""
import http.client
import json
import os
import re
import subprocess

import pytest

from asking import PRINCIPALS, Raw, as_, opened
from conftest import VIRTUAL
from daemons import ACCOUNT, ROOT, Daemon, House, program, until

PROGRAMS = ["kmsd", "ddbd"]
SHARED = ["config", "listen", "state-dir", "account", "auth", "principals", "service-credentials", "workers", "trail-sync",
          "seed", "log-level", "list-operations", "sample-config", "version", "help"]
OWN = {"kmsd": ["trail-dir", "trail-interval", "clock", "clock-scale", "grant-delay", "seed-file", "seed-region", "test-control",
                "throttle"],
       "ddbd": ["kms-url", "kms-timeout", "key-cache", "key-cache-ttl", "key-check-interval"]}
DEFAULT = {"kmsd": "127.0.0.1:4599", "ddbd": "127.0.0.1:8000"}


def run(name, *flags, **more):
    return subprocess.run([program(name), *flags], capture_output=True, text=True, timeout=30, **more)


def refusal(name, *flags, **more):
    """What the program says when it refuses to start."""
    done = run(name, *flags, **more)
    assert done.returncode not in (0, -6, -11, 99), done.stderr
    assert done.stdout == ""
    return done.stderr


# ---- what they print ----

@pytest.mark.parametrize("name", PROGRAMS)
def test_help(name):
    done = run(name, "--help")
    assert done.returncode == 0 and done.stderr == ""
    for option in SHARED + OWN[name]:
        assert re.search(rf"^  --{option}\b", done.stdout, re.M), option
    assert f"default: {DEFAULT[name]}" in done.stdout
    assert max(len(line) for line in done.stdout.splitlines()) <= 80
    for choices in ("--auth=open|strict", "--trail-sync=always|interval|never", "--log-level=error|warn|info|debug"):
        assert choices in done.stdout


@pytest.mark.parametrize("name", PROGRAMS)
def test_version(name):
    assert re.match(rf"{name} \d+\.\d+\.\d+\n", run(name, "--version").stdout)


@pytest.mark.parametrize("name,built,not_built", [("kmsd", "CreateKey", None), ("ddbd", "PutItem", "Scan")])
def test_list_operations(name, built, not_built):
    rows = {line.split()[0]: line for line in run(name, "--list-operations").stdout.splitlines()}
    assert "not built" not in rows[built]
    assert rows[not_built].endswith("not built") if not_built else not any("not built" in row for row in rows.values())


@pytest.mark.parametrize("name", PROGRAMS)
def test_sample_config_is_the_one_in_the_tree_and_can_be_read(name, tmp_path):
    sample = run(name, "--sample-config").stdout
    assert (ROOT / "config" / f"{name}.conf").read_text() == sample
    # Every option with its default, uncommented, is a file that works.
    lines = [line[1:] for line in sample.splitlines() if re.match(r"#[a-z-]+ = [^A-Z]+$", line)]
    assert len(lines) >= 6
    path = tmp_path / "all.conf"
    path.write_text("\n".join(line for line in lines if not line.startswith("listen")) + "\n")
    daemon = Daemon(name, tmp_path / name, [f"--config={path}", f"--state-dir={tmp_path}/state",
                                            f"--service-credentials={tmp_path}/service"])
    daemon.start()
    assert daemon.terminate() == 0


@pytest.mark.parametrize("name", PROGRAMS)
def test_an_action_needs_no_working_configuration(name):
    assert run(name, "--version", "--config=/nowhere").returncode == 0


# ---- what they refuse ----

@pytest.mark.parametrize("flag,says", [
    ("--nonsense", "--nonsense: no such option"), ("--nonsense=1", "--nonsense: no such option"), ("-h", "-h"),
    ("word", "word"), ("--workers", "--workers: needs a value"), ("--principals=", "--principals: needs a value"),
    ("--config=", "--config: needs a value"), ("--listen=", "--listen: needs a value"), ("--workers=x", "'x' is no whole number"),
    ("--workers=65", "65 is not between 0 and 64"), ("--workers=-1", "-1 is not between 0 and 64"),
    ("--auth=maybe", "'maybe' is none of open|strict"), ("--version=1", "takes no value"),
    ("--account=12", "12 is not an account of 12 digits"), ("--account=abcdefghijkl", "not an account of 12 digits"),
    ("--listen=nowhere", "nowhere is not ADDRESS:PORT"), ("--listen=127.0.0.1:99999", "not ADDRESS:PORT"),
    ("--config=/nowhere/x.conf", "/nowhere/x.conf: No such file"), ("--log-level=loud", "'loud' is none of"),
    ("--trail-sync=often", "'often' is none of always|interval|never")])
@pytest.mark.parametrize("name", PROGRAMS)
def test_flags_that_are_refused(name, flag, says, tmp_path):
    flags = [flag, f"--state-dir={tmp_path}/state"] if flag != "--workers" else [f"--state-dir={tmp_path}/s", flag]
    assert says in refusal(name, *flags)
    assert not (tmp_path / "state" / "state.db").exists()


@pytest.mark.parametrize("flag,says", [
    ("--clock=yesterday", "--clock: yesterday is neither"), ("--clock=2026-13-01T00:00:00Z", "--clock"),
    ("--clock=1969-12-31T23:59:59Z", "from 1970 on"),
    ("--clock-scale=-1", "--clock-scale"), ("--grant-delay=5x", "--grant-delay"), ("--grant-delay=2h", "0 and 1h"),
    ("--trail-interval=0s", "--trail-interval"), ("--trail-interval=x", "no duration such as 300s"),
    ("--clock-scale=2", "--clock-scale needs a virtual clock")])
def test_flags_of_kmsd_that_are_refused(flag, says, tmp_path):
    assert says in refusal("kmsd", flag, f"--state-dir={tmp_path}/state")


@pytest.mark.parametrize("text,says", [
    ("nonsense = 1\n", ":1: nonsense: no such option"), ("\n# fine\nworkers\n", ":3: not of the form 'key = value'"),
    ("workers = 1\nworkers = 2\n", ":2: workers: given twice"), ("help = 1\n", ":1: help: only a flag"),
    ("config = x\n", ":1: config: only a flag"), ("principals =\n", ":1: principals: needs a value"),
    ("\ufeffworkers = 1\n", ":1: \ufeffworkers: no such option"), ("workers\0 = 1\n", ":1: a zero byte"), ("[kmsd]\n", ":1: not of the form"), ("workers = many\n", ":1: workers: 'many' is no whole number")])
@pytest.mark.parametrize("name", PROGRAMS)
def test_configuration_files_that_are_refused(name, text, says, tmp_path):
    path = tmp_path / "x.conf"
    path.write_text(text)
    assert f"{path}{says}" in refusal(name, f"--config={path}", f"--state-dir={tmp_path}/state")


@pytest.mark.parametrize("name", PROGRAMS)
def test_configuration_files_that_are_none(name, tmp_path):
    assert f"{tmp_path}: Is a directory" in refusal(name, f"--config={tmp_path}")
    (tmp_path / "large.conf").write_text("# much\n" * 200000)
    assert f"{tmp_path}/large.conf: " in refusal(name, f"--config={tmp_path}/large.conf")


def test_a_state_folder_without_a_name(tmp_path):
    """--state-dir=$DIR where DIR is not set: not the default folder."""
    assert "--state-dir: needs a value" in refusal("kmsd", "--state-dir=", env={"XDG_STATE_HOME": str(tmp_path)})
    assert not list(tmp_path.iterdir())


def test_an_address_in_use(tmp_path):
    with opened(tmp_path / "a") as house:
        said = refusal("kmsd", f"--listen=127.0.0.1:{house.kmsd.port}", f"--state-dir={tmp_path}/b",
                       f"--service-credentials={tmp_path}/service")
        assert "ddress already in use" in said and str(house.kmsd.port) in said


# ---- which source wins ----

def test_flags_win_over_the_file(tmp_path):
    path = tmp_path / "kmsd.conf"
    path.write_text(f"account = 123123123123\n  state-dir=  {tmp_path}/from-file  \nlisten = 127.0.0.1:0\n"
                    f"listen = 127.0.0.1:0\nservice-credentials = {tmp_path}/service\n"
                    "clock = 2031-01-01T00:00:00Z\nclock-scale = 0\n")
    house = House(tmp_path / "house")

    def started(*flags):
        house.kmsd.arguments = [f"--config={path}", *flags]
        house.kmsd.start()
        account = house.kms("someone", "x").create_key()["KeyMetadata"]["AWSAccountId"]
        time = house.clock()["now"]
        ports = len(re.findall("listening on", house.kmsd.log_text()))
        assert house.kmsd.terminate() == 0
        return account, time[:4], ports
    assert started() == ("123123123123", "2031", 1), "the harness gives --listen as a flag: the file's two do not count"
    assert (tmp_path / "from-file" / "state.db").exists()
    assert started("--account=456456456456", f"--state-dir={tmp_path}/from-flag", "--clock=2032-01-01T00:00:00Z") == (
        "456456456456", "2032", 1)
    assert (tmp_path / "from-flag" / "state.db").exists()
    assert started("--listen=127.0.0.1:0")[2] == 1
    daemon = subprocess.Popen([program("kmsd"), f"--config={path}"], stderr=subprocess.PIPE, text=True)
    try:
        lines = [daemon.stderr.readline() for _ in range(2)]
        assert all("listening on http://127.0.0.1:" in line for line in lines) and lines[0] != lines[1]
    finally:
        daemon.terminate()
        daemon.communicate(timeout=30)


def test_where_state_lives_by_default(tmp_path):
    env = {**os.environ, "XDG_STATE_HOME": str(tmp_path / "xdg"), "HOME": str(tmp_path / "home")}
    for environment, folder in ((env, tmp_path / "xdg"),
                                ({k: v for k, v in env.items() if k != "XDG_STATE_HOME"}, tmp_path / "home/.local/state")):
        daemon = subprocess.Popen([program("kmsd"), "--listen=127.0.0.1:0"], env=environment, stderr=subprocess.PIPE, text=True)
        try:
            assert "listening" in daemon.stderr.readline()
            assert {"state.db", "root-key", "service-credentials", "lock", "trail"} <= {
                p.name for p in (folder / "kmsd").iterdir()}
        finally:
            daemon.terminate()
            daemon.communicate(timeout=30)
        assert daemon.returncode == 0
    daemon = subprocess.Popen([program("ddbd"), "--listen=127.0.0.1:0"], env=env, stderr=subprocess.PIPE, text=True)
    try:
        assert "listening" in daemon.stderr.readline()
        assert (tmp_path / "xdg/ddbd/state.db").exists()
    finally:
        daemon.terminate()
        daemon.communicate(timeout=30)
    assert not (tmp_path / "xdg/ddbd/service-credentials").exists(), "kmsd's is found where kmsd puts it by default"


def test_the_principals_of_the_tree_are_an_example_that_works(make_house):
    house = make_house(kmsd=["--auth=strict"], ddbd_args=["--auth=strict"],
                       principals=(ROOT / "config/principals.json").read_text())
    accounts = json.loads((ROOT / "config/principals.json").read_text())["accounts"]
    keys = [k for a in accounts.values() for u in a.get("users", {}).values() for k in u.get("accessKeys", [])]
    assert keys
    for key in keys:
        code = Raw(key=key["id"], secret=key["secret"]).sign().send(house)[2].get("__type", "ok")
        assert code in ("ok", "AccessDeniedException")


# ---- addresses ----

def answers(port, path="/_kmsd/health", host="127.0.0.1"):
    connection = http.client.HTTPConnection(host, port, timeout=10)
    connection.request("GET", path)
    reply = connection.getresponse()
    reply.read()
    return reply.status


def test_several_addresses(tmp_path):
    with opened(tmp_path, kmsd=["--listen=127.0.0.1:0", "--listen=127.0.0.2:0", "--listen=[::1]:0", "--workers=3"]) as house:
        found = until(lambda: (m := re.findall(r"listening on http://(\S+):(\d+)", house.kmsd.log_text()))
                      and len(m) == 3 and m, "three addresses")
        assert [host for host, _ in found] == ["127.0.0.1", "127.0.0.2", "[::1]"]
        for host, port in found:
            for _ in range(6):
                assert answers(int(port), host=host.strip("[]")) == 200


def test_health(house):
    assert answers(house.kmsd.port) == 200 and answers(house.ddbd.port, "/_ddbd/health") == 200


@pytest.mark.measured
def test_idle_memory(make_house):
    house = make_house()
    assert house.kmsd.memory_kib() < 16 * 1024 and house.ddbd.memory_kib() < 16 * 1024


# ---- the state folder ----

@pytest.mark.parametrize("name", PROGRAMS)
def test_one_process_at_a_time(make_house, name):
    house = make_house()
    daemon = house.kmsd if name == "kmsd" else house.ddbd
    said = refusal(name, "--listen=127.0.0.1:0", *daemon.arguments)
    state = house.folder / name / "state"
    assert f"{state} is in use by another process ({state}/lock is locked)" in said
    assert answers(house.kmsd.port) == 200
    daemon.kill()
    daemon.start()


def test_a_missing_root_key(make_house):
    house = make_house(ddbd=False)
    house.kms().create_key()
    house.kmsd.terminate()
    path = house.folder / "kmsd/state/root-key"
    assert path.stat().st_mode & 0o777 == 0o600
    kept = path.read_bytes()
    path.unlink()
    house.kmsd.start(wait=False)
    assert house.kmsd.process.wait(30) == 1
    assert f"root key file {path} is missing" in house.kmsd.log_text()
    assert not path.exists(), "no new one is made over sealed keys"
    path.write_bytes(kept)
    path.chmod(0o600)
    house.kmsd.start()
    assert len(house.kms().list_keys()["Keys"]) == 1


@pytest.mark.parametrize("content,mode,says", [
    (b"0" * 64 + b"\n", 0o600, "holds another root key"), (b"short\n", 0o600, "does not hold a root key"),
    (b"", 0o600, "does not hold a root key"), (b"x" * 64, 0o600, "does not hold a root key"),
    (b"0" * 6000, 0o600, "root key file"), (None, 0o644, "may be read by others (mode 644)")])
def test_a_wrong_root_key(make_house, content, mode, says):
    house = make_house(ddbd=False)
    house.kms().create_key()
    house.kmsd.terminate()
    path = house.folder / "kmsd/state/root-key"
    kept = path.read_bytes()
    if content is not None:
        path.write_bytes(content)
    path.chmod(mode)
    house.kmsd.start(wait=False)
    assert house.kmsd.process.wait(30) == 1
    assert f"root key file {path}" in house.kmsd.log_text() and says in house.kmsd.log_text()
    assert kept.decode().strip() not in house.kmsd.log_text()
    path.write_bytes(kept)
    path.chmod(0o600)
    house.kmsd.start()


def test_a_damaged_store(make_house):
    house = make_house(ddbd=False)
    house.kms().create_key()
    house.kmsd.terminate()
    path = house.folder / "kmsd/state/state.db"
    good = path.read_bytes()
    for bad in (b"no database" * 500, good[:len(good) // 2], good[:100] + bytes(len(good) - 100)):
        path.write_bytes(bad)
        house.kmsd.start(wait=False)
        assert house.kmsd.process.wait(30) == 1
        assert "state.db" in house.kmsd.log_text()
        assert path.read_bytes() == bad, "nothing is made over it"
    path.write_bytes(good)
    house.kmsd.start()
    assert len(house.kms().list_keys()["Keys"]) == 1


def test_a_state_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    said = refusal("kmsd", f"--state-dir={tmp_path}/file/state", "--listen=127.0.0.1:0")
    assert f"{tmp_path}/file/state" in said


def test_a_trail_folder_that_cannot_be_made(tmp_path):
    """Told at the start, not at the first delivery."""
    (tmp_path / "file").write_text("")
    said = refusal("kmsd", f"--state-dir={tmp_path}/state", f"--trail-dir={tmp_path}/file/trail", "--listen=127.0.0.1:0",
                   f"--service-credentials={tmp_path}/service")
    assert f"{tmp_path}/file/trail" in said


def test_both_daemons_without_state_and_further_flags(tmp_path, monkeypatch):
    """They find each other, and only the trail and the service's credential are on the disk."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home"))
    house = House(tmp_path, kmsd=VIRTUAL)
    house.kmsd.arguments = [*VIRTUAL, "--state-dir=:memory:"]
    house.ddbd_arguments = ["--state-dir=:memory:"]
    try:
        house.start()
        dynamodb = house.dynamodb()
        dynamodb.create_table(TableName="Music", BillingMode="PAY_PER_REQUEST", SSESpecification={"Enabled": True},
                              AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
                              KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}])
        dynamodb.get_waiter("table_exists").wait(TableName="Music", WaiterConfig={"Delay": 1, "MaxAttempts": 60})
        dynamodb.put_item(TableName="Music", Item={"k": {"S": "a"}})
        assert dynamodb.get_item(TableName="Music", Key={"k": {"S": "a"}})["Item"] == {"k": {"S": "a"}}
        house.stop()
        files = {str(path.relative_to(tmp_path / "home")) for path in (tmp_path / "home").rglob("*") if path.is_file()}
        assert "kmsd/service-credentials" in files
        assert all(f == "kmsd/service-credentials" or f.startswith("kmsd/trail/") for f in files), files
        assert not [f for f in files if "credential" in f and f.startswith("kmsd/trail/")]
        house.trail_dir = tmp_path / "home" / "kmsd" / "trail"
        assert len(house.pick("Decrypt")) == 1 and len(house.pick("CreateTable")) == 1
    finally:
        house.abandon()


def test_state_in_memory(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home"))
    house = House(tmp_path, kmsd=VIRTUAL)
    house.kmsd.arguments = [*VIRTUAL, "--state-dir=:memory:", f"--trail-dir={tmp_path}/trail", f"--account={ACCOUNT}"]
    house.trail_dir = tmp_path / "trail"
    try:
        house.kmsd.start()
        kms = house.kms()
        key = kms.create_key(Description="kept nowhere")["KeyMetadata"]["KeyId"]
        blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
        assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
        assert not list(tmp_path.rglob("state.db")) and not list(tmp_path.rglob("root-key"))
        house.kmsd.restart()
        assert house.kms().list_keys()["Keys"] == []
        assert len(house.pick("CreateKey")) == 1, "the trail stays"
        assert house.kmsd.terminate() == 0
    finally:
        house.abandon()


def test_files_are_private(make_house):
    house = make_house(ddbd=False, principals=PRINCIPALS)
    as_(house, "alice").create_key()
    for path in (house.folder / "kmsd/state").iterdir():
        if path.is_file():
            assert path.stat().st_mode & 0o077 == 0, path
    assert json.loads((house.folder / "service-credentials").read_text()).keys() == {"accessKeyId", "secretAccessKey", "service"}


def test_the_virtual_clock_is_only_where_it_was_asked_for(make_house):
    house = make_house(ddbd=False, virtual=False)
    with pytest.raises(Exception, match="4[0-9][0-9]"):
        house.clock(advance=1)
    assert house.clock()["virtual"] is False
