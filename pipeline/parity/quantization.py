"""What a reduced precision costs: accuracy, agreement and noise against float32, and whether that passes the gate."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import comb, log10, sqrt
from typing import Any

import numpy as np

from pipeline.parity.inputs import Tensors

METHOD = "Newcombe 1998, paired differences of proportions, method 10; McNemar's exact test"
_Z = 1.959963984540054  # 95 %


@dataclass(frozen=True)
class Cost:
    """How far answers are from float32's on the same rows.

    Attributes:
        measure: what the gate is about: "accuracy" with labels, "agreement" of top-1 without, else "explained", the
            share of float32's variance that the answers reproduce.
        kept: the figure that the gate judges: the quotient of both accuracies, or the share itself.
        gate: what it must reach.
        accuracy_float32, accuracy: right answers on the labels.
        difference, interval: of the accuracies and its 95 % confidence interval.
        p_value: that the two differ as much as they do by chance.
        agreement: share of rows with float32's top-1.
        sqnr_db: signal to quantization noise of the worst output, in dB; None where there is no noise.
        max_abs_error: largest difference to float32.
        rows: judged.
    """

    measure: str
    kept: float
    gate: float
    accuracy_float32: float | None
    accuracy: float | None
    difference: float | None
    interval: tuple[float, float] | None
    p_value: float | None
    agreement: float | None
    sqnr_db: float | None
    max_abs_error: float
    rows: int

    @property
    def reason(self) -> str:
        """Why it fails the gate; empty if it passes."""
        if self.kept >= self.gate:
            return ""
        if self.measure == "accuracy":
            return (
                f"accuracy is {self.accuracy:.2%}, float32's is {self.accuracy_float32:.2%}: {self.kept:.2%} of it, "
                f"the gate is {self.gate:.1%}"
            )
        what = {"agreement": "the answers agree with float32's on", "explained": "the outputs reproduce"}[self.measure]
        of = {"agreement": "of the rows", "explained": "of float32's variance"}[self.measure]
        return f"{what} {self.kept:.2%} {of}, the gate is {self.gate:.1%}"

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "interval": list(self.interval) if self.interval else None}


def cost(actual: Tensors, float32: Tensors, name: str | None, labels: np.ndarray | None, gate: float) -> Cost:
    """Compare a reduced precision's answers with float32's.

    Args:
        actual, float32: by output name, on the same rows.
        name: of the output that tells a class, scores [rows, classes]; None where there is none.
        labels: int64 [rows], if there are any.
        gate: share that must be kept.
    """
    floats = [n for n, v in float32.items() if v.dtype.kind == "f"]
    noise = [sqnr(actual[n], float32[n]) for n in floats]
    worst = max((_largest(actual[n], float32[n]) for n in floats), default=0.0)
    agreement = right = base = None
    if name is not None:
        chosen, wanted = _top(actual[name]), _top(float32[name])
        agreement = float(np.mean(chosen == wanted))
        if labels is not None:
            right, base = chosen == labels, wanted == labels
    if right is not None and base is not None:
        measure, kept = "accuracy", float(right.mean() / base.mean()) if base.any() else 1.0
    elif agreement is not None:
        measure, kept = "agreement", agreement
    else:
        measure = "explained"
        kept = min((explained(actual[n], float32[n]) for n in floats), default=1.0)
    return Cost(
        measure=measure,
        kept=kept,
        gate=gate,
        accuracy_float32=float(base.mean()) if base is not None else None,
        accuracy=float(right.mean()) if right is not None else None,
        difference=None if right is None or base is None else float(right.mean() - base.mean()),
        interval=None if right is None or base is None else paired_interval(right, base),
        p_value=None if right is None or base is None else mcnemar(right, base),
        agreement=agreement,
        sqnr_db=min((n for n in noise if np.isfinite(n)), default=None),
        max_abs_error=worst,
        rows=len(next(iter(float32.values()))),
    )


def sqnr(actual: np.ndarray, exact: np.ndarray) -> float:
    """Signal to quantization noise ratio in dB: 10 log10 of the energy of the signal over that of the error."""
    signal, noise = _energy(exact), _energy(actual.astype(np.float64) - exact)
    if noise == 0:
        return float("inf")
    return 10 * log10(signal / noise) if signal > 0 else 0.0


def explained(actual: np.ndarray, exact: np.ndarray) -> float:
    """Share of the variance of `exact` over the rows that `actual` reproduces (the coefficient of determination)."""
    truth = exact.astype(np.float64)
    spread, error = _energy(truth - np.mean(truth, axis=0)), _energy(actual.astype(np.float64) - truth)
    return 1 - error / spread if spread > 0 else float(error == 0)


def paired_interval(right: np.ndarray, base: np.ndarray) -> tuple[float, float]:
    """95 % confidence interval of the difference of two accuracies on the same rows.

    Source: R. G. Newcombe, Improved confidence intervals for the difference between binomial proportions based on
    paired data, Statistics in Medicine 17 (1998), method 10: Wilson's score intervals, with the correlation.
    """
    n = len(right)
    both, only, other = (int(np.sum(x)) for x in (right & base, right & ~base, ~right & base))
    neither = n - both - only - other
    p, q = (both + only) / n, (both + other) / n
    (low_p, high_p), (low_q, high_q) = wilson(both + only, n), wilson(both + other, n)
    product = (both + only) * (other + neither) * (both + other) * (only + neither)
    excess = both * neither - only * other
    # With Newcombe's correction for continuity of the correlation.
    corrected = max(excess - n / 2, 0.0) if excess > 0 else float(excess)
    phi = corrected / sqrt(product) if product else 0.0
    difference = p - q
    below = (p - low_p) ** 2 - 2 * phi * (p - low_p) * (high_q - q) + (high_q - q) ** 2
    above = (q - low_q) ** 2 - 2 * phi * (q - low_q) * (high_p - p) + (high_p - p) ** 2
    return difference - sqrt(max(below, 0.0)), difference + sqrt(max(above, 0.0))


def wilson(count: int, n: int) -> tuple[float, float]:
    """Wilson's 95 % score interval of a proportion (E. B. Wilson, JASA 22, 1927)."""
    p, z2 = count / n, _Z * _Z
    middle, half = p + z2 / (2 * n), _Z * sqrt(p * (1 - p) / n + z2 / (4 * n * n))
    return (middle - half) / (1 + z2 / n), (middle + half) / (1 + z2 / n)


def mcnemar(right: np.ndarray, base: np.ndarray) -> float:
    """McNemar's exact test: the chance of rows so unevenly split between the two, if neither were better."""
    only, other = int(np.sum(right & ~base)), int(np.sum(~right & base))
    n, few = only + other, min(only, other)
    if n > 1000:  # the normal approximation; the sum of binomials has numbers of 300 digits there
        from math import erfc

        return erfc(abs(only - other) / sqrt(2 * n))
    return min(1.0, 2 * sum(comb(n, k) for k in range(few + 1)) / 2**n) if n else 1.0


def _top(scores: np.ndarray) -> np.ndarray:
    return scores.argmax(-1)


def _energy(values: np.ndarray) -> float:
    finite = np.where(np.isfinite(values), values, 0.0).astype(np.float64)
    return float(np.sum(finite * finite))


def _largest(actual: np.ndarray, exact: np.ndarray) -> float:
    with np.errstate(invalid="ignore"):
        return float(np.nanmax(np.abs(actual.astype(np.float64) - exact), initial=0.0))
