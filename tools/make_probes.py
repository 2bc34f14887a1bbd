#!/usr/bin/env python3
"""Write adapters/probe_models.mjs: the precision probe as an ONNX and as a TFLite model (see adapters/probe.mjs).

uv run python tools/make_probes.py
"""

from __future__ import annotations

import base64
from pathlib import Path

import onnx
import tensorflow as tf
from onnx import TensorProto, helper

ROWS = 4096
_TARGET = Path(__file__).resolve().parents[1] / "adapters" / "probe_models.mjs"
_INPUTS = ("one", "small", "tiny")
_HEAD = """// The precision probe as models, for libraries that only run models. Written by tools/make_probes.py.

const decode = (text) => Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
"""


def as_onnx() -> bytes:
    """sums, products, subnormals of one, small, tiny."""
    pairs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [ROWS, 2]) for name in _INPUTS]
    graph = helper.make_graph(
        [
            helper.make_node("Add", ["one", "small"], ["sums"]),
            helper.make_node("MatMul", ["sums", "pick"], ["products"]),
            helper.make_node("Mul", ["tiny", "one"], ["subnormals"]),
        ],
        "probe",
        pairs,
        [
            helper.make_tensor_value_info("sums", TensorProto.FLOAT, [ROWS, 2]),
            helper.make_tensor_value_info("products", TensorProto.FLOAT, [ROWS, 1]),
            helper.make_tensor_value_info("subnormals", TensorProto.FLOAT, [ROWS, 2]),
        ],
        [helper.make_tensor("pick", TensorProto.FLOAT, [2, 1], [1.0, 0.0])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


class _Probe(tf.Module):  # type: ignore[misc]
    @tf.function(input_signature=[tf.TensorSpec([ROWS, 2], name=name) for name in _INPUTS])
    def __call__(self, one: tf.Tensor, small: tf.Tensor, tiny: tf.Tensor) -> dict[str, tf.Tensor]:
        sums = one + small
        return {"sums": sums, "products": sums @ tf.constant([[1.0], [0.0]]), "subnormals": tiny * one}


def as_tflite() -> bytes:
    """The same, with a signature."""
    probe = _Probe()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([probe.__call__.get_concrete_function()], probe)
    return bytes(converter.convert())


def main() -> None:
    """Write the file."""
    lines = [_HEAD]
    for name, data in (("ONNX_PROBE", as_onnx()), ("TFLITE_PROBE", as_tflite())):
        text = base64.b64encode(data).decode()
        parts = [text[i : i + 110] for i in range(0, len(text), 110)]
        body = " +\n".join(f"    '{part}'" for part in parts)
        lines.append(f"export const {name} = () => decode(\n{body});\n")
    _TARGET.write_text("\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
