"""Look-up tables: vocabularies of numbers as constants to search, vocabularies of words as the targets' own tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from pipeline.errors import LegalizationError
from pipeline.legalize.digest import digest
from pipeline.legalize.registry import EVERY, FORMATS, ONNX, ORACLE, SAVEDMODEL, TFJS, TFLITE, rule
from pipeline.tables import Table, make

if TYPE_CHECKING:
    from pipeline.legalize.rewriter import Rewriter


@rule(
    "LookupTableFindV2",
    targets=FORMATS,
    why="A binary search in the sorted keys, a constant, finds what a hash table finds.",
)
def find_by_search(rewriter: Rewriter, op: Any, table: Any, keys: Any, default: Any) -> Any:
    if not isinstance(table, Table) or table.keys.dtype.kind not in "iu" or _is_text_in_javascript(rewriter, table):
        return None
    count = len(table.keys)
    if not count:
        return tf.fill(tf.shape(keys), default)
    values = _with_default(rewriter, table, default)
    place, found = _search(rewriter, table.keys, keys)
    return tf.gather(values, tf.where(found, place, count))


@rule(
    "LookupTableFindV2",
    targets=FORMATS,
    why="The target's own table of words gives a word's place, and the value is at that place of a constant.",
)
def find_by_table(rewriter: Rewriter, op: Any, table: Any, keys: Any, default: Any) -> Any:
    if not isinstance(table, Table):
        return None
    if keys.dtype == tf.string and table.values.dtype == np.int64:
        return _find(rewriter, table.keys, table.values, keys, default)
    if keys.dtype == tf.int64 and table.values.dtype.kind == "O":
        return _find(rewriter, table.keys, table.values, keys, default)
    if keys.dtype != tf.string or (rewriter.target == TFJS and table.values.dtype.kind == "O"):
        return None
    place = np.arange(len(table.keys), dtype=np.int64)
    found = _find(rewriter, table.keys, place, keys, rewriter.constant(np.array(len(table.keys), np.int64)))
    return tf.gather(_with_default(rewriter, table, default), found)


@rule(
    "LookupTableFindV2", targets=(SAVEDMODEL, ORACLE), why="TensorFlow's own table of the same pairs.", structural=True
)
def find_natively(rewriter: Rewriter, op: Any, table: Any, keys: Any, default: Any) -> Any:
    if not isinstance(table, Table):
        return None
    values = table.values
    if values.dtype.kind == "f" and rewriter.target == ORACLE:
        values = values.astype(np.float64)
    return _find(rewriter, table.keys, values, keys, default)


@rule("LookupTableSizeV2", targets=EVERY, why="The table holds what it held when it was captured.")
def size_of_table(rewriter: Rewriter, op: Any, table: Any) -> Any:
    return rewriter.constant(np.array(len(table.keys), np.int64)) if isinstance(table, Table) else None


@rule("Equal", "NotEqual", targets=(ONNX, TFJS), why="A word equals another if a table of the other alone has it.")
def compare_words(rewriter: Rewriter, op: Any, x: Any, y: Any) -> Any:
    if x.dtype != tf.string:
        return None
    words, other = (x, y) if rewriter.value(x) is None else (y, x)
    known = rewriter.value(other)
    if known is None or known.size != 1:
        raise LegalizationError(
            op.type, "", rewriter.target, "it compares words only with a constant word", "Look both up in a vocabulary."
        )
    zero = rewriter.constant(np.array(0, np.int64))
    one = np.ones(1, np.int64)
    equal = tf.equal(_find(rewriter, known.astype(object).ravel(), one, words, zero), 1)
    return equal if op.type == "Equal" else tf.logical_not(equal)


def _is_text_in_javascript(rewriter: Rewriter, table: Table) -> bool:
    """TF.js' wasm backend gathers no strings, but its tables return them."""
    return rewriter.target == TFJS and table.values.dtype.kind == "O"


def _with_default(rewriter: Rewriter, table: Table, default: Any) -> Any:
    """The values in the order of the keys, then the default, as one vector."""
    known = rewriter.value(default)
    if known is not None:
        return rewriter.constant(np.append(table.values, known.astype(table.values.dtype)), default)
    return tf.concat([rewriter.constant(table.values), tf.reshape(default, [1])], 0)


def _search(rewriter: Rewriter, known: np.ndarray, keys: Any) -> tuple[Any, Any]:
    """Place of each key in the sorted known ones (int32), and whether it is there."""
    limits = np.iinfo(np.int32)
    if rewriter.target == TFJS:
        # There int32 stands for int64, so that no input can equal what lies beyond.
        order = np.arange(len(known))[(known >= limits.min) & (known <= limits.max)]
        if not len(order):
            return tf.zeros_like(keys, tf.int32), tf.zeros_like(keys, tf.bool)
        known = known[order]
    else:
        order = np.arange(len(known))
    first, last = int(known[0]), int(known[-1])
    if last - first == len(known) - 1:
        inside = tf.logical_and(keys >= first, keys <= last)
        place = tf.cast(tf.where(inside, keys - first, tf.zeros_like(keys)), tf.int32)
        return place + int(order[0]), inside
    size = 1 << (len(known) - 1).bit_length()
    # The last key again and again: where it is found, it is found as the last place.
    padded = rewriter.constant(np.pad(known, (0, size - len(known)), mode="edge"))
    place = tf.zeros_like(keys, tf.int32)
    step = size // 2
    while step:
        beyond = place + step
        place = tf.where(tf.gather(padded, beyond) <= keys, beyond, place)
        step //= 2
    found = tf.equal(tf.gather(padded, place), keys)
    return tf.minimum(place, len(known) - 1) + int(order[0]), found


def _find(rewriter: Rewriter, keys: np.ndarray, values: np.ndarray, wanted: Any, default: Any) -> Any:
    """A look-up in a new table of the target; equal tables are one."""
    key = b"".join(digest(np.asarray(v, np.bytes_) if v.dtype.kind == "O" else v) for v in (keys, values))
    if key not in rewriter.tables:
        with tf.init_scope():
            rewriter.tables[key] = make(keys, values)
    table = rewriter.tables[key]
    found = tf.raw_ops.LookupTableFindV2(table_handle=table.resource_handle, keys=wanted, default_value=default)
    found.set_shape(wanted.shape)
    if rewriter.target == ONNX:
        return tf.ensure_shape(found, wanted.shape)  # freezing forgets it otherwise
    if rewriter.target == TFLITE and wanted.shape.as_list().count(None) < 2:
        # Of one key it makes a scalar, and the file would not say what shape it has.
        return tf.reshape(found, [-1 if size is None else size for size in wanted.shape])
    if rewriter.target == TFJS and wanted.shape.rank != 1:
        return tf.reshape(found, tf.shape(wanted))  # a vector, whatever the shape of the keys
    return found
