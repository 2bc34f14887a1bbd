"""Trace a Keras model once, in inference mode, into one graph with a named signature.

Every format is written from the same `Capture`. Importing this module is cheap; TensorFlow is imported
when a model is captured.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pipeline.branches import nested_cases
from pipeline.calling import of_model
from pipeline.closure import Captured, Variable, closure_of
from pipeline.errors import ModelError, first_line
from pipeline.graphs import needed
from pipeline.invocation import Invocation
from pipeline.layers import Layers, layers_of
from pipeline.signature import DEFAULT_SIGNATURE, Signature, TensorSpec, unique_names
from pipeline.states import NEXT, State, call, states_of
from pipeline.tables import Table

# Operations that draw random numbers: none may remain in an inference graph.
_RANDOM = re.compile(r"^(Stateless)?(Random|Truncated|Multinomial|ParameterizedTruncated)|RandomGetKeyCounter|Rng")


@dataclass(frozen=True, eq=False)
class Capture:
    """One inference graph.

    Attributes:
        signature: names, dtypes, shapes and dynamic dimensions of inputs and outputs.
        traced: the concrete function with its variables.
        closure: what the function reads besides its inputs, in the order of `traced.graph.captures`.
        weights: every Keras weight that an output depends on, by its path; they share the variables' memory.
        invocation: how the Keras model is called to get the same.
        states: of stateful layers; they are the last inputs and outputs of the signature.
        unread: paths of the others, such as seed states and heads that inference leaves out.
        layers: names of the model's layers, for messages.
        variables: TensorFlow's by path, those of `weights` and others that `traced` reads and does not keep alive.
    """

    signature: Signature
    traced: Any
    closure: tuple[Captured, ...]
    weights: dict[str, np.ndarray]
    invocation: Invocation
    states: tuple[State, ...] = ()
    unread: tuple[str, ...] = ()
    layers: Layers = field(default_factory=Layers)
    variables: dict[str, Any] = field(default_factory=dict)

    @property
    def tables(self) -> tuple[Table, ...]:
        """The look-up tables that the graph reads."""
        return tuple(c for c in self.closure if isinstance(c, Table))

    @property
    def parameters(self) -> int:
        """Number of weight values."""
        return sum(w.size for w in self.weights.values())


def capture(model: Any, invocation: Invocation | None = None) -> Capture:
    """Trace `model(x, training=False)` with a dynamic batch.

    Keras' own export leaves `training` out, so random layers stay active there; here they are off, and a
    graph that still draws random numbers is refused.

    Args:
        model: a `keras.Model`.
        invocation: how it is called; by default what the model itself says.

    Raises:
        ModelError: the model has no usable signature, cannot be traced, or is random or has state in inference.
    """
    import tensorflow as tf

    invocation = invocation or of_model(model)
    states = states_of(model)
    inputs = invocation.specs + tuple(state.spec for state in states)
    specs = [tf.TensorSpec(t.shape, t.dtype, name=t.name) for t in inputs]
    names: list[str] = []

    def serve(*flat: Any) -> dict[str, Any]:
        from keras import tree

        outputs, after = call(model, invocation, states, flat)
        flat_outputs = tree.flatten(outputs)
        names[:] = _apart(_output_names(model, outputs, len(flat_outputs)), inputs) + [
            state.spec.name + NEXT for state in states
        ]
        flat_outputs += after
        tensors = [tf.convert_to_tensor(value) for value in flat_outputs]
        # Floats of every precision leave as float32, as they come in: few runtimes take others.
        wide = [tf.cast(t, tf.float32) if t.dtype.is_floating else t for t in tensors]
        return dict(zip(names, wide, strict=True))

    try:
        with nested_cases():
            traced = tf.function(serve, input_signature=specs, autograph=False).get_concrete_function()
    except Exception as error:
        raise ModelError(f"The model '{model.name}' cannot be traced: {first_line(error)}.", _advice(inputs)) from error
    _refuse_random(model.name, traced)
    try:
        closure = closure_of(traced)
    except ValueError as error:
        raise ModelError(
            f"The model '{model.name}' cannot be captured: {error}.", "Keep constants in weights."
        ) from error
    outputs = tuple(_spec(name, traced.structured_outputs[name]) for name in names)
    weights, unread = _weights(model, traced, closure)
    signature = Signature(inputs, outputs, DEFAULT_SIGNATURE)
    own = {id(getattr(weight.value, "handle", None)): path for path, weight in _by_path(model)}
    kept = {own.get(id(variable.handle), f"#{place}"): variable for place, variable in enumerate(traced.variables)}
    return Capture(signature, traced, closure, weights, invocation, states, unread, layers_of(model), kept)


def _advice(inputs: Sequence[TensorSpec]) -> str:
    """What helps a model that cannot be traced: some need a size that is open."""
    fixed = []
    for spec in inputs:
        if None in spec.shape[1:]:
            sizes = ",".join(["?", *(str(size or 16) for size in spec.shape[1:])])
            fixed.append(f'--input "{spec.name}:{spec.dtype}:{sizes}"')
    hint = f" If it needs a size that is open, name one: {' '.join(fixed)}" if fixed else ""
    return f"Does it predict in Keras, in batches of any size?{hint}"


def _spec(name: str, tensor: Any) -> TensorSpec:
    shape = tensor.shape
    if shape.rank is None:
        raise ModelError(f"Output '{name}' has no fixed rank.", "Give it a static rank with keras.ops.reshape.")
    if not shape.rank or shape[0] is not None:
        raise ModelError(
            f"Output '{name}' is {shape.as_list()} whatever the batch: it has no batch dimension.",
            "Keep one result per row, such as keras.ops.sum(x, axis=-1) in place of keras.ops.sum(x).",
        )
    return TensorSpec(name, tensor.dtype.name, tuple(shape.as_list()))


def _output_names(model: Any, outputs: Any, count: int) -> list[str]:
    """Keras' own output names: keys of a dict, else the names of the layers that made them."""
    from keras import tree

    if isinstance(outputs, dict):
        names = [str(path[-1]) for path, _ in tree.flatten_with_path(outputs)]
    else:
        functional = getattr(model, "_functional", None) or model
        names = list(getattr(functional, "output_names", None) or [])
    if len(names) != count:
        names = [f"output_{i}" for i in range(count)]
    return unique_names(names)


