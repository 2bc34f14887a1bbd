"""Variables in the graph: read, and gathered from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf
from keras import layers
from rule_cases import Build, Case, Random, between, settle, stack


class Reads(layers.Layer):
    """A layer that does something with TensorFlow's own variable behind its weight."""

    def __init__(self, function: Callable[[Any, Any], Any], size: tuple[int, ...], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.function, self.size = function, size

    def build(self, shape: Any) -> None:
        self.weight = self.add_weight(shape=self.size, name="weight")

    def call(self, x: Any) -> Any:
        return self.function(self.weight.value, x)


def reads(function: Callable[[Any, Any], Any], *size: int) -> Build:
    def build(random: Random) -> keras.Model:
        x = keras.Input((4,), dtype="int32", name="x")
        return settle(keras.Model(x, Reads(function, size, name="reads")(x)), random)

    return build


def in_a_loop(variable: Any, x: Any) -> Any:
    """Reads its variable inside of a loop's body and of a branch."""
    total = tf.while_loop(
        lambda k, _: k < 3,
        lambda k, t: (k + 1, t + tf.cond(k > 1, lambda: tf.gather(variable, x), lambda: 2.0 * tf.gather(variable, x))),
        (0, tf.zeros((tf.shape(x)[0], 4, 6))),
        shape_invariants=(tf.TensorShape([]), tf.TensorShape([None, 4, 6])),
    )
    return total[1]


def entries(variable: Any, x: Any) -> Any:
    return tf.gather_nd(variable, tf.stack([x, x % 6], -1))


CASES = (
    Case("read_variable", "small", stack(lambda _: layers.Dense(3), shape=(5,))),
    Case("read_variable", "large", stack(lambda _: layers.Dense(150), shape=(120,)), ulp=16),
    Case("gather_from_variable", "rows", reads(tf.gather, 9, 6), draw=between(0, 8)),
    Case("gather_from_variable", "rows of a large one", reads(tf.gather, 900, 60), draw=between(0, 899)),
    Case("gather_from_variable", "in a loop", reads(in_a_loop, 9, 6), draw=between(0, 8)),
    Case("gather_entries_from_variable", "pairs", reads(entries, 9, 6), draw=between(0, 8)),
)
