"""TensorProto messages to arrays and back."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from serving.contract.tensors import strings
from serving.errors import InvalidArgument
from serving.signature import DATA_TYPES, TensorSpec

_STRING = 7
# Bytes that an array takes for one string, beside the string.
_POINTER = 8
# The enum DataType: numbers of the types that a tensor may have, with the field of their values.
_FIELDS = {
    1: ("float32", "float_val"),
    2: ("float64", "double_val"),
    3: ("int32", "int_val"),
    4: ("uint8", "int_val"),
    5: ("int16", "int_val"),
    6: ("int8", "int_val"),
    _STRING: ("string", "string_val"),
    9: ("int64", "int64_val"),
    10: ("bool", "bool_val"),
    17: ("uint16", "int_val"),
    19: ("float16", "half_val"),
    22: ("uint32", "uint32_val"),
    23: ("uint64", "uint64_val"),
}
_NUMBERS = {dtype: number for number, (dtype, _) in _FIELDS.items()}


def number_of(dtype: str) -> int:
    """The enum's number of a type; 0, DT_INVALID, if it has none."""
    return _NUMBERS.get(dtype, 0)


def to_array(tensor: Any, spec: TensorSpec, most_bytes: int) -> np.ndarray:
    """A TensorProto as an array of the input's type.

    Args:
        most_bytes: of the array: a message of a few bytes can stand for a tensor of any size.

    Raises:
        InvalidArgument: it is of another type, or its values are not those of its shape.
    """
    dtype, field = _FIELDS.get(tensor.dtype, ("", ""))
    if dtype != spec.dtype:
        found = DATA_TYPES.get(dtype, ("", f"type {tensor.dtype}"))[1]
        raise InvalidArgument(f"Expects input {spec.name} to be {spec.type_name} but {found} is provided")
    shape = tuple(d.size for d in tensor.tensor_shape.dim)
    size = prod(shape)
    width = _POINTER if dtype == "string" else np.dtype(dtype).itemsize
    if tensor.tensor_shape.unknown_rank or min(shape, default=0) < 0 or size * width > most_bytes:
        raise InvalidArgument(f"tensor parsing error: {spec.name}")
    if tensor.tensor_content and dtype != "string":
        if len(tensor.tensor_content) != size * width:
            raise InvalidArgument(f"tensor parsing error: {spec.name}")
        return np.frombuffer(tensor.tensor_content, dtype=dtype).reshape(shape)
    values = getattr(tensor, field)
    if len(values) > size:
        raise InvalidArgument(f"tensor parsing error: {spec.name}")
    return _spread(list(values), dtype, size).reshape(shape)


def to_proto(array: np.ndarray, into: Any) -> None:
    """An array as a TensorProto, its values in the field of their type: so does TensorFlow Serving by default."""
    dtype = "string" if array.dtype == object else array.dtype.name
    into.dtype = _NUMBERS[dtype]
    for size in array.shape:
        into.tensor_shape.dim.add(size=size)
    flat = array.reshape(-1)
    if dtype == "float16":
        flat = flat.view(np.uint16)
    getattr(into, _FIELDS[into.dtype][1]).extend(flat.tolist())


def _spread(values: list[Any], dtype: str, size: int) -> np.ndarray:
    """Values as `size` elements: the last one stands for all that follow, and none for zeros."""
    fill = size - len(values)
    if dtype == "string":
        return strings(values + [values[-1] if values else b""] * fill)
    if dtype == "float16":
        array = np.array(values, dtype=np.int64).astype(np.uint16).view(np.float16)
    elif dtype in ("float32", "float64", "bool"):
        array = np.array(values, dtype=dtype)
    else:
        array = np.array(values, dtype=np.uint64 if dtype == "uint64" else np.int64).astype(dtype)
    if fill:
        last = array[-1:] if values else np.zeros(1, array.dtype)
        array = np.concatenate([array, np.broadcast_to(last, fill)])
    return array
