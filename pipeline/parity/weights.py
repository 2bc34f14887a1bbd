"""Is every Keras weight in an artifact? Checked by bit patterns, before and apart from any inference.

Parity alone would not see a small change of one weight. The legalized graph tells which of its constants
come from which Keras weight; the artifact must hold those constants: the very bits, or the same numbers
times one factor per channel (converters fold a multiplication into the layer before or behind it). A constant that
became such factors, one for each channel of another, is found in their quotient. A constant of the same size that
shares most of its bits with a weight, but not all, is that weight with some values changed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import permutations

import numpy as np

from pipeline.cells import Status
from pipeline.legalize import Constant
from pipeline.parity.contract import Check

# A factor folded in float32 leaves each value within half a ULP; two roundings and a division make it two.
_RATIO_ULP = 4 * float(np.finfo(np.float32).eps)
_MAX_PERMUTED_RANK = 4


def check_weights(
    label: str,
    weights: dict[str, np.ndarray],
    expected: Sequence[Constant] | None,
    held: Sequence[np.ndarray],
    shown: Callable[[Sequence[str]], set[str]] | None = None,
) -> Check:
    """Find every Keras weight in an artifact.

    Args:
        weights: float weights by Keras path.
        expected: float constants of the legalized graph; None where the artifact holds the weights themselves.
        held: float constants that the artifact holds.
        shown: of some weights, those whose change the judged outputs show; without it nothing is `merged`.

    Returns:
        The check; its detail counts the weights found `exact` (their own bits), `folded` (through constants
        computed from them), `trivial` (all values equal, which converters drop) and `merged` (added to others by the
        converter, so that only the outputs tell), and lists what is missing.
    """
    store = _Store(held)
    counts = {"exact": 0, "folded": 0, "trivial": 0, "merged": 0}
    missing, changed = [], set()
    lost: dict[int, bool] = {}
    for path, weight in weights.items():
        if weight.dtype.kind != "f":
            continue
        values = weight.astype(np.float32)
        if store.holds(values):
            counts["exact"] += 1
        elif np.ptp(values) == 0:
            counts["trivial"] += 1
        else:
            through = [c for c in expected or () if path in c.sources and c.value.size]
            for constant in through:
                if id(constant) not in lost:
                    found = _found(constant.value, store) or _multiplied(constant.value, expected or (), store)
                    lost[id(constant)] = not found
            if through and not any(lost[id(c)] for c in through):
                counts["folded"] += 1
            else:
                missing.append(path)
                if any(store.nearly_holds(v) for v in (values, *(c.value.astype(np.float32) for c in through))):
                    changed.add(path)
    if shown is not None and (unclear := [path for path in missing if path not in changed]):
        merged = shown(unclear)
        counts["merged"] = len(merged)
        missing = [path for path in missing if path not in merged]
    reason = ""
    if missing:
        reason = f"{len(missing)} of {len(weights)} weights are not in the file: {', '.join(missing[:4])}"
    return Check("weights", label, Status.FAIL if missing else Status.PASS, reason, {**counts, "missing": missing})


class _Store:
    """The float constants of an artifact, to look values up in."""

    def __init__(self, held: Sequence[np.ndarray]) -> None:
        self.by_size: dict[int, list[np.ndarray]] = {}
        self._patterns: dict[int, list[np.ndarray]] = {}
        for array in held:
            if array.size:
                self.by_size.setdefault(array.size, []).append(array)
                self._patterns.setdefault(array.size, []).append(_pattern(array))
        alone = [p for patterns in self._patterns.values() for p in patterns]
        self._all = _distinct(np.concatenate(alone)) if alone else np.zeros(0, np.uint32)

    def holds(self, values: np.ndarray) -> bool:
        """An array of this size has these bits; or several arrays together do, and none has nearly the same."""
        ours = _pattern(values)
        if any(np.array_equal(ours, theirs) for theirs in self._patterns.get(values.size, ())):
            return True
        return not self.nearly_holds(values) and _common(ours, self._all) == len(ours)

    def nearly_holds(self, values: np.ndarray) -> bool:
        """An array of this size has most of these bits, and others in place of the rest."""
        ours = _pattern(values)
        return any(len(ours) / 2 < _common(ours, theirs) < len(ours) for theirs in self._patterns.get(values.size, ()))


def _pattern(array: np.ndarray) -> np.ndarray:
    """The distinct bit patterns of an array's values as float32, sorted."""
    return _distinct(np.ascontiguousarray(array, np.float32).ravel().view(np.uint32))


