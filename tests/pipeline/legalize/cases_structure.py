"""Bookkeeping."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
from keras import layers
from rule_cases import Case, function, stack
from tensorflow.python.framework.function import Defun


def _static_shape(x: Any) -> Any:
    # `tf.shape` would see at once that this one is static.
    (size,) = tf.unstack(tf.raw_ops.Shape(input=tf.reduce_sum(x, 0)))
    return x * tf.cast(size, tf.float32)


@Defun(tf.float32)
def tripled(x: Any) -> Any:
    return 3.0 * x


def _old_function(x: Any) -> Any:
    """TensorFlow calls one by an operation of its own name, as in its loss for CTC."""
    return tf.function(lambda v: tf.reshape(tripled(v), tf.shape(v)) + 1.0, autograph=False)(x)


CASES: tuple[Case, ...] = (
    Case("pass_through", "identity", function(lambda x: tf.stop_gradient(tf.identity(x)) + 1.0, (3,))),
    Case("pass_all_through", "identity_n", function(lambda x: tf.identity_n([x, 2.0 * x])[1], (3,))),
    Case("inline_call", "function", function(tf.function(lambda x: 3.0 * x, autograph=False, jit_compile=True), (3,))),
    Case("inline_call", "function in a function of an old kind", function(_old_function, (3,))),
    Case("inline_call", "grouped conv", stack(lambda r: layers.Conv2D(4, 3, groups=2), shape=(6, 6, 4)), 16, run=False),
    Case("redundant_cast", "half", function(lambda x: tf.cast(tf.cast(x, tf.float16), tf.float32) * 2.0, (3,)), 1e4),
    Case("static_shape", "shape of a constant", function(_static_shape, (3,))),
    Case("static_part_of_shape", "a size", function(lambda x: x / tf.cast(tf.shape(x)[1], tf.float32), (7,))),
    Case("part_of_shape", "Dense on rank 3", stack(lambda r: layers.Dense(5), shape=(4, 3)), ulp=16),
    Case(
        "part_of_shape",
        "gather",
        function(lambda x: tf.reshape(x, tf.concat([tf.gather(tf.shape(x), [0, 2]), [-1]], 0)), (4, 3)),
    ),
    Case("infer_open_size", "Flatten", stack(lambda r: layers.Flatten(), shape=(4, 3))),
    Case("infer_open_size", "Reshape", stack(lambda r: layers.Reshape((3, 2, 2)), shape=(4, 3))),
    Case(
        "infer_open_size",
        "stacked sizes",
        function(lambda x: tf.reshape(x, tf.stack([tf.shape(x)[0], 12])), (4, 3)),
    ),
)
