"""Write a capture in one format: all of its files, or none and what is in the way."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipeline.artifact import Artifact
from pipeline.capture import Capture
from pipeline.cells import Cell, Status
from pipeline.errors import LegalizationError, Obstacle, describe
from pipeline.formats import FormatEntry
from pipeline.runtimes import RUNTIMES

# Rules whose result holds for the declared range of an input only.
_BY_TABLE = {"hash_by_table", "cross_by_table"}


@dataclass(frozen=True)
class Refusal:
    """A format that cannot express a model.

    Attributes:
        format, precision: of the artifact that there is not.
        obstacles: the operations in the way.
    """

    format: str
    precision: str
    obstacles: tuple[Obstacle, ...]

    @property
    def reason(self) -> str:
        """What is in the way and what to do, in sentences."""
        advice = " ".join(dict.fromkeys(o.advice for o in self.obstacles if o.advice))
        return f"{describe(self.obstacles)} {advice}".strip()

    def cells(self) -> list[Cell]:
        """A cell for each runtime that would have run it, so that nobody takes the format for forgotten."""
        return [
            Cell(
                format=self.format,
                precision=self.precision,
                runtime=entry.name,
                device=entry.device,
                required=False,
                verdict=Status.UNSUPPORTED,
                reason=self.reason,
            )
            for entry in RUNTIMES
            if entry.format == self.format and not entry.flex and not entry.on_request
            if not entry.precisions or self.precision in entry.precisions
        ]

    def to_json(self) -> dict[str, Any]:
        obstacles = [o.to_json() for o in self.obstacles]
        return {"format": self.format, "precision": self.precision, "obstacles": obstacles}


def write(
    captured: Capture, entry: FormatEntry, root: Path, precision: str, flex: bool = False
) -> list[Artifact] | Refusal:
    """Write one format's files below `root`, the bundle under construction; nothing of it where it is refused.

    Args:
        flex: let a format that can hold TensorFlow's own operations do so, where it has no other way.
    """
    allowed = {"flex": True} if flex and entry.flex else {}
    with tempfile.TemporaryDirectory(prefix=".writing-", dir=root) as scratch:
        try:
            artifacts = entry.load().write(captured, Path(scratch), precision, **allowed)
        except LegalizationError as error:
            return Refusal(entry.name, precision, error.obstacles)
        for path in Path(scratch).iterdir():
            path.rename(root / path.name)
    return [replace(a, notes=(*a.notes, *_notes(captured, a))) for a in artifacts]


def _notes(captured: Capture, artifact: Artifact) -> list[str]:
    """What a file does with numbers outside of a declared range, if it relies on that."""
    ranged = [t for t in captured.signature.inputs if t.range is not None]
    if not ranged or not _BY_TABLE & dict(artifact.rewrites).keys():
        return []
    named = ", ".join(f"{t.name} from {t.range[0]} to {t.range[1]}" for t in ranged if t.range is not None)
    note = f"Hashes by a table of the declared range ({named}); another number ends the run with an error"
    unchecked = ", except on WebGL, which does not check indices: check them in front of the model"
    return [f"{note}{unchecked if artifact.format == 'tfjs' else ''}."]
