"""One model through isomer: what `isomer export` does, step by step, with the verdict of every required cell."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from corpus.model import Model

from benchmarks.coverage.results import ISOMER, Row, Square
from pipeline import formats, runtimes, sources, writing
from pipeline.artifact import Artifact
from pipeline.capture import Capture, capture
from pipeline.cells import Cell, Status
from pipeline.checks import check_artifacts, check_capture
from pipeline.errors import IsomerError, RuntimeCrash, RuntimeUnavailable
from pipeline.parity.evidence import Evidence
from pipeline.parity.gathering import gather
from pipeline.parity.inputs import Judged, Tensors
from pipeline.parity.judge import judge
from pipeline.runtimes import RuntimeEntry
from pipeline.sources import Loaded
from pipeline.text import as_text
from pipeline.writing import Refusal

ENTRIES = tuple(e for e in runtimes.RUNTIMES if e.required and not e.flex)
BROWSER = tuple(e for e in runtimes.RUNTIMES if (e.name, e.device) == ("tfjs-browser", "wasm"))
PATHS = ("savedmodel", "tflite", "tflite batch1", "onnx", "tfjs")
_SEED = 0
_TITLE = re.compile(r"Graph execution error|in user code|Exception encountered when calling")
_NOISE = re.compile(
    r"Detected at node|File |node:|\(most recent|Arguments received|[•*]|\^|Stack trace|\d+ (root )?error"
)


@dataclass(frozen=True, eq=False)
class Prepared:
    """A model with what both sides are judged by.

    Attributes:
        model: the Keras model.
        captured: its inference graph.
        evidence: exact outputs and budgets on the judged rows.
    """

    model: Any
    captured: Capture
    evidence: Evidence


class InProcess:
    """Stands for a `Worker`, with the runtime in this process: no import of it per model."""

    _runtimes: dict[RuntimeEntry, Any] = {}  # noqa: RUF012  one per process is the point

    def __init__(self, entry: RuntimeEntry) -> None:
        self._entry = entry

    def __enter__(self) -> InProcess:
        return self

    def __exit__(self, *_: object) -> None:
        if self._entry in self._runtimes:
            self._runtimes[self._entry].deactivate()

    def activate(self, artifact: Artifact, path: Path) -> dict[str, Any]:
        if self._entry not in self._runtimes:
            self._runtimes[self._entry] = runtimes.create(self._entry.module, self._entry.device)
        return self._guard(self._runtimes[self._entry].activate, artifact, path)

    def infer(self, inputs: Mapping[str, np.ndarray], batch: int) -> tuple[Tensors, float]:
        began = time.perf_counter()
        outputs = self._guard(self._runtimes[self._entry].infer, inputs, batch)
        # As the files do through which a worker's outputs come.
        return {name: as_text(np.asarray(value)) for name, value in outputs.items()}, time.perf_counter() - began

    @staticmethod
    def _guard(function: Any, *arguments: Any) -> Any:
        try:
            return function(*arguments)
        except RuntimeUnavailable:
            raise
        except Exception as error:
            raise RuntimeCrash(f"{type(error).__name__}: {str(error)[:1500]}") from error


def in_process(entry: RuntimeEntry) -> Any:
    """A worker without a process, quick."""
    return InProcess(entry)


def isolated(entry: RuntimeEntry) -> Any:
    """A worker as `isomer export` has it: a runtime that dies is one cell's verdict."""
    return runtimes.Worker(entry.module, entry.device, entry.timeout)


def prepare(model: Model, scratch: Path) -> Prepared:
    """Build, capture and answer a model.

    Raises:
        IsomerError: it cannot be captured or fed.
    """
    import keras

    keras.backend.clear_session()
    keras.utils.set_random_seed(_SEED)
    built = model.build()
    captured = capture(built)
    loaded = Loaded(built, scratch / "model.keras", None, None)
    file = None
    if model.data is not None:
        file = scratch / "data.npz"
        np.savez(file, **model.data(np.random.default_rng(_SEED)))
    judged = sources.judged_inputs(loaded, captured, file, _SEED)
    if model.rows and model.rows < judged.regular:
        judged = _fewer(judged, model.rows)
    return Prepared(built, captured, gather(captured, judged))


