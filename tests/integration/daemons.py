"""Real daemons for the tests: starts, restarts, kills and asks them; reads the delivered trail.

The programs are those that KMSD_BIN and DDBD_BIN name, else build/kmsd/kmsd and build/ddbd/ddbd. State lies in a folder of
the test's own. Nothing here sleeps to wait for time to pass: `until()` polls a condition, and time that a test needs is
the virtual clock's.
"""
import contextlib
import gzip
import http.client
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import subprocess
import threading
import time
import urllib.request

import boto3
import botocore.config

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Operations that are newer than the installed models (tests/data/models).
os.environ.setdefault("AWS_DATA_PATH", str(ROOT / "tests/data/models"))
REGION = "us-east-1"
ACCOUNT = "111122223333"
# The AWS CLI of the checkout, else the machine's; None: there is none.
AWS_CLI = shutil.which("aws", path=f"{ROOT}/.venv/bin:{os.environ['PATH']}")
PATIENCE = float(os.environ.get("KMSD_TEST_PATIENCE", "30"))  # seconds; sanitizer builds are slow


def until(condition, what="the condition", patience=None):
    """Polls until condition() is true and returns its value."""
    end = time.monotonic() + (patience or PATIENCE)
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {patience or PATIENCE} s in vain for {what}")
        time.sleep(0.005)


def program(name):
    return os.environ.get(f"{name.upper()}_BIN", str(ROOT / "build" / name / name))


