"""Constants of the rewritten graph: known values, folding, one copy each, and which weights they come from."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.framework import tensor_util
from tensorflow.python.framework.func_graph import FuncGraph

from pipeline.legalize.complex_pair import Complex
from pipeline.legalize.emit import WHOLE, compute, promote
from pipeline.legalize.registry import ONNX, TFLITE
from pipeline.legalize.store import Store, is_large

# TFLite's converter writes the largest float for an infinite constant. This number stands for it until the file is
# written (`pipeline/formats/tflite_infinity.py`).
INFINITY_IN_TFLITE = np.nextafter(np.finfo(np.float32).max, np.float32(0))
# Folding must not blow an artifact up: a folded result is at most this many elements, or as large as its inputs.
_MAX_FOLDED = 1 << 16
_OPAQUE = (tf.resource, tf.variant)


class Constants:
    """What is known about constants while one graph is rewritten.

    Args:
        target: decides the float type that constants are promoted to.
        weights: Keras weights by path; a constant equal to one is said to come from it.
        store: holds what is large.
    """

    def __init__(self, target: str, weights: dict[str, np.ndarray], store: Store) -> None:
        self._target = target
        self._store = store
        self._values: dict[int, tuple[Any, np.ndarray]] = {}
        self._made: dict[tuple[int, bytes], Any] = {}
        self._sources: dict[bytes, frozenset[str]] = {}
        for path, weight in weights.items():
            key = store.digest(weight)
            self._sources[key] = self._sources.get(key, frozenset()) | {path}

    def value(self, tensor: Any) -> np.ndarray | None:
        """The tensor's value if it is known while rewriting, else None."""
        if id(tensor) in self._values:
            return self._values[id(tensor)][1]
        if not isinstance(tensor, tf.Tensor) or tensor.dtype in _OPAQUE:
            return None
        value = tensor_util.constant_value(tensor)
        if value is not None:
            value = np.asarray(value)
            self._values[id(tensor)] = (tensor, value)
        return value

    def sources(self, value: np.ndarray) -> frozenset[str]:
        """Paths of the Keras weights that a constant was computed from."""
        return self._sources.get(self._store.digest(value), frozenset())

    def make(self, value: np.ndarray, derived_from: Iterable[np.ndarray] = ()) -> Any:
        """A constant in the current graph; equal constants of one graph are one node."""
        key = self._store.digest(value)
        sources = frozenset().union(*(self.sources(v) for v in derived_from))
        if sources:
            self._sources[key] = self._sources.get(key, frozenset()) | sources
        inner = tf.compat.v1.get_default_graph()
        graph = self._home(inner, key)
        slot = (id(graph), key)
        if slot not in self._made:
            with graph.as_default():
                tensor, value = self._place(inner, value)
            self._values[id(tensor)] = (tensor, value)
            self._made[slot] = (tensor, graph)
        return self._made[slot][0]

    def _home(self, graph: Any, key: bytes) -> Any:
        """The graph that a constant belongs in: this one, but a weight that a loop reads is given to the loop.

        tf2onnx knows a recurrent layer by the weights that its loop is given, and writes ONNX' own LSTM.
        """
        if self._target == ONNX and key in self._sources:
            while isinstance(graph.outer_graph, FuncGraph):
                graph = graph.outer_graph
        return graph

    def _place(self, graph: Any, value: np.ndarray) -> tuple[Any, np.ndarray]:
        """The value in a graph, and the array to remember.

        A large one is a variable of the store, but not in a loop or a branch: converters want weights inside of those.
        """
        written = _writable(value, self._target)
        if not is_large(value) or isinstance(graph.outer_graph, FuncGraph):
            return tf.constant(written, dtype=_dtype(value)), value
        held = self._store.hold(written)
        return held.variable.value(), held.value if written is value else value

    def original(self, op: Any) -> Any:
        """The rewritten form of a `Const` operation."""
        return self.promoted(tf.make_ndarray(op.get_attr("value")), op.outputs[0].dtype.base_dtype)

    def promoted(self, value: np.ndarray, dtype: Any) -> Any:
        """A constant of the source graph, in the target's float type."""
        wanted = promote(dtype, self._target)
        if value.dtype.kind == "c" and not wanted.is_complex:
            parts = (np.ascontiguousarray(p, wanted.as_numpy_dtype) for p in (value.real, value.imag))
            return Complex(*(self.make(p) for p in parts))
        if wanted == dtype:
            return self.make(value)
        return self.make(value.astype(wanted.as_numpy_dtype), derived_from=[value])

    def fold(self, op: Any, inputs: list[Any]) -> list[Any] | None:
        """Compute a stateless operation whose inputs are all known; None if it must stay."""
        if not inputs or op.op_def.is_stateful:
            return None
        if any(t.dtype.base_dtype in _OPAQUE for t in op.outputs):
            return None
        values = [self.value(t) for t in inputs]
        if any(v is None for v in values):
            return None
        if op.type == "Identity":
            return list(inputs)  # another constant would be a copy, and inside a loop a copy in its body
        known: list[np.ndarray] = [v for v in values if v is not None]
        with tf.init_scope():
            eager = [self._eager(v, t.dtype) for v, t in zip(known, inputs, strict=True)]
        try:
            flat = compute(op, eager, self._target)
        except tf.errors.OpError:
            return None
        if sum(v.size for v in flat) > max(_MAX_FOLDED, sum(v.size for v in known)):
            return None
        flat = [_in_range(v, t.dtype) for v, t in zip(flat, op.outputs, strict=True)]
        return [self.make(v, derived_from=known) for v in flat]

    def _eager(self, value: np.ndarray, dtype: Any) -> Any:
        if is_large(value):
            return self._store.hold(value).variable.read_value()
        return tf.constant(value, dtype=dtype)


def _writable(value: np.ndarray, target: str) -> np.ndarray:
    if target != TFLITE or value.dtype != np.float32 or not np.isinf(value).any():
        return value
    return np.where(np.isinf(value), np.copysign(INFINITY_IN_TFLITE, value), value)


def _in_range(value: np.ndarray, dtype: Any) -> np.ndarray:
    """Whole numbers computed in a wider type, wrapped as their own type does it."""
    return value.astype(dtype.as_numpy_dtype).astype(value.dtype) if dtype.base_dtype in WHOLE else value


def _dtype(value: np.ndarray) -> Any:
    return tf.string if value.dtype.kind in "OSU" else tf.as_dtype(value.dtype)
