"""Hashing of whole numbers, where a target cannot hash: a table of all that may come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from pipeline.errors import LegalizationError
from pipeline.legalize.bounds import bounds, inputs_of
from pipeline.legalize.emit import compute
from pipeline.legalize.registry import FORMATS, rule

if TYPE_CHECKING:
    from pipeline.legalize.rewriter import Rewriter

# Entries of a table: 64 MB of them, as much as the weights of a large layer.
_MOST_ENTRIES = 1 << 24
_WHY_NOT = "it hashes numbers as text, which the format cannot; isomer makes a table of it where their range is known"


@dataclass(frozen=True)
class Crossed:
    """What a SparseCross gives, as a dense tensor: [rows, 1]."""

    dense: Any


@rule(
    "StringToHashBucketFast",
    "StringToHashBucketStrong",
    "StringToHashBucket",
    targets=FORMATS,
    why="TensorFlow hashes every number of a known range now, and the table of it is asked later.",
)
def hash_by_table(rewriter: Rewriter, op: Any, text: Any) -> Any:
    printing = _printing(text)
    if printing is None:
        return None
    number, source = _number_of(text), _printing(op.inputs[0])
    forms = [printing.inputs[0]] if source is None else [printing.inputs[0], source.inputs[0]]
    low, high = _known_bounds(rewriter, op, [forms])[0]
    with tf.init_scope():
        digits = compute(printing, [tf.constant(_all(low, high, number.dtype))], rewriter.target)[0]
        buckets = compute(op, [tf.constant(digits, tf.string)], rewriter.target)[0]
    return _look_up(rewriter, buckets, _place(number, low, high), high - low + 1)


@rule(
    "SparseCross",
    targets=FORMATS,
    why="TensorFlow crosses every combination of numbers of known ranges now, and the table of it is asked later.",
)
def cross_by_table(rewriter: Rewriter, op: Any, *inputs: Any) -> Any:
    single = all(t.shape.rank == 2 and t.shape[1] == 1 for t in inputs)
    if op.get_attr("N") or not single or any(not t.dtype.is_integer for t in inputs):
        return None
    known = _known_bounds(rewriter, op, list(zip(inputs, op.inputs, strict=True)))
    sizes = [high - low + 1 for low, high in known]
    grid = np.meshgrid(*(_all(*of, t.dtype) for of, t in zip(known, inputs, strict=True)), indexing="ij")
    with tf.init_scope():
        _, buckets, _ = compute(op, [tf.constant(g.reshape(-1, 1)) for g in grid], rewriter.target)
    place, valid = None, None
    for number, (low, high), size in zip(inputs, known, sizes, strict=True):
        index, inside = _place(number, low, high)
        place = index if place is None else place * size + index
        valid = inside if valid is None else tf.logical_and(valid, inside)
    crossed = Crossed(_look_up(rewriter, buckets, (place, valid), int(np.prod(sizes))))
    return [crossed, crossed, crossed]


@rule("SparseToDense", targets=FORMATS, why="Every row has one crossed value: it is dense already.", structural=True)
def dense_cross(rewriter: Rewriter, op: Any, indices: Any, shape: Any, values: Any, default: Any) -> Any:
    return values.dense if isinstance(values, Crossed) else None


def _printing(text: Any) -> Any:
    """The operation that made a tensor of strings of whole numbers; None if none did."""
    op = text.op if isinstance(text, tf.Tensor) else None
    while op is not None and op.type in ("Identity", "Reshape", "ExpandDims", "Squeeze"):
        op = op.inputs[0].op
    if op is None or op.type != "AsString":
        return None
    return op if op.inputs[0].dtype.is_integer or op.inputs[0].dtype == tf.bool else None


def _number_of(text: Any) -> Any:
    """The whole numbers that a tensor of strings was made from, in its shape."""
    op = text.op
    if op.type == "AsString":
        return op.inputs[0]
    number = _number_of(op.inputs[0])
    if op.type == "Identity":
        return number
    if op.type == "Reshape":
        return tf.reshape(number, op.inputs[1])
    if op.type == "ExpandDims":
        return tf.expand_dims(number, op.inputs[1])
    return tf.squeeze(number, op.get_attr("squeeze_dims"))


def _known_bounds(rewriter: Rewriter, op: Any, numbers: Sequence[Sequence[Any]]) -> list[tuple[int, int]]:
    """Bounds of some numbers, each in the new graph and in the source, if a table of all combinations is small enough.

    Raises:
        LegalizationError: it is not, with what the user can declare.
    """
    found = [bounds(rewriter, *forms) for forms in numbers]
    entries = np.prod([float(high) - float(low) + 1 for low, high in found])
    if entries <= _MOST_ENTRIES:
        return [(int(low), int(high)) for low, high in found]
    wide = [
        t
        for forms, (low, high) in zip(numbers, found, strict=True)
        if high - low >= _MOST_ENTRIES
        for t in inputs_of(forms[0])
    ]
    if not wide:
        reason = f"a table of all combinations would have {entries:,.0f} entries, and {_MOST_ENTRIES:,} are the most"
        raise LegalizationError(op.type, "", rewriter.target, reason, "Hash in front of the model.")
    if any(id(t) in rewriter.ranges for t in wide):
        advice = "The declared range is not that of the numbers hashed: clip those (keras.ops.clip)."
    else:
        declared = dict.fromkeys(f'--input "{_described(t)}"' for t in wide)
        advice = f"Declare it, with your own bounds: {' '.join(declared)}."
    raise LegalizationError(op.type, "", rewriter.target, _WHY_NOT, advice)


def _described(tensor: Any) -> str:
    sizes = ",".join("?" if n is None else str(n) for n in [None, *tensor.shape.as_list()[1:]])
    return f"{tensor.op.name}:{tensor.dtype.name}:{sizes}:0..999"


def _all(low: int, high: int, dtype: Any) -> np.ndarray:
    return np.arange(low, high + 1).astype(dtype.as_numpy_dtype)


def _place(number: Any, low: int, high: int) -> tuple[Any, Any]:
    """Where a number is in its range (int32), and whether it is there."""
    if number.dtype == tf.bool:
        return tf.cast(number, tf.int32), tf.ones_like(number)
    if number.dtype.size < 4:
        number = tf.cast(number, tf.int32)
    inside = tf.logical_and(number >= low, number <= high)
    return tf.cast(tf.where(inside, number - low, tf.zeros_like(number)), tf.int32), inside


def _look_up(rewriter: Rewriter, buckets: np.ndarray, place: tuple[Any, Any], size: int) -> Any:
    """The table's value; beyond the range an index beyond the table, which is an error in the runtime, not a number."""
    index, inside = place
    table = rewriter.constant(buckets.astype(np.int32) if buckets.max() < 2**31 else buckets)
    found = tf.gather(table, tf.where(inside, index, tf.fill(tf.shape(index), size)))
    found.set_shape(index.shape)
    return tf.cast(found, tf.int64)
