"""Bad clients, and unusual ones: each gets an answer or an end, and nobody else notices."""
import contextlib
import json
import os
import random
import re
import socket
import struct

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import pytest

from asking import opened
from conftest import VIRTUAL
from daemons import PATIENCE, REGION, in_threads, until

SERVICES = {"kmsd": ("kms", "TrentService", "application/x-amz-json-1.1", "ListKeys"),
            "ddbd": ("dynamodb", "DynamoDB_20120810", "application/x-amz-json-1.0", "ListTables")}


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    with opened(tmp_path_factory.mktemp("house"), ddbd=True, kmsd=VIRTUAL) as house:
        yield house


@pytest.fixture(params=SERVICES)
def daemon(house, request):
    """One of the daemons; well and answering afterwards."""
    daemon = getattr(house, request.param)
    yield daemon
    assert daemon.process.poll() is None, daemon.log_text()[-4000:]
    assert daemon.get(f"/_{daemon.name}/health")["status"] == "ok"
    assert ask(daemon, request_bytes(daemon)).status == 200


def request_bytes(daemon, operation=None, body=b"{}", headers=(), unsigned=(), method="POST", version="1.1"):
    """One signed request as it goes over the wire; `unsigned` headers come last."""
    service, target, content_type, harmless = SERVICES[daemon.name]
    host = f"127.0.0.1:{daemon.port}"
    request = botocore.awsrequest.AWSRequest(method, f"http://{host}/", data=body, headers={
        "Host": host, "Content-Type": content_type, "X-Amz-Target": f"{target}.{harmless if operation is None else operation}", **dict(headers)})
    botocore.auth.SigV4Auth(botocore.credentials.Credentials("test", "test"), service, REGION).add_auth(request)
    lines = [f"{method} / HTTP/{version}"] + [f"{name}: {value}" for name, value in request.headers.items()]
    names = {name.lower() for name, _ in unsigned}
    if not names & {"content-length", "transfer-encoding"}:
        lines.append(f"Content-Length: {len(body)}")
    lines += [f"{name}: {value}" for name, value in unsigned]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class Reply:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def type(self):
        return json.loads(self.body)["__type"].rpartition("#")[2]


