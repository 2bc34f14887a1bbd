"""Large weights of an ONNX model: put in behind tf2onnx, and beside the file where they exceed a protocol buffer."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

# A protocol buffer ends at 2 GiB; the graph itself takes some of it.
MOST_BYTES = (2 << 30) - (64 << 20)
_APART = 1 << 10  # shapes and indices must stay where shape inference reads them
_ALIGNED = 4096  # so that a runtime can map the file into memory, as the ONNX documentation recommends


def put_back(model: Any, weights: Mapping[str, np.ndarray]) -> None:
    """Make initializers of the inputs that have these names, transposed where only the transposed weight is read.

    A weight that the graph has come to read in another form is left out.
    """
    from onnx import numpy_helper

    graph = model.graph
    kept = [value for value in graph.input if value.name not in weights]
    found = {value.name for value in graph.input} & weights.keys()
    del graph.input[:]
    graph.input.extend(kept)
    readers: dict[str, list[Any]] = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    for name in sorted(found):
        if name not in readers:
            continue
        value = weights[name]
        while len(readers.get(name, ())) == 1 and readers[name][0].op_type == "Transpose":
            node = readers[name][0]
            value = value.transpose(_order(node, value.ndim))
            graph.node.remove(node)
            readers[name] = readers.pop(node.output[0], [])
            for reader in readers[name]:
                reader.input[:] = [name if source == node.output[0] else source for source in reader.input]
        graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(value), name))


def save(model: Any, path: Path) -> int:
    """Write a model, and `<path>.data` where its weights need a file of their own; returns the bytes of both."""
    from onnx.external_data_helper import set_external_data

    tensors = [t for t in model.graph.initializer if len(t.raw_data) >= _APART]
    data = path.with_name(f"{path.name}.data")
    if sum(len(t.raw_data) for t in tensors) > MOST_BYTES:
        with data.open("wb") as file:
            for tensor in tensors:
                file.write(b"\0" * (-file.tell() % _ALIGNED))
                set_external_data(tensor, data.name, file.tell(), len(tensor.raw_data))
                file.write(tensor.raw_data)
                tensor.ClearField("raw_data")
    path.write_bytes(model.SerializeToString(deterministic=True))
    return path.stat().st_size + (data.stat().st_size if data.exists() else 0)


def _order(node: Any, rank: int) -> list[int]:
    attributes = {a.name: list(a.ints) for a in node.attribute}
    return attributes.get("perm") or list(range(rank))[::-1]
