"""Elementary functions: over a wide range, and near the point where a plain formula would lose its digits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf
from rule_cases import Case, among, between, function

WIDE, TINY = between(-8, 8), between(-1e-6, 1e-6)


def near_one(random: Any, shape: tuple[int, ...], dtype: str) -> Any:
    return (1.0 + random.uniform(-1e-5, 1e-5, shape)).astype(dtype)


def huge(random: Any, shape: tuple[int, ...], dtype: str) -> Any:
    return (random.uniform(1.0, 3.0, shape) * 1e37).astype(dtype)


def of(rule: str, call: Callable[[Any], Any], **draws: Any) -> tuple[Case, ...]:
    """A function of one tensor, with several ways to draw it."""
    build = function(call, (7,))
    return tuple(Case(rule, name.replace("_", " "), build, draw=draw) for name, draw in draws.items())


CASES: tuple[Case, ...] = (
    *of("expm1_near_zero", tf.math.expm1, wide=between(-20, 5), tiny=TINY),
    Case("expm1_near_zero", "celu", function(keras.activations.celu, (5,))),
    *of("log1p_near_zero", tf.math.log1p, wide=between(-0.9, 8), tiny=TINY, huge=huge),
    *of("log_near_one", tf.math.log, wide=between(0.01, 8), one=near_one, huge=huge),
    *of("softplus_without_overflow", tf.math.softplus, wide=between(-15, 15), large=between(80, 900)),
    *of("sin_near_zero", tf.sin, wide=between(-300, 300), tiny=TINY),
    *of("sine_over_its_argument", lambda x: tf.sin(x) / x, wide=between(-30, 30), tiny=TINY),
    *of("tan_by_sin_and_cos", tf.tan, wide=between(-1.4, 1.4), tiny=TINY),
    *of("atan_by_atan2", tf.atan, wide=WIDE, tiny=TINY, huge=huge),
    Case("atan2_by_quadrants", "any", function(tf.atan2, (7,), (7,)), draw=WIDE),
    Case("atan2_by_quadrants", "axes", function(tf.atan2, (7,), (7,)), draw=among(0.0, -0.0, 2.0, -2.0)),
    *of("asin_by_halving", tf.asin, wide=between(-1, 1), tiny=TINY),
    *of("acos_by_halving", tf.acos, wide=between(-1, 1), one=between(0.9999, 1)),
    *of("sinh_by_exp", tf.sinh, wide=between(-4, 4), tiny=TINY),
    *of("cosh_by_exp", tf.cosh, wide=between(-4, 4)),
    *of("asinh_by_log1p", tf.asinh, wide=WIDE, tiny=TINY, huge=huge),
    *of("acosh_by_log1p", tf.acosh, wide=between(1, 8), one=between(1, 1.0001), huge=huge),
    *of("atanh_by_log1p", tf.atanh, wide=between(-0.99, 0.99), tiny=TINY),
    *of("rint_by_round", tf.math.rint, wide=WIDE),
    *of("sign_by_comparison", tf.sign, wide=WIDE, tiny=TINY),
    *of("erfinv_by_giles", tf.math.erfinv, wide=between(-0.999, 0.999), tiny=TINY, one=between(0.9999, 0.999999)),
    *of("bessel_i0_by_series", tf.math.bessel_i0, wide=between(-12, 12), tiny=TINY),
    *of("bessel_i0_by_series", tf.math.bessel_i0e, scaled=between(-100, 100)),
    Case("xlogy_by_definition", "some zero", function(lambda x: tf.math.xlogy(tf.nn.relu(x), tf.abs(x)), (6,))),
    Case("xlog1py_by_definition", "some zero", function(lambda x: tf.math.xlog1py(tf.nn.relu(x), tf.abs(x)), (6,))),
    Case(
        "xdivy_by_definition", "some zero", function(lambda x: tf.math.xdivy(tf.nn.relu(x), tf.nn.relu(x) + 0.5), (6,))
    ),
)
