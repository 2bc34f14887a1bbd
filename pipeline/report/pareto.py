"""Precisions side by side: what each artifact takes, and what it gives for that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich import box
from rich.table import Table

from pipeline.artifact import Artifact
from pipeline.cells import Cell, Status
from pipeline.report import view


@dataclass(frozen=True)
class Row:
    """One artifact's figures.

    Attributes:
        label: as tables name it.
        bytes: on disk.
        figure: accuracy on the labels, else the share of float32's answers that is kept; None where nothing passed.
        difference, interval: of the accuracy to float32's, and its 95 % confidence interval.
        sqnr_db: signal to quantization noise.
        pace: milliseconds per sample by runtime, in batches, while it was judged: no benchmark.
        best: no other artifact is smaller and as accurate.
    """

    label: str
    bytes: int
    figure: float | None
    difference: float | None
    interval: tuple[float, float] | None
    sqnr_db: float | None
    pace: tuple[tuple[str, float], ...]
    best: bool = False


def rows(certificate: dict[str, Any]) -> list[Row]:
    """A row for each artifact, the largest first; none for a bundle that has no reduced precision."""
    artifacts = [Artifact.from_json(a) for a in certificate["artifacts"]]
    if all(a.precision == "float32" for a in artifacts):
        return []
    cells = view.cells(certificate)
    found = [_row(a, [c for c in cells if _of(c, a) and c.verdict is Status.PASS]) for a in artifacts if not a.variant]
    found = [_marked(row, found) for row in found]
    return sorted(found, key=lambda row: -row.bytes)


def _of(cell: Cell, artifact: Artifact) -> bool:
    return (cell.format, cell.precision, cell.variant) == (artifact.format, artifact.precision, artifact.variant)


def _row(artifact: Artifact, cells: Sequence[Cell]) -> Row:
    # A sample's figures are not the dataset's: take the cell that saw most.
    most = max(cells, key=lambda c: c.samples, default=None)
    cost = (most.quantization or {}).get("cost", {}) if most else {}
    figure = None if most is None else most.accuracy if most.accuracy is not None else cost.get("kept", 1.0)
    interval = cost.get("interval")
    pace = tuple((view.place(c), 1e3 * c.seconds / c.samples) for c in cells if c.samples and c.seconds)
    return Row(
        artifact.label,
        artifact.bytes,
        figure,
        cost.get("difference"),
        None if interval is None else (interval[0], interval[1]),
        cost.get("sqnr_db"),
        pace,
    )


def _marked(row: Row, others: Sequence[Row]) -> Row:
    if row.figure is None:
        return row
    beaten = any(
        o.figure is not None
        and o.bytes <= row.bytes
        and o.figure >= row.figure
        and (o.bytes, o.figure) != (row.bytes, row.figure)
        for o in others
    )
    return Row(**{**row.__dict__, "best": not beaten})


def change(row: Row) -> str:
    """The difference in percentage points with its interval: "-0.05 (-0.29 to +0.17)"."""
    if row.difference is None or row.interval is None:
        return view.NOTHING
    low, high = row.interval
    return f"{100 * row.difference:+.2f} ({100 * low:+.2f} to {100 * high:+.2f})"


def noise(row: Row) -> str:
    """ "42.6 dB"."""
    return view.NOTHING if row.sqnr_db is None else f"{row.sqnr_db:.1f} dB"


def table(certificate: dict[str, Any], ascii_only: bool = False) -> Table | None:
    """The rows as a table for the terminal; None for a bundle that has no reduced precision."""
    found = rows(certificate)
    if not found:
        return None
    made = Table(
        box=box.ASCII2 if ascii_only else box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),
        header_style="bold",
    )
    for name, right in (("artifact", False), ("size", True), ("accuracy", True), ("pp to float32 (95 %)", True)):
        made.add_column(name, justify="right" if right else "left")
    made.add_column("SQNR", justify="right")
    made.add_column("")
    for row in found:
        figures = [row.label, view.size(row.bytes), view.percent(row.figure), change(row), noise(row)]
        figures.append("smallest for its accuracy" if row.best else "")
        made.add_row(*(text.replace(view.NOTHING, "-") if ascii_only else text for text in figures))
    return made


def points(found: Sequence[Row]) -> list[tuple[float, float, Row]]:
    """Places in a picture of 0 to 1 by 0 to 1: bytes on a logarithmic axis, accuracy from the worst to the best."""
    from math import log

    shown = [row for row in found if row.figure is not None]
    if not shown:
        return []
    sizes = [log(row.bytes) for row in shown]
    figures = [row.figure or 0.0 for row in shown]
    wide, high = max(sizes) - min(sizes) or 1.0, max(figures) - min(figures) or 1.0
    return [
        ((size - min(sizes)) / wide, (figure - min(figures)) / high, row)
        for size, figure, row in zip(sizes, figures, shown, strict=True)
    ]
