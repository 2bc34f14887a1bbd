"""Resizing of images."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf
from keras import layers, ops
from rule_cases import Case, between, function, stack

_OPEN = (None, None, 3)


def _resize(**options: Any) -> Callable[..., Any]:
    return stack(lambda r: layers.Resizing(int(r.integers(3, 12)), int(r.integers(3, 12)), **options), shape=(6, 8, 3))


def _open(**options: Any) -> Callable[..., Any]:
    return stack(lambda r: layers.Resizing(6, 7, **options), shape=_OPEN)


def _twice(interpolation: str, **options: Any) -> Callable[..., Any]:
    """To a size that depends on the input's."""

    def call(x: Any) -> Any:
        shape = tf.shape(x)
        size = tf.stack([shape[1] * 2, shape[2] + 1])
        return tf.image.resize(x, size, interpolation, **options)

    return function(call, _OPEN)


def _raw(name: str, **options: Any) -> Callable[..., Any]:
    return function(lambda x: getattr(tf.raw_ops, name)(images=x, size=[9, 4], **options), (5, 6, 3))


def _bytes(name: str, shape: tuple[int | None, ...] = (5, 6, 3)) -> Callable[..., Any]:
    def call(x: Any) -> Any:
        return tf.cast(getattr(tf.raw_ops, name)(images=x, size=[9, 4], half_pixel_centers=True), tf.float32)

    return function(call, shape, dtype="uint8")


def _translated(x: Any) -> Any:
    options = {"kernel_type": "keyscubic", "antialias": True}
    return tf.raw_ops.ScaleAndTranslate(images=x, size=[9, 4], scale=[1.5, 0.5], translation=[0.3, -0.4], **options)


CASES: tuple[Case, ...] = (
    Case("bicubic_by_matrices", "static", _resize(interpolation="bicubic"), ulp=16),
    Case("bicubic_by_matrices", "open", _open(interpolation="bicubic"), ulp=16),
    Case("bicubic_by_matrices", "dynamic size", _twice("bicubic"), ulp=16),
    Case("bicubic_by_matrices", "corners aligned", _raw("ResizeBicubic", align_corners=True), ulp=16),
    Case("bicubic_by_matrices", "asymmetric", _raw("ResizeBicubic"), ulp=16),
    Case(
        "bicubic_by_matrices",
        "bytes",
        function(lambda x: ops.image.resize(x, (7, 9), "bicubic"), (5, 6, 2), dtype="uint8"),
        ulp=16,
        draw=between(0, 255),
    ),
    Case("area_by_matrices", "static", _resize(interpolation="area"), ulp=16),
    Case("area_by_matrices", "dynamic size", _twice("area"), ulp=16),
    Case("area_by_matrices", "corners aligned", _raw("ResizeArea", align_corners=True), ulp=16),
    Case("scale_by_matrices", "lanczos3", _resize(interpolation="lanczos3"), ulp=16),
    Case("scale_by_matrices", "lanczos5 antialiased", _resize(interpolation="lanczos5", antialias=True), ulp=16),
    Case("scale_by_matrices", "bilinear antialiased", _resize(antialias=True), ulp=16),
    Case("scale_by_matrices", "bicubic antialiased open", _open(interpolation="bicubic", antialias=True), ulp=16),
    # The kernel's sine at arguments of up to 5 pi carries its argument's rounding.
    Case("scale_by_matrices", "lanczos5 dynamic size", _twice("lanczos5", antialias=True), ulp=64),
    Case("scale_by_matrices", "scale and translation", function(_translated, (6, 8, 3)), ulp=16),
    Case("bilinear_by_matrices", "static", _resize(), ulp=16),
    Case("bilinear_by_matrices", "open", _open(), ulp=16),
    Case("bilinear_by_matrices", "corners aligned", _raw("ResizeBilinear", align_corners=True), ulp=16),
    Case("bilinear_by_matrices", "asymmetric", _raw("ResizeBilinear"), ulp=16),
    Case("bilinear_of_whole_numbers", "bytes", _bytes("ResizeBilinear"), ulp=16, draw=between(0, 255)),
    Case("nearest_of_whole_numbers", "bytes", _bytes("ResizeNearestNeighbor"), draw=between(0, 255)),
    Case("nearest_of_whole_numbers", "open", _bytes("ResizeNearestNeighbor", _OPEN), draw=between(0, 255)),
)
