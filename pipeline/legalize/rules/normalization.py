"""Normalization whose statistics come from the data (layer, group, unit and local response normalization)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from pipeline.legalize.elementwise import combine
from pipeline.legalize.registry import FORMATS, ORACLE, TFJS, TFLITE, rule

if TYPE_CHECKING:
    from pipeline.legalize.rewriter import Rewriter


@rule(
    "AddV2",
    targets=FORMATS,
    why="x s + (c - m s) = (x - m) s + c, without the cancellation of two large terms where m is large beside 1 / s.",
)
def center_before_scaling(rewriter: Rewriter, op: Any, a: Any, b: Any) -> Any:
    for scaled, shift in ((a, b), (b, a)):
        for x, scale in _factors(rewriter, scaled):
            found = _offset_and_mean(rewriter, shift, scale)
            if found is not None:
                offset, mean = found
                centered = combine(rewriter, "Mul", combine(rewriter, "Sub", x, mean), scale)
                return combine(rewriter, "AddV2", centered, offset)
    return None


@rule(
    "Rsqrt",
    targets=(TFLITE,),
    why="Infinity at zero by a selection, since LiteRT's kernel gives NaN there; everywhere else as it was.",
)
def rsqrt_of_zero(rewriter: Rewriter, op: Any, x: Any) -> Any:
    if _is_positive(rewriter, x):
        return None
    return tf.where(tf.equal(x, 0.0), rewriter.constant(np.array(np.inf, np.float32)), tf.math.rsqrt(x))


@rule(
    "LRN",
    targets=(TFJS, ORACLE),
    why="x / (bias + alpha s)^beta, with s the sum of the squares of the channels around: its definition.",
)
def local_response_by_shifts(rewriter: Rewriter, op: Any, x: Any) -> Any:
    radius, bias, alpha, beta = (op.get_attr(a) for a in ("depth_radius", "bias", "alpha", "beta"))
    channels = x.shape[-1]
    if channels is None:
        return None
    radius = min(radius, channels - 1)
    squares = tf.pad(tf.square(x), [[0, 0]] * (x.shape.rank - 1) + [[radius, radius]])
    around = tf.add_n([squares[..., k : k + channels] for k in range(2 * radius + 1)])
    return x * tf.pow(bias + alpha * around, -beta)


def _factors(rewriter: Rewriter, tensor: Any) -> list[tuple[Any, Any]]:
    """The operands of a product, both ways round; none if it is no product."""
    kind, inputs = _origin(rewriter, tensor)
    return [(inputs[0], inputs[1]), (inputs[1], inputs[0])] if kind == "Mul" else []


def _offset_and_mean(rewriter: Rewriter, shift: Any, scale: Any) -> tuple[Any, Any] | None:
    """c and m of `c - m s` or `-m s + c`, for this very s."""
    kind, inputs = _origin(rewriter, shift)
    if kind == "Sub":
        mean = _other_factor(rewriter, inputs[1], scale)
        return None if mean is None else (inputs[0], mean)
    if kind == "AddV2":
        for offset, product in (inputs, inputs[::-1]):
            negated = _other_factor(rewriter, product, scale)
            if negated is not None and (found := _origin(rewriter, negated))[0] == "Neg":
                return offset, found[1][0]
    return None


def _other_factor(rewriter: Rewriter, product: Any, scale: Any) -> Any:
    return next((m for m, s in _factors(rewriter, product) if s is scale), None)


def _origin(rewriter: Rewriter, tensor: Any) -> tuple[str, list[Any]]:
    return rewriter.origin(tensor) if isinstance(tensor, tf.Tensor) else ("", [])


def _is_positive(rewriter: Rewriter, x: Any) -> bool:
    """A positive constant was added, or is the least that it can be."""
    if x.op.type not in ("AddV2", "Maximum"):
        return False
    known = [value for t in x.op.inputs if (value := rewriter.value(t)) is not None]
    return any((value > 0).all() for value in known)
