"""A weight that a converter multiplied into its neighbour is found there, and only if it is there."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.cells import Status
from pipeline.legalize import Constant
from pipeline.parity.weights import check_weights

RANDOM = np.random.default_rng(0)
KERNEL = RANDOM.normal(size=(8, 6)).astype(np.float32)
# Factors that are computed from a weight: a normalization by 1 + scale in front of a product.
SCALE = RANDOM.normal(size=8).astype(np.float32)
FACTORS = 1 + SCALE
EXPECTED = (
    Constant(KERNEL, frozenset({"dense/kernel"})),
    Constant(FACTORS, frozenset({"norm/scale"})),
)


def check(*held: np.ndarray) -> tuple[Status, list[str]]:
    result = check_weights("file", {"dense/kernel": KERNEL, "norm/scale": SCALE}, EXPECTED, held)
    return result.verdict, result.detail["missing"]


@pytest.mark.parametrize("turned", [False, True])
def test_factors_are_found_in_the_constant_that_they_scale(turned: bool) -> None:
    folded = KERNEL * FACTORS[:, None]
    assert check(folded.T if turned else folded) == (Status.PASS, [])


def test_both_apart_are_found() -> None:
    assert check(KERNEL, FACTORS) == (Status.PASS, [])


@pytest.mark.parametrize("change", [np.float32(1 + 1e-5), np.float32(-1)])
def test_factors_that_differ_in_one_place_are_missing(change: np.float32) -> None:
    wrong = FACTORS.copy()
    wrong[3] *= change
    assert check(KERNEL * wrong[:, None]) == (Status.FAIL, ["norm/scale"])


def test_factors_in_another_order_are_missing() -> None:
    assert check(KERNEL * FACTORS[::-1, None]) == (Status.FAIL, ["norm/scale"])


def test_factors_that_are_nowhere_are_missing() -> None:
    assert check(KERNEL) == (Status.FAIL, ["norm/scale"])
