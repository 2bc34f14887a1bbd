"""Elementary functions that a target lacks, or computes with a large relative error near zero.

All keep the relative error of a good library: a polynomial near zero, where a formula in exp or log would cancel,
and the formula elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from pipeline.legalize.approximate import clenshaw, fit, fit_chebyshev, horner
from pipeline.legalize.registry import FORMATS, ONNX, TFJS, TFLITE, rule

if TYPE_CHECKING:
    from pipeline.legalize.rewriter import Rewriter

_LARGEST = float(np.finfo(np.float32).max)
_HALF_PI = math.pi / 2
_LN2 = math.log(2)


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
    return _log1p(x, rewriter.target) if x.dtype == tf.float32 else None


@rule(
    "Log",
    targets=(TFLITE,),
    why="The kernel's error is absolute: near 1 the series of log1p replaces it, and infinity stays infinite.",
)
def log_near_one(rewriter: Rewriter, op: Any, x: Any) -> Any:
    return _log(x, TFLITE) if x.dtype == tf.float32 else None


@rule(
    "Softplus",
    targets=(TFLITE,),
    why="softplus(x) = max(x, 0) + log1p(exp(-|x|)); the converter's log(1 + exp(x)) stops growing at x = 88.",
)
def softplus_without_overflow(rewriter: Rewriter, op: Any, x: Any) -> Any:
    return tf.nn.relu(x) + _log1p(tf.exp(-tf.abs(x)), TFLITE) if x.dtype == tf.float32 else None


@rule(
    "Sin",
    targets=(TFLITE, TFJS),
    why="The kernel's error is absolute, 2e-7 even at zero: a polynomial within 1 ULP replaces it on [-1, 1].",
)
def sin_near_zero(rewriter: Rewriter, op: Any, x: Any) -> Any:
    return _sin(x) if x.dtype == tf.float32 else None


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
    near = 1.0 + square * horner(square, fit(_odd_rest(np.sin), 0.0, 1.0, 4))
    return tf.where(square < 1.0, near, sine / x)


@rule("Tan", targets=(TFLITE,), why="tan(x) = sin(x) / cos(x).")
def tan_by_sin_and_cos(rewriter: Rewriter, op: Any, x: Any) -> Any:
    return _sin(x) / tf.cos(x)


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
    inside = tf.abs(x) <= 0.5
    small = _asin_small(tf.where(inside, x, _half_angle(tf.abs(x))))
    return tf.where(inside, small, tf.sign(x) * (_HALF_PI - 2.0 * small))


@rule(
    "Acos",
    targets=(TFLITE,),
    why="acos(x) = 2 asin(sqrt((1 - x) / 2)) for x > 1/2, and mirrored below: no difference that cancels.",
)
def acos_by_halving(rewriter: Rewriter, op: Any, x: Any) -> Any:
    if x.dtype != tf.float32:
        return None
    inside = tf.abs(x) <= 0.5
    small = _asin_small(tf.where(inside, x, _half_angle(tf.abs(x))))
    outside = tf.where(x > 0.0, 2.0 * small, math.pi - 2.0 * small)
    return tf.where(inside, _HALF_PI - small, outside)


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
    near = x + x * square * horner(square, fit(_odd_rest(np.sinh), 0.0, 1.0, 4))
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
    small = _log1p(size + square / (1.0 + tf.sqrt(1.0 + square)), TFLITE)
    return tf.sign(x) * tf.where(size < 1e8, small, _log(size, TFLITE) + _LN2)


@rule(
    "Acosh",
    targets=(TFLITE,),
    why="log1p(t + sqrt(t) sqrt(t + 2)) with t = x - 1, which does not cancel; log(2 x) where t^2 would overflow.",
)
def acosh_by_log1p(rewriter: Rewriter, op: Any, x: Any) -> Any:
    if x.dtype != tf.float32:
        return None
    t = x - 1.0
    return tf.where(x < 1e8, _log1p(t + tf.sqrt(t) * tf.sqrt(t + 2.0), TFLITE), _log(x, TFLITE) + _LN2)


@rule("Atanh", targets=(TFLITE,), why="sign(x) log1p(2 |x| / (1 - |x|)) / 2, which does not cancel.")
def atanh_by_log1p(rewriter: Rewriter, op: Any, x: Any) -> Any:
    if x.dtype != tf.float32:
        return None
    size = tf.abs(x)
    return 0.5 * tf.sign(x) * _log1p(2.0 * size / (1.0 - size), TFLITE)


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
    return tf.where(tf.equal(x, 0.0), tf.zeros_like(x * y), x * _log(y, rewriter.target))


@rule("Xlog1py", targets=FORMATS, why="x log1p(y), and 0 where x is 0: its definition.")
def xlog1py_by_definition(rewriter: Rewriter, op: Any, x: Any, y: Any) -> Any:
    return tf.where(tf.equal(x, 0.0), tf.zeros_like(x * y), x * _log1p(y, rewriter.target))


@rule("Xdivy", targets=FORMATS, why="x / y, and 0 where x is 0: its definition.")
def xdivy_by_definition(rewriter: Rewriter, op: Any, x: Any, y: Any) -> Any:
    return tf.where(tf.equal(x, 0.0), tf.zeros_like(x * y), x / y)


@rule(
    "Erfinv",
    targets=FORMATS,
    why="The two float32 polynomials of Giles (2012) in log(1 - x^2), within 4 ULP of the result.",
)
def erfinv_by_giles(rewriter: Rewriter, op: Any, x: Any) -> Any:
    return _erfinv(rewriter, x) if x.dtype == tf.float32 else None


@rule(
    "BesselI0",
    "BesselI0e",
    targets=FORMATS,
    why="Chebyshev series of exp(-x) I0(x) on [0, 8] and, times sqrt(x), in 1 / x beyond (as Cephes); within 4 ULP.",
)
def bessel_i0_by_series(rewriter: Rewriter, op: Any, x: Any) -> Any:
    if x.dtype != tf.float32:
        return None
    size = tf.abs(x)
    near = clenshaw(tf.minimum(size, 8.0), 0.0, 8.0, fit_chebyshev(_i0e, 0.0, 8.0, 18))
    beyond = tf.maximum(size, 8.0)
    far = horner(8.0 / beyond, fit(_i0e_far, 0.0115, 1.0, 6)) / tf.sqrt(beyond)
    scaled = tf.where(size < 8.0, near, far)
    if op.type == "BesselI0e":
        return scaled
    root = tf.exp(0.5 * size)
    return scaled * root * root


def _is_below(x: Any) -> Any:
    """The sign bit of a number: negative, or a zero whose reciprocal is."""
    return tf.logical_or(x < 0.0, tf.logical_and(tf.equal(x, 0.0), 1.0 / x < 0.0))


def _log(x: Any, target: str) -> Any:
    """log(x) with the relative error of a good library also near 1."""
    if target != TFLITE:
        return tf.math.log(x)
    near = tf.logical_and(x > 0.55, x < 1.85)
    far = tf.where(x <= _LARGEST, tf.math.log(x), x)
    return tf.where(near, _log1p_series(x - 1.0), far)


def _log1p(x: Any, target: str) -> Any:
    far = tf.math.log(1.0 + x)
    if target == TFLITE:
        far = tf.where(x <= _LARGEST, far, x)
    return tf.where(tf.logical_and(x > -0.45, x < 0.85), _log1p_series(x), far)


def _log1p_series(x: Any) -> Any:
    """log(1 + x) = 2 atanh(x / (2 + x)) on [-0.45, 0.85]."""
    s = x / (2.0 + x)
    square = s * s
    return 2.0 * (s + s * square * horner(square, fit(_odd_rest(np.arctanh), 0.0, 0.09, 4)))


def _sin(x: Any) -> Any:
    square = x * x
    near = x + x * square * horner(square, fit(_odd_rest(np.sin), 0.0, 1.0, 4))
    return tf.where(square < 1.0, near, tf.sin(x))


def _half_angle(size: Any) -> Any:
    return tf.sqrt(0.5 * (1.0 - size))


def _asin_small(x: Any) -> Any:
    square = x * x
    return x + x * square * horner(square, fit(_odd_rest(np.arcsin), 0.0, 0.25, 5))


# M. Giles, Approximating the erfinv function, GPU Computing Gems Jade Edition, 2012: table of the single precision
# version, highest power first; the first for w = -log(1 - x^2) < 5 in w - 2.5, the second beyond in sqrt(w) - 3.
_ERFINV_CENTRE = (
    2.81022636e-08,
    3.43273939e-07,
    -3.5233877e-06,
    -4.39150654e-06,
    0.00021858087,
    -0.00125372503,
    -0.00417768164,
    0.246640727,
    1.50140941,
)
_ERFINV_TAIL = (
    -0.000200214257,
    0.000100950558,
    0.00134934322,
    -0.00367342844,
    0.00573950773,
    -0.0076224613,
    0.00943887047,
    1.00167406,
    2.83297682,
)


def _erfinv(rewriter: Rewriter, x: Any) -> Any:
    w = -_log((1.0 - x) * (1.0 + x), rewriter.target)
    centre = horner(w - 2.5, _ERFINV_CENTRE)
    tail = horner(tf.sqrt(tf.maximum(w, 0.0)) - 3.0, _ERFINV_TAIL)
    inside = x * tf.where(w < 5.0, centre, tail)
    return tf.where(tf.equal(tf.abs(x), 1.0), x * rewriter.constant(np.array(np.inf, np.float32)), inside)


def _expm1_rest(x: np.ndarray) -> np.ndarray:
    return (np.expm1(x) - x) / (x * x)


@cache
def _odd_rest(function: np.ufunc) -> Callable[[np.ndarray], np.ndarray]:
    """(f(x) - x) / x^3 of an odd function, as a function of x^2."""

    def rest(square: np.ndarray) -> np.ndarray:
        x = np.sqrt(square)
        return (function(x) - x) / (x * square)

    return rest


def _i0e(x: np.ndarray) -> np.ndarray:
    return np.exp(-x) * np.i0(x)


def _i0e_far(t: np.ndarray) -> np.ndarray:
    x = 8.0 / t
    return np.sqrt(x) * (np.exp(-x / 2) * np.i0(x) * np.exp(-x / 2))
