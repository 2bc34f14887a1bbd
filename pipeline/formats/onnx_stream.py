"""ONNX files whose large weights go from memory to the file as they are: no protocol buffer ever holds them.

What is written is one canonical message all the same (https://protobuf.dev/programming-guides/encoding): a message may
hold its fields in any order, and here the weights come last.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

# Fields of onnx.proto: ModelProto.graph, GraphProto.initializer, TensorProto.raw_data.
_GRAPH, _INITIALIZER, _RAW_DATA = 7, 5, 9
_VARINT, _FIXED64, _SIZED, _FIXED32 = 0, 1, 2, 5
_ALIGNED = 4096  # so that a runtime can map the file into memory, as the ONNX documentation recommends


def write(model: Any, weights: list[tuple[Any, np.ndarray]], path: Path, apart: Path | None) -> None:
    """Write a model and weights that it lacks.

    Args:
        model: without those initializers.
        weights: each as a `TensorProto` without data, and its values.
        apart: the file for the values, beside `path`; None writes them into `path`.
    """
    import onnx

    heads = _beside(weights, apart) if apart else [head.SerializeToString(deterministic=True) for head, _ in weights]
    own = [(head, None if apart else value) for head, (_, value) in zip(heads, weights, strict=True)]
    prefixes = [b"" if value is None else _prefix(_RAW_DATA, value.nbytes) for _, value in own]
    sizes = [
        len(head) + len(prefix) + (0 if value is None else value.nbytes)
        for (head, value), prefix in zip(own, prefixes, strict=True)
    ]
    entries = [_prefix(_INITIALIZER, size) for size in sizes]
    graph = model.graph.SerializeToString(deterministic=True)
    shell = onnx.ModelProto()
    shell.CopyFrom(model)
    shell.ClearField("graph")
    with path.open("wb") as file:
        file.write(shell.SerializeToString(deterministic=True))
        file.write(_prefix(_GRAPH, len(graph) + sum(map(len, entries)) + sum(sizes)))
        file.write(graph)
        for entry, (head, value), prefix in zip(entries, own, prefixes, strict=True):
            file.write(entry + head + prefix)
            if value is not None:
                file.write(_bytes(value))


def read_without_weights(path: Path, least: int) -> Any:
    """The model of a file, its initializers of `least` bytes and more without their values."""
    import onnx

    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        kept = [
            _kept_of_graph(data, content, end, least) if number == _GRAPH else data[start:end]
            for number, start, content, end in _fields(data, 0, len(data))
        ]
    return onnx.ModelProto.FromString(b"".join(kept))


def _beside(weights: list[tuple[Any, np.ndarray]], apart: Path) -> list[bytes]:
    """Write the values into a file of their own; the tensors' messages, which say where."""
    from onnx import TensorProto
    from onnx.external_data_helper import set_external_data

    heads = []
    with apart.open("wb") as file:
        for head, value in weights:
            file.write(b"\0" * (-file.tell() % _ALIGNED))
            placed = TensorProto()
            placed.CopyFrom(head)
            placed.raw_data = b""
            set_external_data(placed, apart.name, file.tell(), value.nbytes)
            placed.ClearField("raw_data")
            heads.append(placed.SerializeToString(deterministic=True))
            file.write(_bytes(value))
    return heads


def _bytes(value: np.ndarray) -> memoryview:
    return np.ascontiguousarray(value, value.dtype.newbyteorder("<")).reshape(-1).view(np.uint8).data


def _kept_of_graph(data: mmap.mmap, start: int, end: int, least: int) -> bytes:
    kept = b"".join(
        _kept_of_tensor(data, content, stop) if number == _INITIALIZER and stop - content >= least else data[begin:stop]
        for number, begin, content, stop in _fields(data, start, end)
    )
    return _prefix(_GRAPH, len(kept)) + kept


def _kept_of_tensor(data: mmap.mmap, start: int, end: int) -> bytes:
    kept = b"".join(data[b:e] for number, b, _, e in _fields(data, start, end) if number != _RAW_DATA)
    return _prefix(_INITIALIZER, len(kept)) + kept


def _fields(data: mmap.mmap, start: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """Of each field of a message: its number, where it starts, where its content does, and where it ends.

    Raises:
        ValueError: no message is like this.
    """
    place = start
    while place < end:
        key, content = _number(data, place)
        kind = key & 7
        if kind == _VARINT:
            stop = _number(data, content)[1]
        elif kind == _SIZED:
            size, content = _number(data, content)
            stop = content + size
        elif kind in (_FIXED64, _FIXED32):
            stop = content + (8 if kind == _FIXED64 else 4)
        else:
            raise ValueError(f"a field of kind {kind} at byte {place}")
        if stop > end:
            raise ValueError(f"the field at byte {place} ends behind its message")
        yield key >> 3, place, content, stop
        place = stop


def _number(data: mmap.mmap, place: int) -> tuple[int, int]:
    """A variable-length integer, and where it ends."""
    value = shift = 0
    while shift < 70 and place < len(data):
        byte = data[place]
        value |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if byte < 0x80:
            return value, place
    raise ValueError(f"no integer ends at byte {place}")


def _prefix(number: int, size: int) -> bytes:
    """What stands in front of a field that has a size."""
    encoded = bytearray()
    for value in (number << 3 | _SIZED, size):
        while value >= 0x80:
            encoded.append(value & 0x7F | 0x80)
            value >>= 7
        encoded.append(value)
    return bytes(encoded)
