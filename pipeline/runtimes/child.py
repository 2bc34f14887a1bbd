"""The child's end of a worker: one runtime in this process, told what to do line by line."""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from pipeline.artifact import Artifact
from pipeline.errors import RuntimeUnavailable
from pipeline.runtimes import create
from pipeline.runtimes.base import Tensors, load, save

_LAST_WORDS = 1500


def _handle(runtime: Any, request: dict[str, Any], scratch: Path, count: int) -> dict[str, Any]:
    if request["do"] == "activate":
        artifact = Artifact.from_json(request["artifact"])
        return {"environment": runtime.activate(artifact, Path(request["path"]))}
    inputs = load(scratch, request["inputs"])
    if request["do"] == "time":
        return {"seconds": _time(runtime, inputs, request["calls"], request["warmup"])}
    started = time.perf_counter()
    outputs = runtime.infer(inputs, request["batch"])
    seconds = time.perf_counter() - started
    return {"outputs": save(scratch, f"out{count}-", outputs), "seconds": seconds}


def _time(runtime: Any, inputs: Tensors, calls: int, warmup: int) -> list[float]:
    if hasattr(runtime, "time"):
        measured: list[float] = runtime.time(inputs, calls, warmup)
        return measured
    rows = len(next(iter(inputs.values())))
    seconds = []
    for call in range(warmup + calls):
        started = time.perf_counter()
        runtime.infer(inputs, rows)
        if call >= warmup:
            seconds.append(time.perf_counter() - started)
    return seconds


def serve(module: str, device: str, replies: int, scratch: Path) -> None:
    """The child's loop: answer requests until told to exit or until the parent is gone."""
    runtime: Any = None
    absent: RuntimeUnavailable | None = None
    try:
        # At once, not at the first request: a slow import overlaps with whatever the parent does.
        runtime = create(module, device)
    except RuntimeUnavailable as error:
        absent = error
    with os.fdopen(replies, "w") as out:
        for count, line in enumerate(sys.stdin):
            request = json.loads(line)
            if request["do"] == "exit":
                break
            try:
                if absent is not None:
                    raise absent
                reply = _handle(runtime, request, scratch, count)
            except RuntimeUnavailable as error:
                reply = {"unavailable": True, "error": error.what, "fix": error.fix}
            except Exception as error:  # whatever a runtime raises is its cell's verdict, not the end of the worker
                traceback.print_exc()
                reply = {"error": f"{type(error).__name__}: {str(error)[:_LAST_WORDS]}"}
            out.write(json.dumps(reply) + "\n")
            out.flush()
    if runtime is not None:
        runtime.deactivate()


if __name__ == "__main__":
    serve(sys.argv[1], sys.argv[2], int(sys.argv[3]), Path(sys.argv[4]))
