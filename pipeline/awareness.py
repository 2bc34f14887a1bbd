"""Quantization-aware training: a trained model goes on training while it computes with weights as they will be stored.

The layers stay Keras' own and keep their float weights; what they multiply by is rounded on the way, and gradients pass
through the rounding as if it were not there (the straight-through estimator: Bengio, Leonard & Courville 2013; Jacob et
al. 2018). What comes out is an ordinary model, whose weights lie where rounding costs little.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

# Bits of a weight, and of an activation (0: stays a float), by the precision to be aware of.
AWARE_OF = {"int8-weights": (8, 0), "int4-weights": (4, 0), "int8-dynamic": (8, 8), "int8": (8, 8), "int8-io": (8, 8)}


@contextmanager
def aware(model: Any, precision: str) -> Iterator[None]:
    """Within this, dense and convolutional layers compute as a precision will have them.

    Weights are symmetric and have a scale for each output channel, as the writers store them, so that a normalization
    folded into them later changes nothing. The range of an activation is that of the batch.

    Args:
        model: a `keras.Model`; what was traced of it before is traced again, and once more afterwards.
        precision: one of `AWARE_OF`.
    """
    from keras import layers

    weight_bits, bits = AWARE_OF[precision]
    patched = []
    for layer in model._flatten_layers(include_self=False):
        if isinstance(layer, layers.Dense):
            layer.call = _dense(layer, weight_bits, bits)
            patched.append((layer, "call"))
        elif isinstance(layer, layers.Conv1D | layers.Conv2D | layers.Conv3D):
            layer.convolution_op = _convolution(layer.convolution_op, weight_bits, bits)
            patched.append((layer, "convolution_op"))
    try:
        yield
    finally:
        for layer, name in patched:
            delattr(layer, name)
        for kind in ("train", "test", "predict"):
            setattr(model, f"{kind}_function", None)  # traced with the rounding


def _dense(layer: Any, weight_bits: int, bits: int) -> Any:
    from keras import ops

    def call(inputs: Any, training: Any = None) -> Any:  # noqa: ARG001
        x = ops.matmul(_activation(inputs, bits), _weight(layer.kernel, weight_bits))
        x = x if layer.bias is None else ops.add(x, layer.bias)
        return x if layer.activation is None else layer.activation(x)

    return call


def _convolution(original: Any, weight_bits: int, bits: int) -> Any:
    def convolution_op(inputs: Any, kernel: Any) -> Any:
        return original(_activation(inputs, bits), _weight(kernel, weight_bits))

    return convolution_op


def _weight(kernel: Any, bits: int) -> Any:
    import tensorflow as tf

    value = tf.convert_to_tensor(kernel)
    largest = tf.reduce_max(tf.abs(value), axis=list(range(len(value.shape) - 1)), keepdims=True)
    step = tf.stop_gradient(tf.maximum(largest, 1e-12) / (2 ** (bits - 1) - 1))
    return value + tf.stop_gradient(tf.round(value / step) * step - value)


def _activation(inputs: Any, bits: int) -> Any:
    import tensorflow as tf

    if not bits:
        return inputs
    value = tf.convert_to_tensor(inputs)
    low, high = tf.minimum(tf.reduce_min(value), 0), tf.maximum(tf.reduce_max(value), 0)
    step = tf.stop_gradient(tf.maximum(high - low, 1e-12) / (2**bits - 1))
    return value + tf.stop_gradient(tf.round(value / step) * step - value)
