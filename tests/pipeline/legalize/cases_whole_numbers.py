"""Whole numbers of 8 and 16 bits and without a sign: beyond the ends of their range."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from rule_cases import Case, Random, between, function

SHORT = ("int8", "uint8", "int16", "uint16")


def ends(random: Random, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """The smallest and the largest numbers of the type, but no more than what TF.js can be given."""
    info = np.iinfo(dtype)
    high = min(info.max, 2**31 - 1)
    near = [info.min, info.min + 1, -1 if info.min else 5, 0, 1, 2, high // 3, high - 1, high]
    return np.array(near, dtype)[random.integers(0, len(near), shape)]


def of(name: str, call: Callable[[Any], Any], kinds: tuple[str, ...] = SHORT, rule: str = "wrap_to_type") -> list[Case]:
    return [Case(rule, f"{name} of {kind}", function(call, (4,), dtype=kind), draw=ends) for kind in kinds]


def _through(narrow: Any) -> Any:
    return function(lambda x: tf.cast(tf.cast(x, narrow), tf.int32), (4,), dtype="int32")


CASES: tuple[Case, ...] = (
    *of("sum", lambda x: x + x),
    *of("product", lambda x: x * x - x),
    *of("reduction", lambda x: tf.reduce_sum(x, 1), ("int8", "int16")),
    *of("negative", lambda x: -x, ("int8", "int16")),
    Case("wrap_to_type", "cast to uint8", _through(tf.uint8), draw=between(-300, 600)),
    Case("wrap_to_type", "cast to int16", _through(tf.int16), draw=between(-70000, 70000)),
    Case("wrap_to_type", "uint32", function(lambda x: x + x % 7, (4,), dtype="uint32"), draw=between(0, 2**30)),
    Case("cast_at_once", "image", function(lambda x: tf.cast(x, tf.float32) / 255, (4,), dtype="uint8"), draw=ends),
    *of("bits", lambda x: tf.cast(tf.bitcast(x, tf.int8), tf.int32), ("uint8",), "bits_with_or_without_sign"),
    *of("bits", lambda x: tf.cast(tf.bitcast(x, tf.uint16), tf.int32), ("int16",), "bits_with_or_without_sign"),
)