def _fewer(judged: Judged, rows: int) -> Judged:
    """The first regular rows and all awkward ones."""
    keep = np.concatenate([np.arange(rows), np.arange(judged.regular, judged.rows)])
    return replace(judged, tensors=judged.take(keep), regular=rows, origin=f"{rows} of {judged.origin}")


def judge_model(name: str, prepared: Prepared, scratch: Path, start: Any = in_process, browser: bool = False) -> Row:
    """Write every format, check the files, run every required cell, and the browser's if that is wanted."""
    began = time.perf_counter()
    captured, evidence = prepared.captured, prepared.evidence
    artifacts, refused = _write(captured, scratch)
    loaded = Loaded(prepared.model, scratch / "model.keras", None, None)
    whole = check_capture(captured, loaded, evidence)
    cells = judge(scratch, artifacts, ENTRIES, evidence, _SEED, start)
    squares = {_path(c.format, c.variant): _square(c) for c in cells} | refused
    seen = [_square(c) for c in judge(scratch, artifacts, BROWSER, evidence, _SEED, isolated)] if browser else []
    for artifact in artifacts:
        for check in check_artifacts(scratch, captured, [artifact], evidence):
            if check.verdict is Status.FAIL:
                path = _path(artifact.format, artifact.variant)
                squares[path] = replace(
                    squares[path], verdict=str(check.verdict), reason=f"{check.name}: {check.reason}"
                )
    if whole.verdict is Status.FAIL:
        reason = f"capture: {whole.reason}"
        squares = {p: replace(s, verdict=str(whole.verdict), reason=reason) for p, s in squares.items()}
    rewrites = {a.format: dict(a.rewrites) for a in artifacts}
    chosen = tuple(squares[p] for p in PATHS if p in squares)
    chosen += tuple(replace(s, path="tfjs-browser") for s in seen)
    return Row(name, ISOMER, chosen, time.perf_counter() - began, evidence.judged.origin, extra={"rewrites": rewrites})


def refusal(name: str, error: Exception) -> Row:
    """The row of a model that could not be captured or fed: isomer's own words if it has any."""
    said = isinstance(error, IsomerError)
    verdict = Status.UNSUPPORTED if said else Status.FAIL
    reason = str(error) if said else words(error)
    return Row(name, ISOMER, tuple(Square(p, str(verdict), reason) for p in PATHS))


def words(error: BaseException) -> str:
    """An exception's type and the line of its text that says most: TensorFlow and Keras often begin with a title."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    titled = bool(lines) and _TITLE.search(lines[0]) is not None
    useful = [line for line in lines[1:] if not _NOISE.match(line)] if titled else lines
    return f"{type(error).__name__}: {(useful or lines or [''])[0][:300]}".rstrip(": ")


def _write(captured: Capture, root: Path) -> tuple[list[Artifact], dict[str, Square]]:
    artifacts: list[Artifact] = []
    without: dict[str, Square] = {}
    for entry in formats.FORMATS:
        verdict = Status.UNSUPPORTED
        try:
            done = writing.write(captured, entry, root, entry.precisions[0])
            if not isinstance(done, Refusal):
                artifacts += done
                continue
            reason = done.reason
        except Exception as error:
            verdict, reason = Status.FAIL, f"the writer raised {words(error)}"
        without |= {p: Square(p, str(verdict), reason) for p in PATHS if p.split()[0] == entry.name}
    return artifacts, without


def _path(format: str, variant: str) -> str:
    return f"{format} {variant}".strip()


def _square(cell: Cell) -> Square:
    path = _path(cell.format, cell.variant)
    return Square(path, str(cell.verdict), cell.reason, cell.ulp_error, cell.budget_ulp)
