"""Pruning: channels are really gone, the right ones, in every file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline import export, frameworks, prune
from pipeline.bundle import schemas
from pipeline.cells import Status
from pipeline.errors import ModelError
from pipeline.pruning import _groups, channels, choosing, cutting

frameworks.load()
import keras  # noqa: E402
from keras import layers  # noqa: E402


def convolutional() -> Any:
    """Two convolutions, one normalized and pooled, a Flatten, a hidden layer, ten classes."""
    keras.utils.set_random_seed(0)
    image = keras.Input((12, 12, 1), name="image")
    x = layers.Conv2D(6, 3, use_bias=False, name="first")(image)
    x = layers.BatchNormalization(name="norm")(x)
    x = layers.ReLU(name="relu")(x)
    x = layers.MaxPooling2D(2, name="pool")(x)
    x = layers.Conv2D(8, 3, activation="relu", name="second")(x)
    x = layers.Flatten(name="flat")(x)
    x = layers.Dropout(0.3, name="dropout")(x)
    x = layers.Dense(16, activation="relu", name="hidden")(x)
    return keras.Model(image, layers.Dense(10, activation="softmax", name="digit")(x), name="net")


def sequential() -> Any:
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [keras.Input((12,)), layers.Dense(20, activation="tanh", name="a"), layers.Dense(9, name="b"), layers.Dense(3)]
    )


def residual() -> Any:
    keras.utils.set_random_seed(0)
    entry = keras.Input((10,))
    x = layers.Dense(10, activation="relu", name="left")(entry)
    x = layers.Dense(10, name="inside")(layers.Dense(24, activation="relu", name="wide")(x))
    return keras.Model(entry, layers.Dense(2, name="out")(layers.Add()([entry, x])))


@pytest.mark.parametrize(
    ("build", "names"),
    [
        (convolutional, ["first", "second", "hidden"]),
        (sequential, ["a", "b"]),
        (residual, ["left", "wide"]),  # "inside" is added to something, "out" is the output
    ],
)
def test_only_channels_that_dense_and_conv_layers_alone_read_can_go(build: Any, names: list[str]) -> None:
    assert [group.layer.name for group in channels.find(build())] == names


@pytest.mark.parametrize("build", [convolutional, sequential, residual])
def test_removing_idle_channels_changes_no_answer(build: Any) -> None:
    """Channels whose outgoing weights are zero, wherever they are: the smaller model answers the same."""
    model, random = build(), np.random.default_rng(1)
    samples = random.normal(0, 1, (64, *model.inputs[0].shape[1:])).astype(np.float32)
    groups = channels.find(model)
    idle = []
    for group in groups:
        gone = np.sort(random.permutation(group.channels)[: group.channels // 3])
        idle.append(gone)
        for reader in group.readers:
            kernel = np.array(reader.layer.kernel)
            kernel[..., reader.rows(gone, group.channels), :] = 0
            reader.layer.kernel.assign(kernel)
    shares = choosing.contributions(model, groups, samples)
    kept = choosing.choose(groups, shares, model.count_params(), remove=0)
    for group, gone, keep in zip(groups, idle, kept, strict=True):
        assert not set(gone) & set(keep), f"idle channels of '{group.layer.name}' stay"
        assert len(keep) > group.channels // 2
    smaller = cutting.cut(model, groups, kept)
    assert smaller.count_params() == model.count_params() - choosing._saved(
        groups, [_mask(g, k) for g, k in zip(groups, kept, strict=True)]
    )
    assert [layer.name for layer in smaller.layers][1:] == [layer.name for layer in model.layers][1:]
    np.testing.assert_allclose(np.asarray(smaller(samples)), np.asarray(model(samples)), atol=1e-5)


def _mask(group: channels.Group, kept: np.ndarray) -> np.ndarray:
    return np.isin(np.arange(group.channels), kept)


def test_the_share_that_was_asked_for_is_removed_and_every_layer_keeps_some() -> None:
    model = convolutional()
    samples = np.random.default_rng(0).normal(0, 1, (64, 12, 12, 1)).astype(np.float32)
    groups = channels.find(model)
    shares = choosing.contributions(model, groups, samples)
    for remove in (0.3, 0.6, 0.99):
        kept = choosing.choose(groups, shares, model.count_params(), remove)
        smaller = cutting.cut(model, groups, kept)
        assert all(len(keep) >= 4 for keep in kept)
        if remove < 0.9:
            assert remove <= 1 - smaller.count_params() / model.count_params() < remove + 0.15
        assert smaller.count_params() < model.count_params()


def test_a_model_without_such_channels_is_refused() -> None:
    entry = keras.Input((4,))
    with pytest.raises(ModelError, match="no units or channels that can be removed"):
        _groups(keras.Model(entry, layers.Dense(2)(entry)), "line")


def test_a_pruned_recipe_is_smaller_in_every_format_and_about_as_good(tmp_path: Path) -> None:
    done = prune("tabular", remove=0.5, finetune=4, epochs=4, runs=tmp_path / "runs")
    schemas.validate(done.receipt, "receipt")
    found = done.pruning
    sizes = found["parameters"]
    assert sizes["before"] == 2850 and sizes["after"] == done.model.count_params() <= 1425
    assert found["test"]["after"]["accuracy"] > found["test"]["before"]["accuracy"] - 0.02
    assert done.path == tmp_path / "runs" / "tabular-pruned" / "tabular-pruned.keras"
    native = ("tensorflow", "litert", "onnxruntime")
    small = export(str(done.path), format=("savedmodel", "tflite", "onnx"), runtime=native, output=tmp_path / "out")
    assert small.status is Status.PASS and small.certificate["parameters"] == sizes["after"]
    onnx = small.bundle / "onnx" / "float32.onnx"
    assert 4 * sizes["after"] < onnx.stat().st_size < 4 * sizes["before"]
