"""The gate: a version takes traffic only if the loaded engine answers the goldens within their budgets.

The arithmetic is that of docs/parity.md, written again: the bundle's files are the whole contract between what
exports and what serves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from serving.engines.base import Engine
from serving.errors import Refused
from serving.inference.batches import run
from serving.lifecycle.samples import Samples, allowed
from serving.signature import Signature

# Bits of a float32 significand behind the point.
_FRACTION_BITS = 23
# Rows that are also run alone: requests mostly are, and a wrong batch dimension shows.
_SINGLES = 3
# Whole numbers may be off by one, where a value in the middle of two is rounded; a hundredth for float32's rounding of
# a whole number times its step.
_ONE_STEP = 1.01


@dataclass(frozen=True)
class Report:
    """What the gate saw.

    Attributes:
        rows: that were replayed.
        error_ulp, budget_ulp: of the row that came closest to its budget; where activations are rounded, of the root
            mean square over all rows.
        alone: the rows of one request change each other's answers.
    """

    rows: int
    error_ulp: float
    budget_ulp: float
    alone: bool = False


def check_signature(signature: Signature, certified: Signature) -> None:
    """The artifact has the certificate's inputs and outputs.

    Raises:
        Refused: a name or type differs.
    """
    for kind, ours, theirs in (
        ("inputs", signature.inputs, certified.inputs),
        ("outputs", signature.outputs, certified.outputs),
    ):
        found, wanted = ({t.name: t.dtype for t in side} for side in (ours, theirs))
        if found != wanted:
            raise Refused(f"the artifact's {kind} are {found}, the certificate says {wanted}")


def replay(engine: Engine, signature: Signature, samples: Samples) -> Report:
    """Run the samples, all together and some alone, and compare each answer with its budget.

    Where rows change each other's answers, all are run alone.

    Raises:
        Refused: an answer is beyond its budget.
        ServingError: the engine fails.
    """
    worst = (0.0, 0.0, 0.0)
    if not samples.alone:
        worst = judge(run(engine, signature, samples.inputs), samples, slice(None))
    for row in range(samples.rows if samples.alone else min(_SINGLES, samples.rows)):
        rows = slice(row, row + 1)
        alone = run(engine, signature, {n: v[rows] for n, v in samples.inputs.items()})
        worst = max(worst, judge(alone, samples, rows))
    return Report(samples.rows, worst[1], worst[2], samples.alone or samples.by_call)


def judge(actual: Mapping[str, np.ndarray], samples: Samples, rows: slice) -> tuple[float, float, float]:
    """Compare answers with the samples of the same rows.

    Returns:
        Of the row closest to its budget: error / budget, error and budget; the last two in ULP.

    Raises:
        Refused: the names or shapes differ, or a row is beyond its budget.
    """
    if actual.keys() != samples.exact.keys():
        raise Refused(f"golden samples: outputs are {sorted(actual)}, expected {sorted(samples.exact)}")
    worst = (0.0, 0.0, 0.0)
    for name, everything in samples.exact.items():
        value, truth = actual[name], everything[rows]
        if value.shape != truth.shape:
            raise Refused(f"golden samples: output '{name}' is {list(value.shape)}, expected {list(truth.shape)}")
        if name in samples.noise:
            worst = max(worst, _judge_noise(name, value, samples, rows))
            continue
        if name not in samples.limits:
            if not samples.noise and not np.array_equal(value, truth):
                raise Refused(f"golden samples: output '{name}' is not what it was when it was exported")
            continue
        required = np.isfinite(samples.reference[name][rows]) & np.isfinite(truth)
        errors = _ulp_errors(value, truth, required, samples.scales[name][rows])
        limits = samples.limits[name][rows]
        excess = errors / limits
        row = int(np.argmax(excess))
        # Written so that NaN fails.
        if not excess[row] <= 1.0:
            beyond = int(np.count_nonzero(~(excess <= 1.0)))
            raise Refused(
                f"golden samples: output '{name}' is off by {errors[row]:.3g} ULP in row {row + (rows.start or 0)}, "
                f"the budget is {limits[row]:.3g}; {beyond} of {len(excess)} rows are beyond it: the version does "
                "not answer like its certificate"
            )
        worst = max(worst, (float(excess[row]), float(errors[row]), float(limits[row])))
    return worst


def _judge_noise(name: str, value: np.ndarray, samples: Samples, rows: slice) -> tuple[float, float, float]:
    """Rounded activations: the root mean square error of all rows; whole numbers also within a step of those then."""
    truth = samples.exact[name][rows]
    required = np.isfinite(samples.reference[name][rows]) & np.isfinite(truth)
    with np.errstate(invalid="ignore", over="ignore"):
        difference = np.where(required, value.astype(np.float64) - truth, 0.0)
    shown, may = float(np.sqrt(np.mean(difference**2))), allowed(samples, name, len(truth))
    scale = np.sqrt(np.mean(samples.scales[name][rows] ** 2))
    ulp = float(np.exp2(np.floor(np.log2(scale)) - _FRACTION_BITS))
    if not shown <= may:
        raise Refused(
            f"golden samples: output '{name}' is off by {shown / ulp:.3g} ULP (root mean square), rounded activations "
            f"may be by {may / ulp:.3g}: the version does not answer like its certificate"
        )
    if name in samples.answers and samples.quanta.get(name):
        steps = float(np.max(np.abs(value.astype(np.float64) - samples.answers[name][rows]))) / samples.quanta[name]
        if not steps <= _ONE_STEP:
            raise Refused(
                f"golden samples: output '{name}' is {steps:.3g} steps from what the same kernels answered when it "
                "was exported, one is what rounding allows"
            )
    return shown / may, shown / ulp, may / ulp


def _ulp_errors(value: np.ndarray, truth: np.ndarray, required: np.ndarray, scales: np.ndarray) -> np.ndarray:
    """Largest error of each row in ULP of its scale; float64 [rows]. What is not finite counts as infinite."""
    with np.errstate(invalid="ignore", over="ignore"):
        difference = np.abs(value.astype(np.float64) - truth)
    difference = np.where(np.isfinite(difference), difference, np.inf)
    difference = np.where(required, difference, 0.0).reshape(len(truth), -1)
    ulp = np.exp2(np.floor(np.log2(scales)) - _FRACTION_BITS)
    return difference.max(axis=1, initial=0.0) / ulp
