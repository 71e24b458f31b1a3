"""What the demo stands on: prints commands and runs them, moves the clock, reads the delivered trail, verifies claims."""
import gzip
import json
import os
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

COLOUR = sys.stdout.isatty() and "NO_COLOR" not in os.environ


class Untrue(Exception):
    """The story that the demo tells did not happen."""


def paint(code, text):
    return f"\033[{code}m{text}\033[0m" if COLOUR else text


def chapter(text):
    print("\n" + paint("1;36", text) + "\n" + paint("36", "=" * len(text)), flush=True)


def tell(text):
    print("\n" + text, flush=True)


def show(text):
    """A command, before its output."""
    print("\n" + paint("1", "$ " + text.strip()), flush=True)


class Stage:
    def __init__(self, trail_folder):
        self.trail_folder = Path(trail_folder)
        self.kmsd, self.verified, self.seen = os.environ["KMSD_URL"], 0, set()

    def shell(self, command, shown=None, fails=False, quiet=False):
        """Runs a command line; its output is printed and returned. fails: that is what it should do."""
        if not quiet:
            show(shown or command)
        done = subprocess.run(["bash", "-c", command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.stdout and not quiet:
            print(done.stdout.strip(), flush=True)
        if (done.returncode != 0) != fails:
            raise Untrue(f"status {done.returncode} of: {command}\n{done.stdout if quiet else ''}")
        return done.stdout

    def json(self, command, **options):
        text = self.shell(command, **options)
        return json.loads(text) if text.strip() else {}

    def verify(self, claim, true, instead=None):
        if not true:
            raise Untrue(claim + (f"; instead: {instead}" if instead is not None else ""))
        self.verified += 1
        print(paint("32", f"verified: {claim}"), flush=True)

    def clock(self, change, quiet=False):
        """Moves both daemons' clock; every job that is due by then has run when this returns."""
        body = json.dumps(change)
        if not quiet:
            print("\n" + paint("1", f"POST $KMSD_URL/_kmsd/clock {body}"))
        request = urllib.request.Request(self.kmsd + "/_kmsd/clock", body.encode(), {"Content-Type": "application/json"})
        begun = time.monotonic()
        with urllib.request.urlopen(request, timeout=30) as reply:
            state = json.load(reply)
        if not quiet:
            print(f"{json.dumps(state)}   ({(time.monotonic() - begun) * 1000:.0f} ms)", flush=True)
        return state

    def files(self):
        return sorted(self.trail_folder.glob("AWSLogs/*/CloudTrail/*/*/*/*/*.json.gz"))

    def records(self):
        """Every delivered record, in order of time."""
        found = []
        for path in self.files():
            with gzip.open(path) as file:
                found += json.load(file)["Records"]
        return sorted(found, key=lambda record: record["eventTime"])

    def news(self):
        """What was delivered since the last call of this."""
        fresh = [record for record in self.records() if record["eventID"] not in self.seen]
        self.seen |= {record["eventID"] for record in fresh}
        return fresh


def caller(record):
    identity = record["userIdentity"]
    if identity.get("type") == "AWSService":
        return identity["invokedBy"]
    via = f" via {identity['invokedBy'].split('.')[0]}" if "invokedBy" in identity else ""
    return identity.get("arn", identity.get("type", "?")).split(":")[-1] + via


def table_of(record):
    parameters = record.get("requestParameters") or {}
    context = parameters.get("encryptionContext") or (parameters.get("constraints") or {}).get("encryptionContextSubset") or {}
    return context.get("aws:dynamodb:tableName") or parameters.get("tableName") or ""


def timeline(records):
    """One line a record."""
    if not records:
        print("  (nothing)")
    for r in records:
        service = r["eventSource"].split(".")[0]
        error = f"  {r['errorCode']}" if "errorCode" in r else ""
        line = f"  {r['eventTime'][11:19]}  {service:<9} {r['eventName']:<20} {caller(r):<46} {table_of(r)}{error}"
        print(line.rstrip(), flush=True)


def kms(records, operation=None):
    return [r for r in records if r["eventSource"] == "kms.amazonaws.com" and operation in (None, r["eventName"])]


def names(records):
    return [r["eventName"] for r in records]
