"""Fit a recipe's model: dropout and EarlyStopping at work, progress shown, the outcome checked and written down."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline import evidence, frameworks, keras_file, means
from pipeline import receipt as receipts
from pipeline.awareness import aware
from pipeline.datasets import Dataset
from pipeline.epochs import NOT_METRICS, EpochProgress, headline
from pipeline.fitting import EVALUATION_BATCH, Fitted, Samples, fit
from pipeline.recipes import Recipe
from pipeline.report import training as training_report
from pipeline.workers.team import Team, identify

VALIDATION = 5_000  # training samples held out, a tenth of a smaller set; the test set plays no part in training
VALIDATION_SEED = 0  # the same samples whatever the training's own seed


@dataclass(frozen=True)
class Training:
    """A trained model, uncompiled, and the receipt of its training.

    Attributes:
        model: a `keras.Model`.
        receipt: what `receipt.json` holds: data, seed, epochs, checks, versions (schema isomer-receipt/1).
        path: of `model.keras`.
        reused: an earlier training of the same recipe on the same data with the same seed.
    """

    model: Any
    receipt: dict[str, Any]
    path: Path
    reused: bool = False


class TrainingInterrupted(KeyboardInterrupt):
    """Ctrl-C during a training. `kept` is the sentence that says what remains."""

    def __init__(self, kept: str) -> None:
        super().__init__(kept)
        self.kept = kept


def train(
    recipe: Recipe,
    dataset: Dataset,
    *,
    seed: int = 0,
    epochs: int | None = None,
    directory: Path,
    tensorboard: Path | None = None,
    progress: Callable[[EpochProgress], None] | None = None,
    team: Team | None = None,
) -> Training:
    """Train a recipe and write `<directory>/<recipe>/model.keras` and `receipt.json`, both or neither.

    The same recipe, data, seed and machine give the same weights, bit for bit.

    Args:
        team: the workers that train together (`pipeline.workers.team.Team`), each of which calls this. Only the
            chief writes; it keeps a backup after every epoch, from which an interrupted training goes on.
        epochs: at most so many, instead of the recipe's own number; a learning rate's schedule is shortened to them.
        tensorboard: a directory for TensorBoard's event files (`train/` and `validation/`).
        progress: called from this thread, several times in an epoch.

    Raises:
        ModelError: the recipe fails, a figure is no longer finite, or the model cannot be saved and loaded.
        EnvironmentFault: `directory` cannot be written.
        TrainingInterrupted: Ctrl-C. An earlier pair is as it was.
    """
    if team is None or team.cluster.chief:
        receipts.prepare(directory, recipe.name)
    try:
        return _train(recipe, dataset, seed, epochs or recipe.epochs, directory, tensorboard, progress, team)
    except KeyboardInterrupt:
        raise TrainingInterrupted(_say_what_is_kept(recipe, directory)) from None


def place(runs: Path, dataset: Dataset) -> Path:
    """Where trainings on a dataset are kept: one on a substitute never takes the place of a real one."""
    return runs / f"substitute-{dataset.name}" if dataset.substitute else runs


def load_trained(
    recipe: Recipe, dataset: Dataset, *, seed: int = 0, epochs: int | None = None, directory: Path
) -> Training | None:
    """The training that `train` with the same arguments left in `directory`, or None.

    The same means: the recipe's and the dataset's sha256, the seed and the limit of epochs; and the model file's
    bytes are those that the receipt names.
    """
    receipt = receipts.read(directory, recipe.name)
    if receipt is None:
        return None
    wanted = (recipe.sha256, dataset.sha256, seed, epochs or recipe.epochs)
    try:
        found = (receipt["recipe"]["sha256"], receipt["dataset"]["sha256"], receipt["seed"], receipt["max_epochs"])
    except (KeyError, TypeError):
        return None
    if found != wanted:
        return None
    path = directory / recipe.name / receipts.MODEL
    return Training(keras_file.load(path), receipt, path, reused=True)


def _train(
    recipe: Recipe,
    dataset: Dataset,
    seed: int,
    limit: int,
    directory: Path,
    tensorboard: Path | None,
    progress: Callable[[EpochProgress], None] | None,
    team: Team | None,
) -> Training:
    frameworks.load()
    began = time.perf_counter()
    learned, watched = split(dataset)
    fitted = fit(
        recipe,
        learned,
        watched,
        seed=seed,
        limit=limit,
        tensorboard=tensorboard,
        progress=progress,
        team=team,
        identity=identify(recipe.sha256, dataset.sha256, seed, limit),
    )
    before = len(fitted.recorder.epochs)
    if recipe.aware_of and team is None:
        again = max(1, limit // 4)
        with aware(fitted.model, recipe.aware_of):
            fitted = fit(recipe, learned, watched, seed=seed, limit=again, progress=progress, model=fitted.model)
    receipt = describe(recipe, dataset, fitted, seed, limit, began)
    if recipe.aware_of and team is None:
        receipt["aware"] = {"of": recipe.aware_of, "epochs_before": before}
    path = directory / recipe.name / receipts.MODEL
    if team is not None:
        receipt["workers"] = team.describe()
        if not team.cluster.chief:
            return Training(fitted.copy, receipt, path)
    receipt = receipts.publish(directory, recipe.name, fitted.copy, receipt, training_report.render)
    if team is not None:
        team.forget()
    return Training(fitted.copy, receipt, path)


def split(dataset: Dataset) -> tuple[Samples, Samples]:
    """The training set without the samples held out for validation, and these."""
    held_out = _hold_out(len(dataset.x_train))
    learned = Samples(dataset.x_train[~held_out], dataset.y_train[~held_out])
    return learned, Samples(dataset.x_train[held_out], dataset.y_train[held_out])


def describe(recipe: Recipe, dataset: Dataset, fitted: Fitted, seed: int, limit: int, began: float) -> dict[str, Any]:
    """The receipt of a training on `split(dataset)`, without the model's file. Looks at the test set, once."""
    learned, watched = split(dataset)
    test = Samples(dataset.x_test, dataset.y_test)
    figures = fitted.evaluate(recipe, test)
    records, copy = fitted.recorder.epochs, fitted.copy
    best = records[fitted.best_epoch - 1][fitted.monitor]
    restored = fitted.validation[fitted.monitor.removeprefix("val_")]
    return {
        **receipts.describe_subject(recipe, dataset, validation=len(watched)),
        "seed": seed,
        "max_epochs": limit,
        "heads": [head.to_json() for head in fitted.heads],
        "means": means.describe(recipe, fitted.model, fitted.heads),
        "headline": headline(figures),
        "epochs": [_in_order(record) for record in records],
        "gradients": fitted.recorder.gradients,
        "best_epoch": fitted.best_epoch,
        "monitor": fitted.monitor,
        "restored": {
            "metric": fitted.monitor,
            "value_best_epoch": best,
            "value_reevaluated": restored,
            "equal": best == restored,
        },
        "test": figures,
        "evidence": evidence.gather(recipe, copy, fitted.heads, learned, test),
        "dropout_inactive": {"runs_bit_equal": _repeats(copy, dataset.x_test[:EVALUATION_BATCH])},
        "parameters": copy.count_params(),
        **receipts.describe_machine(),
        "seconds": round(time.perf_counter() - began, 3),
    }


