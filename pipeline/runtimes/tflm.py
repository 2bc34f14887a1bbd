"""TensorFlow Lite for Microcontrollers: its own interpreter and kernels, built for this machine.

What a Cortex-M computes with the reference kernels, and how much memory the model's tensors take there ("arena").
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.artifact import Artifact
from pipeline.errors import RuntimeUnavailable
from pipeline.runtimes import diversion
from pipeline.runtimes.base import Tensors, infer_in_batches
from pipeline.runtimes.litert import Scale, dequantize, quantize, scale_of
from pipeline.signature import DEFAULT_SIGNATURE


@dataclass(frozen=True)
class _Tensor:
    place: int
    scale: Scale


class Runtime:
    """The interpreter of tflite-micro. It takes files without dynamic dimensions."""

    def __init__(self, device: str) -> None:
        try:
            from tflite_micro.python.tflite_micro import runtime
        except ImportError as error:
            raise RuntimeUnavailable(
                "the package tflite-micro is not installed",
                "It exists for Linux on x86-64, Python 3.11 and 3.12: `uv sync --group micro`.",
            ) from error
        self._library = runtime

    def activate(self, artifact: Artifact, path: Path) -> dict[str, Any]:
        """Load the file, run it once on zeros, and measure the arena."""
        self._inputs, self._outputs = _tensors(path)
        self._model = self._library.Interpreter.from_file(str(path))
        details = {n: self._model.get_input_details(t.place) for n, t in self._inputs.items()}
        zeros = {n: np.zeros(tuple(d["shape"]), d["dtype"]) for n, d in details.items()}
        self._step(zeros)
        return {
            "tflite-micro": version("tflite-micro"),
            "kernels": "reference",
            "precision": "float32",
            "arena_bytes": self.arena(),
        }

    def arena(self) -> int:
        """Bytes of the arena that the model used, after a run."""
        # The library prints the figure and offers it nowhere else.
        with diversion.stderr() as said:
            self._model.print_allocations()
        found = re.search(r"Arena allocation total (\d+) bytes", said.text)
        if found is None:
            raise RuntimeError("the interpreter does not say how much memory it used")
        return int(found[1])

    def infer(self, inputs: Mapping[str, np.ndarray], batch: int) -> Tensors:
        """Run by the signature's names, in which order the file has them."""
        return infer_in_batches(self._step, inputs, batch)

    def _step(self, rows: Mapping[str, np.ndarray]) -> Tensors:
        for name, value in rows.items():
            tensor = self._inputs[name]
            self._model.set_input(quantize(value, tensor.scale), tensor.place)
        self._model.invoke()
        return {n: dequantize(np.array(self._model.get_output(t.place)), t.scale) for n, t in self._outputs.items()}

    def deactivate(self) -> None:
        """Release the interpreter."""
        self._model = None


def _tensors(path: Path) -> tuple[dict[str, _Tensor], dict[str, _Tensor]]:
    """The signature's inputs and outputs: the interpreter knows places, but no names."""
    from ai_edge_litert.interpreter import Interpreter

    model = Interpreter(model_path=str(path))
    runner = model.get_signature_runner(DEFAULT_SIGNATURE)
    inputs = [d["index"] for d in model.get_input_details()]
    outputs = [d["index"] for d in model.get_output_details()]
    return (
        {n: _Tensor(inputs.index(d["index"]), scale_of(d)) for n, d in runner.get_input_details().items()},
        {n: _Tensor(outputs.index(d["index"]), scale_of(d)) for n, d in runner.get_output_details().items()},
    )
