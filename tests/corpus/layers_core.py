"""Dense and embedding layers, activations, and what shapes, merges or passes tensors on."""

from __future__ import annotations

import keras
from keras import layers

from corpus.model import Model, layer, of, on_list, uniform

_HELPERS = ("deserialize", "get", "serialize")
_ACTIVATIONS = [n for n in dir(keras.activations) if n.islower() and not n.startswith("_") and n not in _HELPERS]
_WIDE = uniform(-4, 4, 5, 6)


def _activation(name: str) -> Model:
    if name == "threshold":
        return layer("Activation/threshold", of(lambda x: keras.ops.threshold(x, 0.2, -1.0)), (5, 6), data=_WIDE)
    return layer(f"Activation/{name}", of(name), (5, 6), data=_WIDE, fast=name in ("gelu", "softmax", "sparsemax"))


_ACTIVATED = tuple(_activation(name) for name in _ACTIVATIONS)

_CORE = (
    layer("Activation/gelu_tanh", of(lambda x: keras.activations.gelu(x, approximate=True)), (5,)),
    layer("ActivityRegularization/plain", of(0.1, 0.1), (5,)),
    layer("Dense/plain", of(5), (7,), fast=True),
    layer("Dense/activation", of(5, activation="gelu"), (7,)),
    layer("Dense/no_bias", of(5, use_bias=False), (7,)),
    layer("Dense/rank3", of(5, activation="tanh"), (4, 7)),
    layer("Dense/rank4_open", of(5), (None, 4, 7)),
    layer("Dense/one_unit", of(1, activation="sigmoid"), (7,)),
    layer("Dense/wide", of(300), (200,)),
    layer("Dense/lora", of(6, lora_rank=2), (7,)),
    layer("EinsumDense/plain", of("abc,cd->abd", (None, 6), bias_axes="d"), (4, 5)),
    layer("EinsumDense/heads", of("abc,cde->abde", (None, 2, 3), bias_axes="de"), (4, 6), fast=True),
    layer("EinsumDense/ellipsis", of("...x,xy->...y", 6, bias_axes="y", activation="gelu"), (3, 4, 5)),
    layer("EinsumDense/contract_two", of("abcd,cde->abe", (None, 5), bias_axes="e"), (4, 2, 3)),
    layer("EinsumDense/transposed", of("abc,dc->adb", (6, 4)), (4, 5)),
    layer("Embedding/plain", of(20, 6), (7,), dtype="int32", fast=True),
    layer("Embedding/int64", of(20, 6), (7,), dtype="int64"),
    layer("Embedding/float_ids", of(20, 6), (7,), data=lambda r: {"x": r.integers(0, 19, (64, 7)).astype("float32")}),
    layer(
        "Embedding/mask_zero",
        lambda: keras.Sequential([layers.Embedding(20, 6, mask_zero=True), layers.LSTM(4)]),
        (7,),
        dtype="int32",
    ),
    layer("Embedding/open", of(20, 6), (None,), dtype="int32"),
    layer("Embedding/lora", of(20, 6, lora_rank=2), (7,), dtype="int32"),
    layer("ReversibleEmbedding/forward", of(20, 6), (7,), dtype="int32"),
    layer("ReversibleEmbedding/reverse", of(20, 6), (4, 6), how=lambda f, x: _reverse(f, x)),
    layer(
        "ReversibleEmbedding/untied",
        of(20, 6, tie_weights=False, logit_soft_cap=5.0),
        (4, 6),
        how=lambda f, x: _reverse(f, x),
    ),
    layer("Identity/plain", of(), (5,)),
    layer("Lambda/scaled", of(lambda x: keras.ops.tanh(x) * 2 + 1), (5,)),
    layer("Lambda/l2norm", of(lambda x: keras.ops.normalize(x, axis=-1)), (4, 5)),
    layer("Masking/then_lstm", lambda: keras.Sequential([layers.Masking(), layers.LSTM(4)]), (6, 3)),
    layer(
        "Masking/then_dense",
        lambda: keras.Sequential([layers.Masking(0.0), layers.TimeDistributed(layers.Dense(4))]),
        (6, 3),
    ),
    layer("ELU/alpha", of(0.7), (5, 6), data=_WIDE),
    layer("LeakyReLU/slope", of(0.2), (5, 6), data=_WIDE),
    layer("PReLU/plain", of(), (5, 6), data=_WIDE),
    layer("PReLU/shared_axes", of(shared_axes=[1, 2]), (5, 4, 3), data=uniform(-4, 4, 5, 4, 3)),
    layer("ReLU/plain", of(), (5, 6), data=_WIDE),
    layer("ReLU/max_slope_threshold", of(max_value=2.0, negative_slope=0.1, threshold=0.5), (5, 6), data=_WIDE),
    layer("Softmax/plain", of(), (5, 6), data=_WIDE),
    layer("Softmax/axis1", of(axis=1), (5, 6), data=_WIDE),
    layer("Softmax/axes", of(axis=(1, 2)), (5, 6), data=_WIDE),
    layer("Softmax/mask", of(), (5, 6), (5, 6), dtype=("float32", "bool"), how=lambda f, x, m: f(x, mask=m)),
    layer("Dropout/plain", of(0.5), (5,)),
    layer("Dropout/noise_shape", of(0.5, noise_shape=(None, 1, 6)), (5, 6)),
    layer("AlphaDropout/plain", of(0.5), (5,)),
    layer("GaussianDropout/plain", of(0.5), (5,)),
    layer("GaussianNoise/plain", of(0.5), (5,)),
    layer("SpatialDropout1D/plain", of(0.5), (5, 3)),
    layer("SpatialDropout2D/plain", of(0.5), (5, 4, 3)),
    layer("SpatialDropout3D/plain", of(0.5), (5, 4, 2, 3)),
)


