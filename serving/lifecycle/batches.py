"""Calls of an engine: shapes are checked before it, rows are counted after it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from serving.engines.base import Engine, Tensors
from serving.errors import InvalidArgument
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


def _first(inputs: Mapping[str, np.ndarray]) -> np.ndarray:
    return next(iter(inputs.values()))
