"""The child's end of a worker: one runtime in this process, told what to do line by line."""

from __future__ import annotations

import json
import os
import queue
import shutil
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.artifact import Artifact
from pipeline.errors import RuntimeUnavailable, RuntimeUnsupported
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


def _listen(scratch: Path) -> Iterator[dict[str, Any]]:
    """What the parent asks for, until it says exit.

    Read in a thread of its own, so that the end of the parent is noticed in the midst of a long import or run:
    whoever kills it leaves neither this process, nor one that it started, nor the scratch directory behind.
    """
    lines: queue.Queue[bytes] = queue.Queue()

    def read() -> None:
        pending = b""
        # Not sys.stdin: a thread that waits inside its lock would keep the interpreter from ending.
        while chunk := os.read(0, 65536):
            *whole, pending = (pending + chunk).split(b"\n")
            for line in whole:
                lines.put(line)
        shutil.rmtree(scratch, ignore_errors=True)
        if os.getpgid(0) == os.getpid():
            os.killpg(0, signal.SIGKILL)
        os._exit(1)

    threading.Thread(target=read, daemon=True).start()
    return iter(lambda: json.loads(lines.get()), {"do": "exit"})


def serve(module: str, device: str, replies: int, scratch: Path) -> None:
    """The child's loop: answer requests until told to exit; ends at once if the parent does."""
    requests = _listen(scratch)
    runtime: Any = None
    absent: RuntimeUnavailable | None = None
    try:
        # At once, not at the first request: a slow import overlaps with whatever the parent does.
        runtime = create(module, device)
    except RuntimeUnavailable as error:
        absent = error
    with os.fdopen(replies, "w") as out:
        for count, request in enumerate(requests):
            try:
                if absent is not None:
                    raise absent
                reply = _handle(runtime, request, scratch, count)
            except RuntimeUnavailable as error:
                reply = {"unavailable": True, "error": error.what, "fix": error.fix}
            except RuntimeUnsupported as error:
                reply = {"unsupported": True, "error": error.what}
            except Exception as error:  # whatever a runtime raises is its cell's verdict, not the end of the worker
                traceback.print_exc()
                reply = {"error": f"{type(error).__name__}: {str(error)[:_LAST_WORDS]}"}
            out.write(json.dumps(reply) + "\n")
            out.flush()
    try:
        if runtime is not None:
            runtime.deactivate()
    finally:
        # Here, not in the parent alone: it may be killed while it waits for us. Nothing of ours needs the
        # interpreter's own end, which takes TensorFlow a second.
        shutil.rmtree(scratch, ignore_errors=True)
        os._exit(0)


if __name__ == "__main__":
    serve(sys.argv[1], sys.argv[2], int(sys.argv[3]), Path(sys.argv[4]))
