"""The geometry of figures over the epochs: a receipt in, coordinates out. The template `curves` draws them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from pipeline.report import plots, view
from pipeline.report.plots import Tick

MOST_LINES = 6
Points = list[tuple[int, float]]


@dataclass(frozen=True)
class Line:
    """One curve: its points, those that get a dot, and the classes that style it."""

    name: str
    style: str
    points: str
    dots: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Chart:
    """Lines over the epochs. `keyed` if a legend must tell them apart."""

    title: str
    lines: tuple[Line, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    best: float | None
    note: str
    description: str
    keyed: bool
    width: float = 440.0
    height: float = 250.0
    left: float = 62.0
    right: float = 428.0
    top: float = 14.0
    bottom: float = 208.0


def curves(receipt: dict[str, Any], metric: str) -> Chart | None:
    """Training and validation of one metric; None if it was not recorded."""
    series = {
        name: [(e["epoch"], float(e[key])) for e in receipt["epochs"] if _finite(e.get(key))]
        for name, key in (("training", metric), ("validation", f"val_{metric}"))
    }
    series = {name: points for name, points in series.items() if points}
    if not series:
        return None
    return _chart(metric.replace("_", " "), series, receipt, styles=tuple(series), most_dots=30)


def charts(receipt: dict[str, Any]) -> list[Chart]:
    """Learning rate and gradient norms, where they were recorded and say something."""
    found = []
    rates = [(e["epoch"], e["learning_rate"]) for e in receipt["epochs"] if e.get("learning_rate") is not None]
    if rates and max(r for _, r in rates) > 1.001 * min(r for _, r in rates):
        found.append(_chart("learning rate", {"learning rate": rates}, receipt))
    norms = receipt.get("gradients") or []
    if norms:
        layers = list(norms[0])
        few = layers if len(layers) <= MOST_LINES else [layers[i] for i in _spread(len(layers), MOST_LINES)]
        series = {
            layer: [(k + 1, n[layer]) for k, n in enumerate(norms) if n.get(layer, 0) > 0 and math.isfinite(n[layer])]
            for layer in few
        }
        series = {layer: points for layer, points in series.items() if points}
        note = "On a few training samples at the end of each epoch, dropout at rest."
        if len(few) < len(layers):
            note += f" {len(few)} of {len(layers)} layers."
        if series:
            found.append(_chart("gradient norm by layer", series, receipt, log=True, note=note))
    return found


def _spread(count: int, wanted: int) -> list[int]:
    return [round(i * (count - 1) / (wanted - 1)) for i in range(wanted)]


def _chart(
    title: str,
    series: dict[str, Points],
    receipt: dict[str, Any],
    *,
    log: bool = False,
    note: str = "",
    styles: tuple[str, ...] = (),
    most_dots: int = 2,
) -> Chart:
    """Lines on axes of their own.

    Args:
        styles: of the lines; numbered colours by default.
        most_dots: lines of at most so many points get a dot on each.
    """
    left, right, top, bottom = Chart.left, Chart.right, Chart.top, Chart.bottom
    values = [math.log10(v) if log else v for points in series.values() for _, v in points]
    marks = plots.nice(min(values), max(values))
    if log:
        first, last_mark = math.floor(marks[0]), math.ceil(marks[-1])
        every = max(1, math.ceil((last_mark - first) / 6))
        marks = [float(k) for k in range(first, last_mark + every, every)]
    low, high = marks[0], marks[-1]
    digits = max(0, -math.floor(math.log10(marks[1] - marks[0]) + 1e-9))
    last = max(x for points in series.values() for x, _ in points)

    def x_of(epoch: float) -> float:
        return (left + right) / 2 if last == 1 else left + (epoch - 1) / (last - 1) * (right - left)

    def y_of(mark: float) -> float:
        return bottom - (mark - low) / (high - low) * (bottom - top)

    lines = []
    for number, (name, points) in enumerate(series.items()):
        places = tuple((round(x_of(x), 1), round(y_of(math.log10(y) if log else y), 1)) for x, y in points)
        style = styles[number] if styles else f"series s{number}"
        text = " ".join(f"{x},{y}" for x, y in places)
        lines.append(Line(name, style, text, places if len(places) <= most_dots else ()))
    every = max(1, math.ceil(last / 10))
    best = receipt["best_epoch"]
    ends = "; ".join(f"{name} ends at {view.number(points[-1][1])}" for name, points in series.items())
    return Chart(
        title=title,
        lines=tuple(lines),
        x_ticks=tuple(Tick(x_of(e), str(e)) for e in range(1, last + 1, every)),
        y_ticks=tuple(Tick(y_of(m), f"{10**m:g}" if log else f"{m:.{digits}f}") for m in marks),
        best=x_of(best) if 1 <= best <= last else None,
        note=note,
        description=f"{title} over {view.plural(last, 'epoch')}: {ends}; epoch {best} was kept.",
        keyed=not styles and len(lines) > 1,
    )


def _finite(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
