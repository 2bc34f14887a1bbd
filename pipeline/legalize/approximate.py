"""Polynomials for elementary functions, fitted in float64 when a rule needs them and rounded once."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.polynomial import Chebyshev, Polynomial

Function = Callable[[np.ndarray], np.ndarray]


@cache
def fit(function: Function, low: float, high: float, degree: int) -> tuple[float, ...]:
    """Coefficients, highest power first, of the polynomial through the Chebyshev nodes of [low, high].

    Its largest error is within a small factor of the best polynomial's of that degree (Trefethen, Approximation
    Theory and Approximation Practice, 2013, theorem 16.1).

    Args:
        function: takes and returns float64 arrays; must have a stable identity, for the result is remembered.
    """
    nodes = Chebyshev.interpolate(function, degree, domain=[low, high])
    return tuple(float(c) for c in nodes.convert(kind=Polynomial).coef[::-1])


@cache
def fit_chebyshev(function: Function, low: float, high: float, degree: int) -> tuple[float, ...]:
    """The same polynomial in the Chebyshev basis, for `clenshaw`: stable where a wide range needs a high degree."""
    return tuple(float(c) for c in Chebyshev.interpolate(function, degree, domain=[low, high]).coef)


def horner(x: Any, coefficients: tuple[float, ...]) -> Any:
    """The polynomial with these coefficients, highest power first, at x."""
    if len(coefficients) == 1:
        return tf.fill(tf.shape(x), tf.constant(coefficients[0], x.dtype))
    result = coefficients[0] * x + coefficients[1]
    for c in coefficients[2:]:
        result = result * x + c
    return result


def clenshaw(x: Any, low: float, high: float, coefficients: tuple[float, ...]) -> Any:
    """The Chebyshev series on [low, high] at x (Clenshaw, 1955)."""
    t = (x - 0.5 * (low + high)) * (2.0 / (high - low))
    after, later = t * (2.0 * coefficients[-1]) + coefficients[-2], coefficients[-1] + 0.0 * t
    for c in coefficients[-3:0:-1]:
        after, later = 2.0 * t * after - later + c, after
    return t * after - later + coefficients[0]
