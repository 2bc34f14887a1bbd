"""Bookkeeping operations, and shapes that are known in part."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf
from tensorflow.python.framework import tensor_util

from pipeline.legalize.emit import compute, promote
from pipeline.legalize.registry import EVERY, FORMATS, rule

if TYPE_CHECKING:
    from pipeline.legalize.rewriter import Rewriter


@rule(
    "Identity",
    "StopGradient",
    "PreventGradient",
    "Snapshot",
    "EnsureShape",
    "CheckNumerics",
    targets=EVERY,
    why="Passes its input on unchanged.",
    structural=True,
)
def pass_through(rewriter: Rewriter, op: Any, *inputs: Any) -> Any:
    return inputs[0]


@rule("IdentityN", targets=EVERY, why="Passes its inputs on unchanged.", structural=True)
def pass_all_through(rewriter: Rewriter, op: Any, *inputs: Any) -> Any:
    return list(inputs)


@rule(
    "PartitionedCall",
    "StatefulPartitionedCall",
    targets=EVERY,
    why="A call computes what its function's body computes.",
    structural=True,
)
def inline_call(rewriter: Rewriter, op: Any, *inputs: Any) -> Any:
    return rewriter.call(op.get_attr("f").name, list(inputs))


@rule("Cast", targets=EVERY, why="A cast to the type that the tensor has is the tensor.", structural=True)
def redundant_cast(rewriter: Rewriter, op: Any, tensor: Any) -> Any:
    # A half-precision cast disappears where the target computes in float32, as all of them do here.
    return tensor if tensor.dtype == promote(op.outputs[0].dtype, rewriter.target) else None


@rule("Shape", targets=EVERY, why="A static shape is a constant.", structural=True)
def static_shape(rewriter: Rewriter, op: Any, tensor: Any) -> Any:
    if not tensor.shape.is_fully_defined():
        return None
    return rewriter.constant(np.array(tensor.shape.as_list(), op.outputs[0].dtype.as_numpy_dtype))


@rule(
    "StridedSlice",
    "Slice",
    "GatherV2",
    targets=EVERY,
    why="A static entry of a partly dynamic shape is a constant.",
    structural=True,
)
def static_part_of_shape(rewriter: Rewriter, op: Any, *inputs: Any) -> Any:
    if (dims := _source_dims(inputs[0])) is None:
        return None
    known = np.array([-1 if d is None else d for d in dims], inputs[0].dtype.as_numpy_dtype)
    if (value := _take(rewriter, op, known, inputs)) is None:
        return None
    return rewriter.constant(value) if np.all(value >= 0) else None


@rule(
    "GatherV2",
    "StridedSlice",
    targets=FORMATS,
    why="A vector taken from a partly dynamic shape has constants where the shape is static.",
    structural=True,
)
def part_of_shape(rewriter: Rewriter, op: Any, *inputs: Any) -> Any:
    if op.outputs[0].shape.rank != 1 or (dims := _source_dims(inputs[0])) is None:
        return None
    kind = inputs[0].dtype.as_numpy_dtype
    if (picked := _take(rewriter, op, np.arange(len(dims), dtype=kind), inputs)) is None:
        return None
    entries = [
        inputs[0][int(a)] if dims[int(a)] is None else rewriter.constant(np.array(dims[int(a)], kind)) for a in picked
    ]
    return tf.stack(entries) if entries else None


@rule(
    "Reshape",
    targets=FORMATS,
    why="A reshape's only unknown size follows from the number of elements.",
    structural=True,
)
def infer_open_size(rewriter: Rewriter, op: Any, tensor: Any, shape: Any) -> Any:
    if not isinstance(tensor, tf.Tensor) or rewriter.value(shape) is not None:
        return None
    known = tensor_util.constant_value_as_shape(shape)
    if known.rank is None:
        return None
    dims = known.as_list()
    if dims.count(None) != 1 or 0 in dims:
        return None
    wanted = np.array([-1 if d is None else d for d in dims], shape.dtype.as_numpy_dtype)
    result = tf.reshape(tensor, rewriter.constant(wanted))
    result.set_shape(known)
    return result


def _source_dims(tensor: Any) -> list[int | None] | None:
    """Sizes of the tensor whose shape this is; None where it is no shape, or one of unknown rank."""
    if not isinstance(tensor, tf.Tensor) or tensor.op.type != "Shape":
        return None
    dims = tensor.op.inputs[0].shape
    return None if dims.rank is None else dims.as_list()


def _take(rewriter: Rewriter, op: Any, vector: np.ndarray, inputs: tuple[Any, ...]) -> np.ndarray | None:
    """What `op` takes out of a vector in place of its first input; None where its other inputs are not known."""
    rest = [rewriter.value(t) for t in inputs[1:]]
    if any(v is None for v in rest):
        return None
    with tf.init_scope():
        eager = [tf.constant(vector), *(tf.constant(v, t.dtype) for v, t in zip(rest, inputs[1:], strict=True))]
    (taken,) = compute(op, eager, rewriter.target)
    return taken
