"""Small networks with weights that look trained, their artifacts, and what they are judged against."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers

from pipeline import formats, runtimes
from pipeline.artifact import Artifact
from pipeline.capture import Capture, capture
from pipeline.cells import Cell
from pipeline.parity import budget, contract, oracle, weights
from pipeline.parity.contract import Check
from pipeline.parity.evidence import Evidence
from pipeline.parity.inputs import Tensors
from pipeline.parity.judge import judge
from pipeline.parity.synthetic import synthetic
from pipeline.runtimes import RuntimeEntry

FORMATS = ("tflite", "onnx", "tfjs")
ENTRIES = {
    "tflite": runtimes.select(("litert",))[0],
    "onnx": runtimes.select(("onnxruntime",), ("cpu",))[0],
    "tfjs": runtimes.select(("tfjs-node",))[0],
}


def cnn(before: Callable[[Any], Any] = lambda x: x, padding: str = "right") -> keras.Model:
    """Convolution, batch normalization, dense softmax on "image"; `before` and `padding` make it a wrong one."""
    image = keras.Input((28, 28), name="image")
    x = layers.Reshape((28, 28, 1), name="channel")(before(image))
    if padding == "right":
        x = layers.Conv2D(6, 3, strides=2, padding="same", name="conv")(x)
    else:
        # "same" with stride 2 pads one row and column at the end; this pads them at the beginning.
        x = layers.ZeroPadding2D(((1, 0), (1, 0)), name="pad")(x)
        x = layers.Conv2D(6, 3, strides=2, padding="valid", name="conv")(x)
    x = layers.BatchNormalization(name="norm")(x)
    x = layers.Activation("relu", name="relu")(x)
    x = layers.MaxPooling2D(name="pool")(x)
    x = layers.Flatten(name="flat")(x)
    x = layers.Dropout(0.5, name="drop")(x)
    return train(keras.Model(image, layers.Dense(10, activation="softmax", name="probabilities")(x), name="cnn"))


def twins() -> keras.Model:
    """Two outputs of equal shape."""
    image = keras.Input((28, 28), name="image")
    x = layers.Flatten(name="flat")(image)
    x = layers.Dense(12, activation="relu", name="hidden")(x)
    heads = {name: layers.Dense(4, activation="softmax", name=name)(x) for name in ("left", "right")}
    return train(keras.Model(image, heads, name="twins"))


def train(model: keras.Model, seed: int = 0) -> keras.Model:
    """Give every weight a value such as training leaves; by layer, so that like-named layers get the same."""
    for weight in model.weights:
        rng = np.random.default_rng([seed, *weight.path.encode()])
        shape = tuple(weight.shape)
        if "variance" in weight.path or "gamma" in weight.path:
            weight.assign(rng.uniform(0.5, 1.5, shape))
        elif len(shape) == 1 and "seed" not in weight.path:
            weight.assign(0.2 * rng.normal(size=shape))
        elif len(shape) > 1:
            weight.assign(rng.normal(size=shape) * np.sqrt(2.0 / np.prod(shape[:-1])))
    return model


@dataclass
class Exhibit:
    """A model's capture, its artifacts below `root`, and the evidence."""

    captured: Capture
    root: Path
    artifacts: dict[str, Artifact]
    evidence: Evidence = field(repr=False)

    def path(self, format: str) -> Path:
        return self.artifacts[format].locate(self.root)

    def with_copy(self, root: Path) -> Exhibit:
        """The same with its own copy of the files, to tamper with."""
        import shutil

        shutil.copytree(self.root, root, dirs_exist_ok=True)
        return replace(self, root=root)

    def judge(self, format: str, entry: RuntimeEntry | None = None) -> Cell:
        """The verdict on one artifact in its runtime."""
        return judge(self.root, [self.artifacts[format]], [entry or ENTRIES[format]], self.evidence, 0, InProcess)[0]

    def check_weights(self, format: str) -> Check:
        from pipeline.legalize import legalize

        held = next(f for f in formats.FORMATS if f.name == format).load().constants(self.path(format))
        expected = legalize(self.captured, format).constants
        return weights.check_weights(self.artifacts[format].label, self.captured.weights, expected, held)

    def check_signature(self, format: str) -> Check:
        return contract.check_signature(self.artifacts[format], self.captured.signature)


class InProcess:
    """A runtime without the worker process around it (that one has tests of its own)."""

    def __init__(self, entry: RuntimeEntry) -> None:
        self._runtime = runtimes.create(entry.module, entry.device)

    def __enter__(self) -> InProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self._runtime.deactivate()

    def activate(self, artifact: Artifact, path: Path) -> dict[str, Any]:
        return self._runtime.activate(artifact, path)

    def infer(self, rows: Mapping[str, np.ndarray], batch: int) -> tuple[Tensors, float]:
        return self._runtime.infer(rows, batch), 0.0


def exhibit(model: keras.Model, root: Path, wanted: tuple[str, ...] = FORMATS) -> Exhibit:
    """Capture, write and gather evidence, as `isomer export` does."""
    captured = capture(model)
    artifacts = {f.name: f.load().write(captured, root, "float32")[0] for f in formats.select(wanted)}
    judged = synthetic(captured.signature, {}, seed=0)
    exact = oracle.run_oracle(captured, judged.tensors)
    first = next(iter(exact.values()))
    if first.dtype.kind == "f":
        judged = replace(judged, labels=first[: judged.regular].argmax(-1))
    reference = oracle.run_reference(captured, judged.tensors)
    budgets = budget.derive(exact, reference, judged.regular)
    return Exhibit(captured, root, artifacts, Evidence(judged, exact, reference, budgets))
