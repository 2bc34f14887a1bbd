"""Categories, in range and out of it, repeated and missing."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
from keras import layers, ops
from rule_cases import Case, between, function, stack

IDS, ANY = between(0, 5), between(-2, 8)
WHERE = np.array([[0, 1], [0, 3], [0, 1]], np.int32)
SEGMENTS = np.array([0, 2, 2, 0, 3], np.int32)


def _encode(mode: str) -> Any:
    return stack(lambda r: layers.CategoryEncoding(6, mode), shape=(4,), dtype="int32")


def _weighted(ids: Any, weights: Any) -> Any:
    return layers.CategoryEncoding(6, "count")(ids, count_weights=weights)


def _by_column(reduce: Any) -> Any:
    """Columns reduced by constant segments."""
    return function(lambda x: tf.transpose(reduce(tf.transpose(x), SEGMENTS, 4)), (5,))


def _sorted(reduce: Any) -> Any:
    return function(lambda x: tf.transpose(reduce(tf.transpose(x), np.sort(SEGMENTS))), (5,))


def _update(update: Any) -> Any:
    return function(lambda x: update(x, WHERE, tf.constant([0.3, -0.2, 0.1])), (4,))


def _any_segments(x: Any, ids: Any) -> Any:
    return x + tf.math.unsorted_segment_sum(x, ids, 4)[:1]


def _histogram(x: Any) -> Any:
    return tf.expand_dims(tf.histogram_fixed_width(x, [-1.0, 1.0], 5), 0) + tf.zeros([tf.shape(x)[0], 1], tf.int32)


CASES: tuple[Case, ...] = (
    Case("first_of_largest", "int64", function(lambda x: tf.argmax(x, 1), (4, 3), dtype="int64"), draw=between(-9, 9)),
    Case("first_of_largest", "least", function(lambda x: tf.argmin(x, -1), (4, 3), dtype="int64"), draw=between(0, 2)),
    Case("one_hot_by_comparison", "float", function(lambda x: tf.one_hot(x, 5), (4,), dtype="int32"), draw=ANY),
    Case("one_hot_by_comparison", "axis", function(lambda x: tf.one_hot(x, 5, axis=1), (4,), dtype="int32"), draw=ANY),
    Case(
        "one_hot_by_comparison", "int64 ids", function(lambda x: tf.one_hot(x, 5, 3, -1), (4,), dtype="int64"), draw=ANY
    ),
    Case(
        "one_hot_by_comparison",
        "bool",
        function(lambda x: ops.one_hot(x, 5, dtype="bool"), (4,), dtype="int32"),
        draw=ANY,
    ),
    Case("count_by_scattering", "counts", _encode("count"), draw=IDS),
    Case("count_by_scattering", "several", _encode("multi_hot"), draw=IDS),
    Case("count_by_scattering", "weights", function(_weighted, (4,), (4,), dtype=("int32", "float32")), draw=IDS),
    Case(
        "count_by_scattering",
        "open size",
        function(lambda x: ops.bincount(x, minlength=9), (None,), dtype="int32"),
        draw=IDS,
    ),
    Case("sum_by_scattering", "constant", _by_column(tf.math.unsorted_segment_sum)),
    Case("sum_by_scattering", "sorted", _sorted(tf.math.segment_sum)),
    Case(
        "sum_by_scattering", "any", function(_any_segments, (4,), (), dtype=("float32", "int32")), draw=between(-1, 3)
    ),
    Case("reduce_by_segment", "max", _by_column(lambda x, s, n: tf.math.unsorted_segment_max(x, s, n) * 1e-9)),
    Case("reduce_by_segment", "min", _by_column(lambda x, s, n: tf.math.unsorted_segment_min(x, s, n) * 1e-9)),
    Case("reduce_by_segment", "prod", _by_column(tf.math.unsorted_segment_prod)),
    Case("reduce_by_segment", "sorted mean", _sorted(tf.math.segment_mean)),
    Case("reduce_by_segment", "sorted max", _sorted(tf.math.segment_max)),
    Case("empty_segments", "max", _by_column(tf.math.unsorted_segment_max)),
    Case("empty_segments", "min", _by_column(tf.math.unsorted_segment_min)),
    Case(
        "scatter_onto_zeros",
        "repeated",
        function(lambda x: tf.scatter_nd([[0], [2], [0]], tf.transpose(x), [1 + 2, tf.shape(x)[0]])[0, :, None], (3,)),
    ),
    Case("update_by_sum", "add", _update(tf.tensor_scatter_nd_add)),
    Case("update_by_sum", "sub", _update(tf.tensor_scatter_nd_sub)),
    Case("update_by_extremum", "max", _update(tf.tensor_scatter_nd_max)),
    Case("update_by_extremum", "min", _update(tf.tensor_scatter_nd_min)),
    Case("count_boundaries", "floats", stack(lambda r: layers.Discretization([-0.5, 0.0, 0.7]), shape=(4,))),
    Case(
        "count_boundaries",
        "integers",
        stack(lambda r: layers.Discretization([-0.5, 0.0, 2.0], output_mode="multi_hot"), shape=(4,), dtype="int32"),
        draw=ANY,
    ),
    Case("count_below", "left", function(lambda x: ops.searchsorted(np.float32([-1, 0, 1]), x), ())),
    Case(
        "count_below",
        "right",
        function(lambda x: ops.searchsorted(np.int32([-1, 0, 0, 2]), x, side="right"), (), dtype="int32"),
        draw=ANY,
    ),
    Case(
        "in_top_k_by_counting",
        "some out of range",
        function(lambda t, x: tf.math.in_top_k(t, x, 2), (), (5,), dtype=("int32", "float32")),
        draw=ANY,
    ),
    Case(
        "in_top_k_by_counting",
        "seven classes",
        function(lambda t, x: tf.math.in_top_k(t, x, 2), (), (7,), dtype=("int32", "float32")),
        draw=ANY,
    ),
    Case("histogram_by_scattering", "five bins", function(_histogram, (7,))),
)
