"""An infinite constant is infinite in the file, and the largest float is not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

from pipeline.capture import capture
from pipeline.formats import tflite

INFINITY = float("inf")
LARGEST = float(np.finfo(np.float32).max)
ROWS = np.array([[1, INFINITY, -INFINITY, np.nan], [LARGEST, -LARGEST, 0, -3]], np.float32)
FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "equal": lambda x: tf.equal(x, INFINITY),
    "not equal": lambda x: tf.not_equal(x, -INFINITY),
    "chosen": lambda x: tf.where(x > 0, x, -INFINITY),
    "of several": lambda x: x + tf.constant([0, -INFINITY, 1, INFINITY]),
    "largest": lambda x: tf.where(tf.equal(x, LARGEST), INFINITY, LARGEST),
    "masked": lambda x: tf.nn.softmax(tf.where(tf.abs(x) < 5, x, -INFINITY)),
}


class Apply(keras.layers.Layer):
    def __init__(self, function: Callable[[Any], Any]) -> None:
        super().__init__()
        self.function = function

    def call(self, x: Any) -> Any:
        return self.function(x)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_infinity_stays_infinite(name: str, tmp_path: Path) -> None:
    x = keras.Input((4,), name="x")
    model = keras.Model(x, Apply(FUNCTIONS[name])(x))
    path = tflite.write(capture(model), tmp_path, "float32")[1].locate(tmp_path)
    interpreter = Interpreter(str(path))
    interpreter.allocate_tensors()
    for row in ROWS:
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], row[None])
        interpreter.invoke()
        found = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
        wanted = np.asarray(FUNCTIONS[name](tf.constant(row[None])))
        assert np.allclose(found, wanted, equal_nan=True), row
