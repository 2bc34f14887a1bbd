"""Tiny ONNX models, one for each thing that a request can be: TensorFlow Serving's own test models, re-made."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

TYPES = {
    "float": TensorProto.FLOAT,
    "double": TensorProto.DOUBLE,
    "half": TensorProto.FLOAT16,
    "int8": TensorProto.INT8,
    "int16": TensorProto.INT16,
    "int32": TensorProto.INT32,
    "int64": TensorProto.INT64,
    "uint8": TensorProto.UINT8,
    "uint32": TensorProto.UINT32,
    "uint64": TensorProto.UINT64,
    "bool": TensorProto.BOOL,
    "string": TensorProto.STRING,
}


def write(root: Path) -> None:
    """Base paths below `root`: half_plus_two (versions 1 and 2), echo_<type>, bytes, pair, matrix, total."""
    for version in ("1", "0002"):
        half_plus(root / "half_plus_two" / version, 2)
    for name, kind in TYPES.items():
        echo = [helper.make_node("Identity", ["x"], ["y"])]
        _save(root / f"echo_{name}" / "1", echo, [_tensor("x", kind, None)], [_tensor("y", kind, None)])
    echo = [helper.make_node("Identity", ["x"], ["image_bytes"])]
    _save(root / "bytes" / "1", echo, [_tensor("x", TensorProto.STRING)], [_tensor("image_bytes", TensorProto.STRING)])
    nodes = [helper.make_node("Add", ["a", "a"], ["twice"]), helper.make_node("Identity", ["b"], ["same"])]
    a, b = _tensor("a", shape=["n", 2]), _tensor("b", TensorProto.INT64, ["n"])
    _save(root / "pair" / "1", nodes, [a, b], [_tensor("twice", shape=["n", 2]), _tensor("same", TensorProto.INT64)])
    nodes = [helper.make_node("Add", ["x", "x"], ["y"])]
    _save(root / "matrix" / "1", nodes, [_tensor("x", shape=["n", 2, 3])], [_tensor("y", shape=["n", 2, 3])])
    nodes = [helper.make_node("ReduceSum", ["x"], ["y"], keepdims=0)]
    _save(root / "total" / "1", nodes, [_tensor("x")], [_tensor("y", shape=[])])
    nodes = [helper.make_node("ReduceSum", ["x"], ["y"], keepdims=1), helper.make_node("Identity", ["x"], ["z"])]
    _save(root / "uneven" / "1", nodes, [_tensor("x")], [_tensor("y"), _tensor("z")])


def half_plus(directory: Path, number: float) -> None:
    """A version that answers x / 2 + number."""
    constants = [_constant("half", 0.5), _constant("number", number)]
    nodes = [helper.make_node("Mul", ["x", "half"], ["h"]), helper.make_node("Add", ["h", "number"], ["y"])]
    _save(directory, nodes, [_tensor("x")], [_tensor("y")], constants)


def _tensor(name: str, kind: int = TensorProto.FLOAT, shape: Sequence[int | str] | None = ("n",)) -> Any:
    return helper.make_tensor_value_info(name, kind, shape)


def _constant(name: str, value: float) -> Any:
    return numpy_helper.from_array(np.array(value, np.float32), name)


def _save(directory: Path, nodes: list[Any], inputs: list[Any], outputs: list[Any], constants: Any = ()) -> None:
    graph = helper.make_graph(nodes, "graph", inputs, outputs, list(constants))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    directory.mkdir(parents=True)
    (directory / "model.onnx").write_bytes(model.SerializeToString())
