"""Convolutions: data formats, groups and three dimensions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from pipeline.legalize.convolve import (
    convolve,
    explicit_if_dilated,
    groups,
    is_depthwise,
    needs_two_dimensions,
    padded,
)
from pipeline.legalize.registry import EVERY, FORMATS, ONNX, ORACLE, TFJS, rule
from pipeline.legalize.shapes import sizes
from pipeline.legalize.windows import SAME, VALID, Window, is_channels_first, pad_axis, to_first, to_last, window_of

if TYPE_CHECKING:
    from pipeline.legalize.rewriter import Rewriter


@rule(
    "Conv2D",
    "Conv3D",
    targets=EVERY,
    why="The order of the axes does not matter to a convolution; the kernels of a CPU want the channels last.",
)
def convolution_channels_last(rewriter: Rewriter, op: Any, x: Any, kernel: Any) -> Any:
    if not isinstance(x, tf.Tensor) or not is_channels_first(op):
        return None
    return to_first(rewriter, convolve(rewriter, to_last(rewriter, x), kernel, window_of(op)))


@rule(
    "BiasAdd",
    targets=FORMATS,
    why="A bias belongs to the channels wherever their axis is; with the channels last, it can join its convolution.",
)
def bias_channels_last(rewriter: Rewriter, op: Any, x: Any, bias: Any) -> Any:
    if not is_channels_first(op):
        return None
    return to_first(rewriter, tf.nn.bias_add(to_last(rewriter, x), bias))


@rule(
    "Conv2D",
    targets=(*FORMATS, ORACLE),
    why="A convolution with a group for each channel is a depthwise one; their kernels hold the same numbers.",
)
def depthwise_by_groups(rewriter: Rewriter, op: Any, x: Any, kernel: Any) -> Any:
    if not isinstance(x, tf.Tensor) or is_channels_first(op) or not is_depthwise(x, kernel, window_of(op)):
        return None
    return convolve(rewriter, x, kernel, window_of(op))


@rule(
    "Conv2D",
    targets=(TFJS, ORACLE),
    why="Each group of channels is a convolution of its own: TF.js has no other, nor has TensorFlow in float64.",
)
def split_groups(rewriter: Rewriter, op: Any, x: Any, kernel: Any) -> Any:
    if not isinstance(x, tf.Tensor) or is_channels_first(op) or groups(x, kernel) == 1:
        return None
    return convolve(rewriter, x, kernel, window_of(op))


@rule(
    "Conv3D",
    targets=EVERY,
    why="A grouped or dilated 3-D convolution is a 2-D one whose channels are the slices under the kernel's depth.",
)
def depth_as_channels(rewriter: Rewriter, op: Any, x: Any, kernel: Any) -> Any:
    if not isinstance(x, tf.Tensor) or is_channels_first(op) or not needs_two_dimensions(x, kernel, window_of(op)):
        return None
    return convolve(rewriter, x, kernel, window_of(op))


@rule(
    "Conv2D",
    targets=(ONNX,),
    why="The zeros that SAME means at stride 1 do not depend on the image; ONNX Runtime cannot count them with gaps.",
)
def count_same_padding(rewriter: Rewriter, op: Any, x: Any, kernel: Any) -> Any:
    if not isinstance(x, tf.Tensor) or is_channels_first(op):
        return None
    if explicit_if_dilated(kernel, window_of(op)) == window_of(op):
        return None
    return convolve(rewriter, x, kernel, window_of(op))


@rule(
    "Conv2D",
    "Conv3D",
    "DepthwiseConv2dNative",
    targets=(TFJS, ORACLE),
    why="A kernel shorter than its steps needs few zeros or none; TF.js' wasm kernels count below none.",
)
def leap_without_padding(rewriter: Rewriter, op: Any, x: Any, kernel: Any) -> Any:
    if not isinstance(x, tf.Tensor) or is_channels_first(op) or None in kernel.shape.as_list():
        return None
    window = window_of(op)
    if not window.leaps(kernel.shape.as_list()[:-2]):
        return None
    if op.type == "DepthwiseConv2dNative":
        x, window = padded(x, kernel, window)
        return tf.raw_ops.DepthwiseConv2dNative(input=x, filter=kernel, **window.attributes())
    return convolve(rewriter, x, kernel, window)


@rule(
    "ExtractImagePatches",
    targets=FORMATS,
    why="A convolution with ones that pick a pixel each: times one, plus zeros, it is the pixel.",
)
def patches_by_convolution(rewriter: Rewriter, op: Any, x: Any) -> Any:
    height, width = op.get_attr("ksizes")[1:3]
    channels, padding = x.shape[-1], op.get_attr("padding").decode()
    if channels is None or not x.dtype.is_floating:
        return None
    strides, rates = tuple(op.get_attr("strides"))[1:3], tuple(op.get_attr("rates"))[1:3]
    taken = height * width * channels
    pick = np.eye(taken, dtype=x.dtype.as_numpy_dtype).reshape(height, width, channels, taken)
    margins = Window(strides, rates, padding)
    if padding == SAME and max(rates) > 1:
        # With strides and gaps at once, SAME is counted here: few kernels can.
        rows, columns = sizes(x)[1:3]
        x = pad_axis(pad_axis(x, 1, margins.margins(0, rows, height)), 2, margins.margins(1, columns, width))
        margins = Window(strides, rates, VALID)
    return convolve(rewriter, x, rewriter.constant(pick), margins)
