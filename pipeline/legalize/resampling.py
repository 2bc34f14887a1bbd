"""Resizing as linear algebra: along each axis, the output is a matrix times the input.

The matrices follow the definitions in TensorFlow's kernels (tensorflow/core/kernels/image: resize_bilinear_op.cc,
resize_bicubic_op.cc, resize_area_op.cc, scale_and_translate_op.cc, sampling_kernels.h).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from pipeline.legalize.registry import ORACLE
from pipeline.legalize.shapes import product, reshape, sizes

if TYPE_CHECKING:
    from pipeline.legalize.rewriter import Rewriter

# Input size, output size (ints, or int32 scalars), float type -> weights [output, input] of that type.
Weights = Callable[[Any, Any, Any], Any]

_TABLE = 1024  # TensorFlow looks its cubic up at steps of this fraction of a pixel


def resample(rewriter: Rewriter, image: Any, size: Any, rows: Weights, columns: Weights) -> Any:
    """Resize [batch, height, width, channels] to `size`, an int32 [2], with the weights of each axis."""
    dtype = tf.float64 if rewriter.target == ORACLE else tf.float32
    image = image if image.dtype == dtype else tf.cast(image, dtype)
    batch, height, width, channels = sizes(image)
    known = rewriter.value(size)
    new_height, new_width = (size[0], size[1]) if known is None else (int(n) for n in known)
    flat = reshape(rewriter, image, [batch, height, product([width, channels])])
    flat = tf.matmul(_matrix(rewriter, rows, height, new_height, dtype), flat)
    flat = reshape(rewriter, flat, [product([batch, new_height]), width, channels])
    flat = tf.matmul(_matrix(rewriter, columns, width, new_width, dtype), flat)
    return reshape(rewriter, flat, [batch, new_height, new_width, channels])


def _matrix(rewriter: Rewriter, weights: Weights, old: Any, new: Any, dtype: Any) -> Any:
    """A constant, formed in float64 and rounded once, where both sizes are static; else computed in the graph."""
    if not (isinstance(old, int) and isinstance(new, int)):
        return weights(old, new, dtype)
    with tf.init_scope():
        exact = weights(old, new, tf.float64).numpy()
    return rewriter.constant(exact.astype(dtype.as_numpy_dtype))


def nearest(align_corners: bool, half_pixel: bool) -> Callable[[Any, Any], Any]:
    """Indices of the nearest pixels, int32 [output], from the sizes."""

    def indices(old: Any, new: Any) -> Any:
        scale, pixels = _scale(old, new, tf.float32, align_corners), tf.range(new, dtype=tf.float32)
        place = (pixels + 0.5) * scale if half_pixel else pixels * scale
        place = tf.floor(place + 0.5) if align_corners else tf.floor(place)
        return tf.minimum(tf.cast(place, tf.int32), old - 1)

    return indices


def bilinear(align_corners: bool, half_pixel: bool) -> Weights:
    """Two neighbours, by their distance; beyond the edge the outermost pixel counts."""

    def weights(old: Any, new: Any, dtype: Any) -> Any:
        place = tf.clip_by_value(_places(old, new, dtype, align_corners, half_pixel), 0, tf.cast(old - 1, dtype))
        return tf.maximum(1 - tf.abs(place[:, None] - tf.range(old, dtype=dtype)[None]), 0)

    return weights


def bicubic(align_corners: bool, half_pixel: bool) -> Weights:
    """Four neighbours by Keys' cubic, at places rounded to 1/1024 of a pixel as TensorFlow rounds them.

    With half-pixel centers a is -0.5, and neighbours beyond the edge do not count; else a is -0.75, and the outermost
    pixel stands for them.
    """

    def weights(old: Any, new: Any, dtype: Any) -> Any:
        # In float32 whatever the type: a place that is rounded the other way is another function.
        exact = _places(old, new, tf.float32, align_corners, half_pixel)
        floor = tf.floor(exact)
        place = tf.cast(floor, dtype) + tf.cast(tf.round((exact - floor) * _TABLE), dtype) / _TABLE
        pixels = tf.range(old, dtype=dtype)
        if half_pixel:
            found = _keys(tf.abs(pixels[None] - place[:, None]), -0.5)
            return found / tf.reduce_sum(found, -1, keepdims=True)
        total = None
        for k in range(-1, 3):
            neighbour = tf.cast(floor, dtype) + k
            inside = tf.clip_by_value(neighbour, 0, tf.cast(old - 1, dtype))
            weight = _keys(tf.abs(neighbour - place), -0.75)
            part = tf.where(tf.equal(pixels[None], inside[:, None]), weight[:, None], tf.zeros([], dtype))
            total = part if total is None else total + part
        return total

    return weights


def area(align_corners: bool) -> Weights:
    """The share of each pixel in the output pixel's interval; the last pixel goes on for ever."""

    def weights(old: Any, new: Any, dtype: Any) -> Any:
        scale = _scale(old, new, dtype, align_corners)
        start = tf.range(new, dtype=dtype)[:, None] * scale
        pixels = tf.range(old, dtype=dtype)[None]
        end = tf.where(tf.equal(pixels, tf.cast(old - 1, dtype)), start + scale, tf.minimum(start + scale, pixels + 1))
        return tf.maximum(end - tf.maximum(start, pixels), 0) / scale

    return weights


