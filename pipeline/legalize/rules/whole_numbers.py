"""Whole numbers of 8 and 16 bits, and those without a sign: computed in int32 and int64, and wrapped to their range."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from pipeline.legalize.emit import WHOLE, promote
from pipeline.legalize.registry import FORMATS, rule
from pipeline.legalize.rules.integer import floor_divide

if TYPE_CHECKING:
    from pipeline.legalize.rewriter import Rewriter

_SHORT = (tf.int8, tf.uint8, tf.int16, tf.uint16)


@rule(
    *("AddV2", "Add", "AddN", "Sub", "Mul", "Neg", "Abs", "Square", "SquaredDifference", "Pow", "Sum", "Prod"),
    *("Cumsum", "Cumprod", "LeftShift", "Invert", "MatMul", "BatchMatMulV2", "BatchMatMulV3", "Einsum", "BiasAdd"),
    *("ScatterNd", "TensorScatterAdd", "TensorScatterSub", "UnsortedSegmentSum", "UnsortedSegmentProd", "SegmentSum"),
    *("SegmentProd", "Bincount", "DenseBincount", "Cast"),
    targets=FORMATS,
    why="Sums and products wrap modulo the type's size, so they may be formed in a wider type and wrapped in the end.",
    first=True,
)
def wrap_to_type(rewriter: Rewriter, op: Any, *inputs: Any) -> Any:
    narrow = op.outputs[0].dtype
    if narrow not in WHOLE or not all(isinstance(t, tf.Tensor) for t in inputs):
        return None
    if op.type == "Cast":
        source = op.inputs[0].dtype
        wide = tf.int32 if narrow in _SHORT else tf.int64
        number = inputs[0] if inputs[0].dtype.is_integer else tf.cast(inputs[0], wide)
        if source == tf.bool or (source in WHOLE and narrow.min <= source.min and source.max <= narrow.max):
            return _represented(rewriter, number, narrow)
        return wrap(rewriter, number, narrow)
    return wrap(rewriter, rewriter.replace(op, list(inputs), without="wrap_to_type")[0], narrow)


@rule(
    "Cast",
    targets=FORMATS,
    why="A number of 8 or 16 bits is what it was before it was widened; the cast can start from there.",
    structural=True,
)
def cast_at_once(rewriter: Rewriter, op: Any, x: Any) -> Any:
    kind = op.outputs[0].dtype
    if not isinstance(x, tf.Tensor) or x.op.type != "Cast" or not kind.is_floating:
        return None
    source = x.op.inputs[0]
    return tf.cast(source, tf.float32) if source.dtype in _SHORT and x.dtype == tf.int32 else None


@rule("Bitcast", targets=FORMATS, why="The bits of a whole number read with or without a sign: the same modulo 2^n.")
def bits_with_or_without_sign(rewriter: Rewriter, op: Any, x: Any) -> Any:
    source, kind = op.inputs[0].dtype, op.outputs[0].dtype
    if not (source.is_integer and kind.is_integer and source.size == kind.size):
        return None
    return _represented(rewriter, x, kind) if source == kind else wrap(rewriter, x, kind)


def wrap(rewriter: Rewriter, number: Any, narrow: Any) -> Any:
    """A whole number modulo the range of a type, in the type that stands for that one."""
    if narrow.size == 8 or (narrow.size == 4 and (rewriter.target == "tfjs" or narrow == tf.int32)):
        # The type that stands for it wraps by itself.
        return _represented(rewriter, number, narrow)
    size = rewriter.constant(np.array(1 << (8 * narrow.size), number.dtype.as_numpy_dtype))
    moved = number - narrow.min if narrow.min else number
    rest = moved - floor_divide(rewriter, moved, size) * size
    return _represented(rewriter, rest + narrow.min if narrow.min else rest, narrow)


def _represented(rewriter: Rewriter, number: Any, kind: Any) -> Any:
    wanted = promote(kind, rewriter.target)
    return number if number.dtype == wanted else tf.cast(number, wanted)
