"""For each rule, small models that need it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from tensorflow.python.ops import list_ops

Random = np.random.Generator
Build = Callable[[Random], keras.Model]


class Apply(layers.Layer):
    """A layer around a function of TensorFlow."""

    def __init__(self, function: Callable[..., Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.function = function

    def call(self, *inputs: Any) -> Any:
        return self.function(*inputs)


@dataclass(frozen=True)
class Case:
    """A model for a rule.

    Attributes:
        rule: that must be applied, for each of its targets.
        name: what is special about it.
        build: makes the model, with random sizes and options.
        ulp: bound on the error of the rewritten graph, in ULP of the output's scale.
        run: write the artifacts too, and judge them in their runtimes.
    """

    rule: str
    name: str
    build: Build
    ulp: float = 8.0
    run: bool = True

    @property
    def id(self) -> str:
        return f"{self.rule}-{self.name}".replace(" ", "_")


def settle(model: keras.Model, random: Random) -> keras.Model:
    """Random weights, biases and statistics: initial zeros and ones would hide mistakes."""
    for weight in model.weights:
        shape = tuple(weight.shape)
        if "variance" in weight.path or "gamma" in weight.path:
            weight.assign(random.uniform(0.5, 1.5, shape))
        elif weight.dtype == "float32":
            weight.assign(random.normal(size=shape) / np.sqrt(max(1, np.prod(shape[:-1]))))
    return model


def function(call: Callable[..., Any], *shapes: tuple[int | None, ...]) -> Build:
    """A model that is one function of inputs of these shapes (without the batch)."""

    def build(random: Random) -> keras.Model:
        inputs = [keras.Input(shape, name=f"x{k}") for k, shape in enumerate(shapes)]
        return keras.Model(inputs, Apply(call, name="apply")(*inputs))

    return build


def stack(*parts: Callable[[Random], Any], shape: tuple[int | None, ...], dtype: str = "float32") -> Build:
    """A model of layers in sequence."""

    def build(random: Random) -> keras.Model:
        x = entry = keras.Input(shape, dtype=dtype, name="x")
        for part in parts:
            x = part(random)(x)
        return settle(keras.Model(entry, x), random)

    return build


def einsum(equation: str, *shapes: tuple[int | None, ...]) -> Case:
    """Inputs as model inputs; the letter b is the batch wherever it leads."""
    return Case("einsum_by_matmul", equation, function(lambda *t: tf.einsum(equation, *t), *shapes), ulp=16)


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


def _conv(random: Random, **options: Any) -> Any:
    filters, padding = int(random.integers(2, 6)), str(random.choice(["same", "valid"]))
    return layers.Conv2D(filters, 3, strides=int(random.integers(1, 3)), padding=padding, **options)


def _norm(random: Random) -> Any:
    return layers.BatchNormalization(center=True, scale=bool(random.integers(2)))


def _static_shape(x: Any) -> Any:
    # `tf.shape` would see at once that this one is static.
    (size,) = tf.unstack(tf.raw_ops.Shape(input=tf.reduce_sum(x, 0)))
    return x * tf.cast(size, tf.float32)


def _attention(random: Random) -> keras.Model:
    x = keras.Input((5, 6), name="x")
    y = layers.MultiHeadAttention(2, 3)(x, x, use_causal_mask=True)
    return settle(keras.Model(x, y), random)


_IMAGE = (9, 8, 3)

CASES: tuple[Case, ...] = (
    # Activations.
    Case("erfc_by_erf", "gelu", stack(lambda r: layers.Activation("gelu"), shape=(6,))),
    Case("erfc_by_erf", "alone", function(tf.math.erfc, (5,))),
    Case("erfc_rational", "alone", function(tf.math.erfc, (5,))),
    Case("erfc_rational", "scaled as in gelu, but not gelu", function(lambda x: tf.math.erfc(x * 0.5**0.5), (5,))),
    Case("erfc_rational", "times another tensor", function(lambda x, y: y * tf.math.erfc(-x * 0.5**0.5), (5,), (5,))),
    Case("erf_rational", "alone", function(tf.math.erf, (4, 5))),
    Case("erf_rational", "saturated", function(lambda x: tf.math.erf(9.0 * x), (5,))),
    Case("softsign_by_definition", "activation", stack(lambda r: layers.Activation("softsign"), shape=(6,))),
    # Folding.
    Case("fold_scale", "conv", stack(_conv, _norm, shape=_IMAGE), ulp=16),
    Case("fold_scale", "conv no bias", stack(lambda r: _conv(r, use_bias=False), _norm, shape=_IMAGE), ulp=16),
    Case("fold_scale", "depthwise", stack(lambda r: layers.DepthwiseConv2D(3), _norm, shape=_IMAGE), ulp=16),
    Case(
        "fold_scale",
        "depthwise multiplier",
        stack(lambda r: layers.DepthwiseConv2D(3, depth_multiplier=2), _norm, shape=_IMAGE),
        ulp=16,
    ),
    Case("fold_scale", "dense", stack(lambda r: layers.Dense(5), _norm, shape=(7,)), ulp=16),
    Case("fold_scale", "scalar", stack(_conv, lambda r: layers.Rescaling(0.3, 0.1), shape=_IMAGE), ulp=16),
    Case("fold_shift", "conv", stack(_conv, _norm, shape=_IMAGE), ulp=16),
    Case("fold_shift", "dense", stack(lambda r: layers.Dense(5), _norm, shape=(7,)), ulp=16),
    Case(
        "fold_shift",
        "subtraction",
        stack(lambda r: layers.Dense(3), lambda r: Apply(lambda x: x - tf.constant([1.0, 2.0, -3.0])), shape=(4,)),
        ulp=16,
    ),
    # Contractions. Model inputs share the batch b.
    einsum("bij,bjk->bik", (3, 4), (4, 5)),
    einsum("bqhd,bkhd->bhqk", (4, 2, 3), (5, 2, 3)),
    einsum("bhqk,bkhd->bqhd", (2, 4, 5), (5, 2, 3)),
    einsum("bi,bj->bij", (3,), (4,)),
    einsum("bi,bi->b", (3,), (3,)),
    einsum("bi,bi->bi", (3,), (3,)),
    einsum("bij,bk->bik", (3, 4), (5,)),
    einsum("bij->bji", (3, 4)),
    einsum("bij->b", (3, 4)),
    einsum("...ij,...jk->...ik", (2, 3, 4), (2, 4, 5)),
    einsum("...i,...i->...", (2, 3), (2, 3)),
    einsum("b...i,bi->b...", (2, 3, 4), (4,)),
    einsum("btd,bsd->bts", (None, 3), (None, 3)),
    Case(
        "einsum_by_matmul",
        "ellipsis with a size of one",
        function(lambda x, y: tf.einsum("...ij,...jk->...ik", x, y), (1, 3, 4), (2, 4, 5)),
    ),
    Case(
        "einsum_by_matmul",
        "constant on the left",
        function(lambda x: tf.einsum("ij,bjk->bik", tf.reshape(tf.range(12.0), (3, 4)), x), (4, 5)),
    ),
    Case("einsum_by_matmul", "dynamic inner", function(lambda x: tf.einsum("bti,btj->bij", x, x), (None, 3)), ulp=16),
    Case("einsum_by_matmul", "MultiHeadAttention", _attention, ulp=64),
    Case("broadcast_product", "middle axis", function(tf.matmul, (1, 3, 4), (2, 4, 5)), ulp=16),
    Case(
        "broadcast_product",
        "fewer axes",
        function(lambda x: tf.matmul(x, tf.ones((2, 5, 4)), transpose_b=True), (2, 3, 4)),
    ),
    # Recurrence.
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
    # Control flow.
    Case("rebuild_loop", "data decides", function(_halve_until_small, (3,))),
    Case("rebuild_loop", "weights inside", stack(_count_with_weight, shape=(4,)), ulp=32),
    Case("rebuild_branch", "data decides", function(_branch, (3,))),
    Case("rebuild_branch", "branches in branches", function(_nested, (3,))),
    # Structure.
    Case("pass_through", "identity", function(lambda x: tf.stop_gradient(tf.identity(x)) + 1.0, (3,))),
    Case("pass_all_through", "identity_n", function(lambda x: tf.identity_n([x, 2.0 * x])[1], (3,))),
    Case("inline_call", "function", function(tf.function(lambda x: 3.0 * x, autograph=False, jit_compile=True), (3,))),
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
