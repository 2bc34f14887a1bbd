"""The outcome of a search over a recipe's settings."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Trial:
    """One setting that was tried.

    Attributes:
        number: from 1.
        state: "complete", "stopped early" or "failed".
        settings: by name.
        value: the metric on the validation samples at the best epoch; None for a trial that has none.
        node: id of the machine of a Ray cluster that trained it; "" for this process.
    """

    number: int
    state: str
    settings: dict[str, Any]
    value: float | None
    node: str = ""


@dataclass(frozen=True)
class Study:
    """A search, as far as it has come.

    Attributes:
        recipe, dataset, metric: what was searched for; `rises` if more of the metric is better.
        trials: all of them, earlier runs' included.
        best: the best of those that are complete; None if there is none.
        path: of the journal that `tune` goes on from.
        seconds: wall time of this run.
    """

    recipe: str
    dataset: str
    metric: str
    rises: bool
    trials: tuple[Trial, ...]
    path: Path
    seconds: float

    @property
    def best(self) -> Trial | None:
        """The best complete trial."""
        done = [(t.value, t) for t in self.trials if t.state == "complete" and t.value is not None]
        if not done:
            return None
        return (max if self.rises else min)(done, key=lambda pair: pair[0])[1]

    def to_json(self) -> dict[str, Any]:
        """The line that `--json` prints."""
        best = self.best
        return {
            "model": self.recipe,
            "dataset": self.dataset,
            "metric": self.metric,
            "best": None if best is None else dataclasses.asdict(best),
            "trials": [dataclasses.asdict(trial) for trial in self.trials],
            "journal": str(self.path),
            "seconds": round(self.seconds, 3),
        }
