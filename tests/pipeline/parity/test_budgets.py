"""The unit of error, and the budget that is derived from TensorFlow's own."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from pipeline.cells import Status
from pipeline.parity import budget, inputs, measure
from pipeline.parity.budget import AWKWARD_MULTIPLE, CEILING_ULP, FLOOR_ULP, MULTIPLE
from pipeline.parity.verdict import judge_outputs

normal = st.floats(2.0**-100, 2.0**100, width=32)
values = st.floats(-1000, 1000, width=32)


def tables(elements: st.SearchStrategy[float] = values, rows: int = 1) -> st.SearchStrategy[np.ndarray]:
    return arrays(np.float32, array_shapes(min_dims=2, max_dims=3, min_side=rows, max_side=8), elements=elements)


@given(normal)
def test_ulp_is_the_spacing_of_float32(value: float) -> None:
    assert measure.ulp(np.array([value], np.float64))[0] == np.spacing(np.float32(value))


@given(normal, st.integers(0, 50))
def test_the_error_counts_the_floats_in_between(value: float, steps: int) -> None:
    exact = np.array([[value]], np.float64)
    moved = np.float32(value).view(np.int32) - steps  # downwards, where the spacing is the same or half
    actual = np.array([[moved.view(np.float32)]])
    shown = measure.ulp_errors(actual, exact, measure.scale(exact, 1))[0]
    assert steps / 2 <= shown <= steps


@given(tables(), st.integers(-30, 30))
def test_errors_do_not_depend_on_the_unit_of_the_output(exact: np.ndarray, power: int) -> None:
    rng = np.random.default_rng(0)
    exact = exact.astype(np.float64) + 1e-3
    actual = exact + rng.normal(size=exact.shape) * 1e-5
    rows, factor = len(exact), 2.0**power
    plain = measure.ulp_errors(actual, exact, measure.scale(exact, rows))
    scaled = measure.ulp_errors(actual * factor, exact * factor, measure.scale(exact * factor, rows))
    np.testing.assert_allclose(scaled, plain, rtol=1e-9)


@given(tables(), st.integers(0, 8))
def test_a_row_counts_against_its_own_size_or_a_typical_one(exact: np.ndarray, regular: int) -> None:
    regular = min(regular, len(exact))
    scales = measure.scale(exact.astype(np.float64), regular)
    own = np.abs(exact.reshape(len(exact), -1)).max(1)
    assert np.all(scales >= own) and np.all(scales > 0)
    assert np.all((scales == own) | (scales == scales.min())), "the floor is one number"


def test_values_that_are_not_finite_have_no_scale() -> None:
    scales = measure.scale(np.array([[3.0, np.nan], [np.inf, 4.0], [np.nan, np.nan]]), 2)
    np.testing.assert_allclose(scales, [12.5**0.5, 4.0, 12.5**0.5])


@given(st.lists(st.floats(0, 1e12) | st.just(np.inf), max_size=50))
def test_the_histogram_counts_every_row_in_its_power_of_two(errors: list[float]) -> None:
    shown = np.array(errors, np.float64)
    bins = measure.histogram(shown)
    assert sum(bins) == len(errors)
    assert bins[:1] == () or bins[0] == np.count_nonzero(shown < 1)
    for k in range(1, min(len(bins), 23)):
        assert bins[k] == np.count_nonzero((2.0 ** (k - 1) <= shown) & (shown < 2.0**k))


@pytest.mark.parametrize(
    ("actual", "exact", "error"),
    [
        (np.nan, 1.0, np.inf),
        (np.inf, 1.0, np.inf),
        (1.0, np.nan, 0.0),
        (np.inf, np.inf, 0.0),
        (-0.0, 0.0, 0.0),
    ],
)
def test_values_that_are_not_finite(actual: float, exact: float, error: float) -> None:
    shown = measure.ulp_errors(np.array([[actual]], np.float32), np.array([[exact]]), np.ones(1))
    assert shown[0] == error


@given(tables(rows=2), st.floats(0, 1e-4), st.integers(1, 7))
def test_a_budget_is_a_multiple_of_what_tensorflow_shows(exact: np.ndarray, noise: float, regular: int) -> None:
    regular = min(regular, len(exact))
    truth = exact.astype(np.float64)
    reference = (truth * (1 + noise * np.random.default_rng(1).normal(size=truth.shape))).astype(np.float32)
    found = budget.derive({"y": truth}, {"y": reference}, regular)["y"]
    ordinary = found.reference_ulp[:regular].max()
    assert np.all(found.limits_ulp[:regular] == max(FLOOR_ULP, MULTIPLE * ordinary))
    awkward = np.maximum(AWKWARD_MULTIPLE * found.reference_ulp[regular:], MULTIPLE * ordinary)
    assert np.all(found.limits_ulp[regular:] == np.maximum(FLOOR_ULP, awkward))
    assert judge_outputs({"y": reference}, {"y": truth}, {"y": reference}, {"y": found}).status is Status.PASS


def test_an_awkward_row_is_not_held_to_a_lucky_sum() -> None:
    truth = np.ones((3, 4))
    found = budget.derive({"y": truth}, {"y": truth.astype(np.float32)}, 2, {"y": np.array([300.0])})["y"]
    assert found.limit == FLOOR_ULP and found.limit_awkward == 600.0


def test_variations_leave_what_is_no_measurement() -> None:
    """Indices and whole numbers stay legal; other floats are shrunk, in the awkward rows alone."""
    tensors = {"x": np.full((3, 2), 0.5, np.float32), "index": np.ones((3, 2), np.float32), "id": np.ones((3, 1), int)}
    judged = inputs.with_awkward(tensors, None, "rows")
    first, *others = inputs.variations(judged)
    assert others and all(np.array_equal(first[name], value[3:]) for name, value in judged.tensors.items())
    for rows in others:
        numbers = rows["x"][rows["x"] > 1e-30]
        assert np.all(numbers != 0.5) and np.all(np.abs(numbers - 0.5) < 0.01)
        assert all(np.array_equal(rows[name], first[name]) for name in ("index", "id"))


@given(tables(st.floats(1, 2, width=32), rows=3))
def test_awkward_rows_never_widen_the_budget_of_regular_ones(exact: np.ndarray) -> None:
    truth, regular = exact.astype(np.float64), len(exact) - 1
    reference = exact.copy()
    reference[-1] *= 1.5
    found = budget.derive({"y": truth}, {"y": reference}, regular)["y"]
    assert found.limit == FLOOR_ULP and found.limit_awkward > CEILING_ULP


@given(tables(rows=4), st.data())
def test_a_budget_of_some_rows_is_those_rows_of_the_budget(exact: np.ndarray, data: st.DataObject) -> None:
    truth, regular = exact.astype(np.float64), len(exact) - 2
    whole = budget.derive({"y": truth}, {"y": exact + np.float32(0.01)}, regular)["y"]
    rows = np.array(sorted(data.draw(st.sets(st.integers(0, len(exact) - 1), min_size=1))))
    part = whole.take(rows)
    assert part.regular == np.count_nonzero(rows < regular)
    np.testing.assert_array_equal(part.limits_ulp, whole.limits_ulp[rows])


def test_integer_outputs_have_no_budget() -> None:
    digits = np.arange(3)
    assert budget.derive({"digit": digits}, {"digit": digits}, 3) == {}
