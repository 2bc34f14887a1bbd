"""Is every Keras weight in an artifact? Checked by bit patterns, before and apart from any inference.

Parity alone would not see a small change of one weight. The legalized graph tells which of its constants
come from which Keras weight; the artifact must hold those constants: the very bits, or the same numbers
times one factor per channel (converters fold a multiplication into the layer before it).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations

import numpy as np

from pipeline.cells import Status
from pipeline.legalize import Constant
from pipeline.parity.contract import Check

# A factor folded in float32 leaves each value within half a ULP; two roundings and a division make it two.
_RATIO_ULP = 4 * float(np.finfo(np.float32).eps)
_MAX_PERMUTED_RANK = 4


def check_weights(
    label: str, weights: dict[str, np.ndarray], expected: Sequence[Constant] | None, held: Sequence[np.ndarray]
) -> Check:
    """Find every Keras weight in an artifact.

    Args:
        weights: float weights by Keras path.
        expected: float constants of the legalized graph; None where the artifact holds the weights themselves.
        held: float constants that the artifact holds.

    Returns:
        The check; its detail counts the weights found `exact` (their own bits), `folded` (through constants
        computed from them) and `trivial` (all values equal, which converters drop), and lists what is missing.
    """
    bits = _patterns(held)
    index = _by_size(held)
    counts = {"exact": 0, "folded": 0, "trivial": 0}
    missing = []
    lost: dict[int, str] = {}
    for path, weight in weights.items():
        if weight.dtype.kind != "f":
            continue
        values = weight.astype(np.float32)
        if _contains(bits, values):
            counts["exact"] += 1
        elif np.ptp(values) == 0:
            counts["trivial"] += 1
        else:
            through = [c for c in expected or () if path in c.sources and c.value.size]
            for constant in through:
                if id(constant) not in lost:
                    lost[id(constant)] = "" if _found(constant.value, bits, index) else "missing"
            if through and not any(lost[id(c)] for c in through):
                counts["folded"] += 1
            else:
                missing.append(path)
    reason = ""
    if missing:
        reason = f"{len(missing)} of {len(weights)} weights are not in the file: {', '.join(missing[:4])}"
    return Check("weights", label, Status.FAIL if missing else Status.PASS, reason, {**counts, "missing": missing})


def _patterns(arrays: Sequence[np.ndarray]) -> np.ndarray:
    """Sorted bit patterns of all float32 values."""
    flat = [np.ascontiguousarray(a, np.float32).ravel().view(np.uint32) for a in arrays if a.size]
    return np.unique(np.concatenate(flat)) if flat else np.zeros(0, np.uint32)


def _contains(bits: np.ndarray, values: np.ndarray) -> bool:
    return bool(np.isin(np.ascontiguousarray(values, np.float32).ravel().view(np.uint32), bits).all())


def _by_size(arrays: Sequence[np.ndarray]) -> dict[int, list[np.ndarray]]:
    index: dict[int, list[np.ndarray]] = {}
    for array in arrays:
        index.setdefault(array.size, []).append(array)
    return index


def _found(value: np.ndarray, bits: np.ndarray, index: dict[int, list[np.ndarray]]) -> bool:
    values = value.astype(np.float32)
    if np.ptp(values) == 0 or _contains(bits, values):
        return True
    return any(_scaled(values, other.astype(np.float32)) for other in index.get(values.size, ()))


def _scaled(ours: np.ndarray, theirs: np.ndarray) -> bool:
    """`theirs` is `ours`, its axes permuted, times one factor per entry of one axis (or one in all)."""
    squeezed = np.squeeze(ours)
    if squeezed.ndim > _MAX_PERMUTED_RANK:
        return False
    for order in permutations(range(squeezed.ndim)):
        turned = squeezed.transpose(order)
        if turned.size and _per_channel(turned, theirs.reshape(turned.shape)):
            return True
    return False


def _per_channel(ours: np.ndarray, theirs: np.ndarray) -> bool:
    zero = ours == 0
    if np.any(theirs[zero] != 0):
        return False
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = theirs.astype(np.float64) / ours
    # One axis of length n with one value each would match anything: ask for several values per channel.
    for axis in (None, *range(ours.ndim)):
        others = tuple(a for a in range(ours.ndim) if a != axis) if axis is not None else None
        if axis is not None and ours.size // ours.shape[axis] < 4:
            continue
        high = np.max(ratio, axis=others, initial=-np.inf, where=~zero)
        low = np.min(ratio, axis=others, initial=np.inf, where=~zero)
        if np.all((high < low) | (high - low <= _RATIO_ULP * np.maximum(np.abs(high), np.abs(low)))):
            return True
    return False
