"""Poolings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf
from keras import layers
from rule_cases import Case, Random, function, stack


def _pool(kind: str, **options: Any) -> Callable[[Random], Any]:
    def make(random: Random) -> Any:
        given = {"padding": str(random.choice(["same", "valid"])), **options}
        size = given.pop("pool_size", tuple(int(n) for n in random.integers(1, 4, 3)))
        strides = given.pop("strides", tuple(int(n) for n in random.integers(1, 4, 3)))
        return getattr(layers, f"{kind}Pooling3D")(size, strides, **given)

    return make


def _first(operation: Callable[..., Any], padding: str) -> Callable[[Any], Any]:
    """The operation with the channels first, which no Keras layer asks for."""
    return lambda x: operation(x, 3, 2, padding, data_format="NCDHW" if x.shape.rank == 5 else "NCHW")


_BOX = (5, 7, 6, 3)


def _padded(x: Any) -> Any:
    """Maxima of negative numbers beside zeros, as in ResNet50V2."""
    return tf.nn.max_pool2d(tf.pad(-tf.abs(x) - 1.0, [[0, 0], [1, 1], [1, 1], [0, 0]]), 3, 2, "VALID")


CASES: tuple[Case, ...] = (
    Case("pooling_channels_last", "maximum", function(_first(tf.nn.max_pool2d, "SAME"), (3, 8, 7))),
    Case("pooling_channels_last", "mean", function(_first(tf.nn.avg_pool2d, "SAME"), (3, 8, 7))),
    Case("pooling_channels_last", "maximum of a box", function(_first(tf.nn.max_pool3d, "VALID"), (3, 5, 7, 6))),
    Case("pooling_channels_last", "mean of a box", function(_first(tf.nn.avg_pool3d, "SAME"), (3, 5, 7, 6))),
    Case("pooling_channels_last", "open", function(_first(tf.nn.max_pool2d, "VALID"), (3, None, None))),
    Case("zeros_before_a_maximum", "in the plane", function(_padded, (6, 8, 3))),
    Case(
        "zeros_before_a_maximum",
        "of a line",
        stack(lambda r: layers.ZeroPadding1D(2), lambda r: layers.MaxPooling1D(2), shape=(7, 3)),
    ),
    Case("max_of_planes", "same", stack(_pool("Max", pool_size=3, strides=2, padding="same"), shape=_BOX)),
    Case("max_of_planes", "any", stack(_pool("Max"), shape=_BOX)),
    Case("max_of_planes", "open", stack(_pool("Max"), shape=(None, None, None, 3))),
    Case("max_of_planes", "adaptive", stack(lambda r: layers.AdaptiveMaxPooling3D(2), shape=(4, 5, 6, 3))),
    Case("mean_of_planes", "same", stack(_pool("Average", pool_size=3, strides=2, padding="same"), shape=_BOX)),
    Case("mean_of_planes", "any", stack(_pool("Average"), shape=_BOX)),
    Case("mean_of_planes", "open", stack(_pool("Average"), shape=(None, None, None, 3))),
    Case("mean_of_planes", "adaptive", stack(lambda r: layers.AdaptiveAveragePooling3D(2), shape=(4, 5, 6, 3))),
    Case("centered_gaps", "maximum", stack(_pool("Max", pool_size=(1, 2, 1), strides=3, padding="same"), shape=_BOX)),
    Case("centered_gaps", "mean", stack(_pool("Average", pool_size=1, strides=(1, 3, 4), padding="same"), shape=_BOX)),
)
