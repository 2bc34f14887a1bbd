"""Poolings: data formats and three dimensions."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from pipeline.legalize.registry import EVERY, ONNX, ORACLE, TFJS, TFLITE, rule
from pipeline.legalize.shapes import product, reshape, sizes
from pipeline.legalize.windows import (
    EXPLICIT,
    SAME,
    Window,
    fold_into_batch,
    is_channels_first,
    to_first,
    to_last,
    unfold_from_batch,
    window_of,
)

if TYPE_CHECKING:
    from pipeline.legalize.rewriter import Rewriter


# What leaves the order of a tensor's numbers, or just that of its axes, as it is.
_MOVES = {"Identity", "ExpandDims", "Squeeze", "Reshape", "Transpose"}


@rule(
    "Pad",
    "PadV2",
    targets=(ONNX,),
    why="Zeros in front of a maximum are written as 1.2e-38: ONNX Runtime makes a padding of a maximum's own of them, "
    "which is -inf.",
)
def zeros_before_a_maximum(rewriter: Rewriter, op: Any, x: Any, paddings: Any, value: Any = None) -> Any:
    zero = value is None or ((known := rewriter.value(value)) is not None and not np.any(known))
    if x.dtype != tf.float32 or not zero or not _feeds_a_maximum(op):
        return None
    return tf.pad(x, paddings, constant_values=np.finfo(np.float32).tiny)


@rule(
    "MaxPool",
    "AvgPool",
    "MaxPool3D",
    "AvgPool3D",
    targets=EVERY,
    why="The order of the axes does not matter to a pooling; the kernels of a CPU want the channels last.",
)
def pooling_channels_last(rewriter: Rewriter, op: Any, x: Any) -> Any:
    if not is_channels_first(op) or window_of(op).padding == EXPLICIT:
        return None
    window, last = window_of(op), to_last(rewriter, x)
    pool = _pool_planes if len(window.size) == 2 else _pool_depth
    return to_first(rewriter, pool(rewriter, op.type, last, window))


@rule(
    "MaxPool3D",
    targets=(TFLITE, TFJS, ORACLE),
    why="The maximum over a box is that over the depth of the maxima over its planes.",
)
def max_of_planes(rewriter: Rewriter, op: Any, x: Any) -> Any:
    return None if is_channels_first(op) else _pool_depth(rewriter, op.type, x, window_of(op))


@rule(
    "AvgPool3D",
    targets=(TFLITE, TFJS, ORACLE),
    why="The mean over a box is that over the depth of the means over its planes, all of one size, at an edge too.",
)
def mean_of_planes(rewriter: Rewriter, op: Any, x: Any) -> Any:
    return None if is_channels_first(op) else _pool_depth(rewriter, op.type, x, window_of(op))


@rule(
    "MaxPool3D",
    "AvgPool3D",
    targets=(ONNX,),
    why="Where strides leave gaps, what TensorFlow's 3-D poolings read depends on the CPU: this one's is followed.",
)
def centered_gaps(rewriter: Rewriter, op: Any, x: Any) -> Any:
    if is_channels_first(op) or not _leaves_gaps(window_of(op)):
        return None
    return _pool_depth(rewriter, op.type, x, window_of(op))


def _leaves_gaps(window: Window) -> bool:
    return window.padding == SAME and any(s > k for s, k in zip(window.strides, window.size, strict=True))


@cache
def _tensorflow_centers() -> bool:
    """Whether TensorFlow's 3-D poolings leave out as much in front as behind: Eigen's do, oneDNN's do not.

    Which of the two computes depends on the CPU, so this one is asked.
    """
    with tf.init_scope():
        (first, _) = np.ravel(tf.nn.max_pool3d(np.arange(7, dtype=np.float32).reshape(1, 7, 1, 1, 1), 1, 4, "SAME"))
    return bool(first > 0)


def _pool_depth(rewriter: Rewriter, kind: str, x: Any, window: Window) -> Any:
    """[batch, depth, height, width, channels] plane by plane, and then along the depth."""
    if _leaves_gaps(window) and _tensorflow_centers():
        x = _center(x, window)
    flat, outer = fold_into_batch(rewriter, x, 2)
    planes = unfold_from_batch(rewriter, _pool_planes(rewriter, kind, flat, window.without(0)), outer)
    batch, depth, height, width, channels = sizes(planes)
    column = Window((window.strides[0], 1), (1, 1), window.padding, (), (window.size[0], 1))
    if column.size == column.strides == (1, 1):
        return planes
    columns = reshape(rewriter, planes, [batch, depth, product([height, width]), channels])
    pooled = _pool_planes(rewriter, kind, columns, column)
    return reshape(rewriter, pooled, [batch, sizes(pooled)[1], height, width, channels])


def _pool_planes(rewriter: Rewriter, kind: str, x: Any, window: Window) -> Any:
    if window.size == window.strides == (1, 1):
        return x
    pool = tf.nn.max_pool2d if kind.startswith("Max") else tf.nn.avg_pool2d
    return pool(x, [1, *window.size, 1], [1, *window.strides, 1], window.padding)


def _center(x: Any, window: Window) -> Any:
    """Without the first half of what the windows leave out."""
    begin = [0] * x.shape.rank
    for axis, (size, stride, length) in enumerate(zip(window.size, window.strides, sizes(x)[1:-1], strict=True)):
        rest = length - size - ((length + stride - 1) // stride - 1) * stride
        begin[axis + 1] = max(rest, 0) // 2 if isinstance(rest, int) else tf.maximum(rest, 0) // 2
    return x[tuple(slice(b, None) for b in begin)]


def _feeds_a_maximum(op: Any) -> bool:
    readers = op.outputs[0].consumers()
    return any(r.type.startswith("MaxPool") or (r.type in _MOVES and _feeds_a_maximum(r)) for r in readers)
