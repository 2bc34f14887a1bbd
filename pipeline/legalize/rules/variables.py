"""Variables, which are constants in inference."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from pipeline.closure import Variable
from pipeline.legalize.registry import EVERY, rule

if TYPE_CHECKING:
    from pipeline.legalize.rewriter import Rewriter


@rule(
    "ReadVariableOp",
    targets=EVERY,
    why="Inference changes no variable: it is the constant that it was when the model was captured.",
    structural=True,
    stand_in=Variable,
)
def read_variable(rewriter: Rewriter, op: Any, variable: Variable) -> Any:
    return rewriter.constants.promoted(variable.value, op.outputs[0].dtype)


@rule(
    "ResourceGather",
    targets=EVERY,
    why="Rows taken from a variable are rows taken from its value.",
    structural=True,
    stand_in=Variable,
)
def gather_from_variable(rewriter: Rewriter, op: Any, variable: Variable, indices: Any) -> Any:
    value, axis = rewriter.constants.promoted(variable.value, op.outputs[0].dtype), np.array(0, np.int32)
    source = op.inputs[1]
    with tf.Graph().as_default():
        places = tf.compat.v1.placeholder(source.dtype, source.shape)
        rows = tf.compat.v1.placeholder(op.outputs[0].dtype, variable.value.shape)
        taken = tf.raw_ops.GatherV2(params=rows, indices=places, axis=axis, batch_dims=op.get_attr("batch_dims"))
    return rewriter.replace(taken.op, [value, indices, rewriter.constant(axis)])


@rule(
    "ResourceGatherNd",
    targets=EVERY,
    why="Entries taken from a variable are entries taken from its value.",
    structural=True,
    stand_in=Variable,
)
def gather_entries_from_variable(rewriter: Rewriter, op: Any, variable: Variable, indices: Any) -> Any:
    value, source = rewriter.constants.promoted(variable.value, op.outputs[0].dtype), op.inputs[1]
    with tf.Graph().as_default():
        places = tf.compat.v1.placeholder(source.dtype, source.shape)
        entries = tf.compat.v1.placeholder(op.outputs[0].dtype, variable.value.shape)
        taken = tf.raw_ops.GatherNd(params=entries, indices=places)
    return rewriter.replace(taken.op, [value, indices])
