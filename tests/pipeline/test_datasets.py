"""Datasets: real MNIST is recognized, anything else is refused or named for what it is."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from pipeline import datasets
from pipeline.errors import DatasetError

MNIST = os.environ.get("ISOMER_MNIST", "")


@pytest.fixture(autouse=True)
def no_mnist_anywhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("ISOMER_MNIST", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))


def write_npz(path: Path, **changes: np.ndarray | None) -> Path:
    """A file with MNIST's shapes and types, all zeros, but for the changes (None leaves an array out)."""
    arrays = {part: np.zeros(shape, np.uint8) for part, shape in datasets.MNIST_SHAPES.items()} | changes
    np.savez_compressed(path, **{name: value for name, value in arrays.items() if value is not None})
    return path


@pytest.mark.skipif(not MNIST, reason="ISOMER_MNIST names no file: real MNIST is not here")
def test_real_mnist_is_recognized_and_scaled() -> None:
    data = datasets.load(data=Path(MNIST))
    assert (data.name, data.substitute, data.notice, data.origin) == ("mnist", False, "", MNIST)
    assert data.sha256 == datasets.MNIST_SHA256
    assert data.x_train.shape == (60_000, 28, 28) and data.x_train.dtype == np.float32
    assert data.x_train.min() == 0.0 and data.x_train.max() == 1.0
    assert data.y_test.shape == (10_000,) and data.y_test.dtype == np.int64
    assert list(data.y_test[:5]) == [7, 2, 1, 0, 4]


@pytest.mark.skipif(not MNIST, reason="ISOMER_MNIST names no file: real MNIST is not here")
def test_mnist_is_found_in_the_environment_and_in_keras_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    cache = tmp_path / "keras" / "datasets"
    cache.mkdir(parents=True)
    (cache / "mnist.npz").symlink_to(Path(MNIST).resolve())
    assert datasets.load().origin == str(cache / "mnist.npz")
    monkeypatch.setenv("ISOMER_MNIST", MNIST)
    assert datasets.load().origin == MNIST


@pytest.mark.parametrize(
    ("changes", "expected", "found"),
    [
        ({"x_test": np.zeros((9_999, 28, 28), np.uint8)}, "(10000, 28, 28)", "(9999, 28, 28)"),
        ({"y_train": np.zeros(60_000, np.int64)}, "uint8", "<i8"),
        ({"x_test": None}, "x_test", "x_train.npy"),
        ({}, datasets.MNIST_SHA256, "other content"),
    ],
)
def test_a_file_that_is_not_mnist_is_refused_with_what_was_expected(
    tmp_path: Path, changes: dict[str, np.ndarray | None], expected: str, found: str
) -> None:
    path = write_npz(tmp_path / "other.npz", **changes)
    with pytest.raises(DatasetError) as caught:
        datasets.load(data=path)
    assert str(path) in caught.value.what and expected in caught.value.what and found in caught.value.what
    assert "ISOMER_MNIST" in caught.value.fix and caught.value.exit_code == 2


def test_a_missing_or_damaged_file_is_refused_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DatasetError, match="no dataset file"):
        datasets.load(data=tmp_path / "absent.npz")
    damaged = write_npz(tmp_path / "damaged.npz")
    damaged.write_bytes(damaged.read_bytes()[:-200])
    monkeypatch.setenv("ISOMER_MNIST", str(damaged))
    with pytest.raises(DatasetError, match=r"not a readable \.npz"):
        datasets.load()


def test_objects_in_a_file_are_never_unpickled(tmp_path: Path) -> None:
    path = write_npz(tmp_path / "pickle.npz", x_train=np.array([{"a": 1}], object))
    with pytest.raises(DatasetError, match=r"found \|O"):
        datasets.load(data=path)


def test_more_data_than_the_header_promises_is_not_read(tmp_path: Path) -> None:
    """An archive whose members inflate without end is read only as far as MNIST reaches."""
    path = tmp_path / "bomb.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for part, shape in datasets.MNIST_SHAPES.items():
            with archive.open(f"{part}.npy", "w") as member:
                header = {"descr": "|u1", "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_1_0(member, header)
                for _ in range(100 if part == "x_train" else 8):
                    member.write(bytes(1 << 20))
    with pytest.raises(DatasetError, match="other content"):
        datasets.load(data=path)


def test_without_mnist_the_digits_take_its_place_and_say_so() -> None:
    data = datasets.load("mnist")
    assert data.name == "digits" and data.substitute
    assert "8x8 digits" in data.notice and "--data" in data.notice
    assert data.x_train.shape == (1442, 28, 28) and data.x_test.shape == (355, 28, 28)
    assert data.x_train.dtype == np.float32 and data.x_train.min() >= 0 and data.x_train.max() <= 1
    assert set(data.y_test) == set(range(10)) and min(np.bincount(data.y_test)) >= 34
    again = datasets.load("digits")
    assert again.sha256 == data.sha256 and not again.substitute and not again.notice


def test_a_wrong_file_in_keras_cache_is_passed_over_by_name(tmp_path: Path) -> None:
    cache = tmp_path / "keras" / "datasets"
    cache.mkdir(parents=True)
    (cache / "mnist.npz").write_bytes(b"<html>not here</html>")
    data = datasets.load()
    assert data.substitute and str(cache) in data.notice


def test_unknown_names_get_a_suggestion() -> None:
    with pytest.raises(DatasetError, match="Did you mean 'mnist'"):
        datasets.load("minst")


def test_neither_datasets_nor_recipes_wait_for_tensorflow() -> None:
    code = (
        "import sys; from pipeline import datasets, recipes; datasets.load('digits'); recipes.find('mlp');"
        "sys.exit(bool({'tensorflow', 'keras'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
