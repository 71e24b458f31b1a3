"""The measurements of tests/bench/run: starts the servers, makes signed requests, lets wrk send them, prints ratios.

A house whose keyring is full shows what many keys and grants cost a call and the start.
"""
import argparse
import base64
import contextlib
import functools
import json
import pathlib
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

import botocore.auth
import botocore.awsrequest
import botocore.credentials

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "integration"))
from daemons import ACCOUNT, REGION, House, until  # noqa: E402
from lifecycle import show_ends, show_resets, show_starts  # noqa: E402

# The server has one processor, wrk the other.
SERVER_CPU, CLIENT_CPU = "0", "1"
VARIANTS = 200  # different requests that wrk takes in turn
FULL_KEYS, FULL_GRANTS = 100000, 50000  # the grants are one key's
FEW, MANY = "GenerateDataKey 10^3 keys", "GenerateDataKey 10^6 keys"
KEY, SECRET = "AKIABENCHBENCHBENCH1", "bench-secret-of-this-file-only"
ALLOW = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["kms:*", "dynamodb:*"], "Resource": "*"}]}
PRINCIPALS = {"accounts": {ACCOUNT: {"users": {"bench": {
    "accessKeys": [{"id": KEY, "secret": SECRET}], "policies": {"all": ALLOW}}}}}}
TARGETS = {"kms": ("TrentService.", "application/x-amz-json-1.1"),
           "dynamodb": ("DynamoDB_20120810.", "application/x-amz-json-1.0")}


def sign(service, url, operation, body, key=KEY, secret=SECRET, headers=()):
    """(headers, body) of one request, signed now."""
    prefix, content_type = TARGETS[service]
    text = json.dumps(body)
    request = botocore.awsrequest.AWSRequest("POST", url + "/", data=text, headers={
        "Content-Type": content_type, "X-Amz-Target": prefix + operation, "User-Agent": "bench", **dict(headers)})
    botocore.auth.SigV4Auth(botocore.credentials.Credentials(key, secret), service, REGION).add_auth(request)
    # wrk knows its Host only after the script was read.
    return {"Host": url.removeprefix("http://"), **dict(request.headers.items())}, text


def ask(*args):
    """A request that is signed when its script is written: a signature holds for five minutes."""
    return functools.partial(sign, *args)


def lua_quote(text):
    return '"' + "".join(c if c.isalnum() or c in " /=,;:-_.{}[]+&" else f"\\{ord(c):03d}" for c in text) + '"'


def write_script(path, requests):
    """A wrk script that sends these requests in turn and counts answers that are not 200."""
    lines = ["local r = {}"]
    for request in requests:
        headers, body = request()
        fields = ",".join(f"[{lua_quote(k)}]={lua_quote(v)}" for k, v in headers.items())
        lines.append(f"r[#r+1] = wrk.format('POST', '/', {{{fields}}}, {lua_quote(body)})")
    lines += ["local i = 0", "request = function() i = i % #r + 1; return r[i] end"]
    path.write_text("\n".join(lines))


def run_wrk(url, script, connections, seconds):
    out = subprocess.run(["taskset", "-c", CLIENT_CPU, "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s",
                          str(script), url], check=True, capture_output=True, text=True).stdout
    if "Non-2xx" in out:
        raise SystemExit(f"{script.stem}: some answers were errors:\n{out}")
    return out


def wrk(url, script, connections, seconds):
    """Requests a second."""
    return float(re.search(r"Requests/sec:\s+([\d.]+)", run_wrk(url, script, connections, seconds)).group(1))


def wrk_p99(url, script, connections, seconds):
    """Milliseconds within which 99 of 100 answers came."""
    value, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", run_wrk(url, script, connections, seconds)).groups()
    return float(value) * {"us": 0.001, "ms": 1, "s": 1000}[unit]


def pin(process):
    subprocess.run(["taskset", "-a", "-p", "-c", SERVER_CPU, str(process.pid)], check=True, capture_output=True)


class Baseline:
    def __init__(self):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.process = subprocess.Popen([ROOT / "build/tests/bench/evhttp_baseline", str(port)])
        until(self.answers, "the baseline to answer")
        pin(self.process)

    def answers(self):
        with contextlib.suppress(OSError):
            return urllib.request.urlopen(self.url, data=b"{}").status == 200