def _in_order(record: dict[str, Any]) -> dict[str, Any]:
    """An epoch's figures: its number, training, validation, learning rate and seconds."""
    figures = [name for name in record if name not in NOT_METRICS]
    validation = [name for name in figures if name.startswith("val_")]
    names = ["epoch", *(n for n in figures if n not in validation), *validation, "learning_rate", "seconds"]
    return {name: record[name] for name in names}


def _hold_out(count: int) -> np.ndarray:
    """A mask (count,), True for the samples of the validation set."""
    mask = np.zeros(count, bool)
    chosen = np.random.default_rng(VALIDATION_SEED).permutation(count)[: min(VALIDATION, count // 10)]
    mask[chosen] = True
    return mask


def _repeats(model: Any, samples: np.ndarray) -> bool:
    """Whether two inference runs give the same bits: an active dropout would not."""
    import keras

    first, second = (keras.tree.flatten(model(samples, training=False)) for _ in range(2))
    return all(np.asarray(a).tobytes() == np.asarray(b).tobytes() for a, b in zip(first, second, strict=True))


def describe_test(receipt: dict[str, Any]) -> str:
    """The figure on the test set that tells people most: "accuracy 98.89%", "mean absolute error 0.312"."""
    name = receipt.get("headline") or headline(receipt["test"])
    value = receipt["test"][name]
    shown = f"{value:.2%}" if name.endswith("accuracy") else f"{value:.4g}"
    return f"{name.replace('_', ' ')} {shown}"


def _say_what_is_kept(recipe: Recipe, directory: Path) -> str:
    earlier = receipts.read(directory, recipe.name)
    kept = (
        f"the earlier training in {directory / recipe.name} ({len(earlier['epochs'])} epochs, test "
        f"{describe_test(earlier)}) is kept as it was"
        if earlier
        else "nothing was written"
    )
    return f"Training of '{recipe.name}' was interrupted; {kept}."
