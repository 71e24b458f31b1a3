"""How long a daemon takes from its start to its first answer, and what it holds in memory then. Used by measure.py."""
import re
import statistics
import subprocess
import time
import urllib.request

from daemons import program

STARTS = 15


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
            print(f"start of {name} with {label} to the first answer: min {min(took):.1f}, median {statistics.median(took):.1f}, "
                  f"max {max(took):.1f} ms; {max(memory) / 1024:.1f} MiB resident")
