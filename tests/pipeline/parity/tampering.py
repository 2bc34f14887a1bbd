"""Ways to break an artifact on purpose."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from pipeline import formats

Change = Callable[[np.ndarray], np.ndarray]


def change_constants(format: str, path: Path, change: Change, size: int | None = None) -> int:
    """Replace float constants of an artifact in place, all or those of one size; returns how many changed.

    Every format stores them as plain little-endian bytes, so that no library stands between the file and the test.
    """
    held = next(f for f in formats.FORMATS if f.name == format).load().constants(path)
    files = sorted(path.glob("*.bin")) if path.is_dir() else [path]
    changed = 0
    for array in held:
        if size is not None and array.size != size:
            continue
        before, after = array.tobytes(), change(array.copy()).astype(array.dtype).tobytes()
        if before == after:
            continue
        for file in files:
            content = file.read_bytes()
            if len(before) >= 16 and before in content:
                file.write_bytes(content.replace(before, after))
                changed += 1
    return changed


def one_value(new: Callable[[np.float32], float], index: int = 7) -> Change:
    """A change of one value of an array."""

    def change(array: np.ndarray) -> np.ndarray:
        flat = array.reshape(-1)
        flat[index] = new(flat[index])
        return array

    return change


def through_half(array: np.ndarray) -> np.ndarray:
    """Every value rounded to float16, in a float32 file."""
    return array.astype(np.float16).astype(array.dtype)


def swap_outputs(format: str, path: Path, left: str, right: str) -> None:
    """Exchange the names of two outputs."""
    {"onnx": _swap_onnx, "tflite": _swap_tflite, "tfjs": _swap_tfjs}[format](path, left, right)


def rename_output(path: Path, old: str, new: str) -> None:
    """Give an output of an ONNX file another name."""
    edit_onnx(path, lambda graph: _rename(graph, {old: new}))


def edit_onnx(path: Path, edit: Callable[[Any], None]) -> None:
    import onnx

    model = onnx.load(str(path))
    edit(model.graph)
    onnx.save(model, str(path))


def append_onnx(path: Path, output: str, *operations: tuple[str, dict[str, Any]], add: bool = False) -> None:
    """Put operations behind an output; with `add`, their result is added to it."""
    from onnx import helper

    def edit(graph: Any) -> None:
        _rename(graph, {output: f"{output}.raw"}, outputs=False)
        value = f"{output}.raw"
        for number, (kind, attributes) in enumerate(operations):
            target = output if number == len(operations) - 1 and not add else f"{output}.{number}"
            graph.node.append(helper.make_node(kind, [value], [target], **attributes))
            value = target
        if add:
            graph.node.append(helper.make_node("Add", [f"{output}.raw", value], [output]))

    edit_onnx(path, edit)


def _rename(graph: Any, names: dict[str, str], outputs: bool = True) -> None:
    for node in graph.node:
        node.input[:] = [names.get(n, n) for n in node.input]
        node.output[:] = [names.get(n, n) for n in node.output]
    for value in graph.output if outputs else ():
        value.name = names.get(value.name, value.name)


def _swap_onnx(path: Path, left: str, right: str) -> None:
    edit_onnx(path, lambda graph: _rename(graph, {left: right, right: left}, outputs=False))


def _swap_tfjs(path: Path, left: str, right: str) -> None:
    file = path / "model.json"
    model = json.loads(file.read_text())
    outputs = model["signature"]["outputs"]
    outputs[left], outputs[right] = outputs[right], outputs[left]
    file.write_text(json.dumps(model))


def _swap_tflite(path: Path, left: str, right: str) -> None:
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(path.read_bytes(), 0))
    members = {m.name: m for m in model.signatureDefs[0].outputs}
    a, b = members[left.encode()], members[right.encode()]
    a.tensorIndex, b.tensorIndex = b.tensorIndex, a.tensorIndex
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    path.write_bytes(bytes(builder.Output()))
