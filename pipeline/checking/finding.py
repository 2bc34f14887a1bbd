"""What the doctor says: findings, each with what was seen, why it matters and what to change."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Finding:
    """One thing that is likely to spoil a training.

    Attributes:
        check: what looked, such as "initial-loss".
        seen: a sentence with the figures.
        why: why that matters.
        change: what to change.
    """

    check: str
    seen: str
    why: str
    change: str

    def to_json(self) -> dict[str, str]:
        return {"check": self.check, "seen": self.seen, "why": self.why, "change": self.change}


@dataclass(frozen=True)
class Result:
    """What one check found, and the figures that it measured on the way (JSON values)."""

    findings: tuple[Finding, ...] = ()
    figures: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Checkup:
    """All checks of one recipe.

    Attributes:
        recipe: its name.
        dataset: the name of the data that were really used.
        findings: causes before their consequences.
        figures: by check, also where nothing was found.
        skipped: checks that an earlier finding made pointless.
        seconds: wall time without the start of TensorFlow.
    """

    recipe: str
    dataset: str
    findings: tuple[Finding, ...]
    figures: dict[str, dict[str, Any]]
    skipped: tuple[str, ...]
    seconds: float

    @property
    def healthy(self) -> bool:
        return not self.findings

    def to_json(self) -> dict[str, Any]:
        """The line that `--json` prints."""
        return {
            "model": self.recipe,
            "dataset": self.dataset,
            "healthy": self.healthy,
            "findings": [finding.to_json() for finding in self.findings],
            "figures": _finite(self.figures),
            "skipped": list(self.skipped),
            "seconds": round(self.seconds, 3),
        }


def _finite(value: Any) -> Any:
    """The value as JSON takes it: null for what is no finite number."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value
