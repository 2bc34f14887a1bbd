"""A legalized graph with other constants in place of its own, in float64: what a file with those weights stands for.

Beside the exact answers it gives those of an arithmetic that is coarser on purpose, for budgets of runtimes that
compute so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import tensorflow as tf

from pipeline.capture import Capture
from pipeline.closure import Variable, closure_of
from pipeline.legalize import Legalized
from pipeline.legalize.constants import Constants
from pipeline.legalize.digest import digest
from pipeline.legalize.emit import promote
from pipeline.legalize.registry import ORACLE
from pipeline.legalize.rewriter import Rewriter
from pipeline.legalize.store import Store
from pipeline.normalizations import Operation, normalizations

# Whose result is a value that it was given.
_MOVED = (
    "Identity Reshape Transpose ExpandDims Squeeze Pack Unpack StridedSlice Slice ConcatV2 Pad PadV2 MirrorPad Gather "
    "GatherV2 MaxPool Split SplitV Tile BroadcastTo Fill Select SelectV2 ReverseV2 SpaceToBatchND BatchToSpaceND "
    "Placeholder Const Shape ResizeNearestNeighbor TensorListStack TensorListGetItem TensorListSetItem"
)
_MULTIPLIED = "MatMul BatchMatMul BatchMatMulV2 BatchMatMulV3 Einsum Conv2D Conv3D DepthwiseConv2dNative"
# Whose result has a fixed range in whole numbers, whatever the samples say: TFLite's quantization specification, and
# what ONNX Runtime's quantizer sets for a softmax.
_FIXED = {"Softmax": (0.0, 1.0), "Sigmoid": (0.0, 1.0), "Tanh": (-1.0, 1.0)}
_MOVES, _PRODUCTS = frozenset(_MOVED.split()), frozenset(_MULTIPLIED.split())


class Where(StrEnum):
    """Which values are rounded."""

    FACTORS = "what a weight multiplies"
    RESULTS = "every result"


@dataclass(frozen=True)
class Coarser:
    """An arithmetic that is coarser than float64.

    Attributes:
        where: which values are rounded.
        bits: to so many bits between the smallest and the largest value of the tensor; 0 to half precision.
        symmetric: zero is in the middle of the bits, and not where the values have it.
        by_row: each row of the batch has a range of its own.
        ranges: the smallest and the largest value of each result (`observe`); what is beyond them is clipped.
        float_inputs: inputs are floats, and what scales them by feature is not rounded.
    """

    where: Where
    bits: int = 0
    symmetric: bool = False
    by_row: bool = False
    ranges: tuple[tuple[float, float], ...] = ()
    float_inputs: bool = True

    def round(self, tensor: Any, place: int) -> Any:
        """The tensor's values as this arithmetic keeps them.

        Args:
            place: among the results, in the order in which they are computed.
        """
        if not self.bits:
            return tf.cast(tf.cast(tensor, tf.float16), tensor.dtype)
        low, high = self._range(tensor, place)
        if self.symmetric:
            high = tf.maximum(high, -low)
            low, step = -high, high / (2 ** (self.bits - 1) - 1)
        else:
            step = (high - low) / (2**self.bits - 1)
        # A tensor of zeros alone has no step, and needs none.
        step = tf.where(step > 0, step, tf.ones_like(step))
        kept = tf.clip_by_value(tensor, low, high) if self.ranges else tensor
        return tf.round(kept / step) * step

    def _range(self, tensor: Any, place: int) -> tuple[Any, Any]:
        """From the smallest to the largest value, zero included: every scheme keeps zeros exactly."""
        if self.ranges:
            low, high = self.ranges[place]
            return tf.constant(low, tf.float64), tf.constant(high, tf.float64)
        axes = list(range(1, tensor.shape.rank)) if self.by_row and (tensor.shape.rank or 0) > 1 else None
        high = tf.maximum(tf.reduce_max(tensor, axes, keepdims=True), 0)
        return tf.minimum(tf.reduce_min(tensor, axes, keepdims=True), 0), high


class _Altered(Rewriter):
    def __init__(self, captured: Capture, store: Store, values: Mapping[bytes, np.ndarray], coarser: Coarser | None):
        super().__init__(captured, ORACLE, store)
        self.constants = _Replacing(store, values)
        self.results: list[Any] = []
        self.least: list[tuple[float, float]] = []
        self._coarser = coarser
        self._floats: frozenset[str] = frozenset()
        if coarser is not None and coarser.where is Where.RESULTS and coarser.bits > 0:
            self._floats = _normalizations(captured.traced.graph, coarser.float_inputs)

    def _rewrite(self, op: Any, inputs: list[Any]) -> list[Any]:
        if self._coarser is None:
            return super()._rewrite(op, inputs)
        if self._coarser.where is Where.FACTORS:
            if op.type in _PRODUCTS and any(self._weighs(t) for t in inputs):
                inputs = [self._round(t) for t in inputs]
            return super()._rewrite(op, inputs)
        if op.type in _PRODUCTS:
            inputs = [self._round(t) if self._given(t) else t for t in inputs]
        results = super()._rewrite(op, inputs)
        if op.name in self._floats and all(u.name in self._floats for t in op.outputs for u in t.consumers()):
            return results
        return results if op.type in _MOVES else [self._round(t, _FIXED.get(op.type, (0.0, 0.0))) for t in results]

    def _weighs(self, tensor: Any) -> bool:
        value = self.value(tensor)
        return value is not None and value.size > 1

    def _given(self, tensor: Any) -> bool:
        """An input of the model, or what was moved out of it."""
        while isinstance(tensor, tf.Tensor) and tensor.op.type in _MOVES and tensor.op.inputs:
            tensor = tensor.op.inputs[0]
        return isinstance(tensor, tf.Tensor) and tensor.op.type == "Placeholder"

    def _round(self, tensor: Any, least: tuple[float, float] = (0.0, 0.0)) -> Any:
        """The tensor rounded; `least`: what its range has in it at least."""
        assert self._coarser is not None
        if not isinstance(tensor, tf.Tensor) or tensor.dtype != tf.float64 or self.value(tensor) is not None:
            return tensor
        self.results.append(tensor)
        self.least.append(least)
        return self._coarser.round(tensor, len(self.results) - 1)


class _Replacing(Constants):
    def __init__(self, store: Store, values: Mapping[bytes, np.ndarray]) -> None:
        super().__init__(ORACLE, {}, store)
        self._instead = values

    def promoted(self, value: np.ndarray, dtype: Any) -> Any:
        found = self._instead.get(digest(value))
        if found is None:
            return super().promoted(value, dtype)
        return self.make(np.ascontiguousarray(found, np.float64))


@dataclass(frozen=True)
class _Unrounded(Coarser):
    """Looks at what would be rounded, and rounds nothing."""

    def round(self, tensor: Any, place: int) -> Any:
        return tensor


def _normalizations(graph: Any, float_inputs: bool) -> frozenset[str]:
    """Names of the operations that stay floats in files of whole numbers."""

    def origin(tensor: Any) -> Any:
        while tensor.op.type == "Identity":
            tensor = tensor.op.inputs[0]
        return tensor

    def read(op: Any) -> tuple[str, ...]:
        return tuple(t.name for t in map(origin, op.inputs) if t.op.type != "Const")

    def by_feature(op: Any) -> bool:
        return any(t.op.type == "Const" and (t.shape.num_elements() or 0) > 1 for t in map(origin, op.inputs))

    known = [op for op in graph.get_operations() if op.type not in ("Const", "Identity")]
    return normalizations(
        [Operation(op.name, op.type, read(op), tuple(t.name for t in op.outputs), by_feature(op)) for op in known],
        of_inputs=float_inputs,
    )


Rows = Mapping[str, np.ndarray]


def altered(
    capture: Capture, legal: Legalized, values: Mapping[bytes, np.ndarray], coarser: Coarser | None = None
) -> Callable[[Rows], dict[str, np.ndarray]]:
    """A function of rows by input name that gives the outputs by name, floats in float64.

    Args:
        capture: what was legalized.
        legal: the graph, as a format's converter was given it.
        values: what to put in place of its float constants, by `digest` of the constant.
        coarser: an arithmetic to round to on the way.

    Raises:
        ValueError: the graph reads something that is neither a constant nor a variable nor a look-up table.
    """
    names = sorted(t.name for t in legal.signature.outputs)
    return _function(capture, legal, values, coarser, lambda _, outputs: dict(zip(names, outputs, strict=True)))


def observe(
    capture: Capture, legal: Legalized, values: Mapping[bytes, np.ndarray], rows: Rows, float_inputs: bool
) -> tuple[tuple[float, float], ...]:
    """The range of each result on some rows, zero included, in the order in which they are computed.

    Args:
        float_inputs: as in `Coarser`.

    Raises:
        ValueError: as `altered`; or there is a loop, whose results differ from step to step.
    """
    watching = _Unrounded(Where.RESULTS, bits=8, float_inputs=float_inputs)
    function = _function(capture, legal, values, watching, _extremes)
    found = function(rows)
    return tuple(zip(found["low"].tolist(), found["high"].tolist(), strict=True))


def _extremes(rewriter: _Altered, outputs: list[Any]) -> dict[str, Any]:
    if any(tensor.graph is not outputs[0].graph for tensor in rewriter.results):
        raise ValueError("results of a loop have no one range")
    ranges = list(zip(rewriter.results, rewriter.least, strict=True))
    return {
        "low": tf.stack([tf.minimum(tf.reduce_min(t), least[0]) for t, least in ranges]),
        "high": tf.stack([tf.maximum(tf.reduce_max(t), least[1]) for t, least in ranges]),
    }


def _function(
    capture: Capture,
    legal: Legalized,
    values: Mapping[bytes, np.ndarray],
    coarser: Coarser | None,
    finish: Callable[[_Altered, list[Any]], dict[str, Any]],
) -> Callable[[Rows], dict[str, np.ndarray]]:
    inner = Capture(legal.signature, legal.concrete, closure_of(legal.concrete), {}, capture.invocation)
    store = Store()
    for captured in inner.closure:
        if isinstance(captured, Variable):
            store.hold(captured.tensor)
    given = list(legal.concrete.inputs[: len(legal.signature.inputs)])
    specs = [tf.TensorSpec(t.shape, promote(t.dtype, ORACLE), name=f"in_{k}") for k, t in enumerate(given)]

    def serve(*flat: Any) -> dict[str, Any]:
        rewriter = _Altered(inner, store, values, coarser)  # TensorFlow may trace more than once
        outputs = [tf.identity(tensor) for tensor in rewriter.run(list(flat))]
        return finish(rewriter, outputs)

    function = tf.function(serve, input_signature=specs, autograph=False)
    names = [t.name for t in legal.signature.inputs]

    def run(rows: Rows) -> dict[str, np.ndarray]:
        flat = [tf.constant(rows[n].astype(s.dtype.as_numpy_dtype)) for n, s in zip(names, specs, strict=True)]
        return {name: np.asarray(value) for name, value in function(*flat).items()}

    return run
