"""Taking and placing parts: gathers, slices, rolls, reversals, diagonals, triangles, running sums and products."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from pipeline.legalize.elementwise import clamp
from pipeline.legalize.registry import FORMATS, ONNX, TFJS, TFLITE, rule
from pipeline.legalize.shapes import product, sizes

if TYPE_CHECKING:
    from pipeline.legalize.rewriter import Rewriter


@rule(
    "GatherV2", targets=(TFJS,), why="Rows of a batch, one after the other, are gathered with the row's offset added."
)
def gather_in_batch(rewriter: Rewriter, op: Any, data: Any, index: Any, axis: Any) -> Any:
    batch = op.get_attr("batch_dims")
    known = rewriter.value(axis)
    if not batch or known is None or not isinstance(data, tf.Tensor):
        return None
    batch %= index.shape.rank
    axis = int(known) % data.shape.rank
    between = list(range(batch, axis))
    if between:
        # The gathered axis comes right behind the batch, and what was between goes back there afterwards.
        data = tf.transpose(data, [*range(batch), axis, *between, *range(axis + 1, data.shape.rank)])
    dims, places = sizes(data), sizes(index)
    count = product(dims[:batch])
    flat = tf.reshape(data, tf.stack([-1, *dims[batch + 1 :]]))
    index = tf.cast(index, tf.int32)
    offset = tf.range(count) * dims[batch]
    line = tf.reshape(index, tf.stack([count, -1])) + tf.expand_dims(offset, 1)
    taken = tf.reshape(tf.gather(flat, tf.reshape(line, [-1])), tf.stack([*places, *dims[batch + 1 :]]))
    if between:
        inner = list(range(batch, len(places)))
        moved = list(range(len(places), len(places) + len(between)))
        last = list(range(len(places) + len(between), taken.shape.rank))
        taken = tf.transpose(taken, [*range(batch), *moved, *inner, *last])
    taken.set_shape(op.outputs[0].shape)
    return taken


@rule("StridedSlice", targets=(TFLITE,), why="A new axis is an expansion behind a slice without it.")
def slice_without_new_axes(rewriter: Rewriter, op: Any, x: Any, begin: Any, end: Any, stride: Any) -> Any:
    if not op.get_attr("new_axis_mask") or x.shape.rank is None:
        return None
    masks = {n: op.get_attr(f"{n}_mask") for n in ("begin", "end", "ellipsis", "new_axis", "shrink_axis")}
    given = begin.shape[0]
    own = sum(1 for k in range(given) if not (masks["new_axis"] | masks["ellipsis"]) >> k & 1)
    # Entries of the specification, the ellipsis written out: None for a new axis, else (position, whole, shrinks).
    entries: list[tuple[int, bool, bool] | None] = []
    for k in range(given):
        if masks["ellipsis"] >> k & 1:
            entries += [(k, True, False)] * (x.shape.rank - own)
        elif masks["new_axis"] >> k & 1:
            entries.append(None)
        else:
            entries.append((k, False, bool(masks["shrink_axis"] >> k & 1)))
    cuts = [e for e in entries if e is not None]
    if any(not whole for _, whole, _ in cuts):
        picked = [[0 if whole else t[k] for k, whole, _ in cuts] for t in (begin, end)]
        steps = [1 if whole else stride[k] for k, whole, _ in cuts]

        def mask(name: str) -> int:
            return sum((whole or masks[name] >> k & 1) << i for i, (k, whole, _) in enumerate(cuts))

        x = tf.strided_slice(
            x,
            *(_vector(rewriter, p, begin.dtype) for p in picked),
            _vector(rewriter, steps, begin.dtype),
            begin_mask=mask("begin"),
            end_mask=mask("end"),
            shrink_axis_mask=sum(shrinks << i for i, (_, _, shrinks) in enumerate(cuts)),
        )
    position = 0
    for entry in entries:
        if entry is None:
            x = tf.expand_dims(x, position)
        position += entry is None or not entry[2]
    return x


@rule(
    "XlaDynamicUpdateSlice",
    targets=(ONNX, TFJS),
    why="Along each axis a place takes the update's entry, or keeps its own.",
)
def update_slice_by_selection(rewriter: Rewriter, op: Any, x: Any, update: Any, start: Any) -> Any:
    inside, moved = None, update
    own, theirs = sizes(x), sizes(update)
    for axis in range(x.shape.rank):
        size, length = own[axis], theirs[axis]
        # As XLA has it: an update that would reach beyond the end is moved back.
        first = clamp(tf.cast(start[axis], tf.int32), 0, size - length)
        place = tf.range(size) - first
        moved = tf.gather(moved, clamp(place, 0, length - 1), axis=axis)
        here = tf.logical_and(place >= 0, place < length)
        here = tf.reshape(here, [-1] + [1] * (x.shape.rank - 1 - axis))
        inside = here if inside is None else tf.logical_and(inside, here)
    return tf.where(inside, moved, x)


@rule("Roll", targets=(TFLITE, TFJS), why="Place i takes what was at (i - shift) mod n.")
def roll_by_gather(rewriter: Rewriter, op: Any, x: Any, shift: Any, axis: Any) -> Any:
    axes, shifts = rewriter.value(axis), rewriter.value(shift)
    if axes is None:
        return None
    for k, each in enumerate(np.atleast_1d(axes)):
        size = sizes(x)[int(each)]
        if shifts is not None and isinstance(size, int):
            index = rewriter.constant((np.arange(size) - np.atleast_1d(shifts)[k]) % max(size, 1))
            index = tf.cast(index, tf.int32)
        else:
            amount = tf.cast(shift if shift.shape.rank == 0 else shift[k], tf.int32)
            place = tf.range(size) - _remainder(amount, size)
            index = tf.where(place < 0, place + size, place)
        x = tf.gather(x, index, axis=int(each))
    return x


@rule("ReverseSequence", targets=(TFJS,), why="Place i takes what was at length - 1 - i, or what it has.")
def reverse_by_gather(rewriter: Rewriter, op: Any, x: Any, lengths: Any) -> Any:
    along, batch = op.get_attr("seq_dim"), op.get_attr("batch_dim")
    order = [batch, along, *(a for a in range(x.shape.rank) if a not in (batch, along))]
    moved = tf.transpose(x, order)
    dims = sizes(moved)
    place = tf.range(dims[1])
    length = tf.expand_dims(tf.cast(lengths, tf.int32), 1)
    index = tf.where(place < length, length - 1 - place, place)
    line = tf.reshape(index + tf.expand_dims(tf.range(dims[0]) * dims[1], 1), [-1])
    taken = tf.gather(tf.reshape(moved, tf.stack([-1, *dims[2:]])), line)
    return tf.transpose(tf.reshape(taken, tf.stack(dims)), np.argsort(order).tolist())


@rule("Cumsum", "Cumprod", targets=(TFJS,), why="A negative axis counts from the end.")
def cumulate_from_the_end(rewriter: Rewriter, op: Any, x: Any, axis: Any) -> Any:
    known = rewriter.value(axis)
    if known is None or int(known) >= 0:
        return None
    function = tf.cumsum if op.type == "Cumsum" else tf.math.cumprod
    return function(x, int(known) % x.shape.rank, op.get_attr("exclusive"), op.get_attr("reverse"))


@rule(
    "Cumprod",
    targets=(TFLITE, ONNX),
    why="In log2(n) steps each entry is multiplied by the one 1, 2, 4, ... places before it.",
)
def running_product(rewriter: Rewriter, op: Any, x: Any, axis: Any) -> Any:
    known = rewriter.value(axis)
    if known is None:
        return None
    at = int(known) % x.shape.rank
    if op.get_attr("reverse"):
        x = tf.reverse(x, [at])
    size, static = sizes(x)[at], x.shape
    if op.get_attr("exclusive"):
        x = _delay(x, at, 1)
    if isinstance(size, int):
        step = 1
        while step < size:
            x, step = x * _delay(x, at, step), step * 2
    else:
        place = tf.range(size)
        before = tf.reshape(place <= tf.expand_dims(place, 1), tf.stack([size, size] + [1] * (x.shape.rank - 1 - at)))
        x = tf.reduce_prod(tf.where(before, tf.expand_dims(x, at), tf.ones([], x.dtype)), at + 1)
    x.set_shape(static)
    return tf.reverse(x, [at]) if op.get_attr("reverse") else x


@rule(
    "CumulativeLogsumexp",
    targets=FORMATS,
    why="Each place takes the log-sum-exp of those up to it, with -inf for the others.",
)
def running_logsumexp(rewriter: Rewriter, op: Any, x: Any, axis: Any) -> Any:
    known = rewriter.value(axis)
    if known is None or op.get_attr("exclusive"):
        return None
    at = int(known) % x.shape.rank
    place = tf.range(sizes(x)[at])
    other = tf.expand_dims(place, 1)
    taken = place >= other if op.get_attr("reverse") else place <= other
    taken = tf.reshape(taken, tf.concat([tf.shape(taken), tf.ones([x.shape.rank - 1 - at], tf.int32)], 0))
    spread = tf.expand_dims(x, at)
    lowest = tf.constant(x.dtype.min, x.dtype)
    peak = tf.reduce_max(tf.where(taken, spread, lowest), at + 1, keepdims=True)
    # The difference, not the exponential, is masked: an entry far above the peak would overflow.
    difference = tf.where(taken, spread - peak, tf.zeros([], x.dtype))
    total = tf.reduce_sum(tf.where(taken, tf.exp(difference), tf.zeros([], x.dtype)), at + 1)
    return tf.squeeze(peak, at + 1) + tf.math.log(total)


def _delay(x: Any, axis: int, steps: int) -> Any:
    """The tensor moved towards the end of an axis, with ones at the beginning."""
    pads = [[steps if a == axis else 0, 0] for a in range(x.shape.rank)]
    longer = tf.pad(x, pads, constant_values=1)
    last = [-steps if a == axis else 0 for a in range(x.shape.rank)]
    rest = sum(1 << a for a in range(x.shape.rank) if a != axis)
    zeros = [0] * x.shape.rank
    moved = tf.strided_slice(longer, zeros, last, begin_mask=rest | (1 << axis), end_mask=rest)
    moved.set_shape(x.shape)
    return moved


def _remainder(amount: Any, size: Any) -> Any:
    """amount mod size, of small numbers, with operations that every target has."""
    quotient = tf.cast(tf.floor(tf.cast(amount, tf.float32) / tf.cast(size, tf.float32)), tf.int32)
    return amount - quotient * size


def _vector(rewriter: Rewriter, entries: list[Any], dtype: Any) -> Any:
    known = [k for e in entries if (k := rewriter.value(e) if isinstance(e, tf.Tensor) else np.array(e)) is not None]
    if len(known) == len(entries):
        return rewriter.constant(np.array([int(k) for k in known], dtype.as_numpy_dtype))
    return tf.stack([tf.cast(e, dtype) for e in entries])


@rule("BroadcastArgs", targets=(ONNX,), why="Of two sizes the one that is not 1, aligned at the last axis.")
def joint_shape(rewriter: Rewriter, op: Any, x: Any, y: Any) -> Any:
    ranks = [t.shape[0] for t in (x, y)]
    if None in ranks:
        return None
    x, y = (tf.pad(t, [[max(ranks) - r, 0]], constant_values=1) for t, r in zip((x, y), ranks, strict=True))
    return tf.where(tf.equal(x, 1), y, x)
