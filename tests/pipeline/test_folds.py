"""Cross-validation: every sample is judged once, by a model that has not seen it."""

from __future__ import annotations

import json
import statistics
from pathlib import Path

import numpy as np
import pytest
from command import run

from pipeline import datasets, folds, recipes
from pipeline.errors import UsageError


def test_folds_share_samples_and_classes_alike() -> None:
    labels = np.repeat([0, 1, 2], [50, 31, 20])
    place = folds.assign(labels, 5, seed=3, stratify=True)
    counts = np.array([np.bincount(labels[place == k], minlength=3) for k in range(5)])
    assert counts.sum() == 101 and np.ptp(counts, axis=0).max() <= 1
    assert not np.array_equal(place, folds.assign(labels, 5, seed=4, stratify=True))
    plain = folds.assign(labels, 4, seed=0, stratify=False)
    assert np.ptp(np.bincount(plain)) <= 1


def test_each_fold_is_judged_by_a_model_that_has_not_seen_it(tmp_path: Path) -> None:
    data = datasets.load("rings")
    seen: list[int] = []
    done = folds.cross_validate(
        recipes.load("rings"), data, 3, epochs=6, directory=tmp_path, begin=seen.append
    )  # fmt: skip
    assert seen == [1, 2, 3]
    assert sum(f.judged for f in done.folds) == len(data.x_train)
    assert all(f.learned + f.judged < len(data.x_train) and f.epochs <= 6 for f in done.folds)
    figures = [f.figures["accuracy"] for f in done.folds]
    assert len(set(figures)) > 1 and min(figures) > 0.8
    assert done.summary["accuracy"] == {"mean": statistics.fmean(figures), "deviation": statistics.stdev(figures)}
    assert json.loads((tmp_path / "rings.folds.json").read_text()) == done.to_json()
    assert [p.name for p in tmp_path.iterdir()] == ["rings.folds.json"]


def test_more_folds_than_samples_allow_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be cut into 1500 folds"):
        folds.cross_validate(recipes.load("rings"), datasets.load("rings"), 1500, directory=tmp_path)


def test_the_command_shows_mean_and_deviation(tmp_path: Path) -> None:
    done = run("train", "housing", "--folds", "2", "--epochs", "1", "--runs", tmp_path)
    assert done.code == 0, done.err
    assert all(word in done.out for word in ("mean absolute error", "deviation", "housing.folds.json"))
    assert "training fold 2 of 2" in done.err
