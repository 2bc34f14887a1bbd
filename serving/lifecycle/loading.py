"""From a version's directory to something that may take traffic."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from serving.contract.fast import FastBodies
from serving.engines import AUTO, ENTRIES, Engine, Entry
from serving.engines.base import Loader
from serving.errors import EngineUnavailable, Internal, Refused, ServingError
from serving.inference.batches import can_batch
from serving.inference.job import Lane
from serving.lifecycle import gate
from serving.lifecycle.bundle import Bundle
from serving.lifecycle.warmup import warm_up
from serving.settings import FLOAT32
from serving.signature import DEFAULT_SIGNATURE, Signature

# Weight of the newest call in the average of seconds per row, where it was faster and where it was slower: one that
# another process interrupted must not send the next ones to threads, however long it was away.
_FASTER, _SLOWER, _MOST_TIMES = 0.5, 0.05, 4.0


@dataclass
class Servable:
    """One loaded version.

    Attributes:
        model, version: what it is.
        engine: what runs it; `artifact`: the file that it loaded, below the version's directory.
        report: what the gate saw; None without a gate.
        seconds: that loading took; `warmed`: records of the warm-up file that were replayed.
        users: requests that hold it; it is closed when there are none.
        row_seconds: average of one row in one call; infinite until the first call.
        lane: its jobs that wait.
        bodies: readers of common requests, by signature.
        batchable: signatures of which requests can be run together.
    """

    model: str
    version: int
    engine: Engine
    artifact: str
    report: gate.Report | None
    seconds: float
    warmed: int = 0
    users: int = 0
    row_seconds: float = float("inf")
    lane: Lane = field(default_factory=Lane)
    bodies: dict[str, FastBodies] = field(default_factory=dict)
    batchable: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        self.bodies = {name: FastBodies(s) for name, s in self.signatures.items()}
        # The gate has seen whether rows get the same answers together and alone; without it nobody has.
        if self.report is not None and not self.report.alone and self.engine.batches:
            self.batchable = frozenset(name for name, s in self.signatures.items() if can_batch(s))

    @property
    def runtime(self) -> str:
        """The engine's name without its version."""
        return self.engine.label.partition(" ")[0]

    @property
    def signatures(self) -> Mapping[str, Signature]:
        return self.engine.signatures

    def observe(self, seconds: float, rows: int) -> None:
        """Take one call into the average."""
        each = seconds / max(rows, 1)
        if self.row_seconds == float("inf"):
            self.row_seconds = each
        else:
            each = min(each, _MOST_TIMES * self.row_seconds)
            self.row_seconds += (each - self.row_seconds) * (_FASTER if each < self.row_seconds else _SLOWER)


def load(
    model: str,
    version: int,
    directory: Path,
    engine: str,
    gated: bool,
    threads: int,
    precision: Sequence[str] = (FLOAT32,),
) -> Servable:
    """Check, load and replay one version. Blocks; meant for a thread.

    Args:
        precision: which artifacts may be taken, in order of preference.

    Raises:
        ServingError: it must not take traffic; the text says why.
    """
    began = time.perf_counter()
    try:
        if gated:
            loaded, path, report = _load_bundle(directory, engine, threads, precision)
        else:
            (loaded, path), report = _load_foreign(directory, engine, threads, precision), None
        warmed = warm_up(loaded, directory)
    except ServingError:
        raise
    except Exception as error:  # whatever a file does to a library, the server goes on
        raise Internal(f"{type(error).__name__}: {error}") from error
    artifact = path.relative_to(directory).as_posix()
    return Servable(model, version, loaded, artifact, report, time.perf_counter() - began, warmed)


def _load_bundle(
    directory: Path, engine: str, threads: int, precision: Sequence[str]
) -> tuple[Engine, Path, gate.Report]:
    bundle = Bundle(directory)
    entry, path, loader = _choose(
        engine, precision, bundle.artifact, lambda e, p: f"no {e.name} {p} artifact passed in {e.runtime} on the CPU"
    )
    # From here on nothing is skipped: an artifact that passed and no longer does condemns the whole bundle.
    loaded = loader(path, bundle.content(path) if entry.suffix else None, threads)
    signature = _default(loaded)
    gate.check_signature(signature, bundle.signature)
    return loaded, path, gate.replay(loaded, signature, bundle.samples(path))


def _load_foreign(directory: Path, engine: str, threads: int, precision: Sequence[str]) -> tuple[Engine, Path]:
    """By what lies there: <format>/<precision>.<suffix> as in bundles, or the only such file in the directory."""
    _, path, loader = _choose(
        engine, precision, lambda e, p: _find(directory, e, p), lambda e, p: f"no {e.name} {p} artifact"
    )
    return loader(path, None, threads), path


def _choose(
    engine: str,
    precision: Sequence[str],
    find: Callable[[Entry, str], Path | None],
    lacks: Callable[[Entry, str], str],
) -> tuple[Entry, Path, Loader]:
    """The first wanted precision and engine that has an artifact and is installed; `lacks`: what none of it means."""
    reasons = []
    for name in precision:
        for entry in _wanted(engine):
            path = find(entry, name)
            if path is None:
                reasons.append(lacks(entry, name))
                continue
            try:
                return entry, path, entry.load()
            except ImportError as error:
                reasons.append(f"{entry.runtime} is not installed ({error})")
    raise EngineUnavailable("; ".join(reasons))


def _find(directory: Path, entry: Entry, precision: str) -> Path | None:
    if not entry.suffix:
        return directory if precision == FLOAT32 and (directory / "saved_model.pb").is_file() else None
    usual = directory / entry.name / f"{precision}{entry.suffix}"
    if usual.is_file() or precision != FLOAT32:
        return usual if usual.is_file() else None
    found = list(directory.glob(f"*{entry.suffix}"))
    return found[0] if len(found) == 1 else None


def _wanted(engine: str) -> list[Entry]:
    return [ENTRIES[name] for name in (AUTO if engine == "auto" else (engine,))]


def _default(engine: Engine) -> Signature:
    signature = engine.signatures.get(DEFAULT_SIGNATURE)
    if signature is None:
        raise Refused(f"the artifact has no signature '{DEFAULT_SIGNATURE}', only {sorted(engine.signatures)}")
    return signature
