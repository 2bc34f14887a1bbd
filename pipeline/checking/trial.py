"""A short training, step by step: does it learn, how large are the gradients, which units are dead or saturated."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline import gradients, heads
from pipeline.checking.finding import Finding, Result
from pipeline.checking.subject import LOOKED_AT, Subject, layers, watch
from pipeline.fitting import Samples
from pipeline.heads import Kind, classes
from pipeline.means import layers as all_layers

FIRST = 20  # steps in which gradients are watched
MEMORIZED, MEMORY_STEPS = 8, 400
VANISHED, EXPLODED = 1e-4, 1e3
DEAD_AT_START, DEAD_LATER, SATURATED = 0.5, 0.75, 0.5
_EDGES = {"sigmoid": (0.005, 0.995), "tanh": (-0.995, 0.995), "hard_sigmoid": (0.005, 0.995)}


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
    step = _stepper(subject, model, steps, training=True)
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


def _stepper(subject: Subject, model: Any, steps: int, training: bool) -> Callable[..., Any]:
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


def gradient_norms(trial: Trial) -> Result:
    """Gradients of the first steps should neither fade on their way to the input nor grow without bound."""
    if not trial.norms:
        seen, why = "No layer has weights that train.", "Nothing can be learned."
        return Result((Finding("gradients", seen, why, "Set trainable=True on the layers to train."),))
    middle = {name: float(np.median(values)) for name, values in trial.norms.items()}
    figures = {"norms": middle, "first_loss": trial.losses[0], "steps": len(next(iter(trial.norms.values())))}
    largest = max(middle.values())
    early = {name: values[0] for name, values in trial.norms.items()}
    if not np.isfinite(trial.losses).all():
        seen = f"The loss is {trial.losses[-1]} after {trial.steps} steps."
        why = "From here on every weight is not a number."
        change = "Lower the learning rate, clip the gradients (clipnorm=1.0), scale the inputs."
        return Result((Finding("gradients-explode", seen, why, change),), figures)
    if max(early.values()) > EXPLODED:
        worst = max(early, key=lambda name: early[name])
        seen = f"The gradient of '{worst}' has norm {early[worst]:.3g} in the first step."
        why = "Steps of this size jump over every minimum."
        change = "Scale inputs and targets, use the activation's initializer, or clip the gradients (clipnorm=1.0)."
        return Result((Finding("gradients-explode", seen, why, change),), figures)
    faint = [name for name, norm in middle.items() if norm < VANISHED * largest]
    if faint:
        seen = (
            f"The gradient of '{faint[0]}' has norm {middle[faint[0]]:.3g} in the first steps, "
            f"{largest / max(middle[faint[0]], 1e-30):.2g} times less than that of "
            f"'{max(middle, key=lambda name: middle[name])}'."
        )
        why = "Layers without a gradient do not learn, whatever comes behind them."
        change = "Use ReLU with He initialization, batch normalization, residual connections, or fewer layers."
        return Result((Finding("gradients-vanish", seen, why, change),), figures)
    return Result((), figures)


def progress(trial: Trial) -> Result:
    """The loss must not jump upwards."""
    head = trial.losses[0]
    tail = float(np.mean(trial.losses[-max(3, len(trial.losses) // 10) :]))
    peak = float(np.max(trial.losses))
    figures = {"first": head, "last": tail, "peak": peak, "steps": trial.steps}
    if tail > 1.5 * head or (peak > 20 * head and tail > 0.9 * head):
        seen = f"The training loss went from {head:.4g} to {tail:.4g} in {trial.steps} steps (at most {peak:.4g})."
        why = "The steps are too long: each lands higher than it started."
        return Result((Finding("learning-rate", seen, why, "Divide the learning rate by ten."),), figures)
    return Result((), figures)


def standstill(trial: Trial) -> Result:
    """The loss must come down at all."""
    head = float(np.mean(trial.losses[:3]))
    tail = float(np.mean(trial.losses[-max(3, len(trial.losses) // 10) :]))
    if tail <= 0.99 * head:
        return Result()
    seen = f"The training loss went from {head:.4g} to {tail:.4g} in {trial.steps} steps."
    why = "Nothing is learned: the net is too simple for the task, the steps are too short, or no gradient arrives."
    change = "Add a hidden layer, try learning rates from 1e-4 to 1e-1, and see that labels belong to their samples."
    return Result((Finding("no-progress", seen, why, change),))


def units(subject: Subject, model: Any, when: str, most_dead: float) -> Result:
    """Units that answer 0, or sit at the end of a sigmoid, on all samples have no gradient."""
    outputs = {id(tensor) for tensor in getattr(model, "outputs", None) or []}
    watched = [
        (layer, result, kind)
        for layer, _, result in layers(model)
        if (kind := _bends(layer)) and id(result) not in outputs
    ]
    values = watch(model, [result for _, result, _ in watched], subject.few.x[:LOOKED_AT])
    findings, dead, saturated = [], {}, {}
    for (layer, _, kind), value in zip(watched, values, strict=True):
        flat = value.reshape(-1, value.shape[-1])
        if kind == "relu":
            share = dead[layer.name] = float(np.mean(np.all(flat <= 0, axis=0)))
            if share > most_dead:
                seen = f"{share:.0%} of the units of '{layer.name}' answer 0 to all of {len(value)} samples {when}."
                why = "A ReLU that is never above zero has no gradient: it stays dead."
                change = "Start biases at 0, use kernel_initializer='he_normal', lower the learning rate."
                findings.append(Finding("dead-units", seen, why, change))
        else:
            low, high = _EDGES[kind]
            share = saturated[layer.name] = float(np.mean((flat < low) | (flat > high)))
            if share > SATURATED:
                seen = f"{share:.0%} of the answers of '{layer.name}' ({kind}) lie at its ends {when}."
                why = "There a sigmoid is flat: next to no gradient passes."
                change = "Scale the inputs, start with glorot_uniform weights, or use ReLU."
                findings.append(Finding("saturated-units", seen, why, change))
    return Result(tuple(findings), {"dead": dead, "saturated": saturated})


def _bends(layer: Any) -> str:
    """ "relu", or a key of `_EDGES`; "" for others. Recurrent layers keep their gates to themselves."""
    if type(layer).__name__ == "ReLU":
        return "relu"
    if hasattr(layer, "recurrent_activation") or hasattr(layer, "cell"):
        return ""
    name = getattr(getattr(layer, "activation", None), "__name__", "")
    return name if name == "relu" or name in _EDGES else ""


def memory(subject: Subject) -> Result:
    """A net that can learn at all can learn eight samples by heart, dropout and augmentation aside."""
    model = subject.fresh()
    rows = _spread(subject)
    few = Samples(subject.few.x[rows], subject.few.y[rows])
    targets = heads.trained(subject.recipe, model, few.x, few.y)
    wanted = subject.targets(model, few)
    step = _stepper(subject, model, MEMORY_STEPS, training=False)
    first = last = float("nan")
    known: dict[str, bool] = {}
    taken = 0
    for taken in range(1, MEMORY_STEPS + 1):
        last = float(step(few.x, targets)[0])
        first = last if taken == 1 else first
        if taken % 20 == 0 or not np.isfinite(last):
            answers = heads.answers(model, few.x)
            known = {h.output: bool(_knows(h.kind, answers[h.output], wanted[h.output])) for h in subject.heads}
            if all(known.values()) or not np.isfinite(last):
                break
    figures = {
        "samples": len(few),
        "steps": taken,
        "first_loss": first,
        "last_loss": last if np.isfinite(last) else None,
    }
    figures["known"] = all(known.values())
    if all(known.values()):
        return Result((), figures)
    missed = ", ".join(repr(name) for name, done in known.items() if not done)
    seen = f"{len(few)} samples are not known by heart after {taken} steps ({missed}; loss {first:.4g} to {last:.4g})."
    why = "What cannot learn eight samples will not learn thousands: the net is too small, or its training is broken."
    change = (
        "Look at the learning rate, at layers that do not train, and at targets that do not belong to their samples."
    )
    return Result((Finding("memory", seen, why, change),), figures)


def _spread(subject: Subject) -> np.ndarray:
    """Eight rows, of different classes as far as there are."""
    labels = subject.few.y
    if labels.dtype.kind not in "iu":
        return np.arange(min(MEMORIZED, len(labels)))
    queues = [list(np.flatnonzero(labels == label)) for label in np.unique(labels)]
    rows = [queue[turn] for turn in range(MEMORIZED) for queue in queues if turn < len(queue)]
    return np.array(rows[:MEMORIZED])


def _knows(kind: Kind, answer: np.ndarray, target: np.ndarray) -> bool:
    if kind is Kind.OTHER:
        chosen = answer.argmax(-1) if answer.shape[-1] > 1 else answer[..., 0] > 0.5
        wanted = target.argmax(-1) if target.ndim == answer.ndim else target
        return bool(np.mean(chosen == wanted) > 0.99)
    if kind is not Kind.NUMBERS:
        return bool(np.all(heads.chances(answer).argmax(-1) == classes(target)))
    target = target.reshape(answer.shape)
    return float(np.mean((answer - target) ** 2)) < 0.1 * max(float(np.mean((target - target.mean(0)) ** 2)), 1e-12)