# As ddbd's: the grants of a full keyring are for such contexts.
CONTEXTS = [{"aws:dynamodb:tableName": f"table-{i}", "aws:dynamodb:subscriberId": ACCOUNT} for i in range(VARIANTS)]


def data_keys(url, key, *signer):
    return [ask("kms", url, "GenerateDataKey", {"KeyId": key, "KeySpec": "AES_256", "EncryptionContext": c}, *signer)
            for c in CONTEXTS]


def service_signer(house):
    service = json.loads((house.folder / "service-credentials").read_text())
    return service["accessKeyId"], service["secretAccessKey"], [("x-amz-source-account", ACCOUNT)]


def kms_cases(house, label):
    """name -> requests"""
    url = house.kmsd.url
    kms = house.kms(KEY, SECRET)
    key = kms.create_key()["KeyMetadata"]
    blobs = [kms.generate_data_key(KeyId=key["KeyId"], KeySpec="AES_256", EncryptionContext=c)["CiphertextBlob"]
             for c in CONTEXTS]
    kms.create_grant(KeyId=key["KeyId"], GranteePrincipal=f"dynamodb.{REGION}.amazonaws.com",
                     Operations=["GenerateDataKey"], RetiringPrincipal=f"dynamodb.{REGION}.amazonaws.com")
    return {f"GenerateDataKey {label}": data_keys(url, key["KeyId"]),
            f"Decrypt {label}": [
                ask("kms", url, "Decrypt", {"CiphertextBlob": base64.b64encode(b).decode(), "EncryptionContext": c})
                for b, c in zip(blobs, CONTEXTS)],
            f"GenerateDataKey by grant {label}": data_keys(url, key["Arn"], *service_signer(house))}


