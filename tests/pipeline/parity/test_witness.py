"""An independent witness: the mlp, forwards and backwards, in plain NumPy float64, sharing no code with the engine."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pipeline import frameworks, recipes
from pipeline.capture import capture
from pipeline.parity.oracle import run_oracle

LAYERS = ("hidden_1", "hidden_2", "probabilities")


@pytest.fixture(scope="module")
def model() -> Any:
    frameworks.load()
    import keras

    keras.utils.set_random_seed(3)
    built = recipes.load("mlp").build()
    random = np.random.default_rng(3)
    for layer in LAYERS:  # biases of zero would hide one that is left out
        bias = built.get_layer(layer).bias
        bias.assign(random.normal(0, 0.1, bias.shape))
    return built


@pytest.fixture(scope="module")
def batch() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(4)
    return random.random((32, 28, 28)).astype(np.float32), random.integers(0, 10, 32)


def weights(model: Any) -> list[tuple[np.ndarray, np.ndarray]]:
    """(kernel, bias) of the three layers in float64."""
    return [tuple(np.asarray(w, np.float64) for w in model.get_layer(name).get_weights()) for name in LAYERS]


def forward(model: Any, images: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
    """What each layer receives, and the probabilities."""
    received = [images.reshape(len(images), -1).astype(np.float64)]
    (k1, b1), (k2, b2), (k3, b3) = weights(model)
    received.append(np.maximum(received[-1] @ k1 + b1, 0))
    received.append(np.maximum(received[-1] @ k2 + b2, 0))
    scores = received[-1] @ k3 + b3
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return received, powers / powers.sum(axis=1, keepdims=True)


def backward(model: Any, images: np.ndarray, labels: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Gradients of the mean cross-entropy by layer: (kernel, bias)."""
    received, probabilities = forward(model, images)
    kernels = [kernel for kernel, _ in weights(model)]
    delta = probabilities.copy()
    delta[np.arange(len(labels)), labels] -= 1
    delta /= len(labels)
    found = {}
    for k in (2, 1, 0):
        found[LAYERS[k]] = (received[k].T @ delta, delta.sum(0))
        delta = (delta @ kernels[k].T) * (received[k] > 0)
    return found


def test_the_oracle_agrees_with_plain_numpy_to_the_last_bits_of_float64(model: Any, batch: Any) -> None:
    images, _ = batch
    exact = run_oracle(capture(model), {"image": images})["probabilities"]
    _, expected = forward(model, images)
    assert exact.dtype == np.float64
    np.testing.assert_allclose(exact, expected, rtol=1e-13, atol=1e-15)


def test_keras_agrees_with_plain_numpy_within_float32(model: Any, batch: Any) -> None:
    images, _ = batch
    _, expected = forward(model, images)
    np.testing.assert_allclose(np.asarray(model(images, training=False)), expected, rtol=2e-5, atol=1e-7)


def test_the_gradients_that_keras_descends_are_those_of_plain_numpy(model: Any, batch: Any) -> None:
    import keras
    import tensorflow as tf

    images, labels = batch
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(keras.losses.sparse_categorical_crossentropy(labels, model(images, training=False)))
    expected = backward(model, images, labels)
    found = tape.gradient(loss, [v.value for v in model.trainable_variables])
    for variable, gradient in zip(model.trainable_variables, found, strict=True):
        layer, _, part = variable.path.rpartition("/")
        witness = expected[layer][part == "bias"]
        scale = float(np.abs(witness).max())
        np.testing.assert_allclose(np.asarray(gradient), witness, rtol=1e-4, atol=1e-5 * scale, err_msg=variable.path)
        assert scale > 1e-4
