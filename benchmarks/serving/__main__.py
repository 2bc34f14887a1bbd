"""`python -m benchmarks.serving exports/cnn`: our server beside what people use in its place, on one ONNX file.

One worker and one engine thread each, one image a request, keep-alive, client and server on this machine. The servers
take turns, several rounds, so that a busy moment of the machine falls on all of them; figures are medians of rounds,
and ratios are of the same round. Writes runs/benchmarks/serving.json.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from benchmarks.serving import load, servers
from benchmarks.serving.servers import OURS, PEERS, Server

_CLIENTS = (1, 16, 64)
_RESULTS = Path("runs/benchmarks/serving.json")


@dataclass(frozen=True)
class Window:
    """One server under one load in one round; times in microseconds."""

    server: str
    clients: int
    round: int
    rate: float
    p50: float
    p99: float
    cpu: float
    megabytes: float
    failed: int


def main() -> int:
    """Measure, print a table, keep the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("model", type=Path, help="a base path with a bundle, such as exports/cnn")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3.0, help="of one window")
    parser.add_argument("--only", default="", help="peers by the start of their names, with commas")
    parser.add_argument("--place", type=Path, default=Path("runs/peers"), help="where the peers are installed")
    given = parser.parse_args()
    version = max((p for p in given.model.resolve().iterdir() if p.name.isdigit()), key=lambda p: int(p.name))
    names = [n.strip().lower() for n in given.only.split(",") if n.strip()]
    peers = [p for p in PEERS if not names or p.name.lower().startswith(tuple(names))]
    contestants = [replace(OURS, path=OURS.path.format(name=given.model.resolve().name)), *peers]
    homes = {s.name: servers.install(s, given.place.resolve()) for s in contestants}
    image, input_name, bare = _bare(version)
    windows: list[Window] = []
    for round_ in range(given.rounds):
        for server in contestants:
            message = server.message(image, input_name)
            work = given.place.resolve() / "work" / server.name.split()[0].lower()
            try:
                windows += _measure(server, homes[server.name], version, work, message, round_, given.seconds)
            except (RuntimeError, OSError) as error:
                print(f"{server.name}, round {round_}: {error}", file=sys.stderr)
    table = _table(windows, bare)
    print(table)
    _RESULTS.parent.mkdir(parents=True, exist_ok=True)
    about = {
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}",
        "model": given.model.name,
        "bare_call_us": round(bare, 1),
        "load_average": os.getloadavg(),
    }
    document = {"about": about, "windows": [asdict(w) for w in windows]}
    _RESULTS.write_text(json.dumps(document, indent=1) + "\n")
    return 0


def _bare(version: Path) -> tuple[Any, str, float]:
    """An image as nested lists, the input's name, and the median microseconds of the engine's bare call."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        str(version / "onnx/float32.onnx"), options, providers=["CPUExecutionProvider"]
    )
    given = session.get_inputs()[0]
    shape = [1, *(s if isinstance(s, int) else 1 for s in given.shape[1:])]
    values = np.random.default_rng(0).random(shape).astype(np.float32)
    times = []
    for _ in range(2000):
        began = time.perf_counter()
        session.run(None, {given.name: values})
        times.append(time.perf_counter() - began)
    rows = np.vectorize(lambda v: round(float(v), 8))(values).tolist()
    return rows, given.name, statistics.median(times) * 1e6


def _measure(
    server: Server, home: Path, version: Path, work: Path, message: bytes, round_: int, seconds: float
) -> list[Window]:
    windows = []
    with servers.running(server, home, version, work, message) as (port, group):
        for clients in _CLIENTS:
            before = servers.cpu_seconds(group)
            found = load.run(port, message, clients, seconds)
            spent = servers.cpu_seconds(group) - before
            cpu = spent / (found.rate * seconds) * 1e6
            memory = servers.resident_bytes(group) / 1e6
            windows.append(
                Window(server.name, clients, round_, found.rate, found.p50, found.p99, cpu, memory, found.failed)
            )
    return windows


def _table(windows: list[Window], bare: float) -> str:
    """Medians by server and load, with the ratio of our rate to each one's."""
    ours = {(w.clients, w.round): w.rate for w in windows if w.server == OURS.name}
    lines = [f"bare ONNX Runtime call: {bare:.0f} us", ""]
    lines.append("| server | clients | requests/s | p50 us | p99 us | CPU us/request | MB | ours / theirs |")
    lines.append("|---|---|---|---|---|---|---|---|")
    for name in dict.fromkeys(w.server for w in windows):
        for clients in _CLIENTS:
            own = [w for w in windows if (w.server, w.clients) == (name, clients)]
            if not own:
                continue
            middle = {
                k: statistics.median(getattr(w, k) for w in own) for k in ("rate", "p50", "p99", "cpu", "megabytes")
            }
            ratios = [ours[w.clients, w.round] / w.rate for w in own if (w.clients, w.round) in ours]
            failed = sum(w.failed for w in own)
            lines.append(
                f"| {name} | {clients} | {middle['rate']:,.0f} | {middle['p50']:,.0f} | {middle['p99']:,.0f} | "
                f"{middle['cpu']:,.0f} | {middle['megabytes']:,.0f} | {statistics.median(ratios):.1f} |"
                + (f" {failed} failed" if failed else "")
            )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
