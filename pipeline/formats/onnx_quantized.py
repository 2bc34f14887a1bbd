"""ONNX at reduced precisions, made out of the float32 file by ONNX Runtime's own tools."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.artifact import Artifact
from pipeline.errors import LegalizationError, Obstacle, first_line
from pipeline.formats.onnx import graphs, signature
from pipeline.formats.quantized import Samples, Stored, beside, dequantized, too_few
from pipeline.normalizations import Operation, normalizations

# What the dynamic scheme of the standard has operations for; ONNX Runtime's own LSTM is no standard operation.
_DYNAMIC = ["MatMul", "Gemm", "Conv"]
_ROWS = 8
_SUFFIX = "_quantized"


def write(base: Artifact, root: Path, precision: str, samples: Samples | None) -> Artifact:
    """Write `onnx/<precision>.onnx` beside the float32 file.

    Args:
        base: the float32 artifact.
        samples: calibration rows by input name, for "int8".

    Raises:
        LegalizationError: the tools cannot make it, or nothing of the model would be stored in fewer bits.
    """
    import onnx

    source, path = base.locate(root), Path("onnx") / f"{precision}.onnx"
    # ONNX Runtime writes what it infers beside its source.
    with tempfile.TemporaryDirectory(prefix=".onnx-", dir=root) as scratch, _quiet():
        try:
            model = _quantize(source, Path(scratch), precision, samples)
        except Exception as error:
            raise _refusal(f"ONNX Runtime's quantization says: {first_line(error)[:300]}") from error
    _drop_unread(model)
    (root / path).write_bytes(model.SerializeToString(deterministic=True))
    if left := too_few(stored(root / path)):
        (root / path).unlink()
        raise _refusal(f"ONNX Runtime's quantization {left}")
    onnx.checker.check_model(str(root / path))
    return beside(base, root, path, precision, signature(root / path))


def stored(path: Path) -> dict[str, Stored]:
    """Initializers that are read, by the name that they have in the float32 file."""
    import onnx
    from onnx import numpy_helper

    model = onnx.load(str(path))
    _drop_unread(model)
    held = {i.name: numpy_helper.to_array(i) for i in model.graph.initializer}
    axes, sources = {}, {}
    for node in model.graph.node:
        if node.op_type == "DequantizeLinear":
            axes[node.input[0]] = next((a.i for a in node.attribute if a.name == "axis"), 1)
            sources[node.input[0]] = (node.input[1], node.input[2] if len(node.input) > 2 else "")
    found = {}
    for name, value in held.items():
        own = name.removesuffix(_SUFFIX)
        scale, zero = sources.get(name, (f"{own}_scale", f"{own}_zero_point"))
        if value.dtype.kind == "f" and not name.endswith("_scale"):
            found[name] = Stored(value, value.dtype.name)
        elif name != own and scale in held:
            origin = held[zero] if zero in held else np.zeros(1, value.dtype)
            axis = axes.get(name, value.ndim - 1)  # of a matrix that MatMulInteger reads, its columns
            levels = 2 ** (8 * value.dtype.itemsize)
            found[own] = dequantized(value, held[scale].reshape(-1), origin.reshape(-1), axis, value.dtype.name, levels)
    return found


def quanta(path: Path) -> dict[str, float]:
    """The step of each output that a DequantizeLinear makes."""
    import onnx
    from onnx import numpy_helper

    model = onnx.load(str(path))
    held = {i.name: numpy_helper.to_array(i) for i in model.graph.initializer}
    outputs = {value.name for value in model.graph.output}
    return {
        node.output[0]: float(held[node.input[1]].reshape(-1)[0])
        for node in model.graph.node
        if node.op_type == "DequantizeLinear" and node.output[0] in outputs
    }


def _quantize(source: Path, scratch: Path, precision: str, samples: Samples | None) -> Any:
    import onnx
    from onnxruntime import quantization

    target = scratch / "quantized.onnx"
    whole = {"per_channel": True, "weight_type": quantization.QuantType.QInt8}
    if precision == "float16":
        from onnxruntime.transformers.float16 import convert_float_to_float16

        return _sorted(convert_float_to_float16(onnx.load(str(source)), keep_io_types=True))
    if precision == "int8-dynamic":
        quantization.quantize_dynamic(str(source), str(target), op_types_to_quantize=_DYNAMIC, **whole)
    else:
        assert samples is not None
        quantization.quantize_static(
            str(source),
            str(target),
            _Reader(samples),
            quant_format=quantization.QuantFormat.QDQ,
            activation_type=quantization.QuantType.QInt8,
            calibrate_method=quantization.CalibrationMethod.MinMax,
            nodes_to_exclude=sorted(normalizations(_operations(onnx.load(str(source))), of_inputs=True)),
            **whole,
        )
    return onnx.load(str(target))


def _operations(model: Any) -> list[Operation]:
    held = {i.name: int(np.prod(i.dims)) for i in model.graph.initializer}
    return [
        Operation(
            node.name,
            node.op_type,
            tuple(i for i in node.input if i and i not in held),
            tuple(node.output),
            any(held.get(i, 0) > 1 for i in node.input),
        )
        for node in model.graph.node
    ]


class _Reader:
    """Calibration rows in batches, as ONNX Runtime's `CalibrationDataReader` hands them out."""

    def __init__(self, samples: Samples) -> None:
        rows = len(next(iter(samples.values())))
        self._batches = iter(
            {name: value[k : k + _ROWS] for name, value in samples.items()} for k in range(0, rows, _ROWS)
        )

    def get_next(self) -> dict[str, np.ndarray] | None:
        """The next batch, or None."""
        return next(self._batches, None)

    def __iter__(self) -> Iterator[dict[str, np.ndarray]]:
        return self._batches

    def set_range(self, start_index: int, end_index: int) -> None:
        """Part of the interface, for runs in several processes; all batches are in one."""


def _sorted(model: Any) -> Any:
    """The same with the casts of inputs, which the converter appends, in front of what reads them."""
    given = {value.name for value in model.graph.input}
    nodes = sorted(model.graph.node, key=lambda n: not (n.op_type == "Cast" and n.input[0] in given))
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model


def _drop_unread(model: Any) -> None:
    read = {name for graph in graphs(model.graph) for node in graph.node for name in node.input}
    kept = [i for i in model.graph.initializer if i.name in read]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)


@contextmanager
def _quiet() -> Iterator[None]:
    """ONNX Runtime's quantization advises on the root logger."""
    logger = logging.getLogger()
    before, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = before


def _refusal(reason: str) -> LegalizationError:
    return LegalizationError.of("onnx", [Obstacle("", (), reason, "Take float16, or leave this precision out.")])
