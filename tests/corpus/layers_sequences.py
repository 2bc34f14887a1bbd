"""Recurrent layers and attention: every option that changes the arithmetic or what is returned."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import layers

from corpus.model import Model, Random, Tensors, layer, of

_S = (6, 3)


def _attended(random: Random) -> Tensors:
    """Queries, values and which of the values count: at least one."""
    query, value = random.normal(size=(64, 5, 4)), random.normal(size=(64, 6, 4))
    return {"x": query, "y": value, "z": np.arange(6) < random.integers(1, 6, (64, 1), endpoint=True)}


def _masked(make: Callable[[], Any]) -> Callable[[], Any]:
    return lambda: keras.Sequential([layers.Masking(), make()])


def _recurrent(kind: type[layers.Layer], fast: bool) -> tuple[Model, ...]:
    name = kind.__name__
    return (
        layer(f"{name}/plain", lambda: kind(4), _S, fast=fast),
        layer(f"{name}/sequences", lambda: kind(4, return_sequences=True), _S),
        layer(f"{name}/states", lambda: kind(4, return_state=True), _S),
        layer(f"{name}/sequences_states", lambda: kind(4, return_sequences=True, return_state=True), _S, fast=fast),
        layer(f"{name}/backwards", lambda: kind(4, go_backwards=True, return_sequences=True), _S),
        layer(f"{name}/unrolled", lambda: kind(4, unroll=True), _S),
        layer(f"{name}/no_bias", lambda: kind(4, use_bias=False), _S),
        layer(f"{name}/relu", lambda: kind(4, activation="relu", return_sequences=True), _S),
        layer(f"{name}/dropout", lambda: kind(4, dropout=0.3, recurrent_dropout=0.3), _S),
        layer(f"{name}/open_length", lambda: kind(4, return_sequences=True), (None, 3), fast=name == "LSTM"),
        layer(f"{name}/masked", _masked(lambda: kind(4)), _S),
        layer(f"{name}/masked_sequences", _masked(lambda: kind(4, return_sequences=True)), _S),
        layer(
            f"{name}/zero_output_for_mask",
            _masked(lambda: kind(4, return_sequences=True, zero_output_for_mask=True)),
            _S,
        )
        if name != "SimpleRNN"
        else layer(f"{name}/stacked", lambda: keras.Sequential([kind(4, return_sequences=True), kind(3)]), _S),
        layer(f"Bidirectional/{name}", lambda: layers.Bidirectional(kind(4)), _S, fast=name == "GRU"),
        layer(f"Bidirectional/{name}_sequences", lambda: layers.Bidirectional(kind(4, return_sequences=True)), _S),
        layer(f"Bidirectional/{name}_sum", lambda: layers.Bidirectional(kind(4), merge_mode="sum"), _S),
        layer(f"TimeDistributed/{name}", lambda: layers.TimeDistributed(kind(3)), (4, 5, 3)),
    )


_RECURRENT = (
    *_recurrent(layers.LSTM, True),
    *_recurrent(layers.GRU, False),
    *_recurrent(layers.SimpleRNN, False),
    layer("LSTM/initial_state", of(4), _S, (4,), (4,), how=lambda f, x, h, c: f(x, initial_state=[h, c])),
    layer("LSTM/hard_sigmoid", of(4, recurrent_activation="hard_sigmoid"), _S),
    layer("LSTM/unit_forget_bias", of(4, unit_forget_bias=False, seed=1), _S),
    layer("LSTM/one_step", of(4), (1, 3)),
    layer("LSTM/long", of(4), (60, 3)),
    layer("GRU/reset_before", of(4, reset_after=False), _S),
    layer("GRU/initial_state", of(4), _S, (4,), how=lambda f, x, h: f(x, initial_state=h)),
    layer("Bidirectional/concat_states", lambda: layers.Bidirectional(layers.LSTM(4, return_state=True)), _S),
    layer("Bidirectional/mul", lambda: layers.Bidirectional(layers.LSTM(4), merge_mode="mul"), _S),
    layer("Bidirectional/ave", lambda: layers.Bidirectional(layers.GRU(4), merge_mode="ave"), _S),
    layer("Bidirectional/none", lambda: layers.Bidirectional(layers.GRU(4), merge_mode=None), _S),
    layer("Bidirectional/mask", _masked(lambda: layers.Bidirectional(layers.LSTM(4, return_sequences=True))), _S),
    layer(
        "Bidirectional/backward_layer",
        lambda: layers.Bidirectional(layers.LSTM(4), backward_layer=layers.GRU(4, go_backwards=True)),
        _S,
    ),
    layer("RNN/cell", lambda: layers.RNN(layers.LSTMCell(4)), _S),
    layer("RNN/cells", lambda: layers.RNN([layers.LSTMCell(4), layers.GRUCell(3)], return_sequences=True), _S),
    layer(
        "StackedRNNCells/in_rnn",
        lambda: layers.RNN(layers.StackedRNNCells([layers.GRUCell(4), layers.SimpleRNNCell(3)])),
        _S,
    ),
    layer("LSTMCell/step", of(4), (3,), (4,), (4,), how=lambda f, x, h, c: f(x, [h, c])[0]),
    layer("GRUCell/step", of(4), (3,), (4,), how=lambda f, x, h: f(x, h)[0]),
    layer("SimpleRNNCell/step", of(4), (3,), (4,), how=lambda f, x, h: f(x, h)[0]),
    layer("ConvLSTM1D/plain", of(3, 3), (4, 6, 2)),
    layer("ConvLSTM1D/sequences_same", of(3, 3, padding="same", return_sequences=True), (4, 6, 2)),
    layer("ConvLSTM2D/plain", of(3, 3), (4, 6, 5, 2), fast=True),
    layer("ConvLSTM2D/sequences_same", of(3, 3, padding="same", return_sequences=True), (4, 6, 5, 2)),
    layer("ConvLSTM2D/strided_states", of(3, 3, strides=2, return_state=True), (4, 7, 7, 2)),
    layer("ConvLSTM2D/dilated", of(3, 3, dilation_rate=2), (4, 7, 7, 2)),
    layer("ConvLSTM2D/unrolled", of(3, 3, unroll=True), (4, 6, 5, 2)),
    layer("ConvLSTM2D/channels_first", of(3, 3, data_format="channels_first"), (4, 2, 6, 5)),
    layer("ConvLSTM3D/plain", of(2, 2), (3, 3, 4, 3, 2)),
    layer("TimeDistributed/dense", lambda: layers.TimeDistributed(layers.Dense(4)), _S),
    layer("TimeDistributed/conv", lambda: layers.TimeDistributed(layers.Conv2D(4, 3)), (3, 6, 5, 2)),
    # Not with an open length: Keras 3.15 takes the number of samples for the number of steps then.
)

_ATTENTION = (
    layer("Attention/plain", of(), (5, 4), (6, 4), how=lambda f, q, v: f([q, v])),
    layer("Attention/scaled_key", of(use_scale=True), (5, 4), (6, 3), (6, 4), how=lambda f, q, v, k: f([q, v, k])),
    layer("Attention/concat", of(score_mode="concat"), (5, 4), (6, 4), how=lambda f, q, v: f([q, v])),
    layer("Attention/causal", of(), (5, 4), (5, 4), how=lambda f, q, v: f([q, v], use_causal_mask=True)),
    layer("Attention/scores", of(), (5, 4), (6, 4), how=lambda f, q, v: f([q, v], return_attention_scores=True)),
    layer(
        "Attention/mask",
        of(),
        (5, 4),
        (6, 4),
        (6,),
        dtype=("float32", "float32", "bool"),
        how=lambda f, q, v, m: f([q, v], mask=[None, m]),
        data=_attended,
    ),
    layer("AdditiveAttention/plain", of(), (5, 4), (6, 4), how=lambda f, q, v: f([q, v])),
    layer("AdditiveAttention/no_scale", of(use_scale=False), (5, 4), (6, 4), how=lambda f, q, v: f([q, v])),
    layer("MultiHeadAttention/self", of(2, 4), (5, 6), how=lambda f, x: f(x, x), fast=True),
    layer("MultiHeadAttention/cross", of(2, 4, value_dim=3), (5, 6), (7, 4), how=lambda f, q, v: f(q, v)),
    layer(
        "MultiHeadAttention/key", of(2, 4, output_shape=5), (5, 6), (7, 4), (7, 3), how=lambda f, q, v, k: f(q, v, k)
    ),
    layer("MultiHeadAttention/causal", of(2, 4), (5, 6), how=lambda f, x: f(x, x, use_causal_mask=True)),
    layer("MultiHeadAttention/causal_open", of(2, 4), (None, 6), how=lambda f, x: f(x, x, use_causal_mask=True)),
    layer(
        "MultiHeadAttention/mask",
        of(2, 4),
        (5, 6),
        (5, 5),
        dtype=("float32", "bool"),
        how=lambda f, x, m: f(x, x, attention_mask=m),
    ),
    layer("MultiHeadAttention/scores", of(2, 4), (5, 6), how=lambda f, x: f(x, x, return_attention_scores=True)),
    layer("MultiHeadAttention/axes", of(2, 4, attention_axes=(1, 2)), (3, 4, 6), how=lambda f, x: f(x, x)),
    layer("MultiHeadAttention/no_bias", of(2, 4, use_bias=False, dropout=0.2), (5, 6), how=lambda f, x: f(x, x)),
    layer(
        "MultiHeadAttention/sigmoid_gate",
        of(3, 4),
        (5, 6),
        how=lambda f, x: layers.Multiply()([f(x, x), layers.Activation("sigmoid")(x)]),
    ),
    layer("GroupQueryAttention/plain", of(4, 4, 2), (5, 6), how=lambda f, x: f(x, x), fast=True),
    layer("GroupQueryAttention/cross", of(4, 4, 2), (5, 6), (7, 6), how=lambda f, q, v: f(q, v)),
    layer("GroupQueryAttention/causal", of(4, 4, 1), (5, 6), how=lambda f, x: f(x, x, use_causal_mask=True)),
    layer("GroupQueryAttention/scores", of(4, 4, 2), (5, 6), how=lambda f, x: f(x, x, return_attention_scores=True)),
)

MODELS = (*_RECURRENT, *_ATTENTION)
