"""Take models through both sides in child processes: what kills or hangs one is that model's row, nobody else's."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import ROOT
from benchmarks.coverage.results import ISOMER, Row, Square

STARTUP = 180.0
LIMIT = 600.0
_PATHS = ("savedmodel", "tflite", "tflite batch1", "onnx", "tfjs")
_STOCK = (
    "savedmodel: model.export",
    "tflite: TFLiteConverter.from_keras_model",
    "tflite: model.export litert",
    "onnx: model.export onnx",
    "onnx: tf2onnx.convert.from_keras",
    "tfjs: tensorflowjs on model.export",
)


class Gone(Exception):
    """The child died or said nothing for too long."""


class Child:
    """The parent's end of one child process."""

    def __init__(self, log: Path) -> None:
        read, write = os.pipe()
        self._replies = os.fdopen(read, "rb", buffering=0)
        self._pending = b""
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2", "PYTHONHASHSEED": "0"}
        with log.open("ab") as words:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.coverage.child", str(write)],
                stdin=subprocess.PIPE,
                stdout=words,
                stderr=words,
                pass_fds=(write,),
                start_new_session=True,
                cwd=ROOT,
                env=environment,
            )
        os.close(write)
        self.models: dict[str, bool] = self._reply(STARTUP)["models"]

    def ask(self, model: str, sides: Sequence[str], isolated: bool) -> dict[str, Any]:
        """The reply on one model; raises `Gone`."""
        assert self._process.stdin is not None
        request = {"model": model, "sides": list(sides), "isolated": isolated}
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
        except OSError as error:
            raise Gone("the process had died") from error
        return self._reply(LIMIT)

    def close(self) -> None:
        """End the child and whatever it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._replies.close()

    def _reply(self, limit: float) -> dict[str, Any]:
        end = time.monotonic() + limit
        with selectors.DefaultSelector() as selector:
            selector.register(self._replies, selectors.EVENT_READ)
            while b"\n" not in self._pending:
                if not selector.select(max(0.0, end - time.monotonic())):
                    raise Gone(f"no answer within {limit:.0f} s")
                if not (chunk := self._replies.read(1 << 16)):
                    raise Gone(f"the process died with status {self._process.wait()}")
                self._pending += chunk
        line, _, self._pending = self._pending.partition(b"\n")
        reply: dict[str, Any] = json.loads(line)
        return reply


class Sweep:
    """A run over models, with one child at a time."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._child: Child | None = None

    def __enter__(self) -> Sweep:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def models(self) -> dict[str, bool]:
        """Names in the corpus' order, and whether each belongs to the fast part."""
        return self._ready().models

    def run(self, model: str, sides: Sequence[str], done: Callable[[Row], None]) -> None:
        """The rows of one model. One that takes the child along is asked again alone, with runtimes of their own."""
        try:
            rows = self._ask(model, sides, isolated=False)
        except Gone:
            rows = []
            for side in sides:
                try:
                    rows += self._ask(model, [side], isolated=True)
                except Gone as error:
                    paths = _PATHS if side == ISOMER else _STOCK
                    rows.append(
                        Row(model, side, tuple(Square(p, "FAIL", f"converting or running: {error}") for p in paths))
                    )
        for row in rows:
            done(Row(**{**vars(row), "when": datetime.now(UTC).isoformat(timespec="seconds")}))

    def _ask(self, model: str, sides: Sequence[str], isolated: bool) -> list[Row]:
        try:
            reply = self._ready().ask(model, sides, isolated)
        except Gone:
            self._end()
            raise
        if reply["full"]:
            self._end()
        return [Row.from_json(row) for row in reply["rows"]]

    def _ready(self) -> Child:
        if self._child is None:
            self._child = Child(self._log)
        return self._child

    def _end(self) -> None:
        if self._child is not None:
            self._child.close()
            self._child = None
