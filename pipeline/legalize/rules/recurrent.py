"""Recurrent layers: a TensorList of per-step tensors becomes one dense buffer [steps, batch, ...]."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from pipeline.errors import LegalizationError
from pipeline.legalize.emit import promote
from pipeline.legalize.registry import ONNX, TFJS, TFLITE, rule
from pipeline.legalize.shapes import sizes

if TYPE_CHECKING:
    from pipeline.legalize.rewriter import Rewriter

_WHY = "A list of equal tensors and one buffer stacked along a new first axis hold the same numbers."

_WHY_STATE = "A list that is written before its loop holds the loop's state, and one buffer holds the same numbers."
_OTHERS = (ONNX, TFJS)


@dataclass
class TensorList:
    """A TensorList while rewriting: its dense buffer, or what is known before the buffer can be made.

    Attributes:
        dense: tensor of shape [steps, *element].
        steps: number of elements, an int or a scalar tensor, until `dense` is there.
        element: element sizes, None where the reservation leaves them open.
        dtype: of the elements.
    """

    dense: Any = None
    steps: Any = None
    element: list[int | None] | None = None
    dtype: Any = None


@rule("TensorListFromTensor", targets=(TFLITE,), why=_WHY)
def list_from_tensor(rewriter: Rewriter, op: Any, tensor: Any, element_shape: Any) -> Any:
    return TensorList(tensor)


@rule("TensorListReserve", targets=(TFLITE,), why=_WHY)
def list_reserve(rewriter: Rewriter, op: Any, element_shape: Any, steps: Any) -> Any:
    shape = rewriter.value(element_shape)
    element = None if shape is None or shape.ndim == 0 else [None if d < 0 else int(d) for d in shape]
    known = rewriter.value(steps)
    kind = promote(op.get_attr("element_dtype"), rewriter.target)
    return TensorList(None, steps if known is None else int(known), element, kind)


@rule("TensorListGetItem", targets=(TFLITE,), why=_WHY)
def list_get(rewriter: Rewriter, op: Any, items: Any, index: Any, element_shape: Any) -> Any:
    known = rewriter.value(index)
    return tf.gather(items.dense, index, axis=0) if known is None else items.dense[int(known)]


@rule("TensorListSetItem", targets=(TFLITE,), why=_WHY)
def list_set(rewriter: Rewriter, op: Any, items: Any, index: Any, value: Any) -> Any:
    from tensorflow.compiler.tf2xla.ops import gen_xla_ops

    row = tf.expand_dims(value, 0)
    buffer = _written(items, value)
    if buffer.shape[0] == 1:
        return TensorList(row)
    if (known := rewriter.value(index)) is not None:
        return TensorList(tf.concat([buffer[: int(known)], row, buffer[int(known) + 1 :]], axis=0))
    if rewriter.target != TFLITE:
        return TensorList(tf.tensor_scatter_nd_update(buffer, tf.reshape(index, [1, 1]), row))
    # Becomes the builtin DYNAMIC_UPDATE_SLICE: constant time per step, where scatter or concat copy the buffer.
    start = tf.stack([index, *[0] * (buffer.shape.rank - 1)])
    updated = gen_xla_ops.xla_dynamic_update_slice(buffer, row, start)
    updated.set_shape(buffer.shape)
    return TensorList(updated)


def _written(items: TensorList, value: Any) -> Any:
    """The list's buffer; one that is written before any loop gets it now, in the size of what is written."""
    if items.dense is not None:
        return items.dense
    dims = [items.steps, *sizes(value)]
    buffer = tf.zeros(dims if all(isinstance(d, int) for d in dims) else tf.stack(dims), value.dtype)
    buffer.set_shape([d if isinstance(d, int) else None for d in dims])
    return buffer


@rule("TensorListStack", targets=(TFLITE,), why=_WHY)
def list_stack(rewriter: Rewriter, op: Any, items: Any, element_shape: Any) -> Any:
    return items.dense


