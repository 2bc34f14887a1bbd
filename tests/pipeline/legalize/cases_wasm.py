"""What TF.js' wasm backend does wrongly with tensors that are not floats."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
from keras import layers
from rule_cases import Case, Random, between, function, stack


def as_number(condition: Any) -> Any:
    return tf.cast(condition, tf.float32)


def masked(random: Random) -> Any:
    return layers.Bidirectional(layers.LSTM(int(random.integers(2, 5)), return_sequences=True))


def integers(x: Any) -> Any:
    return tf.cast(x, tf.int32)[:, 1:6:2, ::-1]


CASES: tuple[Case, ...] = (
    Case("truth_by_comparison", "fractions", function(lambda x: tf.cast(x, tf.bool), (4,)), draw=between(-2, 2)),
    Case("blocks_by_transposition", "three", function(lambda x: tf.nn.space_to_depth(x, 3), (6, 9, 2))),
    Case("stride_before_shrinking", "backwards", function(lambda x: x[:, 1, ::-2], (4, 5))),
    Case("stride_before_shrinking", "last", function(lambda x: x[..., ::2, -1], (3, 4, 5))),
    Case("stride_before_shrinking", "new axis", function(lambda x: x[:, None, 1:, ::2, 0], (3, 4, 5))),
    Case(
        "stride_before_shrinking", "int32", function(lambda x: x[:, 1, ::2], (3, 5), dtype="int32"), draw=between(-9, 9)
    ),
    Case("stride_through_floats", "int64", function(lambda x: x[:, ::-1], (5,), dtype="int64"), draw=between(-9, 9)),
    Case("reverse_booleans", "alone", function(lambda x: as_number(tf.reverse(x > 0, [1])), (7,))),
    Case("reverse_booleans", "mask", stack(lambda r: layers.Masking(0.0), masked, shape=(None, 3)), ulp=64),
    Case("select_booleans", "three", function(lambda x: as_number(tf.where(x > 0, x > 1, x < -1)), (7,))),
    Case("select_booleans", "broadcast", function(lambda x: as_number(tf.where(x[:, :1] > 0, x > 1, x < -1)), (2, 7))),
    Case("stride_through_floats", "booleans", function(lambda x: as_number((x > 0)[:, 5:0:-2]), (7,))),
    Case("stride_through_floats", "integers", function(integers, (7, 3)), draw=between(-1e9, 1e9)),
)
