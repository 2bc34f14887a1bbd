"""`isomer train` on several workers: start them, or join those that TF_CONFIG names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import UsageError
from pipeline.workers import launching
from pipeline.workers.cluster import Cluster

if TYPE_CHECKING:
    from pipeline.recipes import Recipe
    from pipeline.terminal import Terminal
    from pipeline.workers.team import Team


def launch(name: str, workers: int, given: dict[str, Any], terminal: Terminal, json: bool) -> int:
    """The same command in so many processes, which find each other by TF_CONFIG."""
    from pipeline.training import TrainingInterrupted

    options = [part for key, value in given.items() if value is not None for part in (f"--{key}", str(value))]
    arguments = ["train", name, *options, *(["--json"] if json else [])]
    try:
        return launching.launch(arguments, workers, terminal.out.file, terminal.err.file, terminal.notice)
    except KeyboardInterrupt:
        raise TrainingInterrupted("The same command goes on after the last epoch that was completed.") from None


def join(place: Cluster, recipe: Recipe, directory: Path, terminal: Terminal) -> Team:
    """Connect this process to the others."""
    from pipeline.workers.team import Team

    terminal.stage(recipe.name, f"worker {place.index} of {len(place)}, waiting for the others")
    return Team(place, directory / f".{recipe.name}.backup.npz", terminal.notice)


def refuse_contradictions(place: Cluster | None, workers: int | None, folds: int | None) -> None:
    """Options that cannot be meant together.

    Raises:
        UsageError: folds on several workers, or a number that TF_CONFIG contradicts.
    """
    if folds is not None and (place is not None or (workers or 1) > 1):
        raise UsageError("Folds are trained in one process.", "Leave --workers out, and TF_CONFIG unset.")
    if place is not None and workers not in (None, len(place)):
        raise UsageError(
            f"--workers {workers} contradicts TF_CONFIG, which has {len(place)} workers.", "Leave --workers out."
        )
