"""Dilated convolutions."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
from cases_convolution import convolution, first, norm
from rule_cases import Case, function, stack


def _padded(x: tf.Tensor) -> tf.Tensor:
    kernel = tf.constant(np.random.default_rng(0).normal(size=(3, 2, 3, 4)).astype("float32"))
    return tf.nn.convolution(x, kernel, padding=[[0, 0], [1, 3], [0, 2], [0, 0]], dilations=2)


CASES: tuple[Case, ...] = (
    Case(
        "dilated_convolution", "same", stack(convolution(2, padding="same", dilation_rate=2), shape=(8, 9, 3)), ulp=16
    ),
    Case(
        "dilated_convolution", "valid", stack(convolution(2, padding="valid", dilation_rate=3), shape=(8, 9, 3)), ulp=16
    ),
    Case(
        "dilated_convolution",
        "even kernel",
        stack(convolution(2, kernel_size=(2, 4), padding="same", dilation_rate=(1, 2)), shape=(8, 9, 3)),
        ulp=16,
    ),
    Case(
        "dilated_convolution",
        "open same",
        stack(convolution(2, padding="same", dilation_rate=2), shape=(None, None, 3)),
        ulp=16,
    ),
    Case(
        "dilated_convolution",
        "open valid",
        stack(convolution(2, padding="valid", dilation_rate=(1, 2)), shape=(None, None, 3)),
        ulp=16,
    ),
    Case("dilated_convolution", "normalized", stack(convolution(2, dilation_rate=2), norm, shape=(8, 9, 3)), ulp=32),
    Case("dilated_convolution", "groups", stack(convolution(2, dilation_rate=2, groups=2), shape=(8, 9, 4)), ulp=16),
    Case("dilated_convolution", "channels first", stack(first(2, dilation_rate=2), shape=(4, 8, 9)), ulp=16),
    Case(
        "dilated_convolution",
        "box",
        stack(convolution(3, kernel_size=2, dilation_rate=(1, 2, 3)), shape=(5, 6, 7, 3)),
        ulp=16,
    ),
    Case(
        "dilated_convolution",
        "open box",
        stack(convolution(3, padding="same", kernel_size=2, dilation_rate=2), shape=(None, None, None, 3)),
        ulp=16,
    ),
    Case(
        "dilated_convolution",
        "box channels first",
        stack(first(3, padding="same", dilation_rate=2), shape=(4, 5, 6, 5)),
        ulp=16,
    ),
    Case(
        "row_of_spread_image", "sequence", stack(convolution(1, padding="same", dilation_rate=2), shape=(9, 3)), ulp=16
    ),
    Case(
        "row_of_spread_image", "open", stack(convolution(1, padding="causal", dilation_rate=2), shape=(None, 3)), ulp=16
    ),
    Case(
        "row_of_spread_image",
        "channels first",
        stack(first(1, padding="same", dilation_rate=2), shape=(4, 9)),
        ulp=16,
    ),
    Case(
        "convolve_spread_image",
        "box with groups",
        stack(convolution(3, kernel_size=2, dilation_rate=2, groups=2), shape=(5, 6, 5, 4)),
        ulp=16,
    ),
    Case("gather_spread_image", "margins of its own", function(_padded, (8, 9, 3)), ulp=16),
    # Not written: the TFLite converter forgets the channels behind a computed padding. No Keras layer does this.
    Case("gather_spread_image", "margins of its own, open", function(_padded, (None, None, 3)), ulp=16, run=False),
)
