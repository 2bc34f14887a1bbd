"""One model through the stock converters: what a user calls today, run at batch 1 and 3 on the same rows and budget.

Everything is done for them: their outputs are matched by name, else by place, else in whatever order fits.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from io import StringIO
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.coverage.judged import InProcess, Prepared, words
from benchmarks.coverage.results import STOCK, Row, Square
from pipeline.artifact import Artifact
from pipeline.cells import Status
from pipeline.formats import tfjs
from pipeline.parity.inputs import Tensors
from pipeline.parity.verdict import judge_outputs
from pipeline.runtimes import RUNTIMES
from pipeline.runtimes.base import infer_in_batches

_ROWS = 9
_BATCHES = (1, 3)
Step = Callable[[Mapping[str, np.ndarray]], Tensors]


def judge_model(name: str, prepared: Prepared, scratch: Path) -> Row:
    """Every converter's square."""
    began = time.perf_counter()
    squares = []
    with tempfile.TemporaryDirectory(dir=scratch) as directory:
        for path, convert in CONVERTERS.items():
            try:
                with redirect_stdout(StringIO()):
                    run = convert(prepared.model, Path(directory))
                squares.append(_judge(path, run, prepared))
            except Exception as error:
                squares.append(Square(path, "FAIL", words(error)))
    return Row(name, STOCK, tuple(squares), time.perf_counter() - began)


def _judge(path: str, run: Callable[[Tensors, int], Tensors], prepared: Prepared) -> Square:
    evidence = prepared.evidence
    few = evidence.take(np.arange(min(_ROWS, evidence.judged.regular)))
    worst = Square(path, "PASS", ulp=0.0)
    for batch in _BATCHES:
        outputs = run(few.judged.tensors, batch)
        found = [judge_outputs(o, few.exact, few.reference, few.budgets) for o in named(outputs, few.exact)]
        best = min(found, key=lambda f: (f.status is not Status.PASS, f.ulp_error))
        if best.status is not Status.PASS:
            return Square(path, "FAIL", f"in batches of {batch}: {best.reason}", best.ulp_error, best.budget_ulp)
        if worst.ulp is not None and best.ulp_error >= worst.ulp:
            worst = Square(path, "PASS", "", best.ulp_error, best.budget_ulp)
    return worst


def named(outputs: Tensors, exact: Tensors) -> list[Tensors]:
    """The outputs under the names that they should have, in every order that may be meant."""
    if outputs.keys() == exact.keys():
        return [outputs]
    if len(outputs) != len(exact):
        raise ValueError(f"it has {len(outputs)} outputs, the model {len(exact)}")
    orders = permutations(outputs.values()) if len(outputs) <= 4 else [tuple(outputs.values())]
    return [dict(zip(exact, order, strict=True)) for order in orders]


def _saved_model(model: Any, directory: Path) -> Any:
    import tensorflow as tf

    model.export(directory / "saved_model", format="tf_saved_model", verbose=False)
    loaded = tf.saved_model.load(str(directory / "saved_model"))
    function = loaded.signatures["serving_default"]
    wanted = function.structured_input_signature[1]

    def step(rows: Mapping[str, np.ndarray]) -> Tensors:
        fed = feed(rows, list(wanted), [tuple(t.shape) for t in wanted.values()])
        outputs = function(**{n: _constant(tf, v, wanted[n].dtype) for n, v in fed.items()})
        return {n: v.numpy() for n, v in outputs.items()}

    step.loaded = loaded  # type: ignore[attr-defined]  # a function of a SavedModel dies with it
    return lambda inputs, batch: infer_in_batches(step, inputs, batch)


def _constant(tf: Any, value: np.ndarray, kind: Any) -> Any:
    return tf.constant(value) if kind == tf.string else tf.cast(value, kind)


def feed(rows: Mapping[str, np.ndarray], names: list[str], shapes: list[Any]) -> dict[str, np.ndarray]:
    """The inputs under the file's names: by name, else the only ones of their shape, else by place."""
    if rows.keys() == set(names):
        return dict(rows)
    if len(rows) != len(names):
        raise ValueError(f"it has {len(names)} inputs, the model {len(rows)}")
    left = dict(rows)
    fed: dict[str, np.ndarray] = {}
    for name, shape in zip(names, shapes, strict=True):
        alike = [n for n in left if n in name or name in n] or [
            n
            for n, v in left.items()
            if len(shape) == v.ndim
            and all(s in (None, -1, 0) or s == d for s, d in zip(shape[1:], v.shape[1:], strict=True))
        ]
        fed[name] = left.pop(alike[0] if alike else next(iter(left)))
    return fed


