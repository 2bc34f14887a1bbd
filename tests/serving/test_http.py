"""HTTP itself: limits, slow and broken clients, pipelining. A server that outlives everything here is right."""

from __future__ import annotations

import gzip
import json
import random
import socket
from collections.abc import Iterator
from pathlib import Path

import foreign
import pytest
from live import Live, serving
from soak import soak

PREDICT = b"/v1/models/half_plus_two:predict"


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A server with small limits."""
    root = tmp_path_factory.mktemp("narrow")
    foreign.write(root)
    limits = {"body": 10000, "head": 4000, "rows": 100, "read-seconds": 1, "idle-seconds": 2, "connections": 40}
    with serving(root, "--no-gate", *(w for k, v in limits.items() for w in (f"--max-{k}", str(v)))) as live:
        yield live


def talk(live: Live, *parts: bytes, half_close: bool = False) -> bytes:
    """Send bytes, and read until the server closes."""
    with socket.create_connection((live.host, live.port), timeout=30) as client:
        for part in parts:
            client.sendall(part)
        if half_close:
            client.shutdown(socket.SHUT_WR)
        answer = b""
        try:
            while chunk := client.recv(65536):
                answer += chunk
        except ConnectionResetError:
            pass
        return answer


def post(body: bytes, *headers: bytes, close: bool = True) -> bytes:
    lines = [b"POST " + PREDICT + b" HTTP/1.1", b"Host: x", b"Content-Length: %d" % len(body), *headers]
    if close:
        lines.append(b"Connection: close")
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def test_a_body_beyond_the_limit(narrow: Live) -> None:
    answer = talk(narrow, post(b'{"instances": [' + b" " * 20000 + b"1]}"))
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"larger than 10000 bytes" in answer


def test_a_chunked_body_beyond_the_limit(narrow: Live) -> None:
    head = b"POST " + PREDICT + b" HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert talk(narrow, head, *[b"3e8\r\n" + b" " * 1000 + b"\r\n"] * 20).startswith(b"HTTP/1.1 413 ")


def test_a_body_that_unpacks_beyond_the_limit(narrow: Live) -> None:
    bomb = gzip.compress(b" " * 9_000_000)
    assert len(bomb) < 10000
    assert talk(narrow, post(bomb, b"Content-Encoding: gzip")).startswith(b"HTTP/1.1 413 ")


def test_rows_beyond_the_limit(narrow: Live) -> None:
    answer = narrow.predict("half_plus_two", {"instances": [1] * 101})
    assert (answer.status, answer.error) == (400, "The request has 101 rows, this server takes at most 100")


@pytest.mark.parametrize(
    "head",
    [
        b"GET /v1/models/x HTTP/1.1\r\n" + b"".join(b"a%d: %s\r\n" % (i, b"x" * 90) for i in range(60)),
        b"GET /v1/models/x HTTP/1.1\r\na: " + b"x" * 9000,
        b"GET /" + b"x" * 9000,
    ],
    ids=["many", "long", "path"],
)
def test_headers_beyond_the_limit(narrow: Live, head: bytes) -> None:
    half = len(head) // 2
    assert talk(narrow, head[:half], head[half:]).startswith(b"HTTP/1.1 431 ")


@pytest.mark.parametrize("start", [b"POST ", post(b"x" * 100)[:-50]], ids=["head", "body"])
def test_a_request_that_does_not_arrive(narrow: Live, start: bytes) -> None:
    assert talk(narrow, start).startswith(b"HTTP/1.1 408 ")


def test_an_idle_connection_is_closed(narrow: Live) -> None:
    assert talk(narrow) == b""
    assert talk(narrow, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").count(b"HTTP/1.1 200") == 1


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
    ],
)
def test_what_is_not_http(narrow: Live, garbage: bytes) -> None:
    assert talk(narrow, garbage).startswith(b"HTTP/1.1 400 ")


def test_pipelined_requests_are_answered_in_order(narrow: Live) -> None:
    requests = [post(json.dumps({"instances": [i]}).encode(), close=i == 29) for i in range(30)]
    answers = talk(narrow, b"".join(requests))
    results = [json.loads(part.partition(b"\r\n\r\n")[2]) for part in answers.split(b"HTTP/1.1 200 OK")[1:]]
    assert [r["predictions"][0] for r in results] == [i / 2 + 2 for i in range(30)]


def test_a_request_in_single_bytes(narrow: Live) -> None:
    whole = post(b'{"instances": [2]}')
    assert b"3.0" in talk(narrow, *(whole[i : i + 1] for i in range(len(whole))))


def test_expect_continue(narrow: Live) -> None:
    body = b'{"instances": [2]}'
    answer = talk(narrow, post(body, b"Expect: 100-continue"))
    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK")


def test_an_offer_of_http2_is_not_taken(narrow: Live) -> None:
    headers = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n"
    answer = talk(narrow, b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + headers + b"\r\n")
    assert answer.startswith(b"HTTP/1.1 200 OK")


def test_http_1_0_closes(narrow: Live) -> None:
    assert talk(narrow, b"GET /healthz HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 200 OK")


def test_too_many_connections(narrow: Live) -> None:
    held = [socket.create_connection((narrow.host, narrow.port)) for _ in range(45)]
    try:
        assert b"503" in held[-1].recv(65536).partition(b"\r\n")[0]
    finally:
        for client in held:
            client.close()


def test_bad_requests_never_crash_it(contract: Live) -> None:
    """Bodies that are almost right, requests cut anywhere, random bytes; `make soak` does this for longer."""
    assert soak(contract, random.Random(1), 5000)


def test_the_documented_command_starts_it(exports: Path) -> None:
    with serving(exports, command=("-m", "pipeline", "serve")) as live:
        assert live.get("/v1/models/tiny").status == 200
        assert live.stop() == 0
