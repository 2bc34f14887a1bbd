"""Golden samples: rows whose exact answers are known, of the model itself or of one of its reduced precisions."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from serving.errors import Damaged, Refused

_SAMPLES, _REDUCED = "golden/samples.npz", "golden/reduced.npz"
# Samples are a few rows; an archive that unpacks to more than this is not one that isomer wrote.
_MAX_BYTES = 256 << 20
# The two textbook schemes of rounding activations differ by up to two (docs/parity.md).
_SCHEMES = 2.0

Tensors = dict[str, np.ndarray]


@dataclass(frozen=True)
class Samples:
    """Rows whose exact answers are known.

    Attributes:
        inputs: by input name.
        exact: by output name: float64, or the very values for outputs that are not floats.
        reference: TensorFlow's float32 outputs: where they are not finite, nothing is required.
        scales: by name of a float output: the magnitude that each row's error counts against; float64 [rows].
        limits: by name of a float output: the error that each row may show, in ULP of its scale; float64 [rows].
        alone: the rows of one request change each other's answers, so that each was answered in one of its own.
        noise: by name of a float output, where activations are rounded: the root mean square error that all rows
            together may show, over `noise_rows` rows. It takes the place of `limits`.
        answers: by output name, where kernels compute in whole numbers: what the same kernels answered when the file
            was exported.
        quanta: the step of each of those outputs.
    """

    inputs: Tensors
    exact: Tensors
    reference: Tensors
    scales: Tensors
    limits: Tensors
    alone: bool = False
    noise: dict[str, float] = field(default_factory=dict)
    noise_rows: int = 0
    answers: Tensors = field(default_factory=dict)
    quanta: dict[str, float] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        return len(next(iter(self.inputs.values())))

    @property
    def by_call(self) -> bool:
        """The range of activations is found in each call: what else is in it may change an answer."""
        return bool(self.noise) and not self.answers


def read(root: Path) -> Samples:
    """A bundle's own samples.

    Raises:
        Damaged: there are none, or they are no samples.
    """
    arrays = _load(root, _SAMPLES)
    inputs, exact, reference = (_under(arrays, f"{kind}/") for kind in ("input", "exact", "reference"))
    samples = Samples(inputs, exact, reference, _under(arrays, "scale/"), _under(arrays, "limit/"), "alone" in arrays)
    if not samples.inputs or not samples.exact:
        raise Damaged(f"{_SAMPLES}: holds no samples")
    return samples


def read_reduced(root: Path, label: str, kernels: str) -> Samples:
    """The same rows with the answers that one artifact's own weights give.

    Args:
        label: of the artifact, such as "tflite int8".
        kernels: the family that will run it, as certificates name it.

    Raises:
        Damaged: the files are no samples.
        Refused: they know nothing of this artifact.
    """
    whole, own = _load(root, _SAMPLES), _load(root, _REDUCED)
    exact = _under(own, f"{label}/exact/")
    if not exact:
        raise Refused(f"{_REDUCED}: nobody knows what '{label}' must answer")
    try:
        places = np.searchsorted(own["rows"], whole["rows"])  # the samples are among the rows
        noise = {name: float(value) for name, value in _under(own, f"{label}/noise/").items()}
        # Inputs beyond the usual range may do anything to rounded activations: only regular rows count there.
        rows = slice(0, int(whole["regular"]) if noise else None)
        places = places[rows]
        return Samples(
            {n: v[rows] for n, v in _under(whole, "input/").items()},
            {n: v[places] for n, v in exact.items()},
            {n: v[rows] for n, v in _under(whole, "reference/").items()},
            {n: v[places] for n, v in _under(own, f"{label}/scale/").items()},
            {n: v[places] for n, v in _under(own, f"{label}/limit/").items()},
            "alone" in whole,
            noise,
            int(own[f"{label}/noise_rows"]),
            {n: v[places] for n, v in _under(own, f"{label}/answer/{kernels}/").items()},
            {n: float(v) for n, v in _under(own, f"{label}/quantum/").items()},
        )
    except (KeyError, IndexError, ValueError) as error:
        raise Damaged(f"{_REDUCED}: {error}") from error


def allowed(samples: Samples, name: str, rows: int) -> float:
    """The root mean square error that so many rows may show: few of them may hold all of the energy."""
    return _SCHEMES * samples.noise[name] * float(np.sqrt(max(samples.noise_rows, rows) / rows))


def _under(arrays: Tensors, prefix: str) -> Tensors:
    return {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}


def _load(root: Path, name: str) -> Tensors:
    path = root / name
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > _MAX_BYTES:
                raise Damaged(f"{name}: unpacks to more than {_MAX_BYTES} bytes")
        with np.load(path, allow_pickle=False) as archive:
            return {key: archive[key] for key in archive.files}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise Damaged(f"{name}: {error}") from error
