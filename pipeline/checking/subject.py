"""What is examined: a recipe, a part of its training set, and fresh models of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from pipeline import heads
from pipeline.datasets import Dataset
from pipeline.fitting import Samples
from pipeline.heads import Head, Kind
from pipeline.recipes import Recipe

LEARNED, HELD_OUT = 3_000, 1_000  # training samples for the trial, and others to judge it on
LOOKED_AT = 256


@dataclass(frozen=True, eq=False)
class Subject:
    """One recipe with its data. The test set plays no part.

    Attributes:
        all: the whole training set.
        few: at most `LEARNED` of its samples, shuffled by the seed.
        held_out: others, at most `HELD_OUT`.
    """

    recipe: Recipe
    dataset: Dataset
    seed: int
    all: Samples
    few: Samples
    held_out: Samples

    @classmethod
    def of(cls, recipe: Recipe, dataset: Dataset, seed: int) -> Subject:
        """Choose the samples."""
        x, y = dataset.x_train, dataset.y_train
        order = np.random.default_rng(seed).permutation(len(x))
        held = order[: min(HELD_OUT, len(x) // 5)]
        few = order[len(held) : len(held) + LEARNED]
        return cls(recipe, dataset, seed, Samples(x, y), Samples(x[few], y[few]), Samples(x[held], y[held]))

    def fresh(self) -> Any:
        """A new model, adapted, as a training would begin with."""
        import keras

        keras.utils.set_random_seed(self.seed)
        model = self.recipe.build()
        if not model.built:
            model(self.all.x[:1])  # a subclassed model gets its weights from its first call
        self.recipe.adapt(model, self.all.x)
        return model

    @cached_property
    def model(self) -> Any:
        """A fresh model that nobody trains."""
        return self.fresh()

    @cached_property
    def heads(self) -> tuple[Head, ...]:
        """The outputs that are trained."""
        found = heads.find(self.recipe, self.model, self.all.x[:2], self.all.y[:2])
        return tuple(head for head in found if head.kind is not Kind.UNTRAINED)

    def targets(self, model: Any, samples: Samples) -> dict[str, np.ndarray]:
        """Targets by output name."""
        return heads.aims(self.recipe, model, samples.x, samples.y)

    def loss(self, head: Head) -> Any:
        """The loss of an output, as a function of targets and answers."""
        import keras

        given = heads.by_output(self.recipe.loss, heads.output_names(self.model), "loss", self.recipe)[head.output]
        return keras.losses.get(given) if isinstance(given, str) else given

    def mean_loss(self, head: Head, target: np.ndarray, answer: np.ndarray) -> float:
        """The loss of an output over some rows."""
        if target.ndim < answer.ndim and answer.shape[-1] == 1:
            target = target.reshape(answer.shape)
        if head.kind is not Kind.CLASSES:
            target = target.astype(answer.dtype)
        return float(np.mean(self.loss(head)(target, answer)))


def layers(model: Any) -> Sequence[tuple[Any, Any, Any]]:
    """(layer, input, output) of every layer that a Functional model calls once, from the input on.

    Layers inside other models, and those of subclassed models, cannot be looked at: they are left out.
    """
    found = []
    for operation in getattr(model, "operations", []):
        try:
            entry, result = operation.input, operation.output
        except (AttributeError, ValueError):
            continue
        if type(operation).__name__ != "InputLayer" and not isinstance(result, list | tuple | dict):
            found.append((operation, entry, result))
    return found


def watch(model: Any, tensors: Sequence[Any], x: np.ndarray) -> list[np.ndarray]:
    """The values of tensors inside a Functional model, in inference mode."""
    import keras

    if not tensors:
        return []
    values = keras.Model(model.inputs[0], {str(i): tensor for i, tensor in enumerate(tensors)})(x, training=False)
    return [np.asarray(values[str(i)]) for i in range(len(tensors))]
