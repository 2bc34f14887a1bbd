"""Tensors of more axes than a target's kernels have: those that an operation leaves alone are taken as one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from pipeline.legalize.elementwise import joined, runs
from pipeline.legalize.products import MOST_MULTIPLIED, matmul
from pipeline.legalize.registry import TFJS, TFLITE, rule
from pipeline.legalize.shapes import MOST_TRANSPOSED, product, reshape, sizes, transpose

if TYPE_CHECKING:
    from pipeline.legalize.rewriter import Rewriter

# Axes that the kernels of LiteRT 2.3 and of TF.js 4.22 have.
_PADDED, _CHOSEN, _REDUCED = 5, 4, 4


@rule(
    "BatchMatMul",
    "BatchMatMulV2",
    targets=(TFLITE, TFJS),
    why="The leading axes of a product of matrices number independent products: they can be one.",
)
def product_of_many_axes(rewriter: Rewriter, op: Any, x: Any, y: Any) -> Any:
    if max(x.shape.rank, y.shape.rank) <= MOST_MULTIPLIED[rewriter.target] or not x.dtype.is_floating:
        return None
    return matmul(rewriter, x, y, op.get_attr("adj_x"), op.get_attr("adj_y"))


@rule(
    "Transpose",
    targets=(TFLITE, TFJS),
    why="Axes that stay neighbours are one, and one after the other is brought to its place past those in between.",
)
def transpose_step_by_step(rewriter: Rewriter, op: Any, x: Any, order: Any) -> Any:
    known = rewriter.value(order)
    if known is None or x.shape.rank <= MOST_TRANSPOSED:
        return None
    return transpose(rewriter, x, known.tolist())


@rule(
    "Pad",
    "PadV2",
    "MirrorPad",
    targets=(TFLITE,),
    why="Axes are padded one after the other, with all those before and behind as one.",
)
def pad_axis_by_axis(rewriter: Rewriter, op: Any, x: Any, widths: Any, value: Any = None) -> Any:
    known = rewriter.value(widths)
    if known is None or x.shape.rank <= _PADDED - 1:
        return None
    mode = op.get_attr("mode").decode() if op.type == "MirrorPad" else "CONSTANT"
    if x.shape.rank == _PADDED and mode == "CONSTANT":
        return None
    dims = sizes(x)
    for axis, (before, after) in enumerate(known.tolist()):
        if not (before or after):
            continue
        flat = reshape(rewriter, x, [product(dims[:axis]), dims[axis], product(dims[axis + 1 :])])
        filler = {} if value is None else {"constant_values": value}
        flat = tf.pad(flat, [[0, 0], [before, after], [0, 0]], mode, **filler)
        dims[axis] = dims[axis] + before + after
        x = reshape(rewriter, flat, dims)
    return x


@rule(
    "SelectV2",
    targets=(TFLITE,),
    why="Each choice is made alone: one number stands for all of them, or the tensors are repeated, and lie in a row.",
)
def choose_in_a_row(rewriter: Rewriter, op: Any, condition: Any, x: Any, y: Any) -> Any:
    parts = (condition, x, y)
    rank = max(t.shape.rank or 0 for t in parts)
    if rank <= _CHOSEN or x.dtype == tf.string:
        return None
    whole = [t for t in parts if t.shape.num_elements() != 1]
    static = [t.shape.as_list() for t in whole]
    if any(len(s) != rank or None in s[1:] or s[1:] != static[0][1:] for s in static):
        return None
    flat = [tf.reshape(t, [-1] if t.shape.num_elements() != 1 else []) for t in parts]
    return reshape(rewriter, tf.where(*flat), sizes(whole[0]))


@rule(
    *("Sum", "Mean", "Max", "Min", "Prod", "All", "Any"),
    targets=(TFLITE, TFJS),
    why="Neighbouring axes that are all reduced, or all kept, are one to a reduction.",
)
def reduce_runs_of_axes(rewriter: Rewriter, op: Any, x: Any, axes: Any) -> Any:
    known = rewriter.value(axes)
    if known is None or x.shape.rank is None or x.shape.rank <= _REDUCED:
        return None
    dims, rank = sizes(x), x.shape.rank
    lost = {int(a) % rank for a in np.ravel(known)}
    found = runs([a in lost for a in range(rank)])
    if len(found) == rank:
        return None
    flat = reshape(rewriter, x, [product([dims[a] for a in run]) for run in found])
    reduce = getattr(tf.raw_ops, op.type)
    result = reduce(input=flat, axis=[k for k, run in enumerate(found) if run[0] in lost], keep_dims=False)
    if op.get_attr("keep_dims"):
        return reshape(rewriter, result, [1 if a in lost else d for a, d in enumerate(dims)])
    return reshape(rewriter, result, [d for a, d in enumerate(dims) if a not in lost])


@rule(
    *("AddV2", "Sub", "Mul", "RealDiv", "Maximum", "Minimum", "SquaredDifference"),
    *("Greater", "GreaterEqual", "Less", "LessEqual", "Equal", "NotEqual", "LogicalAnd", "LogicalOr"),
    targets=(TFLITE, TFJS),
    why="Neighbouring axes along which both operands have their numbers, or the same one is repeated, are one.",
)
def join_runs_of_axes(rewriter: Rewriter, op: Any, x: Any, y: Any) -> Any:
    return joined(rewriter, op.type, x, y)
