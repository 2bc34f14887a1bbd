"""Search over the ranges that a recipe declares, with Optuna: resumable, hopeless trials ended early."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline import datasets, frameworks, recipes, training
from pipeline.epochs import EpochProgress
from pipeline.errors import EnvironmentFault, ModelError
from pipeline.progress import Observer
from pipeline.study import Study, Trial
from pipeline.tuning.journal import open_journal
from pipeline.tuning.ranges import declared, suggest
from pipeline.tuning.trial import Hopeless, attempt, judged_by, rises

_FIRST_EPOCHS = 3  # that every trial may run before it is compared with the median of the others


def tune(
    recipe: str | Path,
    *,
    trials: int = 20,
    epochs: int | None = None,
    data: Path | None = None,
    seed: int = 0,
    runs: Path = Path("runs"),
    ray: str | None = None,
    observer: Observer | None = None,
    begin: Callable[[int, dict[str, Any]], None] | None = None,
    end: Callable[[Trial], None] | None = None,
) -> Study:
    """Try settings of a recipe until there are `trials` of them, those of earlier runs counted.

    A recipe declares `ranges`: by the name of a module-level variable, `(low, high)`, `(low, high, "log")` or a list of
    choices. A trial sets these variables and trains; it is judged on the validation samples. Nothing is kept but the
    journal, `<runs>/<recipe>.<hash>.journal`. The test set plays no part.

    Args:
        trials: in all.
        epochs: at most so many per trial.
        ray: the address of a Ray cluster ("auto", "host:6379", or "local" to start one here): trials train there, as
            many at once as it has CPUs. The journal stays here, and the same study may go on with or without Ray.
        begin: told each trial's number and settings before it trains.
        end: told of each trial that has ended.

    Raises:
        ModelError: the recipe declares no ranges, or ones that make no sense.
        EnvironmentFault: Optuna or Ray is missing, the cluster cannot be reached, or the journal cannot be written.
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
    metric = judged_by(loaded)
    study = optuna.create_study(
        study_name=f"{loaded.name}-{dataset.sha256[:12]}-{seed}-{epochs or loaded.epochs}",
        storage=open_journal(path),
        load_if_exists=True,
        direction="maximize" if rises(metric) else "minimize",
        pruner=optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=_FIRST_EPOCHS),
    )
    finished = sum(t.state.is_finished() for t in study.trials)
    # A run that goes on must not draw the same settings again; trials at the same time keep clear of each other.
    study.sampler = optuna.samplers.TPESampler(seed=seed + finished, constant_liar=ray is not None)

    def draw(trial: Any) -> dict[str, Any]:
        settings = suggest(trial, ranges)
        if begin:
            begin(trial.number + 1, settings)
        return settings

    def objective(trial: Any) -> float:
        def follow(progress: EpochProgress) -> None:
            observer.epoch(progress)
            if progress.val_value is not None:
                trial.report(progress.val_value, progress.epoch)
                if trial.should_prune():
                    raise Hopeless

        try:
            return attempt(loaded.path, dataset, draw(trial), seed, epochs, follow)
        except Hopeless:
            raise optuna.TrialPruned from None

    def tell(_: Any, frozen: Any) -> None:
        if end:
            end(_describe(frozen))

    missing = trials - finished
    if missing > 0 and ray is not None:
        from pipeline.tuning.remote import Task, optimize

        optimize(study, missing, draw, tell, Task(loaded, dataset, seed, epochs), ray)
    elif missing > 0:
        study.optimize(objective, n_trials=missing, catch=(ModelError,), callbacks=[tell])
    ended = tuple(_describe(t) for t in study.trials if t.state.is_finished())
    seconds = time.perf_counter() - began
    return Study(loaded.name, dataset.name, f"val_{metric}", rises(metric), ended, path, seconds)


def _describe(frozen: Any) -> Trial:
    states = {"COMPLETE": "complete", "PRUNED": "stopped early", "FAIL": "failed"}
    state = states.get(frozen.state.name, "failed")
    return Trial(frozen.number + 1, state, dict(frozen.params), frozen.value, frozen.user_attrs.get("node", ""))


def _optuna() -> Any:
    try:
        import optuna
    except ImportError as error:
        raise EnvironmentFault("Optuna is not installed, which `tune` searches with.", "Run uv sync.") from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna
