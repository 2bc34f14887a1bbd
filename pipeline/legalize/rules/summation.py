"""Sums and means in the order in which a plain loop adds."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from pipeline.legalize.registry import SEQUENTIAL, rule


@rule(
    "Sum",
    "Mean",
    targets=(SEQUENTIAL,),
    why="The same sum, its terms added one after the other, as a runtime may do and TensorFlow does not.",
)
def add_in_sequence(rewriter: Any, op: Any, x: Any, axes: Any) -> Any:
    known = rewriter.value(axes)
    if known is None or not x.dtype.is_floating or x.shape.rank is None:
        return None
    reduced = sorted({int(axis) % x.shape.rank for axis in np.atleast_1d(known)})
    kept = [axis for axis in range(x.shape.rank) if axis not in reduced]
    if not reduced:
        return None
    shape = tf.shape(x)
    flat = tf.reshape(
        tf.transpose(x, [*kept, *reduced]), tf.concat([tf.gather(shape, kept), [-1]], 0) if kept else [-1]
    )
    # A zero in front: nothing to add up is zero, too.
    padding = [[0, 0]] * len(kept) + [[1, 0]]
    total = tf.cumsum(tf.pad(flat, padding), axis=-1)[..., -1]
    if op.type == "Mean":
        total /= tf.cast(tf.reduce_prod(tf.gather(shape, reduced)), x.dtype)
    if not op.get_attr("keep_dims"):
        return total
    for axis in reduced:
        total = tf.expand_dims(total, axis)
    return total
