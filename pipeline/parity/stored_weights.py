"""Are the weights in a file of reduced precision the float32 ones, rounded? And which constants of the graph are they?

The float32 file of the same format has been compared with Keras bit by bit. A reduced file has the same names, so that
each of its weights is compared with its float32 one: no farther than half a step away, and the steps no coarser than
its range needs. A scale that is wrong by a factor fails the first or the second, a changed weight the first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import permutations

import numpy as np

from pipeline.cells import Status
from pipeline.formats.quantized import Stored
from pipeline.legalize import Constant
from pipeline.legalize.digest import digest
from pipeline.parity.contract import Check

# Values and steps are float32 themselves: their quotient, which was rounded, is off by a few roundings.
_ROUNDING = 4 * float(np.finfo(np.float32).eps)
# A range may be widened so that zero lies on the grid: by up to half a step at each end of at least 14 steps (int4).
_WIDER = 1.08
# One for each weight, so that they add up: these have steps by their inputs', not by their own range.
_SUMS = ("int32", "int64")


def check_stored(label: str, base: Mapping[str, Stored], reduced: Mapping[str, Stored]) -> Check:
    """Every constant of a reduced file is what the float32 file holds, within half a step.

    Args:
        label: of the reduced artifact.
        base, reduced: constants of both files by name.
    """
    wrong, counts = [], {"unchanged": 0, "rounded": 0}
    for name, entry in base.items():
        if (other := reduced.get(name)) is None:
            wrong.append(f"'{name}' is missing")
        elif problem := _problem(entry.values, other):
            wrong.append(f"'{name}' {problem}")
        else:
            counts["unchanged" if other.kind == entry.kind else "rounded"] += 1
    reason = f"{len(wrong)} of {len(base)} weights: {'; '.join(wrong[:3])}" if wrong else ""
    kinds = sorted({entry.kind for entry in reduced.values()})
    detail = {**counts, "kinds": kinds, "wrong": len(wrong)}
    return Check("weights", label, Status.FAIL if wrong else Status.PASS, reason, detail)


def _problem(exact: np.ndarray, held: Stored) -> str:
    if held.values.shape != exact.shape:
        return f"has shape {list(held.values.shape)}, not {list(exact.shape)}"
    wanted = exact.astype(np.float64)
    error = np.abs(held.values.astype(np.float64) - wanted)
    if held.quantum is None:
        kept = wanted if held.kind == "float32" else exact.astype(held.kind).astype(np.float64)
        count = int(np.count_nonzero(held.values != kept))
        return f"has {count} values that are not float32's as {held.kind}" if count else ""
    allowed = held.quantum / 2 + _ROUNDING * np.abs(wanted)
    if np.any(error > allowed):
        worst = float(np.max(error / held.quantum))
        return f"is off by {worst:.3g} steps, half a step is what rounding costs"
    if held.kind not in _SUMS and exact.size:
        axes = tuple(a for a in range(exact.ndim) if held.quantum.shape[a] == 1)
        needed = 2 * np.max(np.abs(wanted), axis=axes, keepdims=True) / (held.levels - 2)
        if np.any(held.quantum > _WIDER * needed + np.finfo(np.float32).tiny) and np.any(needed > 0):
            channels = (held.quantum > _WIDER * needed) & (needed > 0)
            if np.any(channels):
                worst = float(np.max((held.quantum / np.where(needed > 0, needed, np.inf))[channels]))
                return f"has steps {worst:.3g} times as coarse as its range needs"
    return ""


def identity(held: Mapping[str, Stored]) -> bytes:
    """A digest of the constants of a file, whatever their order."""
    return b"".join(sorted(digest(entry.values) for entry in held.values()))


def replacements(
    constants: Sequence[Constant], base: Mapping[str, Stored], reduced: Mapping[str, Stored]
) -> tuple[dict[bytes, np.ndarray], list[str]]:
    """The graph's constants as a reduced file holds them, and the names of weights that no constant was found for.

    Args:
        constants: of the graph that the float32 file was written from.

    Returns:
        By `digest` of a constant, its new value; a constant that the file holds times one factor per channel is
        divided by that again.
    """
    by_size: dict[int, list[np.ndarray]] = {}
    for constant in constants:
        by_size.setdefault(constant.value.size, []).append(constant.value)
    changed = {
        name: (entry.values, reduced[name].values)
        for name, entry in base.items()
        if name in reduced and not np.array_equal(reduced[name].values, entry.values)
    }
    found: dict[bytes, np.ndarray] = {}
    for match in (_same, _scaled):  # a constant that a file holds as it is is no other one's multiple
        for name, (theirs, new) in list(changed.items()):
            for value in by_size.get(theirs.size, ()):
                if digest(value) not in found and (own := match(value, theirs, new)) is not None:
                    found[digest(value)] = own
                    changed.pop(name, None)
    rest = [constant.value for constant in constants if digest(constant.value) not in found]
    rearranged, lost = _value_by_value(rest, changed)
    return found | rearranged, lost


def _value_by_value(
    constants: Sequence[np.ndarray], changed: Mapping[str, tuple[np.ndarray, np.ndarray]]
) -> tuple[dict[bytes, np.ndarray], list[str]]:
    """Constants that a converter has cut up, joined or put in another order: each value as that value is held.

    Only where no value is held in two ways, as one of half precision never is.
    """
    lost = []
    for name, (theirs, new) in changed.items():
        own, places = np.unique(theirs, return_inverse=True)
        held = np.zeros(own.size)
        held[places.reshape(-1)] = new.reshape(-1)
        if not np.array_equal(held[places.reshape(-1)], new.reshape(-1)):
            lost.append(name)
    if lost or not changed:
        return {}, lost
    known, first = np.unique(np.concatenate([v.reshape(-1) for v, _ in changed.values()]), return_index=True)
    held = np.concatenate([new.reshape(-1) for _, new in changed.values()])[first]
    found, seen = {}, np.zeros(known.size, bool)
    for value in constants:
        places = np.minimum(np.searchsorted(known, value), known.size - 1)
        if value.dtype.kind == "f" and value.size > 1 and np.array_equal(known[places], value):
            found[digest(value)] = held[places]
            seen[places] = True
    missing = known[~seen & (known != 0)]
    return found, [name for name, (theirs, _) in changed.items() if np.isin(theirs, missing).any()]


def _same(value: np.ndarray, theirs: np.ndarray, new: np.ndarray) -> np.ndarray | None:
    """`new` in the order of the graph's constant, if `theirs` is that constant with its axes in some order."""
    flat = np.ascontiguousarray(theirs).reshape(-1)
    for order in _orders(value):
        if np.array_equal(np.squeeze(value).transpose(order).reshape(-1), flat):
            return _back(value, order, new)
    return None


