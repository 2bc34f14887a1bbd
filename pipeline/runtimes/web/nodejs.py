"""A library in Node.js: what all runtimes there have in common."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.artifact import Artifact
from pipeline.runtimes.base import Tensors
from pipeline.runtimes.node import find_modules, find_node
from pipeline.runtimes.web import model_file
from pipeline.runtimes.web.runner import NodeRunner


class NodeRuntime:
    """A library in Node.js on a device; see `pipeline.runtimes.base.Runtime`.

    Attributes:
        library: the adapter's name in adapters/.
        package: what it needs in node_modules.
    """

    library: str
    package: str

    def __init__(self, device: str) -> None:
        self._device = device
        self._runner: NodeRunner | None = None

    def activate(self, artifact: Artifact, path: Path) -> dict[str, Any]:
        """Start Node.js, load the model and probe the device.

        Returns:
            node, node_from: version, and where it was found. backend: the one that runs.
            simd, threads: of the WebAssembly build.
            float_bits: significand bits of the device's arithmetic (24: float32), by a numeric probe.
            flushes_subnormals: whether they become zero. The library's version, and what else its adapter tells.

        Raises:
            RuntimeUnavailable: no Node.js, or no package.
            RuntimeUnsupported: the library says that it does not do this.
            RuntimeError: the model cannot be loaded, or another backend than the wanted one started.
        """
        self.deactivate()
        node = find_node()
        self._runner = NodeRunner(node, find_modules(self.package))
        model = str(model_file(path).resolve())
        request = {"do": "open", "library": self.library, "device": self._device, "model": model}
        reply, _ = self._runner.call(request)
        environment: dict[str, Any] = {**reply["environment"], "node_from": node.how}
        return environment

    def infer(self, inputs: Mapping[str, np.ndarray], batch: int) -> Tensors:
        """Run all rows by the signature's names, cut into batches on the other side.

        Outputs have the dtypes of frames: float32, int32 (also for int64), bool, text for strings.

        Raises:
            RuntimeError: the model fails, leaks tensors, or Node.js ends.
            ValueError: an integer that int32 cannot hold.
        """
        if self._runner is None:
            raise RuntimeError("infer before activate")
        return self._runner.call({"do": "infer", "batch": batch}, inputs)[1]

    def time(self, inputs: Mapping[str, np.ndarray], calls: int, warmup: int) -> list[float]:
        """Seconds of each of `calls` runs of all rows in one batch, measured on the other side, transfers excluded."""
        if self._runner is None:
            raise RuntimeError("time before activate")
        reply, _ = self._runner.call({"do": "time", "calls": calls, "warmup": warmup}, inputs)
        seconds: list[float] = reply["seconds"]
        return seconds

    def deactivate(self) -> None:
        """End Node.js."""
        if self._runner is not None:
            self._runner.close()
            self._runner = None
