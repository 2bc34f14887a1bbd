"""Sums and means over one axis, several and all but the batch, with and without the axes that are left."""

from __future__ import annotations

import tensorflow as tf
from keras import layers
from rule_cases import Case, function, stack

CASES = (
    Case("add_in_sequence", "last axis", function(lambda x: tf.reduce_mean(x, -1), (4, 6))),
    Case("add_in_sequence", "inner axes kept", function(lambda x: tf.reduce_sum(x, [1, -2], keepdims=True), (4, 5, 3))),
    Case("add_in_sequence", "all but the batch", function(lambda x: tf.reduce_mean(x, [2, 1]), (4, 6))),
    Case("add_in_sequence", "open sizes", function(lambda x: tf.reduce_mean(x, [1, 3], keepdims=True), (None, 2, 3))),
    Case("add_in_sequence", "over the batch", function(lambda x: x - tf.reduce_sum(x), (4,))),
    Case(
        "add_in_sequence",
        "beside complex numbers",
        function(lambda x: tf.reduce_mean(tf.abs(tf.signal.rfft(x)), -1, keepdims=True), (4, 8)),
    ),
    Case("add_in_sequence", "normalization", stack(lambda r: layers.LayerNormalization(), shape=(4, 6)), ulp=32.0),
)
