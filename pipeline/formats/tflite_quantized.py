"""TFLite at reduced precisions, made out of the float32 file by ai-edge-quantizer, without TensorFlow."""

from __future__ import annotations

import re
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.artifact import Artifact
from pipeline.errors import LegalizationError, Obstacle, first_line
from pipeline.formats.quantized import Samples, Stored, beside, dequantized, too_few
from pipeline.formats.tflite import model_of, operators, parsed, signature
from pipeline.normalizations import Operation, normalizations
from pipeline.precisions import named
from pipeline.signature import DEFAULT_SIGNATURE

_RECIPES = {
    "int8-weights": "weight_only_wi8_afp32",
    "int4-weights": "weight_only_wi4_afp32",
    "int8-dynamic": "dynamic_wi8_afp32",
    "int8": "static_wi8_ai8",
    "int8-io": "static_wi8_ai8",
    "int16x8": "static_wi8_ai16",
}
_CALIBRATION_BATCH = 50
_LOOPS = "its calibration does not look into loops, and fixed-point kernels would need the ranges there"


def write(base: Artifact, root: Path, precision: str, samples: Samples | None) -> Artifact:
    """Write `tflite/<precision>.tflite` (or `<precision>-batch1.tflite`) beside the float32 file.

    Args:
        base: the float32 artifact.
        samples: calibration rows by input name, for the precisions that fix the ranges of activations.

    Raises:
        LegalizationError: the quantizer cannot make it.
    """
    source = base.locate(root)
    calibrated = named(precision).calibrated
    if calibrated and "WHILE" in operators(source):
        raise _refusal("WHILE", f"ai-edge-quantizer cannot fix ranges in this model: {_LOOPS}", calibrated)
    try:
        with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
            quantized = _quantize(source, precision, samples if calibrated else None, bool(base.variant))
            content = _finished(quantized, source)
    except Exception as error:
        raise _refusal("", f"ai-edge-quantizer says: {first_line(error)[:300]}", calibrated) from error
    path = Path("tflite") / ("-".join(filter(None, (precision, base.variant))) + ".tflite")
    (root / path).write_bytes(content)
    if left := too_few(stored(root / path)):
        (root / path).unlink()
        raise _refusal("", f"ai-edge-quantizer {left}", calibrated)
    return beside(base, root, path, precision, signature(root / path))


def stored(path: Path) -> dict[str, Stored]:
    """Constants by tensor name, over all subgraphs: floats, and whole numbers that have a scale."""
    from ai_edge_litert import schema_py_generated as schema

    model = model_of(path)
    kinds = {v: k.lower() for k, v in vars(schema.TensorType).items() if isinstance(v, int)}
    found: dict[str, Stored] = {}
    for place, graph in enumerate(model.subgraphs):
        for tensor in graph.tensors:
            data = model.buffers[tensor.buffer].data
            if not _length(data):
                continue
            kind = kinds[tensor.type]
            shape = tuple(tensor.shape) if tensor.shape is not None and len(tensor.shape) else ()
            entry = _entry(np.asarray(data, np.uint8).tobytes(), kind, shape, tensor.quantization)
            if entry is not None:
                name = _text(tensor.name)
                found[f"{name}#{place}" if place else name] = entry
    return found


def quanta(path: Path) -> dict[str, float]:
    """The step of each output that is a whole number times that."""
    model = model_of(path)
    definition = (model.signatureDefs or [None])[0]
    if definition is None:
        return {}
    graph = model.subgraphs[definition.subgraphIndex]
    makers = {int(out): op for op in graph.operators for out in op.outputs}
    found = {}
    for member in definition.outputs:
        place = member.tensorIndex
        if _step(graph.tensors[place]) is None and place in makers and len(makers[place].inputs) == 1:
            place = int(makers[place].inputs[0])  # what a DEQUANTIZE widens
        if (step := _step(graph.tensors[place])) is not None:
            found[_text(member.name)] = step
    return found


def _step(tensor: Any) -> float | None:
    scale = None if tensor.quantization is None else tensor.quantization.scale
    return float(scale[0]) if scale is not None and len(scale) == 1 else None


def _entry(data: bytes, kind: str, shape: tuple[int, ...], quantization: Any) -> Stored | None:
    if kind in ("float32", "float16"):
        return Stored(np.frombuffer(data, kind).reshape(shape), kind)
    scale = None if quantization is None else quantization.scale
    if scale is None or not len(scale):
        return None
    count = int(np.prod(shape, dtype=np.int64))
    if kind == "int4":
        packed = np.frombuffer(data, np.int8)
        # Two to a byte, the lower half first; shifting back and forth keeps the sign.
        halves = np.stack([(packed << 4).astype(np.int8) >> 4, packed >> 4], axis=-1)
        whole = halves.reshape(-1)[:count].reshape(shape)
    else:
        whole = np.frombuffer(data, kind)[:count].reshape(shape)
    levels = 16 if kind == "int4" else 2 ** (8 * np.dtype(kind).itemsize)
    axis = quantization.quantizedDimension
    return dequantized(whole, np.asarray(scale), np.asarray(quantization.zeroPoint), axis, kind, levels)


