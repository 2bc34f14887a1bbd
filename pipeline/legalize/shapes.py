"""Reshape, transpose and sizes for rules, computed at once where the tensor is known."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from pipeline.legalize.registry import TFJS, TFLITE

if TYPE_CHECKING:
    from pipeline.legalize.rewriter import Rewriter

# What the transpositions of LiteRT 2.3 and of TF.js' wasm backend take for sure.
MOST_TRANSPOSED, _FEW_AXES = 5, (TFLITE, TFJS)


def sizes(tensor: Any) -> list[Any]:
    """Each dimension as an int where it is static, else as a scalar tensor."""
    dynamic = None
    result: list[Any] = []
    for axis, size in enumerate(tensor.shape.as_list()):
        if size is None:
            dynamic = tf.shape(tensor) if dynamic is None else dynamic
            size = dynamic[axis]
        result.append(size)
    return result


def product(dims: list[Any]) -> Any:
    """Product of sizes; static where all are."""
    if all(isinstance(d, int) for d in dims):
        return math.prod(dims)
    return tf.reduce_prod(tf.stack([tf.convert_to_tensor(d) for d in dims]))


def transpose(rewriter: Rewriter, tensor: Any, permutation: list[int]) -> Any:
    """`tf.transpose` that folds, and vanishes when it would do nothing."""
    if permutation == sorted(permutation):
        return tensor
    if (value := rewriter.value(tensor)) is not None:
        return rewriter.constant(np.ascontiguousarray(value.transpose(permutation)), tensor)
    if rewriter.target in _FEW_AXES and len(permutation) > MOST_TRANSPOSED:
        return _in_steps(rewriter, tensor, permutation)
    return tf.transpose(tensor, permutation)


def _in_steps(rewriter: Rewriter, tensor: Any, permutation: list[int]) -> Any:
    """A transposition of many axes: those that stay neighbours are one axis, and then each is brought to its place."""
    dims = sizes(tensor)
    # Runs of axes in the order of the result, each as its first axis and its size.
    runs: list[list[int]] = []
    for axis in permutation:
        if runs and runs[-1][-1] == axis - 1:
            runs[-1].append(axis)
        else:
            runs.append([axis])
    present = sorted(runs)
    size = {run[0]: product([dims[a] for a in run]) for run in runs}
    if len(runs) <= MOST_TRANSPOSED:
        flat = reshape(rewriter, tensor, [size[run[0]] for run in present])
        tensor = tf.transpose(flat, [present.index(run) for run in runs])
        return reshape(rewriter, tensor, [dims[a] for a in permutation])
    for place, run in enumerate(runs):
        at = present.index(run)
        if at != place:
            now = [size[r[0]] for r in present]
            groups = [product(now[:place]), product(now[place:at]), now[at], product(now[at + 1 :])]
            tensor = tf.transpose(reshape(rewriter, tensor, groups), [0, 2, 1, 3])
            present.insert(place, present.pop(at))
    return reshape(rewriter, tensor, [dims[a] for a in permutation])


def reshape(rewriter: Rewriter, tensor: Any, dims: list[Any]) -> Any:
    """`tf.reshape` to sizes of which several may be tensors; one of those becomes -1 where that is enough."""
    static = tensor.shape.as_list()
    if len(dims) == len(static) and all(isinstance(d, int) and d == s for d, s in zip(dims, static, strict=True)):
        return tensor
    unknown = [i for i, d in enumerate(dims) if not isinstance(d, int)]
    if (value := rewriter.value(tensor)) is not None and not unknown:
        return rewriter.constant(value.reshape(dims), tensor)
    if len(unknown) == 1:
        dims = [-1 if i in unknown else d for i, d in enumerate(dims)]
    result = tf.reshape(tensor, dims if len(unknown) <= 1 else tf.stack(dims))
    result.set_shape([d if isinstance(d, int) and d >= 0 else None for d in dims])
    return result
