"""Goldens: inputs and the oracle's outputs that travel with a bundle, so that anyone can check it again.

`golden/samples.npz` holds a few rows with inputs and exact outputs: enough for a re-check anywhere.
`golden/oracle.npz` holds exact and TensorFlow's float32 outputs for all judged rows; the inputs too, unless
they are a named dataset's.
"""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np

from pipeline.parity import budget
from pipeline.parity.classifier import classifier, scores
from pipeline.parity.evidence import Evidence
from pipeline.parity.inputs import Judged, Tensors

DIRECTORY = "golden"
_SAMPLES, _ORACLE = "samples.npz", "oracle.npz"
_REAL, _CLOSE = 10, 10
# A bundle is no data set: when all judged rows would not fit into this, only the samples are kept.
_MAX_BYTES = 32 << 20


def choose(evidence: Evidence) -> np.ndarray:
    """Rows for the samples: real ones (of different classes where there are labels), those with the oracle's
    smallest margin, and all awkward ones; ascending."""
    judged = evidence.judged
    labels = judged.labels
    if labels is None:
        real = np.arange(min(_REAL + _CLOSE, judged.regular))
    else:
        _, real = np.unique(labels, return_index=True)
        name = classifier(evidence.exact, labels)
        if name is not None:
            best = np.sort(scores(evidence.exact[name][: judged.regular]), axis=-1)
            real = np.concatenate([real[:_REAL], np.argsort(best[:, -1] - best[:, -2])[:_CLOSE]])
    return np.unique(np.concatenate([real, np.arange(judged.regular, judged.rows)])).astype(int)


def write(root: Path, evidence: Evidence, with_inputs: bool) -> None:
    """Write both files below `root`.

    Args:
        with_inputs: keep the judged inputs themselves (no dataset that others could load).
    """
    directory = root / DIRECTORY
    directory.mkdir(parents=True, exist_ok=True)
    rows = choose(evidence)
    save(directory / _SAMPLES, _pack(evidence.take(rows), True, rows=rows))
    whole = _pack(evidence, with_inputs)
    if sum(v.nbytes for v in whole.values()) <= _MAX_BYTES:
        save(directory / _ORACLE, whole)


def read_samples(root: Path) -> Evidence:
    """The few rows that every bundle has."""
    return _unpack(load(root / DIRECTORY / _SAMPLES), None, "the bundle's golden samples")


def read_all(root: Path, judged: Judged | None) -> Evidence | None:
    """All judged rows; None where the bundle does not keep them.

    Args:
        judged: the inputs, where they are a dataset's that the caller loaded; None to read them from the bundle.
    """
    path = root / DIRECTORY / _ORACLE
    if not path.is_file():
        return None
    arrays = load(path)
    if judged is None and not any(k.startswith("input/") for k in arrays):
        return None
    return _unpack(arrays, judged, "the bundle's golden rows")


def _pack(evidence: Evidence, with_inputs: bool, rows: np.ndarray | None = None) -> Tensors:
    judged = evidence.judged
    arrays: Tensors = {"regular": np.array(judged.regular), "awkward": np.array(judged.awkward, dtype=np.str_)}
    if rows is not None:
        arrays["rows"] = rows
    if evidence.alone:
        arrays["alone"] = np.array(True)
    if evidence.fixed:
        arrays["fixed"] = np.array(sorted(evidence.fixed), dtype=np.str_)
    if with_inputs:
        arrays |= {f"input/{n}": v for n, v in judged.tensors.items()}
    if judged.labels is not None:
        arrays["labels"] = judged.labels
    arrays |= {f"exact/{n}": v for n, v in evidence.exact.items()}
    arrays |= {f"reference/{n}": v for n, v in evidence.reference.items()}
    arrays |= {f"scale/{n}": b.scales for n, b in evidence.budgets.items()}
    arrays |= {f"limit/{n}": b.limits_ulp for n, b in evidence.budgets.items()}
    arrays |= {f"shown/{n}": b.reference_ulp for n, b in evidence.budgets.items()}
    return arrays


def _unpack(arrays: Tensors, judged: Judged | None, origin: str) -> Evidence:
    def under(prefix: str) -> Tensors:
        return {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}

    regular = int(arrays["regular"])
    if judged is None:
        awkward = tuple(str(a) for a in arrays["awkward"])
        judged = Judged(under("input/"), regular, arrays.get("labels"), origin, awkward)
    scales, limits, shown = under("scale/"), under("limit/"), under("shown/")
    budgets = {n: budget.Budget(scales[n], shown[n], limits[n], regular) for n in scales}
    fixed = frozenset(arrays.get("fixed", np.zeros(0, np.str_)).tolist())
    return Evidence(judged, under("exact/"), under("reference/"), budgets, alone="alone" in arrays, fixed=fixed)


def save(path: Path, arrays: Tensors) -> None:
    """Like `np.savez_compressed`, but with a fixed time stamp: the same arrays give the same bytes."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, value in sorted(arrays.items()):
            buffer = io.BytesIO()
            np.lib.format.write_array(buffer, np.asanyarray(value), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), buffer.getvalue(), zipfile.ZIP_DEFLATED)


def sample_rows(root: Path) -> np.ndarray:
    """Places of the samples among all judged rows, ascending."""
    return load(root / DIRECTORY / _SAMPLES)["rows"]


def load(path: Path) -> Tensors:
    """The arrays of a file."""
    with np.load(path, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}
