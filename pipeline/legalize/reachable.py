"""What a rewritten graph really contains: only what its outputs depend on counts."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
import tensorflow as tf

from pipeline.graphs import called, needed
from pipeline.legalize.digest import digest


def float_constants(graph: Any) -> list[np.ndarray]:
    """Values of the float constants that a graph's outputs depend on, those in loop bodies and variables included."""
    handles = {id(v.handle): v for v in graph.variables}
    read = {inner.op.name: handles[id(outer)] for outer, inner in graph.captures if id(outer) in handles}
    found: dict[bytes, np.ndarray] = {}
    for node in needed(graph):
        if node.op == "Const" and tf.as_dtype(node.attr["dtype"].type).is_floating:
            value = tf.make_ndarray(node.attr["value"].tensor)
        elif node.name in read and read[node.name].dtype.is_floating:
            value = np.asarray(read[node.name].read_value())
        else:
            continue
        found.setdefault(digest(value), value)
    return list(found.values())


def operations(graph: Any) -> set[str]:
    """Types of the operations that a graph's outputs depend on."""
    return {node.op for node in needed(graph)}


def computes_in(graph: Any, types: Collection[Any]) -> bool:
    """An operation that the graph's outputs depend on works in one of these types."""
    wanted = {t.as_datatype_enum for t in types}
    return any(attr.type in wanted for node in needed(graph) for attr in node.attr.values())


def locate(graph: Any, types: Collection[str]) -> list[tuple[str, str]]:
    """(type, name scope) of every operation of these types, each pair once; those of functions by who calls them."""
    definition = graph.as_graph_def()
    functions = {f.signature.name: f for f in definition.library.function}
    found: dict[tuple[str, str], None] = {}
    done: set[tuple[str, str]] = set()
    stack = [(definition.node, "")]
    while stack:
        nodes, outer = stack.pop()
        for node in nodes:
            scope = node.name.rpartition("/")[0]
            if outer and scope != outer and not scope.startswith(f"{outer}/"):
                scope = f"{outer}/{scope}" if scope else outer
            if node.op in types:
                found[node.op, scope or node.name] = None
            for name in called(node):
                if name in functions and (name, scope) not in done:
                    done.add((name, scope))
                    stack.append((functions[name].node_def, scope))
    return list(found)