def _tflite(content: bytes) -> Any:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=content, num_threads=os.cpu_count())
    details = {d["name"]: d for d in interpreter.get_input_details()}

    def step(rows: Mapping[str, np.ndarray]) -> Tensors:
        fed = feed(rows, list(details), [tuple(d["shape_signature"]) for d in details.values()])
        for name, value in fed.items():
            interpreter.resize_tensor_input(details[name]["index"], value.shape)
        interpreter.allocate_tensors()
        for name, value in fed.items():
            kind = details[name]["dtype"]
            interpreter.set_tensor(details[name]["index"], value if value.dtype.kind in "US" else value.astype(kind))
        interpreter.invoke()
        return {d["name"]: interpreter.get_tensor(d["index"]) for d in interpreter.get_output_details()}

    return lambda inputs, batch: infer_in_batches(step, inputs, batch)


def _tflite_converter(model: Any, _: Path) -> Any:
    import tensorflow as tf

    return _tflite(tf.lite.TFLiteConverter.from_keras_model(model).convert())


def _keras_litert(model: Any, directory: Path) -> Any:
    file = directory / "model.tflite"
    model.export(file, format="litert", verbose=False)
    return _tflite(file.read_bytes())


def _onnx(file: Path) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    wanted = {i.name: i for i in session.get_inputs()}
    kinds = {"float": "float32", "double": "float64", "float16": "float16"}

    def step(rows: Mapping[str, np.ndarray]) -> Tensors:
        fed = feed(
            rows, list(wanted), [tuple(s if isinstance(s, int) else None for s in i.shape) for i in wanted.values()]
        )
        cast = {}
        for name, value in fed.items():
            kind = wanted[name].type.removeprefix("tensor(").removesuffix(")")
            cast[name] = value.astype(object) if kind == "string" else value.astype(kinds.get(kind, kind))
        names = [o.name for o in session.get_outputs()]
        return dict(zip(names, session.run(names, cast), strict=True))

    return lambda inputs, batch: infer_in_batches(step, inputs, batch)


def _keras_onnx(model: Any, directory: Path) -> Any:
    file = directory / "keras.onnx"
    model.export(file, format="onnx", verbose=False)
    return _onnx(file)


def _tf2onnx(model: Any, directory: Path) -> Any:
    import tf2onnx
    from keras.src.export import tf2onnx_lib

    tf2onnx_lib.patch_tf2onnx()  # without Keras' repair for NumPy 2, nothing at all would convert
    file = directory / "tf2onnx.onnx"
    tf2onnx.convert.from_keras(model, opset=18, output_path=str(file))
    return _onnx(file)


def _tfjs(_: Any, directory: Path) -> Any:
    source = directory / "saved_model"
    if not (source / "saved_model.pb").is_file():
        raise ValueError("Keras' SavedModel, which it converts, was not written")
    target = directory / "tfjs"
    tfjs._converter().convert_tf_saved_model(str(source), str(target), control_flow_v2=True)
    offered = tfjs.signature(target)
    worker = InProcess(next(e for e in RUNTIMES if e.name == "tfjs-node"))
    worker.activate(Artifact("tfjs", "float32", "tfjs", offered), target)

    def run(inputs: Tensors, batch: int) -> Tensors:
        names = [t.name for t in offered.inputs]
        fed = feed(inputs, names, [t.shape for t in offered.inputs])
        kinds = {t.name: t.dtype for t in offered.inputs}
        return worker.infer({n: v if kinds[n] == "string" else v.astype(kinds[n]) for n, v in fed.items()}, batch)[0]

    return run


CONVERTERS: dict[str, Callable[[Any, Path], Any]] = {
    "savedmodel: model.export": _saved_model,
    "tflite: TFLiteConverter.from_keras_model": _tflite_converter,
    "tflite: model.export litert": _keras_litert,
    "onnx: model.export onnx": _keras_onnx,
    "onnx: tf2onnx.convert.from_keras": _tf2onnx,
    "tfjs: tensorflowjs on model.export": _tfjs,
}