def _scaled(value: np.ndarray, theirs: np.ndarray, new: np.ndarray) -> np.ndarray | None:
    """The same where `theirs` has one factor for each entry of an axis."""
    squeezed = np.squeeze(value).astype(np.float64)
    for order in _orders(value):
        turned = squeezed.transpose(order)
        other = theirs.reshape(turned.shape).astype(np.float64)
        if np.any(other[turned == 0] != 0):
            continue
        ratio = np.divide(other, turned, out=np.full(turned.shape, np.nan), where=turned != 0)
        for axis in range(turned.ndim):
            rest = tuple(a for a in range(turned.ndim) if a != axis)
            if turned.size // turned.shape[axis] < 4:
                continue
            with np.errstate(all="ignore"):
                high, low = (f(ratio, axis=rest, keepdims=True) for f in (np.fmax.reduce, np.fmin.reduce))
            if np.all(np.isnan(high) | (np.abs(high - low) <= _ROUNDING * np.abs(high))):
                factor = np.where(np.isnan(high) | (high == 0), 1.0, (high + low) / 2)
                return _back(value, order, new.reshape(turned.shape) / factor)
    return None


def _orders(value: np.ndarray) -> Iterator[tuple[int, ...]]:
    rank = np.squeeze(value).ndim
    return permutations(range(rank)) if rank <= 4 else iter([tuple(range(rank))])


def _back(value: np.ndarray, order: tuple[int, ...], new: np.ndarray) -> np.ndarray:
    squeezed = np.squeeze(value)
    turned = new.reshape([squeezed.shape[a] for a in order])
    return turned.transpose(np.argsort(order)).reshape(value.shape)
