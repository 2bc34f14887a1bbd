"""Several workers train one model: as a single process does, and on from the last backup when one of them is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command import COMMAND, kin, nothing_remains, refused, run, started

from pipeline import keras_file
from pipeline.errors import EnvironmentFault, UsageError
from pipeline.workers import backup, cluster, launching
from pipeline.workers.backup import Backup

# Clipping looks at a whole gradient, a regularizer adds to the loss once, a schedule counts steps, and 57 batches of 32
# end with one of 8: whatever is shared out wrongly shows in the weights.
NET = """\
import keras
dataset, batch_size, epochs = "xor", 32, 4
loss, metrics = "binary_crossentropy", ["accuracy"]
def build():
    point = keras.Input((2,), name="point")
    x = keras.layers.Dense(8, activation="tanh", kernel_regularizer=keras.regularizers.L2(1e-3), name="hidden")(point)
    return keras.Model(point, keras.layers.Dense(1, activation="sigmoid", name="chance")(x))
def optimizer(steps_per_epoch):
    rate = keras.optimizers.schedules.CosineDecay(0.3, epochs * steps_per_epoch)
    return keras.optimizers.SGD(rate, momentum=0.9, clipnorm=0.05)
def callbacks():
    return [keras.callbacks.EarlyStopping("val_loss", patience=3, restore_best_weights=True)]
"""


@pytest.fixture
def net(tmp_path: Path) -> Path:
    (tmp_path / "net.py").write_text(NET)
    return tmp_path / "net.py"


def receipt(runs: Path, name: str = "net") -> dict[str, Any]:
    found: dict[str, Any] = json.loads((runs / name / "receipt.json").read_text())
    return found


def weights(runs: Path, name: str = "net") -> list[np.ndarray]:
    found: list[np.ndarray] = keras_file.load(runs / name / "model.keras").get_weights()
    return found


def test_two_workers_train_what_one_process_does_even_if_one_is_killed(net: Path, tmp_path: Path) -> None:
    assert run("train", net, "--runs", tmp_path / "one").code == 0
    arguments = ("train", net, "--runs", tmp_path / "two", "--workers", "2")
    with started(*arguments, scratch=tmp_path / "scratch") as process:
        assert process.stderr is not None
        seen = ""
        for line in process.stderr:
            seen += line
            if "epoch 2/4" in line and "validation" in line and "was killed" not in seen:
                other = [pid for pid in kin(tmp_path / "scratch") if index_of(pid) == 1]
                os.kill(other[0], signal.SIGKILL)
        assert process.wait() == 0, seen
    assert "Worker 1 of 2 was killed by SIGKILL" in seen and "goes on after epoch" in seen
    nothing_remains(tmp_path / "scratch")
    single, several = receipt(tmp_path / "one"), receipt(tmp_path / "two")
    team = several["workers"]
    assert (team["count"], team["replicas"], team["strategy"]) == (2, 2, "MultiWorkerMirroredStrategy")
    assert team["resumed_after_epoch"] >= 1 and "workers" not in single
    assert [e["epoch"] for e in several["epochs"]] == [e["epoch"] for e in single["epochs"]]
    assert several["best_epoch"] == single["best_epoch"] and several["restored"]["equal"]
    assert several["test"]["accuracy"] == single["test"]["accuracy"]
    # The same sums in another order: each of 228 steps may move a weight by a few roundings of its own size (2^-24),
    # and a momentum of 0.9 carries each of them on ten times.
    for one, two in zip(weights(tmp_path / "one"), weights(tmp_path / "two"), strict=True):
        assert np.abs(one - two).max() <= 228 * 10 * 2**-24 * np.abs(one).max()
    assert not (tmp_path / "two" / ".net.backup.npz").exists()
    assert "2 by tf.distribute.MultiWorkerMirroredStrategy" in (tmp_path / "two/net/receipt.html").read_text()


def index_of(pid: int) -> int:
    """A process's place in its cluster; -1 without one."""
    variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    found = [v.partition(b"=")[2] for v in variables if v.startswith(b"TF_CONFIG=")]
    return int(json.loads(found[0])["task"]["index"]) if found else -1


