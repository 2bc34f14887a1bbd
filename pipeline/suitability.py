"""Whether a recipe's model and its data can belong together at all: what would fail later, said at once."""

from __future__ import annotations

from typing import Any

import numpy as np

from pipeline import heads
from pipeline.errors import ModelError
from pipeline.heads import Kind
from pipeline.recipes import Recipe


def require(recipe: Recipe, model: Any, samples: np.ndarray, labels: np.ndarray) -> None:
    """Check shapes, the loss's name and the labels' range.

    Raises:
        ModelError: one sentence on the first that does not fit.
    """
    _require_shape(recipe, model, samples)
    found = heads.find(recipe, model, samples[:2], labels[:2])
    targets = heads.aims(recipe, model, samples, labels)
    for head in found:
        target = targets[head.output]
        if head.kind is Kind.CLASSES and target.ndim == 1:
            _require_labels(recipe, head.output, target, head.units)
        elif head.kind is Kind.BINARY and (target.min() < 0 or target.max() > 1):
            raise ModelError(
                f"The labels of '{recipe.dataset}' go from {target.min()} to {target.max()}, but the output "
                f"'{head.output}' of {recipe.path} is one unit, which tells 0 from 1.",
                f"Give it {int(target.max()) + 1} units, softmax and the loss sparse_categorical_crossentropy.",
            )


def _require_shape(recipe: Recipe, model: Any, samples: np.ndarray) -> None:
    shapes = [tuple(tensor.shape) for tensor in getattr(model, "inputs", None) or []]
    if not shapes:
        return  # a subclassed model says what it takes when it is called
    if len(shapes) != 1:
        raise ModelError(
            f"The model of {recipe.path} takes {len(shapes)} inputs; a dataset has one.", "Give it one Input."
        )
    wanted, given = shapes[0][1:], samples.shape[1:]
    fits = len(wanted) == len(given) and all(w in (None, g) for w, g in zip(wanted, given, strict=True))
    if not fits:
        raise ModelError(
            f"The model of {recipe.path} takes samples of shape {_show(wanted)}, those of '{recipe.dataset}' have "
            f"{_show(given)}.",
            f"Start it with keras.Input({given!r}).",
        )


def _require_labels(recipe: Recipe, output: str, labels: np.ndarray, units: int) -> None:
    low, high = labels.min(), labels.max()
    if low < 0 or high >= units or not np.array_equal(labels, np.round(labels)):
        raise ModelError(
            f"The labels of '{recipe.dataset}' go from {low} to {high}, but the output '{output}' of {recipe.path} has "
            f"{units} units: it takes whole numbers from 0 to {units - 1}.",
            "Change the number of units, or number the classes from 0.",
        )


def _show(shape: tuple[int | None, ...]) -> str:
    return f"({', '.join('any' if n is None else str(n) for n in shape)}{',' if len(shape) == 1 else ''})"
