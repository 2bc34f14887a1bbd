"""Reduced precisions of a bundle: written from its float32 artifacts, checked weight by weight, and what to expect."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pipeline import formats
from pipeline.artifact import Artifact
from pipeline.bases import Base, Bases
from pipeline.calibration import Calibration
from pipeline.capture import Capture
from pipeline.errors import LegalizationError, ModelError, Obstacle, describe
from pipeline.formats import FormatEntry
from pipeline.legalize import legalize
from pipeline.parity import contract, reduced, stored_weights
from pipeline.parity.contract import Check
from pipeline.parity.evidence import Evidence
from pipeline.parity.reduced import Reduced
from pipeline.precisions import FLOAT32, named
from pipeline.progress import Observer
from pipeline.writing import Refusal

Plan = Mapping[str, Sequence[str]]


def is_calibrated(plan: Plan) -> bool:
    """Whether a precision of a plan fixes ranges of activations."""
    return any(named(name).calibrated for names in plan.values() for name in names)


@dataclass(frozen=True)
class Reduction:
    """What a plan came to.

    Attributes:
        artifacts: what was written.
        refusals: formats that cannot be had at a precision.
        checks: of each file's signature, operations and weights.
        expected: by artifact label, what a runtime must answer.
    """

    artifacts: list[Artifact]
    refusals: list[Refusal]
    checks: list[Check]
    expected: dict[str, Reduced]


def reduce(
    plan: Plan,
    root: Path,
    captured: Capture,
    base: Sequence[Artifact],
    evidence: Evidence,
    rows: np.ndarray,
    calibration: Calibration | None,
    observer: Observer,
    model: str,
) -> Reduction:
    """Write the precisions of a plan below `root`, each from the float32 artifact of its format, and examine them.

    Args:
        base: the float32 artifacts.
        rows: places of the judged rows that runtimes must answer, ascending.
        calibration: for precisions that fix ranges of activations.

    Raises:
        ModelError: a precision that no format can be written at.
    """
    with tempfile.TemporaryDirectory(prefix=".unrolled-", dir=root) as scratch:
        bases = Bases(captured, root, base, Path(scratch))
        artifacts, refusals = _write_all(plan, root, bases, calibration, observer, model)
        checks, expected = _examine(root, artifacts, bases, evidence, rows, calibration)
    return Reduction(artifacts, refusals, checks, expected)


def _write_all(
    plan: Plan,
    root: Path,
    bases: Bases,
    calibration: Calibration | None,
    observer: Observer,
    model: str,
) -> tuple[list[Artifact], list[Refusal]]:
    artifacts: list[Artifact] = []
    refusals: list[Refusal] = []
    for entry in formats.FORMATS:
        for precision in plan.get(entry.name, ()):
            if precision == FLOAT32 or not bases.has(entry.name):
                continue
            observer.stage(model, f"writing {entry.name} {precision}")
            try:
                artifacts += _write(entry, bases.of(entry, precision), root, precision, calibration)
            except LegalizationError as error:
                refusals.append(Refusal(entry.name, precision, error.obstacles))
                observer.notice(f"{entry.name} {precision} is UNSUPPORTED: {refusals[-1].reason}")
    there = {artifact.precision for artifact in artifacts}
    nowhere = [p for p in dict.fromkeys(refusal.precision for refusal in refusals) if p not in there]
    if nowhere:
        why: dict[str, list[str]] = {}
        for refusal in refusals:
            if refusal.precision in nowhere:
                why.setdefault(f"{refusal.format}: {describe(refusal.obstacles)}", []).append(refusal.precision)
        listed = " ".join(reason if len(nowhere) == 1 else f"{', '.join(of)}: {reason}" for reason, of in why.items())
        advice = dict.fromkeys(o.advice for r in refusals if r.precision in nowhere for o in r.obstacles if o.advice)
        raise ModelError(
            f"No format can be written at {', '.join(nowhere)}. {listed}",
            f"Leave {', '.join(nowhere)} out of --precision. {' '.join(advice)}",
        )
    return artifacts, refusals


def _write(
    entry: FormatEntry, base: Base, root: Path, precision: str, calibration: Calibration | None
) -> list[Artifact]:
    if base.artifacts[0].flex:
        reason = "its float32 file holds TensorFlow's own operations, which know no other precision"
        raise LegalizationError.of(entry.name, [Obstacle("", (), reason, "Leave out --allow-flex.")])
    module = entry.load_quantizer()
    samples = calibration.tensors if calibration is not None and named(precision).calibrated else None
    chosen = [a for a in base.artifacts if not a.variant or precision in entry.static]
    made = [module.write(artifact, base.root, precision, samples) for artifact in chosen]
    for artifact in made:
        if base.root != root:
            artifact.locate(base.root).rename(artifact.locate(root))
    return made


def _examine(
    root: Path,
    artifacts: Sequence[Artifact],
    bases: Bases,
    evidence: Evidence,
    rows: np.ndarray,
    calibration: Calibration | None,
) -> tuple[list[Check], dict[str, Reduced]]:
    """Signature, operations and weights of each file; and by artifact label, what a runtime must answer."""
    checks: list[Check] = []
    expected: dict[str, Reduced] = {}
    answered: dict[tuple[object, ...], Reduced] = {}  # variants hold the same weights
    samples = None if calibration is None else calibration.tensors
    for artifact in artifacts:
        entry, path = _entry(artifact), artifact.locate(root)
        base = bases.of(entry, artifact.precision)
        module, quantizer = entry.load(), entry.load_quantizer()
        operators = module.operators(path)
        held, whole = quantizer.stored(path), quantizer.stored(base.like(artifact).locate(base.root))
        checks.append(contract.check_signature(artifact, base.captured.signature))
        checks.append(contract.check_operators(artifact, operators, module.foreign(operators)))
        checks.append(stored_weights.check_stored(artifact.label, whole, held))
        kind = reduced.arithmetic(artifact.format, artifact.precision)
        key = (artifact.format, kind, named(artifact.precision).whole_io, stored_weights.identity(held))
        if key not in answered:
            legal = legalize(base.captured, artifact.format)
            answered[key] = reduced.expect(base.captured, legal, artifact, whole, held, evidence, rows, samples)
        expected[artifact.label] = replace(answered[key], quanta=quantizer.quanta(path), answers={})
    return checks, expected


def _entry(artifact: Artifact) -> FormatEntry:
    return next(entry for entry in formats.FORMATS if entry.name == artifact.format)
