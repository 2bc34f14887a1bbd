"""Images read at computed places."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf
from keras import ops
from rule_cases import Case, function

# Places off the grid, so that no rounding decides between neighbours.
_TURN = [1.1, 0.2, -1.53, -0.15, 0.9, 1.71, 0.0, 0.0]
_VIEW = [1.1, 0.2, -0.53, -0.15, 0.9, 0.71, 0.013, 0.021]


def _warp(matrix: list[float], **options: Any) -> Callable[[Any], Any]:
    return lambda x: ops.image.affine_transform(x, tf.constant([matrix]), **options)


def _by_input(x: Any, t: Any) -> Any:
    return ops.image.affine_transform(x, 0.05 * t + tf.constant([[1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0]]))


def _crops(**options: Any) -> Callable[[Any], Any]:
    def call(x: Any) -> Any:
        box = tf.constant([[0.03, 0.11, 1.12, 0.87]]) * tf.ones([tf.shape(x)[0], 1])
        return tf.image.crop_and_resize(x, box, tf.range(tf.shape(x)[0]), (4, 5), **options)

    return call


_IMAGE = (6, 7, 3)
# A place carries the rounding of its coordinate, of a few pixels' size, times the slope between two pixels.
_ULP = 64.0

CASES: tuple[Case, ...] = (
    Case("transform_by_gathers", "constant", function(_warp(_TURN, fill_value=0.3), _IMAGE), _ULP),
    Case("transform_by_gathers", "projective", function(_warp(_VIEW, fill_mode="nearest"), _IMAGE), _ULP),
    Case("transform_by_gathers", "wrap", function(_warp(_TURN, fill_mode="wrap"), _IMAGE), _ULP),
    Case("transform_by_gathers", "reflect", function(_warp(_TURN, fill_mode="reflect"), _IMAGE), _ULP),
    Case("transform_by_gathers", "nearest", function(_warp(_TURN, interpolation="nearest"), _IMAGE)),
    Case("transform_by_gathers", "open", function(_warp(_TURN), (None, None, 3)), _ULP),
    Case("transform_by_gathers", "a transform per image", function(_by_input, _IMAGE, (8,)), _ULP),
    Case("crop_by_gathers", "bilinear", function(_crops(extrapolation_value=0.5), _IMAGE), _ULP),
    Case("crop_by_gathers", "nearest", function(_crops(method="nearest"), _IMAGE)),
    Case("crop_by_gathers", "open", function(_crops(), (None, None, 3)), _ULP),
)
