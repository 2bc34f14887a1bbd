"""Where a scale or a shift must not be folded into the layer before it; and batches without rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from rule_cases import Apply, settle

from pipeline.capture import Capture, capture
from pipeline.legalize import legalize
from pipeline.legalize.registry import FORMATS
from pipeline.parity import measure, oracle


def _captured(body: Callable[[Any], Any], shape: tuple[int, ...] = (6, 5, 3)) -> Capture:
    x = keras.Input(shape, name="x")
    return capture(settle(keras.Model(x, body(x)), np.random.default_rng(7)))


def _conv(x: Any) -> Any:
    return layers.Conv2D(5, 3, padding="same", name="conv")(x)


def _norm(x: Any) -> Any:
    return layers.BatchNormalization(name="norm")(x)


def _read_twice(x: Any) -> Any:
    y = _conv(x)
    return layers.Add()([_norm(y), y])


def _is_an_output(x: Any) -> Any:
    y = _conv(x)
    return {"raw": y, "normed": _norm(y)}


def _dense_read_twice(x: Any) -> Any:
    y = layers.Dense(4, name="dense")(layers.Flatten()(x))
    return layers.Concatenate()([_norm(y), y])


def _after(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda x: Apply(function)(_conv(x))


ROWS = np.arange(1.0, 7.0, dtype=np.float32)
MUST_STAY: dict[str, Callable[[Any], Any]] = {
    "the convolution is read twice": _read_twice,
    "the convolution is an output": _is_an_output,
    "the dense layer is read twice": _dense_read_twice,
    "behind an activation": lambda x: _norm(layers.ReLU()(_conv(x))),
    "a factor per row": _after(lambda y: y * ROWS.reshape(6, 1, 1)),
    "a factor per column, as many as channels": _after(lambda y: y * ROWS[:5].reshape(5, 1)),
    "a factor that adds an axis": _after(lambda y: tf.reduce_sum(y * ROWS[:2].reshape(2, 1, 1, 1, 1), 0)),
    "a factor from the data": _after(lambda y: y * tf.reduce_mean(y)),
    "subtracted from a constant": _after(lambda y: ROWS[:5] - y),
}


@pytest.mark.parametrize("target", FORMATS)
@pytest.mark.parametrize("case", MUST_STAY)
def test_what_must_stay_stays(case: str, target: str) -> None:
    subject = _captured(MUST_STAY[case])
    legal = legalize(subject, target)
    assert "fold_scale" not in dict(legal.rewrites)
    rows = np.random.default_rng(0).normal(size=(3, 6, 5, 3)).astype(np.float32)
    exact = oracle.run_oracle(subject, {"x": rows})
    for name, value in legal.function(tf.constant(rows)).items():
        errors = measure.ulp_errors(np.asarray(value), exact[name], measure.scale(exact[name], 3))
        assert errors.max() <= 16


@pytest.mark.parametrize("target", FORMATS)
def test_batch_normalization_vanishes_when_it_is_folded(target: str) -> None:
    legal = legalize(_captured(lambda x: _norm(_conv(x))), target)
    operations = [o.type for o in legal.concrete.graph.get_operations()]
    assert not {"Mul", "AddV2", "Sub", "Rsqrt"} & set(operations)
    assert operations.count("Conv2D") >= 1
    folded = {path for c in legal.constants for path in c.sources}
    assert {"conv/kernel", "norm/gamma", "norm/moving_variance"} <= folded


@pytest.mark.parametrize("target", FORMATS)
@pytest.mark.parametrize(
    "layer",
    [layers.Flatten, lambda: layers.Reshape((3, 30)), lambda: layers.Reshape((-1, 9))],
    ids=["all", "to", "open"],
)
def test_a_batch_without_rows_keeps_its_shape(target: str, layer: Callable[[], Any]) -> None:
    subject = _captured(lambda x: layers.Dense(4, name="y")(layer()(x)))
    (found,) = legalize(subject, target).function(tf.zeros((0, 6, 5, 3))).values()
    assert found.shape == [0, *subject.signature.outputs[0].shape[1:]]
