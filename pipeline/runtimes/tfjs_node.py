"""TF.js in Node.js: graph models on the WebAssembly or the plain JavaScript backend."""

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


class Runtime:
    """TF.js in Node.js on a device, "wasm" or "cpu"; see `pipeline.runtimes.base.Runtime`."""

    def __init__(self, device: str) -> None:
        self._device = device
        self._runner: NodeRunner | None = None

    def activate(self, artifact: Artifact, path: Path) -> dict[str, Any]:
        """Start Node.js, load the graph model and probe the backend.

        Returns:
            tfjs, node: versions. backend: the one that runs. simd, threads: of the WebAssembly build.
            float_bits: significand bits of the device's arithmetic (24: float32), by a numeric probe.
            flushes_subnormals: whether they become zero.

        Raises:
            RuntimeUnavailable: no Node.js, or no `node_modules`.
            RuntimeError: the model cannot be loaded, or another backend than the wanted one started.
        """
        self.deactivate()
        node = find_node()
        self._runner = NodeRunner(node, find_modules())
        request = {"do": "open", "library": "tfjs", "device": self._device, "model": str(model_file(path).resolve())}
        reply, _ = self._runner.call(request)
        environment: dict[str, Any] = {**reply["environment"], "node_from": node.how}
        return environment

    def infer(self, inputs: Mapping[str, np.ndarray], batch: int) -> Tensors:
        """Run all rows by the signature's names, cut into batches on the other side.

        Outputs have TF.js' own dtypes: float32, int32 (also for int64), bool, text for strings.

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
