"""Which weights do the judged outputs show? What a converter has added up cannot be found by its bits any more."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.capture import Capture
from pipeline.parity import measure
from pipeline.parity.evidence import Evidence
from pipeline.parity.inputs import Tensors
from pipeline.parity.oracle import run_captured

# Relative changes of every value of a weight, with random signs; the second is for weights that the first leaves dark.
CHANGES = (2.0**-8, 2.0**-4)
_ROWS = 16


def shown(capture: Capture, evidence: Evidence, paths: Sequence[str]) -> set[str]:
    """The weights whose change moves an output by more than twice its budget.

    An output within its budget then says that such a weight is in the file, and right to about that change, in
    whatever form.

    Args:
        capture: its variables are changed one by one, and restored.
        evidence: rows and budgets.
        paths: of the weights to ask about.
    """
    few = evidence.take(np.arange(min(_ROWS, evidence.judged.regular)))
    before = run_captured(capture, few.judged.tensors)
    random = np.random.default_rng(0)
    found = set()
    for path in paths:
        variable = capture.variables[path]
        value = variable.numpy()
        signs = random.choice(np.array([-1, 1], np.float32), value.shape)
        for change in CHANGES:
            variable.assign((value * (1 + change * signs)).astype(value.dtype))
            try:
                after = run_captured(capture, few.judged.tensors)
            finally:
                variable.assign(value)
            if _moves(before, after, few):
                found.add(path)
                break
    return found


def _moves(before: Tensors, after: Tensors, evidence: Evidence) -> bool:
    for name, value in after.items():
        if name not in evidence.budgets:
            if not np.array_equal(value, before[name]):
                return True
            continue
        budget = evidence.budgets[name]
        if np.any(measure.ulp_errors(value, before[name], budget.scales) > 2 * budget.limits_ulp):
            return True
    return False
