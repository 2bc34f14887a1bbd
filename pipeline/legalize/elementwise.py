"""Elementwise operations on two tensors of more axes than a target's kernels have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tensorflow as tf

from pipeline.legalize.products import joint
from pipeline.legalize.registry import TFJS, TFLITE
from pipeline.legalize.shapes import product, reshape, sizes

if TYPE_CHECKING:
    from pipeline.legalize.rewriter import Rewriter

# Axes that the kernels of LiteRT 2.3 and of TF.js 4.22 have; the second, where nothing is repeated.
_JOINED, _IN_A_ROW = 4, 6


def combine(rewriter: Rewriter, kind: str, x: Any, y: Any) -> Any:
    """The operation of this type on two tensors, as the target's kernels can do it."""
    found = joined(rewriter, kind, x, y) if rewriter.target in (TFLITE, TFJS) else None
    return getattr(tf.raw_ops, kind)(x=x, y=y) if found is None else found


def joined(rewriter: Rewriter, kind: str, x: Any, y: Any) -> Any:
    """The same with runs of axes as one; None where the kernels have enough of them, or there is no run."""
    rank = max(x.shape.rank or 0, y.shape.rank or 0)
    if rank <= _JOINED or (rank <= _IN_A_ROW and 1 in (x.shape.num_elements(), y.shape.num_elements())):
        return None
    left, right = ([1] * (rank - t.shape.rank) + sizes(t) for t in (x, y))
    kinds = [(_is_one(a), _is_one(b)) for a, b in zip(left, right, strict=True)]
    if len(set(kinds)) == 1 and rank <= _IN_A_ROW:
        return None  # Nothing is repeated: the kernels take the numbers as they lie.
    found = runs([(False, False) if k == (True, True) else k for k in kinds])
    if len(found) == rank:
        return None
    flat = [reshape(rewriter, t, [product([d[a] for a in run]) for run in found]) for t, d in ((x, left), (y, right))]
    result = getattr(tf.raw_ops, kind)(x=flat[0], y=flat[1])
    return reshape(rewriter, result, [joint(a, b) for a, b in zip(left, right, strict=True)])


def clamp(x: Any, low: Any, high: Any) -> Any:
    """`tf.clip_by_value`; integers by comparison: TFLite's converter takes 0 to 6 for a Relu6, which is for floats."""
    if not x.dtype.is_integer:
        return tf.clip_by_value(x, low, high)
    low, high = tf.cast(low, x.dtype), tf.cast(high, x.dtype)
    return tf.where(x < low, low, tf.where(x > high, high, x))


def runs(kinds: list[Any]) -> list[list[int]]:
    """Neighbouring axes of one kind."""
    found: list[list[int]] = []
    for axis, kind in enumerate(kinds):
        if axis and kinds[axis - 1] == kind:
            found[-1].append(axis)
        else:
            found.append([axis])
    return found


def _is_one(size: Any) -> bool:
    return isinstance(size, int) and size == 1
