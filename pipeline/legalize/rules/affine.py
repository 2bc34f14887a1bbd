"""Scale and shift after a linear layer (batch normalization in inference) folded into its weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from pipeline.legalize.registry import FORMATS, rule

if TYPE_CHECKING:
    from pipeline.legalize.rewriter import Rewriter

_LINEAR = ("Conv2D", "DepthwiseConv2dNative", "MatMul")


@rule(
    "Mul",
    targets=FORMATS,
    why="(W x + b) s = (W s) x + b s; products are formed in float64 and rounded once, below the layer's own error.",
)
def fold_scale(rewriter: Rewriter, op: Any, a: Any, b: Any) -> Any:
    for position, (tensor, scale) in enumerate(((a, b), (b, a))):
        factor = _per_channel(rewriter, scale, tensor)
        if factor is None or _shared(op.inputs[position]):
            continue
        linear, bias = _linear(rewriter, tensor)
        if linear is None:
            continue
        kernel = linear.inputs[1]
        weights = rewriter.value(kernel)
        if weights is None or not _channels_last(linear):
            continue
        scaled = weights.astype(np.float64) * _along_output(linear, weights, factor)
        result = _again(linear, rewriter.constant(scaled.astype(weights.dtype), kernel, scale))
        if bias is not None:
            moved = rewriter.value(bias).astype(np.float64) * factor  # type: ignore[union-attr]
            result = tf.nn.bias_add(result, rewriter.constant(moved.astype(weights.dtype), bias, scale))
        return result
    return None


@rule(
    "AddV2",
    "Add",
    "BiasAdd",
    "Sub",
    targets=FORMATS,
    why="(W x + b) + c = W x + (b + c); the sum is formed in float64 and rounded once.",
)
def fold_shift(rewriter: Rewriter, op: Any, a: Any, b: Any) -> Any:
    pairs = ((a, b, 0),) if op.type in ("Sub", "BiasAdd") else ((a, b, 0), (b, a, 1))
    for tensor, shift, position in pairs:
        term = _per_channel(rewriter, shift, tensor)
        if term is None or _shared(op.inputs[position]):
            continue
        linear, bias = _linear(rewriter, tensor)
        if linear is None or not _channels_last(linear) or (bias is None and op.type == "BiasAdd"):
            continue
        sign = -1.0 if op.type == "Sub" else 1.0
        total = sign * term + (0.0 if bias is None else rewriter.value(bias).astype(np.float64))  # type: ignore[union-attr]
        total = np.broadcast_to(total, tensor.shape[-1:]).astype(tensor.dtype.as_numpy_dtype)
        return tf.nn.bias_add(linear.outputs[0], rewriter.constant(total, shift, *([] if bias is None else [bias])))
    return None


def _per_channel(rewriter: Rewriter, constant: Any, tensor: Any) -> np.ndarray | None:
    """The constant as float64 of shape [] or [channels] if it acts on the last axis alone, else None."""
    value = rewriter.value(constant)
    channels = tensor.shape[-1] if tensor.shape.rank else None
    if value is None or channels is None or value.ndim > tensor.shape.rank or not tensor.dtype.is_floating:
        return None
    if value.size == 1:
        return value.reshape(()).astype(np.float64)
    if value.size == channels and value.shape[-1] == channels:
        return value.reshape(channels).astype(np.float64)
    return None


def _shared(source: Any) -> bool:
    """Something else reads the linear layer's output too, so it must stay as it is."""
    while len(source.consumers()) == 1 and source.op.type in ("Identity", "BiasAdd", "Squeeze"):
        source = source.op.inputs[0]
    return len(source.consumers()) != 1


def _linear(rewriter: Rewriter, tensor: Any) -> tuple[Any, Any]:
    """The linear operation that made a tensor, and its bias if it has a known one; (None, None) if none did."""
    if not isinstance(tensor, tf.Tensor):
        return None, None
    maker, bias = tensor.op, None
    if maker.type == "BiasAdd" and rewriter.value(maker.inputs[1]) is not None:
        bias, maker = maker.inputs[1], maker.inputs[0].op
    return (maker, bias) if maker.type in _LINEAR else (None, None)


def _channels_last(linear: Any) -> bool:
    if linear.type == "MatMul":
        return not linear.get_attr("transpose_b")
    return bool(linear.get_attr("data_format") == b"NHWC")


def _along_output(linear: Any, weights: np.ndarray, factor: np.ndarray) -> np.ndarray:
    """The factor shaped so that it multiplies a kernel along its output channels."""
    if linear.type == "DepthwiseConv2dNative" and factor.ndim:
        return factor.reshape(weights.shape[2:])
    return factor


def _again(linear: Any, kernel: Any) -> Any:
    """The same linear operation with another kernel."""
    source = linear.inputs[0]
    if linear.type == "MatMul":
        return tf.raw_ops.MatMul(a=source, b=kernel, transpose_a=linear.get_attr("transpose_a"))
    names = ("strides", "padding", "data_format", "dilations", "explicit_paddings")
    attrs = {n: linear.get_attr(n) for n in names}
    return getattr(tf.raw_ops, linear.type)(input=source, filter=kernel, **attrs)
