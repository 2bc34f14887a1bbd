"""Tensors of more axes than a target's kernels have: those that an operation leaves alone are taken as one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tensorflow as tf

from pipeline.legalize.products import matmul
from pipeline.legalize.registry import TFLITE, rule
from pipeline.legalize.shapes import product, reshape, sizes

if TYPE_CHECKING:
    from pipeline.legalize.rewriter import Rewriter

# What LiteRT's kernels have (2.3).
_TRANSPOSED, _PADDED, _CHOSEN = 6, 5, 4


@rule(
    "BatchMatMul",
    "BatchMatMulV2",
    targets=(TFLITE,),
    why="The leading axes of a product of matrices number independent products: they can be one.",
)
def product_of_many_axes(rewriter: Rewriter, op: Any, x: Any, y: Any) -> Any:
    if max(x.shape.rank, y.shape.rank) <= 5 or not x.dtype.is_floating:
        return None
    return matmul(rewriter, x, y, op.get_attr("adj_x"), op.get_attr("adj_y"))


@rule(
    "Transpose",
    targets=(TFLITE,),
    why="One axis after the other is brought to its place, past those in between, which are one meanwhile.",
)
def transpose_step_by_step(rewriter: Rewriter, op: Any, x: Any, order: Any) -> Any:
    known = rewriter.value(order)
    if known is None or x.shape.rank <= _TRANSPOSED:
        return None
    dims, present = sizes(x), list(range(x.shape.rank))
    for place, axis in enumerate(known.tolist()):
        at = present.index(axis)
        if at == place:
            continue
        size = [dims[a] for a in present]
        groups = [product(size[:place]), product(size[place:at]), size[at], product(size[at + 1 :])]
        x = tf.transpose(reshape(rewriter, x, groups), [0, 2, 1, 3])
        present.insert(place, present.pop(at))
    return reshape(rewriter, x, [dims[a] for a in present])


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
