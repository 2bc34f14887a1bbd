"""Resizing of images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tensorflow as tf

from pipeline.legalize import resampling
from pipeline.legalize.registry import FORMATS, ORACLE, TFLITE, rule
from pipeline.legalize.shapes import sizes

if TYPE_CHECKING:
    from pipeline.legalize.rewriter import Rewriter

_TARGETS = (*FORMATS, ORACLE)


@rule(
    "ResizeBicubic",
    targets=_TARGETS,
    why="Linear along each axis: TensorFlow's weights as a matrix, formed in float64 where the sizes are static.",
)
def bicubic_by_matrices(rewriter: Rewriter, op: Any, image: Any, size: Any) -> Any:
    weights = resampling.bicubic(*_corners(op))
    return resampling.resample(rewriter, image, size, weights, weights)


@rule(
    "ResizeArea",
    targets=_TARGETS,
    why="Each output pixel is a mean over its area, linear along each axis: the shares are two matrices.",
)
def area_by_matrices(rewriter: Rewriter, op: Any, image: Any, size: Any) -> Any:
    weights = resampling.area(bool(op.get_attr("align_corners")))
    return resampling.resample(rewriter, image, size, weights, weights)


@rule(
    "ScaleAndTranslate",
    targets=_TARGETS,
    why="Linear along each axis: the kernel's normalized weights are two matrices, antialiased ones too.",
)
def scale_by_matrices(rewriter: Rewriter, op: Any, image: Any, size: Any, scale: Any, translation: Any) -> Any:
    kernel = op.get_attr("kernel_type").decode()
    if kernel not in resampling.KERNELS:
        return None
    scales, shifts = _pair(rewriter, scale), _pair(rewriter, translation)
    antialias = bool(op.get_attr("antialias"))
    rows, columns = (resampling.scaled(s, t, kernel, antialias) for s, t in zip(scales, shifts, strict=True))
    return resampling.resample(rewriter, image, size, rows, columns)


@rule(
    "ResizeBilinear",
    targets=(ORACLE,),
    why="TensorFlow's kernel computes in float32 only; its definition, linear along each axis, is two matrices.",
)
def bilinear_by_matrices(rewriter: Rewriter, op: Any, image: Any, size: Any) -> Any:
    weights = resampling.bilinear(*_corners(op))
    return resampling.resample(rewriter, image, size, weights, weights)


@rule(
    "ResizeBilinear",
    targets=FORMATS,
    why="TensorFlow's kernel makes whole numbers floats before it interpolates; so does this, for kernels that do not.",
)
def bilinear_of_whole_numbers(rewriter: Rewriter, op: Any, image: Any, size: Any) -> Any:
    if not image.dtype.is_integer:
        return None
    align_corners, half_pixel = _corners(op)
    image = tf.cast(image, tf.float32)
    return tf.raw_ops.ResizeBilinear(
        images=image, size=size, align_corners=align_corners, half_pixel_centers=half_pixel
    )


@rule(
    "ResizeNearestNeighbor",
    targets=(TFLITE,),
    why="The nearest neighbours are chosen by their place, as TensorFlow computes it in float32, and then gathered.",
)
def nearest_of_whole_numbers(rewriter: Rewriter, op: Any, image: Any, size: Any) -> Any:
    if not image.dtype.is_integer:
        return None
    known = rewriter.value(size)
    wanted = [size[0], size[1]] if known is None else [int(n) for n in known]
    for axis, (old, new) in enumerate(zip(sizes(image)[1:3], wanted, strict=True), start=1):
        image = tf.gather(image, resampling.nearest(*_corners(op))(old, new), axis=axis)
    return image


def _corners(op: Any) -> tuple[bool, bool]:
    return bool(op.get_attr("align_corners")), bool(op.get_attr("half_pixel_centers"))


def _pair(rewriter: Rewriter, pair: Any) -> list[Any]:
    """Both entries: floats where they are known, else scalar tensors."""
    known = rewriter.value(pair)
    return [pair[0], pair[1]] if known is None else [float(v) for v in known]
