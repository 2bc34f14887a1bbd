"""Find how a model is called.

A Functional or Sequential model stores it. A subclassed one stores the shapes of the call that built it, or nothing:
then it is inferred where that can be done safely, or the user declares it (`--input`, or beside the model).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from pipeline import inferring
from pipeline.errors import ModelError, UsageError, first_line
from pipeline.invocation import HOW, Invocation, parse
from pipeline.signature import TensorSpec, unique_names


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
    return inferring.infer(model)


def of_structure(model: Any, structure: Any) -> Invocation:
    """How to call a model, by a structure of `keras.Input`s, `tf.TensorSpec`s or texts such as "int32:?,128".

    Raises:
        ModelError: the model cannot be called so.
    """
    specs = _specs_of(structure)
    spreads = (False, True) if isinstance(structure, dict | list | tuple) else (False,)
    problems = []
    for invocation in (Invocation(specs, spread) for spread in spreads):
        if not (problem := _problem(model, invocation)):
            return invocation
        problems.append(problem)
    raise ModelError(f"The model '{model.name}' cannot be called with its declared inputs: {problems[0]}.", HOW)


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
        raise UsageError("Two inputs have the same name.", HOW)
    problems = []
    for invocation in _structures(model, by_name, stored):
        if not (problem := _problem(model, invocation)):
            return invocation
        problems.append(problem)
    names = ", ".join(f"'{name}'" for name in by_name)
    why = f": {problems[0]}" if problems else ""
    raise ModelError(f"The model '{model.name}' cannot be called with the declared inputs {names}{why}.", HOW)


def _structures(model: Any, by_name: dict[str, TensorSpec], stored: Any) -> list[Invocation]:
    from keras import tree

    if stored is not None:
        own = Invocation(_specs_of(stored)).specs
        wanted = [spec.name for spec in own]
        if set(by_name) - set(wanted):
            raise UsageError(f"The model '{model.name}' takes {wanted}, not {sorted(by_name)}.", HOW)
        return [Invocation(tree.pack_sequence_as(stored, [by_name.get(spec.name, spec) for spec in own]))]
    arguments = inferring.arguments(model)
    every, first = list(by_name.values()), next(iter(by_name.values()))
    shapes = (getattr(model, "_build_shapes_dict", None) or {}).get("input_shape")
    if isinstance(shapes, dict):
        return [Invocation(by_name)]
    if len(by_name) == 1:
        return [Invocation(first), Invocation(by_name), Invocation(every)]
    if set(by_name) <= set(arguments):
        return [Invocation({name: by_name[name] for name in arguments if name in by_name}, spread=True)]
    return [Invocation(by_name), Invocation(every)]


def _problem(model: Any, invocation: Invocation) -> str:
    """Call a model symbolically, which builds it if need be; what is wrong, or nothing."""
    import keras

    tensors = [keras.KerasTensor(spec.shape, spec.dtype, name=spec.name) for spec in invocation.specs]
    try:
        invocation.call(model, tensors)
    except Exception as error:
        return f"{type(error).__name__}: {first_line(error)}"
    return ""
