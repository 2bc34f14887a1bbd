"""Every family of `keras.applications`: its smallest member at about its smallest input, with random weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import applications

from corpus.model import Model, settle

_ROWS = 6

# Family: its member, the side of its input (the smallest that leaves more than one position), its options.
FAMILIES: dict[str, tuple[Callable[..., keras.Model], int, dict[str, Any]]] = {
    "ConvNeXtTiny": (applications.ConvNeXtTiny, 32, {}),
    "DenseNet121": (applications.DenseNet121, 32, {}),
    "EfficientNetB0": (applications.EfficientNetB0, 32, {}),
    "EfficientNetV2B0": (applications.EfficientNetV2B0, 32, {}),
    "InceptionResNetV2": (applications.InceptionResNetV2, 75, {}),
    "InceptionV3": (applications.InceptionV3, 75, {}),
    "MobileNet": (applications.MobileNet, 32, {"alpha": 0.25}),
    "MobileNetV2": (applications.MobileNetV2, 32, {"alpha": 0.35}),
    "MobileNetV3Small": (applications.MobileNetV3Small, 32, {}),
    "MobileNetV3Large_minimalistic": (applications.MobileNetV3Large, 32, {"minimalistic": True, "alpha": 0.75}),
    "NASNetMobile": (applications.NASNetMobile, 32, {}),
    "ResNet50": (applications.ResNet50, 32, {}),
    "ResNet50V2": (applications.ResNet50V2, 32, {}),
    "VGG16": (applications.VGG16, 32, {}),
    "Xception": (applications.Xception, 71, {}),
}


def _application(name: str) -> Model:
    constructor, side, options = FAMILIES[name]

    def build() -> keras.Model:
        model = constructor(weights=None, input_shape=(side, side, 3), classes=10, **options)
        return calibrate(settle(model), side)

    return Model(f"applications/{name}/{side}", build, rows=_ROWS)


def calibrate(model: keras.Model, side: int) -> keras.Model:
    """Give batch normalizations the statistics of a batch, as training would: with random ones, a network of a
    hundred layers overflows or forgets its input."""
    norms = [entry for entry in model._flatten_layers() if isinstance(entry, keras.layers.BatchNormalization)]
    if not norms:
        return model
    momenta = [entry.momentum for entry in norms]
    random = np.random.default_rng(0)
    coarse = random.uniform(0, 255, (8, 4, 4, 3)).astype("float32")
    images = keras.ops.image.resize(coarse, (side, side))
    for entry in norms:
        entry.momentum = 0.0
    model(images, training=True)
    for entry, momentum in zip(norms, momenta, strict=True):
        entry.momentum = momentum
        entry.moving_variance.assign(keras.ops.maximum(entry.moving_variance, 1e-2))
    return model


MODELS = tuple(_application(name) for name in FAMILIES)
