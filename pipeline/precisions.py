"""The precisions that an artifact can have: one vocabulary for all formats (docs/precisions.md)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pipeline.errors import UsageError

FLOAT32 = "float32"
# The gates of MLPerf Inference: share of float32's accuracy that a reduced precision must keep.
GATES = (0.99, 0.999)


@dataclass(frozen=True)
class Precision:
    """One precision.

    Attributes:
        name: as the command line and files have it.
        meaning: what is stored and what is computed in, in words.
        calibrated: the ranges of activations are fixed in the file, found on calibration samples.
        bits: of an activation in fixed point, found for each input; 0 where activations stay floats.
        whole_io: inputs and outputs are whole numbers, too.
    """

    name: str
    meaning: str
    calibrated: bool = False
    bits: int = 0
    whole_io: bool = False


PRECISIONS: tuple[Precision, ...] = (
    Precision(FLOAT32, "as trained"),
    Precision("float16", "weights in half precision; ONNX computes in it, too"),
    Precision("int8-weights", "weights in 8 bits per channel, arithmetic in float32"),
    Precision("int4-weights", "weights in 4 bits per channel, arithmetic in float32"),
    Precision("uint8-weights", "weights in 8 bits per tensor, arithmetic in float32"),
    Precision("int8-dynamic", "weights in 8 bits, activations in 8 bits by the range of each call", bits=8),
    Precision("int8", "weights and activations in 8 bits, inputs and outputs in float32", calibrated=True, bits=8),
    Precision("int8-io", "the same with inputs and outputs in 8 bits", calibrated=True, bits=8, whole_io=True),
    Precision("int16x8", "weights in 8 bits, activations in 16 bits", calibrated=True, bits=16),
)


def named(name: str) -> Precision:
    """The precision of that name.

    Raises:
        UsageError: there is none.
    """
    for precision in PRECISIONS:
        if precision.name == name:
            return precision
    raise UsageError(f"There is no precision '{name}'.", f"Choose from {', '.join(p.name for p in PRECISIONS)}.")


def plan(names: Iterable[str], offered: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """What each format is written at: always float32, from which the others are made, and what was asked for.

    Args:
        names: precisions; a format that has not got one is written without it.
        offered: by format, the precisions that there are.

    Raises:
        UsageError: a precision that does not exist, or that none of the formats has.
    """
    wanted = [named(name).name for name in names]
    for name in wanted:
        if not any(name in have for have in offered.values()):
            listed = "; ".join(f"{format}: {', '.join(have)}" for format, have in offered.items())
            raise UsageError(f"No format that is written here has the precision '{name}'.", f"There are {listed}.")
    order = [p.name for p in PRECISIONS]
    return {
        format: tuple(sorted({FLOAT32, *(n for n in wanted if n in have)}, key=order.index))
        for format, have in offered.items()
    }
