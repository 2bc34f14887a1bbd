"""Quantized layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf
from keras import layers
from rule_cases import Build, Case, Random, between, function, settle


def quantized(part: Callable[[Random], Any], *shape: int | None, mode: str = "int8") -> Build:
    """A layer whose float weights were replaced by integers."""

    def build(random: Random) -> keras.Model:
        x = keras.Input(shape, name="x")
        model = settle(keras.Model(x, part(random)(x)), random)
        model.quantize(mode)
        return model

    return build


def product(x: Any, y: Any) -> Any:
    cast = [tf.cast(tf.round(40.0 * t), tf.int8) for t in (x, y)]
    return tf.cast(tf.raw_ops.BatchMatMulV3(x=cast[0], y=cast[1], Tout=tf.int32, adj_y=True), tf.float32)


CASES: tuple[Case, ...] = (
    Case("quantized_product", "Dense", quantized(lambda r: layers.Dense(3), 4)),
    Case("quantized_product", "Dense of any length", quantized(lambda r: layers.Dense(3), None, 4)),
    Case("quantized_product", "EinsumDense", quantized(lambda r: layers.EinsumDense("abc,cd->abd", (None, 3)), 5, 4)),
    Case("quantized_product", "long sums", function(product, (2, 2500), (3, 2500)), draw=between(-3, 3)),
)
