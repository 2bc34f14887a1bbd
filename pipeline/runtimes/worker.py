"""A process of its own for each runtime, so that what crashes or hangs there is one cell's verdict.

The parent (`Worker`) writes one JSON request per line to the child's standard input and reads one JSON
reply per line from a pipe that nothing else writes to; arrays travel as `.npy` files in a scratch
directory. The child is `pipeline.runtimes.child`.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.artifact import Artifact
from pipeline.errors import RuntimeCrash, RuntimeTimeout, RuntimeUnavailable, RuntimeUnsupported
from pipeline.runtimes.base import Tensors, load, save

_LAST_WORDS = 1500
# In another interpreter its own packages come first: it shares this one's source, not its libraries.
_ELSEWHERE = (
    f"import runpy, sys; sys.path.append({str(Path(__file__).parents[2])!r}); "
    "runpy.run_module('pipeline.runtimes.child', run_name='__main__')"
)


class Worker:
    """The parent's end: one runtime on one device in a child process.

    Use as a context manager. Construction starts the child and returns at once, so that a slow import
    overlaps with whatever the parent does next.
    """

    def __init__(
        self,
        module: str,
        device: str,
        timeout: float = 300.0,
        seed: int = 0,
        python: Path | Sequence[str] | None = None,
    ) -> None:
        """Start the child.

        Args:
            module, device: of the runtime.
            timeout: seconds that one call may take before it counts as hung.
            seed: of Python's hashes.
            python: another interpreter, or the command that starts one, with packages of its own; this one by default.
        """
        self.timeout = timeout
        start = ["-m", "pipeline.runtimes.child"] if python is None else ["-c", _ELSEWHERE]
        interpreter = [str(python or sys.executable)] if python is None or isinstance(python, Path) else python
        self._command = [*interpreter, *start, module, device]
        self._environment = {**os.environ, "PYTHONHASHSEED": str(seed), "TF_CPP_MIN_LOG_LEVEL": "2"}
        self._scratch = Path(tempfile.mkdtemp(prefix="isomer-"))
        self._sent: dict[int, tuple[Mapping[str, np.ndarray], list[tuple[str, str]]]] = {}
        self._closed = False
        self._start()

    def _start(self) -> None:
        self._stderr = (self._scratch / "stderr").open("wb")
        read, write = os.pipe()
        self._replies = os.fdopen(read, "rb", buffering=0)
        self._pending = b""
        self._asked = self._idle = False
        self._process = subprocess.Popen(
            [*self._command, str(write), str(self._scratch)],
            stdin=subprocess.PIPE,
            stdout=self._stderr,
            stderr=self._stderr,
            pass_fds=(write,),
            start_new_session=True,
            env=self._environment,
        )
        os.close(write)

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def activate(self, artifact: Artifact, path: Path) -> dict[str, Any]:
        """Load an artifact in the child; returns its environment record.

        A child that an earlier artifact took down is started anew: a crash is the verdict of one cell only.

        Raises:
            RuntimeUnavailable, RuntimeUnsupported, RuntimeCrash (RuntimeTimeout, where no answer came).
        """
        if self._asked and self._process.poll() is not None:
            self._release()
            self._start()
        request = {"do": "activate", "artifact": artifact.to_json(), "path": str(path.resolve())}
        environment: dict[str, Any] = self._call(request)["environment"]
        return environment

    def infer(self, inputs: Mapping[str, np.ndarray], batch: int) -> tuple[Tensors, float]:
        """Run inputs in the child; returns outputs by name and the seconds spent inside the runtime.

        Inputs that were sent before (the same mapping object) are not written again.
        """
        reply = self._call({"do": "infer", "inputs": self._ship(inputs), "batch": batch})
        return load(self._scratch, reply["outputs"]), float(reply["seconds"])

    def time(self, inputs: Mapping[str, np.ndarray], calls: int, warmup: int) -> list[float]:
        """Seconds of each of `calls` runs of all rows in one batch, after `warmup` runs that are not timed.

        A runtime behind a process boundary of its own (Node.js, a browser) times itself, with `Runtime.time`;
        others are timed around `infer`.
        """
        request = {"do": "time", "inputs": self._ship(inputs), "calls": calls, "warmup": warmup}
        seconds: list[float] = self._call(request)["seconds"]
        return seconds

    def close(self) -> None:
        """End the child and everything that it started, and remove the scratch directory.

        A child that has nothing to put in order (never asked, or interrupted in its work) is not waited for.
        """
        if self._closed:
            return
        self._closed = True
        if self._idle and self._process.poll() is None:
            try:
                self._send({"do": "exit"})
                self._process.wait(timeout=10)
            except (OSError, subprocess.TimeoutExpired):
                pass
        self._release()
        shutil.rmtree(self._scratch, ignore_errors=True)

    def _release(self) -> None:
        self._kill()
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        self._replies.close()
        self._stderr.close()

    def _ship(self, inputs: Mapping[str, np.ndarray]) -> list[tuple[str, str]]:
        if id(inputs) not in self._sent:
            # The mapping is kept, so that its id stays its own.
            self._sent[id(inputs)] = inputs, save(self._scratch, f"in{len(self._sent)}-", inputs)
        return self._sent[id(inputs)][1]

    def _kill(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _send(self, request: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request).encode() + b"\n")
        self._process.stdin.flush()

    def _call(self, request: dict[str, Any]) -> dict[str, Any]:
        self._asked, self._idle = True, False
        try:
            self._send(request)
        except OSError:
            raise RuntimeCrash(self._died()) from None
        reply = self._receive()
        self._idle = True
        if reply.get("unavailable"):
            raise RuntimeUnavailable(reply["error"], reply.get("fix", ""))
        if reply.get("unsupported"):
            raise RuntimeUnsupported(reply["error"])
        if "error" in reply:
            raise RuntimeCrash(reply["error"])
        return reply

    def _receive(self) -> dict[str, Any]:
        deadline = time.monotonic() + self.timeout
        with selectors.DefaultSelector() as selector:
            selector.register(self._replies, selectors.EVENT_READ)
            while b"\n" not in self._pending:
                left = deadline - time.monotonic()
                if left <= 0 or not selector.select(left):
                    words = self._last_words()
                    self._kill()
                    raise RuntimeTimeout(f"no answer within {self.timeout:.0f} s, stopped. {words}".strip())
                chunk = self._replies.read(65536)
                if not chunk:
                    raise RuntimeCrash(self._died())
                self._pending += chunk
        line, self._pending = self._pending.split(b"\n", 1)
        reply: dict[str, Any] = json.loads(line)
        return reply

    def _died(self) -> str:
        code = self._process.wait()
        how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"
        return f"the runtime's process ended ({how}). {self._last_words()}".strip()

    def _last_words(self) -> str:
        self._stderr.flush()
        text = (self._scratch / "stderr").read_bytes()[-_LAST_WORDS:].decode(errors="replace").strip()
        return f"Its last words: {text}" if text else "It said nothing."
