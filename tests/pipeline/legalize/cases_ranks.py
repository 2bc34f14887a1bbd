"""Tensors of six and seven axes."""

from __future__ import annotations

import tensorflow as tf
from rule_cases import Case, function

_FIVE, _SIX = (2, 3, 2, 3, 2), (2, 3, 2, 2, 3, 2)
_MARGINS = [[0, 0], [1, 0], [0, 1], [0, 0], [1, 1], [0, 0]]

CASES: tuple[Case, ...] = (
    Case("product_of_many_axes", "six", function(tf.matmul, _FIVE, (2, 3, 2, 2, 3))),
    Case("product_of_many_axes", "seven", function(tf.matmul, _SIX, (2, 3, 2, 2, 2, 3))),
    Case("product_of_many_axes", "adjoint", function(lambda x: tf.matmul(x, x, adjoint_b=True), _FIVE)),
    Case("transpose_step_by_step", "seven", function(lambda x: tf.transpose(x, [0, 4, 2, 6, 1, 5, 3]), _SIX)),
    Case(
        "transpose_step_by_step", "open", function(lambda x: tf.transpose(x, [0, 6, 2, 3, 1, 5, 4]), (None, *_SIX[1:]))
    ),
    Case("pad_axis_by_axis", "zeros", function(lambda x: tf.pad(x, _MARGINS), _FIVE)),
    Case("pad_axis_by_axis", "number", function(lambda x: tf.pad(x, _MARGINS, constant_values=1.5), _FIVE)),
    Case("pad_axis_by_axis", "mirrored", function(lambda x: tf.pad(x, _MARGINS[:5], "SYMMETRIC"), _FIVE[:4])),
    Case("reduce_runs_of_axes", "last two", function(lambda x: tf.reduce_sum(x, [4, 5]), _FIVE)),
    Case("reduce_runs_of_axes", "kept", function(lambda x: tf.reduce_max(x, [2, 3], keepdims=True), _FIVE)),
    Case("reduce_runs_of_axes", "every other", function(lambda x: tf.reduce_mean(x, [1, 3, 4]), _FIVE)),
    Case("join_runs_of_axes", "difference", function(tf.subtract, _FIVE, (2, 3, 2, 1, 1))),
    Case("join_runs_of_axes", "fewer axes", function(lambda x: x * tf.range(6.0)[:, None] - 1, (2, 3, 2, 6, 2))),
    Case("choose_in_a_row", "one number", function(lambda x: tf.where(x > 0, x, -1.0), _FIVE)),
    Case("choose_in_a_row", "tensors", function(lambda x, y: tf.where(x > 0, x, y), _FIVE, _FIVE)),
)
