"""A user's own data set: read as it is, or refused in one sentence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from command import refused, run

from pipeline import datasets
from pipeline.errors import DatasetError

RANDOM = np.random.default_rng(0)
GOOD = {
    "x_train": RANDOM.normal(0, 1, (40, 3)),
    "y_train": np.arange(40) % 4,
    "x_test": RANDOM.normal(0, 1, (12, 3)),
    "y_test": np.arange(12) % 4,
}


def write(path: Path, **changes: np.ndarray | None) -> Path:
    arrays = {name: value for name, value in {**GOOD, **changes}.items() if value is not None}
    np.savez(path, **arrays)
    return path


def test_classes_numbers_and_bytes_are_told_apart_by_their_dtype(tmp_path: Path) -> None:
    data = datasets.load(str(write(tmp_path / "mine.npz")))
    assert (data.name, data.classes, data.substitute, data.origin) == ("mine", 4, False, str(tmp_path / "mine.npz"))
    assert (data.x_train.dtype, data.y_train.dtype, data.x_test.shape) == (np.float32, np.int64, (12, 3))
    prices = datasets.load(
        str(write(tmp_path / "prices.npz", y_train=np.linspace(0, 1, 40)[:, None], y_test=np.linspace(0, 1, 12)))
    )
    assert (prices.classes, prices.y_train.dtype, prices.y_train.shape) == (0, np.float32, (40,))
    images = np.full((40, 8, 8), 255, np.uint8)
    seen = datasets.load(str(write(tmp_path / "images.npz", x_train=images, x_test=images[:12])))
    assert seen.x_train.shape == (40, 8, 8) and float(seen.x_train.max()) == 1.0
    assert len({data.sha256, prices.sha256, seen.sha256}) == 3


def holed() -> np.ndarray:
    x = GOOD["x_train"].copy()
    x[5, 1] = x[9] = np.nan
    return x


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"y_test": None}, "lacks the array y_test"),
        ({"x_train": holed()}, "NaN or infinity in 2 of 40 samples, the first is number 5"),
        ({"x_test": np.zeros((0, 3)), "y_test": np.zeros(0, int)}, "x_test .* is empty"),
        ({"y_train": np.zeros(40, int)}, "All 40 labels of y_train .* are 0"),
        ({"y_train": np.arange(39) % 4}, "40 samples in x_train, but 39 labels"),
        ({"x_test": np.zeros((12, 4))}, r"x_train has shape \(3,\), one of x_test \(4,\)"),
        ({"y_train": np.arange(40) % 4 - 1}, "begin at -1"),
        ({"y_test": np.full(12, 7)}, "has class 7, which y_train lacks"),
        ({"y_train": np.array(["cat", "dog"] * 20)}, "not numbers"),
        ({"x_train": np.zeros(40)}, r"x_train .* has shape \(40,\)"),
        ({"x_train": np.array([{}] * 40, object)}, "not a readable"),
    ],
)
def test_data_that_cannot_be_learned_from_are_refused(
    tmp_path: Path, changes: dict[str, np.ndarray | None], words: str
) -> None:
    with pytest.raises(DatasetError, match=words) as caught:
        datasets.load(str(write(tmp_path / "mine.npz", **changes)))
    assert str(tmp_path / "mine.npz") in caught.value.what and caught.value.fix and caught.value.exit_code == 2


def test_the_command_says_it_in_one_sentence(tmp_path: Path) -> None:
    write(tmp_path / "mine.npz", x_train=holed())
    (tmp_path / "net.py").write_text(
        'dataset, batch_size, epochs, loss, metrics = "mine.npz", 8, 1, "mse", ["mae"]\n'
        "def build(): ...\ndef optimizer(steps): ...\ndef callbacks(): ...\n"
    )
    refused(run("train", tmp_path / "net.py", "--runs", tmp_path / "runs"), 2, "NaN or infinity in 2 of 40 samples")
