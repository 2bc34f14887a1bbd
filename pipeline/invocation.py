"""How a model is called: which tensors, of which dtype and shape, in which structure.

A Functional or Sequential model stores it. A subclassed one stores the shapes of the call that built it, or nothing:
then it is inferred where that can be done safely, or the user declares it (`--input`, or beside the model).
"""

from __future__ import annotations

import inspect
import itertools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pipeline.errors import ModelError, UsageError, first_line
from pipeline.signature import TensorSpec, unique_names

_HOW = (
    'Declare each input, such as --input "ids:int32:?,128" (name, dtype, shape; "?" is any size, the first the batch). '
    'Whole numbers may have a range: --input "ids:int32:?,128:0..999".'
)
_DTYPES = (
    "float32 float64 float16 int8 int16 int32 int64 uint8 uint16 uint32 uint64 bool string bfloat16".split()  # noqa: SIM905
)
# Structures that two or three inputs of a subclassed model may come in are tried; for more, dtypes are not.
_MOST_TRIED = 4


@dataclass(frozen=True)
class Invocation:
    """One way to call a model.

    Attributes:
        structure: a `TensorSpec`, or lists, tuples and dicts of them.
        spread: the structure holds the arguments of `call`, by position or by name; it is not its one argument.
    """

    structure: Any
    spread: bool = False

    @property
    def declared(self) -> tuple[TensorSpec, ...]:
        """The inputs in flat order, as the model has them."""
        from keras import tree

        return tuple(tree.flatten(self.structure))

    @property
    def specs(self) -> tuple[TensorSpec, ...]:
        """The inputs in flat order, floats of every precision as float32: few runtimes take others."""
        return tuple(replace(t, dtype="float32") if _is_float(t) else t for t in self.declared)

    def call(self, model: Any, flat: Sequence[Any]) -> Any:
        """Call a model in inference mode with tensors in flat order."""
        import tensorflow as tf
        from keras import tree

        inputs = [tf.cast(x, t.dtype) if _is_float(t) else x for x, t in zip(flat, self.declared, strict=True)]
        packed = tree.pack_sequence_as(self.structure, inputs)
        if not self.spread:
            return model(packed, training=False)
        return model(**packed, training=False) if isinstance(packed, dict) else model(*packed, training=False)


def _is_float(spec: TensorSpec) -> bool:
    return spec.dtype in ("float16", "bfloat16", "float64")


def parse(text: str) -> TensorSpec:
    """An input as the command line writes it: "name:dtype:shape", such as "ids:int32:?,128", or with a range of whole
    numbers, "ids:int32:?,128:0..999".

    Raises:
        UsageError: it is not of that form.
    """
    name, _, rest = text.partition(":")
    dtype, _, rest = rest.partition(":")
    sizes, _, limits = rest.partition(":")
    dims = [part.strip() for part in sizes.strip("[]() ").split(",") if part.strip()]
    if not re.fullmatch(r"[A-Za-z_]\w*", name) or not dims or not all(re.fullmatch(r"\?|None|\d+", d) for d in dims):
        raise UsageError(f"'{text}' does not describe an input.", _HOW)
    if dtype not in _DTYPES:
        raise UsageError(f"'{text}': there is no dtype '{dtype}'.", f"Choose from {', '.join(_DTYPES)}.")
    shape = (None, *(int(d) if d.isdigit() else None for d in dims[1:]))
    return TensorSpec(name, dtype, shape, _range(text, dtype, limits) if limits else None)


def _range(text: str, dtype: str, limits: str) -> tuple[int, int]:
    found = re.fullmatch(r"(-?\d+)\.\.(-?\d+)", limits.strip())
    if found is None or np.dtype("S" if dtype in ("string", "bfloat16") else dtype).kind not in "iu":
        raise UsageError(f"'{text}': '{limits}' is no range of whole numbers.", _HOW)
    low, high = int(found[1]), int(found[2])
    least, most = np.iinfo(dtype).min, np.iinfo(dtype).max
    if not least <= low <= high <= most:
        raise UsageError(f"'{text}': {low}..{high} is no range of {dtype}.", f"It reaches from {least} to {most}.")
    return low, high


def of_model(model: Any, declared: Sequence[TensorSpec] = ()) -> Invocation:
    """How to call a model.

    Args:
        model: a `keras.Model`; one that was never called is built here, if its inputs are declared.
        declared: inputs by name; the structure that the model wants them in is found by trying.

    Raises:
        ModelError: nobody knows, or the declared inputs do not fit.
    """
    functional = getattr(model, "_functional", None) or model
    stored = getattr(functional, "_inputs_struct", None)
    if declared:
        return _arrange(model, declared, stored)
    if stored is not None:
        return Invocation(_specs_of(stored))
    return _infer(model)


