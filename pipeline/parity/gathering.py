"""Evidence: the exact outputs and the budgets on the judged rows, in batches that do not change the answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from pipeline.capture import Capture
from pipeline.cells import Status
from pipeline.errors import LegalizationError, ModelError
from pipeline.graphs import depends_on_values
from pipeline.legalize.reachable import operations
from pipeline.parity import budget, measure, oracle
from pipeline.parity.evidence import Evidence, compare
from pipeline.parity.inputs import ZEROS, Judged, Tensors, variations
from pipeline.parity.judge import OTHER_BATCH, SMALL_ROWS


def gather(captured: Capture, judged: Judged) -> Evidence:
    """Exact outputs and budgets on the judged rows, and on those of other sizes.

    Raises:
        ModelError: TensorFlow fails on the rows.
    """
    evidence = _answer(captured, judged)
    alone = _change_each_other(captured, evidence)
    others = judged.others
    if alone:
        evidence = _answer(captured, judged, batch=1)
        # Full batches only: an output may have an axis that is as long as the batch.
        others = tuple(_first(other, other.regular // OTHER_BATCH * OTHER_BATCH) for other in others)
        others = (*others, _first(judged, min(OTHER_BATCH, judged.regular)))
    sizes = tuple(
        _answer(captured, other, OTHER_BATCH if alone else oracle.BATCH, evidence.budgets) for other in others
    )
    names = sorted(t.name for t in captured.signature.outputs)
    fixed = frozenset(n for n, t in zip(names, captured.traced.outputs, strict=True) if not depends_on_values(t))
    return replace(evidence, sizes=sizes, alone=alone, fixed=fixed)


def _first(judged: Judged, count: int) -> Judged:
    """The first of the regular rows."""
    return replace(judged, tensors=judged.take(np.arange(count)), regular=count, labels=None, awkward=())


def _change_each_other(captured: Capture, evidence: Evidence) -> bool:
    """Whether a row's answer depends on the rows that it shares a batch with: a sum or a maximum over the batch."""
    judged = evidence.judged
    # Those that every cell answers in small batches: a branch may depend on a sum that few rows alone bring about.
    rows = np.arange(min(SMALL_ROWS, judged.regular))
    if ZEROS in judged.awkward:
        rows = np.append(rows, judged.regular + judged.awkward.index(ZEROS))
    few = evidence.take(rows)
    answers = oracle.run_oracle(captured, few.judged.tensors, batch=1)
    return compare(answers, few).status is not Status.PASS


def _answer(
    captured: Capture, judged: Judged, batch: int = oracle.BATCH, least: Mapping[str, budget.Budget] | None = None
) -> Evidence:
    """Evidence on some rows; what a few of them are allowed is at least what many were found to need (`least`)."""
    import tensorflow as tf

    try:
        exact = oracle.run_oracle(captured, judged.tensors, batch)
        reference = oracle.run_reference(captured, judged.tensors, batch)
    except tf.errors.OpError as error:
        words = str(error.message).strip().splitlines() or [""]
        raise ModelError(
            f"The model fails in TensorFlow on {judged.rows} rows ({judged.origin}): {words[-1] or words[0]}.",
            "Does it predict in Keras, in batches of any size? Give real inputs by name in an .npz file with --data.",
        ) from error
    budgets = budget.derive(exact, reference, judged.regular, _in_sequence(captured, judged, exact, batch))
    if least is not None:
        budgets = {n: replace(b, limits_ulp=np.maximum(b.limits_ulp, least[n].limit)) for n, b in budgets.items()}
    return Evidence(judged, exact, reference, budgets)


def _in_sequence(captured: Capture, judged: Judged, exact: Tensors, batch: int) -> dict[str, np.ndarray] | None:
    """By output, the largest error on each awkward row that adding in sequence makes there and on its variations.

    In ULP; None for a model without what magnifies the error of a sum, a mean that is subtracted and a division by a
    deviation near zero.
    """
    if not judged.awkward:
        return None
    present = operations(captured.traced.graph)
    if not present & {"Mean", "Sum"} or not present & {"SquaredDifference", "Rsqrt", "Sqrt"}:
        return None
    varied = variations(judged)
    rows = {name: np.concatenate([other[name] for other in varied]) for name in judged.tensors}
    try:
        shown = oracle.run_in_sequence(captured, rows, batch)
    except LegalizationError:
        return None  # such a model gets no more than TensorFlow's own error
    truth = oracle.run_oracle(captured, rows, batch)
    found = {}
    for name, value in exact.items():
        if value.dtype.kind == "f":
            scales = np.tile(measure.scale(value, judged.regular)[judged.regular :], len(varied))
            errors = measure.ulp_errors(shown[name], truth[name], scales).reshape(len(varied), -1)
            found[name] = np.where(np.isfinite(errors), errors, 0.0).max(axis=0)
    return found
