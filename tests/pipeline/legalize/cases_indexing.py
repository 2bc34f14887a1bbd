"""Parts of tensors: taken, moved, turned round, added up."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
from keras import ops
from rule_cases import Case, between, function

PLACES = between(0, 3)
FLOAT_INT = ("float32", "int32")


def _update_at(x: Any, update: Any, start: Any) -> Any:
    # Beyond the end is allowed: XLA moves the update back.
    return ops.slice_update(x, (0, start[0, 0]), update[:, :2])


CASES: tuple[Case, ...] = (
    Case(
        "gather_in_batch",
        "rows",
        function(lambda x, i: tf.gather(x, i, axis=1, batch_dims=1), (4, 5), (3,), dtype=FLOAT_INT),
        draw=PLACES,
    ),
    Case(
        "gather_in_batch",
        "behind",
        function(lambda x, i: tf.gather(x, i, axis=2, batch_dims=1), (3, 4, 2), (3,), dtype=FLOAT_INT),
        draw=PLACES,
    ),
    Case(
        "gather_in_batch",
        "along",
        function(lambda x, i: ops.take_along_axis(x, i, axis=-1), (4,), (4,), dtype=FLOAT_INT),
        draw=between(-4, 3),
    ),
    Case(
        "gather_in_batch",
        "bool",
        function(lambda x, i: tf.gather(x, i, axis=1, batch_dims=1), (4,), (3,), dtype=("bool", "int32")),
        draw=PLACES,
    ),
    Case(
        "slice_without_new_axes", "ellipsis", function(lambda x: x[:, None, ..., None, 0], (None, None, 3)), run=False
    ),
    Case("slice_without_new_axes", "open sizes", function(lambda x: x[:, tf.newaxis, 1:, tf.newaxis], (None, 3))),
    Case("slice_without_new_axes", "static", function(lambda x: x[..., tf.newaxis, ::-2], (3, 4))),
    Case(
        "update_slice_by_selection",
        "static",
        function(lambda x, y: ops.slice_update(x, (0, 1), y[:, :2]), (4,), (4,)),
        run=True,
    ),
    Case(
        "update_slice_by_selection",
        "any place",
        function(_update_at, (5,), (4,), (1,), dtype=("float32", "float32", "int32")),
        draw=between(0, 4),
    ),
    Case(
        "update_slice_by_selection",
        "seven more",
        function(_update_at, (11,), (5,), (1,), dtype=("float32", "float32", "int32")),
        draw=between(0, 6),
    ),
    Case("roll_by_gather", "one axis", function(lambda x: ops.roll(x, -7, axis=1), (4, 3))),
    Case("roll_by_gather", "two axes", function(lambda x: tf.roll(x, [1, -2], [1, 2]), (4, 3))),
    Case("roll_by_gather", "open size", function(lambda x: ops.roll(x, 2, axis=1), (None, 3))),
    Case(
        "roll_by_gather",
        "any shift",
        function(lambda x, i: tf.roll(x, i[0, 0], 1), (4,), (2,), dtype=FLOAT_INT),
        draw=between(-9, 9),
    ),
    Case(
        "reverse_by_gather",
        "lengths",
        function(lambda x, n: tf.reverse_sequence(x, n[:, 0], 1), (4, 2), (1,), dtype=FLOAT_INT),
        draw=PLACES,
    ),
    Case("cumulate_from_the_end", "sum", function(lambda x: tf.cumsum(x, -2, exclusive=True, reverse=True), (4, 3))),
    Case("cumulate_from_the_end", "product", function(lambda x: tf.math.cumprod(x, -1), (4, 3))),
    Case("running_product", "static", function(lambda x: tf.math.cumprod(x, 1), (6, 2))),
    Case(
        "running_product", "exclusive", function(lambda x: tf.math.cumprod(x, -1, exclusive=True, reverse=True), (6,))
    ),
    Case("running_product", "open size", function(lambda x: tf.math.cumprod(x, 1), (None, 2))),
    Case("running_logsumexp", "forward", function(lambda x: tf.math.cumulative_logsumexp(x, 1), (6, 2))),
    Case("running_logsumexp", "backward", function(lambda x: tf.math.cumulative_logsumexp(x, -1, reverse=True), (6,))),
    Case("joint_shape", "linspace", function(lambda x: tf.linspace(x[:, 0], x[:, 1], 5, axis=-1), (4,))),
)
