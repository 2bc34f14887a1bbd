"""The views of a training's receipt: what the report shows of it, and a page of its own."""

from __future__ import annotations

from typing import Any

from pipeline.report import charts, means, pictures

_NOT_METRICS = ("epoch", "seconds", "learning_rate")


def context(receipt: dict[str, Any] | None) -> dict[str, Any]:
    """What `templates/training.html` draws; empty for a model that came without a receipt."""
    if receipt is None:
        return {"curves": [], "charts": [], "answers": [], "means": []}
    curves = [charts.curves(receipt, metric) for metric in _metrics(receipt)]
    return {
        "curves": [curve for curve in curves if curve is not None],
        "charts": charts.charts(receipt),
        "answers": pictures.answers(receipt),
        "means": means.describe(receipt),
    }


def render(receipt: dict[str, Any]) -> str:
    """The receipt as one HTML document that loads nothing and runs no script."""
    from pipeline.report.html import environment

    return environment().get_template("receipt.html").render(receipt=receipt, **context(receipt))


def _metrics(receipt: dict[str, Any]) -> list[str]:
    """Names of the metrics that the epochs recorded, without those of time and rate."""
    names: dict[str, None] = {}
    for epoch in receipt["epochs"]:
        names.update(dict.fromkeys(key.removeprefix("val_") for key in epoch))
    return [name for name in names if name not in _NOT_METRICS]
