"""ONNX Runtime on the CPU, or on CUDA where its package and a GPU are present."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.artifact import Artifact
from pipeline.errors import RuntimeUnavailable
from pipeline.runtimes import cuda
from pipeline.runtimes.base import Tensors, infer_in_batches

_PROVIDERS = {"cpu": "CPUExecutionProvider", "gpu": "CUDAExecutionProvider", "gpu-tf32": "CUDAExecutionProvider"}


def python(device: str) -> Path | None:
    """The interpreter whose ONNX Runtime computes on the device; None for this one."""
    return cuda.python("onnxruntime", device)


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
        if device == "cpu":
            return
        cuda.require()
        if self._provider not in onnxruntime.get_available_providers():
            raise RuntimeUnavailable(
                "no GPU that ONNX Runtime can use.", "Run `make gpu`: it needs `onnxruntime-gpu[cuda,cudnn]`."
            )
        onnxruntime.preload_dlls()  # CUDA's libraries are packages of Python's, where the loader does not look

    def activate(self, artifact: Artifact, path: Path) -> dict[str, Any]:
        """Create the session."""
        on_gpu = self._provider == "CUDAExecutionProvider"
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
            **(self._on_gpu() if on_gpu else {}),
        }

    def _open(self, model: str | bytes) -> Any:
        options = self._library.SessionOptions()
        options.log_severity_level = 3
        settings = {}
        if self._provider == "CUDAExecutionProvider":
            options.use_deterministic_compute = True
            # By a rule, not by a race between algorithms, which may end otherwise in another run.
            settings = {"use_tf32": str(int(self._tf32)), "cudnn_conv_algo_search": "HEURISTIC"}
        return self._library.InferenceSession(model, options, providers=[(self._provider, settings)])

    def _on_gpu(self) -> dict[str, Any]:
        """What is recorded there; its kernels round whole numbers of quantized files in their own way."""
        bits = self.significand_bits()
        return {"tf32": self._tf32, "deterministic": True, "float_bits": bits, "kernels": "cuda"}

    def significand_bits(self) -> int:
        """How many bits of a factor a matrix product and a convolution keep: 24 of float32, 11 of TF32."""
        from onnx import TensorProto, helper

        size = 256
        shapes = {"a": [size, size, 1, 1], "b": [size, size, 1, 1], "c": [size, size, 1, 1], "d": [size, size]}
        tensors = {n: helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in shapes.items()}
        flat = helper.make_tensor("flat", TensorProto.INT64, [2], [size, size])
        nodes = [
            helper.make_node("Conv", ["a", "b"], ["c"]),
            helper.make_node("Reshape", ["a", "flat"], ["rows"]),
            helper.make_node("Reshape", ["b", "flat"], ["columns"]),
            helper.make_node("MatMul", ["rows", "columns"], ["d"]),
        ]
        inputs, outputs = [tensors["a"], tensors["b"]], [tensors["c"], tensors["d"]]
        graph = helper.make_graph(nodes, "probe", inputs, outputs, initializer=[flat])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
        session = self._open(model.SerializeToString())
        identity = np.eye(size, dtype=np.float32)[:, :, None, None]
        for bits in range(24, 1, -1):
            value = np.float32(1 + 2.0 ** (1 - bits))
            products = session.run(None, {"a": identity, "b": identity * value})
            if all(product.flat[0] == value for product in products):
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
