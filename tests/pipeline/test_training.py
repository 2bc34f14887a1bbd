"""Training: repeatable, checked, and never leaving half a result."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline import datasets, receipt, recipes, training
from pipeline.bundle import schemas
from pipeline.epochs import EpochProgress
from pipeline.errors import EnvironmentFault, ModelError

RECIPE = """\
import keras
import numpy as np
from keras import layers
dataset = "digits"
batch_size = 32
epochs = 3
loss = "sparse_categorical_crossentropy"
metrics = ["accuracy"]
def build():
    image = keras.Input((28, 28), name="image")
    x = layers.Flatten(name="pixels")(image)
    x = layers.Dense(16, activation="relu", name="hidden")(x)
    x = layers.Dropout(0.5, name="dropout")(x)
    return keras.Model(image, layers.Dense(10, activation="softmax", name="probabilities")(x), name="tiny")
def optimizer(steps_per_epoch):
    return keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.01, epochs * steps_per_epoch))
def callbacks():
    return [keras.callbacks.EarlyStopping("val_loss", patience=2, restore_best_weights=True)]
def augment(images, random):
    return np.roll(images, random.integers(-1, 2), axis=1)
"""
SHIFT = "np.roll(images, random.integers(-1, 2), axis=1)"
FIT_ONCE = "Adam(keras.optimizers.schedules.CosineDecay(0.01, epochs * steps_per_epoch))"


@pytest.fixture(scope="module")
def digits() -> datasets.Dataset:
    return datasets.load("digits")


@pytest.fixture(scope="module")
def trained(digits: datasets.Dataset, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """One training with everything switched on, shared by the tests that only look at it."""
    folder = tmp_path_factory.mktemp("trained")
    recipe = load(folder)
    seen: list[EpochProgress] = []
    result = training.train(
        recipe, digits, directory=folder / "runs", tensorboard=folder / "logs", progress=seen.append
    )
    return {"folder": folder, "recipe": recipe, "result": result, "seen": seen, "runs": folder / "runs"}


def load(folder: Path, *changes: tuple[str, str], name: str = "tiny.py") -> recipes.Recipe:
    source = RECIPE
    for old, new in changes:
        assert old in source
        source = source.replace(old, new)
    (folder / name).write_text(source)
    return recipes.load(folder / name)


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_the_receipt_tells_the_whole_training(trained: dict[str, Any], digits: datasets.Dataset) -> None:
    written = json.loads((trained["runs"] / "tiny" / "receipt.json").read_text())
    assert written == trained["result"].receipt
    schemas.validate(written, "receipt")
    assert written["schema"] == "isomer-receipt/1" and written["seed"] == 0
    assert written["recipe"]["name"] == "tiny" and written["recipe"]["sha256"] == trained["recipe"].sha256
    assert written["dataset"]["name"] == "digits" and written["dataset"]["sha256"] == digits.sha256
    assert (written["dataset"]["train"], written["dataset"]["validation"], written["dataset"]["test"]) == (
        1298,
        144,
        355,
    )
    assert [e["epoch"] for e in written["epochs"]] == [1, 2, 3]
    best = min(written["epochs"], key=lambda e: e["val_loss"])
    assert written["best_epoch"] == best["epoch"] and written["monitor"] == "val_loss"
    assert written["restored"] == {
        "metric": "val_loss",
        "value_best_epoch": best["val_loss"],
        "value_reevaluated": best["val_loss"],
        "equal": True,
    }
    assert written["dropout_inactive"]["runs_bit_equal"] is True
    assert written["parameters"] == 784 * 16 + 16 + 160 + 10
    rates = [e["learning_rate"] for e in written["epochs"]]
    assert rates == sorted(rates, reverse=True) and rates[-1] < 1e-6
    assert all(written["versions"][name] for name in ("python", "tensorflow", "keras", "numpy", "isomer"))
    assert written["test"]["accuracy"] > 0.3


def test_the_model_on_disk_is_the_trained_one(trained: dict[str, Any], digits: datasets.Dataset) -> None:
    result = trained["result"]
    again = training.load_trained(trained["recipe"], digits, directory=trained["runs"])
    assert again is not None and again.reused and again.receipt == result.receipt and again.path == result.path
    outputs = [np.asarray(model(digits.x_test, training=False)) for model in (result.model, again.model)]
    assert np.array_equal(*outputs)
    accuracy = float(np.mean(outputs[0].argmax(1) == digits.y_test))
    assert accuracy == pytest.approx(result.receipt["test"]["accuracy"], abs=1e-6)
    assert not again.model.compiled  # nobody ships the optimizer's state


def test_an_earlier_training_is_reused_only_for_the_same_work(
    trained: dict[str, Any], digits: datasets.Dataset, tmp_path: Path
) -> None:
    recipe, runs = trained["recipe"], trained["runs"]
    other_data = dataclasses.replace(digits, sha256="0" * 64)
    other_recipe = load(tmp_path, ("Dropout(0.5", "Dropout(0.4"))
    assert training.load_trained(recipe, digits, directory=tmp_path / "nowhere") is None
    assert training.load_trained(recipe, digits, seed=1, directory=runs) is None
    assert training.load_trained(recipe, digits, epochs=1, directory=runs) is None
    assert training.load_trained(recipe, other_data, directory=runs) is None
    assert training.load_trained(other_recipe, digits, directory=runs) is None


def test_progress_is_reported_within_and_after_every_epoch(trained: dict[str, Any]) -> None:
    seen: list[EpochProgress] = trained["seen"]
    ends = [p for p in seen if p.finished]
    assert [(p.epoch, p.epochs, p.step, p.steps) for p in ends] == [(e, 3, 41, 41) for e in (1, 2, 3)]
    assert len(seen) > len(ends) and all(0 < p.step <= p.steps and p.val_value is None for p in seen if not p.finished)
    assert max(p.epoch for p in ends if p.best) == trained["result"].receipt["best_epoch"]


def test_tensorboard_logs_hold_every_epoch(trained: dict[str, Any]) -> None:
    import tensorflow as tf

    found: dict[str, list[float]] = {}
    for part in ("train", "validation"):
        (file,) = (trained["folder"] / "logs" / part).iterdir()
        for record in tf.data.TFRecordDataset(str(file)):
            for value in tf.compat.v1.Event.FromString(record.numpy()).summary.value:
                assert value.metadata.plugin_data.plugin_name == "scalars"
                found.setdefault(f"{part}/{value.tag}", []).append(float(tf.make_ndarray(value.tensor)))
    epochs = trained["result"].receipt["epochs"]
    assert found["train/epoch_loss"] == [e["loss"] for e in epochs]
    assert found["validation/epoch_accuracy"] == [e["val_accuracy"] for e in epochs]
    assert found["train/epoch_learning_rate"] == pytest.approx([e["learning_rate"] for e in epochs])
    norms = trained["result"].receipt["gradients"]
    assert list(norms[0]) == ["hidden", "probabilities"]
    assert found["train/gradient_norm/hidden"] == pytest.approx([n["hidden"] for n in norms])


def test_the_same_seed_gives_the_same_bits_and_another_does_not(
    trained: dict[str, Any], digits: datasets.Dataset, tmp_path: Path
) -> None:
    recipe = trained["recipe"]
    first = trained["result"].model.get_weights()
    same = training.train(recipe, digits, directory=tmp_path / "a").model.get_weights()
    other = training.train(recipe, digits, seed=1, epochs=1, directory=tmp_path / "b").model.get_weights()
    assert all(np.array_equal(a, b) for a, b in zip(first, same, strict=True))
    assert not any(np.array_equal(a, b) for a, b in zip(first, other, strict=True))


def test_ctrl_c_keeps_the_earlier_pair_and_says_so(trained: dict[str, Any], digits: datasets.Dataset) -> None:
    before = snapshot(trained["runs"])

    def interrupt(at: EpochProgress) -> None:
        if at.epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(training.TrainingInterrupted) as caught:
        training.train(trained["recipe"], digits, seed=5, directory=trained["runs"], progress=interrupt)
    assert "3 epochs" in caught.value.kept and str(trained["runs"] / "tiny") in caught.value.kept
    assert snapshot(trained["runs"]) == before
    with pytest.raises(training.TrainingInterrupted, match="nothing was written"):
        training.train(trained["recipe"], digits, directory=trained["folder"] / "empty", progress=interrupt, epochs=2)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ((FIT_ONCE, "SGD(1e30)"), "its loss is (nan|inf) in epoch 1.*"),
        ((SHIFT, "images.no_such_thing"), r"augment\(\) in .*line 20, raised AttributeError"),
        (('"val_loss"', '"val_f1", mode="max"'), "monitors 'val_f1', which nothing computes"),
        (
            ("sparse_categorical_crossentropy", "sparse_categorical_crossentropi"),
            "'loss' in .* is 'sparse_categorical_crossentropi'.* Did you mean 'sparse_categorical_crossentropy'",
        ),
        (("Dense(10", "Dense(7"), "labels of 'digits' go from 0 to 9, but the output 'probabilities' .* 7 units"),
        (("Input((28, 28)", "Input((8, 8)"), r"takes samples of shape \(8, 8\), those of 'digits' have \(28, 28\)"),
        (
            ('layers.Flatten(name="pixels")', "layers.Lambda(lambda x: x[:, 3])"),
            "cannot be saved and loaded again.*Lambda",
        ),
    ],
)
def test_a_training_that_cannot_work_stops_with_the_reason(
    tmp_path: Path, digits: datasets.Dataset, change: tuple[str, str], words: str
) -> None:
    with pytest.raises(ModelError, match=words) as caught:
        training.train(load(tmp_path, change), digits, directory=tmp_path / "runs")
    assert caught.value.fix and not list((tmp_path / "runs").glob("tiny/*"))


def test_a_directory_that_cannot_be_written_is_found_out_first(tmp_path: Path, digits: datasets.Dataset) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EnvironmentFault, match="cannot be written"):
        training.train(load(tmp_path), digits, directory=tmp_path / "file" / "runs")


PUBLISH = """\
import sys
from pathlib import Path
from pipeline import receipt
class Model:
    def save(self, path):
        path.write_bytes(self.content)
