"""The course of a trial: how large are the gradients, does the loss come down."""

from __future__ import annotations

import numpy as np

from pipeline.checking.finding import Finding, Result
from pipeline.checking.trial import Trial

VANISHED, EXPLODED = 1e-4, 1e3


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
