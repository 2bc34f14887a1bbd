"""Run one cell of reduced precision, and judge it twice: what the precision costs, and what the runtime makes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from pipeline.artifact import Artifact
from pipeline.cells import Cell, Status
from pipeline.parity import measure
from pipeline.parity.budget import FLOAT32_BITS, float_bits
from pipeline.parity.classifier import classifier, scores
from pipeline.parity.evidence import Evidence, compare
from pipeline.parity.inputs import Tensors
from pipeline.parity.judge import FULL_BATCH, OTHER_BATCH, SMALL_BATCHES, SMALL_ROWS, UNSTEADY, number, repeats
from pipeline.parity.quantization import METHOD, cost
from pipeline.parity.reduced import SCHEMES, Arithmetic, Reduced, arithmetic, rms
from pipeline.parity.verdict import Judgement, contract_problem, judge_outputs
from pipeline.runtimes.worker import Worker

_UNLIKE = "the runtime does not compute what the file says"


def judge_reduced(
    cell: Cell, artifact: Artifact, evidence: Evidence, worker: Worker, *, expected: Mapping[str, Reduced], gate: float
) -> Cell:
    """The cell with its verdict.

    Args:
        cell: as far as it is known.
        evidence: the model's own, in float32's budgets.
        worker: with the artifact activated.
        expected: by artifact label. Answers in whole numbers are added to it, or compared where it has some.
        gate: share of float32's accuracy that must be kept.
    """
    dynamic = artifact.signature.dynamic_batch
    batch = FULL_BATCH if dynamic and not evidence.alone else 1
    judged = evidence.judged
    outputs, seconds = worker.infer(judged.tensors, batch)
    if problem := _malformed(outputs, evidence):
        return replace(cell, verdict=Status.FAIL, reason=problem)
    cell = _with_cost(cell, outputs, evidence, gate)
    cell = replace(cell, seconds=round(seconds, 4), batches=(batch,))
    if cell.verdict is Status.FAIL:
        return cell
    cell = replace(cell, repeat_equal=repeats(worker, judged, outputs, batch))
    if not cell.repeat_equal:
        return replace(cell, verdict=Status.FAIL, reason=UNSTEADY)
    for other in evidence.sizes if dynamic else ():
        answers, _ = worker.infer(other.judged.tensors, OTHER_BATCH)
        if problem := _malformed(answers, other):
            return replace(cell, verdict=Status.FAIL, reason=f"with inputs of another size: {problem}")
    return _as_the_file_says(cell, artifact, expected.get(artifact.label), worker, batch)


def _malformed(outputs: Tensors, evidence: Evidence) -> str:
    """What is wrong with outputs apart from their accuracy."""
    if problem := contract_problem(outputs, evidence.exact):
        return problem
    regular = evidence.judged.regular
    for name, value in outputs.items():
        wanted = evidence.reference[name]
        if value.dtype.kind == "f" and np.any(~np.isfinite(value[:regular]) & np.isfinite(wanted[:regular])):
            return f"output '{name}' is not finite where TensorFlow's is"
    return ""


def _with_cost(cell: Cell, outputs: Tensors, evidence: Evidence, gate: float) -> Cell:
    regular, labels = evidence.judged.regular, evidence.judged.labels
    name = classifier(evidence.exact, labels) or _distribution(evidence.exact)
    base = {n: v[:regular] for n, v in evidence.reference.items()}
    ours = {n: v[:regular] for n, v in outputs.items()}
    if name is not None:
        base[name], ours[name] = scores(base[name]), scores(ours[name])
    found = cost(ours, base, name, labels, gate)
    truth = evidence.exact[name][:regular] if name is not None and labels is not None else None
    flips = int(np.count_nonzero(ours[name].argmax(-1) != base[name].argmax(-1))) if name is not None else 0
    return replace(
        cell,
        verdict=Status.FAIL if found.reason else Status.PASS,
        reason=found.reason,
        max_abs_error=number(found.max_abs_error),
        accuracy=found.accuracy,
        accuracy_oracle=None if truth is None else float(np.mean(scores(truth).argmax(-1) == labels)),
        label_flips=flips,
        quantization={"cost": found.to_json(), "method": METHOD if found.interval else ""},
    )


def _distribution(exact: Tensors) -> str | None:
    """An output that is a distribution over classes, without labels to say so."""
    for name, value in exact.items():
        if value.dtype.kind == "f" and value.ndim == 2 and value.shape[1] > 1:
            rows = value[np.isfinite(value).all(axis=1)]
            if len(rows) and np.all(rows >= 0) and np.allclose(rows.sum(axis=1), 1, atol=1e-3):
                return name
    return None


def _as_the_file_says(cell: Cell, artifact: Artifact, expected: Reduced | None, worker: Worker, batch: int) -> Cell:
    """The second judgement: against the graph with the file's own weights, and against kernels of the same family."""
    if expected is None or expected.evidence is None:
        why = expected.reason if expected else "nothing is known of its weights"
        return replace(
            cell, verdict=Status.INCONCLUSIVE, reason=f"What the runtime makes of the file is not judged: {why}."
        )
    few, kind = expected.evidence, arithmetic(artifact.format, artifact.precision)
    if (bits := float_bits(cell.environment)) < FLOAT32_BITS:
        few = few.coarser(bits)
    fixed = kind is Arithmetic.FIXED
    if fixed:  # saturated inputs lie beyond the ranges in the file, and may do anything
        few = few.take(np.arange(few.judged.regular))
    answers, _ = worker.infer(expected.evidence.judged.tensors, batch)
    mine = {name: value[: few.judged.rows] for name, value in answers.items()}
    coarse = kind in (Arithmetic.DYNAMIC, Arithmetic.FIXED)
    found = _by_noise(mine, few, expected) if coarse else compare(mine, few)
    cell = replace(
        cell,
        ulp_error=number(found.ulp_error),
        budget_ulp=number(found.budget_ulp),
        histogram=measure.histogram(found.errors_ulp),
        quantization={**(cell.quantization or {}), "arithmetic": str(kind), "rows": few.judged.rows},
    )
    if found.status is Status.FAIL:
        return replace(cell, verdict=Status.FAIL, reason=f"{_UNLIKE}: {found.reason}")
    for size in SMALL_BATCHES if batch > 1 else ():
        rows = np.arange(min(SMALL_ROWS, few.judged.regular))
        small, _ = worker.infer(few.judged.take(rows), size)
        part = few.take(rows)
        if fixed:
            problem = _beyond_a_quantum(small, {n: v[rows] for n, v in mine.items()}, expected)
        elif coarse:
            problem = _by_noise(small, part, expected).reason
        else:
            problem = judge_outputs(small, part.exact, part.reference, part.budgets).reason
        if problem:
            return replace(cell, verdict=Status.FAIL, reason=f"{_UNLIKE}, in batches of {size}: {problem}")
        cell = replace(cell, batches=(size, *cell.batches))
    if fixed:
        family = str(cell.environment.get("kernels", cell.runtime))
        known = expected.answers.setdefault(family, mine)
        if problem := _beyond_a_quantum(mine, known, expected):
            return replace(
                cell, verdict=Status.FAIL, reason=f"unlike the same kernels ({family}) at the export: {problem}"
            )
        apart = {other: round(_quanta(mine, theirs, expected), 2) for other, theirs in expected.answers.items()}
        apart.pop(family)
        cell = replace(cell, quantization={**(cell.quantization or {}), "kernels": family, "quanta_apart": apart})
    if reason := _says_nothing(few, expected):
        return replace(cell, verdict=Status.INCONCLUSIVE, reason=reason)
    return cell


