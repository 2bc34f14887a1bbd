"""Calls of an engine: shapes are checked before it, and requests that fit are run together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from serving.engines.base import Engine, Tensors
from serving.errors import Internal, InvalidArgument
from serving.signature import Signature


def run(engine: Engine, signature: Signature, inputs: Mapping[str, np.ndarray]) -> Tensors:
    """Run inputs of any number of rows; an artifact that is made for one row runs them one after the other.

    Raises:
        InvalidArgument: a shape does not fit the signature.
        ServingError: the engine fails.
    """
    alone = signature.fixed_batch == 1 and all(v.ndim and len(v) == len(_first(inputs)) for v in inputs.values())
    rows = len(_first(inputs)) if alone else 1
    for spec in signature.inputs:
        shape = inputs[spec.name].shape
        if not spec.fits((1, *shape[1:]) if alone else shape):
            raise InvalidArgument(
                f"Input {spec.name} has shape [{','.join(map(str, shape))}], expected {spec.describe()}"
            )
    if rows == 1:
        return engine.run(signature.name, inputs)
    if rows == 0:
        raise InvalidArgument("There are no rows, and the model takes exactly one at a time")
    parts = [engine.run(signature.name, {n: v[i : i + 1] for n, v in inputs.items()}) for i in range(rows)]
    return {name: np.concatenate([p[name] for p in parts]) for name in parts[0]}


def can_batch(signature: Signature) -> bool:
    """Whether requests can be run together: every input and output has a first dimension of any size."""
    return all(t.shape and t.shape[0] is None for t in (*signature.inputs, *signature.outputs))


def likeness(signature: Signature, inputs: Mapping[str, np.ndarray]) -> object:
    """Requests of equal likeness can be run together; None: this one with no other."""
    first = _first(inputs)
    rows = len(first) if first.ndim else 0
    if not rows or any(not v.ndim or len(v) != rows for v in inputs.values()):
        return None
    return (signature.name, *(inputs[spec.name].shape[1:] for spec in signature.inputs))


def run_together(engine: Engine, signature: Signature, calls: Sequence[Mapping[str, np.ndarray]]) -> list[Tensors]:
    """Run requests of equal likeness in one call.

    Raises:
        ServingError: one of them cannot be run, or the rows of the answers are not those of the requests.
    """
    ends = np.cumsum([len(_first(inputs)) for inputs in calls]).tolist()
    together = {spec.name: np.concatenate([c[spec.name] for c in calls]) for spec in signature.inputs}
    outputs = run(engine, signature, together)
    if any(not v.ndim or len(v) != ends[-1] for v in outputs.values()):
        raise Internal("The answer has not as many rows as the batch")
    starts = [0, *ends[:-1]]
    return [{n: v[start:end] for n, v in outputs.items()} for start, end in zip(starts, ends, strict=True)]


def _first(inputs: Mapping[str, np.ndarray]) -> np.ndarray:
    return next(iter(inputs.values()))
