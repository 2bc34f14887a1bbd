"""Colours as hue, saturation and value (A. R. Smith, Color Gamut Transform Pairs, SIGGRAPH 1978)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tensorflow as tf

from pipeline.legalize.registry import FORMATS, rule

if TYPE_CHECKING:
    from pipeline.legalize.rewriter import Rewriter


@rule(
    "RGBToHSV", targets=FORMATS, why="The kernel's own formulas: the largest channel says which difference is the hue."
)
def hue_by_largest(rewriter: Rewriter, op: Any, image: Any) -> Any:
    red, green, blue = (image[..., k : k + 1] for k in range(3))
    value = tf.maximum(tf.maximum(red, green), blue)
    spread = value - tf.minimum(tf.minimum(red, green), blue)
    none, one = tf.zeros_like(value), tf.ones_like(value)
    saturation = tf.where(value > 0.0, spread / tf.where(value > 0.0, value, one), none)
    norm = 1.0 / (6.0 * tf.where(spread > 0.0, spread, one))
    by_blue = norm * (red - green) + 4.0 / 6.0
    by_green = tf.where(green >= value, norm * (blue - red) + 2.0 / 6.0, by_blue)
    hue = tf.where(red >= value, norm * (green - blue), by_green)
    hue = tf.where(spread > 0.0, hue, none)
    return tf.concat([tf.where(hue < 0.0, hue + 1.0, hue), saturation, value], -1)


@rule("HSVToRGB", targets=FORMATS, why="The kernel's own formulas: each channel is a trapezium over the hue.")
def channels_by_hue(rewriter: Rewriter, op: Any, image: Any) -> Any:
    hue, saturation, value = (image[..., k : k + 1] for k in range(3))
    place = hue * 6.0
    shares = (tf.abs(place - 3.0) - 1.0, 2.0 - tf.abs(place - 2.0), 2.0 - tf.abs(place - 4.0))
    grey = 1.0 - saturation
    channels = [(grey + saturation * tf.minimum(tf.maximum(s, 0.0), 1.0)) * value for s in shares]
    return tf.concat(channels, -1)
