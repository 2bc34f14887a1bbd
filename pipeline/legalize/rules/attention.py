"""Tensor contractions."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from pipeline.legalize.products import joint, matmul, repeat
from pipeline.legalize.registry import FORMATS, TFJS, TFLITE, rule
from pipeline.legalize.shapes import product, reshape, sizes, transpose

if TYPE_CHECKING:
    from pipeline.legalize.rewriter import Rewriter


@rule(
    "Einsum",
    targets=FORMATS,
    why="A contraction of two operands is a matrix product of their transposed and reshaped forms, term by term.",
)
def einsum_by_matmul(rewriter: Rewriter, op: Any, *inputs: Any) -> Any:
    terms, result = _expand_ellipsis(op.get_attr("equation").decode().replace(" ", ""), inputs)
    if len(set(result)) != len(result) or len(terms) > 2:
        return None
    pairs = [_take_diagonals(rewriter, x, term) for x, term in zip(inputs, terms, strict=True)]
    inputs, terms = tuple(x for x, _ in pairs), [term for _, term in pairs]
    if len(terms) == 1:
        kept = [c for c in terms[0] if c in result]
        tensor = _reduce(inputs[0], terms[0], kept)
        return transpose(rewriter, tensor, [kept.index(c) for c in result])
    (x, y), (x_axes, y_axes) = inputs, terms
    return _contract(rewriter, x, y, x_axes, y_axes, result)


@rule(
    "BatchMatMulV2",
    targets=(TFJS,),
    why="Operands are repeated along broadcast axes as the product defines it; TF.js' wasm kernel does it wrongly.",
)
def broadcast_product(rewriter: Rewriter, op: Any, x: Any, y: Any) -> Any:
    flat = [math.prod(1 if d == 1 else 2 for d in t.shape.as_list()[:-2]) for t in (x, y)]
    if 1 in flat or (x.shape.rank == y.shape.rank and not _broadcasts(x, y)):
        return None
    x, y = repeat(x, y), repeat(y, x)
    return matmul(rewriter, x, y, op.get_attr("adj_x"), op.get_attr("adj_y"))


def _broadcasts(x: Any, y: Any) -> bool:
    pairs = zip(x.shape.as_list()[:-2], y.shape.as_list()[:-2], strict=True)
    return any((a == 1) != (b == 1) for a, b in pairs)


def _contract(rewriter: Rewriter, x: Any, y: Any, x_axes: str, y_axes: str, result: str) -> Any:
    if result and result[0] in y_axes and result[0] not in x_axes and rewriter.value(y) is None:
        # A batch in the middle would need a transpose that the TFLite converter gets wrong; so it does the product
        # of a constant and a transposed tensor.
        return _contract(rewriter, y, x, y_axes, x_axes, result)
    x_kept = [c for c in x_axes if c in y_axes or c in result]
    y_kept = [c for c in y_axes if c in x_axes or c in result]
    x, y = _reduce(x, x_axes, x_kept), _reduce(y, y_axes, y_kept)
    shared = [c for c in x_kept if c in y_kept]
    batch = [c for c in shared if c in result]
    summed = [c for c in shared if c not in result]
    left = [c for c in x_kept if c not in y_kept]
    right = [c for c in y_kept if c not in x_kept]
    x_size, y_size = dict(zip(x_kept, sizes(x), strict=True)), dict(zip(y_kept, sizes(y), strict=True))
    size = {c: joint(x_size.get(c, 1), y_size.get(c, 1)) for c in {*x_kept, *y_kept}}

    def shape(own: dict[str, Any], *groups: list[str]) -> list[Any]:
        # A size of one under an ellipsis broadcasts, and is repeated below.
        lead = [1 if isinstance(own[c], int) and own[c] == 1 else size[c] for c in batch]
        return [*lead, *(product([size[c] for c in group]) for group in groups)]

    x = transpose(rewriter, x, [x_kept.index(c) for c in [*batch, *left, *summed]])
    y = transpose(rewriter, y, [y_kept.index(c) for c in [*batch, *summed, *right]])
    x = reshape(rewriter, x, shape(x_size, left, summed))
    y = reshape(rewriter, y, shape(y_size, summed, right))
    z = reshape(rewriter, matmul(rewriter, repeat(x, y), repeat(y, x)), [size[c] for c in [*batch, *left, *right]])
    order = [*batch, *left, *right]
    return transpose(rewriter, z, [order.index(c) for c in result])


def _take_diagonals(rewriter: Rewriter, x: Any, axes: str) -> tuple[Any, str]:
    """The tensor with each letter once: of equal letters the diagonal, as a sum of what a mask leaves."""
    while repeated := [c for c in axes if axes.count(c) > 1]:
        first, second = axes.index(repeated[0]), axes.rindex(repeated[0])
        places = [tf.range(sizes(x)[a]) for a in (first, second)]
        shaped = [
            tf.reshape(p, [-1 if a == k else 1 for k in range(x.shape.rank)])
            for p, a in zip(places, (first, second), strict=True)
        ]
        x = tf.reduce_sum(tf.where(tf.equal(*shaped), x, tf.zeros_like(x)), second)
        axes = axes[:second] + axes[second + 1 :]
    return x, axes


def _reduce(tensor: Any, axes: str, kept: list[str]) -> Any:
    lost = [i for i, c in enumerate(axes) if c not in kept]
    return tf.reduce_sum(tensor, lost) if lost else tensor


def _expand_ellipsis(equation: str, inputs: tuple[Any, ...]) -> tuple[list[str], str]:
    """Terms with "..." replaced by free letters, aligned at the right as broadcasting is."""
    left, result = equation.split("->")
    terms = left.split(",")
    if "..." not in equation:
        return terms, result
    ranks = [t.shape.rank - len(s.replace("...", "")) if "..." in s else 0 for t, s in zip(inputs, terms, strict=True)]
    letters = "".join(c for c in "zyxwvutsrqponmlkjihgfedcba" if c not in equation)[: max(ranks)]
    terms = [s.replace("...", letters[len(letters) - r :]) for s, r in zip(terms, ranks, strict=True)]
    return terms, result.replace("...", letters)


@rule(
    "Squeeze",
    targets=(TFLITE,),
    why="Leaving out sizes of one is a reshape; the converter fuses a transpose and a squeeze into an invalid form.",
)
def squeeze_after_transpose(rewriter: Rewriter, op: Any, x: Any) -> Any:
    if x.op.type != "Transpose":
        return None
    rank = x.shape.rank
    lost = {a % rank for a in op.get_attr("squeeze_dims")} or {a for a in range(rank) if x.shape[a] == 1}
    return reshape(rewriter, x, [d for a, d in enumerate(sizes(x)) if a not in lost])
