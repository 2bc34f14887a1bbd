"""What a model's outputs mean: one of several classes, a yes or no, numbers; told by targets, losses and shapes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from typing import Any

import numpy as np

from pipeline.errors import ModelError
from pipeline.recipes import Recipe


class Kind(StrEnum):
    """How an output is to be read, and so which figures and pictures make sense for it."""

    CLASSES = "classes"
    BINARY = "binary"
    NUMBERS = "numbers"
    OTHER = "other"
    UNTRAINED = "untrained"


@dataclass(frozen=True)
class Head:
    """One output of a trained model.

    Attributes:
        output: its name.
        kind: one of several classes, a chance of yes, numbers; another (a class for each step); or nothing trains it.
        loss: Keras' name of its loss, such as "sparse_categorical_crossentropy"; "" for none.
        activation: of the layer that computes it, such as "softmax"; "" where nobody knows.
        units: size of its last axis.
    """

    output: str
    kind: Kind
    loss: str
    activation: str
    units: int

    def to_json(self) -> dict[str, Any]:
        return {
            "output": self.output,
            "kind": str(self.kind),
            "loss": self.loss,
            "activation": self.activation,
            "units": self.units,
        }


def find(recipe: Recipe, model: Any, samples: np.ndarray, labels: np.ndarray) -> tuple[Head, ...]:
    """The outputs of a recipe's model in its own order.

    Args:
        samples, labels: a few rows, from which the recipe's targets are asked.

    Raises:
        ModelError: targets or losses name an output that is not there, or the loss is unknown to Keras.
    """
    names = output_names(model)
    wanted = aims(recipe, model, samples, labels)
    losses = by_output(recipe.loss, names, "loss", recipe)
    heads = []
    # A subclassed model knows its outputs only by giving them.
    tensors = getattr(model, "outputs", None) or [model(samples, training=False)]
    for name, tensor in zip(names, tensors, strict=True):
        units = int(tensor.shape[-1]) if len(tensor.shape) > 1 and tensor.shape[-1] is not None else 1
        loss = loss_name(losses.get(name), recipe)
        kind = _kind(wanted[name], loss, units, len(tensor.shape)) if loss else Kind.UNTRAINED
        heads.append(Head(name, kind, loss, activation(tensor), units))
    return tuple(heads)


def output_names(model: Any) -> list[str]:
    """Names of the outputs in the model's own order; "output" for the one of a subclassed model."""
    return list(getattr(model, "output_names", None) or ["output"])


def aims(recipe: Recipe, model: Any, samples: np.ndarray, labels: np.ndarray) -> dict[str, np.ndarray]:
    """The targets by output name; zeros for an output that nothing trains.

    Raises:
        ModelError: targets() names an output that the model lacks, or the model has several and targets() is missing.
    """
    names = output_names(model)
    found = recipe.targets(samples, labels)
    if not isinstance(found, dict):
        if len(names) > 1:
            raise ModelError(
                f"The model of {recipe.path} has {len(names)} outputs ({', '.join(names)}), but there is one target.",
                "Define targets(samples, labels) in the recipe: a dict of arrays by output name.",
            )
        return {names[0]: found}
    if unknown := sorted(set(found) - set(names)):
        raise ModelError(
            f"targets() in {recipe.path} names '{unknown[0]}'; the model's outputs are {', '.join(names)}.",
            "Name the outputs as their layers are named.",
        )
    return {name: found.get(name, np.zeros((len(samples), 1), np.float32)) for name in names}


def answers(model: Any, x: np.ndarray, training: bool = False) -> dict[str, np.ndarray]:
    """The model's outputs by name for samples [N, ...], in batches."""
    import keras

    parts = [keras.tree.flatten(model(x[i : i + _BATCH], training=training)) for i in range(0, len(x), _BATCH)]
    return {name: np.concatenate([np.asarray(p[k]) for p in parts]) for k, name in enumerate(output_names(model))}


