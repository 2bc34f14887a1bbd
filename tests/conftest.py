"""What several tests share: one tiny model, and the bundle that the command line makes of it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from command import run

from pipeline import frameworks

NATIVE = ("--runtime", "tensorflow,litert,onnxruntime", "--device", "cpu")


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`tiny.keras`: a convolution, "image" [batch, 8, 8, 1] to "probabilities" [batch, 10]."""
    frameworks.load()
    import keras

    keras.utils.set_random_seed(0)
    image = keras.Input((8, 8, 1), name="image")
    x = keras.layers.Conv2D(4, 3, activation="relu", name="conv")(image)
    x = keras.layers.Flatten(name="flat")(x)
    x = keras.layers.Dense(10, activation="softmax", name="probabilities")(x)
    path = tmp_path_factory.mktemp("tiny") / "tiny.keras"
    keras.Model(image, x).save(path)
    return path


@pytest.fixture(scope="session")
def tiny_bundle(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle of `tiny.keras`, all formats, judged in the native runtimes. Not to be changed."""
    output = tmp_path_factory.mktemp("exports")
    done = run("export", tiny_model, *NATIVE, "--output", output)
    assert done.code == 0, done.err
    return output / "tiny" / "1"


@pytest.fixture
def bundle(tiny_bundle: Path, tmp_path: Path) -> Path:
    """A copy of the bundle, at `exports/tiny/1` in the test's own directory, to do with as one likes."""
    return Path(shutil.copytree(tiny_bundle, tmp_path / "exports" / "tiny" / "1"))
