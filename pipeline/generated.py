"""Small data sets that need no network: generated from a fixed seed, each to teach one thing.

Every function returns the four arrays as float32 samples and int64 class numbers (or float32 targets).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Raw = dict[str, np.ndarray]

SEED = 0
TRAIN, TEST = 2_000, 1_000


@dataclass(frozen=True)
class Generated:
    """How one data set comes about.

    Attributes:
        make: returns samples [N, ...] and labels [N] for a generator and a number of samples.
        classes: number of labels; 0 where the labels are numbers to predict.
        columns: names of a sample's values; empty for signals.
        origin: the data set in a sentence.
    """

    make: Callable[[np.random.Generator, int], tuple[np.ndarray, np.ndarray]]
    classes: int
    columns: tuple[str, ...]
    origin: str

    def raw(self) -> Raw:
        """The four arrays."""
        samples, labels = self.make(np.random.default_rng(SEED), TRAIN + TEST)
        kind = np.int64 if self.classes else np.float32
        samples, labels = np.ascontiguousarray(samples, np.float32), np.ascontiguousarray(labels, kind)
        return {
            "x_train": samples[:TRAIN],
            "y_train": labels[:TRAIN],
            "x_test": samples[TRAIN:],
            "y_test": labels[TRAIN:],
        }


def _xor(random: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    corners = random.integers(0, 2, (count, 2))
    return corners + random.normal(0, 0.12, (count, 2)), corners[:, 0] ^ corners[:, 1]


def _rings(random: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    labels = random.integers(0, 2, count)
    radius = np.where(labels == 1, 0.5, 1.0) + random.normal(0, 0.1, count)
    return _polar(radius, random.uniform(0, 2 * np.pi, count)), labels


def _spirals(random: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    labels = random.integers(0, 3, count)
    along = np.sqrt(random.uniform(0.01, 1, count))
    angle = 1.25 * 2 * np.pi * along + labels * (2 * np.pi / 3)
    return _polar(along, angle) + random.normal(0, 0.035, (count, 2)), labels


def _waves(random: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Sine, square and sawtooth of any phase, one and a half to three periods in 48 steps, noisy."""
    labels = random.integers(0, 3, count)
    periods, phase = random.uniform(1.5, 3, (count, 1)), random.random((count, 1))
    turn = (np.arange(48) / 48 * periods + phase) % 1
    shapes = np.stack([np.sin(2 * np.pi * turn), np.where(turn < 0.5, 0.8, -0.8), 1.4 * (2 * turn - 1) / 1.2])
    waves = shapes[labels, np.arange(count)] + random.normal(0, 0.25, (count, 48))
    return waves[:, :, None], labels


def _polar(radius: np.ndarray, angle: np.ndarray) -> np.ndarray:
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)


def _tabular(random: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Two groups a class on either side of the other's in six columns, four of noise; one label in fifty is wrong."""
    labels = random.integers(0, 2, count)
    directions = np.array([[1, 1, 1, 1, 1, 1], [1, 1, 1, -1, -1, -1]])[labels]
    centres = 1.4 * directions * random.choice([-1, 1], (count, 1)) + 0.5 * labels[:, None]
    samples = np.concatenate([centres + random.normal(0, 1, (count, 6)), random.normal(0, 1, (count, 4))], axis=1)
    return samples, labels ^ (random.random(count) < 0.02)


def _loan(random: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Whether a loan is paid back: a chance that falls with the burden and rises with age and steady work."""
    age = random.uniform(18, 75, count)
    income = np.exp(random.normal(10.8, 0.5, count))
    amount = np.exp(random.normal(10.2, 0.7, count))
    employed = np.minimum(random.exponential(6, count), age - 18)
    debt = random.beta(2, 4, count)
    burden = np.log(amount / income)
    score = 2.5 - 2.6 * burden - 7.0 * debt + 0.25 * employed - 0.004 * (age - 48) ** 2
    repaid = random.random(count) < 1 / (1 + np.exp(-1.5 * score))
    return np.stack([age, income, amount, employed, debt], axis=1), repaid


def _housing(random: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Price in 100,000: area times a rate that falls with the distance, less wear, give or take a tenth."""
    area = random.uniform(30, 220, count)
    rooms = np.clip(np.rint(area / 28 + random.normal(0, 0.8, count)), 1, None)
    age = random.uniform(0, 100, count)
    distance = random.exponential(8, count)
    rate = 0.012 + 0.045 * np.exp(-distance / 6)
    price = area * rate * (1 - 0.3 * np.sin(np.pi * age / 100)) + 0.15 * rooms
    return np.stack([area, rooms, age, distance], axis=1), price * np.exp(random.normal(0, 0.1, count))


SETS = {
    "xor": Generated(_xor, 2, ("a", "b"), "generated: four clouds at the corners of a square, labelled a XOR b"),
    "rings": Generated(_rings, 2, ("x", "y"), "generated: a ring inside a ring, noisy"),
    "spirals": Generated(_spirals, 3, ("x", "y"), "generated: three intertwined spirals, noisy"),
    "waves": Generated(_waves, 3, (), "generated: sine, square and sawtooth waves of any phase, noisy"),
    "tabular": Generated(
        _tabular,
        2,
        tuple(f"column_{i}" for i in range(1, 11)),
        "generated: two groups a class in ten columns, four of them noise, 2 % wrong labels",
    ),
    "loan": Generated(
        _loan,
        2,
        ("age", "income", "amount", "years_employed", "debt_ratio"),
        "generated: loans paid back or not, by a chance that depends on five features of different scales",
    ),
    "housing": Generated(
        _housing,
        0,
        ("area", "rooms", "age", "distance"),
        "generated: houses and their prices in 100,000, by a formula with 10 % noise",
    ),
}
"""The data sets by name."""
