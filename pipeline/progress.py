"""What the engine tells whoever watches: stages, epochs, cells. The CLI draws it; libraries may ignore it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.cells import Cell
    from pipeline.epochs import EpochProgress


class Observer:
    """Receives progress; every method does nothing here."""

    def stage(self, model: str, what: str) -> None:
        """A step of more than a second begins ("capturing", "writing tflite", ...)."""

    def epoch(self, progress: EpochProgress) -> None:
        """Training went on."""

    def cell(self, cell: Cell) -> None:
        """A cell was judged."""

    def notice(self, text: str) -> None:
        """Something that the user must know, such as a substitute dataset."""
