"""Elementary functions with a small relative error near their zero, where a kernel's error is absolute or cancels."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import tensorflow as tf

from pipeline.legalize.approximate import fit, horner
from pipeline.legalize.registry import TFLITE

_LARGEST = float(np.finfo(np.float32).max)


def log(x: Any, target: str) -> Any:
    """log(x) with the relative error of a good library also near 1."""
    if target != TFLITE:
        return tf.math.log(x)
    near = tf.logical_and(x > 0.55, x < 1.85)
    far = tf.where(x <= _LARGEST, tf.math.log(x), x)
    return tf.where(near, _log1p_series(x - 1.0), far)


def log1p(x: Any, target: str) -> Any:
    """log(1 + x), near zero by the series."""
    far = tf.math.log(1.0 + x)
    if target == TFLITE:
        far = tf.where(x <= _LARGEST, far, x)
    return tf.where(tf.logical_and(x > -0.45, x < 0.85), _log1p_series(x), far)


def _log1p_series(x: Any) -> Any:
    """log(1 + x) = 2 atanh(x / (2 + x)) on [-0.45, 0.85]."""
    s = x / (2.0 + x)
    square = s * s
    return 2.0 * (s + s * square * horner(square, fit(odd_rest(np.arctanh), 0.0, 0.09, 4)))


def sin(x: Any) -> Any:
    """sin(x), by a polynomial on [-1, 1]."""
    square = x * x
    near = x + x * square * horner(square, fit(odd_rest(np.sin), 0.0, 1.0, 4))
    return tf.where(square < 1.0, near, tf.sin(x))


def asin_small(x: Any) -> Any:
    """asin(x) on [-0.5, 0.5]."""
    square = x * x
    return x + x * square * horner(square, fit(odd_rest(np.arcsin), 0.0, 0.25, 5))


@cache
def odd_rest(function: np.ufunc) -> Callable[[np.ndarray], np.ndarray]:
    """(f(x) - x) / x^3 of an odd function, as a function of x^2."""

    def rest(square: np.ndarray) -> np.ndarray:
        x = np.sqrt(square)
        return (function(x) - x) / (x * square)

    return rest
