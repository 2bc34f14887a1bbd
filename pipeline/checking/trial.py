"""A short training, step by step, with its losses and gradients."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline import gradients, heads
from pipeline.checking.subject import LOOKED_AT, Subject
from pipeline.fitting import Samples
from pipeline.means import layers as all_layers

FIRST = 20  # steps in which gradients are watched


@dataclass(frozen=True)
class Trial:
    """A model after a few epochs on the subject's samples.

    Attributes:
        model: compiled, trained.
        losses: of every step.
        norms: of every layer's gradient, in each of the first steps; the layers from the input on.
        steps: that were taken.
    """

    model: Any
    losses: tuple[float, ...]
    norms: dict[str, tuple[float, ...]]
    steps: int


def run(subject: Subject, steps: int) -> Trial:
    """Train a fresh model for so many steps with the recipe's own optimizer, its schedule shortened to fit."""
    model = subject.fresh()
    step = stepper(subject, model, steps, training=True)
    losses: list[float] = []
    norms: list[np.ndarray] = []
    for batch in _batches(subject, steps):
        loss, norm = step(batch.x, heads.trained(subject.recipe, model, batch.x, batch.y))
        losses.append(float(loss))
        if len(norms) < FIRST:
            norms.append(np.asarray(norm))
        if not np.isfinite(losses[-1]):
            break
    _settle(subject, model)
    owners = list(dict.fromkeys(gradients.owner(v) for v in model.trainable_variables))
    return Trial(
        model, tuple(losses), dict(zip(owners, map(tuple, np.array(norms).T.tolist()), strict=True)), len(losses)
    )


def _settle(subject: Subject, model: Any) -> None:
    """Bring the moving averages of batch normalization to where hundreds of steps more would have brought them."""
    averaging = [layer for layer in all_layers(model) if type(layer).__name__ == "BatchNormalization"]
    for layer in averaging:
        layer.momentum = 0.0
    if averaging:
        model(subject.few.x[: 2 * LOOKED_AT], training=True)


def stepper(subject: Subject, model: Any, steps: int, training: bool) -> Callable[..., Any]:
    """One training step as a TensorFlow function: samples and targets in, loss and each layer's gradient norm out."""
    import tensorflow as tf

    optimizer = subject.recipe.optimizer(max(1, steps // subject.recipe.epochs))
    model.compile(optimizer, loss=subject.recipe.loss)
    variables = model.trainable_variables
    optimizer.build(variables)
    owners = [gradients.owner(v) for v in variables]
    names = list(dict.fromkeys(owners))

    def step(x: Any, y: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = model.compute_loss(x=x, y=y, y_pred=model(x, training=training), training=training)
        found = tape.gradient(loss, [v.value for v in variables])
        found = [
            tf.zeros_like(v.value) if g is None else tf.convert_to_tensor(g)
            for g, v in zip(found, variables, strict=True)
        ]
        squares = [tf.reduce_sum(tf.square(g)) for g in found]
        if variables:
            optimizer.apply(found, variables)
        norms = [tf.sqrt(sum(s for s, o in zip(squares, owners, strict=True) if o == name)) for name in names]
        return loss, tf.stack(norms) if norms else tf.zeros(0)

    return tf.function(step, reduce_retracing=True)


def _batches(subject: Subject, steps: int) -> Iterator[Samples]:
    """Shuffled, augmented batches of one size, so that the step is traced once."""
    random = np.random.default_rng(subject.seed)
    size = min(subject.recipe.batch_size, len(subject.few))
    order = np.zeros(0, int)
    for _ in range(steps):
        if len(order) < size:
            order = random.permutation(len(subject.few))
        rows, order = order[:size], order[size:]
        yield Samples(subject.recipe.augment(subject.few.x[rows], random), subject.few.y[rows])
