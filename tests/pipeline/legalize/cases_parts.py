"""Splitting, padding and joining of integers and truth values; remainders and infinities."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
from rule_cases import Case, between, function

SMALL = between(-9, 9)


def _stitch(stitch: Any) -> Any:
    return function(lambda x: tf.transpose(stitch([[0, 2], [1, 3]], tf.split(tf.transpose(x), 2))), (4,))


def _infinite(x: Any) -> Any:
    return tf.math.is_inf(x / tf.nn.relu(x))


def _remainder(x: Any) -> Any:
    return tf.raw_ops.TruncateMod(x=x, y=tf.constant(0.3))


CASES: tuple[Case, ...] = (
    Case("split_by_slices", "int64", function(lambda x: tf.split(x, 2, 1)[1], (4,), dtype="int64"), draw=SMALL),
    Case("split_by_slices", "bool", function(lambda x: tf.split(x, 2, 1)[1], (4, 3), dtype="bool"), draw=SMALL),
    Case("split_by_sizes", "int64", function(lambda x: tf.split(x, [1, 3], 1)[1], (4,), dtype="int64"), draw=SMALL),
    Case("unpack_by_slices", "int64", function(lambda x: tf.unstack(x, axis=1)[2], (4, 3), dtype="int64"), draw=SMALL),
    Case(
        "pad_truth",
        "true",
        function(lambda x: tf.pad(x, [[0, 0], [1, 2]], constant_values=True), (4,), dtype="bool"),
        draw=SMALL,
    ),
    Case(
        "pad_truth",
        "mirror",
        function(lambda x: tf.pad(x, [[0, 0], [1, 2]], "REFLECT"), (4,), dtype="bool"),
        draw=SMALL,
    ),
    Case("infinite_by_magnitude", "quotient", function(_infinite, (4,))),
    Case(
        "clip_by_definition",
        "op",
        function(lambda x: tf.raw_ops.ClipByValue(t=x, clip_value_min=-0.5, clip_value_max=0.7), (4,)),
    ),
    Case(
        "clip_by_definition",
        "integers from 0 to 6",
        function(lambda x: tf.raw_ops.ClipByValue(t=x, clip_value_min=0, clip_value_max=6), (4,), dtype="int32"),
        draw=between(-9, 9),
    ),
    Case("truncated_float_remainder", "both signs", function(_remainder, (6,)), draw=between(-3, 3)),
    Case(
        "shapes_one_by_one",
        "two",
        function(lambda x: x * tf.cast(tf.raw_ops.ShapeN(input=[x, x])[1][0], tf.float32), (4,)),
    ),
    Case(
        "unravel_by_division",
        "int32",
        function(lambda x: tf.transpose(tf.unravel_index(x, [3, 4])), (), dtype="int32"),
        draw=between(0, 11),
    ),
    Case(
        "integer_product",
        "vectors",
        function(lambda x: tf.matmul(x, np.arange(8, dtype="int32").reshape(4, 2)), (4,), dtype="int32"),
        draw=SMALL,
    ),
    Case(
        "integer_product",
        "batches",
        function(lambda x: tf.matmul(x, x, transpose_b=True), (3, 4), dtype="int32"),
        draw=SMALL,
    ),
    Case("stitch_by_gather", "one by one", _stitch(tf.dynamic_stitch)),
    Case(
        "stitch_by_gather",
        "at once",
        _stitch(lambda places, parts: tf.raw_ops.ParallelDynamicStitch(indices=places, data=parts)),
    ),
)
