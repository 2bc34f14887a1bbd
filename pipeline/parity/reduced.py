"""What a runtime must answer for a file of reduced precision: the graph with the file's own weights, in float64.

What the reduced precision costs is another question (`pipeline.parity.quantization`). docs/parity.md derives the
budgets of arithmetics that are coarser than float32.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

import numpy as np

from pipeline import precisions
from pipeline.artifact import Artifact
from pipeline.capture import Capture
from pipeline.errors import first_line
from pipeline.formats.quantized import Stored
from pipeline.legalize import Legalized
from pipeline.parity import budget, measure
from pipeline.parity.budget import Budget
from pipeline.parity.evidence import Evidence
from pipeline.parity.inputs import Tensors
from pipeline.parity.stored_weights import replacements

# Rows that are judged so: what a runtime computes wrongly shows on any of them.
ROWS = 256
# The textbook schemes of rounding activations differ by up to two, and a runtime may have one of its own.
SCHEMES = 2.0
# Kernels in whole numbers look exponentials up: 513 values over 10 units, interpolated (an error of (10/512)^2 / 8), of
# differences that are rounded to 10/65535 (half of that). 8 bits hide it, 16 do not.
_TABLES = (10 / 512) ** 2 / 8 + 10 / 65535 / 2


class Arithmetic(StrEnum):
    """What a runtime computes a file in, other than the weights."""

    FLOAT32 = "float32"
    FLOAT16 = "float16"
    DYNAMIC = "activations in 8 bits, by the range of each call"
    FIXED = "whole numbers, by ranges in the file"


def arithmetic(format: str, precision: str) -> Arithmetic:
    """The arithmetic of a format at a precision."""
    known = precisions.named(precision)
    if known.calibrated:
        return Arithmetic.FIXED
    if known.bits:
        return Arithmetic.DYNAMIC
    return Arithmetic.FLOAT16 if (format, precision) == ("onnx", "float16") else Arithmetic.FLOAT32


@dataclass(frozen=True)
class Reduced:
    """What the cells of one artifact are judged against, besides float32.

    Attributes:
        rows: places of the rows among all that are judged, ascending.
        evidence: exact answers with the file's own weights on those rows, and budgets; None where nobody knows them.
            Where activations are rounded, a budget is what any one row may be off by, and `noise` is sharper.
        reason: why nobody does.
        answers: of each family of kernels in whole numbers, what it answered to the regular rows at the export.
        quanta: the step of each output that is a whole number times that.
        noise: by output, the root mean square error that rounding activations makes; nothing where they stay floats;
            over `noise_rows` regular rows.
    """

    rows: np.ndarray
    evidence: Evidence | None
    reason: str = ""
    answers: dict[str, Tensors] = field(default_factory=dict)
    quanta: dict[str, float] = field(default_factory=dict)
    noise: dict[str, float] = field(default_factory=dict)
    noise_rows: int = 0


def choose(evidence: Evidence, seed: int) -> np.ndarray:
    """A seeded choice of regular rows, and all awkward ones, ascending."""
    regular = evidence.judged.regular
    chosen = np.random.default_rng(seed).choice(regular, min(ROWS, regular), replace=False)
    return np.concatenate([np.sort(chosen), np.arange(regular, evidence.judged.rows)])


def expect(
    capture: Capture,
    legal: Legalized,
    artifact: Artifact,
    base: Mapping[str, Stored],
    held: Mapping[str, Stored],
    evidence: Evidence,
    rows: np.ndarray,
    samples: Tensors | None,
) -> Reduced:
    """The answers that a file's own weights give, on some of the judged rows.

    Args:
        capture, legal: the model, and the graph that the float32 file was written from.
        artifact: of reduced precision.
        base, held: constants of the float32 file and of the reduced one, by name.
        evidence: the model's own.
        rows: places of the rows to answer, ascending.
        samples: calibration rows by input name, for ranges that are fixed in the file.
    """
    values, lost = replacements(legal.constants, base, held)
    if lost:
        named = ", ".join(f"'{name}'" for name in lost[:3])
        return Reduced(rows, None, f"{len(lost)} of its weights are no constant of the graph that is known: {named}")
    few = evidence.take(rows)
    try:
        found, noise = _answer(capture, legal, artifact, values, few, samples)
        return Reduced(rows, found, noise=noise, noise_rows=few.judged.regular)
    except Exception as error:  # of TensorFlow, or of a rule that does not know what another rule has made
        return Reduced(rows, None, f"the graph cannot be run with other weights: {first_line(error)}")


def _answer(
    capture: Capture,
    legal: Legalized,
    artifact: Artifact,
    values: Mapping[bytes, np.ndarray],
    few: Evidence,
    samples: Tensors | None,
) -> tuple[Evidence, dict[str, float]]:
    """Exact answers with budgets, and the noise of activations that are rounded."""
    from pipeline.legalize.altered import Coarser, Where, altered, observe

    batch = 1 if few.alone else few.judged.rows

    def run(coarser: Coarser | None = None) -> Tensors:
        function = altered(capture, legal, values, coarser)
        parts = [function(few.judged.take(np.arange(k, min(k + batch, few.judged.rows)))) for k in _starts(few, batch)]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    exact = run()
    precision = precisions.named(artifact.precision)
    kind, bits, floats = arithmetic(artifact.format, precision.name), precision.bits, not precision.whole_io
    if kind is Arithmetic.FLOAT32:
        return replace(few, exact=exact), {}
    if kind is Arithmetic.FLOAT16:
        coarse = budget.derive(exact, run(Coarser(Where.RESULTS)), few.judged.regular)
        budgets = {name: _wider(own, coarse[name].limits_ulp) for name, own in few.budgets.items()}
        return replace(few, exact=exact, budgets=budgets), {}
    where = Where.FACTORS if kind is Arithmetic.DYNAMIC else Where.RESULTS
    # XNNPACK finds a range for each row, ONNX' DynamicQuantizeLinear one for the whole tensor.
    by_row = kind is Arithmetic.DYNAMIC and artifact.format == "tflite"
    calibrated = samples if kind is Arithmetic.FIXED else None
    ranges = () if calibrated is None else observe(capture, legal, values, calibrated, floats)
    shown = [run(Coarser(where, bits, symmetric, by_row, ranges, floats)) for symmetric in (False, True)]
    tables = _TABLES if kind is Arithmetic.FIXED else 0.0
    regular = few.judged.regular
    noise, budgets = {}, {}
    for name, own in few.budgets.items():
        unit = measure.ulp(own.scales)
        errors = np.max([measure.ulp_errors(s[name], exact[name], own.scales) for s in shown], axis=0)
        errors = np.maximum(errors, np.max(errors[:regular], initial=0.0)) + tables * own.scales / unit
        budgets[name] = _wider(own, SCHEMES * errors)
        least = rms((own.limits_ulp * unit)[:regular]) / SCHEMES
        made = max(rms(s[name][:regular] - exact[name][:regular]) for s in shown)
        noise[name] = max(made + tables * rms(own.scales[:regular]), least)
    return replace(few, exact=exact, budgets=budgets), noise


def rms(values: np.ndarray) -> float:
    """Root mean square of the finite values."""
    finite = np.where(np.isfinite(values), values, 0.0).astype(np.float64)
    return float(np.sqrt(np.mean(finite * finite))) if finite.size else 0.0


def _starts(few: Evidence, batch: int) -> range:
    return range(0, few.judged.rows, batch)


def _wider(own: Budget, limits: np.ndarray) -> Budget:
    return replace(own, limits_ulp=np.maximum(own.limits_ulp, limits))