class Daemon:
    """One process of kmsd or ddbd."""

    def __init__(self, name, folder, arguments, port=0):
        self.name, self.folder, self.arguments, self.port = name, pathlib.Path(folder), list(arguments), port
        self.log = self.folder / f"{name}.log"
        self.process = None
        self.folder.mkdir(parents=True, exist_ok=True)

    def start(self, wait=True, extra=(), attempts=100):
        given = [a for a in self.arguments if a.startswith("--listen")]
        listen = [] if given else [f"--listen=127.0.0.1:{self.port}"]
        self.log_start = self.log.stat().st_size if self.log.exists() else 0
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([program(self.name), *listen, *self.arguments, *extra], stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log)
        if wait and not self.wait_ready():
            assert attempts, self.log_text()
            return self.start(wait, extra, attempts - 1)
        return self

    def log_text(self):
        with open(self.log, "rb") as log:
            log.seek(self.log_start)
            return log.read().decode(errors="replace")

    def wait_ready(self):
        """False when a port that was this daemon's before its restart is somebody else's for the moment."""
        def ready():
            if self.process.poll() is not None:
                if self.port and "Address already in use" in self.log_text():
                    time.sleep(0.1)
                    return -1
                raise AssertionError(f"{self.name} ended with {self.process.returncode}:\n{self.log_text()}")
            found = re.search(r"listening on http://[^\s]*:(\d+)", self.log_text())
            return found and int(found.group(1))
        port = until(ready, f"{self.name} to listen")
        if port > 0:
            self.port = port
        return port > 0

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def terminate(self):
        """SIGTERM; returns the exit status."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                raise AssertionError(f"{self.name} does not end:\n{self.log_text()[-4000:]}")
        return self.process.returncode if self.process else 0

    def kill(self):
        self.process.kill()
        self.process.wait()

    def signal(self, number):
        self.process.send_signal(number)

    def restart(self):
        assert self.terminate() == 0, self.log_text()
        return self.start()

    def get(self, path):
        with urllib.request.urlopen(self.url + path, timeout=PATIENCE) as reply:
            return json.load(reply)

    def post(self, path, body):
        request = urllib.request.Request(self.url + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=PATIENCE) as reply:
            return json.load(reply)

    def memory_kib(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status).group(1))

    def connection(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)


UNLIMITED = resource.RLIM_INFINITY


@contextlib.contextmanager
def file_size_limit(daemon, limit):
    """No room on the disk: no file of the daemon may grow beyond so many bytes."""
    resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE, (limit, UNLIMITED))
    try:
        yield
    finally:
        resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE, (UNLIMITED, UNLIMITED))


class House:
    """A kmsd and a ddbd that belong together, in one folder."""

    def __init__(self, folder, kmsd=(), ddbd=(), principals=None, region=REGION):
        self.folder = pathlib.Path(folder)
        self.region = region
        shared = [f"--service-credentials={self.folder}/service-credentials", f"--account={ACCOUNT}"]
        if principals is not None:
            self.principals_path = self.folder / "principals.json"
            self.folder.mkdir(parents=True, exist_ok=True)
            self.principals_path.write_text(principals if isinstance(principals, str) else json.dumps(principals))
            shared.append(f"--principals={self.principals_path}")
        self.kmsd = Daemon("kmsd", self.folder / "kmsd", [f"--state-dir={self.folder}/kmsd/state", *shared, *kmsd])
        self.ddbd_arguments = [f"--state-dir={self.folder}/ddbd/state", *shared, *ddbd]
        self.ddbd = None
        self.trail_dir = self.folder / "kmsd" / "state" / "trail"

    def start(self, ddbd=True):
        self.kmsd.start()
        if ddbd:
            self.start_ddbd()
        return self

    def start_ddbd(self):
        port = self.ddbd.port if self.ddbd else 0
        self.ddbd = Daemon("ddbd", self.folder / "ddbd", [f"--kms-url={self.kmsd.url}", *self.ddbd_arguments], port)
        return self.ddbd.start()

    def stop(self):
        """Ends both in order; fails the test when one ended badly (a sanitizer's report, a crash)."""
        for daemon in (self.ddbd, self.kmsd):
            if daemon and daemon.process and daemon.process.returncode != -signal.SIGKILL:
                status = daemon.terminate()
                assert status == 0, f"{daemon.name} ended with {status}:\n{daemon.log_text()[-8000:]}"

    def abandon(self):
        for daemon in (self.ddbd, self.kmsd):
            if daemon and daemon.process and daemon.process.poll() is None:
                daemon.kill()

    def client(self, service, key="test", secret="test", token=None, region=None, **config):
        daemon = self.ddbd if service == "dynamodb" else self.kmsd
        config.setdefault("retries", {"total_max_attempts": 1})
        return boto3.client(service, endpoint_url=daemon.url, region_name=region or self.region, aws_access_key_id=key,
                            aws_secret_access_key=secret, aws_session_token=token,
                            config=botocore.config.Config(**config))

    def kms(self, *args, **more):
        return self.client("kms", *args, **more)

    def dynamodb(self, *args, **more):
        return self.client("dynamodb", *args, **more)

    # ---- time ----

    def clock(self, **change):
        """clock() reads; clock(advance=300), clock(set="2030-01-01T00:00:00Z"), clock(scale=0) change."""
        return self.kmsd.post("/_kmsd/clock", change) if change else self.kmsd.get("/_kmsd/clock")

    # ---- trail ----

    def log_files(self):
        return sorted(self.trail_dir.glob("AWSLogs/*/CloudTrail/*/*/*/*/*.json.gz"))

    def delivered(self):
        """Every delivered event, in no particular order."""
        events = []
        for path in self.log_files():
            events += json.loads(gzip.decompress(path.read_bytes()))["Records"]
        return events

    def trail(self, name=None, **members):
        """Ends nothing: delivers by moving the virtual clock past the interval, then returns events sorted by time."""
        self.clock(advance=301)
        return self.pick(name, **members)

    def pick(self, name=None, **members):
        events = [e for e in self.delivered() if (name is None or e["eventName"] == name)
                  and all(e.get(k) == v for k, v in members.items())]
        return sorted(events, key=lambda e: e["eventTime"])


def in_threads(n, work):
    """Runs work(i) in n threads; raises the first error."""
    errors = []

    def run(i):
        try:
            work(i)
        except BaseException as error:  # noqa: BLE001 - handed to the caller
            errors.append(error)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
