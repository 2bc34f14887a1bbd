"""Losses as outputs: cross entropies of logits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tensorflow as tf

from pipeline.legalize.registry import TFJS, TFLITE, rule

if TYPE_CHECKING:
    from pipeline.legalize.rewriter import Rewriter


@rule(
    "SoftmaxCrossEntropyWithLogits",
    targets=(TFLITE, TFJS),
    why="-sum p log softmax(x), with log softmax(x) = x - m - log sum exp(x - m) and m the maximum: the kernel's form.",
)
def cross_entropy_by_definition(rewriter: Rewriter, op: Any, logits: Any, labels: Any) -> Any:
    if op.outputs[1].consumers():
        return None
    return [-tf.reduce_sum(labels * _log_softmax(logits), -1), tf.zeros_like(logits)]


@rule(
    "SparseSoftmaxCrossEntropyWithLogits",
    targets=(TFLITE, TFJS),
    why="The same for a label that is one class: minus its log softmax.",
)
def class_entropy_by_definition(rewriter: Rewriter, op: Any, logits: Any, labels: Any) -> Any:
    if op.outputs[1].consumers():
        return None
    places = tf.cast(tf.range(tf.shape(logits)[-1]), labels.dtype)
    own = tf.equal(tf.expand_dims(labels, -1), places)
    return [-tf.reduce_sum(tf.where(own, _log_softmax(logits), 0.0), -1), tf.zeros_like(logits)]


def _log_softmax(logits: Any) -> Any:
    moved = logits - tf.reduce_max(logits, -1, keepdims=True)
    return moved - tf.math.log(tf.reduce_sum(tf.exp(moved), -1, keepdims=True))
