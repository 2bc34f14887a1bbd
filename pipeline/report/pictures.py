"""Pictures of what a trained model answers: a receipt in, coordinates and SVG paths out. The templates draw them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from pipeline.report import plots, view
from pipeline.report.plots import Tick

_SIDE = 240.0


@dataclass(frozen=True)
class Square:
    """A plot on a square: shaded paths (colour, opacity, path), dots (colour, x, y, title), marks on both axes."""

    title: str
    shades: tuple[tuple[int, float, str], ...]
    dots: tuple[tuple[int, float, float, float, str], ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    diagonal: bool
    description: str
    note: str = ""
    cell: float = 1.0
    side: float = _SIDE


@dataclass(frozen=True)
class Tile:
    """One image: shaded paths (opacity, path) on a square of `width` units, and what to write below."""

    width: int
    height: int
    shades: tuple[tuple[float, str], ...]
    text: str


@dataclass(frozen=True)
class Answers:
    """The pictures of one output."""

    output: str
    kind: str
    lead: str
    squares: tuple[Square, ...]
    confusion: dict[str, Any] | None
    confused: tuple[tuple[str, str, int], ...]
    wrong: tuple[Tile, ...]
    wrong_values: tuple[dict[str, Any], ...]
    restored: tuple[tuple[Tile, Tile], ...]


def answers(receipt: dict[str, Any]) -> list[Answers]:
    """The pictures of every trained output."""
    return [_answers(entry) for entry in receipt.get("evidence") or []]


def _answers(entry: dict[str, Any]) -> Answers:
    squares = []
    if boundary := entry.get("boundary"):
        share = view.percent(entry["accuracy"])
        squares.append(_plane("the net", boundary, boundary["net"], f"{share} of the test set right"))
        share = view.percent(boundary["linear_accuracy"])
        squares.append(_plane("logistic regression", boundary, boundary["linear"], f"{share} of the test set right"))
    if calibration := entry.get("calibration"):
        squares.append(_calibration(calibration))
    if "dots" in entry:
        squares.append(_scatter(entry["dots"]))
    wrong = entry.get("misclassified", [])
    confusion = entry.get("confusion")
    return Answers(
        output=entry["output"],
        kind=entry["kind"],
        lead=_lead(entry),
        squares=tuple(squares),
        confusion=confusion,
        confused=tuple(plots.most_confused(confusion)) if confusion else (),
        wrong=tuple(
            _tile(w["image"], f"{w['label']} taken for {w['answer']}, {100 * w['confidence']:.0f}%")
            for w in wrong
            if "image" in w
        ),
        wrong_values=tuple(w for w in wrong if "values" in w)[:8],
        restored=tuple(
            (_tile(r["wanted"], f"sample {r['sample']}"), _tile(r["given"], f"off by {view.number(r['error'])}"))
            for r in entry.get("restored", [])
        ),
    )


def _lead(entry: dict[str, Any]) -> str:
    if "accuracy" in entry:
        wrong = entry["wrong"]
        return f"{view.percent(entry['accuracy'])} of the test set right, {view.plural(wrong, 'sample')} wrong."
    if "explained" in entry:
        return f"{view.percent(entry['explained'])} of the variance on the test set explained."
    return "Images of the test set as they are and as the model gives them back, from the best to the worst."


def _tile(image: dict[str, Any], text: str) -> Tile:
    width, levels = image["width"], image["levels"]
    height = len(levels) // width
    rows = [levels[i * width : (i + 1) * width] for i in range(height)]
    paths = runs(rows)
    return Tile(width, height, tuple((int(v, 16) / 15, path) for v, path in sorted(paths.items()) if v != "0"), text)


def runs(rows: Sequence[str]) -> dict[str, str]:
    """An SVG path for each character of a picture of characters: one rectangle for each run along a row."""
    paths: dict[str, list[str]] = {}
    for y, row in enumerate(rows):
        x = 0
        for value, group in groupby(row):
            length = len(list(group))
            paths.setdefault(value, []).append(f"M{x} {y}h{length}v1h-{length}z")
            x += length
    return {value: "".join(parts) for value, parts in paths.items()}


def _plane(title: str, boundary: dict[str, Any], plane: dict[str, str], note: str) -> Square:
    size = boundary["size"]
    # Eight shades of certainty for each answer are enough to see, and make short paths.
    cells = [
        chr(48 + 8 * int(a, 16) + int(c, 16) // 2) for a, c in zip(plane["answers"], plane["certainty"], strict=True)
    ]
    rows = ["".join(cells[i * size : (i + 1) * size]) for i in range(size)]
    shades = tuple(
        ((ord(value) - 48) // 8, 0.08 + 0.4 * ((ord(value) - 48) % 8) / 7, path)
        for value, path in sorted(runs(rows).items())
    )
    (x0, x1), (y0, y1) = boundary["x"], boundary["y"]
    dots = tuple(
        (label, round((x - x0) / (x1 - x0) * _SIDE, 1), round(_SIDE - (y - y0) / (y1 - y0) * _SIDE, 1), 2.0, "")
        for x, y, label in boundary["dots"]
    )
    x_marks = [m for m in plots.nice(x0, x1) if x0 <= m <= x1]
    y_marks = [m for m in plots.nice(y0, y1) if y0 <= m <= y1]
    return Square(
        title=f"decision boundary of {title}",
        shades=tuple((colour, round(opacity, 2), path) for colour, opacity, path in shades),
        dots=dots,
        x_ticks=tuple(Tick((m - x0) / (x1 - x0) * _SIDE, f"{m:g}") for m in x_marks),
        y_ticks=tuple(Tick(_SIDE - (m - y0) / (y1 - y0) * _SIDE, f"{m:g}") for m in y_marks),
        diagonal=False,
        description=f"Regions of the plane by the answer of {title}, with test samples; {note}.",
        note=f"{note}. The shade is the certainty; dots are test samples.",
        cell=_SIDE / size,
    )


def _calibration(calibration: dict[str, Any]) -> Square:
    most = max((b["count"] for b in calibration["bins"]), default=1)
    dots = tuple(
        (
            0,
            round(b["confidence"] * _SIDE, 1),
            round(_SIDE - b["accuracy"] * _SIDE, 1),
            round(2.5 + 7 * math.sqrt(b["count"] / most), 1),
            f"{view.plural(b['count'], 'sample')}: {100 * b['confidence']:.1f}% sure, {100 * b['accuracy']:.1f}% right",
        )
        for b in calibration["bins"]
    )
    ticks = [Tick(k / 4 * _SIDE, f"{25 * k}%") for k in range(5)]
    error = f"Expected calibration error {100 * calibration['expected_error']:.2f}%."
    return Square(
        title="calibration",
        shades=(),
        dots=dots,
        x_ticks=tuple(ticks),
        y_ticks=tuple(Tick(_SIDE - t.at, t.text) for t in ticks),
        diagonal=True,
        description=f"Confidence against accuracy in {len(dots)} bins. {error}",
        note=f"How sure (across) against how often right (up), larger for more samples; on the line is honest. {error}",
    )


def _scatter(pairs: Sequence[Sequence[float]]) -> Square:
    values = [v for pair in pairs for v in pair]
    marks = plots.nice(min(values), max(values))
    low, high = marks[0], marks[-1]

    def place(value: float) -> float:
        return round((value - low) / (high - low) * _SIDE, 1)

    ticks = tuple(Tick(place(m), f"{m:g}") for m in marks)
    return Square(
        title="target and answer",
        shades=(),
        dots=tuple((0, place(t), round(_SIDE - place(a), 1), 2.2, "") for t, a in pairs),
        x_ticks=ticks,
        y_ticks=tuple(Tick(_SIDE - t.at, t.text) for t in ticks),
        diagonal=True,
        description=f"Answers over targets for {view.plural(len(pairs), 'test sample')}.",
        note="Target (across) against answer (up); on the line is right.",
    )
