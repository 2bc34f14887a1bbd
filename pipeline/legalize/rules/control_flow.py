"""Loops and branches, rebuilt around rewritten bodies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tensorflow as tf

from pipeline.errors import LegalizationError
from pipeline.legalize.emit import promote
from pipeline.legalize.registry import EVERY, ONNX, TFJS, UNROLLED, rule
from pipeline.legalize.rules.recurrent import TensorList, materialize

if TYPE_CHECKING:
    from pipeline.legalize.rewriter import Rewriter

# Each step becomes operations of its own; converters take seconds for thousands of them.
_MOST_STEPS = 128
_STEPS_KNOWN = "Give the sequence a fixed length of at most that, or take float16, int8-weights or int8-dynamic."


@rule("If", "StatelessIf", targets=EVERY, why="The same branches on the same predicate.", structural=True)
def rebuild_branch(rewriter: Rewriter, op: Any, predicate: Any, *inputs: Any) -> Any:
    then, otherwise = op.get_attr("then_branch").name, op.get_attr("else_branch").name
    if predicate.dtype != tf.bool:
        predicate = tf.not_equal(predicate, tf.zeros_like(predicate))
    if (known := rewriter.value(predicate)) is not None:
        return rewriter.call(then if bool(known) else otherwise, list(inputs))
    result = tf.cond(
        predicate,
        lambda: tuple(rewriter.call(then, _restate(rewriter, inputs))),
        lambda: tuple(rewriter.call(otherwise, _restate(rewriter, inputs))),
    )
    return list(result) if isinstance(result, list | tuple) else [result]


@rule(
    "While",
    "StatelessWhile",
    targets=(UNROLLED,),
    why="The same steps, one after the other, each as operations of its own.",
    structural=True,
    first=True,
)
def unroll_loop(rewriter: Rewriter, op: Any, *inputs: Any) -> Any:
    condition, body = op.get_attr("cond").name, op.get_attr("body").name
    graph = rewriter.function(body)
    variant = [k for k, (o, i) in enumerate(zip(graph.outputs, graph.inputs, strict=True)) if not _same(o, i)]
    state = materialize(rewriter, op, list(inputs), variant, graph)
    for _ in range(_MOST_STEPS + 1):
        goes_on = rewriter.value(rewriter.call(condition, state)[0])
        if goes_on is None:
            raise LegalizationError(
                op.type, op.name, rewriter.target, "how many steps a loop takes depends on the input", _STEPS_KNOWN
            )
        if not bool(goes_on):
            return state
        state = rewriter.call(body, state)
    reason = f"a loop of more than {_MOST_STEPS} steps would be written out"
    raise LegalizationError(op.type, op.name, rewriter.target, reason, _STEPS_KNOWN)


@rule("While", "StatelessWhile", targets=EVERY, why="The same loop; invariants become constants.", structural=True)
def rebuild_loop(rewriter: Rewriter, op: Any, *inputs: Any) -> Any:
    condition, body = op.get_attr("cond").name, op.get_attr("body").name
    graph = rewriter.function(body)
    variant = [k for k, (o, i) in enumerate(zip(graph.outputs, graph.inputs, strict=True)) if not _same(o, i)]
    values = materialize(rewriter, op, list(inputs), variant, graph)
    initial = [_dense(values[k]) for k in variant]
    invariants = _invariants(graph, variant, values, initial)
    items = _only_in_lists(graph) if rewriter.target == TFJS else []
    for item in items:
        initial.append(tf.zeros([1] * (item.shape.rank or 0), promote(item.dtype, rewriter.target)))
        invariants.append(tf.TensorShape(None if item.shape.rank is None else [None] * item.shape.rank))

    def expand(state: tuple[Any, ...]) -> list[Any]:
        full = _restate(rewriter, values)
        for k, tensor in zip(variant, state, strict=False):
            full[k] = TensorList(tensor) if isinstance(values[k], TensorList) else tensor
        return full

    def step(*state: Any) -> list[Any]:
        known = {t.name: v for t, v in zip(graph.inputs, expand(state), strict=True)}
        results = rewriter.interpret([*graph.outputs, *items], known)
        return [*(_dense(results[k]) for k in variant), *results[len(graph.outputs) :]]

    result = tf.while_loop(
        lambda *state: rewriter.call(condition, expand(state))[0],
        step,
        initial,
        shape_invariants=invariants,
        parallel_iterations=1,
    )
    outputs = list(values)
    for k, tensor in zip(variant, result, strict=False):
        outputs[k] = TensorList(tensor) if isinstance(values[k], TensorList) else _detached(rewriter, tensor)
    return outputs


def _detached(rewriter: Rewriter, tensor: Any) -> Any:
    """A loop's result as a tensor of its own: TF.js leaks one at each call where it is an output of the model."""
    if rewriter.target != TFJS or tensor.dtype == tf.variant:
        return tensor
    return tf.squeeze(tf.expand_dims(tensor, 0), 0)


def _only_in_lists(graph: Any) -> list[Any]:
    """What a loop's body writes to lists and does not hand on.

    TF.js frees it at the end of the step, the list's hold on it notwithstanding, unless the body hands it on.
    """
    handed = {_origin(output).name for output in graph.outputs}
    written = (op.inputs[2] for op in graph.get_operations() if op.type == "TensorListSetItem")
    return [item for item in written if _origin(item).name not in handed]


def _same(output: Any, source: Any) -> bool:
    """The body hands this loop variable on unchanged."""
    return bool(_origin(output).name == source.name)


def _origin(tensor: Any) -> Any:
    while tensor.op.type == "Identity":
        tensor = tensor.op.inputs[0]
    return tensor


def _dense(value: Any) -> Any:
    return value.dense if isinstance(value, TensorList) else value


def _restate(rewriter: Rewriter, values: Any) -> list[Any]:
    """Known values as constants of the body's own graph: converters want weights inside the body, not captured.

    Not tf2onnx, which knows a recurrent layer by the weights that its loop is given, and writes ONNX' own LSTM or GRU.
    """
    if rewriter.target == ONNX:
        return list(values)
    restated = []
    for value in values:
        known = None if isinstance(value, TensorList) else rewriter.value(value)
        restated.append(value if known is None else rewriter.constant(known))
    return restated


def _invariants(graph: Any, variant: list[int], values: list[Any], initial: list[Any]) -> list[Any]:
    """Loop variables keep the static sizes that the source loop declares and the initial value has."""
    shapes = []
    for k, tensor in zip(variant, initial, strict=True):
        declared = graph.inputs[k].shape
        if isinstance(values[k], TensorList) or tensor.dtype == tf.variant or declared.rank != tensor.shape.rank:
            shapes.append(tensor.shape)
        elif declared.rank is None:
            shapes.append(declared)
        else:
            # A batch that is dynamic in the source but static here stays static.
            pairs = zip(tensor.shape.as_list(), declared.as_list(), strict=True)
            fixed = tensor.shape.is_fully_defined() and None in declared.as_list()
            shapes.append(tensor.shape if fixed else tf.TensorShape([a if a == b else None for a, b in pairs]))
    return shapes
