"""Preprocessing inside the model: numbers to categories, words to numbers, normalization by data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from keras import layers

from corpus.model import Data, Model, Random, Tensors, integers, layer, of, uniform, words

_WORDS = ("ant", "bee", "cat", "dog", "eel", "fox", "", "an ant and a Bee!")
_TEXT = ("the cat sat.", "The dog, the fox!", "an EEL", "", "cat cat  dog", "unknown words here", "bee")
_VOCABULARY = ["ant", "bee", "cat", "dog"]
_NUMBERS = [3, 7, 11, 42]
_COUNTS = integers(0, 4, 3, dtype="int32")


def _crossing(random: Random) -> Tensors:
    return {"x": random.choice(np.array(_WORDS), (64, 1)), "y": random.integers(0, 5, (64, 1))}


def _vectorizer(**options: Any) -> Callable[[], Any]:
    return lambda: layers.TextVectorization(vocabulary=["the", "cat", "dog", "an"], **options)


def _string(name: str, make: Callable[[], Any], data: Data, shape: tuple[int, ...] = (3,), fast: bool = False) -> Model:
    return layer(name, make, shape, dtype="string", data=data, fast=fast)


MODELS = (
    layer("CategoryEncoding/multi_hot", of(5), (3,), dtype="int32", data=_COUNTS, fast=True),
    layer(
        "CategoryEncoding/one_hot",
        of(5, output_mode="one_hot"),
        (1,),
        dtype="int32",
        data=integers(0, 4, 1, dtype="int32"),
    ),
    layer("CategoryEncoding/count", of(5, output_mode="count"), (3,), dtype="int32", data=_COUNTS),
    layer(
        "CategoryEncoding/count_weights",
        of(5, output_mode="count"),
        (3,),
        (3,),
        dtype=("int32", "float32"),
        how=lambda f, x, w: f(x, count_weights=w),
        data=lambda r: {"x": r.integers(0, 4, (64, 3)), "y": r.random((64, 3))},
    ),
    layer("Discretization/int", of([0.0, 0.5, 1.0]), (4,), data=uniform(-1, 2, 4), fast=True),
    layer("Discretization/one_hot", of([0.0, 0.5, 1.0], output_mode="one_hot"), (1,), data=uniform(-1, 2, 1)),
    layer("Discretization/multi_hot", of([0.0, 0.5, 1.0], output_mode="multi_hot"), (4,), data=uniform(-1, 2, 4)),
    layer("Discretization/count", of([0.0, 0.5, 1.0], output_mode="count"), (4,), data=uniform(-1, 2, 4)),
    layer("IntegerLookup/int", of(vocabulary=_NUMBERS), (3,), dtype="int64", data=integers(0, 50, 3)),
    layer(
        "IntegerLookup/multi_hot",
        of(vocabulary=_NUMBERS, output_mode="multi_hot"),
        (3,),
        dtype="int64",
        data=integers(0, 50, 3),
    ),
    layer(
        "IntegerLookup/one_hot",
        of(vocabulary=_NUMBERS, output_mode="one_hot"),
        (1,),
        dtype="int64",
        data=integers(0, 50, 1),
    ),
    layer("IntegerLookup/invert", of(vocabulary=_NUMBERS, invert=True), (3,), dtype="int64", data=integers(0, 4, 3)),
    layer(
        "IntegerLookup/two_oov",
        of(vocabulary=_NUMBERS, num_oov_indices=2),
        (3,),
        dtype="int64",
        data=integers(0, 50, 3),
    ),
    layer("IntegerLookup/mask", of(vocabulary=_NUMBERS, mask_token=0), (3,), dtype="int64", data=integers(0, 50, 3)),
    layer(
        "IntegerLookup/tf_idf",
        of(vocabulary=_NUMBERS, output_mode="tf_idf", idf_weights=[0.5, 1.0, 1.5, 2.0]),
        (3,),
        dtype="int64",
        data=integers(0, 50, 3),
    ),
    _string("StringLookup/int", of(vocabulary=_VOCABULARY), words(_WORDS, 3)),
    _string("StringLookup/multi_hot", of(vocabulary=_VOCABULARY, output_mode="multi_hot"), words(_WORDS, 3)),
    _string(
        "StringLookup/one_hot", of(vocabulary=_VOCABULARY, output_mode="one_hot"), words(_WORDS, 1), (1,), fast=True
    ),
    _string("StringLookup/count", of(vocabulary=_VOCABULARY, output_mode="count"), words(_WORDS, 3)),
    _string("StringLookup/two_oov", of(vocabulary=_VOCABULARY, num_oov_indices=2), words(_WORDS, 3)),
    _string("StringLookup/mask", of(vocabulary=_VOCABULARY, mask_token=""), words(_WORDS, 3)),
    layer("StringLookup/invert", of(vocabulary=_VOCABULARY, invert=True), (3,), dtype="int64", data=integers(0, 4, 3)),
    layer("Hashing/int", of(5), (3,), dtype="int64", data=integers(0, 50, 3)),
    layer("Hashing/one_hot", of(5, output_mode="one_hot"), (1,), dtype="int64", data=integers(0, 50, 1)),
    layer("Hashing/bytes", of(5), (3,), dtype="int8", data=integers(-128, 127, 3, dtype="int8"), fast=True),
    layer("Hashing/flags", of(5), (3,), dtype="bool", data=integers(0, 1, 3, dtype="bool")),
    layer(
        "Hashing/remainder",
        of(5, salt=[3, 4]),
        (3,),
        dtype="int64",
        how=lambda f, x: f(x % 30),
        data=integers(-99, 99, 3),
    ),
    _string("Hashing/string", of(5), words(_WORDS, 3)),
    _string("Hashing/salt", of(5, salt=[3, 4]), words(_WORDS, 3)),
    layer(
        "HashedCrossing/plain",
        of(5),
        (1,),
        (1,),
        dtype=("string", "int64"),
        how=lambda f, x, y: f((x, y)),
        data=_crossing,
    ),
    layer(
        "HashedCrossing/one_hot",
        of(5, output_mode="one_hot"),
        (1,),
        (1,),
        dtype=("string", "int64"),
        how=lambda f, x, y: f((x, y)),
        data=_crossing,
    ),
    _string("TextVectorization/int", _vectorizer(output_sequence_length=4), words(_TEXT, 1), (1,)),
    _string("TextVectorization/multi_hot", _vectorizer(output_mode="multi_hot"), words(_TEXT, 1), (1,)),
    _string(
        "TextVectorization/whitespace_only",
        _vectorizer(standardize=None, output_sequence_length=4),
        words(_TEXT, 1),
        (1,),
    ),
    _string(
        "TextVectorization/characters",
        of(vocabulary=list("abcde"), split="character", output_sequence_length=6),
        words(_TEXT, 1),
        (1,),
    ),
    layer("Normalization/mean_variance", of(mean=[1.0, 2.0, 3.0], variance=[1.0, 4.0, 9.0]), (3,)),
    layer("Normalization/invert", of(mean=2.0, variance=4.0, axis=None, invert=True), (3,)),
    layer("Normalization/adapted", lambda: _adapted(), (4, 3)),
)


def _adapted() -> layers.Layer:
    entry = layers.Normalization()
    entry.adapt(np.random.default_rng(0).normal(2, 3, (50, 4, 3)))
    return entry