@rule("TensorListLength", targets=(TFLITE,), why=_WHY)
def list_length(rewriter: Rewriter, op: Any, items: Any) -> Any:
    static = items.dense.shape[0]
    return tf.shape(items.dense)[0] if static is None else rewriter.constant(np.array(static, np.int32))


@rule("TensorListReserve", targets=_OTHERS, why=_WHY_STATE)
def state_reserve(rewriter: Rewriter, op: Any, element_shape: Any, steps: Any) -> Any:
    if not any(user.type == "TensorListSetItem" for user in op.outputs[0].consumers()):
        return None
    return list_reserve(rewriter, op, element_shape, steps)


@rule("TensorListSetItem", targets=_OTHERS, why=_WHY_STATE, stand_in=TensorList)
def state_set(rewriter: Rewriter, op: Any, items: Any, index: Any, value: Any) -> Any:
    return list_set(rewriter, op, items, index, value)


@rule("TensorListGetItem", targets=_OTHERS, why=_WHY_STATE, stand_in=TensorList)
def state_get(rewriter: Rewriter, op: Any, items: Any, index: Any, element_shape: Any) -> Any:
    return list_get(rewriter, op, items, index, element_shape)


@rule("TensorListStack", targets=_OTHERS, why=_WHY_STATE, stand_in=TensorList)
def state_stack(rewriter: Rewriter, op: Any, items: Any, element_shape: Any) -> Any:
    return list_stack(rewriter, op, items, element_shape)


def materialize(rewriter: Rewriter, op: Any, values: list[Any], variant: list[int], body: Any) -> list[Any]:
    """Give reserved lists their buffers when a loop begins.

    The reservation leaves the batch open; the loop's own state tensors have it.

    Raises:
        LegalizationError: nothing tells an element's sizes.
    """
    made = []
    for value, variable in zip(values, body.inputs, strict=True):
        if not isinstance(value, TensorList) or value.dense is not None:
            made.append(value)
            continue
        element: list[Any] = list(value.element or [])
        if element and element[0] is None:
            element[0] = _batch(values, variant)
        if not element or None in element:
            element = _first_item(rewriter, variable, values, body)
        if not element:
            raise LegalizationError(
                "TensorListReserve",
                op.name,
                rewriter.target,
                f"the shape of a loop's result is unknown ({value.element})",
                "Give the layer static sizes except for the batch.",
            )
        dims = [value.steps, *element]
        static = all(isinstance(d, int) for d in dims)
        buffer = tf.zeros(dims if static else tf.stack(dims), value.dtype)
        buffer.set_shape([d if isinstance(d, int) else None for d in dims])
        made.append(TensorList(buffer))
    return made


def _first_item(rewriter: Rewriter, variable: Any, values: list[Any], body: Any) -> list[Any]:
    """Sizes of what a loop's body writes to a list, from its first step: nothing else tells them."""
    items = [op.inputs[2] for op in variable.consumers() if op.type == "TensorListSetItem"]
    if not items:
        return []
    known = {t.name: v for t, v in zip(body.inputs, values, strict=True)}
    (item,) = rewriter.interpret(items[:1], known)
    return sizes(item)


def _batch(values: list[Any], variant: list[int]) -> Any:
    """The batch as the loop's state tensors or lists have it; None if there are none."""
    states = [
        values[k]
        for k in variant
        if isinstance(values[k], tf.Tensor) and values[k].dtype.is_floating and (values[k].shape.rank or 0) >= 1
    ]
    lists = [v.dense for v in values if isinstance(v, TensorList) and v.dense is not None and v.dense.shape.rank >= 2]
    for tensor, axis in [*((t, 0) for t in states), *((t, 1) for t in lists)]:
        size = tensor.shape[axis]
        return int(size) if size is not None else tf.shape(tensor)[axis]
    return None