def _reverse(entry: layers.Layer, x: keras.KerasTensor) -> keras.KerasTensor:
    entry.build()
    return entry(x, reverse=True)


_SHAPES = (
    layer("Flatten/plain", of(), (4, 5, 2), fast=True),
    layer("Flatten/channels_first", of(data_format="channels_first"), (4, 5, 2)),
    layer("Flatten/open", of(), (None, 3)),
    layer("Flatten/scalar", of(), ()),
    layer("Permute/plain", of((2, 1)), (4, 5)),
    layer("Permute/rank4", of((3, 1, 2)), (4, 5, 2)),
    layer("RepeatVector/plain", of(3), (5,)),
    layer("Reshape/plain", of((5, 4)), (4, 5)),
    layer("Reshape/inferred", of((-1, 2)), (4, 5)),
    layer("Reshape/open", of((-1, 6)), (None, 3)),
    layer("Cropping1D/plain", of((1, 2)), (6, 3)),
    layer("Cropping1D/open", of((1, 2)), (None, 3)),
    layer("Cropping2D/plain", of(((1, 2), (0, 1))), (6, 5, 3)),
    layer("Cropping2D/channels_first", of(1, data_format="channels_first"), (3, 6, 5)),
    layer("Cropping3D/plain", of(1), (5, 6, 4, 2)),
    layer("ZeroPadding1D/plain", of((1, 2)), (6, 3)),
    layer("ZeroPadding2D/plain", of(((1, 2), (0, 1))), (6, 5, 3), fast=True),
    layer("ZeroPadding2D/channels_first", of(1, data_format="channels_first"), (3, 6, 5)),
    layer(
        "ZeroPadding2D/before_maximum",
        lambda: keras.Sequential([layers.ZeroPadding2D(1), layers.MaxPooling2D(3, 2)]),
        (6, 6, 3),
    ),
    layer("ZeroPadding3D/plain", of((1, 2, 0)), (3, 4, 2, 2)),
    layer("UpSampling1D/plain", of(2), (5, 3)),
    layer("UpSampling2D/nearest", of((2, 3)), (4, 5, 3)),
    layer("UpSampling2D/nearest_open", of(2), (None, None, 3)),
    layer("UpSampling2D/bilinear", of(2, interpolation="bilinear"), (4, 5, 3), fast=True),
    layer("UpSampling2D/bilinear_open", of(2, interpolation="bilinear"), (None, None, 3)),
    layer("UpSampling2D/bicubic", of(2, interpolation="bicubic"), (4, 5, 3)),
    layer("UpSampling2D/lanczos3", of(2, interpolation="lanczos3"), (4, 5, 3)),
    layer("UpSampling2D/lanczos5", of(2, interpolation="lanczos5"), (6, 7, 3)),
    layer("UpSampling2D/channels_first", of(2, data_format="channels_first"), (3, 4, 5)),
    layer("UpSampling3D/plain", of((2, 1, 2)), (2, 3, 4, 2)),
)

