"""Bounds of whole numbers are never too narrow, and narrow where it matters."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from pipeline.legalize.bounds import bounds
from pipeline.legalize.constants import Constants
from pipeline.legalize.store import Store

LOW, HIGH = -7, 12


def rewriter(**ranges: Any) -> Any:
    return SimpleNamespace(value=Constants("onnx", {}, Store()).value, ranges=ranges)


def asked(function: Any, dtype: str, declared: bool) -> tuple[Any, Any]:
    """The bounds of a function's result, and its results for all numbers from LOW to HIGH."""
    spec = tf.TensorSpec([None, 3], dtype)
    traced = tf.function(function, input_signature=[spec], autograph=False).get_concrete_function()
    about = rewriter()
    if declared:
        about.ranges[id(traced.inputs[0])] = (LOW, HIGH)
    rows = np.random.default_rng(0).integers(LOW, HIGH, (500, 3), endpoint=True).astype(dtype)
    return bounds(about, traced.outputs[0]), np.asarray(function(tf.constant(rows)))


FUNCTIONS: dict[str, tuple[Any, tuple[float, float]]] = {
    "itself": (lambda x: x, (-7, 12)),
    "moved": (lambda x: tf.reverse(tf.transpose(tf.expand_dims(x, 1))[0], [0])[:2], (-7, 12)),
    "shifted": (lambda x: 2 * x - 3, (-17, 21)),
    "product": (lambda x: x * -x, (-144, 84)),
    "magnitude": (lambda x: tf.abs(x), (0, 12)),
    "clipped": (lambda x: tf.minimum(tf.maximum(x, -2), 5), (-2, 5)),
    "remainder": (lambda x: x % 5, (0, 4)),
    "quotient": (lambda x: x // 4, (-2, 3)),
    "chosen": (lambda x: tf.where(x > 0, tf.constant([3, 4, 5]), -x), (-12, 7)),
    "looked up": (lambda x: tf.gather(tf.constant([9, 2, 7]), tf.abs(x) % 3), (2, 9)),
    "padded": (lambda x: tf.pad(tf.abs(x) + 3, [[0, 0], [1, 1]], constant_values=-1), (-1, 15)),
    "joined": (lambda x: tf.concat([x, tf.ones_like(x) * 40], 1), (-7, 40)),
    "place of the largest": (lambda x: tf.argmax(x, 1), (0, 2)),
    "counted": (lambda x: tf.reduce_sum(tf.cast(x > 0, tf.int32), 1), (0, 3)),
    "rounded": (lambda x: tf.cast(tf.round(tf.cast(x, tf.float32) * 0.5), tf.int32), (-4, 6)),
    "of a sigmoid": (lambda x: tf.cast(10 * tf.sigmoid(tf.cast(x, tf.float32)), tf.int64), (0, 10)),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_what_is_declared_is_followed(name: str) -> None:
    function, expected = FUNCTIONS[name]
    (low, high), results = asked(function, "int32", declared=True)
    assert low <= results.min() and results.max() <= high
    assert (low, high) == expected


@pytest.mark.parametrize("name", FUNCTIONS)
def test_nothing_is_assumed_of_what_is_not_declared(name: str) -> None:
    (low, high), results = asked(FUNCTIONS[name][0], "int32", declared=False)
    assert low <= results.min() and results.max() <= high


def test_types_bound_their_values() -> None:
    for dtype, expected in (("int8", (-128, 127)), ("uint8", (0, 255)), ("int32", (-(2**31), 2**31 - 1))):
        assert asked(lambda x: x, dtype, declared=False)[0] == expected


def test_a_sum_that_may_wrap_around_is_as_wide_as_its_type() -> None:
    (low, high), _ = asked(lambda x: x + tf.constant(100, tf.int8), "int8", declared=False)
    assert (low, high) == (-128, 127)


def test_an_unknown_operation_bounds_nothing() -> None:
    (low, high), _ = asked(lambda x: tf.bitwise.bitwise_xor(x, 3), "int32", declared=True)
    assert (low, high) == (-(2**31), 2**31 - 1)
