"""Node.js' end of the harness in Python: one process, frames through its standard input and output."""

from __future__ import annotations

import contextlib
import json
import signal
import struct
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.runtimes.base import Tensors
from pipeline.runtimes.programs import Program
from pipeline.runtimes.web.reply import raise_reply
from pipeline.runtimes.web.wire import pack, unpack_body

_SCRIPT = Path(__file__).with_name("node_runner.mjs")
_LAST_WORDS = 1000
_PATIENCE = 5.0


class NodeRunner:
    """A running `node_runner.mjs`. It ends with its standard input, so it never outlives this process."""

    def __init__(self, node: Program, modules: Path) -> None:
        # Without a name in the file system there is nothing to clean up after a kill.
        self._stderr = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            [node.path, _SCRIPT, modules], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._stderr
        )

    def call(self, meta: Mapping[str, Any], tensors: Mapping[str, np.ndarray] | None = None) -> tuple[Any, Tensors]:
        """Send one request and wait for its answer.

        Raises:
            RuntimeUnavailable: the runner says that the device is missing.
            RuntimeUnsupported: it says that the library does not do this.
            RuntimeError: the model failed, or Node.js ended; with the last words.
        """
        assert self._process.stdin is not None
        frame = pack(meta, tensors)
        try:
            for piece in frame:
                self._process.stdin.write(piece)
            self._process.stdin.flush()
        except OSError:
            raise RuntimeError(self._died()) from None
        (length,) = struct.unpack("<I", self._take(4))
        header = json.loads(self._take(length))
        outputs = unpack_body(header, self._take(header["bytes"]))
        reply = header["meta"]
        if "error" in reply:
            raise_reply(reply)
        return reply, outputs

    def close(self) -> None:
        """End Node.js: it goes when its input ends, and is killed if it does not."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(timeout=_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._stderr.close()

    def _take(self, length: int) -> bytes:
        assert self._process.stdout is not None
        data = self._process.stdout.read(length)
        if len(data) < length:
            raise RuntimeError(self._died())
        return data

    def _died(self) -> str:
        code = self._process.wait()
        how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"
        self._stderr.seek(0)
        words = self._stderr.read()[-_LAST_WORDS:].decode(errors="replace").strip()
        return f"Node.js ended ({how}). {words}".strip()
