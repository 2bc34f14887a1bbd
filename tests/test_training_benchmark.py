"""The race to a test accuracy: the first epoch that reaches it counts, and a side that never does is a bound."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks import training


class Threshold:
    """A model that answers 1 where a sample is at least its one weight."""

    def set_weights(self, weights: list[np.ndarray]) -> None:
        self.weight = weights[0]

    def predict(self, x: np.ndarray, **_: Any) -> np.ndarray:
        return np.stack([x < self.weight, x >= self.weight], axis=-1)


def run(*weights: float, target: float) -> dict[str, Any]:
    diary = training.Diary()
    diary.entries = [(10.0 * (k + 1), 5.0 * (k + 1), [np.array(w)]) for k, w in enumerate(weights)]
    x = np.linspace(0, 1, 100)
    return diary.judge(Threshold(), x, (x >= 0.5).astype(int), target)


def test_the_first_epoch_that_reaches_the_target_counts() -> None:
    found = run(0.0, 0.3, 0.49, 0.5, target=0.95)
    assert (found["reached"], found["epochs"], found["seconds"], found["cpu"]) == (3, 4, 30.0, 15.0)
    assert found["best"] == 1.0


def test_a_side_that_never_gets_there_is_charged_with_all_of_its_training() -> None:
    ours, theirs = run(0.3, 0.5, target=0.95), run(0.0, 0.1, 0.2, 0.3, target=0.95)
    assert theirs["reached"] is None and theirs["seconds"] == 40.0
    sides = {"isomer": [ours], "keras": [theirs]}
    ratios = training._ratios(sides)
    assert ratios["keras"] == {"seconds": 0.5, "cpu": 0.5, "bound": True}
    race = {"target": 0.95, "aim": training.AIM, "sides": sides, "ratios": ratios}
    text = "\n".join(training.lines({"mlp": race}))
    assert "not in 4 epochs" in text and "or less" in text
    assert training._ratios({"isomer": [theirs], "keras": [ours]}) == {}
