"""The interpreter: walk a frozen graph in data order and write it anew for a target, rule by rule."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.framework import function_def_to_graph

from pipeline.errors import LegalizationError
from pipeline.legalize.constants import Constants
from pipeline.legalize.emit import emit
from pipeline.legalize.registry import rules_for


class Rewriter:
    """One rewrite of one frozen function for one target.

    Values in flight are tensors of the new graph, or Python objects that stand for what no target has
    (a `TensorList` is a dense buffer); the latter must vanish before an output.

    Attributes:
        target: "tflite", "onnx", "tfjs" or "oracle".
        constants: values known while rewriting.
        uses: how often each rule was applied.
    """

    def __init__(self, frozen: Any, target: str, weights: dict[str, np.ndarray]) -> None:
        self.target = target
        self.constants = Constants(target, weights)
        self.uses: Counter[str] = Counter()
        self._frozen = frozen
        self._rules = rules_for(target)
        self._functions: dict[str, Any] = {}
        self._definitions = {f.signature.name: f for f in frozen.graph.as_graph_def().library.function}

    def run(self, inputs: list[Any]) -> list[Any]:
        """Rewrite the whole function onto new inputs, in the current graph."""
        names = [t.name for t in self._frozen.inputs]
        return self.interpret(self._frozen.outputs, dict(zip(names, inputs, strict=True)))

    def function(self, name: str) -> Any:
        """The `FuncGraph` of a function of the source graph's library."""
        if name not in self._functions:
            with self._frozen.graph.as_default():
                self._functions[name] = function_def_to_graph.function_def_to_graph(self._definitions[name])
        return self._functions[name]

    def call(self, name: str, inputs: list[Any]) -> list[Any]:
        """Rewrite a library function inline, onto the given inputs."""
        graph = self.function(name)
        return self.interpret(graph.outputs, {t.name: v for t, v in zip(graph.inputs, inputs, strict=True)})

    def interpret(self, outputs: list[Any], values: dict[str, Any]) -> list[Any]:
        """Rewrite what the outputs need. Control dependencies (asserts, prints, assignments) are left behind."""
        for op in _in_data_order(outputs, values):
            if op.outputs and all(t.name in values for t in op.outputs):
                continue
            results = self._rewrite(op, [values[t.name] for t in op.inputs])
            for tensor, value in zip(op.outputs, results, strict=True):
                values[tensor.name] = value
        return [values[t.name] for t in outputs]

    def _rewrite(self, op: Any, inputs: list[Any]) -> list[Any]:
        if op.type == "Const":
            return [self.constants.original(op)]
        for entry in self._rules.get(op.type, ()):
            with tf.name_scope(_scope(op)):
                result = entry.apply(self, op, *inputs)
            if result is not None:
                if not entry.structural:
                    self.uses[entry.name] += 1
                return list(result) if isinstance(result, list | tuple) else [result]
        if (folded := self.constants.fold(op, inputs)) is not None:
            return folded
        if not all(isinstance(t, tf.Tensor) for t in inputs):
            raise LegalizationError(
                op.type, op.name, self.target, "it works on a value that only exists while rewriting", "Report this."
            )
        with tf.name_scope(_scope(op)):
            return emit(op, inputs, self.target)

    def value(self, tensor: Any) -> np.ndarray | None:
        """The tensor's value if known, else None."""
        return self.constants.value(tensor)

    def constant(self, value: np.ndarray, *derived_from: Any) -> Any:
        """A constant in the current graph; `derived_from` are the known tensors that it was computed from."""
        known = [v for t in derived_from if (v := self.value(t)) is not None]
        return self.constants.make(value, known)


def _scope(op: Any) -> str:
    """Name scope that keeps the Keras layer's path: the operation's own, without its last part."""
    parent = op.name.rpartition("/")[0]
    return f"{parent}/" if parent else "isomer/"


def _in_data_order(outputs: list[Any], known: dict[str, Any]) -> list[Any]:
    """Operations that the outputs depend on through data, inputs first. Iterative: graphs can be deep."""
    order: list[Any] = []
    seen: set[str] = set()
    stack: list[tuple[Any, int]] = [(t.op, 0) for t in reversed(outputs)]
    while stack:
        op, position = stack.pop()
        if position == 0:
            if op.name in seen or (op.outputs and all(t.name in known for t in op.outputs)):
                continue
            seen.add(op.name)
        inputs = op.inputs
        if position < len(inputs):
            stack.append((op, position + 1))
            tensor = inputs[position]
            if tensor.name not in known and tensor.op.name not in seen:
                stack.append((tensor.op, 0))
        else:
            order.append(op)
    return order
