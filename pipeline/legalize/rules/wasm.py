"""Kernels of the wasm backend of TF.js that take every tensor for floats: the result is wrong, or memory corrupt."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from pipeline.legalize.registry import TFJS, rule
from pipeline.legalize.shapes import product, reshape, sizes

if TYPE_CHECKING:
    from pipeline.legalize.rewriter import Rewriter

_WHOLE = (tf.bool, tf.int32, tf.int64)


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


@rule("Cast", targets=(TFJS,), why="A number is true if it is not zero; the kernel cuts its fraction off first.")
def truth_by_comparison(rewriter: Rewriter, op: Any, x: Any) -> Any:
    return tf.not_equal(x, 0.0) if op.outputs[0].dtype == tf.bool and x.dtype.is_floating else None


@rule(
    "SpaceToDepth",
    targets=(TFJS,),
    why="A block's rows lie side by side, so one exchange of two axes brings it together.",
)
def blocks_by_transposition(rewriter: Rewriter, op: Any, x: Any) -> Any:
    block = op.get_attr("block_size")
    batch, height, width, channels = sizes(x)
    if op.get_attr("data_format") != b"NHWC":
        return None
    rows = reshape(rewriter, x, [product([batch, height // block]), block, width // block, block * channels])
    return reshape(
        rewriter,
        tf.transpose(rows, [0, 2, 1, 3]),
        [batch, height // block, width // block, block * block * channels],
    )


@rule(
    "StridedSlice",
    targets=(TFJS,),
    why="Axes are left out or put in by a reshape after the cut: beside such an axis, the kernel forgets the strides.",
)
def stride_before_shrinking(rewriter: Rewriter, op: Any, x: Any, begin: Any, end: Any, strides: Any) -> Any:
    first, last, steps = (rewriter.value(t) for t in (begin, end, strides))
    masks = {
        n: op.get_attr(n) for n in ("begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask")
    }
    if first is None or last is None or steps is None or x.dtype not in (tf.float32, *_WHOLE):
        return None
    if all(s == 1 for s in steps) or not (masks["new_axis_mask"] or masks["shrink_axis_mask"]):
        return None
    cuts: list[slice] = []
    # What the result has along each of its axes: a new one, or one of those that were cut.
    made: list[int | None] = []
    wanted = sum(not masks["new_axis_mask"] >> k & 1 and not masks["ellipsis_mask"] >> k & 1 for k in range(len(first)))
    for k, (b, e, s) in enumerate(zip(first, last, steps, strict=True)):
        if masks["ellipsis_mask"] >> k & 1:
            for _ in range(x.shape.rank - wanted):
                made.append(len(cuts))
                cuts.append(slice(None))
        elif masks["new_axis_mask"] >> k & 1:
            made.append(None)
        elif masks["shrink_axis_mask"] >> k & 1:
            cuts.append(slice(int(b), None if b == -1 else int(b) + 1))
        else:
            made.append(len(cuts))
            start = None if masks["begin_mask"] >> k & 1 else int(b)
            cuts.append(slice(start, None if masks["end_mask"] >> k & 1 else int(e), int(s)))
    made += range(len(cuts), x.shape.rank)
    whole = tuple(cuts)
    cut = _through_floats(x, lambda part: part[whole]) if x.dtype in _WHOLE else x[whole]
    dims = sizes(cut)
    return reshape(rewriter, cut, [1 if axis is None else dims[axis] for axis in made])


@rule(
    "StridedSlice",
    targets=(TFJS,),
    why="Cut as floats, integers in halves of 16 bits that a float holds; the kernel returns the bits as floats.",
)
def stride_through_floats(rewriter: Rewriter, op: Any, x: Any, begin: Any, end: Any, strides: Any) -> Any:
    steps = rewriter.value(strides)
    if x.dtype not in _WHOLE or steps is None or all(s == 1 for s in steps):
        return None
    return _through_floats(x, lambda part: _sliced(op, part, begin, end, strides))


def _through_floats(x: Any, cut: Callable[[Any], Any]) -> Any:
    """What a cut of floats makes of truth values or integers."""
    if x.dtype == tf.bool:
        return tf.not_equal(cut(tf.cast(x, tf.float32)), 0.0)
    number = tf.cast(x, tf.int32)
    high = tf.math.floordiv(number, 1 << 16)
    parts = [tf.cast(cut(tf.cast(p, tf.float32)), tf.int32) for p in (high, number - high * (1 << 16))]
    return tf.cast(parts[0] * (1 << 16) + parts[1], x.dtype)


def _sliced(op: Any, x: Any, begin: Any, end: Any, strides: Any) -> Any:
    names = ("begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask")
    masks = {name: op.get_attr(name) for name in names}
    return tf.raw_ops.StridedSlice(input=x, begin=begin, end=end, strides=strides, **masks)
