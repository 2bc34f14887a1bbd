"""What a runtime module offers: activate an artifact, infer on named inputs, deactivate.

A runtime knows how to run a file; it knows nothing of how the file was written. It lives in a worker
process of its own (`pipeline.runtimes.worker`), so that a crash or a hang is one cell's FAIL.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from pipeline.artifact import Artifact
from pipeline.text import as_text

Tensors = dict[str, np.ndarray]


class Runtime(Protocol):
    """One library on one device. Constructed with the device's name.

    A runtime whose calls cross into another process may also offer `time(inputs, calls, warmup) -> seconds`
    of each call, measured where the work is done.

    Raises (from any method):
        RuntimeUnavailable: the library, browser or device is not on this machine (the cell is NOT_RUN).
        RuntimeUnsupported: the library says that it does not do this on this device (the cell is UNSUPPORTED).
        Exception: anything else is the cell's FAIL, with the exception's text as its last words.
    """

    def activate(self, artifact: Artifact, path: Path) -> dict[str, Any]:
        """Load the artifact and return the environment: versions, device, adapter, precision, threads."""
        ...

    def infer(self, inputs: Mapping[str, np.ndarray], batch: int) -> Tensors:
        """Run all rows of `inputs` (equal first dimensions) in batches of `batch`, in order.

        Returns every output by name with the rows concatenated. The last batch may be smaller.
        """
        ...

    def deactivate(self) -> None:
        """Release the artifact and everything that `activate` started."""
        ...


def infer_in_batches(step: Any, inputs: Mapping[str, np.ndarray], batch: int) -> Tensors:
    """Cut `inputs` into batches, call `step(rows) -> outputs` on each, and concatenate by name."""
    rows = len(next(iter(inputs.values())))
    parts: dict[str, list[np.ndarray]] = {}
    for start in range(0, rows, batch):
        outputs = step({name: value[start : start + batch] for name, value in inputs.items()})
        for name, value in outputs.items():
            parts.setdefault(name, []).append(np.asarray(value))
    return {name: values[0] if len(values) == 1 else np.concatenate(values) for name, values in parts.items()}


def save(directory: Path, prefix: str, tensors: Mapping[str, np.ndarray]) -> list[tuple[str, str]]:
    """Write tensors as `.npy` files for the other process; returns (name, file) pairs."""
    files = []
    for index, (name, value) in enumerate(tensors.items()):
        file = f"{prefix}{index}.npy"
        np.save(directory / file, as_text(np.asarray(value)))
        files.append((name, file))
    return files


def load(directory: Path, files: list[tuple[str, str]]) -> Tensors:
    """Read what `save` wrote."""
    return {name: np.load(directory / file, allow_pickle=False) for name, file in files}
