"""Small networks of the kinds that people build, under every dtype policy."""

from __future__ import annotations

from collections.abc import Callable

import keras
from keras import layers

from corpus.model import Model, settle, topology

Input = keras.Input


def _residual() -> keras.Model:
    x = Input((8, 8, 3), name="x")
    h = layers.Conv2D(4, 3, padding="same")(x)
    for _ in range(2):
        y = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(4, 3, padding="same", use_bias=False)(h)))
        h = layers.Add()([h, y])
    return keras.Model(x, layers.Dense(3, activation="softmax")(layers.GlobalAveragePooling2D()(h)))


def _autoencoder() -> keras.Model:
    return keras.Sequential(
        [
            Input((8, 8, 1)),
            layers.Conv2D(4, 3, strides=2, padding="same", activation="relu"),
            layers.Flatten(),
            layers.Dense(5),
            layers.Dense(64, activation="relu"),
            layers.Reshape((4, 4, 4)),
            layers.Conv2DTranspose(3, 3, strides=2, padding="same", activation="relu"),
            layers.Conv2D(1, 1, activation="sigmoid"),
        ]
    )


def _unet() -> keras.Model:
    x = Input((None, None, 2), name="x")
    down = layers.Conv2D(4, 3, padding="same", activation="relu")(x)
    deep = layers.Conv2D(6, 3, padding="same", activation="relu")(layers.MaxPooling2D(2, padding="same")(down))
    up = layers.UpSampling2D(2)(deep)
    return keras.Model(x, layers.Conv2D(2, 1)(layers.Concatenate()([down, up])))


def _transformer() -> keras.Model:
    ids = Input((10,), dtype="int32", name="ids")
    x = layers.Embedding(30, 8)(ids)
    h = layers.LayerNormalization()(x)
    x = layers.Add()([x, layers.MultiHeadAttention(2, 4)(h, h)])
    h = layers.Dense(8)(layers.Dense(16, activation="gelu")(layers.LayerNormalization()(x)))
    return keras.Model(
        ids, layers.Dense(3, activation="softmax")(layers.GlobalAveragePooling1D()(layers.Add()([x, h])))
    )


def _open_tagger() -> keras.Model:
    x = Input((None, 3), name="x")
    h = layers.LayerNormalization()(layers.Conv1D(4, 3, padding="same", activation="relu")(x))
    h = layers.Bidirectional(layers.GRU(3, return_sequences=True))(h)
    return keras.Model(x, layers.Dense(5, activation="softmax")(h))


def _open_text() -> keras.Model:
    ids = Input((None,), dtype="int32", name="ids")
    h = layers.Embedding(30, 6, mask_zero=True)(ids)
    return keras.Model(ids, layers.Dense(2)(layers.Bidirectional(layers.LSTM(4))(h)))


def _masked_attention() -> keras.Model:
    ids = Input((7,), dtype="int32", name="ids")
    h = layers.Embedding(30, 6, mask_zero=True)(ids)
    return keras.Model(ids, layers.GlobalAveragePooling1D()(layers.MultiHeadAttention(2, 3)(h, h)))


def _encoder_decoder() -> keras.Model:
    source, target = Input((5, 3), name="source"), Input((4, 2), name="target")
    _, h, c = layers.LSTM(6, return_state=True)(source)
    decoded = layers.LSTM(6, return_sequences=True)(target, initial_state=[h, c])
    return keras.Model(
        [source, target],
        layers.Dense(3, activation="softmax")(layers.Concatenate()([decoded, layers.Attention()([decoded, decoded])])),
    )


def _squeeze_excite() -> keras.Model:
    x = Input((6, 6, 4), name="x")
    gate = layers.Dense(4, activation="sigmoid")(
        layers.Dense(2, activation="silu")(layers.GlobalAveragePooling2D(keepdims=True)(x))
    )
    return keras.Model(x, layers.Multiply()([x, gate]))


def _policy(policy: str, build: Callable[[], keras.Model]) -> Callable[[], keras.Model]:
    def under() -> keras.Model:
        before = keras.config.dtype_policy()
        keras.config.set_dtype_policy(policy)
        try:
            return build()
        finally:
            keras.config.set_dtype_policy(before)

    return under


def _mlp() -> keras.Model:
    return keras.Sequential([Input((6,)), layers.Dense(8, activation="relu"), layers.Dense(3, activation="softmax")])


def _cnn() -> keras.Model:
    return keras.Sequential(
        [
            Input((8, 8, 1)),
            layers.Conv2D(4, 3, activation="relu"),
            layers.BatchNormalization(),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(3),
        ]
    )


def _quantized(mode: str) -> Callable[[], keras.Model]:
    def build() -> keras.Model:
        x = ids = Input((6,), dtype="int32", name="ids")
        x = layers.Embedding(20, 8)(x)
        x = layers.EinsumDense("abc,cd->abd", (None, 8), bias_axes="d")(x)
        x = layers.Dense(8, activation="relu")(layers.GlobalAveragePooling1D()(x))
        model = settle(keras.Model(ids, layers.Dense(3)(x)))
        model.quantize(mode)
        return model

    return build


def _stateful() -> keras.Model:
    """Layers that keep their state between calls; the batch is theirs in Keras, and any once exported."""
    x = entry = keras.Input(batch_shape=(2, 5, 3), name="x")
    x = layers.GRU(4, stateful=True, return_sequences=True, name="first")(x)
    x = layers.Bidirectional(layers.LSTM(3, stateful=True, name="second"))(x)
    return keras.Model(entry, layers.Dense(2)(x))


MODELS = (
    topology("stateful", _stateful, fast=True),
    topology("residual", _residual, fast=True),
    topology("autoencoder", _autoencoder),
    topology("open_unet", _unet),
    topology("transformer", _transformer, fast=True),
    topology("open_tagger", _open_tagger),
    topology("open_text", _open_text),
    topology("masked_attention", _masked_attention),
    topology("encoder_decoder", _encoder_decoder),
    topology("squeeze_excite", _squeeze_excite),
    topology("mixed_float16_mlp", _policy("mixed_float16", _mlp), fast=True),
    topology("mixed_float16_cnn", _policy("mixed_float16", _cnn)),
    topology("mixed_float16_transformer", _policy("mixed_float16", _transformer)),
    topology("mixed_bfloat16_mlp", _policy("mixed_bfloat16", _mlp)),
    topology(
        "mixed_bfloat16_lstm",
        _policy("mixed_bfloat16", lambda: keras.Sequential([Input((5, 3)), layers.LSTM(4), layers.Dense(2)])),
    ),
    topology("float16_mlp", _policy("float16", _mlp)),
    topology("float64_mlp", _policy("float64", _mlp)),
    Model("topologies/quantized_int8", _quantized("int8")),
    Model("topologies/quantized_int4", _quantized("int4")),
)
