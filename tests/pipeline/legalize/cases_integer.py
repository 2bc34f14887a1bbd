"""Integers, of both signs, small and large."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf
from keras import ops
from rule_cases import Case, between, function

SMALL, WIDE = between(-9, 9), between(-(2**31) + 1, 2**31 - 1)


def both(rule: str, call: Callable[..., Any], *shapes: tuple[int, ...], draw: Any = SMALL) -> tuple[Case, ...]:
    """The same for int32 and int64."""
    kinds = ("int32", "int64")
    return tuple(Case(rule, f"{kind} {len(shapes)}", function(call, *shapes, dtype=kind), draw=draw) for kind in kinds)


def _not_zero(y: Any) -> Any:
    return tf.where(tf.equal(y, 0), tf.ones_like(y), y)


CASES: tuple[Case, ...] = (
    Case(
        "smaller_by_comparison",
        "between 0 and 6",
        function(lambda x: tf.clip_by_value(x, 0, 6), (5,), dtype="int32"),
        draw=between(-9, 9),
    ),
    Case("absolute_integer", "int64", function(tf.abs, (4,), dtype="int64"), draw=SMALL),
    Case("integer_sign", "int32", function(tf.sign, (4,), dtype="int32"), draw=SMALL),
    Case("integer_sign", "int64", function(tf.sign, (4,), dtype="int64"), draw=SMALL),
    Case("integer_power", "fifth", function(lambda x: x**5, (4,), dtype="int64"), draw=SMALL),
    *both("add_integers", lambda x, y: tf.add_n([x, y, x]), (4,), (4,)),
    Case(
        "floor_division",
        "int64 by variable",
        function(lambda x, y: x // _not_zero(y), (4,), (4,), dtype="int64"),
        draw=SMALL,
    ),
    Case("floor_division", "int64 by constant", function(lambda x: x // 3, (4,), dtype="int64"), draw=WIDE),
    Case("floor_remainder", "int32 large", function(lambda x: x % 1000, (4,), dtype="int32"), draw=WIDE),
    *both("floor_remainder", lambda x, y: x % _not_zero(y), (4,), (4,)),
    Case("truncated_division", "int64", function(lambda x: tf.truncatediv(x, -7), (4,), dtype="int64"), draw=WIDE),
    *both("truncated_remainder", lambda x: tf.truncatemod(x, 7), (4,), draw=WIDE),
    Case("bits_of_float", "signbit", function(ops.signbit, (5,))),
    Case("sign_bit", "signbit", function(lambda x: ops.signbit(tf.nn.relu(x) * tf.sign(x)), (5,))),
    Case("sign_bit", "argmin", function(lambda x: ops.argmin(x, -1), (5, 6))),
    *both("invert_bits", tf.bitwise.invert, (4,), draw=WIDE),
    *both("shift_left", lambda x: ops.left_shift(x, 3), (4,)),
    Case(
        "shift_left", "by variable", function(lambda x: ops.left_shift(x, tf.abs(x)), (4,), dtype="int32"), draw=SMALL
    ),
    Case("shift_right", "int64", function(lambda x: ops.right_shift(x, 2), (4,), dtype="int64"), draw=WIDE),
    Case(
        "shift_right",
        "by variable",
        function(lambda x: tf.bitwise.right_shift(x, x % 7), (4,), dtype="int64"),
        draw=SMALL,
    ),
    Case("bits_by_table", "int64 and", function(tf.bitwise.bitwise_and, (4,), (4,), dtype="int64"), draw=WIDE),
    *both("bits_by_table", tf.bitwise.bitwise_or, (4,), (4,), draw=WIDE),
    Case("select_rows", "rows", function(lambda x: tf.raw_ops.Select(condition=x[:, 0] > 0, x=x, y=-x), (4,))),
)
