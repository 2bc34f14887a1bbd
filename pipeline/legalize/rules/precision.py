"""Quantized layers: products of integers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from pipeline.legalize.registry import FORMATS, rule

if TYPE_CHECKING:
    from pipeline.legalize.rewriter import Rewriter

# So many products of two int8 numbers (at most 2^14 each) add up exactly in a float32.
_EXACT_TERMS = 1 << 10


@rule(
    "BatchMatMulV3",
    targets=FORMATS,
    why="float32 adds up to 1024 products of int8 numbers without rounding; longer sums are cut, and joined in int32.",
)
def quantized_product(rewriter: Rewriter, op: Any, x: Any, y: Any) -> Any:
    kinds = {t.dtype.base_dtype for t in op.inputs}
    result = op.outputs[0].dtype.base_dtype
    adjoint = {"adjoint_a": op.get_attr("adj_x"), "adjoint_b": op.get_attr("adj_y")}
    if result.is_floating:
        return tf.matmul(_as_float(rewriter, x), _as_float(rewriter, y), **adjoint)
    x_axis, y_axis = (-2 if adjoint["adjoint_a"] else -1), (-1 if adjoint["adjoint_b"] else -2)
    terms = x.shape[x_axis] if x.shape[x_axis] is not None else y.shape[y_axis]
    if kinds - {tf.int8, tf.uint8} or result != tf.int32 or terms is None:
        return None
    x, y = _as_float(rewriter, x), _as_float(rewriter, y)
    total = None
    for start in range(0, terms, _EXACT_TERMS):
        pieces = [_cut(rewriter, t, a, start, terms) for t, a in ((x, x_axis), (y, y_axis))]
        part = tf.cast(tf.matmul(*pieces, **adjoint), tf.int32)
        total = part if total is None else total + part
    return total


def _as_float(rewriter: Rewriter, tensor: Any) -> Any:
    if (value := rewriter.value(tensor)) is not None:
        return rewriter.constant(value.astype(np.float32), tensor)
    return tf.cast(tensor, tf.float32)


def _cut(rewriter: Rewriter, tensor: Any, axis: int, start: int, terms: int) -> Any:
    if terms <= _EXACT_TERMS:
        return tensor
    index: list[Any] = [slice(None)] * tensor.shape.rank
    index[axis] = slice(start, min(start + _EXACT_TERMS, terms))
    if (value := rewriter.value(tensor)) is not None:
        return rewriter.constant(np.ascontiguousarray(value[tuple(index)]), tensor)
    return tensor[tuple(index)]
