"""Large weights of an ONNX model: put in behind tf2onnx, and beside the file where they exceed a protocol buffer."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.formats import onnx_stream

# A protocol buffer ends at 2 GiB; the graph itself takes some of it.
MOST_BYTES = (2 << 30) - (64 << 20)
APART = 1 << 10  # shapes and indices must stay where shape inference reads them


def settle(model: Any, weights: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The weights as the graph reads them, which are still its inputs: transposed where only that is read.

    A weight that the graph has come to read in another form is an input no longer.
    """
    graph = model.graph
    inputs = {value.name: value for value in graph.input}
    readers: dict[str, list[Any]] = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    settled = {}
    for name in sorted(inputs.keys() & weights.keys()):
        if name not in readers:
            graph.input.remove(inputs[name])
            continue
        value = weights[name]
        while len(readers.get(name, ())) == 1 and readers[name][0].op_type == "Transpose":
            node = readers[name][0]
            value = value.transpose(_order(node, value.ndim))
            graph.node.remove(node)
            readers[name] = readers.pop(node.output[0], [])
            for reader in readers[name]:
                reader.input[:] = [name if source == node.output[0] else source for source in reader.input]
        for dim, size in zip(inputs[name].type.tensor_type.shape.dim, value.shape, strict=True):
            dim.dim_value = size
        settled[name] = value
    return settled


def save(model: Any, weights: Mapping[str, np.ndarray], path: Path) -> int:
    """Write a model with initializers for the inputs that have these names; returns the bytes of all its files.

    The weights come into `<path>.data` where they need a file of their own.
    """
    from onnx import TensorProto, helper, numpy_helper

    graph = model.graph
    kept = [value for value in graph.input if value.name not in weights]
    del graph.input[:]
    graph.input.extend(kept)
    large = {t.name: t for t in graph.initializer if len(t.raw_data) >= APART}
    small = [t for t in graph.initializer if t.name not in large]
    values = {**weights, **{name: numpy_helper.to_array(t) for name, t in large.items()}}
    del graph.initializer[:]
    graph.initializer.extend(small)
    heads = [
        TensorProto(name=n, dims=v.shape, data_type=helper.np_dtype_to_tensor_dtype(v.dtype))
        for n, v in sorted(values.items())
    ]
    beside = sum(v.nbytes for v in values.values()) > MOST_BYTES
    data = path.with_name(f"{path.name}.data") if beside else None
    onnx_stream.write(model, [(head, values[head.name]) for head in heads], path, data)
    return path.stat().st_size + (data.stat().st_size if data else 0)


def _order(node: Any, rank: int) -> list[int]:
    attributes = {a.name: list(a.ints) for a in node.attribute}
    return attributes.get("perm") or list(range(rank))[::-1]
