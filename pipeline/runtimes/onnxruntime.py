"""ONNX Runtime on the CPU, or on CUDA where its package and a GPU are present."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.artifact import Artifact
from pipeline.errors import RuntimeUnavailable
from pipeline.runtimes.base import Tensors, infer_in_batches

_PROVIDERS = {"cpu": "CPUExecutionProvider", "gpu": "CUDAExecutionProvider", "gpu-tf32": "CUDAExecutionProvider"}


class Runtime:
    """One session with exactly one execution provider: a list would fall back silently."""

    def __init__(self, device: str) -> None:
        try:
            import onnxruntime
        except ImportError as error:
            raise RuntimeUnavailable("the package onnxruntime is not installed", "Run `make setup`.") from error
        self._library = onnxruntime
        self._provider = _PROVIDERS[device]
        self._tf32 = device == "gpu-tf32"
        if self._provider not in onnxruntime.get_available_providers():
            raise RuntimeUnavailable("no GPU that ONNX Runtime can use.", "It needs an NVIDIA GPU and onnxruntime-gpu.")

    def activate(self, artifact: Artifact, path: Path) -> dict[str, Any]:
        """Create the session."""
        cuda = self._provider == "CUDAExecutionProvider"
        self._session = self._open(str(path))
        used = self._session.get_providers()
        if used[0] != self._provider:
            raise RuntimeUnavailable(f"asked for {self._provider}, but the session runs on {used[0]}")
        self._names = [o.name for o in self._session.get_outputs()]
        return {
            "onnxruntime": self._library.__version__,
            "provider": used[0],
            "threads": os.cpu_count(),
            "precision": "float32",
            **({"tf32": self._tf32, "deterministic": True, "float_bits": self.significand_bits()} if cuda else {}),
        }

    def _open(self, model: str | bytes) -> Any:
        options = self._library.SessionOptions()
        options.log_severity_level = 3
        settings = {}
        if self._provider == "CUDAExecutionProvider":
            options.use_deterministic_compute = True
            settings = {"use_tf32": str(int(self._tf32))}
        return self._library.InferenceSession(model, options, providers=[(self._provider, settings)])

    def significand_bits(self) -> int:
        """How many bits of a factor a product keeps on the device: 24 of float32, 11 of TF32."""
        from onnx import TensorProto, helper

        tensors = {n: helper.make_tensor_value_info(n, TensorProto.FLOAT, [64, 64]) for n in "abc"}
        node = helper.make_node("MatMul", ["a", "b"], ["c"])
        graph = helper.make_graph([node], "probe", [tensors["a"], tensors["b"]], [tensors["c"]])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
        session, identity = self._open(model.SerializeToString()), np.eye(64, dtype=np.float32)
        for bits in range(24, 1, -1):
            value = np.float32(1 + 2.0 ** (1 - bits))
            if session.run(None, {"a": identity * value, "b": identity})[0][0, 0] == value:
                return bits
        return 1

    def infer(self, inputs: Mapping[str, np.ndarray], batch: int) -> Tensors:
        """Run by the graph's input and output names."""

        def step(rows: Mapping[str, np.ndarray]) -> Tensors:
            return dict(zip(self._names, self._session.run(self._names, dict(rows)), strict=True))

        return infer_in_batches(step, inputs, batch)

    def deactivate(self) -> None:
        """Release the session."""
        self._session = None
