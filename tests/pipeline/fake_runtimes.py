"""A runtime that misbehaves in the way that its device is called; loaded by real workers in `test_worker`."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.artifact import Artifact
from pipeline.errors import RuntimeUnavailable


class Runtime:
    """Doubles its input, unless the device says otherwise."""

    def __init__(self, device: str) -> None:
        self._device = device
        if device == "missing":
            raise RuntimeUnavailable("the fake library is not installed.", "Install it.")
        if device == "broken import":
            raise ImportError("libfake.so.7: cannot open shared object file")

    def activate(self, artifact: Artifact, path: Path) -> dict[str, Any]:
        if self._device == "no such adapter":
            raise RuntimeUnavailable("this machine has no fake adapter.")
        self._poisonous = artifact.variant != "harmless"
        return {"fake": "1.0"}

    def infer(self, inputs: Mapping[str, np.ndarray], batch: int) -> dict[str, np.ndarray]:
        if self._poisonous:
            self._misbehave()
        return {"y": inputs["x"] * 2}

    def deactivate(self) -> None:
        pass

    def _misbehave(self) -> None:
        print(f"about to be: {self._device}", file=sys.stderr, flush=True)
        if self._device == "raises":
            raise ValueError("node 17 (Erf) is not implemented")
        if self._device == "segfaults":
            os.kill(os.getpid(), signal.SIGSEGV)
        if self._device == "exits":
            os._exit(7)
        if self._device == "calls sys.exit":
            sys.exit("license expired")
        if self._device == "out of memory":
            bytearray(1 << 62)
        if self._device == "hangs":
            while True:
                time.sleep(1)
        if self._device == "babbles":
            print('{"outputs": []}', flush=True)
            os.write(1, b"\x00\xff garbage from C\n{}\n" * 5000)
