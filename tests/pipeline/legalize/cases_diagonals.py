"""Diagonals and triangles: on, above and below the main diagonal, of matrices that are not square."""

from __future__ import annotations

import tensorflow as tf
from keras import ops
from rule_cases import Case, between, function

CASES: tuple[Case, ...] = (
    Case("band_by_selection", "lower", function(ops.tril, (4, 5))),
    Case("band_by_selection", "upper", function(lambda x: ops.triu(x, k=-1), (4, 5))),
    Case(
        "band_by_selection",
        "truth",
        function(lambda x: tf.linalg.band_part(x, -1, 0), (4, 4), dtype="bool"),
        draw=between(0, 1),
    ),
    Case("band_by_selection", "open sizes", function(lambda x: tf.linalg.band_part(x, 1, 0), (None, None))),
    Case(
        "band_by_selection",
        "any width",
        function(lambda x, i: tf.linalg.band_part(x, i[0, 0], i[0, 1]), (4, 5), (2,), dtype=("float32", "int32")),
        draw=between(-1, 3),
    ),
    Case("diagonal_by_selection", "main", function(lambda x: tf.linalg.diag(x, padding_value=2.0), (4,))),
    Case("diagonal_by_selection", "above", function(lambda x: tf.linalg.diag(x, k=2), (4,))),
    Case("diagonal_by_selection", "below", function(lambda x: tf.linalg.diag(x, k=-1, num_rows=7, num_cols=4), (4,))),
    Case("diagonal_by_selection", "open size", function(lambda x: tf.linalg.diag(x), (None,))),
    Case("set_diagonal_by_selection", "main", function(lambda x: tf.linalg.set_diag(x, x[:, 0]), (5, 5))),
    Case("set_diagonal_by_selection", "above", function(lambda x: tf.linalg.set_diag(x, x[:, 0, :4], k=1), (4, 5))),
    Case("diagonal_part_by_gather", "main", function(lambda x: ops.diagonal(x, axis1=1, axis2=2), (4, 5))),
    Case("diagonal_part_by_gather", "below", function(lambda x: ops.diagonal(x, -1, axis1=1, axis2=2), (4, 5))),
    Case("diagonal_part_by_gather", "open sizes", function(lambda x: tf.linalg.diag_part(x), (None, None))),
)
