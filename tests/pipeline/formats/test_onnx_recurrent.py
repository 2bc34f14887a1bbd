"""A recurrent layer is ONNX' own where it has one: a loop is five times as large and as slow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import onnx
import pytest
from keras import layers

from pipeline import formats
from pipeline.capture import capture


def operators(layer: Any, steps: int, features: int, directory: Path) -> set[str]:
    x = keras.Input((steps, features), name="x")
    artifact = formats.select(("onnx",))[0].load().write(capture(keras.Model(x, layer(x))), directory, "float32")[0]
    return {node.op_type for node in onnx.load(artifact.locate(directory)).graph.node}


@pytest.mark.parametrize(
    "layer",
    [
        lambda: layers.LSTM(5),
        lambda: layers.LSTM(5, return_sequences=True, go_backwards=True),
        lambda: layers.Bidirectional(layers.LSTM(5)),
        lambda: layers.LSTM(600),  # its weights are large enough to be kept out of graphs
    ],
    ids=["last step", "backwards", "both ways", "large"],
)
def test_an_lstm_is_one_operation(layer: Any, tmp_path: Path) -> None:
    found = operators(layer(), 6, 4, tmp_path)
    assert "LSTM" in found and "Loop" not in found
