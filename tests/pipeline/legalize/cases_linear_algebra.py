"""Small dense systems. Inputs are made well conditioned in the graph: what is judged is the method."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf
from rule_cases import Case, between, function


def definite(x: Any) -> Any:
    return tf.matmul(x, x, transpose_b=True) + x.shape[-1] * tf.eye(x.shape[-1])


def regular(x: Any) -> Any:
    return x + 3.0 * tf.eye(x.shape[-1])


def of(rule: str, name: str, call: Callable[..., Any], *shapes: tuple[int, ...], ulp: float = 32) -> Case:
    return Case(rule, name, function(call, *shapes), ulp=ulp, draw=between(-1, 1))


def reflected(x: Any) -> Any:
    q, r = tf.linalg.qr(x)
    return tf.concat([q, tf.transpose(r, [0, 2, 1])], 1)


CASES: tuple[Case, ...] = (
    of("cross_by_components", "rows", tf.linalg.cross, (4, 3), (4, 3)),
    of("cholesky_by_columns", "four", lambda x: tf.linalg.cholesky(definite(x)), (4, 4)),
    of("cholesky_by_columns", "twelve", lambda x: tf.linalg.cholesky(definite(x)), (12, 12)),
    of("triangular_solve_by_rows", "lower", lambda x, y: tf.linalg.triangular_solve(regular(x), y), (4, 4), (4, 2)),
    of(
        "triangular_solve_by_rows",
        "upper, adjoint",
        lambda x, y: tf.linalg.triangular_solve(regular(x), y, lower=False, adjoint=True),
        (4, 4),
        (4, 2),
    ),
    of("solve_by_elimination", "four", lambda x, y: tf.linalg.solve(regular(x), y), (4, 4), (4, 2)),
    of("solve_by_elimination", "exchanges", lambda x, y: tf.linalg.solve(regular(x)[:, ::-1], y), (4, 4), (4, 2)),
    of("inverse_by_elimination", "two by four", lambda x: tf.linalg.inv(regular(x)), (2, 4, 4)),
    of("inverse_by_elimination", "exchanges", lambda x: tf.linalg.inv(regular(x)[:, ::-1]), (3, 3)),
    of("determinant_by_elimination", "four", lambda x: tf.linalg.det(regular(x)[:, ::-1])[:, None], (4, 4)),
    of("log_determinant_by_elimination", "four", lambda x: tf.stack(tf.linalg.slogdet(regular(x)), -1), (4, 4)),
    of("qr_by_reflections", "tall", reflected, (5, 3)),
    of("qr_by_reflections", "wide", lambda x: tf.linalg.qr(x)[1], (3, 5)),
    of("qr_by_reflections", "full", lambda x: tf.linalg.qr(x, full_matrices=True)[0], (4, 2)),
)
