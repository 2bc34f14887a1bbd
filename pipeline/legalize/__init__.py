"""Legalization: the captured graph re-traced for a target, with what the target lacks replaced by rules.

The result computes the same function. Each rule states why it is exact, or the bound that it keeps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from pipeline.capture import Capture
from pipeline.errors import LegalizationError, Obstacle
from pipeline.signature import Signature


@dataclass(frozen=True)
class Constant:
    """A float constant of a legalized graph.

    Attributes:
        value: its values.
        sources: paths of the Keras weights that it was computed from; empty for the graph's own constants.
    """

    value: np.ndarray
    sources: frozenset[str]


@dataclass(frozen=True)
class Legalized:
    """A capture rewritten for one target.

    Attributes:
        target: "tflite", "onnx", "tfjs", "savedmodel" or "oracle".
        signature: as the capture's, with the batch fixed if that was asked for.
        function: a `tf.function` from the inputs, in order, to a dict of named outputs; traced once.
        concrete: its one trace.
        rewrites: names of the rules that were applied, with their number of uses.
        constants: every float constant that the outputs depend on.
        tables, variables: `StaticHashTable`s and variables that the function reads; whoever saves it must save them.
    """

    target: str
    signature: Signature
    function: Any
    concrete: Any
    rewrites: tuple[tuple[str, int], ...]
    constants: tuple[Constant, ...]
    tables: tuple[Any, ...] = ()
    variables: tuple[Any, ...] = ()


# A capture is legalized once per target: the writer and the checks ask for the same.
_DONE: WeakKeyDictionary[Capture, dict[tuple[str, int | None, bool], Legalized]] = WeakKeyDictionary()
_STORES: WeakKeyDictionary[Capture, Any] = WeakKeyDictionary()


def legalize(capture: Capture, target: str, batch: int | None = None, lenient: bool = False) -> Legalized:
    """Rewrite a capture for a target.

    Args:
        capture: the inference graph.
        target: "tflite", "onnx", "tfjs", "savedmodel" (what TensorFlow runs on a CPU), "sequential" (the same, adding
            in sequence), or "oracle" (every float operation and the inputs in float64).
        batch: fixes the batch dimension; None keeps it as captured.
        lenient: keep the operations that no rule can express, as they are.

    Raises:
        LegalizationError: the target cannot express part of the graph.
    """
    done = _DONE.setdefault(capture, {})
    if (target, batch, lenient) not in done:
        done[target, batch, lenient] = _legalize(capture, target, batch, lenient)
    return done[target, batch, lenient]


def unrolled(capture: Capture) -> Capture:
    """The same function captured with its loops written out, step by step; the capture itself where it has none.

    Raises:
        LegalizationError: a loop takes a number of steps that depends on the input, or too many.
    """
    from pipeline.closure import closure_of
    from pipeline.legalize.reachable import operations
    from pipeline.legalize.registry import UNROLLED

    if not {"While", "StatelessWhile"} & set(operations(capture.traced.graph)):
        return capture
    legal = legalize(capture, UNROLLED)
    return replace(capture, traced=legal.concrete, closure=closure_of(legal.concrete), variables={})


def runnable(capture: Capture) -> Legalized | None:
    """The capture rewritten so that TensorFlow runs it on a CPU in float32; None where it does as it is."""
    from pipeline.legalize.reachable import operations
    from pipeline.legalize.registry import SAVEDMODEL, rules_for

    rules = rules_for(SAVEDMODEL)
    present = operations(capture.traced.graph)
    other = other_precision(capture)
    if not other and not any(not rule.structural for op in present for rule in rules.get(op, ())):
        return None
    legal = legalize(capture, SAVEDMODEL)
    return legal if legal.rewrites or other else None


def other_precision(capture: Capture) -> bool:
    """The model's dtype policy is not float32, in which every format computes: it is judged as it is in float32."""
    import tensorflow as tf

    from pipeline.legalize.reachable import computes_in

    declared = {t.dtype for t in capture.invocation.declared} | {str(w.dtype) for w in capture.weights.values()}
    return "float64" in declared or computes_in(capture.traced.graph, (tf.float16, tf.bfloat16))


