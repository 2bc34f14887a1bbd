"""Normalization whose statistics come from the data (layer, group and unit normalization)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from pipeline.legalize.registry import FORMATS, TFLITE, rule

if TYPE_CHECKING:
    from pipeline.legalize.rewriter import Rewriter


@rule(
    "AddV2",
    targets=FORMATS,
    why="x s + (c - m s) = (x - m) s + c, without the cancellation of two large terms where m is large beside 1 / s.",
)
def center_before_scaling(rewriter: Rewriter, op: Any, a: Any, b: Any) -> Any:
    for scaled, shift in ((a, b), (b, a)):
        for x, scale in _factors(scaled):
            found = _offset_and_mean(shift, scale)
            if found is not None:
                offset, mean = found
                return (x - mean) * scale + offset
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


def _factors(tensor: Any) -> list[tuple[Any, Any]]:
    """The operands of a product, both ways round; none if it is no product."""
    if not isinstance(tensor, tf.Tensor) or tensor.op.type != "Mul":
        return []
    a, b = tensor.op.inputs
    return [(a, b), (b, a)]


def _offset_and_mean(shift: Any, scale: Any) -> tuple[Any, Any] | None:
    """c and m of `c - m s` or `-m s + c`, for this very s."""
    if not isinstance(shift, tf.Tensor) or shift.op.type not in ("Sub", "AddV2"):
        return None
    first, second = shift.op.inputs
    if shift.op.type == "Sub":
        mean = _other_factor(second, scale)
        return None if mean is None else (first, mean)
    for offset, product in ((first, second), (second, first)):
        negated = _other_factor(product, scale)
        if negated is not None and negated.op.type == "Neg":
            return offset, negated.op.inputs[0]
    return None


def _other_factor(product: Any, scale: Any) -> Any:
    return next((m for m, s in _factors(product) if s is scale), None)


def _is_positive(rewriter: Rewriter, x: Any) -> bool:
    """A positive constant was added, or is the least that it can be."""
    if x.op.type not in ("AddV2", "Maximum"):
        return False
    known = [value for t in x.op.inputs if (value := rewriter.value(t)) is not None]
    return any((value > 0).all() for value in known)