def chances(answer: np.ndarray) -> np.ndarray:
    """A classifier's output as probabilities [rows, classes]: scores are brought to them, a lone yes gets its no."""
    answer = answer.astype(np.float64)
    if answer.shape[-1] == 1:
        inside = answer.min(initial=0) >= 0 and answer.max(initial=0) <= 1
        yes = answer if inside else 1 / (1 + np.exp(-np.clip(answer, -500, 500)))
        return np.concatenate([1 - yes, yes], axis=-1)
    if answer.min(initial=0) >= 0 and np.allclose(answer.sum(-1), 1, atol=1e-3):
        return answer
    powers = np.exp(answer - answer.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def trained(recipe: Recipe, model: Any, samples: np.ndarray, labels: np.ndarray) -> Any:
    """The targets in the form that `fit` takes: an array for a model with one output, else a dict."""
    found = aims(recipe, model, samples, labels)
    return found if len(found) > 1 else next(iter(found.values()))


def by_output(value: Any, names: Sequence[str], what: str, recipe: Recipe) -> dict[str, Any]:
    """A `compile` argument (one for all, a list, or a dict) by output name.

    Raises:
        ModelError: it names an output that is not there.
    """
    if isinstance(value, dict):
        if unknown := sorted(set(value) - set(names)):
            raise ModelError(
                f"'{what}' in {recipe.path} names '{unknown[0]}'; the model's outputs are {', '.join(names)}.",
                "Name the outputs as their layers are named.",
            )
        return value
    if isinstance(value, list | tuple) and what == "loss":
        return dict(zip(names, value, strict=False))
    return dict.fromkeys(names, value)


def loss_name(loss: Any, recipe: Recipe) -> str:
    """Keras' name of a loss given as a name, a function or an object; "" for none.

    Raises:
        ModelError: there is no such loss.
    """
    if loss is None:
        return ""
    import keras

    if isinstance(loss, str):
        try:
            loss = keras.losses.get(loss)
        except ValueError as error:
            known = sorted(n for n in dir(keras.losses) if n.islower() and n[0] != "_" and n not in _NOT_LOSSES)
            close = get_close_matches(loss, known, 1, 0.5)
            hint = f"Did you mean '{close[0]}'?" if close else f"Keras knows {', '.join(known)}."
            raise ModelError(f"'loss' in {recipe.path} is '{loss}', which Keras does not know.", hint) from error
    return str(getattr(loss, "name", None) or getattr(loss, "__name__", "") or type(loss).__name__)


def activation(tensor: Any) -> str:
    """The activation that computes an output, seen through layers that only move values; "" where nobody knows."""
    for _ in range(8):
        history = getattr(tensor, "_keras_history", None)
        if history is None:
            return ""
        layer = history.operation
        kind = type(layer).__name__
        if kind in ("Softmax", "ReLU", "LeakyReLU", "ELU", "PReLU"):
            return kind.lower()
        function = getattr(layer, "activation", None)
        if function is not None:
            return str(getattr(function, "__name__", type(function).__name__))
        inputs = layer.input if kind in _MOVES else None
        if inputs is None or isinstance(inputs, list | tuple | dict):
            return ""
        tensor = inputs
    return ""


_BATCH = 500
_NOT_LOSSES = ("get", "serialize", "deserialize")
_MOVES = ("Reshape", "Flatten", "Permute", "Dropout", "Identity", "Cropping1D", "Cropping2D", "ZeroPadding2D")


def _kind(target: np.ndarray, loss: str, units: int, rank: int) -> Kind:
    if rank > 2 and ("categorical" in loss or target.dtype.kind in "iub"):
        return Kind.OTHER
    if "categorical" in loss and target.ndim <= 2:
        return Kind.CLASSES
    if target.dtype.kind in "iub" and target.ndim == 1:
        return Kind.CLASSES if units > 1 else Kind.BINARY
    return Kind.NUMBERS


def classes(target: np.ndarray) -> np.ndarray:
    """Class numbers int64 [N] of a target that may be one-hot."""
    return target.argmax(-1).astype(np.int64) if target.ndim == 2 and target.shape[1] > 1 else target.reshape(-1)
