"""The interface of an engine: one loaded artifact that runs named inputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

import numpy as np

from serving.signature import Signature

Tensors = dict[str, np.ndarray]


class Engine(Protocol):
    """One loaded artifact. Every method may be called from any thread.

    Attributes:
        label: engine and version for logs, such as "onnxruntime 1.27.0".
        signatures: by name.
        batches: whether calls with changing numbers of rows are cheap.
    """

    label: str
    batches: bool
    signatures: Mapping[str, Signature]

    def run(self, signature: str, inputs: Mapping[str, np.ndarray]) -> Tensors:
        """Compute the outputs.

        Args:
            inputs: arrays of the signature's names, dtypes and shapes; strings are object arrays of bytes.

        Raises:
            ServingError: the artifact refuses these inputs, or fails on them.
        """
        ...

    def close(self) -> None:
        """Release what the artifact holds. No call is running or follows."""
        ...


# Loads an artifact: its path, its bytes where they were read and checked already, and threads for one call.
# Bytes are what is loaded then: a file that is replaced after the check changes nothing.
Loader = Callable[[Path, bytes | None, int], Engine]
