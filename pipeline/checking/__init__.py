"""The doctor: what is likely to spoil a training, found in under a minute, before the training.

from pipeline import check

for finding in check("mlp").findings:
    print(finding.seen, finding.why, finding.change)
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from pipeline import datasets, frameworks, recipes, suitability
from pipeline.checking import architecture, baseline, course, material, memory, trial, units
from pipeline.checking.finding import Checkup, Finding, Result
from pipeline.checking.subject import Subject
from pipeline.errors import ModelError, first_line
from pipeline.progress import Observer

__all__ = ["Checkup", "Finding", "check"]

TRIAL_STEPS = 240
_T = TypeVar("_T")


def check(recipe: str | Path, *, data: Path | None = None, seed: int = 0, observer: Observer | None = None) -> Checkup:
    """Examine a recipe on a part of its training set. Trains nothing that is kept; never looks at the test set.

    Args:
        recipe: a name or a path.
        data: MNIST as an `.npz`.
        observer: told what goes on.

    Raises:
        UsageError: the recipe or its data cannot be loaded.
    """
    observer = observer or Observer()
    loaded = recipes.load(recipe)
    frameworks.load()
    dataset = datasets.load(loaded.dataset, data, download=True)
    if dataset.notice:
        observer.notice(dataset.notice)
    began = time.perf_counter()
    subject = Subject.of(loaded, dataset, seed)
    # Causes before consequences: the first finding is the one to begin with.
    static: list[tuple[str, Callable[[], Result]]] = [
        ("suitability", lambda: _suitable(subject)),
        ("input-scale", lambda: material.scale(subject)),
        ("labels", lambda: material.labels(subject)),
        ("output-loss", lambda: architecture.outputs(subject)),
        ("initializer", lambda: architecture.initializers(subject)),
        ("units-at-start", lambda: units.find(subject, subject.model, "before training", units.DEAD_AT_START)),
        ("dropout", lambda: architecture.dropout(subject)),
        ("initial-loss", lambda: architecture.initial_loss(subject)),
    ]
    runs: list[trial.Trial] = []
    moving: list[tuple[str, Callable[[], Result]]] = [
        ("gradients", lambda: course.gradient_norms(runs[0])),
        ("learning-rate", lambda: course.progress(runs[0])),
        ("memory", lambda: memory.learn(subject)),
        ("no-progress", lambda: course.standstill(runs[0])),
        (
            "units-after-trial",
            lambda: units.find(subject, runs[0].model, f"after {runs[0].steps} steps", units.DEAD_LATER),
        ),
        ("baseline", lambda: baseline.compare(subject, runs[0])),
    ]
    findings: list[Finding] = []
    figures = {}
    skipped: list[str] = []
    for number, (name, look) in enumerate([*static, *moving]):
        if skipped or (name == "baseline" and any(f.check in _RUINED for f in findings)):
            skipped.append(name)
            continue
        if number == len(static):
            observer.stage(loaded.name, f"trying {TRIAL_STEPS} steps")
            runs.append(_explained(loaded.path, lambda: trial.run(subject, TRIAL_STEPS)))
        elif name in ("input-scale", "memory", "baseline"):
            observer.stage(loaded.name, _STAGES[name])
        found = _explained(loaded.path, look)
        findings += [f for f in found.findings if f.check not in {g.check for g in findings}]
        figures[name] = found.figures
        if name == "suitability" and found.findings:
            skipped += [n for n, _ in [*static[1:], *moving]]
            break
    return Checkup(loaded.name, dataset.name, tuple(findings), figures, tuple(skipped), time.perf_counter() - began)


_RUINED = ("gradients-explode", "learning-rate")
_STAGES = {
    "input-scale": "looking at data, weights and outputs",
    "memory": "learning eight samples by heart",
    "baseline": "comparing with a linear model",
}


def _suitable(subject: Subject) -> Result:
    try:
        suitability.require(subject.recipe, subject.model, subject.all.x, subject.all.y)
    except ModelError as error:
        why = "The training would stop with an error, or learn from wrong labels without one."
        return Result((Finding("suitability", error.what, why, error.fix),))
    return Result()


def _explained(path: Path, look: Callable[[], _T]) -> _T:
    try:
        return look()
    except ModelError:
        raise
    except Exception as error:
        raise ModelError(
            f"The recipe {path} cannot be tried: {type(error).__name__}: {first_line(error)}.",
            "Check build(), loss and targets().",
        ) from error
