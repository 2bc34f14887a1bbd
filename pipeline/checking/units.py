"""Units without a gradient: dead ReLUs, saturated sigmoids."""

from __future__ import annotations

from typing import Any

import numpy as np

from pipeline.checking.finding import Finding, Result
from pipeline.checking.subject import LOOKED_AT, Subject, layers, watch

DEAD_AT_START, DEAD_LATER, SATURATED = 0.5, 0.75, 0.5
_EDGES = {"sigmoid": (0.005, 0.995), "tanh": (-0.995, 0.995), "hard_sigmoid": (0.005, 0.995)}


def find(subject: Subject, model: Any, when: str, most_dead: float) -> Result:
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
