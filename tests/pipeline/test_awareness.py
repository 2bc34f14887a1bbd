"""Training for a precision: where rounding to 4 bits costs accuracy, a training that knows of it gets it back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline import datasets, recipes, training
from pipeline.awareness import aware
from pipeline.errors import ModelError

_RECIPE = """
import keras
from keras import layers

dataset = "spirals"
batch_size, epochs = 32, 40
loss, metrics = "sparse_categorical_crossentropy", ["accuracy"]
aware_of = "{aware_of}"


def build():
    point = keras.Input((2,), name="point")
    x = layers.Dense(24, activation="relu", kernel_initializer="he_normal")(point)
    x = layers.Dense(24, activation="relu", kernel_initializer="he_normal")(x)
    return keras.Model(point, layers.Dense(3, activation="softmax")(x))


def optimizer(steps_per_epoch):
    return keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(1e-2, epochs * steps_per_epoch))


def callbacks():
    return [keras.callbacks.EarlyStopping("val_loss", patience=40, restore_best_weights=True)]
"""


def _rounded(model: object, bits: int) -> None:
    """Put weights in place as the writers of TFLite and ONNX store them: symmetric, a scale for each output."""
    for layer in model.layers:  # type: ignore[attr-defined]
        if layer.weights:
            kernel = np.asarray(layer.kernel)
            step = np.maximum(np.abs(kernel).max(0), 1e-12) / (2 ** (bits - 1) - 1)
            layer.kernel.assign(np.round(kernel / step) * step)


def _accuracies(aware_of: str, home: Path) -> tuple[float, float, dict[str, object]]:
    """On the test set: of the trained model as it is, and with weights in 4 bits."""
    home.mkdir()
    path = home / "arms.py"
    path.write_text(_RECIPE.format(aware_of=aware_of))
    dataset = datasets.load("spirals")
    done = training.train(recipes.load(path), dataset, directory=home / "runs")

    def right() -> float:
        answers = done.model.predict(dataset.x_test, batch_size=500, verbose=0)
        return float(np.mean(answers.argmax(-1) == dataset.y_test))

    before = right()
    _rounded(done.model, 4)
    return before, right(), done.receipt


def test_training_for_four_bits_gets_back_what_rounding_loses(tmp_path: Path) -> None:
    plain, plain_rounded, _ = _accuracies("", tmp_path / "plain")
    _, aware_rounded, receipt = _accuracies("int4-weights", tmp_path / "aware")
    assert plain_rounded < plain - 0.01  # rounding afterwards truly loses
    assert aware_rounded > plain_rounded + (plain - plain_rounded) / 2
    assert receipt["aware"] == {"of": "int4-weights", "epochs_before": 40}
    assert receipt["restored"]["equal"]  # type: ignore[index]


def test_layers_compute_rounded_within_and_as_ever_afterwards() -> None:
    import keras
    from keras import layers

    keras.utils.set_random_seed(0)
    image = keras.Input((8, 8, 2))
    x = layers.Conv2D(4, 3, activation="relu")(image)
    model = keras.Model(image, layers.Dense(3)(layers.Flatten()(x)))
    rows = np.random.default_rng(0).normal(size=(16, 8, 8, 2)).astype(np.float32)
    before, weights = model(rows).numpy(), model.get_weights()
    with aware(model, "int4-weights"):
        coarse = model(rows).numpy()
    with aware(model, "int8"):
        fine = model(rows).numpy()
    assert np.array_equal(model(rows).numpy(), before)
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), weights, strict=True))
    assert 0 < np.abs(fine - before).max() < np.abs(coarse - before).max()


def test_a_precision_that_no_training_knows_of(tmp_path: Path) -> None:
    path = tmp_path / "arms.py"
    path.write_text(_RECIPE.format(aware_of="float16"))
    with pytest.raises(ModelError, match="float16"):
        recipes.load(path)
