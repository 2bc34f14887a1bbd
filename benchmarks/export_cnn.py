"""`isomer export cnn`, verdicts of the native cells on the whole test set included, beside the stock converters.

Both start from the same trained `.keras` file and end with the four files on disk; isomer has also judged them.
Rounds alternate, so that a busy machine slows both alike.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import stock

NAME = "export: isomer (with verdicts) / stock converters (without)"
AIM = 0.4


def run(rounds: int, runs: Path) -> dict[str, Any]:
    """Seconds of each, and their ratio.

    Args:
        rounds: how often both are run, in turn.
        runs: where the trained cnn is kept.
    """
    model = runs / "cnn" / "model.keras"
    if not model.is_file():
        subprocess.run([*_isomer("train"), "cnn", "--runs", str(runs)], check=True)
    times: dict[str, list[float]] = {"isomer": [], "stock": []}
    cells: list[dict[str, Any]] = []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory(prefix="isomer-bench-") as scratch:
            out = Path(scratch)
            began = time.perf_counter()
            stock.run(model, out)
            times["stock"].append(time.perf_counter() - began)
            began = time.perf_counter()
            command = [*_isomer("export"), "cnn", "--runs", str(runs), "--output", str(out / "exports")]
            native = "tensorflow,litert,onnxruntime"
            done = subprocess.run(
                [*command, "--runtime", native, "--device", "cpu", "--json"], check=True, capture_output=True
            )
            times["isomer"].append(time.perf_counter() - began)
            cells = json.loads(done.stdout)["cells"]
            shutil.rmtree(out, ignore_errors=True)
    ours, theirs = median(times["isomer"]), median(times["stock"])
    return {
        "seconds": times,
        "ratio": ours / theirs,
        "aim": AIM,
        "cells": [f"{c['format']} on {c['runtime']}/{c['device']}: {c['verdict']}" for c in cells],
    }


def _isomer(verb: str) -> list[str]:
    return [sys.executable, "-m", "pipeline", verb]
