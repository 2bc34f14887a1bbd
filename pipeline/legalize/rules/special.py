"""Special functions that no target has, by published approximations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from pipeline.legalize import near_zero
from pipeline.legalize.approximate import clenshaw, fit, fit_chebyshev, horner
from pipeline.legalize.registry import FORMATS, rule

if TYPE_CHECKING:
    from pipeline.legalize.rewriter import Rewriter

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


def _erfinv(rewriter: Rewriter, x: Any) -> Any:
    w = -near_zero.log((1.0 - x) * (1.0 + x), rewriter.target)
    centre = horner(w - 2.5, _ERFINV_CENTRE)
    tail = horner(tf.sqrt(tf.maximum(w, 0.0)) - 3.0, _ERFINV_TAIL)
    inside = x * tf.where(w < 5.0, centre, tail)
    return tf.where(tf.equal(tf.abs(x), 1.0), x * rewriter.constant(np.array(np.inf, np.float32)), inside)


def _i0e(x: np.ndarray) -> np.ndarray:
    return np.exp(-x) * np.i0(x)


def _i0e_far(t: np.ndarray) -> np.ndarray:
    x = 8.0 / t
    return np.sqrt(x) * (np.exp(-x / 2) * np.i0(x) * np.exp(-x / 2))
