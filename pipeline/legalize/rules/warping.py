"""Images read at computed places: projective transforms, crops that are resized."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tensorflow as tf

from pipeline.legalize.registry import FORMATS, ORACLE, rule
from pipeline.legalize.shapes import product, reshape, sizes

if TYPE_CHECKING:
    from pipeline.legalize.rewriter import Rewriter

_TARGETS = (*FORMATS, ORACLE)


@rule(
    "ImageProjectiveTransformV3",
    targets=_TARGETS,
    why="Its definition: where each output pixel lies in the input, and the pixels around there by their distance.",
)
def transform_by_gathers(rewriter: Rewriter, op: Any, images: Any, transforms: Any, shape: Any, fill: Any) -> Any:
    dtype = _float(rewriter)
    height, width = _entries(rewriter, shape)
    rows, columns = sizes(images)[1:3]
    t = tf.reshape(tf.cast(transforms, dtype), [-1, 8, 1, 1])
    x = tf.reshape(tf.range(width, dtype=dtype), [1, 1, -1])
    y = tf.reshape(tf.range(height, dtype=dtype), [1, -1, 1])
    depth = t[:, 6] * x + t[:, 7] * y + 1
    lost = tf.equal(depth, 0)
    depth = tf.where(lost, tf.ones_like(depth), depth)
    mode = op.get_attr("fill_mode").decode()
    across = _bring_inside((t[:, 0] * x + t[:, 1] * y + t[:, 2]) / depth, columns, mode)
    down = _bring_inside((t[:, 3] * x + t[:, 4] * y + t[:, 5]) / depth, rows, mode)
    # A place at infinity reads nothing but the fill value.
    across = tf.where(lost, tf.fill([], tf.cast(-2, dtype)), across)
    image = tf.reshape(tf.range(sizes(images)[0]), [-1, 1, 1])
    nearest = op.get_attr("interpolation") == b"NEAREST"
    found = _read(rewriter, images, image, down, across, tf.cast(fill, dtype), nearest)
    return _as_output(found, op)


@rule(
    "CropAndResize",
    targets=_TARGETS,
    why="Its definition: the places in the box at equal distances, and the pixels around each by their distance.",
)
def crop_by_gathers(rewriter: Rewriter, op: Any, images: Any, boxes: Any, which: Any, size: Any) -> Any:
    dtype = _float(rewriter)
    lengths = [tf.cast(n, dtype) - 1 for n in sizes(images)[1:3]]
    boxes = tf.cast(boxes, dtype)
    places = []
    for axis, (count, last) in enumerate(zip(_entries(rewriter, size), lengths, strict=True)):
        low, high = boxes[:, axis : axis + 1], boxes[:, axis + 2 : axis + 3]
        steps = tf.reshape(tf.range(count, dtype=dtype), [1, -1])
        spread = low * last + steps * ((high - low) * last / tf.cast(tf.maximum(count - 1, 1), dtype))
        place = tf.where(tf.greater(count, 1), spread, (low + high) / 2 * last + 0 * steps)
        # A place outside of the image is moved to where nothing is read.
        places.append(tf.where(tf.logical_or(place < 0, place > last), tf.fill([], tf.cast(-2, dtype)), place))
    down, across = tf.expand_dims(places[0], 2), tf.expand_dims(places[1], 1)
    fill = tf.constant(op.get_attr("extrapolation_value"), dtype)
    nearest = op.get_attr("method") == b"nearest"
    return _read(rewriter, images, tf.reshape(which, [-1, 1, 1]), down, across, fill, nearest)


def _float(rewriter: Rewriter) -> Any:
    return tf.float64 if rewriter.target == ORACLE else tf.float32


def _entries(rewriter: Rewriter, pair: Any) -> list[Any]:
    known = rewriter.value(pair)
    return [pair[0], pair[1]] if known is None else [int(n) for n in known]


def _as_output(values: Any, op: Any) -> Any:
    """In the operation's type; whole numbers are cut off, as its kernel does."""
    wanted = op.outputs[0].dtype
    return tf.cast(values, wanted) if wanted.is_integer else values


def _bring_inside(place: Any, length: Any, mode: str) -> Any:
    """A coordinate continued beyond an axis of this length (image_ops.h, MapCoordinate)."""
    size = tf.cast(length, place.dtype)
    last = size - 1
    if mode == "CONSTANT":
        return place
    if mode == "WRAP":
        below = place + size * (tf.floor(-place / tf.maximum(last, 1)) + 1)
        above = place - size * tf.floor(place / tf.maximum(last, 1))
        place = tf.where(place < 0, below, tf.where(place > last, above, place))
    if mode == "REFLECT":
        twice = 2 * size
        below = place + tf.where(place < twice, twice * tf.floor(-place / twice), tf.zeros_like(place))
        below = tf.where(below < -size, below + twice, -below - 1)
        above = place - twice * tf.floor(place / twice)
        above = tf.where(above >= size, twice - above - 1, above)
        place = tf.where(place < 0, below, tf.where(place > last, above, place))
    return tf.clip_by_value(place, 0, last)


def _read(rewriter: Rewriter, images: Any, image: Any, down: Any, across: Any, fill: Any, nearest: bool) -> Any:
    """Pixels at places.

    Args:
        images: [n, height, width, channels].
        image: which of them, int32, broadcastable to the result without its channels.
        down, across: coordinates of the same kind; a neighbour outside of the image reads `fill`.
    """
    count, height, width, channels = sizes(images)
    pixels = reshape(rewriter, images, [product([count, height, width]), channels])
    pixels = pixels if pixels.dtype == down.dtype else tf.cast(pixels, down.dtype)
    bottom, edge = tf.cast(height - 1, down.dtype), tf.cast(width - 1, down.dtype)
    down, across = tf.clip_by_value(down, -2, bottom + 2), tf.clip_by_value(across, -2, edge + 2)

    def read(row: Any, column: Any) -> Any:
        r, c = tf.clip_by_value(row, 0, bottom), tf.clip_by_value(column, 0, edge)
        inside = tf.cast(tf.equal(r, row), row.dtype) * tf.cast(tf.equal(c, column), row.dtype)
        value = tf.gather(pixels, (image * height + tf.cast(r, tf.int32)) * width + tf.cast(c, tf.int32))
        return value * tf.expand_dims(inside, -1) + tf.expand_dims(fill * (1 - inside), -1)

    if nearest:
        return read(*(tf.sign(place) * tf.floor(tf.abs(place) + 0.5) for place in (down, across)))
    top, left = tf.floor(down), tf.floor(across)
    below, right = tf.expand_dims(down - top, -1), tf.expand_dims(across - left, -1)
    upper = (1 - right) * read(top, left) + right * read(top, left + 1)
    lower = (1 - right) * read(top + 1, left) + right * read(top + 1, left + 1)
    return (1 - below) * upper + below * lower