for turn in range(100000):
    model = Model()
    model.content = str(turn).encode() * 1000
    receipt.publish(Path(sys.argv[1]), "net", model, {"schema": receipt.SCHEMA, "turn": turn})
    print(turn, flush=True)
"""


def test_a_kill_at_any_moment_leaves_one_whole_pair(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for _ in range(12):
        writer = subprocess.Popen([sys.executable, "-c", PUBLISH, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        assert writer.stdout is not None and writer.stdout.readline() == "0\n"
        time.sleep(random.uniform(0, 0.05))
        os.kill(writer.pid, signal.SIGKILL)
        last = int(([0, *writer.stdout.read().split()])[-1])
        writer.wait()
        found = receipt.read(tmp_path, "net")
        assert found is not None and found["turn"] in (last, last + 1)
        assert (tmp_path / "net" / receipt.MODEL).read_bytes() == str(found["turn"]).encode() * 1000


def test_a_changed_model_file_is_no_longer_anybodys_result(tmp_path: Path) -> None:
    class Model:
        def save(self, path: Path) -> None:
            path.write_bytes(b"weights")

    receipt.publish(tmp_path, "net", Model(), {"schema": receipt.SCHEMA})
    assert receipt.read(tmp_path, "net") is not None
    (tmp_path / "net" / receipt.MODEL).write_bytes(b"Weights")
    assert receipt.read(tmp_path, "net") is None
    (tmp_path / "net" / receipt.RECEIPT).write_text("{}")
    assert receipt.read(tmp_path, "net") is None


def test_fewer_epochs_shorten_the_schedule(tmp_path: Path) -> None:
    """Stopped in the middle of its schedule, a training would end with a rate that is far too high."""
    done = training.train(recipes.load("spirals"), datasets.load("spirals"), epochs=2, directory=tmp_path)
    rates = [e["learning_rate"] for e in done.receipt["epochs"]]
    assert rates[0] > 20 * rates[1] > 0
