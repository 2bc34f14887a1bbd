"""Tiny models, one for each thing that a request can be: TensorFlow Serving's own test models, re-made.

Each is an ONNX file, and the same as a SavedModel beside it, so that the real server can be held to the same cases:

    python tests/serving/foreign.py /tmp/models
    tensorflow_model_server --model_config_file=/tmp/models/models.config --port=8500 --rest_api_port=8501
    ISOMER_SERVING_REST=localhost:8501 ISOMER_SERVING_GRPC=localhost:8500 \\
        pytest tests/serving/test_contract.py tests/serving/test_rpc.py
"""

from __future__ import annotations

import sys
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
    """Base paths below `root`: half_plus_two (versions 1 and 2), echo_<type>, bytes, pair, matrix, total, uneven."""
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


def write_saved_models(root: Path) -> None:
    """The same as SavedModels, beside the ONNX files of `write`."""
    import tensorflow as tf

    def save(name: str, function: Any, version: str = "1", **inputs: Any) -> None:
        module = tf.Module()
        module.call = tf.function(function, input_signature=None)
        specs = {k: tf.TensorSpec(shape, kind, k) for k, (kind, shape) in inputs.items()}
        concrete = module.call.get_concrete_function(**specs)
        tf.saved_model.save(module, str(root / name / version), signatures=concrete)

    for version in ("1", "0002"):
        save("half_plus_two", lambda x: {"y": x * 0.5 + 2.0}, version, x=(tf.float32, [None]))
    for name in TYPES:
        save(f"echo_{name}", lambda x: {"y": tf.identity(x)}, x=(tf.as_dtype(name), None))
    save("bytes", lambda x: {"image_bytes": tf.identity(x)}, x=(tf.string, [None]))
    two = {"a": (tf.float32, [None, 2]), "b": (tf.int64, [None])}
    save("pair", lambda a, b: {"twice": a + a, "same": tf.identity(b)}, **two)
    save("matrix", lambda x: {"y": x + x}, x=(tf.float32, [None, 2, 3]))
    save("total", lambda x: {"y": tf.reduce_sum(x)}, x=(tf.float32, [None]))
    save("uneven", lambda x: {"y": tf.reduce_sum(x, keepdims=True), "z": tf.identity(x)}, x=(tf.float32, [None]))


def config(root: Path) -> str:
    """A models.config of what `write` wrote."""
    entries = (
        f'config {{ name: "{base.name}" base_path: "{base}" model_platform: "tensorflow" }}'
        for base in sorted(root.resolve().iterdir())
        if base.is_dir()
    )
    return "model_config_list {\n  " + "\n  ".join(entries) + "\n}\n"


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


if __name__ == "__main__":
    target = Path(sys.argv[1])
    write(target)
    write_saved_models(target)
    (target / "models.config").write_text(config(target))
