"""Choose among a bundle's artifacts: the smallest that is accurate and fast enough, and why."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.artifact import Artifact
from pipeline.benchmarking import Timing, benchmark
from pipeline.cells import Cell, Status
from pipeline.errors import UsageError
from pipeline.progress import Observer

_UNITS = {"B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 2**10, "MiB": 2**20, "ms": 1.0, "us": 1e-3, "s": 1e3, "": 1.0}
_KINDS = {"size": ("B", "kB", "MB", "GB", "KiB", "MiB"), "latency": ("ms", "us", "s"), "accuracy": ("",)}
_HOW = 'Such as --budget "size=50kB,accuracy=0.99" or "latency=2ms"; accuracy is a share of one.'


@dataclass(frozen=True)
class Limits:
    """What an artifact may use and must reach.

    Attributes:
        size: bytes at most.
        accuracy: at least, on the test set; of a model without labels the share of float32's answers.
        latency: median of one call with one row, in milliseconds, at most.
    """

    size: float | None = None
    accuracy: float | None = None
    latency: float | None = None


@dataclass(frozen=True)
class Candidate:
    """An artifact with its figures; `place` is the runtime of its latency, `problem` the limits that it misses."""

    artifact: Artifact
    accuracy: float | None
    latency: float | None
    place: str
    problem: str


@dataclass(frozen=True)
class Choice:
    """The artifact that was chosen, if there is one, and a sentence that says why."""

    chosen: Candidate | None
    reason: str

    def to_json(self) -> dict[str, Any]:
        if self.chosen is None:
            return {"artifact": None, "path": None, "reason": self.reason}
        own, artifact = self.chosen, self.chosen.artifact
        figures = {"bytes": artifact.bytes, "accuracy": own.accuracy, "latency_ms": own.latency}
        return {"artifact": artifact.label, "path": artifact.path, **figures, "reason": self.reason}


def parse(text: str) -> Limits:
    """Limits as the command line writes them.

    Raises:
        UsageError: they are not of that form.
    """
    found: dict[str, float] = {}
    for part in filter(None, (p.strip() for p in text.split(","))):
        name, _, value = part.partition("=")
        match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([A-Za-z]*)", value.strip())
        if name not in _KINDS or match is None or name in found or match[2] not in _KINDS[name]:
            raise UsageError(f"'{part}' is no limit of a budget.", _HOW)
        found[name] = float(match[1]) * _UNITS[match[2]]
    if not found:
        raise UsageError("An empty budget chooses nothing.", _HOW)
    if found.get("accuracy", 0) > 1:
        raise UsageError(f"An accuracy of {found['accuracy']:g} is more than all.", _HOW)
    return Limits(found.get("size"), found.get("accuracy"), found.get("latency"))


def choose(bundle: Path, certificate: dict[str, Any], limits: Limits, observer: Observer | None = None) -> Choice:
    """The smallest artifact within the limits whose cells pass; of two as small, the more accurate.

    Latency is measured here and now where there is a limit on it, in the runtimes that have a cell that passes.
    """
    artifacts = [Artifact.from_json(a) for a in certificate["artifacts"]]
    cells = [Cell.from_json(c) for c in certificate["cells"]]
    timings = () if limits.latency is None else _timings(bundle, cells, observer)
    candidates = [_examine(artifact, cells, timings, limits) for artifact in artifacts]
    within = sorted((c for c in candidates if not c.problem), key=lambda c: (c.artifact.bytes, -(c.accuracy or 0)))
    if not within:
        missed = "; ".join(f"{c.artifact.label}: {c.problem}" for c in candidates)
        return Choice(None, f"None of {len(candidates)} artifacts is within the budget: {missed}.")
    best = within[0]
    others = len(within) - 1
    next_best = f"; the next is {within[1].artifact.label}, {_figures(within[1])}" if others else ""
    smaller = [c for c in candidates if c.problem and c.artifact.bytes < best.artifact.bytes]
    why = "".join(f"; {c.artifact.label} is smaller, but {c.problem}" for c in smaller[:3])
    count = f"{len(within)} of {len(candidates)} artifacts are" if others else f"1 of {len(candidates)} artifacts is"
    reason = f"{best.artifact.label}, {_figures(best)}: the smallest; {count} within the budget{next_best}{why}."
    return Choice(best, reason)


def _timings(bundle: Path, cells: Sequence[Cell], observer: Observer | None) -> tuple[Timing, ...]:
    passed = [c for c in cells if c.verdict is Status.PASS]
    runtimes, devices = (sorted({getattr(c, of) for c in passed}) for of in ("runtime", "device"))
    return benchmark(bundle, runtime=runtimes, device=devices, observer=observer).timings if passed else ()


def accuracy_of(artifact: Artifact, cells: Sequence[Cell]) -> float | None:
    """On the labels, by the cell that saw most of them; without labels, the share of float32's answers that is kept."""
    own = [c for c in _cells(artifact, cells) if c.verdict is Status.PASS]
    labelled = max((c for c in own if c.accuracy is not None), key=lambda c: c.samples, default=None)
    if labelled is not None:
        return labelled.accuracy
    if artifact.precision == "float32":
        return 1.0
    return min((c.quantization["cost"]["kept"] for c in own if c.quantization), default=None)


def _cells(artifact: Artifact, cells: Sequence[Cell]) -> list[Cell]:
    own = (artifact.format, artifact.precision, artifact.variant)
    return [c for c in cells if (c.format, c.precision, c.variant) == own]


def _examine(artifact: Artifact, cells: Sequence[Cell], timings: Sequence[Timing], limits: Limits) -> Candidate:
    accuracy = accuracy_of(artifact, cells)
    places = {(c.runtime, c.device) for c in _cells(artifact, cells) if c.verdict is Status.PASS}
    times = [
        (t.p50_ms, f"{t.runtime}/{t.device}")
        for t in timings
        if _same(t, artifact) and t.p50_ms is not None and (t.runtime, t.device) in places
    ]
    latency, place = min(times, default=(None, ""))
    problems = []
    if not any(c.verdict is Status.PASS for c in _cells(artifact, cells)):
        problems.append("no cell of it passes")
    if limits.size is not None and artifact.bytes > limits.size:
        problems.append(f"{artifact.bytes:,} bytes")
    if limits.accuracy is not None and (accuracy is None or accuracy < limits.accuracy):
        problems.append("no accuracy" if accuracy is None else f"accuracy {accuracy:.2%}")
    if limits.latency is not None and (latency is None or latency > limits.latency):
        problems.append("not timed" if latency is None else f"{latency:.3g} ms on {place}")
    return Candidate(artifact, accuracy, latency, place, ", ".join(problems))


def _same(timing: Timing, artifact: Artifact) -> bool:
    return (timing.format, timing.precision, timing.variant) == (artifact.format, artifact.precision, artifact.variant)


def _figures(candidate: Candidate) -> str:
    parts = [f"{candidate.artifact.bytes:,} bytes"]
    parts += [f"accuracy {candidate.accuracy:.2%}"] if candidate.accuracy is not None else []
    parts += [f"{candidate.latency:.3g} ms on {candidate.place}"] if candidate.latency is not None else []
    return ", ".join(parts)