_MERGES = (
    layer("Add/plain", of(), (4, 5), (4, 5), how=on_list, fast=True),
    layer("Add/three_broadcast", of(), (4, 5), (1, 5), (4, 1), how=on_list),
    layer("Add/ranks", of(), (4, 5), (5,), how=on_list),
    layer("Average/plain", of(), (4, 5), (4, 5), (4, 5), how=on_list),
    layer("Concatenate/plain", of(), (4, 5), (4, 3), how=on_list),
    layer("Concatenate/axis1", of(axis=1), (4, 5), (2, 5), how=on_list),
    layer("Concatenate/open", of(axis=1), (None, 5), (None, 5), how=on_list),
    layer("Dot/plain", of(axes=1), (5,), (5,), how=on_list),
    layer("Dot/normalized", of(axes=1, normalize=True), (5,), (5,), how=on_list),
    layer("Dot/matrices", of(axes=(2, 1)), (4, 5), (5, 3), how=on_list),
    layer("Dot/mixed_axes", of(axes=(1, 2)), (4, 5), (3, 4), how=on_list),
    layer("Maximum/plain", of(), (4, 5), (4, 5), how=on_list),
    layer("Minimum/plain", of(), (4, 5), (4, 5), how=on_list),
    layer("Multiply/plain", of(), (4, 5), (4, 5), how=on_list),
    layer("Multiply/gate", of(), (4, 5, 3), (1, 1, 3), how=on_list),
    layer("Subtract/plain", of(), (4, 5), (4, 5), how=on_list),
)

_NORMALIZATIONS = (
    layer("BatchNormalization/plain", of(), (5, 4, 3), fast=True),
    layer("BatchNormalization/rank2", of(), (6,)),
    layer("BatchNormalization/axis1", of(axis=1), (3, 5, 4)),
    layer("BatchNormalization/no_scale", of(scale=False, center=False), (5, 3)),
    layer("BatchNormalization/epsilon", of(epsilon=0.1), (5, 3)),
    layer("LayerNormalization/plain", of(), (4, 6), fast=True),
    layer("LayerNormalization/axes", of(axis=(1, 2)), (4, 6)),
    layer("LayerNormalization/axis1", of(axis=1), (4, 6)),
    layer("LayerNormalization/no_scale", of(scale=False, center=False), (4, 6)),
    layer("LayerNormalization/rank4", of(), (3, 4, 6)),
    layer("LayerNormalization/near_zero", of(epsilon=1e-7), (8, 768)),
    layer("GroupNormalization/plain", of(2), (5, 4, 6)),
    layer("GroupNormalization/instance", of(-1), (5, 4, 6)),
    layer("GroupNormalization/axis1", of(3, axis=1), (6, 5)),
    layer("GroupNormalization/open", of(2), (None, None, 6), fast=True),
    layer("RMSNormalization/plain", of(), (4, 6)),
    layer("UnitNormalization/plain", of(), (4, 6)),
    layer("UnitNormalization/axes", of(axis=(1, 2)), (4, 6)),
    layer("SpectralNormalization/dense", lambda: layers.SpectralNormalization(layers.Dense(4)), (6,)),
    layer("SpectralNormalization/conv", lambda: layers.SpectralNormalization(layers.Conv2D(4, 3)), (6, 6, 3)),
)

MODELS = (*_ACTIVATED, *_CORE, *_SHAPES, *_MERGES, *_NORMALIZATIONS)
