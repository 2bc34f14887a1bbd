"""Recurrence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf
from keras import layers, ops
from rule_cases import Case, Random, function, settle, stack
from tensorflow.python.ops import list_ops


def rnn(kind: Any, **options: Any) -> Callable[[Random], Any]:
    return lambda random: kind(int(random.integers(2, 6)), **options)


def both(kind: Any, **options: Any) -> Callable[[Random], Any]:
    return lambda random: layers.Bidirectional(kind(int(random.integers(2, 6)), **options))


def masking(random: Random) -> Any:
    return layers.Masking(0.0)


def recurrent(name: str, *parts: Callable[[Random], Any], steps: int | None = 7, **fields: Any) -> tuple[Case, ...]:
    """A recurrent model is a case of each of the list rules."""
    build = stack(*parts, shape=(steps, 3), **fields)
    rules = ("list_from_tensor", "list_reserve", "list_get", "list_set", "list_stack")
    # Judged in the runtimes once.
    return tuple(Case(rule, name, build, ulp=64, run=rule == "list_set") for rule in rules)


def _list_length(x: Any) -> Any:
    items = list_ops.tensor_list_from_tensor(tf.transpose(x, [1, 0, 2]), tf.constant([-1, 3]))
    _, total = tf.while_loop(
        lambda i, _: i < list_ops.tensor_list_length(items),
        lambda i, t: (i + 1, 0.5 * t + list_ops.tensor_list_get_item(items, i, tf.float32, [None, 3])),
        [0, tf.zeros_like(x[:, 0])],
    )
    return total


def _scan(x: Any) -> Any:
    steps = tf.transpose(x, [1, 0, 2])
    _, found = ops.scan(lambda c, v: (0.5 * c + v,) * 2, tf.zeros_like(steps[0]), steps)
    return tf.transpose(found, [1, 0, 2])


def _two_entries(x: Any) -> Any:
    """The last two states, in a list that is written before the loop."""
    states = tf.TensorArray(tf.float32, 2, clear_after_read=False, element_shape=(None, 3))
    states = states.write(0, x[:, 0]).write(1, x[:, 1])

    def step(i: Any, states: Any) -> tuple[Any, Any]:
        older, newer = states.read(0), states.read(1)
        return i + 1, states.write(0, newer).write(1, 0.5 * older - newer + x[:, 2])

    return tf.while_loop(lambda i, _: i < 4, step, [0, states])[1].read(1)


def _written_in_python(x: Any) -> Any:
    """A loop that Python unrolled, which writes to a list as if it were one of the graph."""
    items = tf.TensorArray(tf.float32, 3, element_shape=(None, 2))
    for k in range(3):
        items = items.write(k, (k + 1.0) * x[:, k])
    return tf.transpose(items.stack(), [1, 0, 2])


class Leaky(layers.Layer):
    """A cell whose output is not its state."""

    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.state_size = units

    def build(self, shape: Any) -> None:
        self.kernel = self.add_weight(shape=(shape[-1], self.state_size), name="kernel")

    def call(self, x: Any, states: Any, training: bool = False) -> Any:
        state = 0.5 * states[0] + x @ self.kernel
        return tf.tanh(state), [state]


def _states(random: Random) -> keras.Model:
    x = keras.Input((5, 3), name="x")
    return settle(keras.Model(x, layers.LSTM(4, return_state=True)(x)), random)


def _written(x: Any) -> Any:
    """A loop without a state: only what is written tells the batch."""
    items = tf.TensorArray(tf.float32, tf.shape(x)[1], element_shape=(None, 3))
    _, items = tf.while_loop(lambda i, _: i < tf.shape(x)[1], lambda i, t: (i + 1, t.write(i, 2 * x[:, i])), [0, items])
    return tf.transpose(items.stack(), [1, 0, 2])


CASES: tuple[Case, ...] = (
    *recurrent("a cell of its own", lambda r: layers.RNN(Leaky(4), return_sequences=True)),
    *recurrent("a cell of its own, any length", lambda r: layers.RNN(Leaky(4)), steps=None),
    Case("list_reserve", "no state", function(_written, (None, 3))),
    Case("rebuild_loop", "states as outputs", _states, ulp=64),
    Case("rebuild_loop", "output is not the state", stack(lambda r: layers.RNN(Leaky(4)), shape=(5, 3)), ulp=64),
    *recurrent("LSTM", rnn(layers.LSTM)),
    *recurrent("LSTM sequences", rnn(layers.LSTM, return_sequences=True)),
    *recurrent("LSTM backwards", rnn(layers.LSTM, go_backwards=True)),
    *recurrent("LSTM masked", masking, rnn(layers.LSTM)),
    *recurrent("LSTM masked sequences", masking, rnn(layers.LSTM, return_sequences=True)),
    *recurrent("LSTM of any length", rnn(layers.LSTM), steps=None),
    *recurrent("LSTM of one step", rnn(layers.LSTM), steps=1),
    *recurrent("LSTM twice", rnn(layers.LSTM, return_sequences=True), rnn(layers.LSTM)),
    *recurrent("GRU", rnn(layers.GRU)),
    *recurrent("GRU sequences", rnn(layers.GRU, return_sequences=True, reset_after=False)),
    *recurrent("GRU masked", masking, rnn(layers.GRU, return_sequences=True)),
    *recurrent("SimpleRNN", rnn(layers.SimpleRNN)),
    *recurrent("Bidirectional LSTM", both(layers.LSTM)),
    *recurrent("Bidirectional GRU sequences", both(layers.GRU, return_sequences=True)),
    *recurrent("Bidirectional masked", masking, both(layers.LSTM)),
    Case("list_length", "loop to the length", function(_list_length, (6, 3))),
    *(Case(name, "scan", function(_scan, (6, 3)), ulp=16) for name in ("state_reserve", "state_set", "state_get")),
    Case("state_stack", "written in Python", function(_written_in_python, (3, 2))),
    Case("state_set", "two entries", function(_two_entries, (6, 3)), ulp=16),
)
