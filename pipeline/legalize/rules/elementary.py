"""Exponentials, logarithms, signs and rounding that a target lacks, or computes badly near zero."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from pipeline.legalize import near_zero
from pipeline.legalize.approximate import fit, horner
from pipeline.legalize.registry import FORMATS, ONNX, TFJS, TFLITE, rule

if TYPE_CHECKING:
    from pipeline.legalize.rewriter import Rewriter


@rule(
    "Expm1",
    targets=(TFLITE, ONNX),
    why="exp(x) - 1 away from zero, and a polynomial within 1 ULP of it on [-0.5, 0.5], where the difference cancels.",
)
def expm1_near_zero(rewriter: Rewriter, op: Any, x: Any) -> Any:
    if x.dtype != tf.float32:
        return None
    near = x + x * x * horner(x, fit(_expm1_rest, -0.5, 0.5, 7))
    return tf.where(tf.abs(x) < 0.5, near, tf.exp(x) - 1.0)


@rule(
    "Log1p",
    targets=FORMATS,
    why="log(1 + x) away from zero, and the series of the inverse hyperbolic tangent, within 2 ULP, near it.",
)
def log1p_near_zero(rewriter: Rewriter, op: Any, x: Any) -> Any:
    return near_zero.log1p(x, rewriter.target) if x.dtype == tf.float32 else None


@rule(
    "Log",
    targets=(TFLITE,),
    why="The kernel's error is absolute: near 1 the series of log1p replaces it, and infinity stays infinite.",
)
def log_near_one(rewriter: Rewriter, op: Any, x: Any) -> Any:
    return near_zero.log(x, TFLITE) if x.dtype == tf.float32 else None


@rule(
    "Softplus",
    targets=(TFLITE,),
    why="softplus(x) = max(x, 0) + log1p(exp(-|x|)); the converter's log(1 + exp(x)) stops growing at x = 88.",
)
def softplus_without_overflow(rewriter: Rewriter, op: Any, x: Any) -> Any:
    return tf.nn.relu(x) + near_zero.log1p(tf.exp(-tf.abs(x)), TFLITE) if x.dtype == tf.float32 else None


@rule("Rint", targets=(TFJS,), why="Both round halves to even.")
def rint_by_round(rewriter: Rewriter, op: Any, x: Any) -> Any:
    return tf.round(x)


@rule("Sign", targets=(TFJS,), why="Comparison with zero; TF.js' wasm kernel takes numbers below 5e-8 for zero.")
def sign_by_comparison(rewriter: Rewriter, op: Any, x: Any) -> Any:
    if not x.dtype.is_floating:
        return None
    one = tf.ones_like(x)
    return tf.where(x > 0.0, one, tf.where(x < 0.0, -one, x))


@rule("Xlogy", targets=FORMATS, why="x log(y), and 0 where x is 0: its definition.")
def xlogy_by_definition(rewriter: Rewriter, op: Any, x: Any, y: Any) -> Any:
    return tf.where(tf.equal(x, 0.0), tf.zeros_like(x * y), x * near_zero.log(y, rewriter.target))


@rule("Xlog1py", targets=FORMATS, why="x log1p(y), and 0 where x is 0: its definition.")
def xlog1py_by_definition(rewriter: Rewriter, op: Any, x: Any, y: Any) -> Any:
    return tf.where(tf.equal(x, 0.0), tf.zeros_like(x * y), x * near_zero.log1p(y, rewriter.target))


@rule("Xdivy", targets=FORMATS, why="x / y, and 0 where x is 0: its definition.")
def xdivy_by_definition(rewriter: Rewriter, op: Any, x: Any, y: Any) -> Any:
    return tf.where(tf.equal(x, 0.0), tf.zeros_like(x * y), x / y)


def _expm1_rest(x: np.ndarray) -> np.ndarray:
    return (np.expm1(x) - x) / (x * x)