def other_cases(house):
    """Operations by keys of other kinds, and of the largest plaintext."""
    url, kms = house.kmsd.url, house.kms(KEY, SECRET)

    def make(**kind):
        return kms.create_key(**kind)["KeyMetadata"]["KeyId"]
    plain, signer = make(), make(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
    maker = make(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")
    messages = [f"message {i}".ljust(32).encode() for i in range(VARIANTS)]
    texts = [base64.b64encode(m).decode() for m in messages]
    signed = {"KeyId": signer, "SigningAlgorithm": "ECDSA_SHA_256"}
    signatures = [base64.b64encode(kms.sign(Message=m, **signed)["Signature"]).decode() for m in messages]
    large = base64.b64encode(b"x" * 4096).decode()
    return {"Sign": [ask("kms", url, "Sign", {"Message": t, **signed}) for t in texts],
            "Verify": [ask("kms", url, "Verify", {"Message": t, "Signature": s, **signed}) for t, s in zip(texts, signatures)],
            "GenerateMac": [ask("kms", url, "GenerateMac", {"KeyId": maker, "Message": t, "MacAlgorithm": "HMAC_SHA_256"})
                            for t in texts],
            "Encrypt 4 KiB": [ask("kms", url, "Encrypt", {"KeyId": plain, "Plaintext": large, "EncryptionContext": c})
                              for c in CONTEXTS]}


def full_cases(house, arn):
    return {"GenerateDataKey full": data_keys(house.kmsd.url, arn.rpartition("/")[2]),
            "GenerateDataKey by grant full": data_keys(house.kmsd.url, arn, *service_signer(house))}


def table_cases(house):
    url = house.ddbd.url
    dynamodb = house.dynamodb(KEY, SECRET)
    key = house.kms(KEY, SECRET).create_key()["KeyMetadata"]["Arn"]
    dynamodb.create_table(TableName="bench", BillingMode="PAY_PER_REQUEST",
                          AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
                          KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
                          SSESpecification={"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": key})
    dynamodb.get_waiter("table_exists").wait(TableName="bench", WaiterConfig={"Delay": 1})
    items = [{"id": {"S": f"item-{i}"}, "text": {"S": "x" * 100}, "number": {"N": str(i)}} for i in range(VARIANTS)]
    put = [ask("dynamodb", url, "PutItem", {"TableName": "bench", "Item": item}) for item in items]
    for item in items:
        dynamodb.put_item(TableName="bench", Item=item)
    get = [ask("dynamodb", url, "GetItem", {"TableName": "bench", "Key": {"id": item["id"]}}) for item in items]
    return {"PutItem encrypted": put, "GetItem encrypted": get}


def make_house(stack, folder, *kmsd):
    # Log files are not delivered meanwhile: that is another thread's work, once in a while.
    house = House(folder, kmsd=["--workers=1", "--log-level=warn", "--trail-interval=1h", *kmsd], ddbd=["--workers=1", "--log-level=warn"],
                  principals=PRINCIPALS)
    stack.callback(house.abandon)
    return house


def start_house(stack, folder, *kmsd):
    house = make_house(stack, folder, *kmsd).start()
    pin(house.kmsd.process)
    pin(house.ddbd.process)
    return house


def start_full_house(stack, folder, keys=FULL_KEYS, grants=FULL_GRANTS):
    """The house, the ARN of the key with the grants, and how many seconds kmsd took to listen."""
    house = make_house(stack, folder, "--trail-sync=interval")
    arn = subprocess.run([ROOT / "build/tests/bench/fill_keyring", folder / "kmsd/state", str(keys), str(grants), ACCOUNT,
                          REGION], check=True, capture_output=True, text=True).stdout.strip()
    begin = time.monotonic()
    house.start(ddbd=False)
    seconds = time.monotonic() - begin
    pin(house.kmsd.process)
    return house, arn, seconds


def many_keys_cases(stack, folder):
    """(name, url, requests) of keyrings of both sizes; each request is for another key."""
    cases = []
    for name, keys in ((FEW, 1000), (MANY, 1000000)):
        house = start_full_house(stack, folder / f"{keys}-keys", keys, 0)[0]
        ids = [key["KeyId"] for key in house.kms(KEY, SECRET).list_keys(Limit=1000)["Keys"]][::1000 // VARIANTS]
        cases.append((name, house.kmsd.url, [data_keys(house.kmsd.url, key)[i] for i, key in enumerate(ids)]))
    return cases


def prepare(stack, folder, only):
    """[(name, url, script, requests)], daemons, seconds that the start with a full keyring took"""
    baseline = Baseline()
    stack.callback(baseline.process.kill)
    always = start_house(stack, folder / "always", "--trail-sync=always")
    interval = start_house(stack, folder / "interval", "--trail-sync=interval")
    full, arn, seconds = start_full_house(stack, folder / "full")
    cases = [("evhttp", baseline.url,
              [ask("kms", baseline.url, "GenerateDataKey", {"KeyId": "bench", "KeySpec": "AES_256"})])]
    for house, label in ((always, "always"), (interval, "interval")):
        cases += [(name, house.kmsd.url, requests) for name, requests in kms_cases(house, label).items()]
    cases += [(name, interval.kmsd.url, requests) for name, requests in other_cases(interval).items()]
    cases += [(name, full.kmsd.url, requests) for name, requests in full_cases(full, arn).items()]
    cases += [(name, interval.ddbd.url, requests) for name, requests in table_cases(interval).items()]
    if only in FEW or only in MANY:
        cases += many_keys_cases(stack, folder)
    cases = [(name, url, folder / f"case{i}.lua", requests) for i, (name, url, requests) in enumerate(cases)]
    return cases, {"kmsd": interval.kmsd, "ddbd": interval.ddbd, "kmsd, full": full.kmsd}, seconds


def show_ratio(label, figures, base):
    ratios = [f / b for f, b in zip(figures, base)]
    print(f"  {label:34}{statistics.median(figures):12.0f}{min(ratios):24.2f}{statistics.median(ratios):9.2f}"
          f"{max(ratios):9.2f}")


def show(results, names, connections):
    print(f"\n{'':36}{'requests/s':>12}{'ratio to evhttp: min':>24}{'median':>9}{'max':>9}")
    for c in connections:
        print(f"{c} connection{'s' if c > 1 else ''}")
        for name in names:
            show_ratio(name, results[name, c], results["evhttp", c])
    full = [n for n in names if n.endswith(" full") and n.removesuffix("full") + "interval" in names]
    if full:
        print(f"{FULL_KEYS} keys, {FULL_GRANTS} grants on the key: ratio to an empty keyring")
    for c in connections:
        for name in full:
            show_ratio(f"{name} {c}", results[name, c], results[name.removesuffix("full") + "interval", c])


def show_many_keys(results, connections):
    print("cost of a GenerateDataKey among 10^6 keys, in those among 10^3")
    for c in connections:
        costs = [few / many for few, many in zip(results[FEW, c], results[MANY, c])]
        print(f"  {c} connections: min {min(costs):.2f}, median {statistics.median(costs):.2f}, max {max(costs):.2f}")


def cpu_seconds(process):
    """What all threads of the process have used."""
    threads = pathlib.Path(f"/proc/{process.pid}/task").iterdir()
    return sum(int((t / "schedstat").read_text().split()[0]) for t in threads) / 1e9


def show_signature(cases, kmsd, rounds, connections, seconds):
    """By how many bare signatures the server works longer for a Sign than for a GenerateDataKey."""
    of = {name: (url, script, requests) for name, url, script, requests in cases}
    if not {"Sign", "GenerateDataKey interval"} <= set(of):
        return

    def cost(name):
        url, script, requests = of[name]
        write_script(script, requests)
        begin = cpu_seconds(kmsd.process)
        rate = wrk(url, script, connections, seconds)
        return (cpu_seconds(kmsd.process) - begin) / (rate * seconds)
    bare = float(subprocess.run([ROOT / "build/tests/bench/bare_signature"], check=True, capture_output=True, text=True).stdout)
    more = [(cost("Sign") - cost("GenerateDataKey interval")) / bare for _ in range(rounds)]
    print(f"CPU time of a bare signature: {bare * 1e6:.1f} us; a Sign has more than a GenerateDataKey by, of that: min "
          f"{min(more):.2f}, median {statistics.median(more):.2f}, max {max(more):.2f}")


def show_key_making(stack, folder, rounds, seconds):
    """Whether callers notice that RSA keys are made: the server has both processors here, as it has in use."""
    house = make_house(stack, folder / "making", "--trail-sync=interval").start(ddbd=False)
    kms = house.kms(KEY, SECRET, read_timeout=120)
    requests = data_keys(house.kmsd.url, kms.create_key()["KeyMetadata"]["KeyId"])
    script = folder / "making.lua"
    over = threading.Event()
    made = []

    def make_keys():
        while not over.is_set():
            made.append(kms.create_key(KeySpec="RSA_4096", KeyUsage="SIGN_VERIFY"))
    alone, meanwhile = [], []
    for _ in range(rounds):
        write_script(script, requests)
        alone.append(wrk_p99(house.kmsd.url, script, 4, seconds))
        over.clear()
        thread = threading.Thread(target=make_keys)
        thread.start()
        meanwhile.append(wrk_p99(house.kmsd.url, script, 4, seconds))
        over.set()
        thread.join()
    print(f"p99 of GenerateDataKey, 4 connections: median {statistics.median(alone):.2f} ms alone, "
          f"{statistics.median(meanwhile):.2f} ms while {len(made)} RSA_4096 keys are made")


def main():
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--connections", default="1,16,64")
    parser.add_argument("--only", default="")
    parser.add_argument("--json")
    options = parser.parse_args()
    connections = [int(c) for c in options.connections.split(",")]
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        moments = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for show_moments in (show_starts, show_ends, show_resets):
            show_moments(moments)
        cases, daemons, full_start = prepare(stack, folder, options.only)
        cases = [c for c in cases if c[0] == "evhttp" or options.only in c[0]]
        idle = {name: daemon.memory_kib() for name, daemon in daemons.items()}
        results = {(case[0], c): [] for case in cases for c in connections}
        for round_number in range(options.rounds):
            for c in connections:
                for _, _, script, requests in cases:
                    write_script(script, requests)
                for name, url, script, _ in cases:
                    results[name, c].append(wrk(url, script, c, options.seconds))
            print(f"round {round_number + 1} of {options.rounds} done", file=sys.stderr)
        names = [case[0] for case in cases]
        show(results, names, connections)
        if {FEW, MANY} <= set(names):
            show_many_keys(results, connections)
        show_signature(cases, daemons["kmsd"], options.rounds, max(connections), options.seconds)
        if options.only in "p99":
            show_key_making(stack, folder, options.rounds, options.seconds)
        print(f"start with the full keyring: {full_start * 1000:.0f} ms")
        for name, daemon in daemons.items():
            print(f"memory of {name}: {idle[name] / 1024:.1f} MiB before, {daemon.memory_kib() / 1024:.1f} MiB after the load")
        if options.json:
            pathlib.Path(options.json).write_text(json.dumps([{"case": n, "connections": c, "requests_per_second": f}
                                                              for (n, c), f in results.items()], indent=1))


main()
