"""Benchmark: latency and throughput of a bundle's artifacts in their runtimes, on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline import runtimes
from pipeline.artifact import Artifact
from pipeline.bundle import certificate, golden, manifest
from pipeline.cells import Status
from pipeline.errors import RuntimeCrash, RuntimeUnavailable, RuntimeUnsupported, UsageError
from pipeline.progress import Observer
from pipeline.runtimes import RuntimeEntry, early_start
from pipeline.runtimes.worker import Worker

# Latencies whose upper quartile is this far above the lower one were disturbed by something else.
_UNSTABLE = 1.5
# Calls that a runtime's process is asked for at once, lest one that got faster than it seemed ran for ages.
_MANY = 10_000


@dataclass(frozen=True)
class Timing:
    """Latency of one artifact in one runtime.

    Attributes:
        format, precision, variant, runtime, device: the cell.
        status, reason: PASS, or why there are no figures.
        batch: rows per call; `calls` were timed after `warmup` that were not.
        min_ms, p50_ms, p90_ms, p99_ms: latency of a call in milliseconds.
        rows_per_second: throughput at the median latency.
        unstable: the latencies spread so much that the machine was busy with something else.
        environment: versions, device, threads.
    """

    format: str
    precision: str
    variant: str
    runtime: str
    device: str
    status: Status
    reason: str
    batch: int
    calls: int = 0
    warmup: int = 0
    min_ms: float | None = None
    p50_ms: float | None = None
    p90_ms: float | None = None
    p99_ms: float | None = None
    rows_per_second: float | None = None
    unstable: bool = False
    environment: dict[str, Any] | None = None


@dataclass(frozen=True)
class Benchmark:
    """Timings of one bundle and what they were measured on."""

    model: str
    bundle: Path
    timings: tuple[Timing, ...]
    environment: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """The line that `--json` prints."""
        return {
            "model": self.model,
            "bundle": str(self.bundle),
            "timings": [{**asdict(t), "status": str(t.status)} for t in self.timings],
            "environment": self.environment,
        }


def benchmark(
    bundle: Path,
    *,
    batch: int = 1,
    calls: int = 100,
    warmup: int = 10,
    seconds: float = 0.5,
    runtime: Sequence[str] = (),
    device: Sequence[str] = (),
    observer: Observer | None = None,
) -> Benchmark:
    """Time every artifact of a bundle in every runtime that reads it, on the bundle's golden inputs.

    Args:
        bundle: a version directory, or its parent (the latest version).
        batch: rows per call; artifacts with a static batch are timed at their own.
        calls, warmup: how many calls are timed at least, after how many that are not.
        seconds: time calls at least this long; percentiles of a few fast calls are chance.
        runtime, device: restrict what is run.

    Raises:
        BundleError: the bundle is incomplete or changed.
    """
    if batch < 1 or calls < 1 or warmup < 0 or not 0 <= seconds < np.inf:
        raise UsageError("--batch and --calls are at least 1, --seconds at least 0.", "Try --batch 1 --calls 100.")
    observer = observer or Observer()
    bundle = manifest.locate(bundle)
    listing = manifest.require_intact(bundle)
    document = certificate.read(bundle)
    artifacts = [Artifact.from_json(a) for a in listing["artifacts"]]
    judged = golden.read_samples(bundle).judged
    rows = np.arange(batch) % judged.regular
    entries = runtimes.select(tuple(runtime), tuple(device), tuple(a.format for a in artifacts))
    if emulated := next((e for e in entries if e.emulated), None):
        raise UsageError(
            f"{emulated.label} is a processor in software: its time says nothing about the device's.",
            "Copy the kit (isomer kit) to the device and run `python check.py --benchmark` there.",
        )
    timings = []
    with early_start(entries) as start:
        for entry in entries:
            observer.stage(document["model"], f"timing {entry.label}")
            with start(entry) as worker:
                for artifact in artifacts:
                    if entry.reads(artifact) and entry.flex == bool(artifact.flex):
                        own = rows if artifact.signature.dynamic_batch else rows[:1]
                        timings.append(_time(bundle, artifact, entry, worker, judged.take(own), calls, warmup, seconds))
    seed = document["environment"]["seed"]
    return Benchmark(document["model"], bundle, tuple(timings), certificate.environment(seed))


def _time(
    root: Path,
    artifact: Artifact,
    entry: RuntimeEntry,
    worker: Worker,
    tensors: dict[str, np.ndarray],
    calls: int,
    warmup: int,
    seconds: float,
) -> Timing:
    size = len(next(iter(tensors.values())))
    cell = (artifact.format, artifact.precision, artifact.variant, entry.name, entry.device)
    try:
        environment = worker.activate(artifact, artifact.locate(root))
        measured = worker.time(tensors, calls, warmup)
        while (left := seconds - sum(measured)) > 0:
            more = int(left / (sum(measured) / len(measured))) + 1
            measured += worker.time(tensors, min(more, _MANY), warmup)
    except RuntimeUnavailable as error:
        return Timing(*cell, Status.NOT_RUN, str(error), size)
    except (RuntimeCrash, RuntimeUnsupported) as error:
        return Timing(*cell, Status.FAIL, str(error), size)
    low, p25, p50, p75, p90, p99 = (float(v) * 1e3 for v in np.percentile(measured, (0, 25, 50, 75, 90, 99)))
    return Timing(
        *cell,
        Status.PASS,
        "",
        size,
        len(measured),
        warmup,
        round(low, 4),
        round(p50, 4),
        round(p90, 4),
        round(p99, 4),
        round(size / p50 * 1e3, 1),
        p75 > _UNSTABLE * p25,
        environment,
    )
