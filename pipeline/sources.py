"""What the user named: a recipe to train, a `.keras` file to take as it is, or a function that returns a model."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline import calling, datasets, functions, keras_file, recipes
from pipeline.bundle.manifest import sha256
from pipeline.capture import Capture
from pipeline.datasets import Dataset
from pipeline.errors import DatasetError, ModelError, UsageError
from pipeline.invocation import Invocation
from pipeline.parity import inputs
from pipeline.parity.inputs import Judged
from pipeline.parity.legal import invent
from pipeline.progress import Observer
from pipeline.signature import TensorSpec

_MODEL_SUFFIXES = (".keras", ".h5", ".hdf5", ".zip")
_FUNCTION = re.compile(r"(.+\.py):([A-Za-z_]\w*)")
_MNIST_KEYS = {"x_train", "y_train", "x_test", "y_test"}
_LABEL_KEYS = ("labels", "y_test", "y")


@dataclass(frozen=True)
class Source:
    """A model's origin, before anything heavy is imported.

    Attributes:
        kind: "recipe", "keras-file" or "function".
        name: of the model and its directory below the output.
        path: of the recipe's, the model's or the function's file.
        sha256: of that file.
        function: name of what returns the model, or is it.
    """

    kind: str
    name: str
    path: Path
    sha256: str
    function: str = ""

    def to_json(self) -> dict[str, str]:
        name = f"{self.path.name}:{self.function}" if self.function else self.path.name
        return {"kind": self.kind, "name": name, "sha256": self.sha256}


@dataclass(frozen=True)
class Loaded:
    """A model in memory.

    Attributes:
        model: a built `keras.Model`.
        file: its `.keras` file; None for a model that only exists in memory.
        dataset: what it was trained on or is to be judged on; None for a bare model.
        receipt: of the training; None for a bare model.
        invocation: how it is called; None where the model says so itself.
        precisions: that its recipe wants.
    """

    model: Any
    file: Path | None
    dataset: Dataset | None
    receipt: dict[str, Any] | None
    invocation: Invocation | None = None
    precisions: tuple[str, ...] = ()


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
    if found := _FUNCTION.fullmatch(text):
        return _function(Path(found[1]), found[2])
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
    declared: Sequence[TensorSpec] = (),
) -> Loaded:
    """Load a `.keras` file, call a function, or take the training of a recipe, made now if there is none of it.

    Args:
        data: MNIST as an `.npz`, or arrays by input name for a model that is no recipe.
        runs: where trainings are kept.
        declared: the inputs of a model that does not store them.

    Raises:
        UsageError, EnvironmentFault: as the modules that do the work.
    """
    if source.kind != "recipe":
        dataset = datasets.load("mnist", data) if data is not None and _keys(data) >= _MNIST_KEYS else None
        model, called = build(source, unsafe=unsafe, seed=seed, declared=declared)
        return Loaded(model, source.path if source.kind == "keras-file" else None, dataset, None, called)
    if declared:
        raise UsageError("A recipe's inputs are those of its model.", "Leave out --input.")
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
    return Loaded(done.model, done.path, dataset, done.receipt, precisions=recipe.precisions)


def build(
    source: Source, *, unsafe: bool = False, seed: int = 0, declared: Sequence[TensorSpec] = ()
) -> tuple[Any, Invocation | None]:
    """The model without a training, and how it is called (None where the model says so itself).

    Raises:
        ModelError: it cannot be loaded, built or called.
    """
    if source.kind == "recipe":
        return recipes.load(source.path).build(), None
    if source.kind == "keras-file":
        model, structure = keras_file.load(source.path, unsafe, declared), None
    else:
        model, structure = functions.build(source.path, source.function, seed)
    if structure is not None and not declared:
        return model, calling.of_structure(model, structure)
    return model, calling.of_model(model, declared)


def _function(path: Path, function: str) -> Source:
    if not path.is_file():
        raise ModelError(f"There is no file '{path}'.", "Give a Python file and a function: module.py:build.")
    name = path.stem if function == "build" else f"{path.stem}-{function}"
    if not re.fullmatch(r"[A-Za-z0-9_][\w.-]*", name, re.ASCII):
        raise UsageError(f"The file name '{path.name}' cannot name a model.", "Use letters, digits, '_', '-' and '.'.")
    return Source("function", name, path, sha256(path), function)


def judged_inputs(loaded: Loaded, captured: Capture, data: Path | None, seed: int) -> Judged:
    """The rows that cells are judged on: the test set, the user's arrays, or synthetic ones.

    Raises:
        UsageError: they do not fit the signature, or the model fails on them.
    """
    if loaded.dataset is not None:
        return inputs.from_dataset(loaded.dataset, captured.signature)
    if data is None:
        return invent(captured, loaded.model, seed)
    arrays = _read(data)
    names = {t.name for t in captured.signature.inputs}
    labels = next((arrays[k] for k in _LABEL_KEYS if k in arrays and k not in names), None)
    if labels is not None:
        labels = np.squeeze(labels, -1) if labels.ndim == 2 and labels.shape[1] == 1 else labels
        if labels.ndim != 1 or labels.dtype.kind not in "iub":
            raise DatasetError(
                f"The labels in '{data}' are {labels.dtype} {list(labels.shape)}.", "Give class numbers."
            )
        labels = labels.astype(np.int64)
    return inputs.from_arrays(arrays, labels, captured.signature, f"'{data}'")


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
        if "Object arrays" in str(error):
            raise DatasetError(
                f"'{path}' holds arrays of Python objects, which are not read.", "Save text as an array of numpy.str_."
            ) from error
        raise DatasetError(f"'{path}' is not an .npz file: {error}.", "Write it with numpy.savez.") from error
