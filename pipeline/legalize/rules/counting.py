"""Categories: one-hot rows, histograms, sums over segments, scattered updates, buckets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from pipeline.legalize.elementwise import clamp
from pipeline.legalize.emit import promote
from pipeline.legalize.registry import FORMATS, ONNX, ORACLE, TFJS, TFLITE, rule
from pipeline.legalize.shapes import product, sizes

if TYPE_CHECKING:
    from pipeline.legalize.rewriter import Rewriter

_INFINITE = (-np.inf, np.inf)


@rule("OneHot", targets=(ONNX, TFJS), why="An entry is on where the category equals its position.")
def one_hot_by_comparison(rewriter: Rewriter, op: Any, ids: Any, depth: Any, on: Any, off: Any) -> Any:
    axis = op.get_attr("axis") % (ids.shape.rank + 1)
    ids = tf.cast(ids, tf.int32) if ids.dtype == tf.uint8 else ids
    known = rewriter.value(depth)
    places = tf.range(depth) if known is None else rewriter.constant(np.arange(int(known), dtype=np.int32))
    places = tf.reshape(tf.cast(places, ids.dtype), [-1] + [1] * (ids.shape.rank - axis))
    equal = tf.equal(tf.expand_dims(ids, axis), places)
    values = [v.item() for t in (on, off) if (v := rewriter.value(t)) is not None]
    if values == [1, 0]:
        return tf.cast(equal, on.dtype)
    return tf.where(equal, on, off)


@rule(
    "DenseBincount",
    "Bincount",
    targets=FORMATS,
    why="Ones (or weights) added at the places of the categories; those out of range go to an extra place.",
)
def count_by_scattering(rewriter: Rewriter, op: Any, ids: Any, size: Any, weights: Any) -> Any:
    rank = ids.shape.rank
    if rank is None or (op.type == "DenseBincount" and rank not in (1, 2)):
        return None
    depth = _size(rewriter, op.inputs[1], size)
    dtype = weights.dtype
    ids = tf.cast(ids, tf.int32)
    flat = tf.reshape(ids, [-1])
    place = tf.where(tf.logical_or(flat < 0, flat >= depth), depth, flat)
    by_row = op.type == "DenseBincount" and rank == 2
    if by_row:
        rows, columns = sizes(ids)
        row = tf.reshape(tf.tile(tf.expand_dims(tf.range(rows), 1), tf.stack([1, columns])), [-1])
        index, shape = tf.stack([row, place], 1), tf.stack([rows, depth + 1])
    else:
        index, shape = tf.expand_dims(place, 1), tf.reshape(depth + 1, [1])
    binary = op.type == "DenseBincount" and op.get_attr("binary_output")
    weighted = weights.shape.num_elements() != 0 and not binary
    amounts = tf.reshape(weights, [-1]) if weighted else tf.ones_like(flat, dtype)
    counts = _scatter_add(rewriter, index, amounts, shape)
    counts = counts[:, :-1] if by_row else counts[:-1]
    if binary:
        counts = tf.minimum(counts, tf.ones([], dtype))
    static = int(depth) if isinstance(depth, int) else None
    counts.set_shape([ids.shape[0], static] if by_row else [static])
    return counts


@rule(
    "UnsortedSegmentSum",
    "SegmentSum",
    targets=(TFJS,),
    why="Rows added at their segment's place; negative ones nowhere.",
)
def sum_by_scattering(rewriter: Rewriter, op: Any, data: Any, ids: Any, *count: Any) -> Any:
    ids = tf.cast(ids, tf.int32)
    total = tf.cast(count[0], tf.int32) if count else tf.reduce_max(ids) + 1
    rest = sizes(data)[ids.shape.rank :]
    flat = tf.reshape(ids, [-1, 1])
    place = tf.where(flat < 0, total, flat)
    rows = tf.reshape(data, tf.stack([-1, *rest]))
    result = tf.scatter_nd(place, rows, tf.stack([total + 1, *rest]))[:-1]
    result.set_shape(op.outputs[0].shape)
    return result


@rule(
    "UnsortedSegmentMax",
    "UnsortedSegmentMin",
    "UnsortedSegmentProd",
    "SegmentMax",
    "SegmentMin",
    "SegmentProd",
    "SegmentMean",
    targets=(TFJS,),
    why="Each segment reduces all rows, with the neutral value in place of those of others.",
)
def reduce_by_segment(rewriter: Rewriter, op: Any, data: Any, ids: Any, *count: Any) -> Any:
    ids = tf.cast(ids, tf.int32)
    total = tf.cast(count[0], tf.int32) if count else tf.reduce_max(ids) + 1
    rest = sizes(data)[ids.shape.rank :]
    rows = tf.reshape(data, tf.stack([1, -1, *rest]))
    mine = tf.equal(tf.reshape(ids, [1, -1]), tf.reshape(tf.range(total), [-1, 1]))
    mine = tf.reshape(mine, tf.concat([tf.shape(mine), tf.ones([len(rest)], tf.int32)], 0))
    kind = op.type.removeprefix("Unsorted").removeprefix("Segment")
    lowest, highest = data.dtype.min, data.dtype.max
    neutral = {"Max": lowest, "Min": highest, "Prod": 1, "Mean": 0}[kind]
    reduce = {"Max": tf.reduce_max, "Min": tf.reduce_min, "Prod": tf.reduce_prod, "Mean": tf.reduce_sum}[kind]
    result = reduce(tf.where(mine, rows, tf.constant(neutral, data.dtype)), 1)
    if not op.type.startswith("Unsorted"):
        members = tf.reduce_sum(tf.cast(mine, tf.int32), 1)
        if kind == "Mean":
            result = result / tf.cast(tf.maximum(members, 1), data.dtype)
        elif kind != "Prod":
            result = tf.where(members > 0, result, tf.zeros_like(result))
    result.set_shape(op.outputs[0].shape)
    return result


@rule(
    "UnsortedSegmentMax",
    "UnsortedSegmentMin",
    targets=(ORACLE,),
    why="An empty segment gives the lowest (highest) number of the float type that the model has, not of float64.",
)
def empty_segments(rewriter: Rewriter, op: Any, data: Any, ids: Any, count: Any) -> Any:
    own = op.outputs[0].dtype
    if not own.is_floating or own == data.dtype:
        return None
    if op.type == "UnsortedSegmentMax":
        return tf.maximum(tf.math.unsorted_segment_max(data, ids, count), tf.constant(own.min, data.dtype))
    return tf.minimum(tf.math.unsorted_segment_min(data, ids, count), tf.constant(own.max, data.dtype))


@rule("ScatterNd", targets=(ONNX,), why="Repeated indices add up: to zeros, where ONNX' scatter would keep the last.")
def scatter_onto_zeros(rewriter: Rewriter, op: Any, index: Any, updates: Any, shape: Any) -> Any:
    return _scatter_add(rewriter, index, updates, shape)


@rule(
    "TensorScatterAdd", "TensorScatterSub", targets=(TFLITE, TFJS), why="The updates scattered onto zeros, and added."
)
def update_by_sum(rewriter: Rewriter, op: Any, tensor: Any, index: Any, updates: Any) -> Any:
    change = tf.scatter_nd(index, updates, tf.shape(tensor, index.dtype))
    return tensor + change if op.type == "TensorScatterAdd" else tensor - change


@rule(
    "TensorScatterMax",
    "TensorScatterMin",
    targets=(TFLITE, TFJS),
    why="Each place reduces itself and all updates, with itself in place of those for other places.",
)
def update_by_extremum(rewriter: Rewriter, op: Any, tensor: Any, index: Any, updates: Any) -> Any:
    depth = index.shape[-1]
    if depth is None:
        return None
    dims = sizes(tensor)
    strides = [product(dims[axis + 1 : depth]) for axis in range(depth)]
    line = tf.reduce_sum(index * tf.cast(tf.stack(strides), index.dtype), -1)
    places = tf.range(tf.cast(product(dims[:depth]), index.dtype))
    rest = dims[depth:]
    hit = tf.equal(tf.reshape(places, [-1, 1]), tf.reshape(line, [1, -1]))
    hit = tf.reshape(hit, tf.concat([tf.shape(hit), tf.ones([len(rest)], tf.int32)], 0))
    own = tf.reshape(tensor, tf.stack([-1, 1, *rest]))
    offered = tf.where(hit, tf.reshape(updates, tf.stack([1, -1, *rest])), own)
    best = tf.reduce_max(offered, 1) if op.type == "TensorScatterMax" else tf.reduce_min(offered, 1)
    best = tf.reshape(best, tf.stack(dims))
    return tf.maximum(best, tensor) if op.type == "TensorScatterMax" else tf.minimum(best, tensor)


@rule("Bucketize", targets=(ONNX, TFJS), why="The bucket is the number of boundaries that are not above the value.")
def count_boundaries(rewriter: Rewriter, op: Any, x: Any) -> Any:
    boundaries = rewriter.constant(np.asarray(op.get_attr("boundaries"), np.float32))
    below = tf.expand_dims(tf.cast(x, tf.float32), -1) >= boundaries
    return tf.reduce_sum(tf.cast(below, tf.int32), -1)


@rule(
    "LowerBound",
    "UpperBound",
    targets=(TFLITE, ONNX),
    why="The place in a sorted sequence is the number of its entries below (or not above) the value.",
)
def count_below(rewriter: Rewriter, op: Any, ordered: Any, values: Any) -> Any:
    entries, wanted = tf.expand_dims(ordered, 1), tf.expand_dims(values, 2)
    below = entries < wanted if op.type == "LowerBound" else entries <= wanted
    return tf.cast(tf.reduce_sum(tf.cast(below, tf.int32), 2), op.outputs[0].dtype)


@rule(
    "InTopKV2", "InTopK", targets=FORMATS, why="A target is in the top k if fewer than k predictions are above its own."
)
def in_top_k_by_counting(rewriter: Rewriter, op: Any, predictions: Any, targets: Any, k: Any = None) -> Any:
    if k is None:
        k = op.get_attr("k")
    places = tf.cast(tf.range(sizes(predictions)[1]), targets.dtype)
    own = tf.equal(tf.expand_dims(targets, 1), places)
    if rewriter.target == TFLITE:
        # Taken as it is: a sum takes subnormal numbers for zero, and a comparison does not.
        rows, classes = sizes(predictions)
        column = clamp(tf.cast(targets, tf.int32), 0, classes - 1)
        score = tf.expand_dims(tf.gather_nd(predictions, tf.stack([tf.range(rows), column], 1)), 1)
    else:
        score = tf.reduce_sum(tf.where(own, predictions, tf.zeros_like(predictions)), 1, keepdims=True)
    above = tf.reduce_sum(tf.cast(predictions > score, tf.int32), 1)
    # TensorFlow says no for a class that does not exist, and wherever a prediction is not finite.
    possible = tf.logical_and(tf.reduce_any(own, 1), tf.reduce_all(tf.abs(predictions) <= predictions.dtype.max, 1))
    return tf.logical_and(possible, above < tf.cast(k, tf.int32))


@rule("ArgMax", "ArgMin", targets=(TFLITE,), why="The first place that holds the largest (smallest) number.")
def first_of_largest(rewriter: Rewriter, op: Any, x: Any, axis: Any) -> Any:
    known = rewriter.value(axis)
    if x.dtype != tf.int64 or known is None:
        return None
    at = int(known) % x.shape.rank
    best = (tf.reduce_max if op.type == "ArgMax" else tf.reduce_min)(x, at, keepdims=True)
    size = sizes(x)[at]
    places = tf.reshape(tf.range(size), [-1] + [1] * (x.shape.rank - at - 1))
    first = tf.reduce_min(tf.where(tf.equal(x, best), places, size), at)
    return tf.cast(first, promote(op.outputs[0].dtype, rewriter.target))


@rule("HistogramFixedWidth", targets=FORMATS, why="The bin is the scaled value, cut off and clamped; bins are counted.")
def histogram_by_scattering(rewriter: Rewriter, op: Any, values: Any, limits: Any, bins: Any) -> Any:
    flat = tf.reshape(values, [-1])
    width = limits[1] - limits[0]
    scaled = tf.floor(tf.cast(bins, flat.dtype) * ((flat - limits[0]) / width))
    place = tf.cast(tf.clip_by_value(scaled, 0.0, tf.cast(bins - 1, flat.dtype)), tf.int32)
    index, ones = tf.expand_dims(place, 1), tf.ones_like(place)
    counts = _scatter_add(rewriter, index, ones, tf.reshape(bins, [1]))
    return tf.cast(counts, op.outputs[0].dtype)


def _scatter_add(rewriter: Rewriter, index: Any, updates: Any, shape: Any) -> Any:
    """`tf.scatter_nd`, whose repeated indices add up, in a form that survives the target's converter."""
    if rewriter.target == ONNX:
        return tf.tensor_scatter_nd_add(tf.zeros(shape, updates.dtype), index, updates)
    return tf.scatter_nd(index, updates, shape)


def _size(rewriter: Rewriter, source: Any, size: Any) -> Any:
    """A number of categories, as an int where the source graph bounds it from both sides by the same number."""
    known = rewriter.value(size)
    if known is not None:
        return int(known)
    low, high = _bounds(source)
    return int(low) if low == high else tf.reshape(size, [])


def _bounds(tensor: Any) -> tuple[float, float]:
    """Smallest and largest value that a scalar of the source graph can have."""
    known = tf.get_static_value(tensor)
    if known is not None:
        return (float(known), float(known)) if known.size == 1 else _INFINITE
    if tensor.op.type in ("Identity", "Cast"):
        return _bounds(tensor.op.inputs[0])
    if tensor.op.type in ("Minimum", "Maximum"):
        (a, b), (c, d) = (_bounds(t) for t in tensor.op.inputs)
        return (min(a, c), min(b, d)) if tensor.op.type == "Minimum" else (max(a, c), max(b, d))
    return _INFINITE
