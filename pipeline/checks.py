"""Checks besides the cells: that the capture is the model, and that the files declare and hold what they should."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from pipeline import formats
from pipeline.artifact import Artifact
from pipeline.capture import Capture
from pipeline.cells import Status
from pipeline.parity import budget, contract, effect, oracle, weights
from pipeline.parity.contract import Check
from pipeline.parity.evidence import Evidence, compare
from pipeline.sources import Loaded

# Keras' own run, eager and slow, is compared on this many rows: a wrong capture is wrong on any of them.
_KERAS_ROWS = 64


def check_capture(captured: Capture, loaded: Loaded, evidence: Evidence) -> Check:
    """The capture is the model: Keras' own run, layer by layer, is within the capture's budget, twice."""
    from pipeline.legalize import other_precision, runnable

    judged = evidence.judged
    rows = np.concatenate([np.arange(min(_KERAS_ROWS, judged.regular)), np.arange(judged.regular, judged.rows)])
    few = evidence.take(rows)
    batch = 1 if few.alone else oracle.BATCH
    if other_precision(captured):
        # Keras computes in the model's precision, which is what its own answers are held to.
        own = oracle.run_captured(captured, few.judged.tensors, batch)
        few = replace(few, reference=own, budgets=budget.derive(few.exact, own, few.judged.regular))
    elif legal := runnable(captured):
        named = ", ".join(name for name, _ in legal.rewrites)
        reason = f"TensorFlow, and Keras on it, cannot run this model on a CPU without the rewrites {named}"
        return Check("capture", "Keras", Status.NOT_RUN, reason)
    first = oracle.run_keras(loaded.model, captured, few.judged.tensors, batch)
    found = compare(first, few)
    if found.status is not Status.PASS:
        # TensorFlow rearranges a graph, which may round better than Keras' own order of the same operations does.
        own = oracle.run_as_written(captured, few.judged.tensors, batch)
        few = replace(few, reference=own, budgets=budget.derive(few.exact, own, few.judged.regular))
        found = compare(first, few)
    detail = {"rows": len(rows), "ulp_error": found.ulp_error if np.isfinite(found.ulp_error) else None}
    if found.status is not Status.PASS:
        return Check("capture", "Keras", Status.FAIL, f"the captured graph is not the model: {found.reason}", detail)
    second = oracle.run_keras(loaded.model, captured, few.judged.tensors, batch)
    if not all(np.array_equal(first[n], second[n], equal_nan=first[n].dtype.kind == "f") for n in first):
        return Check("capture", "Keras", Status.FAIL, "two inference runs differ: something random is active", detail)
    return Check("capture", "Keras", Status.PASS, "", detail)


def check_artifacts(root: Path, captured: Capture, artifacts: Sequence[Artifact], evidence: Evidence) -> list[Check]:
    """Signature, operations and weights of each file below `root`."""
    from pipeline.legalize import legalize

    shown = partial(effect.shown, captured, evidence)
    checks = []
    for artifact in artifacts:
        module = next(f for f in formats.FORMATS if f.name == artifact.format).load()
        path = artifact.locate(root)
        operators = module.operators(path)
        checks.append(contract.check_signature(artifact, captured.signature))
        checks.append(contract.check_operators(artifact, operators, module.foreign(operators)))
        expected = None
        if artifact.format != "savedmodel" or artifact.rewrites:
            batch = 1 if artifact.variant == "batch1" else None
            expected = legalize(captured, artifact.format, batch, bool(artifact.flex)).constants
        held = module.constants(path)
        checks.append(weights.check_weights(artifact.label, captured.weights, expected, held, shown))
    return checks
