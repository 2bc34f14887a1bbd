"""What a speech or a handwriting model reads out of its own scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from pipeline.legalize.registry import FORMATS, rule

if TYPE_CHECKING:
    from pipeline.legalize.rewriter import Rewriter


@dataclass(frozen=True, eq=False)
class Labels:
    """Rows of labels while rewriting, in place of a sparse tensor: no format has one.

    Attributes:
        dense: int64 [batch, steps]; a row's labels come first.
        count: int64 [batch], how many they are.
    """

    dense: Any
    count: Any


@rule(
    "CTCGreedyDecoder",
    targets=FORMATS,
    why="The best class of each step, without blanks and repetitions; each of the rest at its number's place.",
)
def best_path_by_steps(rewriter: Rewriter, op: Any, scores: Any, lengths: Any) -> Any:
    steps = tf.range(tf.shape(scores)[0])
    scores = tf.transpose(scores, [1, 0, 2])
    best = tf.argmax(scores, -1, output_type=tf.int32)
    within = steps < tf.expand_dims(lengths, 1)
    blank = op.get_attr("blank_index")
    kept = tf.logical_and(within, tf.not_equal(best, blank if blank >= 0 else tf.shape(scores)[2] + blank))
    if op.get_attr("merge_repeated"):
        before = tf.concat([tf.fill(tf.stack([tf.shape(best)[0], 1]), -1), best[:, :-1]], 1)
        kept = tf.logical_and(kept, tf.not_equal(best, before))
    place = tf.cumsum(tf.cast(kept, tf.int32), 1) - 1
    here = tf.equal(tf.expand_dims(place, 1), tf.expand_dims(steps, 1))
    here = tf.logical_and(here, tf.expand_dims(kept, 1))
    dense = tf.reduce_sum(tf.where(here, tf.expand_dims(best, 1), tf.zeros([], tf.int32)), -1)
    dense.set_shape(best.shape)
    count = tf.reduce_sum(tf.cast(kept, tf.int32), 1)
    labels = Labels(tf.cast(dense, tf.int64), tf.cast(count, tf.int64))
    shape = tf.cast(tf.stack([tf.shape(best)[0], tf.reduce_max(count)]), tf.int64)
    top = tf.where(within, tf.reduce_max(scores, -1), tf.zeros([], scores.dtype))
    return [labels, labels, shape, -tf.reduce_sum(top, 1, keepdims=True)]


@rule(
    "SparseToDense",
    targets=FORMATS,
    why="Rows of labels, and the default behind them, cut or filled to the size that is asked for.",
    stand_in=Labels,
)
def rows_of_labels(rewriter: Rewriter, op: Any, indices: Any, shape: Any, values: Any, default: Any) -> Any:
    dense, count = indices.dense, indices.count
    wanted, known = tf.cast(shape[1], tf.int32), rewriter.value(shape[1])
    if known is None or int(known) != dense.shape[1]:
        missing = tf.maximum(wanted - tf.shape(dense)[1], 0)
        dense = tf.pad(dense, tf.stack([[0, 0], tf.stack([0, missing])]))[:, :wanted]
    places = tf.cast(tf.range(tf.shape(dense)[1]), tf.int64)
    found = tf.where(places < tf.expand_dims(count, 1), dense, tf.cast(default, tf.int64))
    found.set_shape([op.outputs[0].shape[0], found.shape[1]] if op.outputs[0].shape.rank == 2 else found.shape)
    return tf.cast(found, op.outputs[0].dtype)
