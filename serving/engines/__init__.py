"""Engines by name, and which of them serves a version."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module

from serving.engines.base import Engine, Loader

__all__ = ["ENTRIES", "Engine", "Entry"]


@dataclass(frozen=True)
class Entry:
    """One engine.

    Attributes:
        name: what `--engine` says; also the format that it reads, as certificates name it.
        runtime: the certificate's name of what executes it.
        kernels: the certificate's name of the kernels that compute in whole numbers there; empty where there are none.
        suffix: of its artifacts' files; empty where the artifact is the version's directory.
        module: holds its `load`.
    """

    name: str
    runtime: str
    kernels: str
    suffix: str
    module: str

    def load(self) -> Loader:
        """Import the engine.

        Raises:
            ImportError: its package is not installed.
        """
        return import_module(self.module).load


# In the order of preference of `auto`: TensorFlow last, since it takes seconds to import and calls are slower.
ENTRIES = {
    "onnx": Entry("onnx", "onnxruntime", "onnxruntime", ".onnx", "serving.engines.onnx"),
    "tflite": Entry("tflite", "litert", "xnnpack", ".tflite", "serving.engines.tflite"),
    "savedmodel": Entry("savedmodel", "tensorflow", "", "", "serving.engines.savedmodel"),
}
AUTO = tuple(ENTRIES)
