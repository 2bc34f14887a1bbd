"""Bounds of whole numbers in a graph: interval arithmetic, from what is known to what is asked.

Known are the constants, the ranges that the user declared for inputs, and the types. What is not followed is as wide as
its type, so that an answer is never too narrow. Source: Moore, Interval Analysis (1966).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

if TYPE_CHECKING:
    from pipeline.legalize.rewriter import Rewriter

Bounds = tuple[float, float]
_ANYTHING = (-inf, inf)
_MOST_STEPS = 500

# Operations that move values, by the place of their values among the inputs.
_MOVES = {
    "Split": 1,
    **dict.fromkeys(
        [
            "Identity",
            "StopGradient",
            "Snapshot",
            "EnsureShape",
            "Reshape",
            "ExpandDims",
            "Squeeze",
            "Transpose",
            "Tile",
            "BroadcastTo",
            "ReverseV2",
            "StridedSlice",
            "Slice",
            "GatherV2",
            "GatherNd",
            "SplitV",
            "Unpack",
            "Max",
            "Min",
            "Floor",
            "Ceil",
            "Round",
            "Rint",
        ],
        0,
    ),
}


def bounds(rewriter: Rewriter, *forms: Any) -> Bounds:
    """The smallest and the largest value that a tensor of numbers or truth values may have.

    Args:
        forms: the same tensor in the source graph and in the new one; each may tell what the other does not.
    """
    walk = _Walk(rewriter)
    found = [walk.of(tensor) for tensor in forms]
    return max(low for low, _ in found), min(high for _, high in found)


def inputs_of(tensor: Any) -> list[Any]:
    """The graph's inputs that a tensor depends on."""
    found, stack, seen = [], [tensor.op], set()
    while stack:
        op = stack.pop()
        if op.name in seen:
            continue
        seen.add(op.name)
        if op.type == "Placeholder":
            found.append(op.outputs[0])
        stack += [t.op for t in op.inputs]
    return found


class _Walk:
    """One question; each tensor is looked at once."""

    def __init__(self, rewriter: Rewriter) -> None:
        self._rewriter = rewriter
        self._found: dict[int, Bounds] = {}

    def of(self, tensor: Any) -> Bounds:
        if id(tensor) not in self._found:
            widest = _of_type(tensor.dtype)
            self._found[id(tensor)] = widest  # where it is met again on the way
            if len(self._found) < _MOST_STEPS:
                low, high = self._look(tensor)
                if widest[0] <= low and high <= widest[1]:  # else it may wrap around
                    self._found[id(tensor)] = (low, high)
        return self._found[id(tensor)]

    def _look(self, tensor: Any) -> Bounds:
        if (declared := self._rewriter.ranges.get(id(tensor))) is not None:
            return declared
        known = self._rewriter.value(tensor)
        if known is not None:
            usable = known.size and known.dtype.kind in "iubf" and not np.isnan(known).any()
            return (_plain(known.min()), _plain(known.max())) if usable else _ANYTHING
        op = tensor.op
        if op.type in _MOVES:
            low, high = self.of(op.inputs[_MOVES[op.type]])
            return (np.floor(low), np.ceil(high)) if op.type in ("Floor", "Ceil", "Round", "Rint") else (low, high)
        if op.type in _ALONE:
            return _ALONE[op.type](op)
        rule = _RULES.get(op.type)
        return _ANYTHING if rule is None else rule(op, self.of)


def _plain(value: Any) -> float:
    """A Python number: those of NumPy wrap around."""
    return int(value) if np.asarray(value).dtype.kind in "iub" else float(value)


def _of_type(dtype: Any) -> Bounds:
    base = dtype.base_dtype
    if base == tf.bool:
        return (0, 1)
    return (base.min, base.max) if base.is_integer else _ANYTHING


def _corners(combine: Callable[[float, float], float]) -> Callable[..., Bounds]:
    """For an operation that is monotonic in each operand: its extremes are at those of the operands."""

    def rule(op: Any, of: Callable[[Any], Bounds]) -> Bounds:
        values = [combine(x, y) for x in of(op.inputs[0]) for y in of(op.inputs[1])]
        return _ANYTHING if any(v != v for v in values) else (min(values), max(values))

    return rule


