"""Evidence: what outputs are judged against, and the judgement of outputs on it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from pipeline.cells import Status
from pipeline.parity.budget import Budget
from pipeline.parity.inputs import SUBNORMAL, ZEROS, Judged, Tensors
from pipeline.parity.verdict import Judgement, judge_outputs


@dataclass(frozen=True)
class Evidence:
    """What every cell of one capture is judged against.

    Attributes:
        judged: the rows.
        exact: the oracle's outputs on them, float64.
        reference: TensorFlow's float32 outputs on them.
        budgets: by output name.
        sizes: the same for a few rows each with other sizes of the dynamic dimensions, run in batches of three.
        alone: rows of one batch change each other's answers, so that each row was answered in a batch of its own.
        fixed: outputs that no value of an input reaches: they cannot vary.
    """

    judged: Judged
    exact: Tensors
    reference: Tensors
    budgets: dict[str, Budget]
    sizes: tuple[Evidence, ...] = ()
    alone: bool = False
    fixed: frozenset[str] = frozenset()

    def coarser(self, bits: int) -> Evidence:
        """The same for a device whose arithmetic has `bits` significand bits."""
        budgets = {name: budget.coarser(bits) for name, budget in self.budgets.items()}
        return replace(self, budgets=budgets, sizes=tuple(other.coarser(bits) for other in self.sizes))

    def take(self, rows: np.ndarray) -> Evidence:
        """The evidence on some rows, in ascending order."""
        regular = int(np.count_nonzero(rows < self.judged.regular))
        labels = None if self.judged.labels is None else self.judged.labels[rows[:regular]]
        awkward = tuple(self.judged.awkward[r - self.judged.regular] for r in rows[regular:])
        judged = Judged(self.judged.take(rows), regular, labels, self.judged.origin, awkward)
        pick = {n: v[rows] for n, v in self.exact.items()}
        base = {n: v[rows] for n, v in self.reference.items()}
        budgets = {n: b.take(rows) for n, b in self.budgets.items()}
        return replace(self, judged=judged, exact=pick, reference=base, budgets=budgets)


def compare(outputs: Tensors, evidence: Evidence) -> Judgement:
    """Judge outputs on the evidence's rows, with subnormal inputs taken for what they are or for zeros.

    IEEE 754 keeps subnormal numbers; the processor modes that libraries run their threads in do not. A model that asks
    whether a number is zero (a Masking layer) has another answer then, and both are right.
    """
    found = judge_outputs(outputs, evidence.exact, evidence.reference, evidence.budgets)
    awkward, regular = evidence.judged.awkward, evidence.judged.regular
    if found.status is Status.PASS or not {ZEROS, SUBNORMAL} <= set(awkward):
        return found
    rows = np.arange(evidence.judged.rows)
    rows[regular + awkward.index(SUBNORMAL)] = regular + awkward.index(ZEROS)
    flushed = evidence.take(rows)
    # Each output for itself: a library may run one operation in another mode than the next.
    mixed = {name: flushed if _passes(outputs, flushed, name) else evidence for name in evidence.exact}
    return judge_outputs(
        outputs,
        {name: chosen.exact[name] for name, chosen in mixed.items()},
        {name: chosen.reference[name] for name, chosen in mixed.items()},
        {name: mixed[name].budgets[name] for name in evidence.budgets},
    )


def _passes(outputs: Tensors, evidence: Evidence, name: str) -> bool:
    budgets = {n: b for n, b in evidence.budgets.items() if n == name}
    alone = {n: v for n, v in outputs.items() if n == name}
    found = judge_outputs(alone, {name: evidence.exact[name]}, {name: evidence.reference[name]}, budgets)
    return found.status is Status.PASS
