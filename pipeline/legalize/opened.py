"""A legalized function with its large weights as inputs, for converters that would copy them many times over.

The writer puts them back into the file. That also lifts the limit of 2 GiB, where a protocol buffer ends.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.legalize import Legalized
from pipeline.signature import unique_names

# These treat a weight as any tensor; others may ask the converter for its value.
_READERS = frozenset(
    {"MatMul", "BatchMatMul", "BatchMatMulV2", "Conv2D", "Conv3D", "DepthwiseConv2dNative", "GatherV2", "AddV2", "Mul"}
)


@dataclass(frozen=True, eq=False)
class Opened:
    """A function that is handed its large weights.

    Attributes:
        function: a `tf.function` from the inputs and then the weights, in order, to a dict of named outputs.
        specs: `tf.TensorSpec`s of both.
        weights: values of the weights by their inputs' names, which are those of the Keras weights if they can be.
    """

    function: Any
    specs: list[Any]
    weights: dict[str, np.ndarray]

    @property
    def concrete(self) -> Any:
        """The function's one trace."""
        return self.function.get_concrete_function(*self.specs)


def open_weights(legal: Legalized) -> Opened:
    """Make the large weights inputs that a converter need not know."""
    import tensorflow as tf

    specs = list(legal.function.input_signature)  # a target may lack the type that the model declares
    reads = _reads(legal.concrete.graph)
    if not reads:
        return Opened(legal.function, specs, {})
    taken = [t.name for t in (*legal.signature.inputs, *legal.signature.outputs)]
    # By address: what a store holds is never copied.
    sources = {c.value.ctypes.data: sorted(c.sources) for c in legal.constants}
    wanted = [next(iter(sources.get(value.ctypes.data, ())), "weight") for _, value in reads]
    names = unique_names([*taken, *wanted])[len(taken) :]
    weights = {name: value for name, (_, value) in zip(names, reads, strict=True)}
    specs += [tf.TensorSpec(value.shape, value.dtype, name=name) for name, value in weights.items()]
    return Opened(_function(legal, [op for op, _ in reads], specs), specs, weights)


def _reads(graph: Any) -> list[tuple[Any, np.ndarray]]:
    """The operations that read variables for readers that take any tensor, with the values."""
    import tensorflow as tf

    variables = {id(v.handle): v for v in graph.variables}
    found = []
    for outer, inner in graph.captures:
        for op in inner.consumers() if id(outer) in variables else ():
            readers = op.outputs[0].consumers()
            plain = op.type == "ReadVariableOp" and op.outputs[0].dtype == tf.float32
            if plain and readers and all(r.type in _READERS for r in readers):
                found.append((op, np.asarray(variables[id(outer)].read_value())))
    return found


def _function(legal: Legalized, reads: list[Any], specs: list[Any]) -> Any:
    import tensorflow as tf

    source = legal.concrete
    count = len(legal.signature.inputs)
    replaced = [*source.inputs[:count], *(op.outputs[0] for op in reads)]
    captures = source.graph.captures
    names = {t.op.name for t in replaced} | {inner.op.name for _, inner in captures}
    others = [(outer, inner) for outer, inner in captures if any(op not in reads for op in inner.consumers())]
    definition = source.graph.as_graph_def()
    kept = [node for node in definition.node if node.name not in names]
    for node in kept:
        node.input[:] = [i for i in node.input if i.removeprefix("^") not in names or not i.startswith("^")]
    del definition.node[:]
    definition.node.extend(kept)
    outputs = {name: tensor.name for name, tensor in source.structured_outputs.items()}

    def serve(*flat: Any) -> dict[str, Any]:
        graph = tf.compat.v1.get_default_graph()
        for variable in source.graph.variables:
            if any(variable.handle is outer for outer, _ in others):
                graph.watch_variable(variable)
        feeds = {t.name: value for t, value in zip(replaced, flat, strict=True)}
        feeds |= {inner.name: graph.capture(outer) for outer, inner in others}
        results = tf.graph_util.import_graph_def(
            definition, input_map=feeds, return_elements=list(outputs.values()), name=""
        )
        return dict(zip(outputs, results, strict=True))

    return tf.function(serve, input_signature=specs, autograph=False)
