"""Tuning: settings come from the declared ranges, hopeless trials end early, a study goes on where it was stopped."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from command import refused, run

from pipeline import recipes, tune
from pipeline.errors import EnvironmentFault, ModelError
from pipeline.study import Trial
from pipeline.tuning.ranges import declared
from pipeline.tuning.remote import import_ray

NET = """\
import keras
dataset, batch_size, epochs = "rings", 64, 6
loss, metrics = "binary_crossentropy", ["accuracy"]
rate, width, bend = 0.01, 8, "relu"
ranges = {"rate": (1e-5, 1e-1, "log"), "width": (2, 24), "bend": ["relu", "tanh"]}
def build():
    point = keras.Input((2,), name="point")
    x = keras.layers.Dense(width, activation=bend, name="hidden")(point)
    return keras.Model(point, keras.layers.Dense(1, activation="sigmoid", name="inner")(x))
def optimizer(steps_per_epoch):
    return keras.optimizers.Adam(rate)
def callbacks():
    return [keras.callbacks.EarlyStopping("val_loss", restore_best_weights=True, patience=6)]
"""


@pytest.fixture
def net(tmp_path: Path) -> Path:
    (tmp_path / "net.py").write_text(NET)
    return tmp_path / "net.py"


def with_ray() -> None:
    try:
        import_ray()
    except EnvironmentFault as error:
        pytest.skip(f"{error.what} {error.fix}")


def test_a_study_finds_a_better_setting_and_goes_on_where_it_was_stopped(net: Path, tmp_path: Path) -> None:
    begun: list[tuple[int, dict[str, Any]]] = []
    first = tune(net, trials=7, runs=tmp_path / "runs", begin=lambda n, s: begun.append((n, s)))
    assert [number for number, _ in begun] == list(range(1, 8))
    assert [trial.settings for trial in first.trials] == [settings for _, settings in begun]
    for trial in first.trials:
        assert 1e-5 <= trial.settings["rate"] <= 1e-1 and trial.settings["bend"] in ("relu", "tanh")
        assert isinstance(trial.settings["width"], int) and 2 <= trial.settings["width"] <= 24
    best = first.best
    assert best is not None and best.value is not None and (first.metric, first.rises) == ("val_accuracy", True)
    assert best.value == max(t.value or 0 for t in first.trials if t.state == "complete")
    assert any(t.state == "stopped early" for t in first.trials), "the median stops no hopeless trial"
    again = tune(net, trials=8, runs=tmp_path / "runs", begin=lambda n, s: begun.append((n, s)))
    assert [number for number, _ in begun[7:]] == [8]
    assert again.trials[:7] == first.trials
    assert tune(net, trials=8, runs=tmp_path / "runs").trials == again.trials
    assert recipes.load(net).module.width == 8, "a trial's settings stay in the trial"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("ranges = ", "spans = ", "declares no ranges"),
        ('"width": (2', '"height": (2', "names 'height', which is no variable"),
        ("(2, 24)", "(24, 2)", r"has \(24, 2\) for 'width'"),
        ("(1e-5, 1e-1", "(0, 1e-1", "for 'rate'"),
        ('["relu", "tanh"]', "[]", "for 'bend'"),
    ],
)
def test_ranges_that_make_no_sense_are_refused(net: Path, old: str, new: str, words: str) -> None:
    assert old in NET
    net.write_text(NET.replace(old, new))
    with pytest.raises(ModelError, match=words) as caught:
        declared(recipes.load(net))
    assert caught.value.fix


def test_the_command_names_the_best_settings(net: Path, tmp_path: Path) -> None:
    done = run("tune", net, "--trials", "2", "--epochs", "2", "--runs", tmp_path / "runs")
    assert done.code == 0, done.err
    assert "width = " in done.out and "trial 2: rate" in done.err and "trial 2 complete" in done.err


def test_a_study_goes_on_over_the_nodes_of_a_ray_cluster(net: Path, tmp_path: Path) -> None:
    with_ray()
    from ray.cluster_utils import Cluster

    first = tune(net, trials=1, epochs=2, runs=tmp_path / "runs")
    ended: list[Trial] = []
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        cluster.add_node(num_cpus=1)
        study = tune(net, trials=5, epochs=2, runs=tmp_path / "runs", ray=cluster.address, end=ended.append)
    finally:
        cluster.shutdown()
    assert study.trials[:1] == first.trials, "the study began anew"
    assert [trial.number for trial in study.trials] == [1, 2, 3, 4, 5]
    assert sorted(ended, key=lambda trial: trial.number) == list(study.trials[1:])
    assert len({trial.node for trial in study.trials[1:]}) == 2, "one node did it all"
    for trial in study.trials:
        assert trial.state == "complete" and trial.value is not None and 0.4 < trial.value <= 1
    assert len({str(trial.settings) for trial in study.trials}) == 5
    again = tune(net, trials=5, epochs=2, runs=tmp_path / "runs")
    assert again.trials == study.trials


def test_a_ray_cluster_that_is_not_there_is_an_environment_fault(net: Path, tmp_path: Path) -> None:
    with_ray()
    for address in ("auto", "127.0.0.1:1"):
        done = run("tune", net, "--ray", address, "--runs", tmp_path)
        refused(done, 3, f"There is no Ray cluster at '{address}'", "ray start")


def test_without_ray_the_command_to_install_it_is_named(
    net: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(EnvironmentFault, match="Ray is not installed") as caught:
        tune(net, ray="auto", runs=tmp_path)
    assert "uv sync" in caught.value.fix
