"""What a TensorFlow graph's outputs depend on, functions included."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

# What only the sizes of a tensor are read for.
_SIZES = frozenset(("Shape", "ShapeN", "Size", "Rank", "ZerosLike", "OnesLike"))


def needed(graph: Any) -> Iterator[Any]:
    """The nodes that a graph's outputs depend on through data, with those of the functions that they call.

    Within a function the same holds: what none of its results depends on is left out.
    """
    definition = graph.as_graph_def()
    functions = {f.signature.name: f for f in definition.library.function}
    done: set[str] = set()
    outputs = [tensor.op.name for tensor in graph.outputs]
    waiting = [(list(definition.node), outputs)]
    while waiting:
        nodes, wanted = waiting.pop()
        for node in _behind(nodes, wanted):
            yield node
            for name in called(node):
                if name in functions and name not in done:
                    done.add(name)
                    function = functions[name]
                    waiting.append((list(function.node_def), [r.split(":")[0] for r in function.ret.values()]))


def depends_on_values(tensor: Any) -> bool:
    """Whether the values of an input reach a tensor, and not just the sizes of inputs."""
    seen = {inner.op.name for _, inner in tensor.graph.captures}  # placeholders of variables, tables and constants
    stack = [tensor.op]
    while stack:
        op = stack.pop()
        if op.name in seen or op.type in _SIZES:
            continue
        seen.add(op.name)
        if op.type == "Placeholder":
            return True
        stack += [source.op for source in op.inputs]
    return False


def called(node: Any) -> list[str]:
    """Names that may be of functions which an operation calls: its own type (a `Defun`), bodies of loops, branches."""
    values = node.attr.values()
    return [node.op, *(v.func.name for v in values if v.func.name), *(f.name for v in values for f in v.list.func)]


def _behind(nodes: list[Any], wanted: list[str]) -> Iterator[Any]:
    by_name = {node.name: node for node in nodes}
    seen: set[str] = set()
    stack = list(wanted)
    while stack:
        name = stack.pop()
        if name in seen or name not in by_name:  # a function's arguments are no nodes
            continue
        seen.add(name)
        yield by_name[name]
        stack += [source.split(":")[0] for source in by_name[name].input if not source.startswith("^")]
