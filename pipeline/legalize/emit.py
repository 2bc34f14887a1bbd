"""Write one operation into the graph under construction, in the target's float type."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import attr_value_pb2
from tensorflow.python.eager import context, execute

from pipeline.legalize.registry import FORMATS, ORACLE, TFJS

_OTHERS = (tf.float16, tf.bfloat16, tf.float64)
_FLOATS = (*_OTHERS, tf.float32)
# Types of whole numbers that kernels of the formats often lack, or get wrong.
WHOLE = (tf.int8, tf.uint8, tf.int16, tf.uint16, tf.uint32, tf.uint64)


def promote(dtype: Any, target: str) -> Any:
    """The type in which a target computes: float64 for the oracle, float32 elsewhere, whatever the model's policy.

    A format computes with whole numbers of int32 and int64, for which alone its kernels are complete; results are
    wrapped to the range of their own type (`rules/whole_numbers.py`). Of 64 bits without a sign those below 2^63 are
    ordered right. For a complex tensor the type is that of its parts in a format, which has no other.
    """
    base = dtype.base_dtype
    if target in FORMATS and base in WHOLE:
        return tf.int32 if base.size < 4 or target == TFJS else tf.int64
    if target == ORACLE and base in _FLOATS:
        return tf.float64
    if base.is_complex:
        if target in FORMATS:
            return tf.float32
        return tf.complex128 if target == ORACLE else tf.complex64
    return tf.float32 if base in _OTHERS and target != ORACLE else base


def emit(op: Any, inputs: list[Any], target: str) -> list[Any]:
    """A copy of `op` on rewritten inputs in the current graph; returns its outputs."""
    fixed_inputs = [a.type for a in op.op_def.input_arg]
    if len(fixed_inputs) == len(inputs):
        inputs = [_fit(t, kind, target) for t, kind in zip(inputs, fixed_inputs, strict=True)]
    else:
        inputs = [_fit(t, 0, target) for t in inputs]
    fixed_outputs = [a.type for a in op.op_def.output_arg]
    dtypes = [
        t.dtype.base_dtype if len(fixed_outputs) == len(op.outputs) and fixed_outputs[i] else promote(t.dtype, target)
        for i, t in enumerate(op.outputs)
    ]
    attrs = {k: _promote_attr(v, target) for k, v in op.node_def.attr.items() if not k.startswith("_")}
    graph = tf.compat.v1.get_default_graph()
    made = graph._create_op_internal(
        op.type, inputs, dtypes=dtypes, attrs=attrs, name=op.name.rsplit("/", 1)[-1], compute_device=False
    )
    wanted = [promote(t.dtype, target) for t in op.outputs]
    return [t if t.dtype == w else tf.cast(t, w) for t, w in zip(made.outputs, wanted, strict=True)]


def compute(op: Any, inputs: list[Any], target: str) -> list[np.ndarray]:
    """Run `op` at once on eager inputs, in the target's float type.

    Raises:
        tf.errors.OpError: the operation has no kernel for these inputs.
    """
    attrs: list[Any] = []
    for name, value in op.node_def.attr.items():
        if not name.startswith("_"):
            attrs += [name, _plain(_promote_attr(value, target))]
    with tf.init_scope():
        results = execute.execute(
            op.type.encode(), len(op.outputs), inputs=inputs, attrs=tuple(attrs), ctx=context.context()
        )
        return [np.asarray(t) for t in results]


def _plain(value: Any) -> Any:
    """An attribute as eager execution wants it."""
    kind = value.WhichOneof("value")
    if kind == "shape":
        return None if value.shape.unknown_rank else [None if d.size < 0 else d.size for d in value.shape.dim]
    if kind == "list":
        for field in ("s", "i", "f", "b", "type"):
            if getattr(value.list, field):
                return list(getattr(value.list, field))
        return []
    return getattr(value, kind)


def _fit(tensor: Any, fixed: int, target: str) -> Any:
    """Cast a number to what the operation takes: a fixed type, or the target's."""
    if not isinstance(tensor, tf.Tensor) or not (tensor.dtype.is_floating or tensor.dtype.is_integer):
        return tensor
    wanted = tf.as_dtype(fixed) if fixed else promote(tensor.dtype, target)
    alike = (tensor.dtype.is_floating, tensor.dtype.is_integer) == (wanted.is_floating, wanted.is_integer)
    return tensor if tensor.dtype == wanted or not alike else tf.cast(tensor, wanted)


def _promote_attr(value: Any, target: str) -> Any:
    if value.HasField("type"):
        wanted = promote(tf.as_dtype(value.type), target).as_datatype_enum
        return value if wanted == value.type else attr_value_pb2.AttrValue(type=wanted)
    if value.HasField("list") and value.list.type:
        kinds = [promote(tf.as_dtype(t), target).as_datatype_enum for t in value.list.type]
        return attr_value_pb2.AttrValue(list=attr_value_pb2.AttrValue.ListValue(type=kinds))
    return value
