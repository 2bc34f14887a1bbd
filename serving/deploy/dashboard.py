"""The Grafana dashboard: panels as a table of what they ask Prometheus."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# Both of Grafana's: the data source that is chosen above the panels, and a window that fits the scrape interval.
_SOURCE = {"type": "prometheus", "uid": "${source}"}
_WINDOW = "$__rate_interval"
_MODEL = '{model_name=~"$model"}'
_OWN = '{model=~"$model"}'
_COLUMNS, _HEIGHT = 24, 8
_SCHEMA = 39  # of Grafana 10 and later


@dataclass(frozen=True)
class Panel:
    """One graph.

    Attributes:
        unit: Grafana's name of it.
        queries: what is drawn, by legend.
    """

    title: str
    unit: str
    queries: Mapping[str, str]


def _rate(metric: str, by: str, labels: str = _MODEL) -> str:
    return f"sum by ({by}) (rate({metric}{labels}[{_WINDOW}]))"


def _quantiles(metric: str, model: str, labels: str, *quantiles: float) -> dict[str, str]:
    buckets = _rate(f"{metric}_bucket", f"le, {model}", labels)
    return {f"p{q * 100:g} {{{{{model}}}}}": f"histogram_quantile({q}, {buckets})" for q in quantiles}


_REQUESTS = ":tensorflow:serving:request_count"
ROWS: Mapping[str, tuple[Panel, ...]] = {
    "Every server with TensorFlow Serving's metrics": (
        Panel("Requests", "reqps", {"{{model_name}} {{status}}": _rate(_REQUESTS, "model_name, status")}),
        Panel(
            "Share of requests that fail",
            "percentunit",
            {
                "{{model_name}}": _rate(_REQUESTS, "model_name", '{model_name=~"$model", status!="OK"}')
                + " / "
                + _rate(_REQUESTS, "model_name")
            },
        ),
        Panel(
            "Time of a request",
            "µs",
            _quantiles(":tensorflow:serving:request_latency", "model_name", _MODEL, 0.5, 0.95, 0.99),
        ),
        Panel(
            "Time of the engine's call",
            "µs",
            _quantiles(":tensorflow:serving:runtime_latency", "model_name", _MODEL, 0.5, 0.99),
        ),
        Panel(
            "Versions loaded, or not",
            "short",
            {
                "{{model_path}} {{status}}": "sum by (model_path, status) "
                f"(increase(:tensorflow:cc:saved_model:load_attempt_count[{_WINDOW}]))"
            },
        ),
    ),
    "isomer's server": (
        Panel(
            "Versions that serve (number of workers)",
            "short",
            {"{{model}} {{version}} {{engine}}": f"sum by (model, version, engine) (isomer_version_available{_OWN})"},
        ),
        Panel(
            "Versions that the gate refused",
            "short",
            {"{{model}}": f"sum by (model) (increase(isomer_refused_versions_total{_OWN}[{_WINDOW}]))"},
        ),
        Panel(
            "Answers by their code",
            "reqps",
            {"{{entrypoint}} {{api}} {{code}}": _rate("isomer_requests_total", "entrypoint, api, code", _OWN)},
        ),
        Panel("Requests run together", "short", _quantiles("isomer_batch_requests", "model", _OWN, 0.5, 0.99)),
        Panel(
            "Waiting requests and connections",
            "short",
            {"waiting {{instance}}": "isomer_waiting_requests", "connections {{instance}}": "isomer_connections"},
        ),
        Panel("Ready workers", "short", {"{{instance}}": "isomer_ready"}),
    ),
}


def dashboard() -> str:
    """The dashboard as Grafana imports it."""
    panels: list[dict[str, Any]] = []
    top = 0
    for title, row in ROWS.items():
        panels.append(_box({"type": "row", "title": title, "collapsed": False, "panels": []}, 0, top, _COLUMNS, 1))
        top += 1
        for i, panel in enumerate(row):
            panels.append(_box(_graph(panel), i % 2 * (_COLUMNS // 2), top, _COLUMNS // 2, _HEIGHT))
            top += _HEIGHT if i % 2 or i == len(row) - 1 else 0
    for number, drawn in enumerate(panels, start=1):
        drawn["id"] = number
    document = {
        "uid": "isomer-serving",
        "title": "Model serving",
        "tags": ["serving"],
        "schemaVersion": _SCHEMA,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": _variables()},
        "panels": panels,
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _box(panel: dict[str, Any], x: int, y: int, w: int, h: int) -> dict[str, Any]:
    return {**panel, "gridPos": {"x": x, "y": y, "w": w, "h": h}}


def _graph(panel: Panel) -> dict[str, Any]:
    targets = [
        {"refId": chr(ord("A") + i), "expr": query, "legendFormat": legend, "datasource": _SOURCE}
        for i, (legend, query) in enumerate(panel.queries.items())
    ]
    return {
        "type": "timeseries",
        "title": panel.title,
        "datasource": _SOURCE,
        "targets": targets,
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "options": {"legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []}},
    }


def _variables() -> list[dict[str, Any]]:
    """What is chosen above the panels."""
    models = f"label_values({_REQUESTS}, model_name)"
    return [
        {"type": "datasource", "name": "source", "label": "Prometheus", "query": "prometheus"},
        {
            "type": "query",
            "name": "model",
            "label": "Model",
            "datasource": _SOURCE,
            "query": models,
            "refresh": 2,
            "includeAll": True,
            "multi": True,
            "allValue": ".*",
            "current": {"text": "All", "value": "$__all"},
        },
    ]
