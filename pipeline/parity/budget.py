"""The error that a correct float32 runtime may show, derived from what TensorFlow's own float32 shows.

docs/parity.md derives the two numbers below and names the sources.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pipeline.parity import measure
from pipeline.parity.inputs import Tensors

# Eight for the order of summation: adding in sequence errs up to sqrt(64) times more than adding in 64 partial
# sums, as TensorFlow's kernels do (Higham & Mary, 2019). Two because both errors are maxima over a finite sample.
MULTIPLE = 16.0
# On an awkward row equal numbers are added, whose rounding errors all have one sign: they grow with n, not sqrt(n), so
# that 64 partial sums gain 64 in place of 8.
AWKWARD_MULTIPLE = 128.0
# Of the largest error that an order of summation makes: it is the maximum over a few rows, as the runtime's is.
SEQUENTIAL_MULTIPLE = 2.0
# Where TensorFlow happens to be exact, a correct runtime may still be off by its own exp, tanh or division.
FLOOR_ULP = 8.0
# Beyond this (2^-7 of the output's scale) float32 leaves so few digits of the answer that agreement says nothing.
CEILING_ULP = 65536.0
# Significand bits of float32, the implicit one included: its unit roundoff is 2^-24.
FLOAT32_BITS = 24
_NAMES = {FLOAT32_BITS: "float32", 11: "float16", 8: "bfloat16"}


@dataclass(frozen=True)
class Budget:
    """What one output may deviate from the oracle.

    Attributes:
        scales: magnitude that each row's error counts against; float64 [rows].
        reference_ulp: error of TensorFlow's float32 run per row, in ULP of the scale; float64 [rows].
        limits_ulp: the budget per row; float64 [rows].
        regular: number of rows that are not awkward.
        outer_ulp: what coarser arithmetic may show per row where that is more than the budget: an error between the
            two proves nothing, in either direction; float64 [rows], None for float32.
    """

    scales: np.ndarray
    reference_ulp: np.ndarray
    limits_ulp: np.ndarray
    regular: int
    outer_ulp: np.ndarray | None = None

    @property
    def reference(self) -> float:
        """TensorFlow's largest error over the regular rows, in ULP."""
        return _largest(self.reference_ulp[: self.regular])

    @property
    def limit(self) -> float:
        """The budget of the regular rows, in ULP."""
        return _largest(self.limits_ulp[: self.regular])

    @property
    def reference_awkward(self) -> float:
        return _largest(self.reference_ulp[self.regular :])

    @property
    def limit_awkward(self) -> float:
        return _largest(self.limits_ulp[self.regular :])

    def take(self, rows: np.ndarray) -> Budget:
        """The budget of some rows, in ascending order."""
        regular = int(np.count_nonzero(rows < self.regular))
        outer = None if self.outer_ulp is None else self.outer_ulp[rows]
        return Budget(self.scales[rows], self.reference_ulp[rows], self.limits_ulp[rows], regular, outer)

    def coarser(self, bits: int) -> Budget:
        """The budget of arithmetic with `bits` significand bits: scaled with the unit roundoff, 2^-bits over 2^-24.

        It ends at 2^-7 of the scale, beyond which agreement says nothing.
        """
        outer = self.limits_ulp * 2.0 ** (FLOAT32_BITS - bits)
        limits = np.minimum(outer, np.maximum(self.limits_ulp, CEILING_ULP))
        return replace(self, limits_ulp=limits, outer_ulp=outer)


def derive(
    exact: Tensors, reference: Tensors, regular: int, sequential: Mapping[str, np.ndarray] | None = None
) -> dict[str, Budget]:
    """Budgets by output name.

    All regular rows share one limit, MULTIPLE times the largest error among them. An awkward row may also use
    TensorFlow's error on that very row, AWKWARD_MULTIPLE times: a saturated input is not held to what ordinary inputs
    show. Nor is it held to a sum that TensorFlow gets right by luck: SEQUENTIAL_MULTIPLE times the error that adding in
    sequence makes is allowed, too.

    Args:
        exact: the oracle's outputs, float64.
        reference: TensorFlow's float32 outputs on the same rows.
        regular: number of rows that are not awkward.
        sequential: error of adding in sequence on the awkward rows, in ULP, by output name; float64 [rows - regular].
    """
    budgets = {}
    for name, truth in exact.items():
        if truth.dtype.kind != "f":
            continue
        scales = measure.scale(truth, regular)
        shown = measure.ulp_errors(reference[name], truth, scales)
        shared = _largest(shown[:regular])
        own = np.where(np.arange(len(shown)) < regular, 0.0, shown)
        limits = np.maximum(FLOOR_ULP, np.maximum(MULTIPLE * shared, AWKWARD_MULTIPLE * own))
        if sequential is not None:
            limits[regular:] = np.maximum(limits[regular:], SEQUENTIAL_MULTIPLE * sequential[name])
        budgets[name] = Budget(scales, shown, limits, regular)
    return budgets


def float_bits(environment: Mapping[str, Any]) -> int:
    """Significand bits of a device's arithmetic as its probe found them; float32's where there is no probe.

    More than float32's would be a probe's error, or float64 behind the scenes: float32's budget holds for both.
    """
    return min(int(environment.get("float_bits", FLOAT32_BITS)), FLOAT32_BITS)


def class_name(bits: int) -> str:
    """ "float32", "float16", "bfloat16", or "9-bit float"."""
    return _NAMES.get(bits, f"{bits}-bit float")


def may_be_coarse(device: str) -> bool:
    """Whether a device may compute in less than float32 and still be correct: GPUs, whose interfaces allow it.

    WebAssembly and processors have IEEE 754's float32; a coarser result there is the library's own doing.
    """
    return device.startswith(("gpu", "webgl", "webgpu"))


def _largest(values: np.ndarray) -> float:
    return float(values.max()) if len(values) else 0.0
