"""Diagonals and triangles of matrices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from pipeline.legalize.registry import ONNX, TFJS, TFLITE, rule
from pipeline.legalize.shapes import sizes

if TYPE_CHECKING:
    from pipeline.legalize.rewriter import Rewriter


@rule(
    "MatrixBandPart", targets=(TFJS,), why="An entry is kept where its row and column are near enough, else it is zero."
)
def band_by_selection(rewriter: Rewriter, op: Any, x: Any, lower: Any, upper: Any) -> Any:
    if all(rewriter.value(t) is not None for t in (x, lower, upper)):
        return None  # folded
    rows, columns = sizes(x)[-2:]
    below = _places(rewriter, rows)[:, None] - _places(rewriter, columns)
    kept = None
    for distance, bound in ((below, lower), (-below, upper)):
        known = rewriter.value(bound)
        if known is not None and int(known) < 0:
            continue
        limit = tf.cast(bound, tf.int32)
        near = distance <= limit
        if known is None:
            near = tf.logical_or(near, limit < 0)
        kept = near if kept is None else tf.logical_and(kept, near)
    if kept is None:
        return x
    return tf.logical_and(x, kept) if x.dtype == tf.bool else tf.where(kept, x, tf.zeros([], x.dtype))


@rule(
    "MatrixDiag",
    "MatrixDiagV2",
    "MatrixDiagV3",
    targets=(TFLITE, ONNX, TFJS),
    why="An entry on the diagonal takes the vector's value of its column, another the padding.",
)
def diagonal_by_selection(rewriter: Rewriter, op: Any, vector: Any, *options: Any) -> Any:
    offset, rows, columns, padding = _options(rewriter, options, vector)
    if offset is None or (rewriter.target == TFLITE and not options):
        return None
    length = sizes(vector)[-1]
    if rows < 0 and columns < 0:
        rows = columns = length + abs(offset)
    rows = length + max(-offset, 0) if isinstance(rows, int) and rows < 0 else rows
    columns = length + max(offset, 0) if isinstance(columns, int) and columns < 0 else columns
    if isinstance(length, int) and length != min(rows + min(offset, 0), columns - max(offset, 0)):
        return None
    return tf.where(_on(rewriter, rows, columns, offset), _row(vector, length, offset, columns), padding)


@rule(
    "MatrixSetDiag",
    "MatrixSetDiagV2",
    "MatrixSetDiagV3",
    targets=(TFLITE, ONNX, TFJS),
    why="An entry on the diagonal takes the vector's value of its column.",
)
def set_diagonal_by_selection(rewriter: Rewriter, op: Any, x: Any, vector: Any, *options: Any) -> Any:
    offset = _single(rewriter, options[0]) if options else 0
    if offset is None or (rewriter.target == TFLITE and not options):
        return None
    rows, columns = sizes(x)[-2:]
    return tf.where(_on(rewriter, rows, columns, offset), _row(vector, sizes(vector)[-1], offset, columns), x)


@rule(
    "MatrixDiagPart",
    "MatrixDiagPartV2",
    "MatrixDiagPartV3",
    targets=(TFLITE, ONNX, TFJS),
    why="Entry i of a diagonal is at a known place of the flattened matrix.",
)
def diagonal_part_by_gather(rewriter: Rewriter, op: Any, x: Any, *options: Any) -> Any:
    offset = _single(rewriter, options[0]) if options else 0
    if offset is None:
        return None
    dims = sizes(x)
    rows, columns = dims[-2:]
    high, wide = rows + min(offset, 0), columns - max(offset, 0)
    both = isinstance(rows, int) and isinstance(columns, int)
    place = _places(rewriter, min(high, wide) if both else tf.minimum(high, wide))
    flat = tf.reshape(x, tf.stack([*dims[:-2], rows * columns]))
    part = tf.gather(flat, (place - min(offset, 0)) * columns + place + max(offset, 0), axis=-1)
    part.set_shape(op.outputs[0].shape)
    return part


def _options(rewriter: Rewriter, options: tuple[Any, ...], vector: Any) -> tuple[int | None, int, int, Any]:
    """Offset of the diagonal (None: several, or not known), rows and columns (-1: as few as needed), padding."""
    if not options:
        return 0, -1, -1, tf.zeros([], vector.dtype)
    rows, columns = (rewriter.value(t) for t in options[1:3])
    if rows is None or columns is None:
        return None, -1, -1, None
    return _single(rewriter, options[0]), int(rows), int(columns), options[3]


def _single(rewriter: Rewriter, offsets: Any) -> int | None:
    known = rewriter.value(offsets)
    return int(known.ravel()[0]) if known is not None and len(set(known.ravel().tolist())) == 1 else None


def _places(rewriter: Rewriter, size: Any) -> Any:
    return rewriter.constant(np.arange(size, dtype=np.int32)) if isinstance(size, int) else tf.range(size)


def _on(rewriter: Rewriter, rows: Any, columns: Any, offset: int) -> Any:
    """Truth of "on the diagonal", [rows, columns]."""
    return tf.equal(_places(rewriter, rows)[:, None] + offset, _places(rewriter, columns))


def _row(vector: Any, length: Any, offset: int, columns: Any) -> Any:
    """The vector laid along the columns, [..., 1, columns]."""
    first = max(offset, 0)
    pads = [[0, 0]] * (vector.shape.rank - 1) + [[first, columns - length - first]]
    laid = vector if offset == 0 and isinstance(columns, int) and columns == length else tf.pad(vector, pads)
    return tf.expand_dims(laid, -2)
