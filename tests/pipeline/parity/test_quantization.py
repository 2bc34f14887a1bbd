"""What a reduced precision costs: figures, intervals and the gate."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.parity.quantization import cost, explained, mcnemar, paired_interval, sqnr, wilson


def _right(both: int, only: int, other: int, neither: int) -> tuple[np.ndarray, np.ndarray]:
    ours = [True] * both + [True] * only + [False] * other + [False] * neither
    base = [True] * both + [False] * only + [True] * other + [False] * neither
    return np.array(ours), np.array(base)


def test_wilson_interval_of_a_known_case() -> None:
    # Newcombe, Statistics in Medicine 17 (1998) 857, table I: 81 of 263.
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)


def test_interval_of_a_difference_of_pairs() -> None:
    ours, base = _right(9000, 20, 40, 940)
    low, high = paired_interval(ours, base)
    assert low < -0.002 < high < 0
    swapped = paired_interval(base, ours)
    assert swapped == pytest.approx((-high, -low))
    same = paired_interval(base, base)
    assert same[0] < 0 < same[1]


def test_interval_covers_the_truth_as_often_as_it_says() -> None:
    random = np.random.default_rng(0)
    chances = [0.90, 0.02, 0.03, 0.05]
    truth, covered = chances[1] - chances[2], 0
    for _ in range(2000):
        low, high = paired_interval(*_right(*random.multinomial(400, chances)))
        covered += low <= truth <= high
    assert 0.93 <= covered / 2000 <= 0.985


def test_mcnemar() -> None:
    assert mcnemar(*_right(90, 0, 0, 10)) == 1.0
    assert mcnemar(*_right(90, 0, 5, 5)) == pytest.approx(2 / 32)
    assert mcnemar(*_right(9000, 700, 900, 0)) < 1e-5


def test_noise_and_explained_variance() -> None:
    signal = np.random.default_rng(0).normal(size=(1000, 3)).astype(np.float32)
    noisy = signal + np.float32(0.1) * np.random.default_rng(1).normal(size=signal.shape).astype(np.float32)
    assert sqnr(noisy, signal) == pytest.approx(20, abs=0.3)
    assert explained(noisy, signal) == pytest.approx(0.99, abs=0.002)
    assert sqnr(signal, signal) == np.inf
    assert explained(np.zeros_like(signal), signal) <= 0
    assert explained(signal + 5, signal) < 0  # a constant that is off explains nothing


def test_the_gate_is_about_labels_where_there_are_any() -> None:
    base = np.eye(10, dtype=np.float32)[np.arange(1000) % 10]
    labels = np.arange(1000) % 10
    worse = base.copy()
    worse[:15] = np.roll(worse[:15], 1, axis=1)
    found = cost({"p": worse}, {"p": base}, "p", labels, 0.99)
    assert (found.measure, found.kept) == ("accuracy", pytest.approx(0.985))
    assert "the gate is 99.0%" in found.reason
    assert not cost({"p": worse}, {"p": base}, "p", labels, 0.98).reason
    assert cost({"p": worse}, {"p": base}, "p", None, 0.99).measure == "agreement"
    assert cost({"p": worse}, {"p": base}, None, None, 0.99).measure == "explained"
