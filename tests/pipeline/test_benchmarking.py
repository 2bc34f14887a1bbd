"""Latency: percentiles of enough calls, and a warning where something else disturbed them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline import benchmarking, runtimes
from pipeline.artifact import Artifact
from pipeline.benchmarking import benchmark
from pipeline.cells import Status
from pipeline.signature import Signature


def test_figures_are_of_at_least_as_many_calls_as_asked_for(tiny_bundle: Path) -> None:
    done = benchmark(tiny_bundle, calls=30, warmup=3, seconds=0.0, runtime=["litert", "onnxruntime"], device=["cpu"])
    assert [(t.runtime, t.status, t.calls) for t in done.timings] == [
        ("litert", Status.PASS, 30),
        ("litert", Status.PASS, 30),
        ("onnxruntime", Status.PASS, 30),
    ]
    for t in done.timings:
        assert None not in (t.min_ms, t.p50_ms, t.p90_ms, t.p99_ms)
        assert 0 < t.min_ms <= t.p50_ms <= t.p90_ms <= t.p99_ms  # type: ignore[operator]


class Clock:
    """A worker whose calls take what a test says, in turn."""

    def __init__(self, *milliseconds: float) -> None:
        self.milliseconds = milliseconds

    def activate(self, artifact: Artifact, path: Path) -> dict[str, Any]:
        return {}

    def time(self, inputs: Any, calls: int, warmup: int) -> list[float]:
        return [self.milliseconds[k % len(self.milliseconds)] / 1e3 for k in range(calls)]


@pytest.mark.parametrize(
    ("milliseconds", "calls", "unstable"), [((1.0,), 500, False), ((100.0,), 10, False), ((1.0, 2.0), 334, True)]
)
def test_calls_are_timed_long_enough(milliseconds: tuple[float, ...], calls: int, unstable: bool) -> None:
    artifact = Artifact("tflite", "float32", "model.tflite", Signature((), ()))
    (entry,) = runtimes.select(("litert",))
    worker: Any = Clock(*milliseconds)
    timing = benchmarking._time(Path(), artifact, entry, worker, {"x": [0]}, 10, 1, 0.5)  # type: ignore[dict-item]
    assert calls <= timing.calls <= calls + 2
    assert timing.unstable is unstable
    assert timing.p99_ms == pytest.approx(max(milliseconds))
