"""Hyperbolic functions and their inverses, by formulas that neither cancel nor overflow early."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from pipeline.legalize import near_zero
from pipeline.legalize.approximate import fit, horner
from pipeline.legalize.registry import TFLITE, rule

if TYPE_CHECKING:
    from pipeline.legalize.rewriter import Rewriter

_LN2 = math.log(2)


@rule(
    "Sinh",
    targets=(TFLITE,),
    why="(E^2 - E^-2) / 2 with E = exp(|x| / 2), which does not overflow early; a polynomial on [-1, 1], within 1 ULP.",
)
def sinh_by_exp(rewriter: Rewriter, op: Any, x: Any) -> Any:
    if x.dtype != tf.float32:
        return None
    root = tf.exp(0.5 * tf.abs(x))
    square = x * x
    near = x + x * square * horner(square, fit(near_zero.odd_rest(np.sinh), 0.0, 1.0, 4))
    return tf.where(tf.abs(x) < 1.0, near, tf.sign(x) * (0.5 * root * root - 0.5 / (root * root)))


@rule("Cosh", targets=(TFLITE,), why="(E^2 + E^-2) / 2 with E = exp(|x| / 2), which does not overflow early.")
def cosh_by_exp(rewriter: Rewriter, op: Any, x: Any) -> Any:
    root = tf.exp(0.5 * tf.abs(x))
    return 0.5 * root * root + 0.5 / (root * root)


@rule(
    "Asinh",
    targets=(TFLITE,),
    why="sign(x) log1p(|x| + x^2 / (1 + sqrt(1 + x^2))), which does not cancel; log(2 |x|) where x^2 would overflow.",
)
def asinh_by_log1p(rewriter: Rewriter, op: Any, x: Any) -> Any:
    if x.dtype != tf.float32:
        return None
    size = tf.abs(x)
    square = size * size
    small = near_zero.log1p(size + square / (1.0 + tf.sqrt(1.0 + square)), TFLITE)
    return tf.sign(x) * tf.where(size < 1e8, small, near_zero.log(size, TFLITE) + _LN2)


@rule(
    "Acosh",
    targets=(TFLITE,),
    why="log1p(t + sqrt(t) sqrt(t + 2)) with t = x - 1, which does not cancel; log(2 x) where t^2 would overflow.",
)
def acosh_by_log1p(rewriter: Rewriter, op: Any, x: Any) -> Any:
    if x.dtype != tf.float32:
        return None
    t = x - 1.0
    return tf.where(
        x < 1e8, near_zero.log1p(t + tf.sqrt(t) * tf.sqrt(t + 2.0), TFLITE), near_zero.log(x, TFLITE) + _LN2
    )


@rule("Atanh", targets=(TFLITE,), why="sign(x) log1p(2 |x| / (1 - |x|)) / 2, which does not cancel.")
def atanh_by_log1p(rewriter: Rewriter, op: Any, x: Any) -> Any:
    if x.dtype != tf.float32:
        return None
    size = tf.abs(x)
    return 0.5 * tf.sign(x) * near_zero.log1p(2.0 * size / (1.0 - size), TFLITE)
