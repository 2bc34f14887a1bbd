"""Look-up tables: integers and words, contiguous and not, with what is not in the vocabulary."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
from keras import layers
from rule_cases import Case, Random, among, between, function, stack

WORDS = among("a", "bee", "sea", "", "no word")


def numbers(vocabulary: list[int], **options: Any) -> Any:
    return stack(lambda r: layers.IntegerLookup(vocabulary=vocabulary, **options), shape=(4,), dtype="int64")


def words(shape: tuple[int, ...] = (4,), **options: Any) -> Any:
    return stack(lambda r: layers.StringLookup(vocabulary=["a", "bee", "sea"], **options), shape=shape, dtype="string")


def _table(keys: Any, values: Any, default: Any) -> Any:
    return tf.lookup.StaticHashTable(
        tf.lookup.KeyValueTensorInitializer(tf.constant(keys), tf.constant(values)), default
    )


def _weights_of_words(random: Random) -> Any:
    table = _table(["bee", "a"], random.normal(size=2).astype(np.float32), 0.5)
    return function(table.lookup, (3,), dtype="string")(random)


def _count(random: Random) -> Any:
    table = _table(np.array([3, 1, 2], np.int64), np.array([4, 5, 6], np.int64), -1)
    return function(lambda x: table.lookup(x) * table.size(), (3,), dtype="int64")(random)


CASES: tuple[Case, ...] = (
    Case("find_by_search", "any integers", numbers([3, 7, -2, 11, 100]), draw=between(-4, 12)),
    Case("find_by_search", "in a row", numbers([5, 6, 7, 8], num_oov_indices=2), draw=between(-4, 12)),
    Case("find_by_search", "beyond int32", numbers([3, 2**40, -(2**35)], mask_token=0), draw=between(-4, 12)),
    Case("find_by_search", "mask", numbers([3, 9], mask_token=0, output_mode="multi_hot"), draw=between(-1, 9)),
    Case("find_by_search", "invert", numbers([30, 70, -2], invert=True), draw=between(-1, 4)),
    Case("find_by_table", "words", words(), draw=WORDS),
    Case("find_by_table", "one word", words((), mask_token=""), draw=WORDS),
    Case("find_by_table", "counts of words", words(output_mode="count"), draw=WORDS),
    Case("find_by_table", "weights of words", _weights_of_words, draw=WORDS),
    Case("find_natively", "words", words(), draw=WORDS),
    Case("find_natively", "weights of words", _weights_of_words, draw=WORDS),
    Case("size_of_table", "size", _count, draw=between(0, 4)),
    Case("compare_words", "a word", function(lambda x: tf.equal(x, "sea"), (4,), dtype="string"), draw=WORDS),
    Case("compare_words", "no word", function(lambda x: tf.not_equal("a", x), (4,), dtype="string"), draw=WORDS),
)
