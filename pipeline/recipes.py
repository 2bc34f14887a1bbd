"""Find a recipe, import it in isolation and check it: a dataset's name, an architecture and training settings.

A recipe is a small Python file; `models/README.md` shows one. Finding and listing recipes imports neither
TensorFlow nor Keras; loading one does, because the recipe does.
"""

from __future__ import annotations

import hashlib
import re
import sys
import traceback
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from pipeline import frameworks, precisions
from pipeline.awareness import AWARE_OF
from pipeline.errors import ModelError, UsageError

HOME = Path(__file__).resolve().parent.parent / "models"
GUIDE = "models/README.md shows what a recipe defines."


@dataclass(frozen=True)
class Recipe:
    """One recipe, checked. Its functions raise ModelError, naming file and line, where the recipe's own code fails.

    Attributes:
        name: the file's name without ".py"; names the model everywhere.
        path: of the file.
        sha256: of the file's bytes.
        dataset: a name that `pipeline.datasets.load` knows, or the path of an `.npz` file.
        batch_size, epochs: positive; `epochs` is the most that EarlyStopping may use.
        precisions: what else than float32 is exported, unless the user says so.
        aware_of: a precision that the last quarter of the epochs, in addition, is trained for; or nothing.
        loss, metrics: as `keras.Model.compile` takes them; with several outputs, dicts by output name.
    """

    name: str
    path: Path
    sha256: str
    dataset: str
    batch_size: int
    epochs: int
    loss: Any
    metrics: Any
    precisions: tuple[str, ...]
    aware_of: str
    module: ModuleType = field(repr=False, compare=False)

    def build(self) -> Any:
        """A new `keras.Model` with fresh weights."""
        import keras

        model = self._call("build")
        if not isinstance(model, keras.Model):
            raise ModelError(f"build() in {self.path} returned {_describe(model)}, not a keras.Model.", GUIDE)
        return model

    def optimizer(self, steps_per_epoch: int) -> Any:
        """A new `keras.optimizers.Optimizer`, whose schedule may count on `epochs * steps_per_epoch` steps."""
        import keras

        optimizer = self._call("optimizer", steps_per_epoch)
        if not isinstance(optimizer, keras.optimizers.Optimizer):
            raise ModelError(
                f"optimizer() in {self.path} returned {_describe(optimizer)}, not a keras.optimizers.Optimizer.", GUIDE
            )
        return optimizer

    def callbacks(self) -> list[Any]:
        """New Keras callbacks. One is an EarlyStopping on a val_* metric that restores the best weights."""
        import keras

        callbacks = self._call("callbacks")
        if not isinstance(callbacks, list | tuple) or not all(
            isinstance(c, keras.callbacks.Callback) for c in callbacks
        ):
            raise ModelError(f"callbacks() in {self.path} did not return a list of Keras callbacks.", GUIDE)
        stopping = [c for c in callbacks if isinstance(c, keras.callbacks.EarlyStopping)]
        if len(stopping) != 1 or not stopping[0].restore_best_weights or not stopping[0].monitor.startswith("val_"):
            raise ModelError(
                f"callbacks() in {self.path} needs one EarlyStopping that monitors a val_* metric "
                "with restore_best_weights=True.",
                GUIDE,
            )
        return list(callbacks)

    def fresh_metrics(self) -> Any:
        """The metrics for one `compile`: metric objects hold variables, so that every model gets its own."""
        import keras

        def renew(metric: Any) -> Any:
            if not isinstance(metric, keras.metrics.Metric):
                return metric
            return type(metric).from_config(metric.get_config())

        return keras.tree.map_structure(renew, self.metrics)

    def adapt(self, model: Any, samples: np.ndarray) -> None:
        """Let layers that learn from the training samples without gradients (Normalization) do so."""
        if hasattr(self.module, "adapt"):
            self._call("adapt", model, samples)

    def targets(self, samples: np.ndarray, labels: np.ndarray) -> Any:
        """What the outputs should be: the labels, or arrays by output name."""
        if not hasattr(self.module, "targets"):
            return labels
        found = self._call("targets", samples, labels)
        parts = list(found.values()) if isinstance(found, dict) else [found]
        if not parts or not all(isinstance(part, np.ndarray) and len(part) == len(samples) for part in parts):
            raise ModelError(
                f"targets() in {self.path} must return an array of {len(samples)} rows, or a dict of such arrays by "
                "output name.",
                GUIDE,
            )
        return found

    @property
    def augments(self) -> bool:
        return hasattr(self.module, "augment")

    def augment(self, images: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """A varied copy of a training batch, same shape and dtype float32; the batch itself without a hook."""
        if not self.augments:
            return images
        varied = self._call("augment", images, random)
        if not isinstance(varied, np.ndarray) or varied.shape != images.shape or varied.dtype != np.float32:
            raise ModelError(
                f"augment() in {self.path} returned {_describe(varied)}, not a float32 array of shape {images.shape}.",
                GUIDE,
            )
        return varied

    def _call(self, function: str, *arguments: Any) -> Any:
        try:
            with redirect_stdout(sys.stderr):  # stdout belongs to --json
                return getattr(self.module, function)(*arguments)
        except (Exception, SystemExit) as error:
            raise ModelError(f"{function}() in {_locate(error, self.path)} raised {_quote(error)}.", GUIDE) from error


def names() -> tuple[str, ...]:
    """The recipes that come with isomer, sorted."""
    return tuple(sorted(p.stem for p in HOME.glob("*.py") if not p.stem.startswith("_")))


def find(name_or_path: str | Path) -> Path:
    """The file of a recipe: one that comes with isomer, by name, or any .py file by its path.

    Raises:
        UsageError: there is none.
    """
    text = str(name_or_path)
    if text in names():
        return HOME / f"{text}.py"
    if not text.endswith(".py"):
        close = get_close_matches(text.lower(), names(), 1, 0.5)
        known = f"Known are {', '.join(names())}, and any .py file by its path."
        raise UsageError(f"There is no recipe '{text}'.", f"Did you mean '{close[0]}'? {known}" if close else known)
    path = Path(text).expanduser()
    if not path.is_file():
        raise UsageError(f"There is no recipe file '{path}'.", "Check the path.")
    if not re.fullmatch(r"[A-Za-z0-9_][\w.-]*", path.stem, re.ASCII):
        raise UsageError(
            f"The recipe's file name '{path.name}' cannot name a model.", "Use letters, digits, '_', '-' and '.'."
        )
    return path.resolve()


def load(name_or_path: str | Path) -> Recipe:
    """Find a recipe, run its file, and check what it defines. Runs the code in the file: it is the user's own.

    Raises:
        UsageError: there is no such recipe.
        ModelError: the file cannot be read or raises, or lacks an attribute or has one of a wrong type.
    """
    path = find(name_or_path)
    try:
        source = path.read_bytes()
    except OSError as error:
        raise ModelError(f"The recipe {path} cannot be read: {error.strerror}.", "Check its permissions.") from error
    sha256 = hashlib.sha256(source).hexdigest()
    frameworks.load()  # the recipe imports Keras: in our way, not in its own
    module = _run(path, source, f"isomer_recipe_{sha256[:16]}")
    epochs, batch_size = _take(module, path, "epochs", int), _take(module, path, "batch_size", int)
    for attribute, value in (("epochs", epochs), ("batch_size", batch_size)):
        if value < 1 or isinstance(value, bool):
            raise ModelError(f"'{attribute}' in {path} is {value}, not a positive number.", GUIDE)
    for function in ("build", "optimizer", "callbacks"):
        _take(module, path, function, Callable)
    for function in ("augment", "adapt", "targets"):
        if hasattr(module, function):
            _take(module, path, function, Callable)
    metrics = _take(module, path, "metrics", (list, tuple, dict))
    if not metrics:
        raise ModelError(f"'metrics' in {path} is empty: name at least one, such as \"accuracy\".", GUIDE)
    loss, dataset = _take(module, path, "loss", object), _take(module, path, "dataset", str)
    if dataset.endswith(".npz"):
        dataset = str(path.parent / Path(dataset).expanduser())
    names = getattr(module, "precisions", ())
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        raise ModelError(f"'precisions' in {path} is no list of names.", GUIDE)
    aware_of = getattr(module, "aware_of", "")
    if aware_of and aware_of not in AWARE_OF:
        raise ModelError(
            f"'aware_of' in {path} is {aware_of!r}: no training is aware of that.",
            f"Choose from {', '.join(AWARE_OF)}.",
        )
    wanted = tuple(precisions.named(name).name for name in names)
    return Recipe(path.stem, path, sha256, dataset, batch_size, epochs, loss, metrics, wanted, aware_of, module)


def _run(path: Path, source: bytes, name: str) -> ModuleType:
    """Execute a recipe as a module of its own: no entry in sys.path, no cached bytecode, nothing left if it fails."""
    module = ModuleType(name)
    module.__file__ = str(path)
    sys.modules[name] = module  # dataclasses and Keras' serialization look their classes up here
    try:
        with redirect_stdout(sys.stderr):
            exec(compile(source, str(path), "exec"), module.__dict__)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise ModelError(f"The recipe {_locate(error, path)} raised {_quote(error)}.", GUIDE) from error
    return module


def _take(module: ModuleType, path: Path, attribute: str, kind: Any) -> Any:
    if not hasattr(module, attribute):
        raise ModelError(f"The recipe {path} does not define '{attribute}'.", GUIDE)
    value = getattr(module, attribute)
    if not isinstance(value, kind):
        kinds = kind if isinstance(kind, tuple) else (kind,)
        wanted = " or ".join("a function" if k is Callable else k.__name__ for k in kinds)
        raise ModelError(f"'{attribute}' in {path} is {_describe(value)}, not {wanted}.", GUIDE)
    return value


def _locate(error: BaseException, path: Path) -> str:
    """The file and the line in it that led to an exception."""
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return f"{path}, line {error.lineno},"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return f"{path}, line {lines[-1]}," if lines else str(path)


def _quote(error: BaseException) -> str:
    """An exception in one line."""
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    text = " ".join(re.sub(r"\x1b\[[0-9;]*m", "", text).split()).rstrip(".")  # Keras prints in bold
    return f"{type(error).__name__}: {text[:300]}" if text else type(error).__name__


def _describe(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"a {value.dtype} array of shape {value.shape}"
    kind = type(value).__name__
    return "None" if value is None else f"{'an' if kind[0].lower() in 'aeiou' else 'a'} {kind}"
