"""Sines, tangents and their inverses that a target lacks, or computes with a large relative error near zero."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from pipeline.legalize import near_zero
from pipeline.legalize.approximate import fit, horner
from pipeline.legalize.registry import ONNX, TFJS, TFLITE, rule

if TYPE_CHECKING:
    from pipeline.legalize.rewriter import Rewriter

_HALF_PI = math.pi / 2


@rule(
    "Sin",
    targets=(TFLITE, TFJS),
    why="The kernel's error is absolute, 2e-7 even at zero: a polynomial within 1 ULP replaces it on [-1, 1].",
)
def sin_near_zero(rewriter: Rewriter, op: Any, x: Any) -> Any:
    return near_zero.sin(x) if x.dtype == tf.float32 else None


@rule(
    "RealDiv",
    targets=(TFLITE,),
    why="sin(x) / x near zero is an even polynomial, within 1 ULP: the kernel takes subnormal numbers for zero.",
)
def sine_over_its_argument(rewriter: Rewriter, op: Any, sine: Any, x: Any) -> Any:
    source = op.inputs[0].op
    if source.type != "Sin" or source.inputs[0] is not op.inputs[1] or x.dtype != tf.float32:
        return None
    square = x * x
    near = 1.0 + square * horner(square, fit(near_zero.odd_rest(np.sin), 0.0, 1.0, 4))
    return tf.where(square < 1.0, near, sine / x)


@rule("Tan", targets=(TFLITE,), why="tan(x) = sin(x) / cos(x).")
def tan_by_sin_and_cos(rewriter: Rewriter, op: Any, x: Any) -> Any:
    return near_zero.sin(x) / tf.cos(x)


@rule("Atan", targets=(TFLITE,), why="atan(x) is the angle of the point (1, x).")
def atan_by_atan2(rewriter: Rewriter, op: Any, x: Any) -> Any:
    return tf.atan2(x, tf.ones_like(x))


@rule(
    "Atan2",
    targets=(ONNX,),
    why="The angle in the first quadrant from the magnitudes' quotient, mirrored by the signs, those of zeros too.",
)
def atan2_by_quadrants(rewriter: Rewriter, op: Any, y: Any, x: Any) -> Any:
    rise, run = tf.abs(y), tf.abs(x)
    # 0 / 0 is an angle of 0, and of two infinite sides one of a quarter turn.
    alike = tf.where(rise > 0.0, tf.ones_like(rise), rise)
    slope = tf.where(tf.equal(rise, run), alike, rise / run)
    angle = tf.atan(slope)
    angle = tf.where(_is_below(x), math.pi - angle, angle)
    return tf.where(_is_below(y), -angle, angle)


@rule(
    "Asin",
    targets=(TFLITE,),
    why="asin(x) = pi / 2 - 2 asin(sqrt((1 - x) / 2)) leaves |x| <= 1/2, where a polynomial is within 1 ULP.",
)
def asin_by_halving(rewriter: Rewriter, op: Any, x: Any) -> Any:
    if x.dtype != tf.float32:
        return None
    inside, small = _asin_halved(x)
    return tf.where(inside, small, tf.sign(x) * (_HALF_PI - 2.0 * small))


@rule(
    "Acos",
    targets=(TFLITE,),
    why="acos(x) = 2 asin(sqrt((1 - x) / 2)) for x > 1/2, and mirrored below: no difference that cancels.",
)
def acos_by_halving(rewriter: Rewriter, op: Any, x: Any) -> Any:
    if x.dtype != tf.float32:
        return None
    inside, small = _asin_halved(x)
    outside = tf.where(x > 0.0, 2.0 * small, math.pi - 2.0 * small)
    return tf.where(inside, _HALF_PI - small, outside)


def _is_below(x: Any) -> Any:
    """The sign bit of a number: negative, or a zero whose reciprocal is."""
    return tf.logical_or(x < 0.0, tf.logical_and(tf.equal(x, 0.0), 1.0 / x < 0.0))


def _asin_halved(x: Any) -> tuple[Any, Any]:
    """Whether |x| <= 1/2, and the arcsine of x there, of sqrt((1 - |x|) / 2) beyond."""
    inside = tf.abs(x) <= 0.5
    return inside, near_zero.asin_small(tf.where(inside, x, tf.sqrt(0.5 * (1.0 - tf.abs(x)))))