def _quantize(source: Path, precision: str, samples: Samples | None, static: bool) -> bytes:
    from ai_edge_quantizer import qtyping, quantizer, recipe

    made = quantizer.Quantizer(str(source))
    if precision == "float16":
        weights = qtyping.TensorQuantizationConfig(num_bits=16, dtype=qtyping.TensorDataType.FLOAT)
        made.update_quantization_recipe(
            regex=".*",
            operation_name=qtyping.TFLOperationName.ALL_SUPPORTED,
            op_config=qtyping.OpQuantizationConfig(
                weight_tensor_config=weights,
                compute_precision=qtyping.ComputePrecision.FLOAT,
                explicit_dequantize=True,
            ),
            algorithm_key="float_casting",
        )
    else:
        made.load_quantization_recipe(getattr(recipe, _RECIPES[precision])())
    if named(precision).calibrated and not named(precision).whole_io:
        for operation in (qtyping.TFLOperationName.INPUT, qtyping.TFLOperationName.OUTPUT):
            made.update_quantization_recipe(regex=".*", operation_name=operation, algorithm_key="no_quantize")
    if samples is not None:
        for name in sorted(normalizations(_operations(source), of_inputs=not named(precision).whole_io)):
            made.update_quantization_recipe(
                regex=f"^{re.escape(name)};$",
                operation_name=qtyping.TFLOperationName.ALL_SUPPORTED,
                algorithm_key="no_quantize",
            )
    if precision == "int16x8":  # TFLite's kernel refuses most pairs of steps
        made.update_quantization_recipe(
            regex=".*", operation_name=qtyping.TFLOperationName.SUB, algorithm_key="no_quantize"
        )
    ranges = None if samples is None else _ranges(made, samples, static)
    return bytes(made.quantize(ranges).quantized_model)


def _operations(path: Path) -> list[Operation]:
    """The main graph's, by the names of their first results."""
    from ai_edge_litert import schema_py_generated as schema

    kinds = {v: k for k, v in vars(schema.BuiltinOperator).items() if isinstance(v, int)}
    model = model_of(path)
    graph = model.subgraphs[0]
    codes = [kinds[max(code.builtinCode, code.deprecatedBuiltinCode)] for code in model.operatorCodes]
    held = {k: t.shape for k, t in enumerate(graph.tensors) if _length(model.buffers[t.buffer].data)}
    return [
        Operation(
            _text(graph.tensors[op.outputs[0]].name),
            codes[op.opcodeIndex],
            tuple(str(k) for k in op.inputs if k >= 0 and k not in held),
            tuple(str(k) for k in op.outputs),
            any(held[k] is not None and np.prod(held[k]) > 1 for k in op.inputs if k in held),
        )
        for op in graph.operators
        if len(op.outputs)
    ]


def _length(data: Any) -> int:
    return 0 if data is None else len(data)


def _text(name: Any) -> str:
    return name.decode() if isinstance(name, bytes) else str(name)


def _ranges(made: Any, samples: Samples, static: bool) -> dict[str, Any]:
    """The smallest and the largest value of each tensor over all samples.

    The quantizer itself averages from call to call, which clips whatever is out of the ordinary.
    """
    rows, batch = len(next(iter(samples.values()))), 1 if static else _CALIBRATION_BATCH
    merged: dict[str, Any] = {}
    for start in range(0, rows, batch):
        call = {name: value[start : start + batch] for name, value in samples.items()}
        for name, found in made.calibrate({DEFAULT_SIGNATURE: [call]}).items():
            known = merged.setdefault(name, found)
            for key, choose in (("min", np.minimum), ("max", np.maximum)):
                if key in found:
                    known[key] = choose(known[key], found[key])
    # Any step keeps a zero, but kernels refuse sums of steps that are apart by orders of magnitude.
    for known in merged.values():
        if "min" in known and not np.any(known["min"]) and not np.any(known["max"]):
            known["min"], known["max"] = known["min"] - 1, known["max"] + 1
    return merged


def _finished(content: bytes, source: Path) -> bytes:
    """What the quantizer leaves undone: marks of dynamic dimensions, and weights inside of the FlatBuffer.

    The tensors that it adds in front of an output lose the marks. From 256 KiB on it puts weights behind the
    FlatBuffer, as files of more than 2 GB need it; older runtimes and other readers do not look there.
    """
    import flatbuffers

    before, after = model_of(source), parsed(content)
    for old, new in zip(before.signatureDefs or [], after.signatureDefs or [], strict=False):
        for was, member in zip(old.outputs, new.outputs, strict=True):
            marks = before.subgraphs[old.subgraphIndex].tensors[was.tensorIndex].shapeSignature
            tensor = after.subgraphs[new.subgraphIndex].tensors[member.tensorIndex]
            if marks is not None and len(marks) and (tensor.shapeSignature is None or not len(tensor.shapeSignature)):
                tensor.shapeSignature = marks
    builder = flatbuffers.Builder(len(content))
    builder.Finish(after.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def _refusal(op: str, reason: str, calibrated: bool) -> LegalizationError:
    floats = "Take a precision that leaves activations in floats: float16, int8-weights, int8-dynamic."
    advice = floats if calibrated else "Leave this precision out."
    return LegalizationError.of("tflite", [Obstacle(op, (), reason, advice)])
