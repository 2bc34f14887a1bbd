"""Splitting, padding, joining and multiplying in types that a target's kernel does not take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from pipeline.legalize.elementwise import clamp
from pipeline.legalize.registry import EVERY, FORMATS, ONNX, TFJS, TFLITE, rule
from pipeline.legalize.rules.integer import floor_divide
from pipeline.legalize.shapes import sizes

if TYPE_CHECKING:
    from pipeline.legalize.rewriter import Rewriter

_SPLIT = (tf.float32, tf.int32)
_JOINED = (tf.int32, tf.int64)


@rule("Split", targets=(TFLITE,), why="Equal parts are slices, one behind the other.")
def split_by_slices(rewriter: Rewriter, op: Any, axis: Any, x: Any) -> Any:
    known, count = rewriter.value(axis), len(op.outputs)
    if x.dtype in _SPLIT or known is None:
        return None
    at = int(known) % x.shape.rank
    part = sizes(x)[at] // count
    return [_cut(x, at, k * part, part) for k in range(count)]


@rule("SplitV", targets=(TFLITE,), why="Parts of given sizes are slices, one behind the other.")
def split_by_sizes(rewriter: Rewriter, op: Any, x: Any, lengths: Any, axis: Any) -> Any:
    known, parts = rewriter.value(axis), rewriter.value(lengths)
    if x.dtype in _SPLIT or known is None or parts is None or np.any(parts < 0):
        return None
    at = int(known) % x.shape.rank
    starts = np.cumsum(parts) - parts
    return [_cut(x, at, int(start), int(length)) for start, length in zip(starts, parts, strict=True)]


@rule("Unpack", targets=(TFLITE,), why="An entry along an axis is a slice of one, without that axis.")
def unpack_by_slices(rewriter: Rewriter, op: Any, x: Any) -> Any:
    if x.dtype in (*_SPLIT, tf.bool):
        return None
    at = op.get_attr("axis") % x.shape.rank
    return [tf.squeeze(_cut(x, at, k, 1), at) for k in range(len(op.outputs))]


@rule("Pad", "PadV2", "MirrorPad", targets=(ONNX,), why="Truth values are padded as the numbers 0 and 1.")
def pad_truth(rewriter: Rewriter, op: Any, x: Any, widths: Any, value: Any = None) -> Any:
    if x.dtype != tf.bool:
        return None
    number = tf.cast(x, tf.int32)
    if op.type == "MirrorPad":
        return tf.cast(tf.pad(number, widths, op.get_attr("mode").decode()), tf.bool)
    filler = 0 if value is None else tf.cast(value, tf.int32)
    return tf.cast(tf.pad(number, widths, constant_values=filler), tf.bool)


@rule("IsInf", targets=(TFLITE,), why="A number is infinite if its magnitude is above the largest finite one.")
def infinite_by_magnitude(rewriter: Rewriter, op: Any, x: Any) -> Any:
    return tf.abs(x) > x.dtype.max


@rule("ClipByValue", targets=FORMATS, why="max(low, min(x, high)) is its definition.")
def clip_by_definition(rewriter: Rewriter, op: Any, x: Any, low: Any, high: Any) -> Any:
    return clamp(x, low, high) if x.dtype.is_integer else tf.maximum(tf.minimum(x, high), low)


@rule("TruncateMod", targets=FORMATS, why="The remainder of the magnitudes, exact in floats, with the dividend's sign.")
def truncated_float_remainder(rewriter: Rewriter, op: Any, x: Any, y: Any) -> Any:
    if not x.dtype.is_floating:
        return None
    rest = tf.math.floormod(tf.abs(x), tf.abs(y))
    return tf.where(x < 0, -rest, rest)


@rule("ShapeN", targets=EVERY, why="The shapes of several tensors, one by one.", structural=True)
def shapes_one_by_one(rewriter: Rewriter, op: Any, *tensors: Any) -> Any:
    return [tf.shape(t, out_type=op.outputs[0].dtype) for t in tensors]


@rule("UnravelIndex", targets=FORMATS, why="Remainders and quotients by the sizes, from the last axis to the first.")
def unravel_by_division(rewriter: Rewriter, op: Any, index: Any, dims: Any) -> Any:
    known = rewriter.value(dims)
    if known is None or index.dtype not in _JOINED:
        return None
    places = []
    for size in known[::-1]:
        divisor = rewriter.constant(np.array(size, known.dtype))
        quotient = floor_divide(rewriter, index, divisor)
        places.append(index - quotient * divisor)
        index = quotient
    return tf.stack(places[::-1])


@rule("MatMul", "BatchMatMulV2", targets=(TFLITE, TFJS), why="A product of integer matrices is a sum of products.")
def integer_product(rewriter: Rewriter, op: Any, x: Any, y: Any) -> Any:
    if x.dtype not in _JOINED or y.dtype != x.dtype:
        return None
    names = ("transpose_a", "transpose_b") if op.type == "MatMul" else ("adj_x", "adj_y")
    x, y = (tf.linalg.matrix_transpose(t) if op.get_attr(n) else t for t, n in zip((x, y), names, strict=True))
    return tf.reduce_sum(tf.expand_dims(x, -1) * tf.expand_dims(y, -3), -2)


@rule(
    "DynamicStitch", "ParallelDynamicStitch", targets=FORMATS, why="With constant places it is one gather of all parts."
)
def stitch_by_gather(rewriter: Rewriter, op: Any, *inputs: Any) -> Any:
    count = len(inputs) // 2
    places = [p for t in inputs[:count] if (p := rewriter.value(t)) is not None]
    if len(places) != count:
        return None
    rows = [
        tf.reshape(data, tf.stack([place.size, *sizes(data)[place.ndim :]]))
        for place, data in zip(places, inputs[count:], strict=True)
    ]
    order = np.concatenate([p.ravel() for p in places])
    # What is written last stays; a place that nothing is written to holds anything.
    taken = np.zeros(order.max(initial=-1) + 1, np.int32)
    taken[order] = np.arange(len(order))
    return tf.gather(tf.concat(rows, 0), rewriter.constant(taken))


def _cut(x: Any, axis: int, start: Any, length: Any) -> Any:
    begin = [start if a == axis else 0 for a in range(x.shape.rank)]
    size = [length if a == axis else -1 for a in range(x.shape.rank)]
    return tf.slice(x, begin, size)
