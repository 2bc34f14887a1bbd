"""The runs that a bundle's calls and kernels are learnt from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from pipeline.parity.evidence import Evidence
from pipeline.runtimes.web.wire import to_javascript

# Batches of several sizes: what depends on the batch differs between them.
_BATCHES = (2, 3, 1)


def samples(evidence: Evidence) -> list[dict[str, np.ndarray]]:
    """A few judged rows in batches of several sizes, and some with other sizes of the dynamic dimensions."""
    judged = evidence.judged
    if evidence.alone:
        return [judged.take(np.array([row])) for row in range(min(2, judged.rows))]
    batches = [judged.take(np.arange(min(size, judged.rows))) for size in _BATCHES]
    return batches + [other.judged.take(np.arange(min(2, other.judged.rows))) for other in evidence.sizes]


def save(runs: list[dict[str, np.ndarray]], directory: Path) -> list[dict[str, Any]]:
    """Write the arrays as raw files, and describe them for the job.

    Raises:
        ValueError, TypeError: TF.js has no such dtype, or no such number.
    """
    described = []
    for at, run in enumerate(runs):
        entry = {}
        for place, (name, original) in enumerate(run.items()):
            value = to_javascript(name, original)
            file = directory / f"run{at}-{place}.bin"
            value.tofile(file)
            entry[name] = {"dtype": value.dtype.name, "shape": value.shape, "file": str(file)}
        described.append(entry)
    return described
