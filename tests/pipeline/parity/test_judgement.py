"""From numbers to a verdict and its reason, without a runtime; and a correct runtime of another kind passes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from parity_models import Exhibit

from pipeline.cells import Status
from pipeline.parity import budget
from pipeline.parity.evidence import Evidence, compare
from pipeline.parity.inputs import SUBNORMAL, ZEROS, Judged, Tensors
from pipeline.parity.verdict import inconclusive, judge_outputs, label_flips

ROWS = 40
_rng = np.random.default_rng(0)
_scores = _rng.normal(size=(ROWS, 4))
EXACT: Tensors = {"scores": _scores, "other": _rng.normal(size=(ROWS, 4)), "digit": _scores.argmax(1)}
REFERENCE: Tensors = {n: v.astype(np.float32) if v.dtype.kind == "f" else v for n, v in EXACT.items()}
BUDGETS = budget.derive(EXACT, REFERENCE, ROWS)


def changed(name: str, change: Callable[[np.ndarray], np.ndarray]) -> Tensors:
    return {**REFERENCE, name: change(REFERENCE[name].copy())}


def put(value: float, *where: int) -> Callable[[np.ndarray], np.ndarray]:
    def change(array: np.ndarray) -> np.ndarray:
        array[where] = value
        return array

    return change


WRONG: dict[str, tuple[Tensors, str]] = {
    "a row too few": (changed("scores", lambda v: v[:-1]), "output 'scores' has shape [39, 4], expected [40, 4]"),
    "a row too many": (changed("digit", lambda v: np.append(v, 0)), "output 'digit' has shape [41], expected [40]"),
    "an extra axis": (changed("scores", lambda v: v[:, None]), "output 'scores' has shape [40, 1, 4]"),
    "a column broadcast": (changed("scores", lambda v: v[:, :1]), "output 'scores' has shape [40, 1]"),
    "a missing output": ({"scores": REFERENCE["scores"]}, "outputs are named ['scores'], expected"),
    "an extra output": ({**REFERENCE, "more": REFERENCE["digit"]}, "outputs are named"),
    "integers for floats": (changed("scores", lambda v: v.astype(np.int32)), "output 'scores' is int32"),
    "floats for integers": (changed("digit", lambda v: v.astype(np.float32)), "output 'digit' is float32"),
    "NaN": (changed("scores", put(np.nan, 3, 1)), "output 'scores' is not finite in row 3, where TensorFlow's is"),
    "infinity": (changed("other", put(np.inf, 5, 0)), "output 'other' is not finite in row 5"),
    "an integer off by one": (changed("digit", lambda v: v + (np.arange(ROWS) == 2)), "output 'digit' (int64) differs"),
    "swapped": (
        {**REFERENCE, "scores": REFERENCE["other"], "other": REFERENCE["scores"]},
        "it equals output 'other': the outputs are swapped",
    ),
    "rows reversed": (changed("scores", lambda v: v[::-1]), "output 'scores' is off by"),
    "float16": (changed("scores", lambda v: v.astype(np.float16).astype(np.float32)), "the size of float16 rounding"),
    "one value": (changed("scores", put(9.0, 7, 2)), "in row 7, the budget is 8; 1 of 40 rows are beyond it"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_output_fails_and_says_why(case: str) -> None:
    actual, reason = WRONG[case]
    found = judge_outputs(actual, EXACT, REFERENCE, BUDGETS)
    assert found.status is Status.FAIL and reason in found.reason
    assert ("swapped" in found.reason) == (case == "swapped")
    assert ("float16" in found.reason) == (case == "float16")


def test_nothing_is_required_where_tensorflow_is_not_finite() -> None:
    reference = {**REFERENCE, "scores": put(np.nan, 3, 1)(REFERENCE["scores"].copy())}
    for value in (np.nan, np.inf, 0.0):
        actual = {**REFERENCE, "scores": put(value, 3, 1)(REFERENCE["scores"].copy())}
        assert judge_outputs(actual, EXACT, reference, BUDGETS).status is Status.PASS


@pytest.mark.parametrize("kept", [True, False])
def test_subnormal_inputs_may_be_taken_for_zeros_but_nothing_else(kept: bool) -> None:
    x = np.array([[0.5], [0.9], [0.0], [1e-40], [-0.0]], np.float32)
    judged = Judged({"x": x}, 2, None, "three awkward rows", (ZEROS, SUBNORMAL, "negative zero"))
    exact = {"nonzero": (x != 0).astype(np.float64) + x}
    reference = {"nonzero": exact["nonzero"].astype(np.float32)}
    evidence = Evidence(judged, exact, reference, budget.derive(exact, reference, 2))
    outputs = {"nonzero": reference["nonzero"].copy()}
    outputs["nonzero"][3] = 1.0 if kept else 0.0
    assert compare(outputs, evidence).status is Status.PASS
    for row, wrong in ((3, 0.5), (4, 1.0), (2, 1.0)):
        changed = {"nonzero": outputs["nonzero"].copy()}
        changed["nonzero"][row] = wrong
        assert compare(changed, evidence).status is Status.FAIL


def test_the_budget_is_sharp() -> None:
    limits, scales = BUDGETS["scores"].limits_ulp, BUDGETS["scores"].scales
    step = limits[4] * np.exp2(np.floor(np.log2(scales[4])) - 23)
    for share, verdict in ((0.99, Status.PASS), (1.01, Status.FAIL)):
        shifted = EXACT["scores"].copy()
        shifted[4, 0] += share * step
        assert judge_outputs({**REFERENCE, "scores": shifted}, EXACT, REFERENCE, BUDGETS).status is verdict


def test_a_label_may_flip_only_at_a_near_tie() -> None:
    exact = np.array([[1.0, 1.0 + 1e-7, 0.0], [1.0, 0.5, 0.0], [0.2, 0.3, 0.9]])
    limits = budget.derive({"y": exact}, {"y": exact.astype(np.float32)}, 3)["y"]
    near = np.array([[1.0, 0.9, 0.0], [1.0, 0.5, 0.0], [0.2, 0.3, 0.9]], np.float32)
    far = np.array([[1.0, 0.9, 0.0], [0.4, 0.5, 0.0], [0.2, 0.3, 0.9]], np.float32)
    assert label_flips(exact.astype(np.float32), exact, limits) == (0, 0)
    assert label_flips(near, exact, limits) == (1, 1)
    assert label_flips(far, exact, limits) == (2, 1)


def test_outputs_that_do_not_vary_are_inconclusive() -> None:
    same = {"scores": np.tile(EXACT["scores"][:1], (ROWS, 1))}
    found = budget.derive(same, {"scores": same["scores"].astype(np.float32)}, ROWS)
    assert "does not vary" in inconclusive(same, found)
    assert inconclusive(EXACT, BUDGETS) == ""


def test_an_output_that_float32_does_not_determine_is_inconclusive() -> None:
    reference = {"scores": (EXACT["scores"] * (1 + 1e-2 * _rng.normal(size=(ROWS, 4)))).astype(np.float32)}
    exact = {"scores": EXACT["scores"]}
    assert "float32 does not determine this output" in inconclusive(exact, budget.derive(exact, reference, ROWS))


ORDERS: dict[str, Callable[[int], np.ndarray]] = {
    "forwards": lambda n: np.arange(n),
    "backwards": lambda n: np.arange(n)[::-1],
    "shuffled": lambda n: np.random.default_rng(3).permutation(n),
}


@pytest.mark.parametrize("order", ORDERS)
def test_a_correct_runtime_with_another_order_of_summation_passes(cnn: Exhibit, order: str) -> None:
    evidence = cnn.evidence
    outputs = {"probabilities": _network(cnn.captured.weights, evidence.judged.tensors["image"], ORDERS[order])}
    found = judge_outputs(outputs, evidence.exact, evidence.reference, evidence.budgets)
    assert (found.status, found.reason) == (Status.PASS, "")
    assert found.ulp_error > 0


def _network(w: dict[str, np.ndarray], image: np.ndarray, order: Callable[[int], np.ndarray]) -> np.ndarray:
    """The network of `parity_models.cnn`, one float32 addition after the other, nothing folded or fused."""
    padded = np.pad(image, ((0, 0), (0, 1), (0, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (1, 2))[:, ::2, ::2]
    x = _in_sequence(windows.reshape(*windows.shape[:3], 9), w["conv/kernel"].reshape(9, 6), order) + w["conv/bias"]
    scale = w["norm/gamma"] / np.sqrt(w["norm/moving_variance"] + np.float32(1e-3))
    x = np.maximum((x - w["norm/moving_mean"]) * scale + w["norm/beta"], np.float32(0))
    x = x.reshape(len(x), 7, 2, 7, 2, 6).max((2, 4)).reshape(len(x), -1)
    logits = _in_sequence(x, w["probabilities/kernel"], order) + w["probabilities/bias"]
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    result = powers / powers.sum(-1, keepdims=True)
    assert result.dtype == np.float32
    return result


def _in_sequence(x: np.ndarray, kernel: np.ndarray, order: Callable[[int], np.ndarray]) -> np.ndarray:
    total = np.zeros((*x.shape[:-1], kernel.shape[1]), np.float32)
    for k in order(len(kernel)):
        total += x[..., k, None] * kernel[k]
    return total