def _union(first: int, last: int | None) -> Callable[..., Bounds]:
    def rule(op: Any, of: Callable[[Any], Bounds]) -> Bounds:
        found = [of(t) for t in op.inputs[first:last]]
        return min(b[0] for b in found), max(b[1] for b in found)

    return rule


def _cast(op: Any, of: Callable[[Any], Bounds]) -> Bounds:
    low, high = of(op.inputs[0])
    if op.outputs[0].dtype == tf.bool:
        return 0, 1
    if op.outputs[0].dtype.is_integer and op.inputs[0].dtype.is_floating and (low, high) != _ANYTHING:
        return np.floor(low), np.ceil(high)
    return low, high


def _pad(op: Any, of: Callable[[Any], Bounds]) -> Bounds:
    low, high = of(op.inputs[0])
    fill = of(op.inputs[2]) if len(op.inputs) > 2 else (0, 0)
    return min(low, fill[0]), max(high, fill[1])


def _negate(op: Any, of: Callable[[Any], Bounds]) -> Bounds:
    low, high = of(op.inputs[0])
    return -high, -low


def _absolute(op: Any, of: Callable[[Any], Bounds]) -> Bounds:
    low, high = of(op.inputs[0])
    return (0 if low <= 0 <= high else min(abs(low), abs(high))), max(abs(low), abs(high))


def _remainder(op: Any, of: Callable[[Any], Bounds]) -> Bounds:
    low, high = of(op.inputs[1])
    if low <= 0 or not op.outputs[0].dtype.is_integer:
        return _ANYTHING
    return 0, high - 1


def _quotient(op: Any, of: Callable[[Any], Bounds]) -> Bounds:
    low, high = of(op.inputs[1])
    if low <= 0 or inf in of(op.inputs[0]):
        return _ANYTHING
    values = [x // y for x in of(op.inputs[0]) for y in (low, high)]
    return min(values), max(values)


def _place(op: Any) -> Bounds:
    axis = tf.get_static_value(op.inputs[1])
    shape = op.inputs[0].shape
    size = shape[int(axis)] if axis is not None and shape.rank else None
    return (0, size - 1) if size else _ANYTHING


def _sum(op: Any, of: Callable[[Any], Bounds]) -> Bounds:
    whole, kept = op.inputs[0].shape, op.outputs[0].shape
    axes = tf.get_static_value(op.inputs[1])
    if whole.rank is None or kept.rank is None or axes is None:
        return _ANYTHING
    sizes = [whole[int(axis)] for axis in np.ravel(axes)]
    if None in sizes:
        return _ANYTHING
    low, high = of(op.inputs[0])
    count = int(np.prod(sizes))
    return low * count, high * count


# What an operation bounds whatever its operands are.
_ALONE: Mapping[str, Callable[[Any], Bounds]] = {
    "ArgMax": _place,
    "ArgMin": _place,
    "Bucketize": lambda op: (0, len(op.get_attr("boundaries"))),
    "OnesLike": lambda _: (1, 1),
    "ZerosLike": lambda _: (0, 0),
    "Sigmoid": lambda _: (0, 1),
    "Relu6": lambda _: (0, 6),
}

_RULES: Mapping[str, Callable[..., Bounds]] = {
    "Cast": _cast,
    "Pad": _pad,
    "PadV2": _pad,
    "ConcatV2": _union(0, -1),
    "Pack": _union(0, None),
    "SelectV2": _union(1, None),
    "Select": _union(1, None),
    "AddV2": _corners(lambda x, y: x + y),
    "Add": _corners(lambda x, y: x + y),
    "Sub": _corners(lambda x, y: x - y),
    "Mul": _corners(lambda x, y: x * y),
    "Maximum": _corners(max),
    "Minimum": _corners(min),
    "Neg": _negate,
    "Abs": _absolute,
    "FloorMod": _remainder,
    "FloorDiv": _quotient,
    "Sum": _sum,
    "Fill": lambda op, of: of(op.inputs[1]),
}
