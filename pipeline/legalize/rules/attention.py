"""Tensor contractions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tensorflow as tf

from pipeline.legalize.registry import FORMATS, rule
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
    if any(len(set(t)) != len(t) for t in [*terms, result]) or len(terms) > 2:
        return None
    if len(terms) == 1:
        kept = [c for c in terms[0] if c in result]
        tensor = _reduce(inputs[0], terms[0], kept)
        return transpose(rewriter, tensor, [kept.index(c) for c in result])
    (x, y), (x_axes, y_axes) = inputs, terms
    return _contract(rewriter, x, y, x_axes, y_axes, result)


def _contract(rewriter: Rewriter, x: Any, y: Any, x_axes: str, y_axes: str, result: str) -> Any:
    x_kept = [c for c in x_axes if c in y_axes or c in result]
    y_kept = [c for c in y_axes if c in x_axes or c in result]
    x, y = _reduce(x, x_axes, x_kept), _reduce(y, y_axes, y_kept)
    shared = [c for c in x_kept if c in y_kept]
    batch = [c for c in shared if c in result]
    summed = [c for c in shared if c not in result]
    left = [c for c in x_kept if c not in y_kept]
    right = [c for c in y_kept if c not in x_kept]
    size = dict(zip(y_kept, sizes(y), strict=True))
    for axis, dim in zip(x_kept, sizes(x), strict=True):
        size[axis] = dim if isinstance(dim, int) or axis not in size or not isinstance(size[axis], int) else size[axis]

    def dims(axes: list[str]) -> list[Any]:
        return [size[c] for c in axes]

    x = transpose(rewriter, x, [x_kept.index(c) for c in [*batch, *left, *summed]])
    y = transpose(rewriter, y, [y_kept.index(c) for c in [*batch, *summed, *right]])
    x = reshape(rewriter, x, [*dims(batch), product(dims(left)), product(dims(summed))])
    y = reshape(rewriter, y, [*dims(batch), product(dims(summed)), product(dims(right))])
    z = reshape(rewriter, tf.matmul(x, y), dims([*batch, *left, *right]))
    order = [*batch, *left, *right]
    return transpose(rewriter, z, [order.index(c) for c in result])


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
