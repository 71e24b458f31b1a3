"""The measurements of tests/bench/run: starts the servers, makes signed requests, lets wrk send them, prints ratios."""
import argparse
import base64
import contextlib
import json
import pathlib
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import urllib.request

import botocore.auth
import botocore.awsrequest
import botocore.credentials

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "integration"))
from daemons import ACCOUNT, REGION, House, until  # noqa: E402

# The server has one processor, wrk the other.
SERVER_CPU, CLIENT_CPU = "0", "1"
VARIANTS = 200  # different requests that wrk takes in turn
KEY, SECRET = "AKIABENCHBENCHBENCH1", "bench-secret-of-this-file-only"
ALLOW = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["kms:*", "dynamodb:*"], "Resource": "*"}]}
PRINCIPALS = {"accounts": {ACCOUNT: {"users": {"bench": {
    "accessKeys": [{"id": KEY, "secret": SECRET}], "policies": {"all": ALLOW}}}}}}
TARGETS = {"kms": ("TrentService.", "application/x-amz-json-1.1"),
           "dynamodb": ("DynamoDB_20120810.", "application/x-amz-json-1.0")}


def signed(service, url, operation, body, key=KEY, secret=SECRET, headers=()):
    """(headers, body) of one signed request."""
    prefix, content_type = TARGETS[service]
    text = json.dumps(body)
    request = botocore.awsrequest.AWSRequest("POST", url + "/", data=text, headers={
        "Content-Type": content_type, "X-Amz-Target": prefix + operation, "User-Agent": "bench", **dict(headers)})
    botocore.auth.SigV4Auth(botocore.credentials.Credentials(key, secret), service, REGION).add_auth(request)
    # wrk knows its Host only after the script was read.
    return {"Host": url.removeprefix("http://"), **dict(request.headers.items())}, text


def lua_quote(text):
    return '"' + "".join(c if c.isalnum() or c in " /=,;:-_.{}[]+&" else f"\\{ord(c):03d}" for c in text) + '"'


def write_script(path, requests):
    """A wrk script that sends these requests in turn and counts answers that are not 200."""
    lines = ["local r = {}"]
    for headers, body in requests:
        fields = ",".join(f"[{lua_quote(k)}]={lua_quote(v)}" for k, v in headers.items())
        lines.append(f"r[#r+1] = wrk.format('POST', '/', {{{fields}}}, {lua_quote(body)})")
    lines += ["local i = 0", "request = function() i = i % #r + 1; return r[i] end"]
    path.write_text("\n".join(lines))


def wrk(url, script, connections, seconds):
    out = subprocess.run(["taskset", "-c", CLIENT_CPU, "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(script),
                          url], check=True, capture_output=True, text=True).stdout
    if "Non-2xx" in out:
        raise SystemExit(f"{script.stem}: some answers were errors:\n{out}")
    return float(re.search(r"Requests/sec:\s+([\d.]+)", out).group(1))


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


