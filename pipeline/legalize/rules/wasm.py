"""Kernels of the wasm backend of TF.js that take every tensor for floats: the result is wrong, or memory corrupt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tensorflow as tf

from pipeline.legalize.registry import TFJS, rule

if TYPE_CHECKING:
    from pipeline.legalize.rewriter import Rewriter


@rule("ReverseV2", targets=(TFJS,), why="Reversed as integers: the kernel corrupts memory on booleans.")
def reverse_booleans(rewriter: Rewriter, op: Any, x: Any, axes: Any) -> Any:
    return tf.not_equal(tf.reverse(tf.cast(x, tf.int32), axes), 0) if x.dtype == tf.bool else None


@rule(
    "Select",
    "SelectV2",
    targets=(TFJS,),
    why="A choice between booleans is (c and a) or (not c and b); the kernel reads beyond its booleans.",
)
def select_booleans(rewriter: Rewriter, op: Any, condition: Any, x: Any, y: Any) -> Any:
    if x.dtype != tf.bool or (op.type == "Select" and condition.shape.rank != x.shape.rank):
        return None
    return tf.logical_or(tf.logical_and(condition, x), tf.logical_and(tf.logical_not(condition), y))


@rule(
    "StridedSlice",
    targets=(TFJS,),
    why="Cut as floats, integers in halves of 16 bits that a float holds; the kernel returns the bits as floats.",
)
def stride_through_floats(rewriter: Rewriter, op: Any, x: Any, begin: Any, end: Any, strides: Any) -> Any:
    steps = rewriter.value(strides)
    if x.dtype not in (tf.bool, tf.int32) or steps is None or all(s == 1 for s in steps):
        return None
    names = ("begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask")
    masks = {name: op.get_attr(name) for name in names}

    def cut(part: Any) -> Any:
        taken = tf.raw_ops.StridedSlice(input=tf.cast(part, tf.float32), begin=begin, end=end, strides=strides, **masks)
        return tf.cast(taken, tf.int32)

    if x.dtype == tf.bool:
        return tf.not_equal(cut(x), 0)
    high = tf.math.floordiv(x, 1 << 16)
    return cut(high) * (1 << 16) + cut(x - high * (1 << 16))
