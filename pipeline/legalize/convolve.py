"""A convolution with the channels last, in the operations that a target has."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from pipeline.legalize.registry import ONNX, ORACLE, TFJS, TFLITE
from pipeline.legalize.shapes import reshape, sizes
from pipeline.legalize.windows import EXPLICIT, SAME, VALID, Window, fold_into_batch, pad_axis, unfold_from_batch

if TYPE_CHECKING:
    from pipeline.legalize.rewriter import Rewriter


def convolve(rewriter: Rewriter, x: Any, kernel: Any, window: Window) -> Any:
    """Convolve [batch, *spatial, channels] with a kernel [*spatial, channels / groups, filters]; 2-D or 3-D."""
    if rewriter.target in (TFJS, ORACLE) and window.leaps(kernel.shape.as_list()[:-2]):
        x, window = padded(x, kernel, window)
    if is_deep(window):
        if needs_two_dimensions(x, kernel, window):
            return _by_depth(rewriter, x, kernel, window)
        x, window = _without_explicit(x, window)
        return tf.raw_ops.Conv3D(input=x, filter=kernel, **window.attributes())
    if rewriter.target == TFJS and window.dilated and max(window.strides) > 1 and window.padding != SAME:
        # TF.js moves a window with gaps by one only.
        down, across = window.strides
        return convolve(rewriter, x, kernel, replace(window, strides=(1, 1)))[:, ::down, ::across]
    if rewriter.target == ONNX:
        window = explicit_if_dilated(kernel, window)
    if (count := groups(x, kernel)) == 1:
        return tf.raw_ops.Conv2D(input=x, filter=kernel, **window.attributes())
    if is_depthwise(x, kernel, window):
        return _depthwise(rewriter, x, kernel, window)
    if rewriter.target in (TFLITE, ONNX):
        return tf.raw_ops.Conv2D(input=x, filter=kernel, **window.attributes())
    parts = zip(tf.split(x, count, -1), _split(rewriter, kernel, count), strict=True)
    return tf.concat([tf.raw_ops.Conv2D(input=a, filter=k, **window.attributes()) for a, k in parts], -1)


def padded(x: Any, kernel: Any, window: Window) -> tuple[Any, Window]:
    """The zeros of the padding around the image, and the window without padding."""
    for axis, reach in enumerate(kernel.shape.as_list()[: len(window.strides)]):
        x = pad_axis(x, axis + 1, window.margins(axis, sizes(x)[axis + 1], reach))
    return x, replace(window, padding=VALID, explicit=())


def is_deep(window: Window) -> bool:
    """Three spatial dimensions."""
    return len(window.strides) == 3


def groups(x: Any, kernel: Any) -> int:
    """Number of groups of channels; 1 where the sizes are not known."""
    channels, per_group = x.shape[-1], kernel.shape[-2]
    return channels // per_group if channels and per_group else 1


def is_depthwise(x: Any, kernel: Any, window: Window) -> bool:
    """A group for each channel, and a form that the depthwise operation knows."""
    if kernel.shape[-2] != 1 or groups(x, kernel) == 1 or kernel.shape[-1] is None:
        return False
    # TensorFlow's depthwise kernel has one stride for both dimensions, and no explicit paddings with dilations.
    return len(set(window.strides)) == 1 and not (window.dilated and window.padding == EXPLICIT)


def needs_two_dimensions(x: Any, kernel: Any, window: Window) -> bool:
    """A 3-D convolution that only a 2-D one can express."""
    return groups(x, kernel) > 1 or window.dilated


def explicit_if_dilated(kernel: Any, window: Window) -> Window:
    """The zeros of "SAME" counted: with dilations, ONNX Runtime has no automatic padding."""
    spatial = kernel.shape[: len(window.strides)]
    if not window.dilated or window.padding != SAME or max(window.strides) > 1 or None in spatial.as_list():
        return window
    margins = tuple(window.margins(axis, 0, size) for axis, size in enumerate(spatial))
    return replace(window, padding=EXPLICIT, explicit=margins)


def _depthwise(rewriter: Rewriter, x: Any, kernel: Any, window: Window) -> Any:
    height, width, _, filters = kernel.shape.as_list()
    channels = x.shape[-1]
    kernel = reshape(rewriter, kernel, [height, width, channels, filters // channels])
    if window.dilated:
        # TensorFlow has no dilated depthwise kernel: this spreads the image over the batch.
        strides = [1, *window.strides, 1]
        return tf.nn.depthwise_conv2d(x, kernel, strides, window.padding, dilations=window.dilations)
    return tf.raw_ops.DepthwiseConv2dNative(input=x, filter=kernel, **window.attributes())


def _split(rewriter: Rewriter, kernel: Any, count: int) -> list[Any]:
    """The groups' kernels; known ones are constants of their own."""
    value = rewriter.value(kernel)
    if value is None:
        return list(tf.split(kernel, count, -1))
    return [rewriter.constant(np.ascontiguousarray(part), kernel) for part in np.split(value, count, -1)]


def _by_depth(rewriter: Rewriter, x: Any, kernel: Any, window: Window) -> Any:
    """The slices that meet the kernel's depth, side by side among the channels of a 2-D convolution."""
    depth, height, width, per_group, filters = kernel.shape.as_list()
    stride, gap = window.strides[0], window.dilations[0]
    length = sizes(x)[1]
    before, after = window.margins(0, length, depth)
    x = pad_axis(x, 1, (before, after))
    positions = (length + before + after - (depth - 1) * gap - 1) // stride + 1
    reach = (positions - 1) * stride + 1
    slices = [x[:, k * gap : k * gap + reach : stride] for k in range(depth)]
    stacked = tf.stack(slices, axis=-1)
    *leading, channels, _ = sizes(stacked)
    stacked = reshape(rewriter, stacked, [*leading, channels * depth])
    flat, outer = fold_into_batch(rewriter, stacked, 2)
    value = rewriter.value(kernel)
    turned = tf.transpose(kernel, [1, 2, 3, 0, 4]) if value is None else value.transpose(1, 2, 3, 0, 4)
    shape = [height, width, per_group * depth, filters]
    if value is None:
        flat_kernel = tf.reshape(turned, shape)
    else:
        flat_kernel = rewriter.constant(np.ascontiguousarray(turned).reshape(shape), kernel)
    return unfold_from_batch(rewriter, convolve(rewriter, flat, flat_kernel, window.without(0)), outer)


def _without_explicit(x: Any, window: Window) -> tuple[Any, Window]:
    """The 3-D operation takes no explicit paddings: they become zeros around the image."""
    if window.padding != EXPLICIT:
        return x, window
    paddings = [[0, 0], *map(list, window.explicit), [0, 0]]
    return tf.pad(x, paddings), replace(window, padding="VALID", explicit=())
