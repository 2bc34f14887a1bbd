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

_PROVIDERS = {"cpu": "CPUExecutionProvider", "gpu": "CUDAExecutionProvider"}


class Runtime:
    """One session with exactly one execution provider: a list would fall back silently."""

    def __init__(self, device: str) -> None:
        try:
            import onnxruntime
        except ImportError as error:
            raise RuntimeUnavailable("the package onnxruntime is not installed", "Run `make setup`.") from error
        self._library = onnxruntime
        self._provider = _PROVIDERS[device]
        if self._provider not in onnxruntime.get_available_providers():
            raise RuntimeUnavailable("no GPU that ONNX Runtime can use.", "It needs an NVIDIA GPU and onnxruntime-gpu.")

    def activate(self, artifact: Artifact, path: Path) -> dict[str, Any]:
        """Create the session."""
        options = self._library.SessionOptions()
        options.log_severity_level = 3
        # TF32 would be another precision; it is a cell of its own where it is wanted.
        settings = {"use_tf32": "0"} if self._provider == "CUDAExecutionProvider" else {}
        self._session = self._library.InferenceSession(str(path), options, providers=[(self._provider, settings)])
        used = self._session.get_providers()
        if used[0] != self._provider:
            raise RuntimeUnavailable(f"asked for {self._provider}, but the session runs on {used[0]}")
        self._names = [o.name for o in self._session.get_outputs()]
        return {
            "onnxruntime": self._library.__version__,
            "provider": used[0],
            "threads": os.cpu_count(),
            "precision": "float32",
        }

    def infer(self, inputs: Mapping[str, np.ndarray], batch: int) -> Tensors:
        """Run by the graph's input and output names."""

        def step(rows: Mapping[str, np.ndarray]) -> Tensors:
            return dict(zip(self._names, self._session.run(self._names, dict(rows)), strict=True))

        return infer_in_batches(step, inputs, batch)

    def deactivate(self) -> None:
        """Release the session."""
        self._session = None
