"""Loops and branches."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
from keras import layers
from rule_cases import Case, Random, function, stack


def _halve_until_small(x: Any) -> Any:
    return tf.while_loop(lambda v: tf.reduce_max(tf.abs(v)) > 0.1, lambda v: (0.5 * v,), [x])[0]


def _count_with_weight(random: Random) -> Any:
    """A loop whose body reads a Keras weight that was created outside of it."""

    class Loop(layers.Layer):
        def build(self, shape: Any) -> None:
            self.kernel = self.add_weight(shape=(shape[-1], shape[-1]), name="kernel")

        def call(self, x: Any) -> Any:
            return tf.while_loop(lambda i, v: i < 4, lambda i, v: (i + 1, tf.tanh(v @ self.kernel)), [0, x])[1]

    return Loop()


def _branch(x: Any) -> Any:
    return tf.cond(tf.reduce_sum(x) > 0, lambda: x * 2.0 + 1.0, lambda: tf.tanh(x))


def _nested(x: Any) -> Any:
    return tf.cond(tf.reduce_sum(x) > 0, lambda: _halve_until_small(x), lambda: _branch(x - 1.0))


CASES: tuple[Case, ...] = (
    Case("rebuild_loop", "data decides", function(_halve_until_small, (3,))),
    Case("rebuild_loop", "weights inside", stack(_count_with_weight, shape=(4,)), ulp=32),
    Case("unroll_loop", "weights inside", stack(_count_with_weight, shape=(4,)), ulp=32),
    Case("rebuild_branch", "data decides", function(_branch, (3,))),
    Case("rebuild_branch", "branches in branches", function(_nested, (3,))),
)
