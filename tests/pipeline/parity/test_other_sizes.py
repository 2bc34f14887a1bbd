"""Dynamic dimensions: every cell is judged on a smaller and a larger size than the one that the rows have."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from pipeline import formats, runtimes
from pipeline.artifact import Artifact
from pipeline.capture import capture
from pipeline.cells import Status
from pipeline.parity import legal
from pipeline.parity.gathering import gather
from pipeline.parity.judge import judge

ENTRIES = [e for e in runtimes.RUNTIMES if e.name in ("litert", "onnxruntime") and e.required]


class Resident:
    """A worker in this process, which may answer wrongly where an input is not of the first size."""

    def __init__(self, entry: runtimes.RuntimeEntry, wrong: bool) -> None:
        self._runtime = runtimes.create(entry.module, entry.device)
        self._wrong = wrong
        self._size: int | None = None

    def __enter__(self) -> Resident:
        return self

    def __exit__(self, *_: object) -> None:
        self._runtime.deactivate()

    def activate(self, artifact: Artifact, path: Path) -> dict[str, Any]:
        return self._runtime.activate(artifact, path)

    def infer(self, tensors: Mapping[str, np.ndarray], batch: int) -> tuple[dict[str, np.ndarray], float]:
        size = tensors["x"].shape[1]
        self._size = self._size or size
        answers = self._runtime.infer(tensors, batch)
        if self._wrong and size > self._size:
            answers = {name: value + 1 for name, value in answers.items()}
        return answers, 0.0


@pytest.mark.parametrize("wrong", [False, True], ids=["right", "wrong where it is larger"])
def test_sizes_are_judged(wrong: bool, tmp_path: Path) -> None:
    keras.utils.set_random_seed(0)
    x = keras.Input((None, 3), name="x")
    y = layers.Conv1D(4, 3, padding="same", activation="relu")(x)
    model = keras.Model(x, layers.Dense(2, name="y")(layers.GlobalAveragePooling1D()(y)))
    captured = capture(model)
    evidence = gather(captured, legal.invent(captured, model, 0))
    assert len(evidence.sizes) == 2
    artifacts = [a for f in formats.select(["tflite", "onnx"]) for a in f.load().write(captured, tmp_path, "float32")]
    cells = judge(tmp_path, artifacts, ENTRIES, evidence, 0, lambda entry: Resident(entry, wrong))  # type: ignore[arg-type, return-value]
    assert len(cells) == 3
    for cell in cells:
        assert cell.verdict is (Status.FAIL if wrong else Status.PASS), cell.reason
        assert cell.reason.startswith("with inputs of [19, 3]: output 'y' is off") is wrong
