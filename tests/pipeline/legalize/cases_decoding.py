"""Paths through scores, of lengths that differ, with blanks and repetitions."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
from keras import ops
from rule_cases import Case, function


def _lengths(x: Any) -> Any:
    """From one step to all of them, by the first score."""
    return 1 + tf.cast(4.0 * tf.sigmoid(3.0 * x[:, 0, 0]), tf.int32)


def _as_keras_does(x: Any) -> Any:
    labels, scores = ops.ctc_decode(x, _lengths(x))
    return tf.concat([tf.cast(labels[0], tf.float32), scores], 1)


def _every_label(x: Any) -> Any:
    (labels,), scores = tf.nn.ctc_greedy_decoder(tf.transpose(x, [1, 0, 2]), _lengths(x), merge_repeated=False)
    filled = tf.SparseTensor(labels.indices, labels.values, tf.cast(tf.stack([tf.shape(x)[0], 7]), tf.int64))
    return tf.concat([tf.cast(tf.sparse.to_dense(filled, -1), tf.float32), scores], 1)


CASES: tuple[Case, ...] = tuple(
    case
    for rule in ("best_path_by_steps", "rows_of_labels")
    for case in (
        Case(rule, "merged", function(_as_keras_does, (5, 3)), run=rule == "rows_of_labels"),
        Case(rule, "every label, filled", function(_every_label, (5, 3)), run=rule == "rows_of_labels"),
        Case(rule, "any number of steps", function(_as_keras_does, (None, 3)), run=rule == "rows_of_labels"),
    )
)
