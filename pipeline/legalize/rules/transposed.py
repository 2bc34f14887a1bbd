"""Transposed convolutions: data formats, dilations and three dimensions."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf
from tensorflow.python.framework import tensor_util

from pipeline.legalize.convolve import convolve, is_deep
from pipeline.legalize.registry import EVERY, ONNX, TFJS, rule
from pipeline.legalize.shapes import product, reshape, sizes
from pipeline.legalize.windows import (
    EXPLICIT,
    VALID,
    Window,
    fold_into_batch,
    is_channels_first,
    pad_axis,
    to_first,
    to_last,
    window_of,
)

if TYPE_CHECKING:
    from pipeline.legalize.rewriter import Rewriter


@rule(
    "Conv2DBackpropInput",
    "Conv3DBackpropInputV2",
    targets=EVERY,
    why="The order of the axes does not matter to a transposed convolution; a CPU's kernels want the channels last.",
)
def transposed_channels_last(rewriter: Rewriter, op: Any, shape: Any, kernel: Any, x: Any) -> Any:
    if not is_channels_first(op):
        return None
    batch, channels, *spatial = _entries(shape)
    last = to_last(rewriter, x)
    return to_first(rewriter, _lower(rewriter, [batch, *spatial, channels], kernel, last, window_of(op)))


@rule(
    "Conv2DBackpropInput",
    "Conv3DBackpropInputV2",
    targets=EVERY,
    why="At stride 1, a transposed convolution is a convolution with the kernel reversed, which may have gaps.",
)
def transposed_with_gaps(rewriter: Rewriter, op: Any, shape: Any, kernel: Any, x: Any) -> Any:
    window = window_of(op)
    if is_channels_first(op) or not window.dilated or max(window.strides) > 1:
        return None
    return _reversed(rewriter, kernel, x, window)


@rule(
    "Conv3DBackpropInputV2",
    targets=(TFJS,),
    why="A 3-D transposed convolution is a 2-D one with the kernel's depth among its filters, whose slices are added.",
)
def transposed_depth_as_filters(rewriter: Rewriter, op: Any, shape: Any, kernel: Any, x: Any) -> Any:
    window = window_of(op)
    if is_channels_first(op) or window.dilated or window.padding == EXPLICIT:
        return None
    return _by_depth(rewriter, _entries(shape), kernel, x, window)


@rule(
    "Conv2DBackpropInput",
    "Conv3DBackpropInputV2",
    targets=(ONNX,),
    why="Zero taps up to the stride change no sum; tf2onnx writes a padding below zero for a kernel shorter than it.",
)
def transposed_by_stride(rewriter: Rewriter, op: Any, shape: Any, kernel: Any, x: Any) -> Any:
    window, taps = window_of(op), rewriter.value(kernel)
    if taps is None or is_channels_first(op) or window.dilated or window.padding == EXPLICIT:
        return None
    missing = [max(0, stride - size) for stride, size in zip(window.strides, taps.shape, strict=False)]
    if not any(missing):
        return None
    longer = np.pad(taps, [*((0, count) for count in missing), (0, 0), (0, 0)])
    attrs = {name: op.get_attr(name) for name in ("strides", "padding", "data_format", "dilations")}
    transposed = getattr(tf.raw_ops, op.type)
    operands = {"filter": rewriter.constant(longer, kernel), "out_backprop": x}
    return transposed(input_sizes=shape, **operands, **attrs)


def _lower(rewriter: Rewriter, out: list[Any], kernel: Any, x: Any, window: Window) -> Any:
    """The transposed convolution with its channels last."""
    if window.dilated and max(window.strides) == 1:
        return _reversed(rewriter, kernel, x, window)
    if is_deep(window) and rewriter.target == TFJS and not window.dilated and window.padding != EXPLICIT:
        return _by_depth(rewriter, out, kernel, x, window)
    kind = tf.raw_ops.Conv3DBackpropInputV2 if is_deep(window) else tf.raw_ops.Conv2DBackpropInput
    result = kind(input_sizes=_vector(out), filter=kernel, out_backprop=x, **window.attributes())
    result.set_shape([None, *(d if isinstance(d, int) else None for d in out[1:])])
    return result


def _reversed(rewriter: Rewriter, kernel: Any, x: Any, window: Window) -> Any:
    """As a convolution; its padding is what is left of the full one, front and back changed over."""
    spatial = len(window.strides)
    extents = [(int(size) - 1) * gap for size, gap in zip(kernel.shape[:spatial], window.dilations, strict=True)]
    fronts = [window.margins(axis, 0, int(kernel.shape[axis])) for axis in range(spatial)]
    margins = tuple((extent - f, extent - b) for extent, (f, b) in zip(extents, fronts, strict=True))
    order = [*range(spatial), spatial + 1, spatial]
    value = rewriter.value(kernel)
    if value is None:
        turned = tf.transpose(tf.reverse(kernel, list(range(spatial))), order)
    else:
        turned = rewriter.constant(np.ascontiguousarray(np.flip(value, tuple(range(spatial))).transpose(order)), kernel)
    plain = replace(window, padding=EXPLICIT, explicit=margins)
    return convolve(rewriter, x, turned, plain if any(map(max, margins)) else replace(window, padding=VALID))


def _by_depth(rewriter: Rewriter, out: list[Any], kernel: Any, x: Any, window: Window) -> Any:
    """Each input slice gives `depth` output slices, which lie `stride` apart from those of the next, and overlap."""
    depth, filters = kernel.shape[0], kernel.shape[3]
    stride = window.strides[0]
    chunks = -(-depth // stride)
    flat, (batch, length) = fold_into_batch(rewriter, x, 2)
    # Filters in the order (chunk, slice of the chunk, filter); the depth is filled up to whole chunks with zeros.
    many = _transposed_kernel(rewriter, kernel, chunks * stride)
    plane = window.without(0)
    shape = _vector([product([batch, length]), *out[2:4], chunks * stride * filters])
    parts = tf.raw_ops.Conv2DBackpropInput(input_sizes=shape, filter=many, out_backprop=flat, **plane.attributes())
    parts.set_shape([None, *(d if isinstance(d, int) else None for d in out[2:4]), chunks * stride * filters])
    rows, columns = sizes(parts)[1:3]
    parts = reshape(rewriter, parts, [product([batch, length]), product([rows, columns]), chunks * stride, filters])
    parts = tf.transpose(parts, [0, 2, 1, 3])
    parts = reshape(rewriter, parts, [batch, length, chunks, stride * product([rows, columns]) * filters])
    total = None
    for chunk in range(chunks):
        piece = pad_axis(parts[:, :, chunk], 1, (chunk, chunks - 1 - chunk))
        total = piece if total is None else total + piece
    front, _ = window.margins(0, out[1], depth)
    slices = reshape(rewriter, total, [batch, (length + chunks - 1) * stride, product([rows, columns]) * filters])
    have, want = (length + chunks - 1) * stride - front, out[1]
    slices = slices[:, front : front + want]
    if not (isinstance(have, int) and isinstance(want, int) and have >= want):
        missing = tf.maximum(want - have, 0) if not (isinstance(have, int) and isinstance(want, int)) else want - have
        slices = pad_axis(slices, 1, (0, missing))
    return reshape(rewriter, slices, [batch, want, rows, columns, filters])


def _transposed_kernel(rewriter: Rewriter, kernel: Any, depth: int) -> Any:
    """[depth, height, width, filters, channels] as [height, width, depth * filters, channels]."""
    value = rewriter.value(kernel)
    missing = depth - kernel.shape[0]
    height, width, filters, channels = kernel.shape.as_list()[1:]
    margins = [[0, missing], *[[0, 0]] * 4]
    shape = [height, width, depth * filters, channels]
    if value is None:
        return tf.reshape(tf.transpose(tf.pad(kernel, margins), [1, 2, 0, 3, 4]), shape)
    return rewriter.constant(np.pad(value, margins).transpose(1, 2, 0, 3, 4).reshape(shape), kernel)


def _entries(shape: Any) -> list[Any]:
    """The sizes in a shape, each an int where it is known, else a scalar tensor."""
    known = tensor_util.constant_value_as_shape(shape).as_list()
    return [shape[k] if size is None else size for k, size in enumerate(known)]


def _vector(dims: list[Any]) -> Any:
    return tf.constant(dims) if all(isinstance(d, int) for d in dims) else tf.stack(dims)
