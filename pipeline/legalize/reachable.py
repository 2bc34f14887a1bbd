"""What a rewritten graph really contains: only what its outputs depend on counts."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
import tensorflow as tf


def float_constants(graph: Any) -> list[np.ndarray]:
    """Values of the float constants that a graph's outputs depend on, those in loop bodies included."""
    definition = graph.as_graph_def()
    functions = {f.signature.name: f for f in definition.library.function}
    nodes = {n.name: n for n in definition.node}
    found: dict[bytes, np.ndarray] = {}
    done: set[str] = set()
    stack = [t.op.name for t in graph.outputs]

    def visit(node: Any) -> None:
        if node.op == "Const" and tf.as_dtype(node.attr["dtype"].type).is_floating:
            value = tf.make_ndarray(node.attr["value"].tensor)
            found[value.tobytes() + str(value.shape).encode()] = value
        for attr in node.attr.values():
            if attr.func.name in functions and attr.func.name not in done:
                done.add(attr.func.name)
                for inner in functions[attr.func.name].node_def:
                    visit(inner)

    seen: set[str] = set()
    while stack:
        name = stack.pop()
        if name in seen:
            continue
        seen.add(name)
        node = nodes[name]
        visit(node)
        stack.extend(i.split(":")[0] for i in node.input if not i.startswith("^"))
    return list(found.values())


def locate(graph: Any, types: Collection[str]) -> tuple[str, str] | None:
    """Type and Keras layer path of the first operation of these types, functions included; None if there is none."""
    definition = graph.as_graph_def()
    for node in [*definition.node, *(n for f in definition.library.function for n in f.node_def)]:
        if node.op in types:
            return node.op, node.name.rpartition("/")[0] or node.name
    return None
