"""Models as people publish them, each made small: every one of them failed once."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers, ops

from corpus.model import topology

Input = keras.Input


def _keyword_spotter() -> keras.Model:
    """Decibels are counted from the loudest value of the batch, so that a silent row hears the others."""
    x = audio = Input((600,), name="audio")
    x = layers.MelSpectrogram(fft_length=64, sequence_stride=32, sequence_length=64, num_mel_bins=8)(x)
    x = layers.BatchNormalization()(layers.Reshape((*x.shape[1:], 1))(x))
    return keras.Model(audio, layers.Dense(4)(layers.GlobalAveragePooling2D()(layers.Conv2D(3, 3)(x))))


def _one_feature_transformer() -> keras.Model:
    """A normalization over one feature: Keras subtracts two equal thousands there."""
    x = series = Input((20, 1), name="series")
    y = layers.LayerNormalization(epsilon=1e-6)(x)
    x = layers.MultiHeadAttention(2, 4)(y, y) + x
    y = layers.Conv1D(1, 1)(layers.Conv1D(4, 1, activation="relu")(layers.LayerNormalization(epsilon=1e-6)(x)))
    return keras.Model(series, layers.Dense(2, activation="softmax")(layers.Flatten()(x + y)))


def _variational_autoencoder() -> keras.Model:
    """The head of the variances is there, and not used in inference."""
    x = Input((8, 8, 1), name="x")
    h = layers.Flatten()(layers.Conv2D(3, 3, strides=2, padding="same", activation="relu")(x))
    encoder = keras.Model(x, [layers.Dense(2, name="mean")(h), layers.Dense(2, name="log_variance")(h)], name="encoder")
    code = Input((2,))
    y = layers.Reshape((4, 4, 2))(layers.Dense(32, activation="relu")(code))
    decoder = keras.Model(code, layers.Conv2DTranspose(1, 3, strides=2, padding="same", activation="sigmoid")(y))
    return keras.Model(x, decoder(encoder(x)[0]))


class Priors(layers.Layer):
    """Anchor centers of a feature map: they depend on its sizes alone."""

    def call(self, features: Any) -> Any:
        batch, height, width = ops.shape(features)[:3]
        rows, columns = ops.meshgrid(ops.arange(height), ops.arange(width), indexing="ij")
        centers = ops.cast(ops.reshape(ops.stack([columns, rows], -1), (1, -1, 2)), "float32") + 0.5
        return ops.tile(4.0 * centers, (batch, 1, 1))

    def compute_output_shape(self, shape: Any) -> Any:
        return (shape[0], None, 2)


def _detector() -> keras.Model:
    """Steps longer than the kernel, and an output that no pixel changes."""
    image = Input((None, None, 3), name="image")
    features = layers.Conv2D(5, 3, strides=4, padding="same", activation="relu")(image)
    boxes = layers.Reshape((-1, 4))(layers.Conv2D(8, 3, padding="same")(features))
    return keras.Model(image, {"boxes": boxes, "priors": Priors()(features)})


def _basis_forecaster() -> keras.Model:
    """Linear layers in a row and their sums: converters merge the biases."""
    x = series = Input((12,), name="series")
    forecast: Any = 0
    for _ in range(2):
        theta = layers.Dense(5)(layers.Dense(8, activation="relu")(x))
        x, forecast = layers.subtract([x, layers.Dense(12)(theta)]), forecast + layers.Dense(3)(theta)
    return keras.Model(series, forecast)


def _tagger() -> keras.Model:
    """A layer for each of an open number of steps, behind a mask."""
    ids = Input((None,), dtype="int32", name="ids")
    x = layers.Bidirectional(layers.LSTM(3, return_sequences=True))(layers.Embedding(30, 6, mask_zero=True)(ids))
    return keras.Model(ids, layers.TimeDistributed(layers.Dense(4, activation="softmax"))(x))


def _video_classifier() -> keras.Model:
    x = video = Input((None, 8, 8, 1), name="video")
    x = layers.TimeDistributed(layers.Conv2D(3, 3, activation="relu"))(x)
    x = layers.TimeDistributed(layers.Flatten())(layers.TimeDistributed(layers.MaxPooling2D())(x))
    return keras.Model(video, layers.Dense(2)(layers.LSTM(4)(x)))


def _camera_front() -> keras.Model:
    """Bytes that a preprocessing layer interpolates: in a graph Keras makes them floats first."""
    x = image = Input((20, 26, 3), dtype="uint8", name="image")
    x = layers.Rescaling(1 / 127.5, -1)(
        layers.CenterCrop(10, 10)(layers.Resizing(12, 12, crop_to_aspect_ratio=True)(x))
    )
    return keras.Model(image, layers.Dense(3)(layers.Flatten()(layers.Conv2D(2, 3)(layers.RandomFlip()(x)))))


def _two_towers() -> keras.Model:
    """Two vocabularies: what is an index of the one is none of the other."""
    user, item = Input((), dtype="int32", name="user"), Input((), dtype="int32", name="item")
    a, b = layers.Embedding(9, 4)(user), layers.Embedding(40, 4)(item)
    return keras.Model([user, item], {"score": ops.sum(a * b, -1), "taste": a})


def _small_kernels() -> keras.Model:
    """Normalizations behind kernels with three values a channel, which converters scale."""
    points = Input((16, 3), name="points")
    x = layers.ReLU()(layers.BatchNormalization()(layers.Conv1D(6, 1)(points)))
    rotation = layers.Reshape((3, 3))(layers.Dense(9)(layers.GlobalMaxPooling1D()(x)))
    return keras.Model(points, layers.Dot(axes=(2, 1))([points, rotation]))


def _capital_names() -> keras.Model:
    """TensorFlow writes arguments in lower case, and two of these inputs differ in nothing else."""
    image, a, b = Input((4,), name="ImageIn"), Input((3,), name="A"), Input((3,), name="a")
    return keras.Model([image, a, b], {"Out": layers.Dense(2)(image), "A": layers.Subtract()([a, b])})


MODELS = (
    topology("capital_names", _capital_names, fast=True),
    topology("keyword_spotter", _keyword_spotter, fast=True),
    topology("one_feature_transformer", _one_feature_transformer),
    topology("variational_autoencoder", _variational_autoencoder, fast=True),
    topology("detector", _detector, fast=True),
    topology("basis_forecaster", _basis_forecaster, fast=True),
    topology("tagger", _tagger),
    topology("video_classifier", _video_classifier, fast=True),
    topology("camera_front", _camera_front),
    topology("two_towers", _two_towers, fast=True),
    topology("small_kernels", _small_kernels, fast=True),
)
