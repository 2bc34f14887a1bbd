"""Products of matrices whose leading axes are more than a target's kernel has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tensorflow as tf

from pipeline.legalize.registry import TFJS, TFLITE
from pipeline.legalize.shapes import product, reshape, sizes

if TYPE_CHECKING:
    from pipeline.legalize.rewriter import Rewriter

# Axes that the kernels have.
MOST_MULTIPLIED = {TFLITE: 5, TFJS: 4}


def matmul(rewriter: Rewriter, x: Any, y: Any, adjoint_a: bool = False, adjoint_b: bool = False) -> Any:
    """`tf.matmul`, with the leading axes as one where there are too many for the target."""
    leading = max(x.shape.rank, y.shape.rank) - 2
    if leading + 2 <= MOST_MULTIPLIED.get(rewriter.target, leading + 2):
        return tf.matmul(x, y, adjoint_a=adjoint_a, adjoint_b=adjoint_b)
    x, y = repeat(x, y), repeat(y, x)
    dims = sizes(x)[:-2]
    flat = [reshape(rewriter, t, [product(dims), *sizes(t)[-2:]]) for t in (x, y)]
    result = tf.matmul(*flat, adjoint_a=adjoint_a, adjoint_b=adjoint_b)
    return reshape(rewriter, result, [*dims, *sizes(result)[-2:]])


def repeat(tensor: Any, other: Any) -> Any:
    """The tensor broadcast to the other's leading axes."""
    own, theirs = sizes(tensor)[:-2], sizes(other)[:-2]
    rank = max(len(own), len(theirs))
    own, theirs = ([1] * (rank - len(d)) + d for d in (own, theirs))
    if tensor.shape.rank == rank + 2 and all(
        not (isinstance(a, int) and a == 1) or (isinstance(b, int) and b == 1) for a, b in zip(own, theirs, strict=True)
    ):
        return tensor
    joint_dims = [joint(a, b) for a, b in zip(own, theirs, strict=True)]
    return tf.broadcast_to(tensor, tf.stack([*joint_dims, *sizes(tensor)[-2:]]))


def joint(a: Any, b: Any) -> Any:
    """The size of two that are equal or broadcast; the static one if there is one."""
    if isinstance(a, int):
        return b if a == 1 else a
    return a if isinstance(b, int) and b == 1 else b
