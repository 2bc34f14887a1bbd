"""Augmentations, which inference passes by, and layers with structures of their own."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
from keras import layers

from corpus.model import Model, Random, Tensors, layer, uniform


class Inside(layers.Layer):
    """Calls a layer that Keras cannot call on a symbolic tensor (it makes the model's input depend on itself)."""

    def __init__(self, inner: layers.Layer) -> None:
        super().__init__()
        self.inner = inner

    def call(self, x: Any) -> Any:
        return self.inner(x)

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return shape


_PICTURE = uniform(0, 255, 8, 8, 3, rows=32)
_AUGMENTATIONS: dict[str, Callable[[], Any]] = {
    "AugMix": lambda: layers.AugMix(),
    "AutoContrast": lambda: layers.AutoContrast(),
    "ContrastLimitedAdaptiveHistogramEqualization": lambda: layers.ContrastLimitedAdaptiveHistogramEqualization(
        tile_grid_size=(2, 2)
    ),
    "Equalization": lambda: Inside(layers.Equalization()),
    "RandAugment": lambda: layers.RandAugment(),
    "RandomBrightness": lambda: layers.RandomBrightness(0.3),
    "RandomColorDegeneration": lambda: layers.RandomColorDegeneration(0.5),
    "RandomColorJitter": lambda: layers.RandomColorJitter(brightness_factor=0.3),
    "RandomContrast": lambda: layers.RandomContrast(0.3),
    "RandomCrop": lambda: layers.RandomCrop(5, 6),
    "RandomElasticTransform": lambda: layers.RandomElasticTransform(),
    "RandomErasing": lambda: layers.RandomErasing(),
    "RandomFlip": lambda: layers.RandomFlip(),
    "RandomGaussianBlur": lambda: layers.RandomGaussianBlur(),
    "RandomGrayscale": lambda: layers.RandomGrayscale(),
    "RandomHue": lambda: layers.RandomHue(0.3),
    "RandomInvert": lambda: layers.RandomInvert(),
    "RandomPerspective": lambda: layers.RandomPerspective(),
    "RandomPosterization": lambda: layers.RandomPosterization(4),
    "RandomRotation": lambda: layers.RandomRotation(0.2),
    "RandomSaturation": lambda: layers.RandomSaturation(0.3),
    "RandomSharpness": lambda: layers.RandomSharpness(0.3),
    "RandomShear": lambda: layers.RandomShear(0.2, 0.2),
    "RandomTranslation": lambda: layers.RandomTranslation(0.2, 0.2),
    "RandomZoom": lambda: layers.RandomZoom(0.2),
    "Solarization": lambda: layers.Solarization(),
    "Pipeline": lambda: layers.Pipeline([layers.RandomFlip(), layers.Rescaling(0.1)]),
}


def _labelled(random: Random) -> Tensors:
    return {"images": random.uniform(0, 255, (32, 8, 8, 3)), "labels": random.random((32, 4))}


def _mixed(make: Callable[[], Any]) -> Callable[[], keras.Model]:
    def build() -> keras.Model:
        inputs = {"images": keras.Input((8, 8, 3), name="images"), "labels": keras.Input((4,), name="labels")}
        return keras.Model(inputs, make()(inputs))

    return build


def _boxes() -> keras.Model:
    boxes = {"boxes": keras.Input((5, 4), name="boxes"), "labels": keras.Input((5,), name="labels")}
    inputs = {"images": keras.Input((8, 8, 3), name="images"), "bounding_boxes": boxes}
    return keras.Model(inputs, layers.MaxNumBoundingBoxes(3, bounding_box_format="xyxy")(inputs))


def _saved_model() -> keras.Model:
    inner = keras.Sequential([keras.Input((4,)), layers.Dense(3, activation="tanh")])
    directory = Path(tempfile.mkdtemp(prefix="corpus-")) / "saved"
    inner.export(directory, verbose=False)
    x = keras.Input((4,), name="x")
    return keras.Model(x, layers.TFSMLayer(directory, call_endpoint="serve")(x))


MODELS = (
    *(layer(f"{name}/plain", make, (8, 8, 3), data=_PICTURE) for name, make in _AUGMENTATIONS.items()),
    Model("layers/MixUp/plain", _mixed(layers.MixUp), _labelled),
    Model("layers/CutMix/plain", _mixed(layers.CutMix), _labelled),
    Model("layers/MaxNumBoundingBoxes/plain", _boxes),
    Model("layers/TFSMLayer/dense", _saved_model),
)