def of_structure(model: Any, structure: Any) -> Invocation:
    """How to call a model, by a structure of `keras.Input`s, `tf.TensorSpec`s or texts such as "int32:?,128".

    Raises:
        ModelError: the model cannot be called so.
    """
    specs = _specs_of(structure)
    spreads = (False, True) if isinstance(structure, dict | list | tuple) else (False,)
    problems = []
    for invocation in (Invocation(specs, spread) for spread in spreads):
        if not (problem := _try(model, invocation)):
            return invocation
        problems.append(problem)
    raise ModelError(f"The model '{model.name}' cannot be called with its declared inputs: {problems[0]}.", _HOW)


def _specs_of(structure: Any) -> Any:
    """The same structure with our specs as leaves, named by the leaves' own names, else by their place."""
    from keras import tree

    paths = [("_".join(map(str, path)), leaf) for path, leaf in tree.flatten_with_path(structure)]
    paths = [(place if re.match(r"[A-Za-z]", place) else f"input_{place}".rstrip("_"), leaf) for place, leaf in paths]
    if not paths:
        raise ModelError(
            "The model takes no inputs: there is nothing to run it on.", "Give it at least one keras.Input."
        )
    names = unique_names([_own_name(leaf) or place for place, leaf in paths])
    return tree.pack_sequence_as(
        structure, [_spec_of(name, leaf) for name, (_, leaf) in zip(names, paths, strict=True)]
    )


def _own_name(leaf: Any) -> str:
    """A leaf's name, unless Keras made it up: numbers that run through a process name nothing."""
    name = str(getattr(leaf, "name", None) or "")
    return "" if re.fullmatch(r"keras_tensor(_\d+)?", name) else name


def _spec_of(name: str, leaf: Any) -> TensorSpec:
    from keras import backend

    if isinstance(leaf, str):
        return parse(f"{name}:{leaf}")
    shape = tuple(None if size is None or size < 0 else int(size) for size in leaf.shape)
    if not shape:
        raise ModelError(
            f"Input '{name}' is a scalar: it has no batch dimension.", "Give it one: keras.Input(shape=()) is [batch]."
        )
    # Any size of the batch: Keras itself accepts others than the one that an Input may name.
    return TensorSpec(name, backend.standardize_dtype(getattr(leaf.dtype, "name", leaf.dtype)), (None, *shape[1:]))


def _arrange(model: Any, declared: Sequence[TensorSpec], stored: Any) -> Invocation:
    """The first structure of the declared inputs that the model can be called with."""
    by_name = {spec.name: spec for spec in declared}
    if len(by_name) != len(declared):
        raise UsageError("Two inputs have the same name.", _HOW)
    problems = []
    for invocation in _structures(model, by_name, stored):
        if not (problem := _try(model, invocation)):
            return invocation
        problems.append(problem)
    names = ", ".join(f"'{name}'" for name in by_name)
    why = f": {problems[0]}" if problems else ""
    raise ModelError(f"The model '{model.name}' cannot be called with the declared inputs {names}{why}.", _HOW)


def _structures(model: Any, by_name: dict[str, TensorSpec], stored: Any) -> list[Invocation]:
    from keras import tree

    if stored is not None:
        own = Invocation(_specs_of(stored)).specs
        wanted = [spec.name for spec in own]
        if set(by_name) - set(wanted):
            raise UsageError(f"The model '{model.name}' takes {wanted}, not {sorted(by_name)}.", _HOW)
        return [Invocation(tree.pack_sequence_as(stored, [by_name.get(spec.name, spec) for spec in own]))]
    arguments = _arguments(model)
    every, first = list(by_name.values()), next(iter(by_name.values()))
    shapes = (getattr(model, "_build_shapes_dict", None) or {}).get("input_shape")
    if isinstance(shapes, dict):
        return [Invocation(by_name)]
    if len(by_name) == 1:
        return [Invocation(first), Invocation(by_name), Invocation(every)]
    if set(by_name) <= set(arguments):
        return [Invocation({name: by_name[name] for name in arguments if name in by_name}, spread=True)]
    return [Invocation(by_name), Invocation(every)]


def _arguments(model: Any) -> list[str]:
    """Names of the arguments of a model's `call`."""
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    parameters = inspect.signature(model.call).parameters.values()
    return [p.name for p in parameters if p.kind in kinds and p.name not in ("self", "training", "mask")]


def _try(model: Any, invocation: Invocation) -> str:
    """Call a model symbolically, which builds it if need be; what is wrong, or nothing."""
    import keras

    tensors = [keras.KerasTensor(spec.shape, spec.dtype, name=spec.name) for spec in invocation.specs]
    try:
        invocation.call(model, tensors)
    except Exception as error:
        return f"{type(error).__name__}: {first_line(error)}"
    return ""


def _infer(model: Any) -> Invocation:
    """From the shapes of the call that built a subclassed model; the leading axis is the batch."""
    unknown = ModelError(f"The model '{model.name}' is subclassed and stores no signature of its inputs.", _HOW)
    shapes = getattr(model, "_build_shapes_dict", None) or {}
    if not shapes:
        raise unknown
    if len(shapes) == 1:
        name = (_arguments(model) or ["input"])[0]
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
