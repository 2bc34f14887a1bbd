"""LiteRT (the successor of TFLite) on the CPU, with its default kernels (XNNPACK)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.artifact import Artifact
from pipeline.errors import RuntimeUnavailable
from pipeline.runtimes.base import Tensors, infer_in_batches
from pipeline.signature import DEFAULT_SIGNATURE

# What the interpreter says of a file that holds TensorFlow's own operations.
WITHOUT_FLEX = "Select TensorFlow op"


class Runtime:
    """The LiteRT interpreter, by signature names, resized where an input's shape changes.

    Floats for an input of whole numbers are quantized with the scale that the file gives, as an application would do
    it, and outputs of whole numbers are widened again.
    """

    kernels = "xnnpack"

    def __init__(self, device: str) -> None:
        if device != "cpu":
            raise RuntimeUnavailable(f"LiteRT cells run on the CPU here, not on '{device}'")
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ImportError as error:
            raise RuntimeUnavailable("the package ai-edge-litert is not installed", "Run `make setup`.") from error
        self._create = Interpreter
        self._versions = {"ai-edge-litert": version("ai-edge-litert")}
        self._shapes: dict[str, tuple[int, ...]] = {}

    def activate(self, artifact: Artifact, path: Path) -> dict[str, Any]:
        """Load the `.tflite` file; refuses one without the default signature."""
        threads = os.cpu_count() or 1
        self._interpreter = self._load(str(path), threads)
        signatures = self._interpreter.get_signature_list()
        if DEFAULT_SIGNATURE not in signatures:
            raise ValueError(f"the file has no signature '{DEFAULT_SIGNATURE}', only {sorted(signatures)}")
        runner = self._interpreter.get_signature_runner(DEFAULT_SIGNATURE)
        self._inputs = {n: d["index"] for n, d in runner.get_input_details().items()}
        self._outputs = {n: d["index"] for n, d in runner.get_output_details().items()}
        self._given = {n: scale_of(d) for n, d in runner.get_input_details().items()}
        self._taken = {n: scale_of(d) for n, d in runner.get_output_details().items()}
        self._static = all(None not in t.shape for t in artifact.signature.inputs)
        self._shapes = {}
        return {**self._versions, "kernels": self.kernels, "threads": threads, "precision": "float32"}

    def _load(self, path: str, threads: int) -> Any:
        return self._create(model_path=path, num_threads=threads)

    def infer(self, inputs: Mapping[str, np.ndarray], batch: int) -> Tensors:
        """Run by the signature's names."""
        return infer_in_batches(self._step, inputs, batch)

    def _step(self, rows: Mapping[str, np.ndarray]) -> Tensors:
        if rows.keys() != self._inputs.keys():
            raise ValueError(f"inputs are {sorted(self._inputs)}, got {sorted(rows)}")
        shapes = {name: value.shape for name, value in rows.items()}
        if shapes != self._shapes:
            if not self._static:
                for name, shape in shapes.items():
                    self._interpreter.resize_tensor_input(self._inputs[name], shape)
            self._interpreter.allocate_tensors()
            self._shapes = shapes
        for name, value in rows.items():
            self._interpreter.set_tensor(self._inputs[name], quantize(value, self._given[name]))
        self._interpreter.invoke()
        return {n: dequantize(self._interpreter.get_tensor(i), self._taken[n]) for n, i in self._outputs.items()}

    def deactivate(self) -> None:
        """Free the interpreter's arena."""
        self._interpreter = None


# The dtype of a tensor of whole numbers, its step and its zero; None of any other tensor.
Scale = tuple[Any, float, int] | None


def scale_of(detail: Mapping[str, Any]) -> Scale:
    """The scale of a tensor from the interpreter's details."""
    step, zero = detail["quantization"]
    return (detail["dtype"], float(step), int(zero)) if step else None


def quantize(value: np.ndarray, scale: Scale) -> np.ndarray:
    """Floats as the whole numbers of a tensor; anything else as it is."""
    if scale is None or value.dtype.kind != "f":
        return value
    kind, step, zero = scale
    limits = np.iinfo(kind)
    return np.clip(np.rint(value / np.float32(step)) + zero, limits.min, limits.max).astype(kind)


def dequantize(value: np.ndarray, scale: Scale) -> np.ndarray:
    """Whole numbers of a tensor as floats; anything else as it is."""
    if scale is None or value.dtype.kind == "f":
        return value
    _, step, zero = scale
    return (value.astype(np.int32) - zero).astype(np.float32) * np.float32(step)