def _apart(names: list[str], inputs: Sequence[TensorSpec]) -> list[str]:
    """Output names that no input has: an ONNX graph has one name space."""
    given, apart = {spec.name for spec in inputs}, list(names)
    for place, name in enumerate(names):
        if name in given:
            name = f"{name}_output"
            while name in given or name in apart:
                name = f"{name}_"
            apart[place] = name
    return apart


def _weights(model: Any, traced: Any, closure: Sequence[Captured]) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    behind = {node.name for node in needed(traced.graph)}
    captures = zip(closure, traced.graph.captures, strict=True)
    read = {id(c.handle): c.value for c, (_, t) in captures if isinstance(c, Variable) and t.op.name in behind}
    weights, unread = {}, []
    for path, weight in _by_path(model):
        value = read.get(id(getattr(weight.value, "handle", None)))
        if value is None:
            unread.append(path)
        else:
            weights[path] = value
    return weights, tuple(unread)


def _by_path(model: Any) -> list[tuple[str, Any]]:
    """The weights by their paths; Keras may give several the same one, and the later ones get a number here."""
    seen: Counter[str] = Counter()
    found = []
    for weight in model.weights:
        seen[weight.path] += 1
        count = seen[weight.path]
        found.append((weight.path if count == 1 else f"{weight.path}#{count}", weight))
    return found


def _refuse_random(name: str, traced: Any) -> None:
    """Draws that an output depends on: a layer may draw in inference too, and not use the numbers."""
    for node in needed(traced.graph):
        if _RANDOM.match(node.op):
            raise ModelError(
                f"The model '{name}' draws random numbers in inference ({node.op} in '{node.name}').",
                "Make the layer honour training=False.",
            )
