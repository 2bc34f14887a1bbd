"""What the modules that write reduced precisions offer, and what a stored weight is.

A quantizer module makes an artifact of a reduced precision out of the float32 artifact of the same format:

    write(base, root, precision, samples) -> Artifact   one file (or directory) beside the float32 one
    stored(path) -> dict[str, Stored]                   the constants of a file by their names, as what they stand for
    quanta(path) -> dict[str, float]                    the step of each output that is a whole number times that
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np

from pipeline.artifact import Artifact
from pipeline.signature import Signature

Samples = Mapping[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class Stored:
    """A constant of a file.

    Attributes:
        values: what it stands for; float64 for whole numbers with a scale, else as it is stored.
        quantum: the step between two values that it can hold, of a shape that broadcasts to `values`; None of floats.
        levels: how many values it can hold.
        kind: its dtype in the file: "float32", "float16", "int8", "int4", "uint8", "int32" ...
    """

    values: np.ndarray
    kind: str
    quantum: np.ndarray | None = None
    levels: int = 0


def too_few(held: Mapping[str, Stored]) -> str:
    """Why a file is not worth having: most of its weights are floats as before; else nothing."""
    # A bias counts as nothing: one whole number of 32 bits is no smaller than a float.
    whole = sum(entry.values.size for entry in held.values())
    reduced = sum(entry.values.size for entry in held.values() if entry.kind not in ("float32", "int32", "int64"))
    if 2 * reduced >= whole and reduced:
        return ""
    return f"would store {reduced:,} of {whole:,} weights in fewer bits: it knows no other of this model's operations"


def beside(base: Artifact, root: Path, path: Path, precision: str, found: Signature) -> Artifact:
    """The artifact of a reduced precision, by the signature that its file declares; ranges are the float32 file's."""
    ranged = {t.name: t.range for t in base.signature.inputs}
    inputs = tuple(replace(t, range=ranged.get(t.name)) for t in found.inputs)
    return replace(
        base,
        precision=precision,
        path=path.as_posix(),
        signature=replace(found, inputs=inputs),
        bytes=(root / path).stat().st_size,
    )


class Quantizer(Protocol):
    """What a quantizer module offers; see this module's docstring."""

    def write(self, base: Artifact, root: Path, precision: str, samples: Samples | None) -> Artifact: ...
    def stored(self, path: Path) -> dict[str, Stored]: ...
    def quanta(self, path: Path) -> dict[str, float]: ...


def dequantized(whole: np.ndarray, scale: np.ndarray, zero: np.ndarray, axis: int, kind: str, levels: int) -> Stored:
    """Whole numbers and their scales, one in all or one for each entry of an axis, as what they stand for."""
    shape = [1] * whole.ndim
    if scale.size > 1:
        shape[axis] = scale.size
    step = scale.astype(np.float64).reshape(shape if whole.ndim else ())
    origin = zero.astype(np.float64).reshape(shape if whole.ndim and zero.size > 1 else (1,) * whole.ndim)
    return Stored((whole.astype(np.float64) - origin) * step, kind, step, levels)
