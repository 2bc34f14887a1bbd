"""The look-up tables that a graph reads: their keys and values, so that every format can carry them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.graphs import called

_FIND = "LookupTableFindV2"


@dataclass(frozen=True, eq=False)
class Table:
    """A hash table with what it held when the model was captured.

    Attributes:
        handle: the resource that the traced function reads.
        keys, values: [n], in TensorFlow's order; strings as bytes in object arrays.
    """

    handle: Any
    keys: np.ndarray
    values: np.ndarray


def table_of(traced: Any, handle: Any, placeholder: Any) -> Table:
    """The table that a concrete function captured.

    Args:
        traced: the concrete function.
        handle: the captured resource.
        placeholder: that stands for it in the function's graph.

    Raises:
        ValueError: the resource is no look-up table.
    """
    definition = traced.graph.as_graph_def()
    functions = {f.signature.name: f for f in definition.library.function}
    return _read(handle, _types(placeholder.op.name, definition.node, functions))


def restore(table: Table) -> Any:
    """A `StaticHashTable` that stands for the captured resource: a SavedModel stores and initializes it."""
    import tensorflow as tf

    made = make(table.keys, table.values)
    made._resource_handle = tf.convert_to_tensor(table.handle)
    return made


def make(keys: np.ndarray, values: np.ndarray) -> Any:
    """A new `StaticHashTable` of these pairs."""
    import tensorflow as tf

    def tensor(array: np.ndarray) -> Any:
        return tf.constant(array, tf.string if array.dtype.kind in "OSU" else array.dtype)

    pairs = tf.lookup.KeyValueTensorInitializer(tensor(keys), tensor(values))
    # The default is an argument of each look-up; this one is never used.
    default: Any = "" if values.dtype.kind in "OSU" else values.dtype.type(0)
    return tf.lookup.StaticHashTable(pairs, default)


def _read(handle: Any, types: tuple[int, int] | None) -> Table:
    import tensorflow as tf

    if types is None:
        raise ValueError("the graph captures a resource that is no look-up table")
    # With other types than the table's, TensorFlow ends the process.
    keys, values = tf.raw_ops.LookupTableExportV2(table_handle=handle, Tkeys=types[0], Tvalues=types[1])
    order = np.argsort(keys.numpy(), kind="stable")  # a hash table has no order, a file shall have one
    return Table(handle, keys.numpy()[order], values.numpy()[order])


def _types(name: str, nodes: Any, functions: dict[str, Any]) -> tuple[int, int] | None:
    """Types of the keys and values of the table called `name` among these nodes, by who looks something up in it."""
    names = {name}
    for node in nodes:
        for position, source in enumerate(node.input):
            if source.split(":")[0] not in names:
                continue
            if node.op == "Identity":
                names.add(node.name)
            elif node.op == _FIND:
                return node.attr["Tin"].type, node.attr["Tout"].type
            else:
                argument = position - (node.op in ("If", "StatelessIf", "Case", "StatelessCase"))
                for function in (functions[name] for name in called(node) if name in functions):
                    inner = function.signature.input_arg[argument].name
                    if found := _types(inner, function.node_def, functions):
                        return found
    return None