def _beyond_a_quantum(ours: Tensors, theirs: Tensors, expected: Reduced) -> str:
    """Where whole numbers differ by more than one: a value in the middle of two may be rounded to either."""
    apart = _quanta(ours, theirs, expected)
    return f"outputs differ by {apart:.3g} steps, one is what rounding allows" if apart > 1.01 else ""


def _quanta(ours: Tensors, theirs: Tensors, expected: Reduced) -> float:
    """The largest difference in steps of the outputs; 0 of outputs that have none."""
    return max(
        (
            float(np.max(np.abs(ours[n].astype(np.float64) - theirs[n]), initial=0.0)) / step
            for n, step in expected.quanta.items()
            if step > 0
        ),
        default=0.0,
    )


def _by_noise(actual: Tensors, few: Evidence, expected: Reduced) -> Judgement:
    """Root mean square errors against the noise that rounding activations makes.

    A maximum would say little: near a boundary between classes a row's answer turns over, in every correct runtime.
    Of fewer rows than the noise is known of, these may hold all of its energy.
    """
    regular = few.judged.regular
    if problem := contract_problem(actual, few.exact):
        return Judgement(Status.FAIL, problem, float("inf"), float("inf"), 0.0, np.zeros(0))
    errors, worst = np.zeros(few.judged.rows), (-1.0, 0.0, 0.0, "")
    for name, budget in few.budgets.items():
        error = rms(actual[name][:regular].astype(np.float64) - few.exact[name][:regular])
        unit = float(measure.ulp(np.array([np.sqrt(np.mean(budget.scales[:regular] ** 2))]))[0])
        allowed = SCHEMES * expected.noise[name] * float(np.sqrt(max(expected.noise_rows, regular) / regular))
        if error / allowed > worst[0]:
            worst = (error / allowed, error / unit, allowed / unit, name)
        errors = np.maximum(errors, measure.ulp_errors(actual[name], few.exact[name], budget.scales))
    share, error_ulp, allowed_ulp, name = worst
    reason = ""
    if share > 1:
        reason = f"output '{name}' has {share:.3g} times the noise that rounding activations may make"
    status = Status.FAIL if reason else Status.PASS
    return Judgement(status, reason, 0.0, error_ulp, allowed_ulp, errors)


def _says_nothing(few: Evidence, expected: Reduced) -> str:
    """Why agreement would prove nothing; empty if it proves something."""
    regular = few.judged.regular
    for name, budget in few.budgets.items():
        truth = few.exact[name][:regular]
        if name in few.fixed or len(truth) < 2:
            continue
        spread = rms(truth - np.mean(truth, axis=0))
        if name in expected.noise:
            allowed = SCHEMES * expected.noise[name]
        else:
            allowed = budget.limit * float(measure.ulp(budget.scales[:regular].max()))
        if spread <= allowed:
            return f"output '{name}' varies by no more than this arithmetic may err, so that agreement says nothing"
    return ""
