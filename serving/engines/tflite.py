"""LiteRT (the successor of TFLite) on the CPU, with its default kernels (XNNPACK)."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from serving.engines.base import Tensors
from serving.errors import Internal, Refused
from serving.signature import Signature, TensorSpec


def load(path: Path, content: bytes | None, threads: int) -> TfliteEngine:
    """Create an interpreter.

    Raises:
        Refused: LiteRT does not take the file, or it has not exactly one signature.
    """
    try:
        interpreter = Interpreter(model_content=path.read_bytes() if content is None else content, num_threads=threads)
        signatures = interpreter.get_signature_list()
    except (ValueError, RuntimeError, OSError) as error:
        raise Refused(f"LiteRT cannot load {path.name}: {error}") from error
    if len(signatures) != 1:
        raise Refused(f"{path.name} has {len(signatures)} signatures, and this server takes files with exactly one")
    return TfliteEngine(interpreter, next(iter(signatures)))


class TfliteEngine:
    """One interpreter behind a lock: its tensors are state."""

    batches = False  # each size is a new allocation of all tensors

    def __init__(self, interpreter: Any, name: str) -> None:
        self._interpreter = interpreter
        self._lock = Lock()
        self.label = f"litert {version('ai-edge-litert')}"
        runner = interpreter.get_signature_runner(name)
        inputs, outputs = runner.get_input_details(), runner.get_output_details()
        self._inputs = {n: d["index"] for n, d in inputs.items()}
        self._outputs = {n: d["index"] for n, d in outputs.items()}
        self.signatures = {name: Signature(name, _specs(inputs), _specs(outputs))}
        self._shapes: dict[str, tuple[int, ...]] = {}

    def run(self, signature: str, inputs: Mapping[str, np.ndarray]) -> Tensors:
        """Run the file's one signature, resized to the inputs where they changed their shape."""
        with self._lock:
            try:
                return self._run(inputs)
            except (ValueError, RuntimeError) as error:
                self._shapes = {}  # whatever was half done is done again
                raise Internal(f"LiteRT: {error}") from error

    def close(self) -> None:
        """Free the interpreter's arena."""
        with self._lock:
            self._interpreter = None

    def _run(self, inputs: Mapping[str, np.ndarray]) -> Tensors:
        shapes = {n: v.shape for n, v in inputs.items()}
        if shapes != self._shapes:
            for name, shape in shapes.items():
                self._interpreter.resize_tensor_input(self._inputs[name], shape)
            self._interpreter.allocate_tensors()
            self._shapes = shapes
        for name, value in inputs.items():
            self._interpreter.set_tensor(self._inputs[name], value)
        self._interpreter.invoke()
        return {name: self._interpreter.get_tensor(index) for name, index in self._outputs.items()}


def _specs(details: Mapping[str, Mapping[str, Any]]) -> tuple[TensorSpec, ...]:
    return tuple(_spec(name, detail) for name, detail in details.items())


def _spec(name: str, detail: Mapping[str, Any]) -> TensorSpec:
    kind = np.dtype(detail["dtype"])
    sizes = detail.get("shape_signature", detail["shape"])
    if not len(sizes):
        sizes = detail["shape"]
    shape = tuple(None if s < 0 else int(s) for s in sizes)
    return TensorSpec(name, "string" if kind.kind in "OSU" else kind.name, shape, str(detail["name"]))
