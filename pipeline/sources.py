"""What the user named: a recipe to train, or a `.keras` file to take as it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline import datasets, keras_file, recipes
from pipeline.bundle.manifest import sha256
from pipeline.datasets import Dataset
from pipeline.errors import DatasetError, ModelError
from pipeline.parity import inputs
from pipeline.parity.inputs import Judged
from pipeline.progress import Observer
from pipeline.signature import Signature

_MODEL_SUFFIXES = (".keras", ".h5", ".hdf5", ".zip")
_MNIST_KEYS = {"x_train", "y_train", "x_test", "y_test"}
_LABEL_KEYS = ("labels", "y_test", "y")


@dataclass(frozen=True)
class Source:
    """A model's origin, before anything heavy is imported.

    Attributes:
        kind: "recipe" or "keras-file".
        name: of the model and its directory below the output.
        path: of the recipe's or the model's file.
        sha256: of that file.
    """

    kind: str
    name: str
    path: Path
    sha256: str

    def to_json(self) -> dict[str, str]:
        return {"kind": self.kind, "name": self.path.name, "sha256": self.sha256}


@dataclass(frozen=True)
class Loaded:
    """A model in memory.

    Attributes:
        model: a built `keras.Model`.
        file: its `.keras` file.
        dataset: what it was trained on or is to be judged on; None for a bare file.
        receipt: of the training; None for a bare file.
    """

    model: Any
    file: Path
    dataset: Dataset | None
    receipt: dict[str, Any] | None


def resolve(text: str, unsafe: bool = False) -> Source:
    """Find what a name or path means; quick, imports neither TensorFlow nor the recipe.

    Args:
        unsafe: allow Python code inside a `.keras` file.

    Raises:
        UsageError: there is no such recipe or file, or a `.keras` file that is damaged or refused.
    """
    path = Path(text)
    if path.suffix.lower() in _MODEL_SUFFIXES:
        if not path.is_file():
            raise ModelError(f"There is no file '{path}'.", "Give the path of a .keras file or the name of a recipe.")
        keras_file.check(path, unsafe)
        return Source("keras-file", path.stem, path, sha256(path))
    path = recipes.find(text)
    return Source("recipe", path.stem, path, sha256(path))


def load(
    source: Source,
    *,
    data: Path | None,
    seed: int,
    epochs: int | None,
    runs: Path,
    unsafe: bool,
    observer: Observer,
) -> Loaded:
    """Load a `.keras` file, or the training of a recipe, made now if there is none of it.

    Args:
        data: MNIST as an `.npz`, or arrays by input name for a `.keras` file.
        runs: where trainings are kept.

    Raises:
        UsageError, EnvironmentFault: as the modules that do the work.
    """
    if source.kind == "keras-file":
        dataset = datasets.load("mnist", data) if data is not None and _keys(data) >= _MNIST_KEYS else None
        return Loaded(keras_file.load(source.path, unsafe), source.path, dataset, None)
    recipe = recipes.load(source.path)
    observer.stage(source.name, f"looking for the dataset {recipe.dataset}")
    dataset = datasets.load(recipe.dataset, data, download=True)
    if dataset.notice:
        observer.notice(dataset.notice)
    from pipeline import training

    runs = training.place(runs, dataset)
    done = training.load_trained(recipe, dataset, seed=seed, epochs=epochs, directory=runs)
    if done is None:
        observer.stage(source.name, f"training on {dataset.name}")
        done = training.train(recipe, dataset, seed=seed, epochs=epochs, directory=runs, progress=observer.epoch)
    return Loaded(done.model, done.path, dataset, done.receipt)


def judged_inputs(loaded: Loaded, signature: Signature, data: Path | None, seed: int) -> Judged:
    """The rows that cells are judged on: the test set, the user's arrays, or synthetic ones.

    Raises:
        UsageError: they do not fit the signature.
    """
    if loaded.dataset is not None:
        return inputs.from_dataset(loaded.dataset, signature)
    if data is not None:
        arrays = _read(data)
        labels = next((arrays[k] for k in _LABEL_KEYS if k in arrays), None)
        return inputs.from_arrays(arrays, None if labels is None else labels.astype(np.int64), signature, f"'{data}'")
    return inputs.synthetic(signature, inputs.ranges_of(loaded.model), seed)


def _keys(path: Path) -> set[str]:
    return set(_opened(path, lambda archive: list(archive.files)))


def _read(path: Path) -> dict[str, np.ndarray]:
    arrays: dict[str, np.ndarray] = _opened(path, lambda archive: {k: archive[k] for k in archive.files})
    return arrays


def _opened(path: Path, take: Callable[[Any], Any]) -> Any:
    if not path.is_file():
        raise DatasetError(f"There is no file '{path}'.", "Give an .npz file with one array per input.")
    try:
        with np.load(path, allow_pickle=False) as archive:
            return take(archive)
    except (OSError, ValueError, AttributeError) as error:
        raise DatasetError(f"'{path}' is not an .npz file: {error}.", "Write it with numpy.savez.") from error
