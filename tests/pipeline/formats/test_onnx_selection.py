"""A selection takes one of two values in ONNX Runtime, whatever the other one is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnxruntime
import pytest
import tensorflow as tf

from pipeline.capture import capture
from pipeline.formats import onnx


class Chooses(keras.layers.Layer):
    """x where the first number of a row is above zero, y elsewhere."""

    def __init__(self, kind: str, broadcast: bool) -> None:
        super().__init__()
        self.kind, self.broadcast = kind, broadcast

    def call(self, x: Any, y: Any) -> Any:
        if self.broadcast:
            return tf.where(x[:, :1] > 0, tf.cast(x, self.kind), tf.cast(y[0, 0], self.kind))
        if self.kind == "string":
            return tf.where(x > 0, tf.fill(tf.shape(x), "yes"), tf.fill(tf.shape(y), "no"))
        return tf.where(x > 0, tf.cast(x, self.kind), tf.cast(y, self.kind))


def run(kind: str, rows: np.ndarray, broadcast: bool, root: Path) -> tuple[np.ndarray, np.ndarray]:
    x, y = keras.Input((3,), name="x"), keras.Input((3,), name="y")
    model = keras.Model([x, y], Chooses(kind, broadcast)(x, y))
    path = onnx.write(capture(model), root, "float32")[0].locate(root)
    session = onnxruntime.InferenceSession(str(path))
    assert "Where" in onnx.operators(path)
    feed = {"x": rows, "y": rows[::-1].copy()}
    return session.run(None, feed)[0], np.asarray(model([feed["x"], feed["y"]]))


KINDS = (
    "float32",
    "float64",
    "bool",
    "int8",
    "uint8",
    "int16",
    "uint16",
    "int32",
    "uint32",
    "int64",
    "uint64",
    "string",
)


@pytest.mark.parametrize("kind", KINDS)
def test_every_type_is_selected(kind: str, tmp_path: Path) -> None:
    rows = np.array([[1, 0, 7], [0, 3, 100]], np.float32)
    found, wanted = run(kind, rows, False, tmp_path)
    assert found.astype(np.bytes_).tolist() == wanted.astype(found.dtype).astype(np.bytes_).tolist()


@pytest.mark.parametrize("broadcast", [False, True])
def test_what_is_not_selected_may_be_infinite_or_no_number(broadcast: bool, tmp_path: Path) -> None:
    rows = np.array([[1, -np.inf, np.nan], [2, np.inf, 5], [-1, 3, np.inf]], np.float32)
    found, wanted = run("float32", rows, broadcast, tmp_path)
    assert np.array_equal(found, wanted, equal_nan=True)


class Largest(keras.layers.Layer):
    def call(self, x: Any) -> Any:
        return tuple(tf.math.top_k(x, 3))


@pytest.mark.parametrize("kind", ["float32", "int32", "int64"])
def test_the_largest_numbers_keep_all_their_bits(kind: str, tmp_path: Path) -> None:
    x = keras.Input((5,), dtype=kind, name="x")
    model = keras.Model(x, Largest()(x))
    path = onnx.write(capture(model), tmp_path, "float32")[0].locate(tmp_path)
    base = 0 if kind == "float32" else 2**30
    rows = np.array([[1, 4, 4, 2, 3], [5, 3, 5, 1, 5]], kind) + np.array(base, kind)
    session = onnxruntime.InferenceSession(str(path))
    for found, wanted in zip(session.run(None, {"x": rows}), model(rows), strict=True):
        assert found.dtype == wanted.dtype.as_numpy_dtype and np.array_equal(found, np.asarray(wanted))
