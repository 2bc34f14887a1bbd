"""Search over the ranges that a recipe declares, with Optuna: resumable, hopeless trials ended early."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline import datasets, fitting, frameworks, recipes, training
from pipeline.datasets import Dataset
from pipeline.epochs import EpochProgress
from pipeline.errors import EnvironmentFault, ModelError, UsageError
from pipeline.progress import Observer
from pipeline.recipes import GUIDE, Recipe
from pipeline.study import Study, Trial

_FIRST_EPOCHS = 3  # that every trial may run before it is compared with the median of the others
_RISING = ("accuracy", "auc")


def tune(
    recipe: str | Path,
    *,
    trials: int = 20,
    epochs: int | None = None,
    data: Path | None = None,
    seed: int = 0,
    runs: Path = Path("runs"),
    observer: Observer | None = None,
    begin: Callable[[int, dict[str, Any]], None] | None = None,
) -> Study:
    """Try settings of a recipe until there are `trials` of them, those of earlier runs counted.

    A recipe declares `ranges`: by the name of a module-level variable, `(low, high)`, `(low, high, "log")` or a list of
    choices. A trial sets these variables and trains; it is judged on the validation samples. Nothing is kept but the
    journal, `<runs>/<recipe>.<hash>.journal`. The test set plays no part.

    Args:
        trials: in all.
        epochs: at most so many per trial.
        begin: told each trial's number and settings before it trains.

    Raises:
        ModelError: the recipe declares no ranges, or ones that make no sense.
        EnvironmentFault: Optuna is missing, or the journal cannot be written.
    """
    optuna = _optuna()
    began = time.perf_counter()
    observer = observer or Observer()
    loaded = recipes.load(recipe)
    ranges = declared(loaded)
    frameworks.load()
    dataset = datasets.load(loaded.dataset, data, download=True)
    if dataset.notice:
        observer.notice(dataset.notice)
    directory = training.place(runs, dataset)
    path = directory / f"{loaded.name}.{loaded.sha256[:12]}.journal"
    storage = _open(path)

    def objective(trial: Any) -> float:
        settings = {name: _suggest(trial, name, span) for name, span in ranges.items()}
        if begin:
            begin(trial.number + 1, settings)
        return _try(optuna, trial, loaded, dataset, settings, seed, epochs, observer)

    metric = _metric(loaded)
    study = optuna.create_study(
        study_name=f"{loaded.name}-{dataset.sha256[:12]}-{seed}-{epochs or loaded.epochs}",
        storage=storage,
        load_if_exists=True,
        direction="maximize" if _rises(metric) else "minimize",
        pruner=optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=_FIRST_EPOCHS),
    )
    finished = sum(t.state.is_finished() for t in study.trials)
    # A run that goes on must not draw the same settings again.
    study.sampler = optuna.samplers.TPESampler(seed=seed + finished)
    if trials > finished:
        study.optimize(objective, n_trials=trials - finished, catch=(ModelError,))
    return Study(
        loaded.name,
        dataset.name,
        f"val_{metric}",
        _rises(metric),
        tuple(_trial(t) for t in study.trials if t.state.is_finished()),
        path,
        time.perf_counter() - began,
    )


def declared(recipe: Recipe) -> dict[str, Any]:
    """The ranges that a recipe declares, checked.

    Raises:
        ModelError: there are none, or one is not a range, or names no variable of the recipe.
    """
    ranges = getattr(recipe.module, "ranges", None)
    if not isinstance(ranges, dict) or not ranges:
        raise ModelError(
            f"The recipe {recipe.path} declares no ranges to search.",
            'Add, for example: rate = 1e-3 and ranges = {"rate": (1e-4, 1e-1, "log")}, and use `rate` in optimizer().',
        )
    for name, span in ranges.items():
        if not hasattr(recipe.module, name):
            raise ModelError(
                f"'ranges' in {recipe.path} names '{name}', which is no variable of the recipe.",
                f"Define {name} at the top of the file and use it in build() or optimizer().",
            )
        numbers = isinstance(span, tuple) and len(span) in (2, 3) and all(_number(v) for v in span[:2])
        if not (isinstance(span, list) and span) and not (
            numbers and span[0] < span[1] and (len(span) == 2 or (span[2] == "log" and span[0] > 0))
        ):
            raise ModelError(
                f"'ranges' in {recipe.path} has {span!r} for '{name}'.",
                f'A range is (low, high), (low, high, "log") with low above 0, or a list of choices. {GUIDE}',
            )
    return ranges


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _suggest(trial: Any, name: str, span: Any) -> Any:
    if isinstance(span, list):
        return trial.suggest_categorical(name, span)
    low, high, log = span[0], span[1], len(span) == 3
    if isinstance(low, int) and isinstance(high, int):
        return trial.suggest_int(name, low, high, log=log)
    return trial.suggest_float(name, low, high, log=log)


def _try(
    optuna: Any,
    trial: Any,
    recipe: Recipe,
    dataset: Dataset,
    settings: dict[str, Any],
    seed: int,
    epochs: int | None,
    observer: Observer,
) -> float:
    """Train with some settings; the best value of the metric on the validation samples."""
    fresh = recipes.load(recipe.path)
    for name, value in settings.items():
        setattr(fresh.module, name, value)
    # What the recipe object has taken from the module already.
    own = {name: value for name, value in settings.items() if name in ("batch_size", "epochs", "loss")}
    fresh = dataclasses.replace(fresh, **own)
    learned, watched = training.split(dataset)
    seen: list[tuple[str, float]] = []

    def follow(progress: EpochProgress) -> None:
        observer.epoch(progress)
        if progress.val_value is None:
            return
        seen.append((progress.metric, progress.val_value))
        trial.report(progress.val_value, progress.epoch)
        if trial.should_prune():
            raise optuna.TrialPruned

    try:
        fitting.fit(fresh, learned, watched, seed=seed, limit=epochs or fresh.epochs, progress=follow)
    except ModelError as error:
        if isinstance(error.__cause__, optuna.TrialPruned):
            raise error.__cause__ from None
        raise
    return (max if _rises(seen[0][0]) else min)(value for _, value in seen)


def _metric(recipe: Recipe) -> str:
    """The name under which Keras will report the recipe's first metric: an accuracy before others."""
    names: list[str] = []
    per_output = recipe.metrics if isinstance(recipe.metrics, dict) else {"": recipe.metrics}
    for output, metrics in per_output.items():
        for metric in metrics if isinstance(metrics, list | tuple) else [metrics]:
            name = metric if isinstance(metric, str) else metric.name
            names.append(f"{output}_{name}" if output else name)
    return next((name for name in names if name.endswith("accuracy")), names[0])


def _rises(metric: str) -> bool:
    return metric.endswith(_RISING)


def _trial(frozen: Any) -> Trial:
    states = {"COMPLETE": "complete", "PRUNED": "stopped early", "FAIL": "failed"}
    return Trial(frozen.number + 1, states.get(frozen.state.name, "failed"), dict(frozen.params), frozen.value)


def _optuna() -> Any:
    try:
        import optuna
    except ImportError as error:
        raise EnvironmentFault("Optuna is not installed, which `tune` searches with.", "Run uv sync.") from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def _open(path: Path) -> Any:
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab"):
            pass
        return JournalStorage(JournalFileBackend(str(path)))
    except OSError as error:
        raise EnvironmentFault(
            f"The study's journal '{path}' cannot be written: {error.strerror or error}.", "Choose another --runs."
        ) from error
    except (ValueError, KeyError) as error:
        raise UsageError(f"The study's journal '{path}' is damaged: {error}.", "Delete it to begin again.") from error
