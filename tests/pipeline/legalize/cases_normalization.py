"""Normalization whose statistics come from the data."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
from keras import layers
from rule_cases import Case, Random, between, function, stack


def _rows_far_from_zero(random: Random, shape: tuple[int, ...], dtype: str) -> Any:
    """A mean that is thousands of times the deviation: cancellation shows."""
    return (1000.0 + random.normal(size=shape)).astype(dtype)


def _layer(random: Random) -> Any:
    return layers.LayerNormalization(axis=-1, scale=bool(random.integers(2)))


CASES: tuple[Case, ...] = (
    Case(
        "local_response_by_shifts",
        "around",
        function(lambda x: tf.nn.local_response_normalization(x, 2, bias=1.5, alpha=0.3, beta=0.75), (4, 3, 7)),
        ulp=32,
    ),
    Case(
        "local_response_by_shifts",
        "all channels",
        function(lambda x: tf.nn.local_response_normalization(x, alpha=0.1), (2, 2, 3)),
        ulp=32,
    ),
    Case("center_before_scaling", "layer", stack(_layer, shape=(4, 6)), ulp=16),
    # The mean itself is off by an ULP of 1000, which is 2^10 ULP of the result.
    Case("center_before_scaling", "far from zero", stack(_layer, shape=(6,)), 4096, draw=_rows_far_from_zero),
    Case("center_before_scaling", "images", stack(lambda r: layers.LayerNormalization(), shape=(5, 4, 3)), ulp=16),
    Case("center_before_scaling", "group", stack(lambda r: layers.GroupNormalization(2), shape=(5, 4, 6)), ulp=16),
    Case(
        "center_before_scaling",
        "batch, its statistics from the data",
        function(
            lambda x, m, v: tf.nn.batch_normalization(x, m, tf.exp(v), 2.0 * tf.ones((1, 4)), tf.ones((1, 4)), 1e-3),
            *3 * [(4,)],
        ),
        ulp=16,
    ),
    Case("rsqrt_of_zero", "unit", stack(lambda r: layers.UnitNormalization(), shape=(4, 6))),
    Case("rsqrt_of_zero", "zero", function(lambda x: tf.minimum(tf.math.rsqrt(tf.nn.relu(x)), 1e6), (5,))),
    Case("rsqrt_of_zero", "positive", function(tf.math.rsqrt, (5,)), draw=between(1e-6, 9.0)),
)
