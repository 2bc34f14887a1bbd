"""Contractions. Model inputs share the batch b."""

from __future__ import annotations

import keras
import tensorflow as tf
from keras import layers
from rule_cases import Case, Random, function, settle


def einsum(equation: str, *shapes: tuple[int | None, ...]) -> Case:
    """Inputs as model inputs; the letter b is the batch wherever it leads."""
    return Case("einsum_by_matmul", equation, function(lambda *t: tf.einsum(equation, *t), *shapes), ulp=16)


def _attention(random: Random) -> keras.Model:
    x = keras.Input((5, 6), name="x")
    y = layers.MultiHeadAttention(2, 3)(x, x, use_causal_mask=True)
    return settle(keras.Model(x, y), random)


def _quantized(random: Random) -> keras.Model:
    x = keras.Input((None, 4), name="x")
    model = settle(keras.Model(x, layers.MultiHeadAttention(2, 4)(x, x)), random)
    model.quantize("int8")
    return model


CASES: tuple[Case, ...] = (
    Case("squeeze_after_transpose", "scales of a quantized layer", _quantized, ulp=64),
    einsum("bij,bjk->bik", (3, 4), (4, 5)),
    einsum("bqhd,bkhd->bhqk", (4, 2, 3), (5, 2, 3)),
    einsum("bhqk,bkhd->bqhd", (2, 4, 5), (5, 2, 3)),
    einsum("bi,bj->bij", (3,), (4,)),
    einsum("bi,bi->b", (3,), (3,)),
    einsum("bi,bi->bi", (3,), (3,)),
    einsum("bij,bk->bik", (3, 4), (5,)),
    einsum("bij->bji", (3, 4)),
    einsum("bii->bi", (4, 4)),
    einsum("bii,bij->bj", (3, 3), (3, 4)),
    einsum("bij->b", (3, 4)),
    einsum("...ij,...jk->...ik", (2, 3, 4), (2, 4, 5)),
    einsum("...i,...i->...", (2, 3), (2, 3)),
    einsum("b...i,bi->b...", (2, 3, 4), (4,)),
    einsum("btd,bsd->bts", (None, 3), (None, 3)),
    Case(
        "einsum_by_matmul",
        "ellipsis with a size of one",
        function(lambda x, y: tf.einsum("...ij,...jk->...ik", x, y), (1, 3, 4), (2, 4, 5)),
    ),
    Case(
        "einsum_by_matmul",
        "constant on the left",
        function(lambda x: tf.einsum("ij,bjk->bik", tf.reshape(tf.range(12.0), (3, 4)), x), (4, 5)),
    ),
    Case(
        "einsum_by_matmul",
        "experts on rows",
        function(lambda x: tf.transpose(tf.einsum("th,ehm->etm", x, tf.eye(4, 5, [3])), [1, 0, 2]), (4,)),
    ),
    Case("einsum_by_matmul", "dynamic inner", function(lambda x: tf.einsum("bti,btj->bij", x, x), (None, 3)), ulp=16),
    Case("einsum_by_matmul", "MultiHeadAttention", _attention, ulp=64),
    Case("broadcast_product", "middle axis", function(tf.matmul, (1, 3, 4), (2, 4, 5)), ulp=16),
    Case(
        "broadcast_product",
        "fewer axes",
        function(lambda x: tf.matmul(x, tf.ones((2, 5, 4)), transpose_b=True), (2, 3, 4)),
    ),
)
