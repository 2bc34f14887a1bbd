"""Trace a Keras model once, in inference mode, into one frozen graph with a named signature.

Every format is written from the same `Capture`. Importing this module is cheap; TensorFlow is imported
when a model is captured.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.errors import ModelError, first_line
from pipeline.signature import DEFAULT_SIGNATURE, Signature, TensorSpec

# Operations that draw random numbers: none may remain in an inference graph.
_RANDOM = re.compile(r"^(Stateless)?(Random|Truncated|Multinomial|ParameterizedTruncated)|RandomGetKeyCounter|Rng")


@dataclass(frozen=True, eq=False)
class Capture:
    """One inference graph.

    Attributes:
        signature: names, dtypes, shapes and dynamic dimensions of inputs and outputs.
        traced: the concrete function with its variables (the SavedModel is written from it).
        frozen: the same function with variables as constants (all else is written from it).
        weights: every Keras weight that the graph reads, by its path.
        unread: paths of Keras weights that inference does not read (such as seed states).
    """

    signature: Signature
    traced: Any
    frozen: Any
    weights: dict[str, np.ndarray]
    unread: tuple[str, ...] = ()

    @property
    def parameters(self) -> int:
        """Number of weight values."""
        return sum(w.size for w in self.weights.values())


def capture(model: Any) -> Capture:
    """Trace `model(x, training=False)` with a dynamic batch and freeze it.

    Keras' own export leaves `training` out, so random layers stay active there; here they are off, and a
    graph that still draws random numbers is refused.

    Args:
        model: a built `keras.Model`.

    Raises:
        ModelError: the model has no usable signature, cannot be traced, or is random in inference.
    """
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    structure, inputs = _inputs(model)
    specs = [tf.TensorSpec(t.shape, t.dtype, name=t.name) for t in inputs]
    names: list[str] = []

    def serve(*flat: Any) -> dict[str, Any]:
        from keras import tree

        outputs = model(tree.pack_sequence_as(structure, list(flat)), training=False)
        flat_outputs = tree.flatten(outputs)
        names[:] = _output_names(model, outputs, len(flat_outputs))
        return {name: tf.convert_to_tensor(value) for name, value in zip(names, flat_outputs, strict=True)}

    try:
        traced = tf.function(serve, input_signature=specs, autograph=False).get_concrete_function()
    except Exception as error:
        raise ModelError(
            f"The model '{model.name}' cannot be traced: {first_line(error)}.", "Does it predict in Keras?"
        ) from error
    # Before freezing, which a seed that is updated would stop.
    _refuse_random(model.name, traced)
    frozen = convert_variables_to_constants_v2(traced, lower_control_flow=False)
    outputs = tuple(_spec(name, traced.structured_outputs[name]) for name in names)
    weights, unread = _weights(model, traced)
    return Capture(Signature(tuple(inputs), outputs, DEFAULT_SIGNATURE), traced, frozen, weights, unread)


def _spec(name: str, tensor: Any) -> TensorSpec:
    shape = tensor.shape
    if shape.rank is None:
        raise ModelError(f"Output '{name}' has no fixed rank.", "Give it a static rank with keras.ops.reshape.")
    return TensorSpec(name, tensor.dtype.name, tuple(shape.as_list()))


def call_structure(model: Any) -> Any:
    """The structure of tensors (one, a list, a dict) that the model is called with.

    Raises:
        ModelError: a subclassed model that stores none.
    """
    functional = getattr(model, "_functional", None) or model
    structure = getattr(functional, "_inputs_struct", None)
    if structure is None:
        raise ModelError(
            f"The model '{model.name}' is subclassed and stores no input signature.",
            "Wrap it: keras.Model(inputs, model(inputs)), with keras.Input for each input.",
        )
    return structure


def _inputs(model: Any) -> tuple[Any, list[TensorSpec]]:
    """The structure that the model is called with, and its leaves as specs."""
    from keras import backend, tree

    structure = call_structure(model)
    leaves = tree.flatten(structure)
    names = _unique([leaf.name for leaf in leaves])
    specs = [
        TensorSpec(name, backend.standardize_dtype(leaf.dtype), tuple(leaf.shape))
        for name, leaf in zip(names, leaves, strict=True)
    ]
    return structure, specs


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
    return _unique(names)


def _unique(names: list[str]) -> list[str]:
    """Names that every format accepts, each once."""
    clean = [re.sub(r"[^A-Za-z0-9_]", "_", n) or "tensor" for n in names]
    clean = [n if re.match(r"[A-Za-z]", n) else f"t_{n}" for n in clean]
    counts = Counter(clean)
    seen: Counter[str] = Counter()
    result = []
    for name in clean:
        if counts[name] > 1:
            seen[name] += 1
            name = f"{name}_{seen[name]}"
        result.append(name)
    return result


def _weights(model: Any, traced: Any) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    read = {id(v.handle) for v in traced.graph.variables}
    weights, unread = {}, []
    for weight in model.weights:
        handle = getattr(weight.value, "handle", None)
        if handle is not None and id(handle) in read:
            weights[weight.path] = np.asarray(weight)
        else:
            unread.append(weight.path)
    return weights, tuple(unread)


def _refuse_random(name: str, traced: Any) -> None:
    for node in _all_nodes(traced.graph.as_graph_def()):
        if _RANDOM.match(node.op):
            raise ModelError(
                f"The model '{name}' draws random numbers in inference ({node.op} in '{node.name}').",
                "Make the layer honour training=False.",
            )


def _all_nodes(graph_def: Any) -> list[Any]:
    return [*graph_def.node, *(node for f in graph_def.library.function for node in f.node_def)]
