"""What a subclassed model was called with, inferred from the shapes that it stores and from a trace."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from pipeline.errors import ModelError
from pipeline.invocation import HOW, Invocation
from pipeline.signature import TensorSpec

# Structures that two or three inputs of a subclassed model may come in are tried; for more, dtypes are not.
_MOST_TRIED = 4


def arguments(model: Any) -> list[str]:
    """Names of the arguments of a model's `call`."""
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    parameters = inspect.signature(model.call).parameters.values()
    return [p.name for p in parameters if p.kind in kinds and p.name not in ("self", "training", "mask")]


def infer(model: Any) -> Invocation:
    """From the shapes of the call that built a subclassed model; the leading axis is the batch."""
    unknown = ModelError(f"The model '{model.name}' is subclassed and stores no signature of its inputs.", HOW)
    shapes = getattr(model, "_build_shapes_dict", None) or {}
    if not shapes:
        raise unknown
    if len(shapes) == 1:
        name = (arguments(model) or ["input"])[0]
        found = _from_shapes(name, next(iter(shapes.values())))
        spread = False
    else:
        found = {k.removesuffix("_shape"): _from_shapes(k.removesuffix("_shape"), v) for k, v in shapes.items()}
        spread = True
    invocation = _with_dtypes(model, Invocation(found, spread))
    if invocation is None:
        raise unknown
    return invocation


def _from_shapes(name: str, shape: Any) -> Any:
    if isinstance(shape, dict):
        return {key: _from_shapes(str(key), value) for key, value in shape.items()}
    if shape and all(size is None or isinstance(size, int) for size in shape):
        return TensorSpec(name, "float32", (None, *shape[1:]))
    return [_from_shapes(f"{name}_{i}", value) for i, value in enumerate(shape or ())]


def _with_dtypes(model: Any, guess: Invocation) -> Invocation | None:
    """Dtypes with which the model can be traced: float32 where it computes with floats, int32 where it casts to that.

    Keras casts floats to integers before it looks them up, so that a float input of an Embedding is told by the graph.
    """
    from keras import tree

    kinds = ("float32", "int32", "string") if _reads_text(model) else ("float32", "int32")
    count = len(guess.specs)
    choices = itertools.product(kinds, repeat=count) if count <= _MOST_TRIED else ((kind,) * count for kind in kinds)
    for chosen in choices:
        specs = [replace(spec, dtype=kind) for spec, kind in zip(guess.specs, chosen, strict=True)]
        graph = _trace(model, Invocation(tree.pack_sequence_as(guess.structure, specs), guess.spread))
        if graph is not None:
            specs = [
                replace(spec, dtype="int32") if spec.dtype == "float32" and _is_cast_to_int(tensor) else spec
                for spec, tensor in zip(specs, graph, strict=True)
            ]
            return Invocation(tree.pack_sequence_as(guess.structure, specs), guess.spread)
    return None


def _reads_text(model: Any) -> bool:
    kinds = {type(layer).__name__ for layer in model._flatten_layers()}
    return bool(kinds & {"TextVectorization", "StringLookup", "Hashing", "HashedCrossing"})


def _trace(model: Any, invocation: Invocation) -> list[Any] | None:
    """The placeholders of a traced call; None if it cannot be traced."""
    import tensorflow as tf

    specs = [tf.TensorSpec(t.shape, t.dtype) for t in invocation.specs]
    call: Callable[..., Any] = tf.function(
        lambda *flat: invocation.call(model, flat), input_signature=specs, autograph=False
    )
    try:
        traced = call.get_concrete_function()  # type: ignore[attr-defined]
    except Exception:
        return None
    return list(traced.inputs[: len(specs)])


def _is_cast_to_int(tensor: Any) -> bool:
    """Whether all that is done with a placeholder is a cast to an integer."""
    users = [op for op in tensor.consumers() if op.type != "Shape"]
    return bool(users) and all(
        op.type == "Cast" and np.dtype(op.outputs[0].dtype.as_numpy_dtype).kind in "iu" for op in users
    )
