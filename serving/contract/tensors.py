"""JSON values to arrays, with TensorFlow Serving's strict types and its error texts.

A value is first tried whole, with C loops; only if something is wrong is it walked element by element, to find
the error that TensorFlow Serving finds first.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np

from serving.contract.writer import echo
from serving.errors import InvalidArgument, ServingError, Unimplemented
from serving.signature import TensorSpec

# NumPy has no arrays of more dimensions.
_MAX_RANK = 32
_INT32 = (-(2**31), 2**31 - 1)
# Bounds of the JSON integers that a type takes; the narrow ones wrap, as they do in TensorFlow Serving.
INTEGERS = {
    "int8": _INT32,
    "int16": _INT32,
    "int32": _INT32,
    "uint8": _INT32,
    "int64": (-(2**63), 2**63 - 1),
    "uint32": (0, 2**32 - 1),
    "uint64": (0, 2**64 - 1),
}
FLOATS = ("float32", "float64")
_TYPES = {type(None): "Null", dict: "Object", list: "Array", str: "String", int: "Number", float: "Number"}


def shape_of(value: Any) -> tuple[int, ...]:
    """The dense shape that the first elements of nested lists suggest.

    Raises:
        InvalidArgument: they are nested deeper than any tensor.
    """
    sizes: list[int] = []
    while isinstance(value, list):
        sizes.append(len(value))
        if len(sizes) > _MAX_RANK:
            raise InvalidArgument(f"Encountered list at unexpected level: {_MAX_RANK} expected < {_MAX_RANK}")
        if not value:
            break
        value = value[0]
    return tuple(sizes)


def convert(value: Any, spec: TensorSpec) -> np.ndarray:
    """One JSON value as one tensor.

    Raises:
        InvalidArgument: it is ragged or of another type.
        Unimplemented: TensorFlow Serving takes no JSON for this type.
    """
    shape = shape_of(value)
    flat = _flatten(value, shape)
    array = None if flat is None else _bulk(flat, spec)
    if array is None:
        flat = []
        _walk(value, shape, 0, spec, flat)
        array = _bulk(flat, spec)
        assert array is not None  # the walk raises where bulk conversion fails
    return array.reshape(shape)


def strings(values: Sequence[bytes | None]) -> np.ndarray:
    """Bytes as the object array that engines take."""
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def is_base64(value: Any) -> bool:
    """Whether a value is bytes: an object with the one key "b64" and a string in it."""
    return isinstance(value, dict) and len(value) == 1 and isinstance(value.get("b64"), str)


def _flatten(value: Any, shape: tuple[int, ...]) -> list[Any] | None:
    """The leaves in order; None if the value is not of this shape."""
    items = [value]
    for size in shape:
        if any(type(i) is not list or len(i) != size for i in items):
            return None
        items = list(chain.from_iterable(items))
    return items


def _bulk(flat: list[Any], spec: TensorSpec) -> np.ndarray | None:
    """Leaves of the right types as a flat array; None if one is not."""
    types = set(map(type, flat))
    dtype = spec.dtype
    if dtype in FLOATS:
        if not types <= {int, float}:
            return None
        # Through double, also on the way to float: RapidJSON keeps numbers so.
        with np.errstate(over="ignore"):
            return np.array(flat, dtype=np.float64).astype(dtype)
    if dtype in INTEGERS:
        low, high = INTEGERS[dtype]
        if not types <= {int} or (flat and not (low <= min(flat) and max(flat) <= high)):
            return None
        return np.array(flat, dtype=np.uint64 if dtype == "uint64" else np.int64).astype(dtype)
    if dtype == "bool":
        return np.array(flat, dtype=np.bool_) if types <= {bool} else None
    if dtype == "string" and types <= {str, dict}:
        decoded = [decode_bytes(v) for v in flat]
        return None if None in decoded else strings(decoded)
    return None


def _walk(value: Any, shape: tuple[int, ...], level: int, spec: TensorSpec, flat: list[Any]) -> None:
    rank = len(shape)
    if not isinstance(value, list):
        if level != rank:
            raise InvalidArgument(
                f"JSON Value: {echo(value)} found at incorrect level: {level + 1} in the JSON DOM. "
                f"Expected at level: {rank}"
            )
        _check(value, spec)
        flat.append(value)
        return
    if level >= rank:
        raise InvalidArgument(f"Encountered list at unexpected level: {level} expected < {rank}")
    if len(value) != shape[level]:
        raise InvalidArgument(
            f"Encountered list at unexpected size: {len(value)} at level: {level} expected size: {shape[level]}"
        )
    for item in value:
        _walk(item, shape, level + 1, spec, flat)


def _check(value: Any, spec: TensorSpec) -> None:
    """Raise what TensorFlow Serving answers to one leaf that it does not take."""
    if spec.dtype == "string" and isinstance(value, dict):
        if not is_base64(value):
            raise InvalidArgument(f"JSON Value: {echo(value)} not formatted correctly for base64 data")
        if decode_bytes(value) is None:
            raise InvalidArgument("Unable to base64 decode")
        return
    known = spec.dtype in (*FLOATS, *INTEGERS, "bool", "string")
    if not known and not isinstance(value, dict):
        raise Unimplemented(f"Conversion of JSON Value: {echo(value)} to type: {spec.type_name}")
    if _bulk([value], spec) is None:
        raise InvalidArgument(
            f"JSON Value: {echo(value)} Type: {json_type(value)} is not of expected type: {spec.type_name}"
        )


def json_type(value: Any) -> str:
    """RapidJSON's name of a value's type."""
    return str(value) if isinstance(value, bool) else _TYPES[type(value)]


def decode_bytes(value: Any) -> bytes | None:
    """A JSON string or a base64 object as bytes; None if it is neither."""
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape")
    if not is_base64(value):
        return None
    text = "".join(value["b64"].split())
    bare = text.rstrip("=.")
    # Padding may be left out, but not be wrong.
    if len(text) - len(bare) not in (0, -len(bare) % 4) or len(bare) % 4 == 1:
        return None
    try:
        return base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None


def wrap(problem: ServingError, where: str) -> InvalidArgument:
    """An element's error as the error of the list that it is in."""
    return InvalidArgument(f"Failed to process element: {where} of 'instances' list. Error: {problem}")
