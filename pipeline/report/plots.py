"""The geometry of the HTML report's plots: numbers in, coordinates out. The templates draw them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.cells import Cell
from pipeline.report import view

MAX_BINS = 48
"""Bins that a histogram shows; the tail of a longer one is folded into the last."""

_BAR_LIMIT = 40.0
"""A bar of one sample among ten thousand must be seen: no bar is lower than its axis over this."""


@dataclass(frozen=True)
class Tick:
    """A mark on an axis at a position in pixels."""

    at: float
    text: str


@dataclass(frozen=True)
class Bar:
    """One bin: samples whose error lies in it."""

    x: float
    y: float
    width: float
    height: float
    over: bool
    text: str


@dataclass(frozen=True)
class Histogram:
    """Samples by error, on an axis of powers of two."""

    width: float
    height: float
    left: float
    right: float
    bottom: float
    bars: tuple[Bar, ...]
    ticks: tuple[Tick, ...]
    budget: float | None
    largest: float | None
    description: str


@dataclass(frozen=True)
class Line:
    """One curve: its points, and where it ends, for the label."""

    name: str
    points: str
    dots: tuple[tuple[float, float], ...]
    end: tuple[float, float]


@dataclass(frozen=True)
class Curves:
    """One metric over the epochs, training beside validation."""

    title: str
    width: float
    height: float
    left: float
    right: float
    top: float
    bottom: float
    lines: tuple[Line, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    best: float | None
    description: str


def bins_needed(cells: Sequence[Cell]) -> int:
    """The number of bins that shows every histogram and budget of the cells, so that all share one axis."""
    needed = 6
    for cell in cells:
        last = max((i + 1 for i, count in enumerate(cell.histogram) if count), default=0)
        budget = math.ceil(_position(cell.budget_ulp) + 0.25) if cell.budget_ulp is not None else 0
        needed = max(needed, last, budget)
    return min(needed, MAX_BINS)


def _position(ulp: float) -> float:
    """Where an error lies, in bins: bin 0 is below 1 ULP, bin k is [2^(k-1), 2^k)."""
    return ulp if ulp < 1 else 1 + math.log2(ulp)


def histogram(cell: Cell, bins: int) -> Histogram:
    """The plot of one cell on an axis of `bins` bins."""
    width, height, left, right, top, bottom = 340.0, 132.0, 6.0, 326.0, 22.0, 108.0
    step = (right - left) / bins
    counts = list(cell.histogram[:bins])
    if counts and len(cell.histogram) > bins:
        counts[-1] += sum(cell.histogram[bins:])
    total, peak = sum(counts), max(counts, default=0)
    bars = []
    for k, count in enumerate(counts):
        if count:
            tall = max(count / peak, 1 / _BAR_LIMIT) * (bottom - top)
            low = 0.0 if k == 0 else 2.0 ** (k - 1)
            span = "below 1 ULP" if k == 0 else f"{view.number(low)} to {view.number(2.0**k)} ULP"
            text = f"{span}: {view.plural(count, 'sample')} ({100 * count / total:.3g}%)"
            over = cell.budget_ulp is not None and low >= cell.budget_ulp
            bars.append(Bar(left + k * step + 0.75, bottom - tall, step - 1.5, tall, over, text))
    every = max(1, math.ceil(bins / 8))
    ticks = [Tick(left + (k + 1) * step, _power(k)) for k in range(0, bins, every)]

    def place(ulp: float | None) -> float | None:
        return None if ulp is None else left + min(_position(ulp), bins) * step

    description = f"{view.plural(total, 'sample')}; largest error {view.number(cell.ulp_error)} ULP"
    if cell.budget_ulp is not None:
        description += f", budget {view.number(cell.budget_ulp)} ULP"
    return Histogram(
        width, height, left, right, bottom, tuple(bars), tuple(ticks), place(cell.budget_ulp),
        place(cell.ulp_error), description + ".",
    )  # fmt: skip


def _power(exponent: int) -> str:
    return f"{2**exponent}" if exponent < 10 else f"2{''.join('⁰¹²³⁴⁵⁶⁷⁸⁹'[int(d)] for d in str(exponent))}"


def curves(receipt: dict[str, Any], metric: str) -> Curves | None:
    """Training and validation of one metric over the epochs; None if it was not recorded."""
    epochs = receipt["epochs"]
    series = {
        name: [(e["epoch"], float(e[key])) for e in epochs if _finite(e.get(key))]
        for name, key in (("training", metric), ("validation", f"val_{metric}"))
    }
    series = {name: points for name, points in series.items() if points}
    if not series:
        return None
    width, height, left, right, top, bottom = 440.0, 250.0, 54.0, 428.0, 14.0, 208.0
    values = [y for points in series.values() for _, y in points]
    marks = nice(min(values), max(values))
    low, high = marks[0], marks[-1]
    last = max(x for points in series.values() for x, _ in points)

    def x_of(epoch: float) -> float:
        return (left + right) / 2 if last == 1 else left + (epoch - 1) / (last - 1) * (right - left)

    def y_of(value: float) -> float:
        return bottom - (value - low) / (high - low) * (bottom - top)

    lines = []
    for name, points in series.items():
        places = tuple((round(x_of(x), 1), round(y_of(y), 1)) for x, y in points)
        dots = places if len(places) <= 30 else ()
        lines.append(Line(name, " ".join(f"{x},{y}" for x, y in places), dots, places[-1]))
    best = receipt["best_epoch"]
    every = max(1, math.ceil(last / 10))
    digits = max(0, -math.floor(math.log10(marks[1] - marks[0]) + 1e-9))
    ends = "; ".join(f"{name} ends at {view.number(points[-1][1])}" for name, points in series.items())
    return Curves(
        title=metric.replace("_", " "),
        width=width, height=height, left=left, right=right, top=top, bottom=bottom,
        lines=tuple(lines),
        x_ticks=tuple(Tick(x_of(e), str(e)) for e in range(1, last + 1, every)),
        y_ticks=tuple(Tick(y_of(v), f"{v:.{digits}f}") for v in marks),
        best=x_of(best) if 1 <= best <= last else None,
        description=f"{metric} over {view.plural(len(epochs), 'epoch')}: {ends}; epoch {best} was kept.",
    )  # fmt: skip


def _finite(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def nice(low: float, high: float) -> list[float]:
    """Round marks that enclose a range: 4 to 7 of them."""
    if high - low < 1e-9 * max(1.0, abs(high)):
        low, high = low - 0.5, high + 0.5
    raw = (high - low) / 5
    unit = 10.0 ** math.floor(math.log10(raw))
    step = next(m * unit for m in (1, 2, 5, 10) if m * unit >= raw)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [k * step for k in range(first, last + 1)]


def most_confused(confusion: dict[str, Any], limit: int = 12) -> list[tuple[str, str, int]]:
    """(true, predicted, count) of the largest entries off the diagonal."""
    labels, matrix = confusion["labels"], confusion["matrix"]
    found = [
        (str(labels[r]), str(labels[c]), count)
        for r, row in enumerate(matrix[: len(labels)])
        for c, count in enumerate(row[: len(labels)])
        if r != c and count
    ]
    return sorted(found, key=lambda entry: -entry[2])[:limit]
