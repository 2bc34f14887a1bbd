"""The interpreter: walk a captured graph in data order and write it anew for a target, rule by rule."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.framework import function_def_to_graph

from pipeline.capture import Capture
from pipeline.closure import Captured
from pipeline.errors import LegalizationError, Obstacle, first_line
from pipeline.legalize.complex_pair import Complex
from pipeline.legalize.constants import Constants
from pipeline.legalize.emit import emit
from pipeline.legalize.registry import Rule, rules_for
from pipeline.legalize.store import Store


class Rewriter:
    """One rewrite of one captured function for one target.

    Values in flight are tensors of the new graph, or Python objects that stand for what no target has
    (a `TensorList` is a dense buffer); the latter must vanish before an output.

    Attributes:
        target: "tflite", "onnx", "tfjs", "savedmodel" or "oracle".
        constants: values known while rewriting.
        uses: how often each rule was applied.
        tables: hash tables that rules made, by what they were made for.
        ranges: the smallest and the largest value of inputs of both graphs, by `id`, where that was declared.
        obstacles: what the target cannot express, with name scopes in place of layers; found so far.
        lenient: copy what the target cannot express, for a converter that can keep TensorFlow's own operations.
    """

    def __init__(self, captured: Capture, target: str, store: Store, lenient: bool = False) -> None:
        self.target = target
        self.lenient = lenient
        self.constants = Constants(target, captured.weights, store)
        self.uses: Counter[str] = Counter()
        self.tables: dict[Any, Any] = {}
        self.ranges: dict[int, tuple[int, int]] = {}
        self.obstacles: list[Obstacle] = []
        self._scope = ""
        self._origins: dict[int, tuple[Any, str, list[Any]]] = {}
        self._traced = captured.traced
        self._closure = captured.closure
        self._rules = rules_for(target)
        self._functions: dict[str, Any] = {}
        self._definitions = {f.signature.name: f for f in captured.traced.graph.as_graph_def().library.function}

    def run(self, inputs: list[Any]) -> list[Any]:
        """Rewrite the whole function onto new inputs, in the current graph.

        Raises:
            LegalizationError: with all that is in the way, as far as it can be found.
        """
        graph = self._traced.graph
        behind = (inner.name for _, inner in graph.captures)
        values = dict(zip(behind, map(self._restored, self._closure), strict=True))
        values |= {t.name: value for t, value in zip(graph.inputs, inputs, strict=False)}
        try:
            outputs = self.interpret(graph.outputs, values)
        except Exception as error:
            if not self.obstacles:
                raise
            raise LegalizationError.of(self.target, self.obstacles) from error
        if self.obstacles and not self.lenient:
            raise LegalizationError.of(self.target, self.obstacles)
        return outputs

    def _restored(self, captured: Captured) -> Any:
        """What the source graph reads besides its inputs: constants become some, others stand for themselves."""
        if isinstance(captured, np.ndarray):
            return self.constants.promoted(captured, tf.as_dtype(captured.dtype))
        return captured

    def function(self, name: str) -> Any:
        """The `FuncGraph` of a function of the source graph's library."""
        if name not in self._functions:
            with self._traced.graph.as_default():
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
                self._origins.setdefault(id(value), (value, op.type, [values[t.name] for t in op.inputs]))
        return [values[t.name] for t in outputs]

    def _rewrite(self, op: Any, inputs: list[Any]) -> list[Any]:
        if op.type == "Const":
            return [self.constants.original(op)]
        outer, self._scope = self._scope, _scope(op, self._scope)
        try:
            return self.replace(op, inputs)
        finally:
            self._scope = outer

    def replace(self, op: Any, inputs: list[Any], without: str = "") -> list[Any]:
        """The operation's outputs, by folding, by the first rule that wants it, or by a copy of it.

        Args:
            without: a rule that is not asked: the one that asks for this.
        """
        if op.type in self._definitions:
            return self.call(op.type, inputs)  # a function that is called by its own name
        if (folded := self.constants.fold(op, inputs)) is not None:
            return folded
        name_scope = f"{self._scope}/" if self._scope else "isomer/"
        for entry in self._rules.get(op.type, ()):
            if entry.name == without or not _takes(entry, inputs):
                continue
            try:
                with tf.name_scope(name_scope):
                    result = entry.apply(self, op, *inputs)
            except LegalizationError as error:
                found = (Obstacle(o.op, (self._scope,), o.reason, o.advice) for o in error.obstacles)
                self.obstacles += [o for o in found if o not in self.obstacles]
                break  # go on with a copy: what else is in the way?
            except Exception as error:
                self._note(op, f"the rule {entry.name} failed: {type(error).__name__}: {first_line(error)}")
                raise
            if result is not None:
                if not entry.structural:
                    self.uses[entry.name] += 1
                return list(result) if isinstance(result, list | tuple) else [result]
        try:
            if not all(isinstance(t, tf.Tensor) for t in inputs):
                raise TypeError("it works on a value that only exists while rewriting")
            with tf.name_scope(name_scope):
                return emit(op, inputs, self.target)
        except Exception as error:
            self._note(op, first_line(error))
            raise

    def _note(self, op: Any, reason: str) -> None:
        """Keep what nobody foresaw, unless something is known to be in the way: this follows from that."""
        if not self.obstacles:
            self.obstacles.append(Obstacle(op.type, (self._scope,), reason, "Please report this model."))

    def origin(self, tensor: Any) -> tuple[str, list[Any]]:
        """What a rewritten tensor was: the type of the source operation, and that one's rewritten inputs.

        Rules may have put something else in its place, which a rule that looks for a pattern need not know.
        """
        _, kind, inputs = self._origins.get(id(tensor), (tensor, tensor.op.type, list(tensor.op.inputs)))
        return kind, inputs

    def value(self, tensor: Any) -> np.ndarray | None:
        """The tensor's value if known, else None."""
        return self.constants.value(tensor)

    def constant(self, value: np.ndarray, *derived_from: Any) -> Any:
        """A constant in the current graph; `derived_from` are the known tensors that it was computed from."""
        known = [v for t in derived_from if (v := self.value(t)) is not None]
        return self.constants.make(value, known)


def _takes(entry: Rule, inputs: list[Any]) -> bool:
    """A stand-in is shown to its own rules and to bookkeeping, and no tensor to a stand-in's rule."""
    if entry.stand_in is not None:
        return any(isinstance(t, entry.stand_in) for t in inputs)
    return entry.structural or not any(isinstance(t, Complex) for t in inputs)


def _scope(op: Any, outer: str) -> str:
    """Name scope that keeps the Keras layer's path: the operation's own, without its last part.

    Operations of a called function may be named from its beginning only; `outer` is the caller's scope.
    """
    parent = op.name.rpartition("/")[0]
    if not outer or parent == outer or parent.startswith(f"{outer}/"):
        return str(parent)
    return f"{outer}/{parent}" if parent else outer


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
