"""What reduced precisions are made out of: the bundle's float32 files, or the same with their loops written out.

Ranges in whole numbers belong to operations of a file. In a loop one operation takes as many steps as the loop does,
each with a range of its own, and no quantizer looks into it. Written out, every step is operations of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.artifact import Artifact
from pipeline.capture import Capture
from pipeline.formats import FormatEntry
from pipeline.legalize import unrolled
from pipeline.precisions import FLOAT32, named


@dataclass(frozen=True)
class Base:
    """Float32 files of one format.

    Attributes:
        captured: what they were written from.
        root: the directory that they lie below.
        artifacts: the main file first, and its variants.
    """

    captured: Capture
    root: Path
    artifacts: tuple[Artifact, ...]

    def like(self, artifact: Artifact) -> Artifact:
        """The float32 file that an artifact of reduced precision was made out of."""
        return next(a for a in self.artifacts if a.variant == artifact.variant)


class Bases:
    """The float32 files of a bundle by format, and with loops written out where that is needed.

    Args:
        captured: the model.
        root: of the bundle; `artifacts`: its float32 files.
        scratch: an empty directory for what the bundle does not keep.
    """

    def __init__(self, captured: Capture, root: Path, artifacts: Sequence[Artifact], scratch: Path) -> None:
        self._captured, self._root, self._scratch = captured, root, scratch
        self._artifacts = artifacts
        self._written_out: dict[str, Base] = {}

    def has(self, format: str) -> bool:
        """Whether the bundle has this format."""
        return any(artifact.format == format for artifact in self._artifacts)

    def of(self, entry: FormatEntry, precision: str) -> Base:
        """What a precision of a format is made out of.

        Raises:
            LegalizationError: it needs loops written out, and they cannot be.
        """
        own = tuple(artifact for artifact in self._artifacts if artifact.format == entry.name)
        if not named(precision).calibrated or own[0].flex:
            return Base(self._captured, self._root, own)
        opened = unrolled(self._captured)
        if opened is self._captured:
            return Base(self._captured, self._root, own)
        if entry.name not in self._written_out:
            # The static variant is left out: ai-edge-quantizer cannot calibrate what it folds in such a file.
            main = [a for a in entry.load().write(opened, self._scratch, FLOAT32) if not a.variant]
            self._written_out[entry.name] = Base(opened, self._scratch, tuple(main))
        return self._written_out[entry.name]