def _distinct(values: np.ndarray) -> np.ndarray:
    """The distinct values, sorted: `np.unique` hashes them, and takes minutes for the bits of floats."""
    ordered = np.sort(values)
    return ordered[np.append(True, ordered[1:] != ordered[:-1])] if len(ordered) else ordered


def _common(ours: np.ndarray, theirs: np.ndarray) -> int:
    """How many values are in both, each sorted and without repetitions."""
    if not len(ours) or not len(theirs):
        return 0
    if len(ours) > len(theirs) // 8:
        both = np.sort(np.concatenate([ours, theirs]))
        return int(np.count_nonzero(both[1:] == both[:-1]))
    place = np.minimum(np.searchsorted(theirs, ours), len(theirs) - 1)
    return int(np.count_nonzero(theirs[place] == ours))


def _found(value: np.ndarray, store: _Store) -> bool:
    values = value.astype(np.float32)
    if np.ptp(values) == 0 or store.holds(values):
        return True
    if store.nearly_holds(values):
        return False
    return any(_scaled(values, other.astype(np.float32)) is not None for other in store.by_size.get(values.size, ()))


def _multiplied(value: np.ndarray, expected: Sequence[Constant], store: _Store) -> bool:
    """The values are the factors, in order, by which a constant of the artifact differs from one of the graph."""
    factors = value.astype(np.float64).reshape(-1)
    for constant in expected:
        whole = constant.value.astype(np.float32)
        if whole.size <= factors.size or whole.size % factors.size or store.holds(whole):
            continue
        for other in store.by_size.get(whole.size, ()):
            quotient = _scaled(whole, other.astype(np.float32))
            if quotient is not None and quotient.shape == factors.shape and np.all(_close(quotient, factors)):
                return True
    return False


def _scaled(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray | None:
    """The factors of each entry of one axis (or one in all) by which `theirs` is `ours`, its axes permuted; or None."""
    squeezed = np.squeeze(ours)
    if squeezed.ndim > _MAX_PERMUTED_RANK:
        return None
    for order in permutations(range(squeezed.ndim)):
        turned = squeezed.transpose(order)
        if turned.size and (found := _per_channel(turned, theirs.reshape(turned.shape))) is not None:
            return found
    return None


def _per_channel(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray | None:
    zero = ours == 0
    if np.any(theirs[zero] != 0):
        return None
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = theirs.astype(np.float64) / ours
    # One axis of length n with one value each would match anything: ask for several values per channel.
    for axis in (None, *range(ours.ndim)):
        others = tuple(a for a in range(ours.ndim) if a != axis) if axis is not None else None
        if axis is not None and ours.size // ours.shape[axis] < 4:
            continue
        high = np.max(ratio, axis=others, initial=-np.inf, where=~zero)
        low = np.min(ratio, axis=others, initial=np.inf, where=~zero)
        if np.all((high < low) | _close(high, low)):
            return np.asarray(np.where(high < low, np.nan, (high + low) / 2)).reshape(-1)
    return None


def _close(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Equal but for the roundings of a folded factor; what is not a number is equal to nothing."""
    with np.errstate(invalid="ignore"):
        return np.asarray(np.abs(a - b) <= _RATIO_ULP * np.maximum(np.abs(a), np.abs(b)))