def scaled(scale: Any, translation: Any, kernel: str, antialias: bool) -> Weights:
    """A kernel around the place that `output = input * scale + translation` gives, normalized.

    Args:
        scale, translation: floats, or scalar tensors.
    """
    evaluate, radius = KERNELS[kernel]

    def weights(old: Any, new: Any, dtype: Any) -> Any:
        inverse = 1 / _exact_scale(scale, old, new) if isinstance(scale, float) else 1 / tf.cast(scale, dtype)
        shift = translation if isinstance(translation, float) else tf.cast(translation, dtype)
        inverse = tf.cast(inverse, dtype)
        place = (tf.range(new, dtype=dtype) + 0.5) * inverse - shift * inverse
        width = tf.maximum(inverse, 1) if antialias else tf.ones([], dtype)
        distance = tf.abs(tf.range(old, dtype=dtype)[None] + 0.5 - place[:, None]) / width
        found = tf.where(distance <= radius, evaluate(distance), tf.zeros_like(distance))
        total = tf.reduce_sum(found, -1, keepdims=True)
        outside = tf.logical_or(place < 0, place > tf.cast(old, dtype))[:, None]
        empty = tf.logical_or(outside, tf.abs(total) < 1000 * np.finfo(np.float32).tiny)
        return tf.where(empty, tf.zeros_like(found), found / tf.where(empty, tf.ones_like(total), total))

    return weights


def _exact_scale(scale: float, old: Any, new: Any) -> float:
    """new / old where the given scale is that, rounded to float32."""
    if isinstance(old, int) and isinstance(new, int) and abs(scale * old - new) <= new * 2.0**-23:
        return new / old
    return scale


def _scale(old: Any, new: Any, dtype: Any, align_corners: bool) -> Any:
    if align_corners:
        old, new = (tf.where(tf.greater(new, 1), n, m) for n, m in ((old - 1, old), (new - 1, new)))
    return tf.cast(old, dtype) / tf.cast(new, dtype)


def _places(old: Any, new: Any, dtype: Any, align_corners: bool, half_pixel: bool) -> Any:
    """Where the centers of the output pixels lie between those of the input pixels, [new]."""
    scale, pixels = _scale(old, new, dtype, align_corners), tf.range(new, dtype=dtype)
    return (pixels + 0.5) * scale - 0.5 if half_pixel else pixels * scale


def _keys(x: Any, a: float) -> Any:
    """Keys' cubic at distance x: IEEE Transactions on Acoustics, Speech, and Signal Processing 29 (6), 1981."""
    outer = ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
    return tf.where(x < 1, ((a + 2) * x - (a + 3)) * x * x + 1, tf.where(x < 2, outer, tf.zeros_like(x)))


def _lanczos(radius: float) -> Callable[[Any], Any]:
    def evaluate(x: Any) -> Any:
        safe = tf.maximum(x, 1e-3)
        value = radius * tf.sin(math.pi * safe) * tf.sin(math.pi * safe / radius) / (math.pi**2 * safe * safe)
        return tf.where(x <= 1e-3, tf.ones_like(x), value)

    return evaluate


def _pieces(inner: tuple[float, ...], outer: tuple[float, ...]) -> Callable[[Any], Any]:
    """A polynomial up to one and another behind it, highest power first."""

    def horner(x: Any, coefficients: tuple[float, ...]) -> Any:
        value = coefficients[0] * x
        for c in coefficients[1:-1]:
            value = (value + c) * x
        return value + coefficients[-1]

    return lambda x: tf.where(x < 1, horner(x, inner), horner(x, outer))


KERNELS: dict[str, tuple[Callable[[Any], Any], float]] = {
    "lanczos1": (_lanczos(1.0), 1.0),
    "lanczos3": (_lanczos(3.0), 3.0),
    "lanczos5": (_lanczos(5.0), 5.0),
    "gaussian": (lambda x: tf.where(x < 1.5, tf.exp(-2 * x * x), tf.zeros_like(x)), 1.5),
    "box": (lambda x: (tf.cast(x < 0.5, x.dtype) + tf.cast(x <= 0.5, x.dtype)) / 2, 1.0),
    "triangle": (lambda x: 1 - x, 1.0),
    "keyscubic": (_pieces((1.5, -2.5, 0.0, 1.0), (-0.5, 2.5, -4.0, 2.0)), 2.0),
    "mitchellcubic": (_pieces((7 / 6, -2.0, 0.0, 8 / 9), (-7 / 18, 2.0, -10 / 3, 16 / 9)), 2.0),
}