def _legalize(capture: Capture, target: str, batch: int | None, lenient: bool) -> Legalized:
    import tensorflow as tf

    from pipeline.legalize.emit import promote
    from pipeline.legalize.reachable import float_constants
    from pipeline.legalize.registry import ORACLE, TFJS
    from pipeline.legalize.rewriter import Rewriter

    if capture not in _STORES:
        _STORES[capture] = _stored(capture)
    signature = capture.signature if batch is None else capture.signature.with_batch(batch)
    rewriter = Rewriter(capture, target, _STORES[capture], lenient)
    # TensorFlow takes subnormal numbers for zero when it casts, so the oracle's inputs come as float64.
    # TF.js knows these types not even by name.
    other = {TFJS: ("int16", "uint16", "uint32", "uint64")}.get(target, ())
    dtypes = [
        promote(tf.as_dtype(t.dtype), target) if target == ORACLE or t.dtype in other else t.dtype
        for t in signature.inputs
    ]
    specs = [tf.TensorSpec(t.shape, d, name=t.name) for t, d in zip(signature.inputs, dtypes, strict=True)]

    def serve(*flat: Any) -> dict[str, Any]:
        inputs = [tf.cast(t, wanted) if (wanted := promote(t.dtype, target)) != t.dtype else t for t in flat]
        for tensor, source, spec in zip(flat, capture.traced.inputs, signature.inputs, strict=False):
            if spec.range is not None:
                rewriter.ranges |= {id(tensor): spec.range, id(source): spec.range}
        outputs = rewriter.run(inputs)
        by_name = dict(zip(_structured_order(capture), outputs, strict=True))
        for spec in signature.outputs:
            by_name[spec.name] = _declared(_known_as(by_name[spec.name], spec.shape), tf.as_dtype(spec.dtype), target)
        return {name: tf.identity(by_name[name], name=name) for name in by_name}

    function = tf.function(serve, input_signature=specs, autograph=False)
    try:
        concrete = function.get_concrete_function()
    except LegalizationError as error:
        raise LegalizationError.of(target, _by_layer(error.obstacles, capture)) from error
    constants = tuple(Constant(value, rewriter.constants.sources(value)) for value in float_constants(concrete.graph))
    uses = tuple(sorted(rewriter.uses.items()))
    tables, variables = tuple(rewriter.tables.values()), tuple(concrete.graph.variables)
    return Legalized(target, signature, function, concrete, uses, constants, tables, variables)


def _stored(capture: Capture) -> Any:
    """The capture's variables in a store."""
    from pipeline.closure import Variable
    from pipeline.legalize.store import Store

    store = Store()
    for captured in capture.closure:
        if isinstance(captured, Variable):
            store.hold(captured.tensor)
    return store


def _known_as(tensor: Any, shape: tuple[int | None, ...]) -> Any:
    """The tensor with the shape that the capture knows; a loop that is rebuilt may know less of its results."""
    import tensorflow as tf

    known = tensor.shape.as_list() if tensor.shape.rank is not None else [None] * len(shape)
    less = tensor.shape.rank is None or any(k is None and s is not None for k, s in zip(known, shape, strict=True))
    if shape.count(None) > 1 or not less:
        return tensor
    return tf.reshape(tensor, [-1 if size is None else size for size in shape])


def _declared(tensor: Any, dtype: Any, target: str) -> Any:
    """A whole number in the type that the model declares, where the target has it."""
    import tensorflow as tf

    from pipeline.legalize.emit import WHOLE

    return tf.cast(tensor, dtype) if dtype in WHOLE and target in ("tflite", "onnx") else tensor


def _by_layer(obstacles: Sequence[Obstacle], capture: Capture) -> list[Obstacle]:
    """The same with layers in place of name scopes, those that differ in nothing else as one."""
    layers: dict[tuple[str, str, str], dict[str, None]] = {}
    for obstacle in obstacles:
        found = layers.setdefault((obstacle.op, obstacle.reason, obstacle.advice), {})
        found |= dict.fromkeys(capture.layers.of(scope) for scope in obstacle.layers)
    return [Obstacle(op, tuple(found), reason, advice) for (op, reason, advice), found in layers.items()]


def _structured_order(capture: Capture) -> list[str]:
    """Output names in the order of the graph's outputs: TensorFlow flattens a dict by sorted key."""
    return sorted(t.name for t in capture.signature.outputs)
