"""scripts/with-daemons with the real daemons."""
import gzip
import json
import os
import pathlib
import signal
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = str(ROOT / "scripts/with-daemons")
CREATE_KEY = "import boto3; boto3.client('kms').create_key()"


def run(*arguments, **more):
    return subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True, timeout=120, **more)


def python():
    return str(ROOT / ".venv/bin/python")


def delivered(folder):
    return [record for path in pathlib.Path(folder).rglob("*.json.gz")
            for record in json.loads(gzip.decompress(path.read_bytes()))["Records"]]


def test_status_output_and_input_are_the_commands(tmp_path):
    done = run("--", "sh", "-c", "cat; echo err >&2; exit 7", input="in")
    assert (done.returncode, done.stdout, done.stderr) == (7, "in", "err\n")
    assert run("--", "sh", "-c", "kill -KILL $$").returncode == 128 + signal.SIGKILL


def test_environment_and_delivery(tmp_path):
    folder = tmp_path / "kept"
    environment = {**os.environ, "AWS_SESSION_TOKEN": "stale", "AWS_PROFILE": "nonesuch", "AWS_REGION": "eu-west-1"}
    done = run("--keep", folder, "--", python(), "-c", f"import os, json; {CREATE_KEY}; print(json.dumps(dict(os.environ)))",
               env=environment)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["AWS_ENDPOINT_URL_KMS"] == said["KMSD_URL"] != said["DDBD_URL"] == said["AWS_ENDPOINT_URL_DYNAMODB"]
    assert said["AWS_REGION"] == said["AWS_DEFAULT_REGION"] == "eu-west-1"
    assert "AWS_SESSION_TOKEN" not in said and "AWS_PROFILE" not in said
    assert said["AWS_ACCESS_KEY_ID"] and said["AWS_SECRET_ACCESS_KEY"]
    assert said["KMSD_TRAIL_DIR"] == str(folder / "trail")
    assert (pathlib.Path(said["KMSD_STATE_DIR"]) / "state.db").exists()
    assert (pathlib.Path(said["DDBD_STATE_DIR"]) / "state.db").exists()
    (record,) = [r for r in delivered(folder / "trail") if r["eventName"] == "CreateKey"]
    assert record["awsRegion"] == "eu-west-1" and record["userIdentity"]["userName"] == "local"
    assert run("--keep", folder, "--", "true").returncode == 2  # not empty


def test_further_addresses_and_strict():
    """What is given besides does not take the place of what the command is told."""
    ask = "import os, urllib.request; print(urllib.request.urlopen(os.environ['KMSD_URL'] + '/_kmsd/health').status)"
    done = run("--kmsd-arg=--listen=[::1]:0", "--ddbd-arg=--listen=127.0.0.2:0", "--kmsd-arg=--auth=strict", "--", python(), "-c", ask)
    assert (done.returncode, done.stdout) == (0, "200\n"), done.stderr


def test_options_that_are_refused(tmp_path):
    for arguments in (["--nonesuch", "--", "true"], ["--"], [], ["--leave-running", "--", "true"], ["--stop", str(tmp_path)]):
        done = run(*arguments)
        assert done.returncode == 2 and done.stderr.startswith("with-daemons: ")
    assert run("--", "/nonesuch/program").returncode == 127


def test_daemons_arguments(tmp_path):
    script = "import os, urllib.request; print(urllib.request.urlopen(os.environ['KMSD_URL'] + '/_kmsd/clock').read().decode())"
    done = run("--kmsd-arg=--clock=2030-01-01T00:00:00Z", "--kmsd-arg=--state-dir=:memory:", "--", python(), "-c",
               f"{script}; {CREATE_KEY}; assert os.environ['KMSD_STATE_DIR'] == ':memory:'")
    assert done.returncode == 0 and "2030-01-01T" in done.stdout, done.stderr
    done = run("--kmsd-arg=--nonesuch", "--", "true")
    assert done.returncode == 125 and "kmsd ended before it listened" in done.stderr and "nonesuch" in done.stderr


def test_a_daemon_that_dies_is_told_of():
    done = run("--", "sh", "-c", "for p in /proc/[0-9]*; do n=$(readlink $p/exe); s=$(tr '\\0' ' ' <$p/cmdline); "
                                 "case \"$s\" in *\"--state-dir=$DDBD_STATE_DIR \"*) kill -KILL ${p#/proc/};; esac; done 2>/dev/null; exit 0")
    assert done.returncode == 125 and "ddbd ended with status 137" in done.stderr


def interruptible():
    """What runs in the background of a shell ignores SIGINT, and shells cannot undo that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_signals_reach_the_command():
    script = "trap 'echo got; exit 9' {0}; echo up; while :; do sleep 0.05; done"
    for name in ("TERM", "INT"):
        process = subprocess.Popen([PROGRAM, "--", "sh", "-c", script.format(name)], stdout=subprocess.PIPE, text=True,
                                   start_new_session=True, preexec_fn=interruptible)
        assert process.stdout.readline() == "up\n"
        process.send_signal(getattr(signal, f"SIG{name}"))
        assert process.communicate(timeout=60)[0] == "got\n" and process.returncode == 9


def alive(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_killed_outright_it_leaves_no_daemon(tmp_path):
    process = subprocess.Popen([PROGRAM, "--keep", str(tmp_path / "kept"), "--", "sh", "-c", "echo up; read x"], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "up\n"
    children = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    daemons = [pid for pid in children if pathlib.Path(f"/proc/{pid}/exe").resolve().name in ("kmsd", "ddbd")]
    assert len(daemons) == 2
    process.kill()
    process.wait()
    end = time.monotonic() + 30
    while any(map(alive, daemons)):
        assert time.monotonic() < end
        time.sleep(0.01)
    process.stdin.close()


def test_left_running_and_stopped(tmp_path):
    folder = tmp_path / "kept"
    assert run("--keep", folder, "--leave-running", "--", python(), "-c", CREATE_KEY).returncode == 0
    pids = (folder / "pids").read_text().split()
    assert len(pids) == 2 and all(map(alive, pids))
    assert run("--stop", folder).returncode == 0
    assert not any(map(alive, pids)) and not (folder / "pids").exists()
    assert [r["eventName"] for r in delivered(folder / "trail")] == ["CreateKey"]
