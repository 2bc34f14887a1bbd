"""One trial: train a recipe with some settings, judged on the validation samples."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline import fitting, recipes, training
from pipeline.datasets import Dataset
from pipeline.epochs import EpochProgress
from pipeline.errors import ModelError
from pipeline.recipes import Recipe

_RISING = ("accuracy", "auc")


class Hopeless(Exception):
    """Raised by who follows a trial, to end it."""


def attempt(
    path: Path,
    dataset: Dataset,
    settings: dict[str, Any],
    seed: int,
    epochs: int | None,
    follow: Callable[[EpochProgress], None],
) -> float:
    """Train a recipe with some settings; the best value of its first metric on the validation samples.

    Args:
        path: of the recipe.
        settings: values of its module-level variables, by name.
        follow: told of the progress; may raise `Hopeless`.

    Raises:
        Hopeless: from `follow`.
        ModelError: the training fails.
    """
    fresh = recipes.load(path)
    for name, value in settings.items():
        setattr(fresh.module, name, value)
    # What the recipe object has taken from the module already.
    own = {name: value for name, value in settings.items() if name in ("batch_size", "epochs", "loss")}
    fresh = dataclasses.replace(fresh, **own)
    learned, watched = training.split(dataset)
    seen: list[tuple[str, float]] = []

    def watch(progress: EpochProgress) -> None:
        if progress.val_value is not None:
            seen.append((progress.metric, progress.val_value))
        follow(progress)

    try:
        fitting.fit(fresh, learned, watched, seed=seed, limit=epochs or fresh.epochs, progress=watch)
    except ModelError as error:
        if isinstance(error.__cause__, Hopeless):
            raise error.__cause__ from None
        raise
    return (max if rises(seen[0][0]) else min)(value for _, value in seen)


def judged_by(recipe: Recipe) -> str:
    """The name under which Keras will report the recipe's first metric: an accuracy before others."""
    names: list[str] = []
    per_output = recipe.metrics if isinstance(recipe.metrics, dict) else {"": recipe.metrics}
    for output, metrics in per_output.items():
        for metric in metrics if isinstance(metrics, list | tuple) else [metrics]:
            name = metric if isinstance(metric, str) else metric.name
            names.append(f"{output}_{name}" if output else name)
    return next((name for name in names if name.endswith("accuracy")), names[0])


def rises(metric: str) -> bool:
    """Whether more of a metric is better."""
    return metric.endswith(_RISING)
