"""TensorFlow Lite on an emulated 32-bit ARM processor: the last one with a wheel for it, which LiteRT has not."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any

from pipeline.artifact import Artifact
from pipeline.errors import RuntimeUnavailable
from pipeline.runtimes import litert
from pipeline.runtimes.emulated import ARMHF_TFLITE, Emulated

python = ARMHF_TFLITE.python


class _Interpreter(litert.Runtime):
    """`tflite_runtime`, whose interpreter LiteRT's was renamed from."""

    def __init__(self, device: str) -> None:
        try:
            from tflite_runtime.interpreter import Interpreter
        except ImportError as error:
            raise RuntimeUnavailable("the package tflite-runtime is not installed", "Run `make emulated`.") from error
        self._create = Interpreter
        self._versions = {"tflite-runtime": version("tflite-runtime")}
        self._shapes: dict[str, tuple[int, ...]] = {}

    def activate(self, artifact: Artifact, path: Path) -> dict[str, Any]:
        """As LiteRT's; on this processor XNNPACK takes floats alone."""
        environment = super().activate(artifact, path)
        return {**environment, "kernels": "reference" if artifact.precision.startswith("int8") else self.kernels}


class Runtime(Emulated):
    """As `pipeline.runtimes.litert` on the processor that the device names."""

    def __init__(self, device: str) -> None:
        super().__init__(ARMHF_TFLITE, _Interpreter, device)
