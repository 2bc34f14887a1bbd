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
