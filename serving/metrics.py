"""Counters, gauges and histograms, as Prometheus reads them: under TensorFlow Serving's names and under readable ones.

TensorFlow Serving's names are its own paths with colons for slashes; its latencies are in microseconds.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from threading import Lock
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from serving.lifecycle.loading import Servable

KIND = b"text/plain; version=0.0.4; charset=utf-8"
# TensorFlow Serving's: 33 buckets from 10 us, each 1.8 times the one before; and 15 powers of two.
_MICROSECONDS = tuple(10 * 1.8**i for i in range(33))
_POWERS = tuple(float(2**i) for i in range(15))
_SECONDS = (0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n"}
_ESCAPED = re.compile(r'[\\"\n]')
# Requests name models; those that this server does not have share one name, or anyone could make it keep any number.
UNKNOWN = "(unknown)"

# What one family measured: by label values a number, or a histogram's bucket counts and its sum.
Values = dict[tuple[str, ...], Any]
# What one process measured: "sums" and "gauges", each by family the labels and values.
Snapshot = dict[str, dict[str, list[Any]]]


class Family:
    """One metric with its labels.

    Args:
        kind: counter, gauge or histogram.
        buckets: upper bounds of a histogram's; what is beyond the last one counts as +Inf.
    """

    def __init__(self, name: str, kind: str, text: str, labels: Sequence[str], buckets: Sequence[float] = ()) -> None:
        self.name, self.kind, self.text, self.labels, self.buckets = name, kind, text, labels, tuple(buckets)
        self.values: Values = {}
        self._lock = Lock()

    def add(self, *labels: str, by: float = 1) -> None:
        """Count."""
        with self._lock:
            self.values[labels] = self.values.get(labels, 0) + by

    def set(self, *labels: str, to: float) -> None:
        """Set a gauge."""
        self.values[labels] = to

    def observe(self, *labels: str, value: float, times: int = 1) -> None:
        """Take a value into a histogram."""
        with self._lock:
            counts = self.values.get(labels)
            if counts is None:
                counts = self.values[labels] = [0.0] * (len(self.buckets) + 2)
            counts[bisect_left(self.buckets, value)] += times
            counts[-1] += value * times

    def lines(self, values: Values) -> Iterable[str]:
        """The text of some values of this family."""
        yield f"# HELP {self.name} {self.text}"
        yield f"# TYPE {self.name} {self.kind}"
        for labels, value in sorted(values.items()):
            pairs = [f'{k}="{_ESCAPED.sub(_escape, v)}"' for k, v in zip(self.labels, labels, strict=True)]
            if self.kind != "histogram":
                yield f"{self.name}{{{','.join(pairs)}}} {_text(value)}" if pairs else f"{self.name} {_text(value)}"
                continue
            count = 0.0
            for bound, more in zip((*map(_text, self.buckets), "+Inf"), value, strict=False):
                count += more
                inner = ",".join([*pairs, f'le="{bound}"'])
                yield f"{self.name}_bucket{{{inner}}} {_text(count)}"
            yield f"{self.name}_sum{{{','.join(pairs)}}} {_text(value[-1])}"
            yield f"{self.name}_count{{{','.join(pairs)}}} {_text(count)}"


class Metrics:
    """All that one process measures."""

    def __init__(self) -> None:
        tfs = ":tensorflow:serving:"
        self.request_count = Family(
            f"{tfs}request_count", "counter", "The total number of requests.", ["model_name", "status"]
        )
        self.request_latency = Family(
            f"{tfs}request_latency",
            "histogram",
            "Wall time in microseconds of requests that succeeded.",
            ["model_name", "API", "entrypoint"],
            _MICROSECONDS,
        )
        self.runtime_latency = Family(
            f"{tfs}runtime_latency",
            "histogram",
            "Wall time in microseconds of the engine's call.",
            ["model_name", "API", "runtime"],
            _MICROSECONDS,
        )
        self.example_counts = Family(
            f"{tfs}request_example_counts", "histogram", "Examples per request.", ["model"], _POWERS
        )
        self.example_total = Family(f"{tfs}request_example_count_total", "counter", "Examples in all.", ["model"])
        self.load_attempts = Family(
            ":tensorflow:cc:saved_model:load_attempt_count",
            "counter",
            "Versions that were loaded, or were not.",
            ["model_path", "status"],
        )
        self.load_latency = Family(
            ":tensorflow:cc:saved_model:load_latency",
            "counter",
            "Microseconds that loading versions took.",
            ["model_path"],
        )
        self.requests = Family(
            "isomer_requests_total", "counter", "Requests by their answer.", ["model", "api", "entrypoint", "code"]
        )
        self.request_seconds = Family(
            "isomer_request_seconds",
            "histogram",
            "From a whole request to its answer.",
            ["model", "api", "entrypoint"],
            _SECONDS,
        )
        self.engine_seconds = Family(
            "isomer_engine_seconds", "histogram", "One call of an engine.", ["model", "engine"], _SECONDS
        )
        self.batch_requests = Family(
            "isomer_batch_requests", "histogram", "Requests that were run together.", ["model"], _POWERS
        )
        self.batch_rows = Family("isomer_batch_rows", "histogram", "Rows that were run together.", ["model"], _POWERS)
        self.refused = Family("isomer_refused_versions_total", "counter", "Versions refused by the gate.", ["model"])
        self.state = Family(
            "isomer_version_available", "gauge", "1 while a version takes traffic.", ["model", "version", "engine"]
        )
        self.waiting = Family("isomer_waiting_requests", "gauge", "Requests in queues and threads.", [])
        self.connections = Family("isomer_connections", "gauge", "Open HTTP connections.", [])
        self.ready = Family("isomer_ready", "gauge", "1 while /readyz says so.", [])
        self.families = [f for f in vars(self).values() if isinstance(f, Family)]

    def asked(self, model: str, api: str, entrypoint: str, code: str, seconds: float) -> None:
        """One request was answered.

        Args:
            model: a model of this server, or UNKNOWN.
            api: Predict, Classify, Regress, MultiInference, ...
            entrypoint: REST or GRPC.
            code: the status' name, such as OK.
        """
        self.request_count.add(model, code)
        self.requests.add(model, api, entrypoint, code)
        if code == "OK":
            self.request_latency.observe(model, api, entrypoint, value=seconds * 1e6)
            self.request_seconds.observe(model, api, entrypoint, value=seconds)

    def ran(self, servable: Servable, api: str, seconds: float, rows: int) -> None:
        """One request's call of an engine."""
        self.runtime_latency.observe(servable.model, api, servable.runtime, value=seconds * 1e6)
        self.engine_seconds.observe(servable.model, servable.runtime, value=seconds)
        if api != "Predict":
            self.example_counts.observe(servable.model, value=rows)
            self.example_total.add(servable.model, by=rows)

    def batched(self, servable: Servable, requests: int, rows: int) -> None:
        """Requests were run together."""
        self.batch_requests.observe(servable.model, value=requests)
        self.batch_rows.observe(servable.model, value=rows)

    def snapshot(self) -> Snapshot:
        """What was measured so far, as JSON has it: gauges apart, since they end with their process."""
        parts: Snapshot = {"sums": {}, "gauges": {}}
        for family in self.families:
            part = parts["gauges" if family.kind == "gauge" else "sums"]
            part[family.name] = [[list(labels), value] for labels, value in list(family.values.items())]
        return parts

    def page(self, others: Sequence[Snapshot] = ()) -> bytes:
        """The text that Prometheus reads: this process' values, with those of others added."""
        lines: list[str] = []
        for family in self.families:
            total = dict(family.values)
            for part in (part for other in others for part in other.values()):
                for labels, value in part.get(family.name, ()):
                    total[tuple(labels)] = _sum(total.get(tuple(labels)), value)
            if total:
                lines.extend(family.lines(total))
        return ("\n".join(lines) + "\n").encode("utf-8", "replace")


def merge(one: Snapshot, other: Snapshot) -> Snapshot:
    """Two snapshots as one."""
    merged: Snapshot = {}
    for part in (*one, *(p for p in other if p not in one)):
        families: dict[str, list[Any]] = {}
        for name in (*one.get(part, {}), *(n for n in other.get(part, {}) if n not in one.get(part, {}))):
            total: Values = {}
            for snapshot in (one, other):
                for labels, value in snapshot.get(part, {}).get(name, ()):
                    total[tuple(labels)] = _sum(total.get(tuple(labels)), value)
            families[name] = [[list(labels), value] for labels, value in total.items()]
        merged[part] = families
    return merged


def _sum(one: Any, other: Any) -> Any:
    if one is None:
        return other
    return [a + b for a, b in zip(one, other, strict=True)] if isinstance(one, list) else one + other


def _text(value: float) -> str:
    return f"{value:g}" if value != int(value) and abs(value) < 1e15 else str(int(value))


def _escape(match: re.Match[str]) -> str:
    return _ESCAPES[match.group()]
