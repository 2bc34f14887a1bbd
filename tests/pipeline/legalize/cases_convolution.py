"""Convolutions: channels first, groups, and three dimensions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from keras import layers
from rule_cases import Case, Random, function, stack

_IMAGE, _FIRST = (8, 7, 4), (4, 8, 7)
_BOX = (5, 4, 6, 4)


def convolution(rank: int, **options: Any) -> Callable[[Random], Any]:
    """A convolution layer of `rank` spatial dimensions with random strides and padding."""

    def make(random: Random) -> Any:
        given = {"padding": str(random.choice(["same", "valid"])), **options}
        if "dilation_rate" not in given:
            given.setdefault("strides", int(random.integers(1, 3)))
        filters = given.pop("filters", 2 * int(random.integers(1, 4)))
        return getattr(layers, f"Conv{rank}D")(filters, given.pop("kernel_size", 3), **given)

    return make


def first(rank: int, **options: Any) -> Callable[[Random], Any]:
    """The same with the channels first."""
    return convolution(rank, data_format="channels_first", **options)


def norm(random: Random, **options: Any) -> Any:
    """A batch normalization."""
    return layers.BatchNormalization(**options)


def _kernel(*shape: int) -> Any:
    return tf.constant(np.random.default_rng(0).normal(size=shape).astype("float32"))


def _patches(size: list[int], strides: list[int], rates: list[int], padding: str) -> Callable[[Any], Any]:
    return lambda x: tf.image.extract_patches(x, [1, *size, 1], [1, *strides, 1], [1, *rates, 1], padding)


CASES: tuple[Case, ...] = (
    Case("convolution_channels_last", "plain", stack(first(2), shape=_FIRST), ulp=16),
    Case("convolution_channels_last", "open", stack(first(2, padding="same"), shape=(4, None, None)), ulp=16),
    Case("convolution_channels_last", "groups", stack(first(2, groups=2), shape=_FIRST), ulp=16),
    Case(
        "convolution_channels_last",
        "a group per channel",
        stack(first(2, filters=8, groups=4), shape=_FIRST),
        ulp=16,
    ),
    Case("convolution_channels_last", "sequence", stack(first(1), shape=(4, 9)), ulp=16),
    Case("convolution_channels_last", "box", stack(first(3, kernel_size=2), shape=(4, 5, 4, 6)), ulp=16),
    Case(
        "convolution_channels_last",
        "two with activation and normalization",
        stack(
            first(2, padding="same"),
            lambda r: norm(r, axis=1),
            lambda r: layers.ReLU(),
            first(2, padding="same"),
            shape=_FIRST,
        ),
        ulp=32,
    ),
    Case("bias_channels_last", "image", stack(first(2, strides=1), shape=_FIRST), ulp=16),
    Case(
        "bias_channels_last",
        "depthwise sequence",
        stack(lambda r: layers.DepthwiseConv1D(3, data_format="channels_first"), shape=(4, 9)),
        ulp=16,
    ),
    Case(
        "bias_channels_last",
        "alone",
        function(lambda x: tf.nn.bias_add(x, tf.constant([1.0, -2.0, 3.0]), data_format="NC..") * 2.0, (3, 5, 4)),
    ),
    Case("depthwise_by_groups", "multiplier", stack(convolution(2, filters=8, groups=4), shape=_IMAGE), ulp=16),
    Case("depthwise_by_groups", "sequence", stack(convolution(1, filters=4, groups=4), shape=(9, 4)), ulp=16),
    Case("depthwise_by_groups", "open", stack(convolution(2, filters=4, groups=4), shape=(None, None, 4)), ulp=16),
    Case("depthwise_by_groups", "normalized", stack(convolution(2, filters=4, groups=4), norm, shape=_IMAGE), ulp=32),
    Case("split_groups", "two", stack(convolution(2, groups=2), shape=_IMAGE), ulp=16),
    Case("split_groups", "open", stack(convolution(2, groups=2), shape=(None, None, 4)), ulp=16),
    Case("split_groups", "sequence", stack(convolution(1, groups=2), shape=(9, 4)), ulp=16),
    Case(
        "split_groups",
        "uneven strides",
        stack(convolution(2, filters=4, groups=4, strides=(1, 2)), shape=_IMAGE),
        ulp=16,
    ),
    Case("split_groups", "normalized", stack(convolution(2, groups=2), norm, shape=_IMAGE), ulp=32),
    Case("depth_as_channels", "groups", stack(convolution(3, groups=2), shape=_BOX), ulp=16),
    Case("depth_as_channels", "a group per channel", stack(convolution(3, filters=4, groups=4), shape=_BOX), ulp=16),
    Case("depth_as_channels", "open", stack(convolution(3, groups=2), shape=(None, None, None, 4)), ulp=16),
    Case("depth_as_channels", "normalized", stack(convolution(3, groups=2), norm, shape=_BOX), ulp=32),
    Case(
        "leap_without_padding",
        "some zeros",
        stack(lambda random: layers.Conv2D(3, (3, 2), strides=4, padding="same"), shape=(15, 16, 3)),
        ulp=16,
    ),
    Case(
        "leap_without_padding",
        "open, a kernel per channel",
        stack(lambda random: layers.DepthwiseConv2D(3, strides=4, padding="same"), shape=(None, None, 3)),
        ulp=16,
    ),
    Case(
        "leap_without_padding",
        "box",
        stack(lambda random: layers.Conv3D(3, 2, strides=(3, 4, 3), padding="same"), shape=(9, 8, 7, 2)),
        ulp=16,
    ),
    Case(
        "count_same_padding",
        "dilated attribute",
        function(
            lambda x: tf.raw_ops.Conv2D(
                input=x, filter=_kernel(3, 2, 4, 3), strides=[1] * 4, padding="SAME", dilations=[1, 2, 3, 1]
            ),
            (None, None, 4),
        ),
        ulp=16,
    ),
    Case("patches_by_convolution", "plain", function(_patches([2, 2], [2, 2], [1, 1], "VALID"), (6, 8, 3)), ulp=0),
    Case("patches_by_convolution", "gaps", function(_patches([3, 2], [2, 1], [1, 2], "SAME"), (8, 9, 3)), ulp=0),
)