def kms_cases(house, label):
    """name -> requests"""
    url = house.kmsd.url
    kms = house.kms(KEY, SECRET)
    key = kms.create_key()["KeyMetadata"]
    cases = {}
    contexts = [{"bench": str(i)} for i in range(VARIANTS)]
    cases[f"GenerateDataKey {label}"] = [
        signed("kms", url, "GenerateDataKey", {"KeyId": key["KeyId"], "KeySpec": "AES_256", "EncryptionContext": c})
        for c in contexts]
    blobs = [kms.generate_data_key(KeyId=key["KeyId"], KeySpec="AES_256", EncryptionContext=c)["CiphertextBlob"]
             for c in contexts]
    cases[f"Decrypt {label}"] = [
        signed("kms", url, "Decrypt", {"CiphertextBlob": base64.b64encode(b).decode(), "EncryptionContext": c})
        for b, c in zip(blobs, contexts)]
    kms.create_grant(KeyId=key["KeyId"], GranteePrincipal=f"dynamodb.{REGION}.amazonaws.com",
                     Operations=["GenerateDataKey"], RetiringPrincipal=f"dynamodb.{REGION}.amazonaws.com")
    service = json.loads((house.folder / "service-credentials").read_text())
    cases[f"GenerateDataKey by grant {label}"] = [
        signed("kms", url, "GenerateDataKey", {"KeyId": key["Arn"], "KeySpec": "AES_256", "EncryptionContext": c},
               service["accessKeyId"], service["secretAccessKey"], [("x-amz-source-account", ACCOUNT)])
        for c in contexts]
    return cases


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
    put = [signed("dynamodb", url, "PutItem", {"TableName": "bench", "Item": item}) for item in items]
    for item in items:
        dynamodb.put_item(TableName="bench", Item=item)
    get = [signed("dynamodb", url, "GetItem", {"TableName": "bench", "Key": {"id": item["id"]}}) for item in items]
    return {"PutItem encrypted": put, "GetItem encrypted": get}


def start_house(stack, folder, *kmsd):
    house = House(folder, kmsd=["--workers=1", "--log-level=warn", *kmsd], ddbd=["--workers=1", "--log-level=warn"],
                  principals=PRINCIPALS)
    stack.callback(house.abandon)
    house.start()
    pin(house.kmsd.process)
    pin(house.ddbd.process)
    return house


def prepare(stack, folder):
    """[(name, url, script)], daemons"""
    baseline = Baseline()
    stack.callback(baseline.process.kill)
    always = start_house(stack, folder / "always", "--trail-sync=always")
    interval = start_house(stack, folder / "interval", "--trail-sync=interval")
    cases = [("evhttp", baseline.url,
              [signed("kms", baseline.url, "GenerateDataKey", {"KeyId": "bench", "KeySpec": "AES_256"})])]
    for house, label in ((always, "always"), (interval, "interval")):
        cases += [(name, house.kmsd.url, requests) for name, requests in kms_cases(house, label).items()]
    cases += [(name, interval.ddbd.url, requests) for name, requests in table_cases(interval).items()]
    scripts = []
    for i, (name, url, requests) in enumerate(cases):
        path = folder / f"case{i}.lua"
        write_script(path, requests)
        scripts.append((name, url, path))
    return scripts, {"kmsd": interval.kmsd, "ddbd": interval.ddbd}


def show(results, names, connections):
    print(f"\n{'':36}{'requests/s':>12}{'ratio to evhttp: min':>24}{'median':>9}{'max':>9}")
    for c in connections:
        print(f"{c} connection{'s' if c > 1 else ''}")
        for name in names:
            figures = results[name, c]
            ratios = [f / b for f, b in zip(figures, results["evhttp", c])]
            print(f"  {name:34}{statistics.median(figures):12.0f}{min(ratios):24.2f}{statistics.median(ratios):9.2f}"
                  f"{max(ratios):9.2f}")


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
        cases, daemons = prepare(stack, folder)
        cases = [c for c in cases if c[0] == "evhttp" or options.only in c[0]]
        idle = {name: daemon.memory_kib() for name, daemon in daemons.items()}
        results = {(name, c): [] for name, _, _ in cases for c in connections}
        for round_number in range(options.rounds):
            for c in connections:
                for name, url, script in cases:
                    results[name, c].append(wrk(url, script, c, options.seconds))
            print(f"round {round_number + 1} of {options.rounds} done", file=sys.stderr)
        show(results, [name for name, _, _ in cases], connections)
        for name, daemon in daemons.items():
            print(f"memory of {name}: {idle[name] / 1024:.1f} MiB before, {daemon.memory_kib() / 1024:.1f} MiB after the load")
        if options.json:
            pathlib.Path(options.json).write_text(json.dumps([{"case": n, "connections": c, "requests_per_second": f}
                                                              for (n, c), f in results.items()], indent=1))


main()
