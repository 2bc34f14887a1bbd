"""K-fold cross-validation: how much a recipe's figures depend on which samples it learned from."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline import aside, frameworks
from pipeline.datasets import Dataset
from pipeline.epochs import EpochProgress, headline
from pipeline.errors import UsageError
from pipeline.fitting import Samples, fit
from pipeline.recipes import Recipe

SCHEMA = "isomer-folds/1"


@dataclass(frozen=True)
class Fold:
    """One training on all folds but one, and its figures on that one.

    Attributes:
        number: from 1.
        learned, judged: samples that were trained on, and that the figures are of.
        epochs, best_epoch: that ran, and the one that was kept.
        figures: loss and metrics.
    """

    number: int
    learned: int
    judged: int
    epochs: int
    best_epoch: int
    figures: dict[str, float]


@dataclass(frozen=True)
class Folds:
    """All folds of one recipe.

    Attributes:
        recipe, dataset, seed: what was trained.
        folds: in order.
        path: of the file that holds the same.
        seconds: wall time.
    """

    recipe: str
    dataset: str
    seed: int
    folds: tuple[Fold, ...]
    path: Path
    seconds: float

    @property
    def headline(self) -> str:
        """The figure that tells people most."""
        return headline(self.folds[0].figures)

    @property
    def summary(self) -> dict[str, dict[str, float]]:
        """Mean and standard deviation (of the sample, with n - 1) of every figure."""
        return {
            name: {
                "mean": statistics.fmean(f.figures[name] for f in self.folds),
                "deviation": statistics.stdev(f.figures[name] for f in self.folds),
            }
            for name in self.folds[0].figures
        }

    def to_json(self) -> dict[str, Any]:
        """The document that is written, and the line that `--json` prints."""
        return {
            "schema": SCHEMA,
            "model": self.recipe,
            "dataset": self.dataset,
            "seed": self.seed,
            "headline": self.headline,
            "summary": self.summary,
            "folds": [vars(fold) for fold in self.folds],
            "seconds": round(self.seconds, 3),
        }


def cross_validate(
    recipe: Recipe,
    dataset: Dataset,
    folds: int,
    *,
    seed: int = 0,
    epochs: int | None = None,
    directory: Path,
    progress: Callable[[EpochProgress], None] | None = None,
    begin: Callable[[int], None] | None = None,
) -> Folds:
    """Train once for each fold of the training set, on the others, and judge on it. The test set plays no part.

    EarlyStopping watches a tenth of what is learned from, never the fold that is judged. Class shares are the same in
    all folds. No model is kept; the figures go to `<directory>/<recipe>.folds.json`.

    Args:
        folds: 2 to the number of samples.
        progress: as for `train`.
        begin: told the number of each fold before its training.

    Raises:
        UsageError: there are fewer samples than folds.
        EnvironmentFault: the file cannot be written.
    """
    frameworks.load()
    began = time.perf_counter()
    if not 2 <= folds <= len(dataset.x_train) // 10:
        raise UsageError(
            f"{len(dataset.x_train):,} samples cannot be cut into {folds} folds.", "Choose 2 to 10 folds, such as 5."
        )
    place = assign(dataset.y_train, folds, seed, bool(dataset.classes))
    done = []
    for number in range(1, folds + 1):
        if begin:
            begin(number)
        rest = np.flatnonzero(place != number - 1)
        watched = np.random.default_rng((seed, number)).permutation(rest)[: max(1, len(rest) // 10)]
        learned = np.setdiff1d(rest, watched)
        judged = Samples(dataset.x_train[place == number - 1], dataset.y_train[place == number - 1])
        fitted = fit(
            recipe,
            Samples(dataset.x_train[learned], dataset.y_train[learned]),
            Samples(dataset.x_train[watched], dataset.y_train[watched]),
            seed=seed,
            limit=epochs or recipe.epochs,
            progress=progress,
        )
        figures = fitted.evaluate(recipe, judged)
        ran = len(fitted.recorder.epochs)
        done.append(Fold(number, len(learned), len(judged), ran, fitted.best_epoch, figures))
    path = directory / f"{recipe.name}.folds.json"
    result = Folds(recipe.name, dataset.name, seed, tuple(done), path, time.perf_counter() - began)
    aside.write(path, (json.dumps(result.to_json(), indent=2, allow_nan=False) + "\n").encode(), "The folds' figures")
    return result


def assign(labels: np.ndarray, folds: int, seed: int, stratify: bool) -> np.ndarray:
    """The fold of every sample, from 0; all folds within one sample of the same size, and of each class as well."""
    order = np.random.default_rng(seed).permutation(len(labels))
    if stratify:
        order = order[np.argsort(labels[order], kind="stable")]
    place = np.empty(len(labels), np.int64)
    place[order] = np.arange(len(labels)) % folds
    return place
