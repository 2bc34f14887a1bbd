"""From a runtime's outputs to a verdict and its reason. Pure arithmetic: no runtime, no TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pipeline.cells import Status
from pipeline.parity import measure
from pipeline.parity.budget import CEILING_ULP, Budget

_UNCLEAR = (
    "output '{}' is off by {:.1%} of its scale, which arithmetic as coarse as this device's may be in this model: "
    "agreement says nothing"
)
# Error of a value rounded once to half precision, in float32 ULP: 2^-11 against 2^-23, give or take a few bits.
_HALF_LEVEL = (512.0, 65536.0)


@dataclass(frozen=True)
class Judgement:
    """What one set of outputs deserves.

    Attributes:
        status, reason: the verdict; the reason is empty for PASS.
        max_abs_error, ulp_error, budget_ulp: of the output that comes closest to (or furthest beyond) its budget.
        errors_ulp: largest error of each row over all outputs.
    """

    status: Status
    reason: str
    max_abs_error: float
    ulp_error: float
    budget_ulp: float
    errors_ulp: np.ndarray


def judge_outputs(
    actual: Mapping[str, np.ndarray],
    exact: Mapping[str, np.ndarray],
    reference: Mapping[str, np.ndarray],
    budgets: Mapping[str, Budget],
) -> Judgement:
    """Compare by name, with strict lengths.

    Args:
        actual: the runtime's outputs.
        exact: the oracle's, on the same rows.
        reference: TensorFlow's float32 outputs on the same rows: where they are not finite, nothing is required.
        budgets: per float output, on the same rows.
    """
    if problem := contract_problem(actual, exact):
        return _fail(problem)
    errors, worst, max_abs = None, (-1.0, 0.0, 0.0), 0.0
    for name, truth in exact.items():
        value = actual[name]
        if name not in budgets:
            if not np.array_equal(value, truth):
                count = int(np.count_nonzero(value != truth))
                return _fail(f"output '{name}' ({value.dtype}) differs in {count} of {truth.size} values")
            continue
        budget = budgets[name]
        truth = np.where(np.isfinite(reference[name]), truth, np.nan)
        shown = measure.ulp_errors(value, truth, budget.scales)
        if not np.all(np.isfinite(shown)):
            row = int(np.argmax(~np.isfinite(shown)))
            return _fail(f"output '{name}' is not finite in row {row}, where TensorFlow's is")
        excess = shown / budget.limits_ulp
        row = int(np.argmax(excess)) if len(excess) else 0
        if len(excess) and excess[row] > worst[0]:
            worst = (float(excess[row]), float(shown[row]), float(budget.limits_ulp[row]))
        if len(excess) and excess[row] > 1.0:
            unclear = budget.outer_ulp is not None and bool(np.all(shown <= budget.outer_ulp))
            return Judgement(
                Status.INCONCLUSIVE if unclear else Status.FAIL,
                _UNCLEAR.format(name, shown[row] / 2**23)
                if unclear
                else _explain(name, row, shown, budget, value, exact),
                _max_abs(value, truth),
                float(shown[row]),
                float(budget.limits_ulp[row]),
                shown,
            )
        max_abs = max(max_abs, _max_abs(value, truth))
        errors = shown if errors is None else np.maximum(errors, shown)
    rows = len(next(iter(exact.values())))
    return Judgement(Status.PASS, "", max_abs, worst[1], worst[2], np.zeros(rows) if errors is None else errors)


def inconclusive(exact: Mapping[str, np.ndarray], budgets: Mapping[str, Budget]) -> str:
    """Why agreement would prove nothing for this model and these inputs; empty if it proves something."""
    for name, budget in budgets.items():
        if budget.limit > CEILING_ULP:
            return (
                f"TensorFlow's own float32 error in '{name}' is {budget.reference:.0f} ULP, "
                f"{budget.reference / 2**23:.1%} of its scale: float32 does not determine this output"
            )
        truth = exact[name][: budget.regular]
        if len(truth) > 1:
            spread = float(np.nanmax(np.ptp(truth.reshape(len(truth), -1), axis=0), initial=0.0))
            if spread <= 16 * budget.limit * float(measure.ulp(budget.scales[: budget.regular].max())):
                return f"output '{name}' does not vary over the inputs, so agreement says nothing"
    return ""


def label_flips(actual: np.ndarray, exact: np.ndarray, budget: Budget) -> tuple[int, int]:
    """Rows whose top-1 differs from the oracle's, and how many of them are near-ties.

    A near-tie is a row where the oracle's two best classes lie within twice the row's budget, so that two
    correct runtimes may order them differently.
    """
    ours, truth = actual.argmax(axis=-1), exact.argmax(axis=-1)
    flipped = np.nonzero(ours != truth)[0]
    if not len(flipped):
        return 0, 0
    best = np.sort(exact[flipped], axis=-1)
    margin = best[:, -1] - best[:, -2]
    allowed = 2 * budget.limits_ulp[flipped] * measure.ulp(budget.scales[flipped])
    return len(flipped), int(np.count_nonzero(margin <= allowed))


def contract_problem(actual: Mapping[str, np.ndarray], exact: Mapping[str, np.ndarray]) -> str:
    """What outputs have wrong names, lengths or kinds of dtype; empty if none."""
    if set(actual) != set(exact):
        return f"outputs are named {sorted(actual)}, expected {sorted(exact)}"
    for name, truth in exact.items():
        value = actual[name]
        if value.shape != truth.shape:
            return f"output '{name}' has shape {list(value.shape)}, expected {list(truth.shape)}"
        # With or without a sign: the values themselves are compared, and the declared type is another check's.
        if value.dtype.kind.replace("u", "i") != truth.dtype.kind.replace("u", "i"):
            return f"output '{name}' is {value.dtype}, expected {'float32' if truth.dtype.kind == 'f' else truth.dtype}"
    return ""


def _explain(
    name: str,
    row: int,
    shown: np.ndarray,
    budget: Budget,
    value: np.ndarray,
    exact: Mapping[str, np.ndarray],
) -> str:
    beyond = int(np.count_nonzero(shown > budget.limits_ulp))
    where = f"row {row}" if row < budget.regular else "an awkward row"
    text = (
        f"output '{name}' is off by {shown[row]:.3g} ULP in {where}, the budget is {budget.limits_ulp[row]:.3g}; "
        f"{beyond} of {len(shown)} rows are beyond it"
    )
    for other, values in exact.items():
        comparable = other != name and values.shape == value.shape
        if comparable and np.all(measure.ulp_errors(value, values, budget.scales) <= budget.limits_ulp):
            return f"{text}; it equals output '{other}': the outputs are swapped"
    typical = float(np.median(shown))
    if _HALF_LEVEL[0] <= shown.max() <= _HALF_LEVEL[1] and typical <= _HALF_LEVEL[1] / 16:
        text += "; the size of float16 rounding"
    return text


def _max_abs(value: np.ndarray, truth: np.ndarray) -> float:
    with np.errstate(invalid="ignore"):
        return float(np.nanmax(np.abs(value.astype(np.float64) - truth), initial=0.0))


def _fail(reason: str) -> Judgement:
    return Judgement(Status.FAIL, reason, float("inf"), float("inf"), 0.0, np.zeros(0))
