"""Errors in the unit that float32 itself has: units in the last place (ULP) of the output's own scale."""

from __future__ import annotations

import numpy as np

# Bits of a float32 significand behind the point: ulp(x) = 2^(floor(log2 |x|) - 23).
_FRACTION_BITS = 23
_BINS = 24


def row_max(values: np.ndarray) -> np.ndarray:
    """Largest magnitude of each row; float64 [rows]."""
    if values.size == 0:
        return np.zeros(len(values))
    return np.abs(values.reshape(len(values), -1)).max(axis=1).astype(np.float64)


def scale(exact: np.ndarray, regular: int) -> np.ndarray:
    """The magnitude against which each row's error counts; float64 [rows].

    It is the row's own largest magnitude, but at least the root mean square of that over the regular rows:
    a row that happens to be near zero by cancellation is not held to a relative error that nobody could keep.
    Values that are not finite have no magnitude.
    """
    own = row_max(np.where(np.isfinite(exact), exact, 0.0))
    typical = float(np.sqrt(np.mean(own[:regular] ** 2))) if regular else 0.0
    return np.maximum(own, max(typical, float(np.finfo(np.float32).tiny)))


def ulp(scales: np.ndarray) -> np.ndarray:
    """Spacing of float32 numbers at each magnitude; float64."""
    return np.exp2(np.floor(np.log2(scales)) - _FRACTION_BITS)


def ulp_errors(actual: np.ndarray, exact: np.ndarray, scales: np.ndarray) -> np.ndarray:
    """Largest error of each row in ULP of its scale; float64 [rows].

    Positions where the exact value is not finite are left out; a non-finite value elsewhere counts as infinite.
    """
    finite = np.isfinite(exact)
    with np.errstate(invalid="ignore", over="ignore"):
        difference = np.abs(actual.astype(np.float64) - exact)
    difference = np.where(np.isfinite(difference), difference, np.inf)
    return row_max(np.where(finite, difference, 0.0)) / ulp(scales)


def histogram(errors: np.ndarray) -> tuple[int, ...]:
    """Counts of rows by error: below 1 ULP, then one bin per power of two; the last bin holds the rest."""
    bins = np.where(errors < 1.0, 0, np.floor(np.log2(np.maximum(errors, 1.0))) + 1)
    counts = np.bincount(np.minimum(bins, _BINS - 1).astype(int), minlength=_BINS)
    last = int(np.max(np.nonzero(counts)[0])) if counts.any() else 0
    return tuple(int(c) for c in counts[: last + 1])
