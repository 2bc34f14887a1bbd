"""A large model is judged on fewer rows, and which ones is the same everywhere."""

from __future__ import annotations

from typing import Any

import keras
import pytest
from keras import layers

from pipeline.capture import capture
from pipeline.parity import cost, legal
from pipeline.parity.synthetic import ROWS


def dense(units: int) -> Any:
    x = keras.Input((units,), name="x")
    return keras.Model(x, layers.Dense(units, name="y")(x))


def convolution(size: int | None, filters: int = 8) -> Any:
    x = keras.Input((size, size, 3), name="x")
    return keras.Model(x, layers.Conv2D(filters, 5, padding="same", use_bias=False, name="y")(x))


def attention(steps: int) -> Any:
    x = keras.Input((steps, 8), name="x")
    return keras.Model(x, layers.Dot(axes=2, name="y")([x, x]))


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (dense(40), 40 * 40),
        (convolution(10), 10 * 10 * 8 * 5 * 5 * 3),
        (convolution(None), 32 * 32 * 8 * 5 * 5 * 3),
        (attention(50), 50 * 50 * 8),
    ],
    ids=["dense", "convolution", "of any size", "attention"],
)
def test_products_are_counted(model: Any, expected: int) -> None:
    found = cost.multiplications(capture(model), 32)
    assert expected <= found <= 2 * expected  # what else there is counts by its elements


def test_large_models_get_fewer_rows_but_never_few() -> None:
    small, large = capture(dense(16)), capture(convolution(120, 128))
    assert cost.rows(small, 16, ROWS) == ROWS
    assert 16 <= cost.rows(large, 16, ROWS) < ROWS
    assert cost.rows(capture(convolution(None)), 4096, ROWS) == 16
    assert cost.rows(large, 16, 4) == 4


def test_the_rows_say_how_many_they_are() -> None:
    model = convolution(120, 128)
    judged = legal.invent(capture(model), model, 0)
    assert judged.regular == cost.rows(capture(model), 16, ROWS)
    assert f"{judged.regular} synthetic rows" in judged.origin
