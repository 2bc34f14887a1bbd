"""Factorizations and solutions of small dense systems, written out row by row.

Matrices of static size n are unrolled: the graph grows with n, so there is a limit. Each is an array of rows or
columns in Python while it is worked on; the arithmetic on them runs over all leading dimensions at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from pipeline.errors import LegalizationError
from pipeline.legalize.registry import FORMATS, rule

if TYPE_CHECKING:
    from pipeline.legalize.rewriter import Rewriter

_LARGEST = 32


@rule(
    "Cholesky",
    targets=FORMATS,
    why="The outer product form, column by column (Golub & Van Loan, Matrix Computations, 4.2.5): backward stable.",
)
def cholesky_by_columns(rewriter: Rewriter, op: Any, a: Any) -> Any:
    size = _size(rewriter, op, a)
    columns = []
    for k in range(size):
        column = a[..., k:, k]
        pivot = tf.sqrt(column[..., :1])
        column = tf.concat([pivot, column[..., 1:] / pivot], -1)
        below = [[0, 0]] * (column.shape.rank - 1)
        columns.append(tf.pad(column, [*below, [k, 0]]))
        last = columns[-1]
        a = a - last[..., :, None] * last[..., None, :]
    return tf.stack(columns, -1)


@rule(
    "MatrixTriangularSolve",
    targets=FORMATS,
    why="Substitution, row by row, as the kernel does it.",
)
def triangular_solve_by_rows(rewriter: Rewriter, op: Any, a: Any, b: Any) -> Any:
    _size(rewriter, op, a)
    lower = op.get_attr("lower")
    if op.get_attr("adjoint"):
        a, lower = tf.linalg.matrix_transpose(a), not lower
    return _substitute(a, b, lower)


@rule(
    "MatrixSolve",
    targets=FORMATS,
    why="Gauss-Jordan elimination with partial pivoting: as stable as the kernel's LU factorization for such sizes.",
)
def solve_by_elimination(rewriter: Rewriter, op: Any, a: Any, b: Any) -> Any:
    size = _size(rewriter, op, a)
    a = tf.linalg.matrix_transpose(a) if op.get_attr("adjoint") else a
    return _eliminate(tf.concat([a, b], -1), size)[0][..., size:]


@rule(
    "MatrixInverse",
    targets=FORMATS,
    why="The solution for the unit matrix, by Gauss-Jordan elimination with partial pivoting.",
)
def inverse_by_elimination(rewriter: Rewriter, op: Any, a: Any) -> Any:
    size = _size(rewriter, op, a)
    a = tf.linalg.matrix_transpose(a) if op.get_attr("adjoint") else a
    unit = rewriter.constant(np.eye(size, dtype=a.dtype.as_numpy_dtype)) + tf.zeros_like(a)
    return _eliminate(tf.concat([a, unit], -1), size)[0][..., size:]


@rule(
    "MatrixDeterminant",
    targets=FORMATS,
    why="The product of the pivots of an elimination with partial pivoting, and of the signs of its exchanges.",
)
def determinant_by_elimination(rewriter: Rewriter, op: Any, a: Any) -> Any:
    pivots, sign = _eliminate(a, _size(rewriter, op, a))[1:]
    return sign * tf.reduce_prod(pivots, -1)


@rule(
    "LogMatrixDeterminant",
    targets=FORMATS,
    why="The sum of the logarithms of the same pivots.",
)
def log_determinant_by_elimination(rewriter: Rewriter, op: Any, a: Any) -> Any:
    pivots, sign = _eliminate(a, _size(rewriter, op, a))[1:]
    size = tf.reduce_sum(tf.math.log(tf.abs(pivots)), -1)
    return [sign * tf.reduce_prod(tf.sign(pivots), -1), size]


@rule(
    "Qr",
    targets=FORMATS,
    why="Householder reflections with LAPACK's signs (Golub & Van Loan, 5.2.2), as the kernel does it.",
)
def qr_by_reflections(rewriter: Rewriter, op: Any, a: Any) -> Any:
    rows, columns = a.shape.as_list()[-2:]
    if rows is None or columns is None or max(rows, columns) > _LARGEST:
        raise _too_large(rewriter, op, a)
    q = rewriter.constant(np.eye(rows, dtype=a.dtype.as_numpy_dtype)) + tf.zeros_like(a[..., :1])
    for k in range(min(rows - 1, columns)):
        x = a[..., k:, k]
        first = x[..., :1]
        norm = tf.norm(x, axis=-1, keepdims=True)
        beta = tf.where(first >= 0.0, -norm, norm)
        # A column that is zero below the diagonal is left alone.
        zero = tf.equal(tf.reduce_sum(tf.square(x[..., 1:]), -1, keepdims=True), 0.0)
        v = tf.concat([tf.ones_like(first), x[..., 1:] / tf.where(zero, tf.ones_like(first), first - beta)], -1)
        tau = tf.where(zero, tf.zeros_like(first), (beta - first) / tf.where(zero, tf.ones_like(beta), beta))
        v = tf.pad(v, [*([[0, 0]] * (v.shape.rank - 1)), [k, 0]])
        a = a - tau[..., None] * v[..., :, None] * tf.reduce_sum(v[..., :, None] * a, -2, keepdims=True)
        q = q - tau[..., None] * tf.reduce_sum(q * v[..., None, :], -1, keepdims=True) * v[..., None, :]
    upper = rewriter.constant(np.triu(np.ones((rows, columns), a.dtype.as_numpy_dtype)))
    kept = rows if op.get_attr("full_matrices") else min(rows, columns)
    return [q[..., :kept], (a * upper)[..., :kept, :]]


@rule("Cross", targets=FORMATS, why="Each component is a difference of two products: its definition.")
def cross_by_components(rewriter: Rewriter, op: Any, x: Any, y: Any) -> Any:
    a, b = tf.unstack(x, 3, -1), tf.unstack(y, 3, -1)
    pairs = ((1, 2), (2, 0), (0, 1))
    return tf.stack([a[i] * b[j] - a[j] * b[i] for i, j in pairs], -1)


def _substitute(a: Any, b: Any, lower: bool) -> Any:
    size = a.shape[-1]
    solved: dict[int, Any] = {}
    for k in range(size) if lower else reversed(range(size)):
        rest = b[..., k, :]
        for j, row in solved.items():
            rest = rest - a[..., k, j : j + 1] * row
        solved[k] = rest / a[..., k, k : k + 1]
    return tf.stack([solved[k] for k in range(size)], -2)


def _eliminate(a: Any, size: int) -> tuple[Any, Any, Any]:
    """The matrix with its left square made the unit matrix; the pivots [..., size]; the sign of the exchanges."""
    index = tf.range(float(size), dtype=a.dtype)
    pivots = []
    sign = tf.ones_like(a[..., 0, 0])
    for k in range(size):
        candidates = tf.where(index >= k, tf.abs(a[..., :, k]), -tf.ones_like(a[..., :, k]))
        # The first of the largest, as a selection of rows: no target gathers with one index per batch alike.
        largest = tf.equal(candidates, tf.reduce_max(candidates, -1, keepdims=True))
        place = tf.reduce_min(tf.where(largest, index + tf.zeros_like(candidates), float(size)), -1, keepdims=True)
        chosen = tf.cast(tf.equal(index, place), a.dtype)
        current = a[..., k : k + 1, :]
        pivot_row = tf.reduce_sum(chosen[..., None] * a, -2, keepdims=True)
        pivot = pivot_row[..., k : k + 1]
        sign = sign * tf.where(tf.equal(place[..., 0], float(k)), tf.ones_like(sign), -tf.ones_like(sign))
        pivots.append(pivot[..., 0, 0])
        a = tf.where(chosen[..., None] > 0.0, current, a)
        scaled = pivot_row / pivot
        here = tf.equal(index, float(k))[:, None]
        a = tf.where(here, scaled + tf.zeros_like(a), a - a[..., :, k : k + 1] * scaled)
    return a, tf.stack(pivots, -1), sign


def _size(rewriter: Rewriter, op: Any, a: Any) -> int:
    size = a.shape[-1]
    if size is None or size > _LARGEST:
        raise _too_large(rewriter, op, a)
    return int(size)


def _too_large(rewriter: Rewriter, op: Any, a: Any) -> LegalizationError:
    return LegalizationError(
        op.type,
        op.name,
        rewriter.target,
        f"it is written out row by row for static sizes up to {_LARGEST}, and this one is {a.shape.as_list()[-2:]}",
        "Compute it in front of the model or behind it.",
    )
