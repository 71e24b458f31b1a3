"""How long a daemon takes from its start to its first answer, and what it holds in memory then; how long its end takes with
much to deliver; how long a reset to the seed takes. Used by measure.py."""
import json
import re
import statistics
import subprocess
import time
import urllib.request

from daemons import House, program

STARTS = 15
RESETS = 30


def show(label, took, more=""):
    print(f"{label}: min {min(took):.1f}, median {statistics.median(took):.1f}, max {max(took):.1f} ms{more}")


def start_once(name, folder):
    """(milliseconds from exec to the whole answer of the health endpoint, resident KiB)"""
    flags = ["--listen=127.0.0.1:0", f"--state-dir={folder}/state", f"--service-credentials={folder}/service-credentials"]
    begin = time.monotonic()
    process = subprocess.Popen([program(name), *flags], stderr=subprocess.PIPE, text=True)
    try:
        url = None
        while not url:
            url = re.search(r"listening on (http://\S+)", process.stderr.readline())
        with urllib.request.urlopen(f"{url[1]}/_{name}/health") as reply:
            reply.read()
        took = (time.monotonic() - begin) * 1000
        with open(f"/proc/{process.pid}/status") as status:
            return took, int(re.search(r"VmRSS:\s+(\d+)", status.read())[1])
    finally:
        process.terminate()
        process.communicate()


def show_starts(folder):
    """Each start with a state of its own, which it has to make; then as often with one that is there."""
    for name in ("kmsd", "ddbd"):
        for label, folders in (("a fresh state", [folder / f"{name}-{i}" for i in range(STARTS)]),
                               ("a state that is there", [folder / f"{name}-0"] * STARTS)):
            for each in folders:
                each.mkdir(exist_ok=True)
            took, memory = zip(*(start_once(name, each) for each in folders))
            show(f"start of {name} with {label} to the first answer", took, f"; {max(memory) / 1024:.1f} MiB resident")


def show_ends(folder):
    """From SIGTERM to the end, with 500 records of 4 KB each to deliver or to hand over."""
    took = {"ddbd": [], "kmsd": []}
    for i in range(3):
        house = House(folder / f"end-{i}").start()
        kms, dynamodb = house.kms(), house.dynamodb()
        key = kms.create_key()["KeyMetadata"]["KeyId"]
        for _ in range(500):
            kms.generate_data_key(KeyId=key, KeySpec="AES_256", EncryptionContext={"x": "y" * 4000})
            dynamodb.list_tables()
        for daemon in (house.ddbd, house.kmsd):
            begin = time.monotonic()
            daemon.terminate()
            took[daemon.name].append((time.monotonic() - begin) * 1000)
    for name, each in took.items():
        show(f"end of {name} with 500 records to deliver", each)


def show_resets(folder):
    for keys in (10, 1000):
        home = folder / f"reset-{keys}"
        home.mkdir()
        ids = [f"{i:08x}-2222-4333-8444-555555555555" for i in range(keys)]
        (home / "seed.json").write_text(json.dumps({"Keys": [
            {"KeyId": key, "Material": f"{i:064x}", "Aliases": [f"alias/{i}"]} for i, key in enumerate(ids)]}))
        house = House(home, kmsd=["--test-control", f"--seed-file={home}/seed.json"]).start(ddbd=False)
        kms, connection, took = house.kms(), house.kmsd.connection(), []
        for _ in range(RESETS):
            kms.disable_key(KeyId=ids[1])
            kms.create_key()
            begin = time.monotonic()
            connection.request("POST", "/_kmsd/reset")
            connection.getresponse().read()
            took.append((time.monotonic() - begin) * 1000)
        house.kmsd.terminate()
        show(f"reset to {keys} seeded keys after two changes", took)
