"""Run one cell: the artifact in its runtime on the judged rows, in several batch sizes, twice; then the verdict."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.artifact import Artifact
from pipeline.cells import Cell, Status
from pipeline.errors import RuntimeCrash, RuntimeTimeout, RuntimeUnavailable, RuntimeUnsupported
from pipeline.parity import measure
from pipeline.parity.budget import FLOAT32_BITS, class_name, float_bits, may_be_coarse
from pipeline.parity.classifier import classifier, scores
from pipeline.parity.evidence import Evidence, compare
from pipeline.parity.inputs import Judged, Tensors
from pipeline.parity.verdict import Judgement, inconclusive, judge_outputs, label_flips
from pipeline.precisions import FLOAT32
from pipeline.runtimes import RUNTIMES, RuntimeEntry
from pipeline.runtimes.worker import Worker

# Rows per call for the full set; the smaller batches and the repeated run are judged on a few rows each.
FULL_BATCH = 500
SMALL_BATCHES = (1, 3)
SMALL_ROWS = 9
REPEAT_ROWS = 500
# Rows per call for other sizes of the dynamic dimensions.
OTHER_BATCH = 3
_AT_A_TIME = 2
UNSTEADY = "a second run on the same inputs gave other numbers"
_SLOW = "no answer within {:.0f} s: this takes a GPU"
_TOO_COARSE = "the probe finds {} significand bits in its arithmetic, where float32 has 24"
_LATER = "Left to `isomer validate`: slow without a GPU, a second browser, or threads."
_ALONE = "Rows of one batch change each other's answers in this model: each was judged in a batch of its own."


Start = Callable[[RuntimeEntry], Worker]
# Judges a cell of reduced precision, whose artifact is activated (`pipeline.parity.judge_reduced`).
JudgeReduced = Callable[[Cell, Artifact, Evidence, Worker], Cell]


def judge(
    root: Path,
    artifacts: Sequence[Artifact],
    entries: Sequence[RuntimeEntry],
    evidence: Evidence,
    seed: int,
    start: Start,
    progress: Callable[[Cell], None] | None = None,
    judge_reduced: JudgeReduced | None = None,
) -> list[Cell]:
    """All cells of some artifacts in some runtimes, in the order of `entries`.

    Args:
        root: the bundle's directory.
        start: returns a worker for an entry, which is closed here (`runtimes.early_start`).
        progress: told each cell when it is judged, from several threads.
        judge_reduced: for artifacts of other precisions than float32.
    """
    regular = evidence.judged.regular
    limits = {e.rows(a) for e in entries for a in artifacts if e.reads(a)}
    samples = {n: evidence.take(_sample(evidence.judged, n, seed)) for n in limits if 0 < n < regular}

    def run(entry: RuntimeEntry) -> list[Cell]:
        mine = [a for a in artifacts if entry.reads(a)]
        cells: list[Cell] = []
        if not mine:
            return cells
        with start(entry) as worker:
            for artifact in mine:
                rows = samples.get(entry.rows(artifact), evidence)
                cells.append(_judge_cell(root, artifact, entry, rows, regular, worker, seed, judge_reduced))
                if progress:
                    progress(cells[-1])
        return cells

    # Verdicts need no quiet machine (latency is `benchmark`'s business), and half of the runtimes use one core.
    executor = ThreadPoolExecutor(_AT_A_TIME)
    try:
        return [cell for cells in executor.map(run, entries) for cell in cells]
    finally:
        # After Ctrl-C nobody waits for cells in flight: `start`'s owner ends their workers.
        executor.shutdown(wait=False, cancel_futures=True)


def left_out(artifacts: Sequence[Artifact], entries: Sequence[RuntimeEntry], thorough: bool = True) -> list[Cell]:
    """The cells that are not run, in the table, so that nobody takes them for judged.

    Args:
        thorough: the thorough runtimes were to run; what is left out is the user's own restriction.
    """
    return [
        Cell(
            format=artifact.format,
            precision=artifact.precision,
            variant=artifact.variant,
            runtime=entry.name,
            device=entry.device,
            required=False,
            verdict=Status.NOT_RUN,
            reason=_LATER if entry.thorough and not thorough else "Left out by --runtime or --device.",
        )
        for entry in RUNTIMES
        if entry not in entries and not entry.on_request
        for artifact in artifacts
        if entry.reads(artifact)
    ]


def _sample(judged: Judged, limit: int, seed: int) -> np.ndarray:
    """A seeded choice of regular rows, and all awkward ones, in ascending order."""
    chosen = np.random.default_rng(seed).choice(judged.regular, limit, replace=False)
    return np.concatenate([np.sort(chosen), np.arange(judged.regular, judged.rows)])


def _judge_cell(
    root: Path,
    artifact: Artifact,
    entry: RuntimeEntry,
    evidence: Evidence,
    population: int,
    worker: Worker,
    seed: int,
    judge_reduced: JudgeReduced | None,
) -> Cell:
    cell = Cell(
        format=artifact.format,
        precision=artifact.precision,
        variant=artifact.variant,
        runtime=entry.name,
        device=entry.device,
        required=entry.required and entry.flex == bool(artifact.flex),
        samples=evidence.judged.regular,
        population=population,
        environment={"seed": seed},
    )
    try:
        environment = worker.activate(artifact, artifact.locate(root))
        bits = float_bits(environment)
        cell = replace(cell, environment={**environment, "budget_class": class_name(bits), "seed": seed})
        if bits < FLOAT32_BITS:
            if not may_be_coarse(entry.device):
                return replace(cell, verdict=Status.FAIL, reason=_TOO_COARSE.format(bits))
            evidence = evidence.coarser(bits)
        if artifact.precision != FLOAT32 and judge_reduced is not None:
            return judge_reduced(cell, artifact, evidence, worker)
        return _run(cell, artifact, evidence, worker)
    except RuntimeUnavailable as error:
        return replace(cell, verdict=Status.NOT_RUN, reason=str(error), samples=0)
    except RuntimeUnsupported as error:
        return replace(cell, verdict=Status.UNSUPPORTED, reason=str(error), samples=0)
    except RuntimeCrash as error:
        if artifact.flex and not entry.flex and "Select TensorFlow op" in str(error):
            reason = f"The file holds TensorFlow's {', '.join(artifact.flex)}, and this runtime has no Flex delegate."
            return replace(cell, verdict=Status.UNSUPPORTED, reason=reason, samples=0)
        if isinstance(error, RuntimeTimeout) and cell.environment.get("adapter_is_software"):
            # A model that a GPU runs at once takes minutes there: no sign of anything wrong.
            reason = f"Software-rendered, and {_SLOW.format(worker.timeout)}"
            return replace(cell, verdict=Status.NOT_RUN, reason=reason, samples=0)
        return replace(cell, verdict=Status.FAIL, reason=f"crashed: {error}")


def _run(cell: Cell, artifact: Artifact, evidence: Evidence, worker: Worker) -> Cell:
    dynamic = artifact.signature.dynamic_batch
    judged = evidence.judged
    full = FULL_BATCH if dynamic and not evidence.alone else 1
    outputs, seconds = worker.infer(judged.tensors, full)
    found = compare(outputs, evidence)
    cell = _record(cell, found, evidence, outputs, seconds)
    if cell.verdict is Status.FAIL:
        return cell
    cell = replace(cell, repeat_equal=repeats(worker, judged, outputs, full), batches=(full,))
    if not cell.repeat_equal:
        return replace(cell, verdict=Status.FAIL, reason=UNSTEADY)
    for batch in SMALL_BATCHES if full > 1 else ():
        few = evidence.take(np.arange(min(SMALL_ROWS, judged.regular)))
        small, _ = worker.infer(few.judged.tensors, batch)
        verdict = judge_outputs(small, few.exact, few.reference, few.budgets)
        if verdict.status is Status.FAIL:
            return replace(cell, verdict=Status.FAIL, reason=f"in batches of {batch}: {verdict.reason}")
        cell = replace(cell, batches=(batch, *cell.batches))
    for other in evidence.sizes if dynamic or not evidence.alone else ():
        answers, _ = worker.infer(other.judged.tensors, OTHER_BATCH if dynamic else 1)
        found = compare(answers, other)
        if found.status is Status.FAIL:
            return replace(cell, verdict=Status.FAIL, reason=f"with inputs of {_sizes(other)}: {found.reason}")
    if reason := inconclusive(evidence.exact, {n: b for n, b in evidence.budgets.items() if n not in evidence.fixed}):
        return replace(cell, verdict=Status.INCONCLUSIVE, reason=reason)
    return replace(cell, reason=_ALONE) if evidence.alone else cell


def repeats(worker: Worker, judged: Judged, outputs: Tensors, batch: int) -> bool:
    """Whether a second run on the first rows, in batches of the same size, gives the very same numbers."""
    head = np.arange(min(REPEAT_ROWS if batch > 1 else SMALL_ROWS, judged.rows))
    again, _ = worker.infer(judged.take(head), batch)
    return again.keys() == outputs.keys() and all(
        np.array_equal(v, outputs[n][head], equal_nan=v.dtype.kind == "f") for n, v in again.items()
    )


def _sizes(evidence: Evidence) -> str:
    return ", ".join(f"{list(value.shape[1:])}" for value in evidence.judged.tensors.values())


def _record(cell: Cell, found: Judgement, evidence: Evidence, outputs: Tensors, seconds: float) -> Cell:
    values: dict[str, Any] = {
        "verdict": found.status,
        "reason": found.reason,
        "max_abs_error": number(found.max_abs_error),
        "ulp_error": number(found.ulp_error),
        "budget_ulp": number(found.budget_ulp),
        "histogram": measure.histogram(found.errors_ulp),
        "seconds": round(seconds, 4),
    }
    judged = evidence.judged
    name = classifier(evidence.exact, judged.labels)
    if name is not None and judged.labels is not None and name in outputs:
        exact, actual = evidence.exact[name][: judged.regular], outputs[name][: judged.regular]
        if actual.shape == exact.shape:
            exact, actual = scores(exact), scores(actual)
            budget = evidence.budgets[name]
            flips, ties = label_flips(actual, exact, budget.take(np.arange(judged.regular)))
            values |= {
                "accuracy": float(np.mean(actual.argmax(-1) == judged.labels)),
                "accuracy_oracle": float(np.mean(exact.argmax(-1) == judged.labels)),
                "label_flips": flips,
                "near_ties": ties,
            }
            if flips > ties and found.status is Status.PASS:
                reason = f"{flips - ties} labels flip where the oracle is no near-tie"
                values |= {"verdict": Status.FAIL, "reason": reason}
    return replace(cell, **values)


def number(value: float) -> float | None:
    """JSON has no infinity; an infinite error's reason says what happened."""
    return float(value) if np.isfinite(value) else None
