"""`make soak`: at least 100,000 bad requests to a live server. None may crash it, hang it, or make it grow. After them
come those that schemathesis makes of its OpenAPI description, a hundred for each path.

python tests/serving/soak.py --requests 100000 --seed 0
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import gzip
import json
import random
import socket
import sys
import tempfile
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[2]), str(Path(__file__).resolve().parent)]

import foreign  # noqa: E402
from described import described, hold  # noqa: E402
from live import Live, serving  # noqa: E402

_MODELS = ("half_plus_two", "echo_float", "echo_string", "echo_int64", "echo_bool", "pair", "matrix", "total", "none")
_BODIES = (
    b'{"instances": [1.0, 2.5e3]}',
    b'{"inputs": {"x": [1, 2]}, "signature_name": "serving_default"}',
    b'{"instances": [{"x": 1}, {"x": 2}]}',
    b'{"instances": [{"b64": "AAAA"}, "\\u00e9"]}',
    b'{"instances": [[[1,2,3],[4,5,6]]]}',
    b'{"examples": [{"x": 2.0, "y": ["a", {"b64": "AA=="}]}], "context": {"z": [1, true]}}',
    b'{"id": "1", "inputs": [{"name": "x", "shape": [2], "datatype": "FP32", "data": [1, 2]}], "outputs": []}',
)
_TOKENS = (b"[", b"]", b"{", b"}", b",", b":", b'"', b"null", b"true", b"NaN", b"-Infinity", b"1e999", b"9" * 400)
_TOKENS += (b"\\u0000", b"\\ud800", b"\xff\xfe", b"\x00", b"-0", b".5", b"1e-400", b'"b64"', b"[" * 300, b" " * 5000)
# What may be answered: everything else is a fault of the server.
_RIGHT = {200, 400, 404, 408, 413, 431, 501}
_PATIENCE = 30.0
_MOST_GROWTH = 30e6


def main() -> int:
    """Exit code 0 if the server is as it was."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    chance = random.Random(given.seed)
    with tempfile.TemporaryDirectory() as place:
        foreign.write(Path(place))
        with serving(Path(place), "--no-gate", "--max-body", "100000", "--max-rows", "1000") as live:
            if not (soak(live, chance, given.requests) and live.stop() == 0):
                return 1
    with described() as live:
        done = hold(live, given.seed, max(given.requests // 1000, 1), "coverage,fuzzing,stateful")
        print(done.stdout if done.returncode else done.stdout[done.stdout.rfind("Test cases:") :])
        return done.returncode or live.stop()


def soak(live: Live, chance: random.Random, requests: int) -> bool:
    """Send them, most on connections kept alive; every tenth connection is treated badly."""
    statuses: collections.Counter[int] = collections.Counter()
    began, settled, sent = time.monotonic(), 0.0, 0
    while sent < requests:
        if chance.randrange(10) == 0:
            abuse(live, chance)
            sent += 1
            continue
        with socket.create_connection((live.host, live.port), timeout=_PATIENCE) as client:
            reader = client.makefile("rb")
            for _ in range(chance.randrange(1, 200)):
                client.sendall(request(chance))
                status, closed = answer(reader)
                statuses[status] += 1
                sent += 1
                if closed:
                    break
        if not settled and sent >= requests // 5:
            settled = resident(live)
    grown = resident(live) - settled
    faults = live.events("fault")
    wrong = {s: n for s, n in statuses.items() if s not in _RIGHT}
    alive = live.get("/healthz").status == 200 and live.predict("half_plus_two", {"instances": [2]}).status == 200
    fine = alive and not faults and not wrong and grown < _MOST_GROWTH
    print(
        json.dumps(
            {
                "requests": sent,
                "seconds": round(time.monotonic() - began, 1),
                "statuses": dict(sorted(statuses.items())),
                "faults": faults[:3],
                "grown_bytes": grown,
                "fine": fine,
            }
        )
    )
    return fine


def request(chance: random.Random) -> bytes:
    """A request that is almost right."""
    body = bytearray(chance.choice(_BODIES))
    for _ in range(chance.randrange(5)):
        at = chance.randrange(len(body) + 1)
        kind = chance.randrange(4)
        if kind == 0:
            body[at : at + 1] = bytes([chance.randrange(256)])
        elif kind == 1:
            body[at:at] = chance.choice(_TOKENS)
        elif kind == 2:
            del body[at : at + chance.randrange(1, 9)]
        else:
            other = chance.choice(_BODIES)
            body[at:] = other[chance.randrange(len(other)) :]
    headers = ""
    if chance.randrange(8) == 0:
        body = bytearray(gzip.compress(bytes(body)))
        headers = "Content-Encoding: gzip\r\n"
        if chance.randrange(2):
            body[chance.randrange(len(body))] ^= 1 << chance.randrange(8)
    model, verb = chance.choice(_MODELS), chance.choice(("predict", "predict", "predict", "classify", "regress"))
    path = f"/v2/models/{model}/infer" if chance.randrange(4) == 0 else f"/v1/models/{model}:{verb}"
    method = chance.choice(("POST",) * 12 + ("GET", "PUT", "DELETE"))
    head = f"{method} {path} HTTP/1.1\r\nHost: x\r\n{headers}Content-Length: {len(body)}\r\n\r\n"
    return head.encode() + bytes(body)


def answer(reader: object) -> tuple[int, bool]:
    """Status of the next answer, and whether the connection ends with it."""
    line = reader.readline()  # type: ignore[attr-defined]
    status, length, closed = int(line.split()[1]), 0, False
    while header := reader.readline().strip().lower():  # type: ignore[attr-defined]
        if header.startswith(b"content-length:"):
            length = int(header.split(b":")[1])
        closed = closed or header == b"connection: close"
    reader.read(length)  # type: ignore[attr-defined]
    return status, closed


def abuse(live: Live, chance: random.Random) -> None:
    """Random bytes, or a request cut anywhere, and then gone."""
    whole = request(chance) if chance.randrange(2) else chance.randbytes(chance.randrange(1, 3000))
    with socket.create_connection((live.host, live.port), timeout=_PATIENCE) as client:
        client.sendall(whole[: chance.randrange(1, len(whole) + 1)])
        if chance.randrange(2):
            client.shutdown(socket.SHUT_WR)
            with contextlib.suppress(OSError):
                client.recv(65536)


def resident(live: Live) -> float:
    """Bytes of the server's process."""
    assert live.process is not None
    return int(Path(f"/proc/{live.process.pid}/statm").read_text().split()[1]) * 4096.0


if __name__ == "__main__":
    sys.exit(main())
