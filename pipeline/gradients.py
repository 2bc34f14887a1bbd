"""How large the gradient of each layer is on a few training samples: the pulse of a training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

SAMPLES = 128


def open_probe(model: Any, samples: np.ndarray, targets: Any) -> Callable[[], dict[str, float]]:
    """A function that gives the norm of every layer's gradient now, by layer, from the input to the output.

    Dropout is off and batch statistics are frozen, so that looking changes nothing: neither a weight nor the sequence
    of random numbers.

    Args:
        model: a compiled `keras.Model`.
        samples, targets: rows as `fit` takes them.
    """
    import tensorflow as tf

    owners = [owner(variable) for variable in model.trainable_variables]
    layers = list(dict.fromkeys(owners))

    def measure() -> Any:
        with tf.GradientTape() as tape:
            loss = model.compute_loss(x=samples, y=targets, y_pred=model(samples, training=False), training=False)
        found = tape.gradient(loss, [v.value for v in model.trainable_variables])
        squares = [tf.constant(0.0) if g is None else tf.reduce_sum(tf.square(_dense(g))) for g in found]
        return [tf.sqrt(sum(s for s, name in zip(squares, owners, strict=True) if name == layer)) for layer in layers]

    compiled = tf.function(measure)
    return lambda: {layer: float(norm) for layer, norm in zip(layers, compiled(), strict=True)}


def owner(variable: Any) -> str:
    """The layer that a variable belongs to, as its path says: "block/conv/kernel" is "block/conv"'s."""
    return str(variable.path).rpartition("/")[0] or str(variable.path)


def _dense(gradient: Any) -> Any:
    import tensorflow as tf

    return tf.convert_to_tensor(gradient)  # an Embedding's gradient comes as slices
