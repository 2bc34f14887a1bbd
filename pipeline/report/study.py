"""A search on the terminal."""

from __future__ import annotations

from typing import Any

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from pipeline.report import view
from pipeline.study import Study, Trial


def show(study: Study) -> Group:
    """The best trials first, and what to write into the recipe."""
    names = list(dict.fromkeys(name for trial in study.trials for name in trial.settings))
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for name in ("trial", "", study.metric.replace("_", " "), *names):
        table.add_column(name, justify="left" if name == "" else "right")
    worst = float("-inf") if study.rises else float("inf")
    order = sorted(
        study.trials,
        key=lambda t: (t.state != "complete", (-1 if study.rises else 1) * (worst if t.value is None else t.value)),
    )
    for trial in order[:10]:
        settings = (_setting(trial.settings.get(name, "")) for name in names)
        table.add_row(str(trial.number), trial.state, view.figure(study.metric, trial.value), *settings)
    head = Text(f"{study.recipe}: {view.plural(len(study.trials), 'trial')} on {study.dataset}", "bold")
    best = study.best
    if best is None:
        return Group(head, table, Text("No trial was complete: raise --trials."))
    lines = "\n".join(f"    {name} = {value!r}" for name, value in best.settings.items())
    return Group(head, table, Text(f"\nThe best, for the recipe:\n\n{lines}\n\njournal: {study.path}"))


def describe_end(trial: Trial) -> str:
    """One line on a trial that has ended."""
    value = "" if trial.value is None else f" at {trial.value:.4g}"
    return f"trial {trial.number} {trial.state}{value}{f' on node {trial.node[:8]}' if trial.node else ''}"


def _setting(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
