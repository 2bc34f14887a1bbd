"""Hashing of numbers whose range the graph tells: by type, by a look-up, by arithmetic."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers
from rule_cases import Case, Random, between, function, stack


def hashing(*before: Any, dtype: str = "int64", shape: tuple[int, ...] = (4,), **options: Any) -> Any:
    return stack(
        *(lambda r, part=part: part for part in before),
        lambda r: layers.Hashing(int(r.integers(5, 2000)), **options),
        shape=shape,
        dtype=dtype,
    )


def crossing(shape: tuple[int, ...], dtypes: tuple[str, ...], **options: Any) -> Any:
    def build(random: Random) -> keras.Model:
        inputs = [keras.Input(shape, name=f"x{k}", dtype=kind) for k, kind in enumerate(dtypes)]
        return keras.Model(inputs, layers.HashedCrossing(int(random.integers(5, 900)), **options)(inputs))

    return build


def _remainder(x: Any) -> Any:
    return layers.Hashing(50, salt=[1, 2])(keras.ops.where(x > 3, x % 9, keras.ops.clip(x, -2, 3)))


CASES: tuple[Case, ...] = (
    Case("hash_by_table", "int8", hashing(dtype="int8"), draw=between(-128, 127)),
    Case("hash_by_table", "uint8 scalar", hashing(dtype="uint8", shape=()), draw=between(0, 255)),
    Case("hash_by_table", "salt", hashing(dtype="int8", salt=[3, 2**60]), draw=between(-128, 127)),
    Case("hash_by_table", "truth", hashing(dtype="bool"), draw=between(0, 1)),
    Case("hash_by_table", "arithmetic", function(_remainder, (3,), dtype="int32"), draw=between(-20, 20)),
    Case(
        "hash_by_table",
        "behind a vocabulary",
        hashing(layers.IntegerLookup(vocabulary=[3, 90000, -7]), output_mode="multi_hot"),
        draw=between(-8, 4),
    ),
    Case(
        "hash_by_table",
        "behind buckets",
        hashing(layers.Discretization([-1.0, 0.0, 2.5]), dtype="float32", mask_value=0),
        draw=between(-3, 3),
    ),
    Case("cross_by_table", "two", crossing((1,), ("int8", "uint8")), draw=between(0, 99)),
    Case("cross_by_table", "one-hot", crossing((), ("int8", "uint8"), output_mode="one_hot"), draw=between(0, 99)),
    Case("dense_cross", "two", crossing((1,), ("uint8", "int8")), draw=between(0, 99)),
)
