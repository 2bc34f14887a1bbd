"""Legal random models: a description that Hypothesis draws and shrinks, and the Keras model that it stands for.

A description is data (`Step`s in sequence, some with branches), so that a failure prints as something that can be
pasted into `KEPT` in test_random_programs.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import keras
from hypothesis import strategies as st
from keras import layers


@dataclass(frozen=True)
class Step:
    """One layer, or branches that are merged.

    Attributes:
        layer: a name in `STEPS`, or of a merging layer when there are branches.
        options: the layer's arguments.
        branches: sequences of steps that all start at this step's input.
    """

    layer: str
    options: dict[str, Any] = field(default_factory=dict)
    branches: tuple[tuple[Step, ...], ...] = ()


@dataclass(frozen=True)
class Program:
    """An input and what follows; `shape` is without the batch."""

    shape: tuple[int | None, ...]
    steps: tuple[Step, ...]
    vocabulary: int = 0


_ACTIVATIONS = st.sampled_from(
    ["relu", "gelu", "silu", "tanh", "sigmoid", "softplus", "elu", "selu", "softsign", "hard_sigmoid", "mish", "relu6"]
)
_SMALL = st.integers(1, 4)
_FLAG = st.booleans()
_PADDING = st.sampled_from(["same", "valid"])


def _options(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(fields)


_NORMS = {
    "BatchNormalization": _options(scale=_FLAG, center=_FLAG),
    "LayerNormalization": _options(scale=_FLAG),
    "Activation": _options(activation=_ACTIVATIONS),
    "Dense": _options(units=_SMALL, use_bias=_FLAG, activation=_ACTIVATIONS),
    "PReLU": st.just({}),
    "UnitNormalization": st.just({}),
    "Rescaling": _options(scale=st.sampled_from([0.5, 2.0]), offset=st.sampled_from([0.0, -1.0])),
}
_RECURRENT = _options(units=_SMALL, return_sequences=_FLAG, go_backwards=_FLAG)
_SEQUENCE = {
    "Conv1D": _options(filters=_SMALL, kernel_size=_SMALL, dilation_rate=st.integers(1, 2), use_bias=_FLAG),
    "Conv1DStrided": _options(filters=_SMALL, kernel_size=_SMALL, strides=st.integers(1, 2), padding=_PADDING),
    "Conv1DCausal": _options(filters=_SMALL, kernel_size=_SMALL),
    "SeparableConv1D": _options(filters=_SMALL, kernel_size=_SMALL),
    "Conv1DTranspose": _options(filters=_SMALL, kernel_size=_SMALL, strides=st.integers(1, 2)),
    "MaxPooling1D": _options(pool_size=st.integers(1, 3)),
    "AveragePooling1D": _options(pool_size=st.integers(1, 3)),
    "UpSampling1D": _options(size=st.integers(1, 2)),
    "ZeroPadding1D": _options(padding=st.integers(0, 2)),
    "LSTM": _RECURRENT,
    "GRU": _options(units=_SMALL, return_sequences=_FLAG, reset_after=_FLAG),
    "SimpleRNN": _RECURRENT,
    "BidirectionalLSTM": _options(units=_SMALL, return_sequences=_FLAG),
    "SelfAttention": _options(num_heads=st.integers(1, 2), key_dim=_SMALL, use_causal_mask=_FLAG),
    "TimeDistributedDense": _options(units=_SMALL),
    "Permute": st.just({"dims": (2, 1)}),
    "GlobalAveragePooling1D": st.just({}),
    "GlobalMaxPooling1D": st.just({}),
    "Flatten": st.just({}),
}
_IMAGE = {
    "Conv2D": _options(filters=_SMALL, kernel_size=_SMALL, strides=st.integers(1, 2), use_bias=_FLAG),
    "Conv2DDilated": _options(filters=_SMALL, kernel_size=_SMALL, dilation_rate=st.integers(1, 2)),
    "Conv2DGrouped": _options(multiplier=st.integers(1, 2), kernel_size=_SMALL),
    "DepthwiseConv2D": _options(kernel_size=_SMALL, depth_multiplier=st.integers(1, 2)),
    "SeparableConv2D": _options(filters=_SMALL, kernel_size=_SMALL),
    "Conv2DTranspose": _options(filters=_SMALL, kernel_size=_SMALL, strides=st.integers(1, 2)),
    "MaxPooling2D": _options(pool_size=st.integers(1, 3)),
    "AveragePooling2D": _options(pool_size=st.integers(1, 3)),
    "UpSampling2D": _options(size=st.integers(1, 2), interpolation=st.sampled_from(["nearest", "bilinear"])),
    "ZeroPadding2D": _options(padding=st.integers(0, 2)),
    "GroupNormalization": st.just({"groups": -1}),
    "GlobalAveragePooling2D": _options(keepdims=_FLAG),
    "GlobalMaxPooling2D": st.just({}),
    "Rows": st.just({}),
    "Flatten": st.just({}),
}
_VECTOR = {"RepeatVector": _options(n=st.integers(1, 3)), "Split": st.just({})}
_BY_RANK = {2: {**_NORMS, **_VECTOR}, 3: {**_NORMS, **_SEQUENCE}, 4: {**_NORMS, **_IMAGE}}
_KEEPS_SHAPE = ("BatchNormalization", "LayerNormalization", "Activation", "PReLU", "UnitNormalization", "Rescaling")
_MERGES = ("Add", "Multiply", "Maximum", "Average", "Subtract", "Concatenate")

# Steps that stand for a layer with some of its arguments settled; all else is a class of `keras.layers`.
_MAKERS: dict[str, Callable[[Any, dict[str, Any]], Any]] = {
    "Conv1D": lambda x, o: layers.Conv1D(**o, padding="same")(x),
    "Conv1DStrided": lambda x, o: layers.Conv1D(**{**o, "padding": "same"})(x),
    "Conv1DCausal": lambda x, o: layers.Conv1D(**o, padding="causal")(x),
    "SeparableConv1D": lambda x, o: layers.SeparableConv1D(**o, padding="same")(x),
    "Conv1DTranspose": lambda x, o: layers.Conv1DTranspose(**o, padding="same")(x),
    "MaxPooling1D": lambda x, o: layers.MaxPooling1D(**o, padding="same")(x),
    "AveragePooling1D": lambda x, o: layers.AveragePooling1D(**o, padding="same")(x),
    "BidirectionalLSTM": lambda x, o: layers.Bidirectional(layers.LSTM(**o))(x),
    "SelfAttention": lambda x, o: _attend(x, **o),
    "TimeDistributedDense": lambda x, o: layers.TimeDistributed(layers.Dense(**o))(x),
    "Conv2D": lambda x, o: layers.Conv2D(**o, padding="same")(x),
    "Conv2DDilated": lambda x, o: layers.Conv2D(**o, padding="same")(x),
    "Conv2DGrouped": lambda x, o: _grouped(x, **o),
    "DepthwiseConv2D": lambda x, o: layers.DepthwiseConv2D(**o, padding="same")(x),
    "SeparableConv2D": lambda x, o: layers.SeparableConv2D(**o, padding="same")(x),
    "Conv2DTranspose": lambda x, o: layers.Conv2DTranspose(**o, padding="same")(x),
    "MaxPooling2D": lambda x, o: layers.MaxPooling2D(**o, padding="same")(x),
    "AveragePooling2D": lambda x, o: layers.AveragePooling2D(**o, padding="same")(x),
    "Rows": lambda x, o: layers.Reshape((-1, x.shape[-1]))(x),
    "Split": lambda x, o: layers.Reshape((1, x.shape[-1]))(x),
}


def _attend(x: Any, use_causal_mask: bool, **options: Any) -> Any:
    return layers.MultiHeadAttention(**options)(x, x, use_causal_mask=use_causal_mask)


def _grouped(x: Any, multiplier: int, kernel_size: int) -> Any:
    channels = x.shape[-1]
    groups = next(g for g in (2, 3, channels) if channels % g == 0)
    return layers.Conv2D(channels * multiplier, kernel_size, groups=groups, padding="same")(x)


def build(program: Program) -> keras.Model:
    """The Keras model of a program."""
    if program.vocabulary:
        entry = keras.Input(program.shape, dtype="int32", name="tokens")
        x = layers.Embedding(program.vocabulary, 4)(entry)
    else:
        x = entry = keras.Input(program.shape, name="x")
    return keras.Model(entry, _follow(x, program.steps))


def _follow(x: Any, steps: tuple[Step, ...]) -> Any:
    for step in steps:
        if step.branches:
            x = getattr(layers, step.layer)(**step.options)([_follow(x, branch) for branch in step.branches])
        elif step.layer in _MAKERS:
            x = _MAKERS[step.layer](x, step.options)
        else:
            x = getattr(layers, step.layer)(**step.options)(x)
    return x


_FLATTENS = {"GlobalAveragePooling1D", "GlobalMaxPooling1D", "GlobalMaxPooling2D", "Flatten"}
_RECURS = {"LSTM", "GRU", "SimpleRNN", "BidirectionalLSTM"}


def _rank_after(step: Step, rank: int) -> int:
    if step.layer in _FLATTENS or (step.layer in _RECURS and not step.options["return_sequences"]):
        return 2
    if step.layer == "GlobalAveragePooling2D":
        return 4 if step.options["keepdims"] else 2
    if step.layer in ("Rows", "RepeatVector", "Split"):
        return 3
    return rank


@st.composite
def _step(draw: st.DrawFn, rank: int) -> Step:
    if draw(st.integers(0, 5)) == 5:
        arms = draw(st.integers(2, 2 + (rank == 2)))
        merge = draw(st.sampled_from(_MERGES if arms == 2 else _MERGES[:2]))
        kept = st.one_of(*(st.builds(Step, st.just(name), _NORMS[name]) for name in _KEEPS_SHAPE))
        arm = st.lists(kept, max_size=2)
        return Step(merge, {}, tuple(tuple(draw(arm)) for _ in range(arms)))
    name = draw(st.sampled_from(sorted(_BY_RANK[rank])))
    return Step(name, draw(_BY_RANK[rank][name]))


@st.composite
def programs(draw: st.DrawFn) -> Program:
    """Legal programs of one to five steps on vectors, sequences, tokens and images."""
    kind = draw(st.sampled_from(["vector", "sequence", "tokens", "image"]))
    size = st.integers(3, 7)
    if kind == "vector":
        shape, rank = (draw(size),), 2
    elif kind == "image":
        shape, rank = (draw(size), draw(size), draw(st.integers(1, 4))), 4
    else:
        shape, rank = (draw(size), draw(st.integers(1, 4)))[: 2 - (kind == "tokens")], 3
    steps = []
    for _ in range(draw(st.integers(1, 5))):
        steps.append(draw(_step(rank)))
        rank = _rank_after(steps[-1], rank)
    return Program(shape, tuple(steps), draw(st.integers(2, 9)) if kind == "tokens" else 0)
