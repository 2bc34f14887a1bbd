"""Scales and shifts folded into the layer before."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
from keras import layers
from rule_cases import Apply, Case, Random, stack


def _conv(random: Random, **options: Any) -> Any:
    filters, padding = int(random.integers(2, 6)), str(random.choice(["same", "valid"]))
    return layers.Conv2D(filters, 3, strides=int(random.integers(1, 3)), padding=padding, **options)


def _norm(random: Random) -> Any:
    return layers.BatchNormalization(center=True, scale=bool(random.integers(2)))


_IMAGE = (9, 8, 3)


CASES: tuple[Case, ...] = (
    Case("fold_scale", "conv", stack(_conv, _norm, shape=_IMAGE), ulp=16),
    Case("fold_scale", "conv no bias", stack(lambda r: _conv(r, use_bias=False), _norm, shape=_IMAGE), ulp=16),
    Case("fold_scale", "depthwise", stack(lambda r: layers.DepthwiseConv2D(3), _norm, shape=_IMAGE), ulp=16),
    Case(
        "fold_scale",
        "depthwise multiplier",
        stack(lambda r: layers.DepthwiseConv2D(3, depth_multiplier=2), _norm, shape=_IMAGE),
        ulp=16,
    ),
    Case("fold_scale", "dense", stack(lambda r: layers.Dense(5), _norm, shape=(7,)), ulp=16),
    Case("fold_scale", "scalar", stack(_conv, lambda r: layers.Rescaling(0.3, 0.1), shape=_IMAGE), ulp=16),
    Case("fold_shift", "conv", stack(_conv, _norm, shape=_IMAGE), ulp=16),
    Case("fold_shift", "dense", stack(lambda r: layers.Dense(5), _norm, shape=(7,)), ulp=16),
    Case(
        "fold_shift",
        "subtraction",
        stack(lambda r: layers.Dense(3), lambda r: Apply(lambda x: x - tf.constant([1.0, 2.0, -3.0])), shape=(4,)),
        ulp=16,
    ),
)
