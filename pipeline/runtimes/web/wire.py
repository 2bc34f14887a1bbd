"""Frames: named arrays as raw bytes behind a JSON header, for pipes and HTTP bodies alike (see `adapters/wire.mjs`).

A frame is a uint32 (little endian) with the header's length, the header (JSON, padded so that the body starts
at a multiple of 8), and the body: each tensor's elements, little endian, starting at a multiple of 8. A string
tensor's elements are each a uint32 length and that many bytes.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np

from pipeline.runtimes.base import Tensors

_ALIGN = 8
_INT32 = np.iinfo(np.int32)
_DTYPES = {"float32": np.dtype("<f4"), "int32": np.dtype("<i4"), "bool": np.dtype(np.bool_)}


def to_javascript(name: str, value: np.ndarray) -> np.ndarray:
    """`value` in a dtype that TF.js has: float32, int32, bool or object (strings), without losing a bit.

    Raises:
        ValueError: an integer that int32 cannot hold.
        TypeError: a dtype without an exact counterpart (float64, complex).
    """
    value = np.asarray(value)
    if value.dtype in (np.float32, np.float16):
        return np.ascontiguousarray(value, dtype="<f4")
    if value.dtype.kind in "iu":
        if value.size and (int(value.max()) > _INT32.max or int(value.min()) < _INT32.min):
            raise ValueError(
                f"input '{name}' ({value.dtype}) holds {int(value.min())} .. {int(value.max())}, "
                "which int32, the only integer type in TF.js, cannot hold"
            )
        return np.ascontiguousarray(value, dtype="<i4")
    if value.dtype.kind == "b" or value.dtype.kind in "OSU":
        return np.ascontiguousarray(value)
    raise TypeError(f"input '{name}' is {value.dtype}, which TF.js does not have")


def _string_bytes(value: np.ndarray) -> bytes:
    parts = []
    for item in value.ravel():
        data = item.encode() if isinstance(item, str) else bytes(item)
        parts += [struct.pack("<I", len(data)), data]
    return b"".join(parts)


def _strings(data: memoryview, shape: list[int]) -> np.ndarray:
    items, at = [], 0
    for _ in range(int(np.prod(shape, dtype=np.int64))):
        (length,) = struct.unpack_from("<I", data, at)
        items.append(bytes(data[at + 4 : at + 4 + length]))
        at += 4 + length
    if any(item.endswith(b"\0") for item in items):
        raise ValueError("a string ends in a NUL byte, which NumPy's byte strings drop")
    return np.array(items, dtype=np.bytes_).reshape(shape)


def pack(meta: Mapping[str, Any], tensors: Mapping[str, np.ndarray] | None = None) -> list[bytes | memoryview]:
    """A frame as pieces to be written one after the other (large arrays are not copied).

    Args:
        meta: anything that JSON can say.
        tensors: arrays by name; converted by `to_javascript`.
    """
    entries: list[dict[str, Any]] = []
    body: list[bytes | memoryview] = []
    offset = 0
    for name, original in (tensors or {}).items():
        value = to_javascript(name, original)
        if value.dtype.kind in "OSU":
            dtype, data = "string", memoryview(_string_bytes(value))
        else:
            dtype, data = value.dtype.name, memoryview(value.reshape(-1).view(np.uint8).data)
        padding = -data.nbytes % _ALIGN
        entries.append(
            {"name": name, "dtype": dtype, "shape": list(value.shape), "offset": offset, "bytes": data.nbytes}
        )
        body += [data, bytes(padding)]
        offset += data.nbytes + padding
    header = json.dumps({"meta": dict(meta), "tensors": entries, "bytes": offset}).encode()
    header += b" " * (-(len(header) + 4) % _ALIGN)
    return [struct.pack("<I", len(header)), header, *body]


def unpack(frame: bytes) -> tuple[dict[str, Any], Tensors]:
    """The meta data and the arrays (views of `frame`; strings as bytes) of a whole frame.

    Raises:
        ValueError: the frame is cut short, or holds something that NumPy cannot.
    """
    if len(frame) < 4:
        raise ValueError("an empty frame")
    (length,) = struct.unpack_from("<I", frame)
    header = json.loads(frame[4 : 4 + length])
    return header["meta"], unpack_body(header, memoryview(frame)[4 + length :])


def unpack_body(header: Mapping[str, Any], body: memoryview | bytes) -> Tensors:
    """The arrays of a frame whose header was read before."""
    view = memoryview(body)
    if view.nbytes != header["bytes"]:
        raise ValueError(f"a frame of {view.nbytes} bytes, {header['bytes']} were promised")
    tensors: Tensors = {}
    for entry in header["tensors"]:
        data = view[entry["offset"] : entry["offset"] + entry["bytes"]]
        if entry["dtype"] == "string":
            tensors[entry["name"]] = _strings(data, entry["shape"])
        elif entry["dtype"] in _DTYPES:
            tensors[entry["name"]] = np.frombuffer(data, _DTYPES[entry["dtype"]]).reshape(entry["shape"])
        else:
            raise ValueError(f"output '{entry['name']}' is {entry['dtype']}, which frames do not have")
    return tensors