class Wire:
    """A connection on which a test says whatever it likes."""

    def __init__(self, daemon):
        self.socket = socket.create_connection(("127.0.0.1", daemon.port), PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        with contextlib.suppress(OSError):
            self.file.close()
        self.socket.close()

    def send(self, data):
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.socket.sendall(data)
        return self

    def reply(self, head_only=False):
        """The next reply; None when the connection ends instead."""
        try:
            line = self.file.readline()
            if not line:
                return None
            status = int(re.fullmatch(rb"HTTP/1\.1 (\d{3}) [^\r\n]*\r\n", line)[1])
            headers = {}
            while (line := self.file.readline()) != b"\r\n":
                name, _, value = line.decode().partition(": ")
                headers[name.lower()] = value.rstrip("\r\n")
            length = 0 if head_only or status < 200 else int(headers.get("content-length", 0))
            return Reply(status, headers, self.file.read(length))
        except (ConnectionResetError, BrokenPipeError):
            return None

    def ended(self):
        """The daemon has closed the connection, and says nothing more."""
        try:
            return self.file.read(1) == b""
        except ConnectionResetError:
            return True


def ask(daemon, data):
    with Wire(daemon) as wire:
        return wire.send(data).reply()


# ---- slow and cut off ----

def test_byte_by_byte(daemon):
    data = request_bytes(daemon)
    with Wire(daemon) as wire:
        for at in range(len(data)):
            wire.socket.send(data[at:at + 1])
        assert wire.reply().status == 200
        for chunk in (data[:1], data[1:40], data[40:-1], data[-1:]):  # on the same connection, from its beginning
            wire.send(chunk)
        assert wire.reply().status == 200


@pytest.mark.slow
def test_who_never_finishes_is_shown_the_door(house):
    """While they dawdle, others are served."""
    slow = []
    for daemon in (house.kmsd, house.ddbd):
        data = request_bytes(daemon)
        slow += [Wire(daemon).send(data[:n]) for n in (1, 30, 200) for _ in range(10)]
        assert ask(daemon, data).status == 200
    for wire in slow:
        assert wire.reply().status == 408 and wire.ended()
        wire.close()


def test_half_closed(daemon):
    """Who only says that no more is coming still gets the answer."""
    with Wire(daemon) as wire:
        wire.send(request_bytes(daemon))
        wire.socket.shutdown(socket.SHUT_WR)
        assert wire.reply().status == 200 and wire.ended()


@pytest.mark.parametrize("where", ["request line", "head", "body"])
def test_half_a_request(daemon, where):
    data = request_bytes(daemon, body=b"{}" + b" " * 1000)
    cut = {"request line": 5, "head": 100, "body": len(data) - 10}[where]
    with Wire(daemon) as wire:
        wire.send(data[:cut])
        wire.socket.shutdown(socket.SHUT_WR)
        assert wire.ended()


def test_gone_before_the_answer(daemon):
    """Closed or reset while the answer is under way, in every phase."""
    data = request_bytes(daemon)
    for n in range(100):
        wire = Wire(daemon).send(data * 3 if n % 2 else data[:n * 5])
        if n % 3 == 0:
            wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        wire.close()


def test_who_does_not_read(daemon):
    """Many pipelined requests, no answer read: the daemon neither waits nor hoards."""
    data = request_bytes(daemon)
    with Wire(daemon) as wire:
        wire.socket.settimeout(0.3)
        sent = 0
        with contextlib.suppress(TimeoutError):
            while sent < 64 << 20:
                sent += wire.socket.send(data * 100)
        assert sent < 64 << 20  # the daemon stopped reading too
        assert ask(daemon, data).status == 200


# ---- garbage ----

def test_garbage(daemon):
    rng = random.Random(3)
    heads = [b"", b"\r\n\r\n", b"\0" * 100, b"GET\r\n\r\n", b"POST / HTTP/9.9\r\n\r\n", b"POST / HTTP/1.1\r\n: x\r\n\r\n",
             b"POST /\x01 HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),  # TLS
             b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"POST / HTTP/1.1\nHost: x\n\n", b"a" * 1000 + b"\r\n\r\n"]
    for data in heads + [rng.randbytes(rng.randrange(1, 3000)) for _ in range(100)]:
        with Wire(daemon) as wire:
            wire.send(data)
            wire.socket.shutdown(socket.SHUT_WR)
            reply = wire.reply()
            assert reply is None or 400 <= reply.status < 600, data
            assert wire.ended()


def test_changed_requests(daemon):
    """A good request with a byte changed is refused or does not matter; never does it harm."""
    data = request_bytes(daemon, body=b'{"Limit": 3}')
    rng = random.Random(4)
    for _ in range(300):
        changed = bytearray(data)
        changed[rng.randrange(len(data))] = rng.randrange(256)
        with Wire(daemon) as wire:
            wire.send(bytes(changed))
            wire.socket.shutdown(socket.SHUT_WR)
            reply = wire.reply()
            assert reply is None or reply.status in (200, 400, 404, 405, 413, 417, 431, 501, 505), changed


@pytest.mark.parametrize("framing", [
    [("Content-Length", "2"), ("Content-Length", "3")], [("Content-Length", "+2")], [("Content-Length", "-1")],
    [("Content-Length", "2, 3")], [("Content-Length", "99999999999999999999")], [("Content-Length", "two")],
    [("Content-Length", "2"), ("Transfer-Encoding", "chunked")], [("Transfer-Encoding", "gzip, chunked")],
    [("Transfer-Encoding", "chunked, chunked")], [("Transfer-Encoding", "identity")], [("Transfer-Encoding", "xchunked")]],
    ids=lambda framing: "+".join(f"{n}={v}" for n, v in framing))
def test_ambiguous_framing(daemon, framing):
    """What another server might read otherwise is refused, and the connection ends."""
    with Wire(daemon) as wire:
        wire.send(request_bytes(daemon, unsigned=framing))
        reply = wire.reply()
        assert reply.status in (400, 413, 501) and wire.ended()


# ---- too much ----

def test_heads_that_are_too_large(daemon):
    for unsigned in ([("X-Large", "x" * 70_000)], [(f"X-{n}", "x") for n in range(120)], [("X" * 70_000, "x")]):
        with Wire(daemon) as wire:
            assert wire.send(request_bytes(daemon, unsigned=unsigned)).reply().status == 431
            assert wire.ended()
    with Wire(daemon) as wire:
        assert wire.send(b"POST /" + b"x" * 70_000).reply().status == 431
    # What is large and allowed:
    assert ask(daemon, request_bytes(daemon, unsigned=[("X-Large", "x" * 40_000)])).status == 200


def test_bodies_that_are_too_large(daemon):
    with Wire(daemon) as wire:  # refused by what the head says, before a byte of it comes
        wire.send(request_bytes(daemon, unsigned=[("Content-Length", str(1 << 30))], body=b""))
        assert wire.reply().status == 413 and wire.ended()
    with Wire(daemon) as wire:
        wire.send(request_bytes(daemon, unsigned=[("Transfer-Encoding", "chunked")], body=b""))
        chunk = b"100000\r\n" + b" " * (1 << 20) + b"\r\n"
        wire.socket.settimeout(PATIENCE)
        for _ in range(40):
            wire.send(chunk)
        reply = wire.reply()
        assert reply is None or reply.status == 413


def test_a_body_of_a_mebibyte(daemon):
    body = b"{" + b" " * ((1 << 20) - 2) + b"}"
    assert ask(daemon, request_bytes(daemon, body=body)).status == 200
    data = request_bytes(daemon, body=body)

    def work(_):
        with Wire(daemon) as wire:
            for _ in range(3):
                assert wire.send(data).reply().status == 200
    in_threads(6, work)


# ---- JSON ----

@pytest.mark.parametrize("body", [
    b"\xff\xfe", b'{"Limit": "\xc3\x28"}', b'{"\xff": 1}', b"[" * 100_000, b"[" * 50_000 + b"]" * 50_000, b'{"a":' * 100_000,
    b'{"Limit": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", b'{"a":1' + b"}" * 1000, b"{} {}", b"{}x", b"nul", b'{"a" 1}',
    b'{"Limit": 1e999}', b'{"Limit": ' + b"9" * 100_000 + b"}", b'{"Limit": "\\ud800"}', b'{"a": "\x00"}', b"\xef\xbb\xbf{}"],
    ids=lambda body: repr(body[:20])[2:-1] + f"-{len(body)}")
def test_bodies_that_are_no_json(daemon, body):
    reply = ask(daemon, request_bytes(daemon, body=body))
    assert reply.status == 400 and reply.type in ("SerializationException", "ValidationException")


def test_ten_thousand_members(daemon):
    body = json.dumps({f"member{n}": n for n in range(10_000)}).encode()
    assert ask(daemon, request_bytes(daemon, body=body)).status == 200
    body = b"{" + b",".join(b'"Limit": 5' for _ in range(10_000)) + b"}"
    assert ask(daemon, request_bytes(daemon, body=body)).status in (200, 400)


# ---- unusual but right ----

def test_pipelining(daemon):
    good = request_bytes(daemon)
    bad = request_bytes(daemon, operation="Nonsense")
    with Wire(daemon) as wire:
        wire.send(b"".join([good, bad] * 50))
        replies = [wire.reply() for _ in range(100)]
        assert [r.status for r in replies] == [200, 400] * 50
        assert len({r.headers["x-amzn-requestid"] for r in replies}) == 100
    with Wire(daemon) as wire:  # nothing is answered behind the last one
        wire.send(good + request_bytes(daemon, unsigned=[("Connection", "close")]) + good)
        assert [wire.reply().status for _ in range(2)] == [200, 200] and wire.ended()
    with Wire(daemon) as wire:  # nor behind one that cannot be understood
        wire.send(good + b"nonsense\r\n\r\n" + good)
        assert [wire.reply().status for _ in range(2)] == [200, 400] and wire.ended()


def test_expect(daemon):
    data = request_bytes(daemon, unsigned=[("Expect", "100-continue")])
    head, body = data[:-2], data[-2:]
    with Wire(daemon) as wire:
        assert wire.send(head).reply().status == 100
        assert wire.send(body).reply().status == 200
        assert wire.send(data).reply().status == 200  # who does not wait is not told to go on
    with Wire(daemon) as wire:
        reply = wire.send(request_bytes(daemon, unsigned=[("Expect", "miracles")])).reply()
        assert reply.status in (200, 417)
    with Wire(daemon) as wire:  # told before anything is sent
        wire.send(request_bytes(daemon, unsigned=[("Expect", "100-continue"), ("Content-Length", str(1 << 30))], body=b""))
        assert wire.reply().status == 413


@pytest.mark.parametrize("sizes", [[2], [1, 1], [0], [1] * 2000, [16, 4000, 1]], ids=str)
def test_chunked(daemon, sizes):
    body = (b"{" + b" " * (sum(sizes) - 2) + b"}") if sum(sizes) >= 2 else b""
    data = request_bytes(daemon, body=body, unsigned=[("Transfer-Encoding", "chunked")])
    head = data[:len(data) - len(body)]
    chunks, at = [], 0
    for size in [s for s in sizes if s]:
        chunks.append(b"%x;extension=1\r\n" % size + body[at:at + size] + b"\r\n")
        at += size
    chunks.append(b"0\r\nTrailer: ignored\r\n\r\n")
    with Wire(daemon) as wire:
        assert wire.send(head + b"".join(chunks)).reply().status == 200
        wire.send(head)
        for chunk in chunks:
            wire.send(chunk)
        assert wire.reply().status == 200
        assert wire.send(request_bytes(daemon)).reply().status == 200


@pytest.mark.parametrize("chunk", [b"x\r\n", b"-1\r\n", b"ffffffffffffffffff\r\n", b"2\r\n{}x\r\n0\r\n\r\n", b"2 \r\n{}\r\n0\r\n\r\n",
                                   b"\r\n", b"0x2\r\n{}\r\n0\r\n\r\n", b"2;" + b"x" * 100_000])
def test_chunks_that_are_none(daemon, chunk):
    data = request_bytes(daemon, body=b"{}", unsigned=[("Transfer-Encoding", "chunked")])[:-2]
    with Wire(daemon) as wire:
        reply = wire.send(data + chunk).reply()
        assert reply is None or reply.status in (400, 413)
        assert wire.ended()


def test_http_1_0(daemon):
    with Wire(daemon) as wire:
        assert wire.send(request_bytes(daemon, version="1.0")).reply().status == 200
        assert wire.ended()
    with Wire(daemon) as wire:
        data = request_bytes(daemon, version="1.0", unsigned=[("Connection", "keep-alive")])
        for _ in range(2):
            reply = wire.send(data).reply()
            assert (reply.status, reply.headers["connection"]) == (200, "keep-alive")


def test_no_host(daemon):
    with Wire(daemon) as wire:
        data = re.sub(rb"\r\nHost: [^\r]*", b"", request_bytes(daemon))
        assert b"Host" not in data and wire.send(data).reply().status == 400
    with Wire(daemon) as wire:
        assert wire.send(request_bytes(daemon, unsigned=[("Host", "second.example")])).reply().status == 400


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS", "PATCH", "BREW"])
def test_other_methods(daemon, method):
    reply = ask(daemon, request_bytes(daemon, method=method))
    assert 400 <= reply.status < 500 and reply.status != 403


def test_head(daemon):
    """An answer without content, after which the connection goes on."""
    path = f"/_{daemon.name}/health".encode()
    with Wire(daemon) as wire:
        reply = wire.send(b"HEAD " + path + b" HTTP/1.1\r\nHost: x\r\n\r\n").reply(head_only=True)
        assert int(reply.headers["content-length"]) >= 0
        assert wire.send(request_bytes(daemon)).reply().status == 200


def test_which_operation(daemon):
    service, target, _, harmless = SERVICES[daemon.name]
    data = request_bytes(daemon)
    for changed in (re.sub(rb"\r\nX-Amz-Target: [^\r]*", b"", data), request_bytes(daemon, operation="Nonsense"),
                    request_bytes(daemon, operation=""), request_bytes(daemon, operation=harmless + "\xe9"),
                    request_bytes(daemon, headers=[("X-Amz-Target", harmless)]),
                    request_bytes(daemon, headers=[("X-Amz-Target", "x" * 30_000)])):
        reply = ask(daemon, changed)
        assert (reply.status, reply.type) == (400, "UnknownOperationException")
        assert reply.headers["x-amzn-requestid"]


def test_paths_that_are_none(daemon):
    for target in (b"/x", b"//", b"/_kmsd", b"/_kmsd/", b"/_ddbd/nonsense", b"*", b"http://localhost:1/", b"/%2e%2e/etc/passwd",
                   b"/_kmsd/changes", b"/_kmsd/trail/events"):
        reply = ask(daemon, b"GET " + target + b" HTTP/1.1\r\nHost: x\r\n\r\n")
        assert 400 <= reply.status < 500, target


# ---- many ----

def test_many_connections(daemon):
    """Hundreds that idle, and as many that come and go."""
    idle = [Wire(daemon) for _ in range(400)]
    data = request_bytes(daemon)

    def work(_):
        for _ in range(40):
            assert ask(daemon, data).status == 200
    in_threads(8, work)
    for wire in idle:
        wire.send(data)
    assert all(wire.reply().status == 200 for wire in idle)
    for wire in idle:
        wire.close()


def open_files(daemon):
    return len(os.listdir(f"/proc/{daemon.process.pid}/fd"))


def test_nothing_stays_open(daemon):
    assert ask(daemon, request_bytes(daemon)).status == 200
    until(lambda: open_files(daemon) < 60, "connections to be closed")


@pytest.mark.measured
def test_small_afterwards(house):
    """After all of the above, and as much again, memory is given back."""
    for daemon in (house.kmsd, house.ddbd):
        body = b"{" + b" " * ((1 << 20) - 2) + b"}"
        data = request_bytes(daemon, body=body)
        wires = [Wire(daemon).send(data[:-1]) for _ in range(60)]  # 60 MiB of what has no end
        for wire in wires:
            wire.send(data[-1:])
        assert all(wire.reply().status == 200 for wire in wires)
        for wire in wires:
            wire.close()
        until(lambda: daemon.memory_kib() < 24 * 1024, f"{daemon.name} to be small again, not {daemon.memory_kib()} KiB")
