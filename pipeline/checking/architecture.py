"""The net before its first step: outputs against losses, initial weights, the loss at the start, dropout."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pipeline import heads
from pipeline.checking.finding import Finding, Result
from pipeline.checking.subject import LOOKED_AT, Subject, layers
from pipeline.heads import Head, Kind
from pipeline.means import layers as all_layers

LOSS_RANGE = (0.4, 1.75)  # of the loss expected at the start
MOST_ERROR = 10.0  # of that of answering 0: a linear output of random weights varies as its inputs do, not as targets
SPREAD = (0.25, 3.0)  # of the deviation that keeps a signal's size
LAST_RATE = 0.8
_RANGES = {"sigmoid": (0.0, 1.0), "tanh": (-1.0, 1.0), "softmax": (0.0, 1.0), "relu": (0.0, math.inf)}
_RANGES |= {"softplus": (0.0, math.inf), "exponential": (0.0, math.inf), "hard_sigmoid": (0.0, 1.0)}


def outputs(subject: Subject) -> Result:
    """The activation of an output and its loss must speak of the same thing."""
    targets = subject.targets(subject.model, subject.few)
    findings = [_match(head, subject.loss(head), targets[head.output]) for head in subject.heads if head.activation]
    return Result(tuple(f for f in findings if f is not None))


def _match(head: Head, loss: Any, target: np.ndarray) -> Finding | None:
    config: dict[str, Any] = loss.get_config() if hasattr(loss, "get_config") else {}
    logits = bool(config.get("from_logits"))
    name, seen = head.output, f"Output '{head.output}' ends in {head.activation} ({head.units} units) under {head.loss}"
    if head.activation == "softmax" and head.units == 1:
        why = "Softmax over one unit is always 1: this output cannot change."
        return Finding("output-loss", f"{seen}.", why, "Use sigmoid for one unit, or one unit per class.")
    if "crossentropy" in head.loss:
        wanted = "softmax" if "categorical" in head.loss else "sigmoid"
        if head.kind is Kind.CLASSES and wanted == "sigmoid" and head.units > 1:
            why = "Binary cross-entropy asks each unit for a yes or no of its own; the labels are class numbers."
            return Finding("output-loss", f"{seen}.", why, "Use sparse_categorical_crossentropy with softmax.")
        expected = "linear" if logits else wanted
        if head.activation != expected:
            why = (
                f"This loss takes {'scores without an activation (from_logits=True)' if logits else 'probabilities'}: "
                "anything else gives wrong gradients without an error."
            )
            return Finding("output-loss", f"{seen}.", why, f"End '{name}' in {expected}.")
        return None
    if head.kind is not Kind.NUMBERS:
        why = "Class numbers have no distances: the loss says that class 9 is further from 0 than 1 is."
        if head.kind is not Kind.CLASSES or "hinge" in head.loss:
            return None
        return Finding("output-loss", f"{seen}; the labels are classes.", why, "Use sparse_categorical_crossentropy.")
    low, high = _RANGES.get(head.activation, (-math.inf, math.inf))
    if target.min() < low - 1e-6 or target.max() > high + 1e-6:
        reach = f"{low:g} to {high:g}" if math.isfinite(high) else f"{low:g} and above"
        why = f"It can only answer {reach}; the targets go from {target.min():.4g} to {target.max():.4g}."
        return Finding("output-loss", f"{seen}.", why, f"Make '{name}' linear (no activation), or scale the targets.")
    return None


def initializers(subject: Subject) -> Result:
    """Weights should start at a spread that keeps the size of a signal, and not all alike."""
    findings, figures = [], {}
    last = {id(tensor) for tensor in getattr(subject.model, "outputs", None) or []}
    for layer, _, result in layers(subject.model):
        kernel = getattr(layer, "kernel", None)
        if kernel is None or len(kernel.shape) < 2 or not layer.trainable or "EinsumDense" in type(layer).__name__:
            continue
        values = np.asarray(kernel)
        used = "depthwise" not in type(layer).__name__.lower()
        fan_in = int(np.prod(values.shape[:-1])) if used else int(np.prod(values.shape[:-2]))
        fan_out = int(np.prod(values.shape[:-2])) * values.shape[-1]
        function = getattr(getattr(layer, "activation", None), "__name__", "linear")
        glorot, he = math.sqrt(2 / (fan_in + fan_out)), math.sqrt(2 / fan_in)
        share = (float(values.std()) / min(glorot, he), float(values.std()) / max(glorot, he))
        figures[layer.name] = {"deviation": float(values.std()), "glorot": glorot, "he": he}
        suits = "he_normal" if "relu" in function or function == "gelu" else "glorot_uniform"
        given = type(getattr(layer, "kernel_initializer", None)).__name__
        if values.size > 1 and np.ptp(values) == 0:
            if id(result) in last and float(np.abs(values).max()) == 0:
                continue  # an output may start at zero: its own gradient is not zero
            seen = f"All weights of '{layer.name}' start at {values.flat[0]:.3g} ({given})."
            why = "Units that start alike get the same gradient and stay alike: the layer is one unit wide."
            findings.append(Finding("initializer", seen, why, f"Use kernel_initializer='{suits}'."))
        elif values.size >= 64 and (share[0] < SPREAD[0] or share[1] > SPREAD[1]):
            seen = (
                f"The weights of '{layer.name}' ({function}, {fan_in} inputs) start with standard deviation "
                f"{values.std():.3g} ({given}); Glorot's is {glorot:.3g}, He's {he:.3g}."
            )
            why = "Too small, and the signal fades from layer to layer; too large, and it grows until units saturate."
            findings.append(Finding("initializer", seen, why, f"Use kernel_initializer='{suits}'."))
    return Result(tuple(findings), figures)


def initial_loss(subject: Subject) -> Result:
    """Before the first step a net knows nothing: its loss is that of a guess."""
    findings, figures = [], {}
    targets = subject.targets(subject.model, subject.few)
    answers = heads.answers(subject.model, subject.few.x[:LOOKED_AT])
    for head in subject.heads:
        target = targets[head.output][:LOOKED_AT]
        seen = subject.mean_loss(head, target, answers[head.output])
        guess, words = _guess(head, subject, target, answers[head.output])
        if guess is None:
            continue
        figures[head.output] = {"loss": seen, "expected": guess}
        numbers = head.kind is Kind.NUMBERS and "crossentropy" not in head.loss
        low, high = LOSS_RANGE[0] * guess, (MOST_ERROR if numbers else LOSS_RANGE[1]) * guess
        if not math.isfinite(seen) or seen > high or (seen < low and head.kind is not Kind.NUMBERS):
            findings.append(
                Finding(
                    "initial-loss",
                    f"Before training the loss of '{head.output}' is {seen:.4g}; {words} gives {guess:.4g}.",
                    "A net that begins worse than a guess spends its first epochs unlearning its initial weights; one "
                    "that begins better has seen the answer.",
                    f"Scale the inputs, and look at the initializer, activation and loss of '{head.output}'.",
                )
            )
    return Result(tuple(findings), figures)


def _guess(head: Head, subject: Subject, target: np.ndarray, answer: np.ndarray) -> tuple[float | None, str]:
    if "crossentropy" in head.loss and (head.kind is Kind.CLASSES or "categorical" in head.loss):
        return math.log(head.units), f"guessing among {head.units} classes (ln {head.units})"
    if "crossentropy" in head.loss:
        return math.log(2), "an even chance (ln 2)"
    if head.kind is Kind.NUMBERS:
        return subject.mean_loss(head, target, np.zeros_like(answer)), "answering 0 throughout"
    return None, ""


def dropout(subject: Subject) -> Result:
    """Dropout must be at work in training and at rest in inference."""
    import keras

    model, x = subject.fresh(), subject.few.x[:16]
    rates = {layer.name: layer.rate for layer in all_layers(model) if _drops(layer) and layer.rate}
    figures = {"rates": {name: float(rate) for name, rate in rates.items()}}
    calm, alive = (
        [[np.asarray(v) for v in keras.tree.flatten(model(x, training=mode))] for _ in range(2)]
        for mode in (False, True)
    )
    if not all(np.array_equal(a, b) for a, b in zip(*calm, strict=True)):
        seen = "Two inference runs on the same samples give different answers."
        why = "Something random is active in inference: every exported file would answer differently each time."
        change = "Do not pass training=True to a layer; leave it to Keras."
        return Result((Finding("dropout", seen, why, change),), figures)
    strong = {name: rate for name, rate in rates.items() if rate > LAST_RATE}
    if strong:
        name, rate = next(iter(strong.items()))
        why = f"Only {1 - rate:.0%} of the signal gets through: there is little left to learn from."
        return Result((Finding("dropout", f"'{name}' drops {rate:.0%}.", why, "Try a rate from 0.2 to 0.5."),), figures)
    if rates and all(np.array_equal(a, b) for a, b in zip(*alive, strict=True)):
        seen = f"{', '.join(map(repr, rates))} would drop, but two training runs give the same answers."
        why = "Dropout that never drops regularizes nothing."
        change = "Do not pass training=False to the layer; leave it to Keras."
        return Result((Finding("dropout", seen, why, change),), figures)
    return Result((), figures)


def _drops(layer: Any) -> bool:
    return "Dropout" in type(layer).__name__