def test_workers_started_elsewhere_join_and_share_layers_that_see_batches(net: Path, tmp_path: Path) -> None:
    """As on a cluster: TF_CONFIG says who they are, and the directories of all but the chief stay empty."""
    more = "keras.layers.Dropout(0.1)(keras.layers.BatchNormalization(momentum=0.9)(x))"
    net.write_text(NET.replace('name="chance")(x)', f'name="chance")({more})').replace(", clipnorm=0.05", ""))
    addresses = cluster.local(2)
    processes = []
    for index in range(2):
        variable = cluster.Cluster(addresses, index).to_variable()
        processes.append(
            subprocess.Popen(
                [*COMMAND, "train", net, "--runs", tmp_path / f"runs{index}"],
                stderr=subprocess.PIPE,
                text=True,
                env={**os.environ, "TF_CONFIG": variable, "PYTHONPATH": os.pathsep.join(sys.path)},
            )
        )
    try:
        said = [process.communicate()[1] for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [0, 0], said
    assert "worker 0 keeps the model" in said[1]
    assert not (tmp_path / "runs1").exists()
    found = receipt(tmp_path / "runs0")
    assert found["workers"]["count"] == 2 and found["restored"]["equal"] and found["test"]["accuracy"] > 0.9


@pytest.mark.parametrize(
    ("variable", "words"),
    [
        ("{", "cannot be read"),
        ('{"cluster": {"worker": ["a:1", "b:2"]}}', "cannot be read: KeyError: 'task'"),
        ('{"cluster": {"worker": ["a", "b"]}, "task": {"type": "worker", "index": 0}}', "for the workers' addresses"),
        (
            '{"cluster": {"worker": ["a:1", "b:2"], "ps": ["c:3"]}, "task": {"type": "ps", "index": 0}}',
            "other than workers",
        ),
        ('{"cluster": {"worker": ["a:1", "b:2"]}, "task": {"type": "worker", "index": 2}}', "the index 2 among 2"),
    ],
)
def test_a_cluster_that_makes_no_sense_is_refused(variable: str, words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        cluster.from_environment({"TF_CONFIG": variable})
    assert caught.value.fix


def test_a_cluster_of_one_is_a_single_process() -> None:
    assert cluster.from_environment({}) is None
    alone = '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 0}}'
    assert cluster.from_environment({"TF_CONFIG": alone}) is None


def test_contradictions_are_refused(net: Path, tmp_path: Path) -> None:
    three = cluster.Cluster(("a:1", "b:2", "c:3"), 0).to_variable()
    refused(run("train", net, "--workers", "2", env={"TF_CONFIG": three}), 2, "--workers 2 contradicts TF_CONFIG")
    refused(run("train", net, "--workers", "2", "--folds", "2"), 2, "Folds are trained in one process")


def test_what_is_wrong_with_a_recipe_is_said_once(net: Path, tmp_path: Path) -> None:
    net.write_text(NET.replace('"accuracy"', '"acuracy"'))
    refused(run("train", net, "--workers", "2", "--runs", tmp_path), 2, "acuracy")
    net.write_text(NET.replace('"binary_crossentropy"', 'keras.losses.BinaryCrossentropy(reduction="sum")'))
    refused(run("train", net, "--workers", "2", "--runs", tmp_path), 2, "reduction='sum'", "workers cannot share out")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "killed by SIGKILL, and so for the 4th time"),
        ("import sys; print('no space left', file=sys.stderr); sys.exit(0 if chief else 3)", "no space left"),
    ],
)
def test_workers_that_fail_again_and_again_are_given_up(
    code: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "pipeline"
    package.mkdir()
    (package / "__init__.py").write_text("")
    chief = 'import json, os; chief = json.loads(os.environ["TF_CONFIG"])["task"]["index"] == 0\n'
    (package / "__main__.py").write_text(chief + code)
    monkeypatch.chdir(tmp_path)
    notices: list[str] = []
    with (tmp_path / "out").open("w") as out, pytest.raises(EnvironmentFault, match=words):
        launching.launch(["train"], 2, out, out, notices.append)
    assert len(notices) == (launching.RESTARTS if "SIGKILL" in words else 0)


def test_a_backup_comes_back_as_it_was_and_only_for_its_own_training(tmp_path: Path) -> None:
    import keras

    stopping = keras.callbacks.EarlyStopping("val_loss", min_delta=0.1, patience=2, restore_best_weights=True)
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(loss="mse")
    stopping.set_model(model)
    stopping.on_train_begin()
    for epoch, value in enumerate((1.0, 0.95)):
        stopping.on_epoch_end(epoch, {"val_loss": value})
    arrays, notes = backup.describe([stopping])
    path = tmp_path / "backup.npz"
    backup.write(path, Backup("mine", 2, arrays, {"callbacks": notes}))
    assert backup.read(path, "another's") is None
    found = backup.read(path, "mine")
    assert found is not None and found.epoch == 2
    other = keras.callbacks.EarlyStopping("val_loss", min_delta=0.1, patience=2, restore_best_weights=True)
    other.set_model(model)
    other.on_train_begin()
    backup.restore([other], found)
    assert (other.best, other.wait, other.best_epoch) == (1.0, 1, 0)
    assert not other.model.stop_training
    other.on_epoch_end(2, {"val_loss": 0.95})  # 0.05 better is not better by 0.1
    assert other.model.stop_training
    for one, two in zip(stopping.best_weights, other.best_weights, strict=True):
        assert np.array_equal(one, two)
    path.write_bytes(path.read_bytes()[:100])
    assert backup.read(path, "mine") is None
