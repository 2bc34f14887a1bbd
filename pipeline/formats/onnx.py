"""ONNX: an explicit opset, real input and output names, a dynamic batch, and where it came from."""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.artifact import Artifact
from pipeline.capture import Capture
from pipeline.errors import first_line
from pipeline.formats import onnx_stream, onnx_weights
from pipeline.formats.onnx_layout import corrected_layout
from pipeline.formats.onnx_tables import arguments
from pipeline.formats.unsupported import unsupported
from pipeline.legalize import legalize
from pipeline.legalize.opened import open_weights
from pipeline.signature import Signature, TensorSpec

# The newest opset that tf2onnx 1.17 writes and that every onnxruntime since 1.14 (2023) reads.
OPSET = 18
_STANDARD_DOMAINS = ("", "ai.onnx", "ai.onnx.ml")
_FAILED = re.compile(r"Failed to convert node '([^']+)'.*?OP=(\w+)", re.DOTALL)
_NUMBERED = re.compile(r"(.*)__(\d+)(:\d+)?")


def write(capture: Capture, root: Path, precision: str) -> list[Artifact]:
    """Write `onnx/<precision>.onnx`; weights of more than 2 GB into a file beside it.

    Raises:
        LegalizationError: tf2onnx does not know an operation.
    """
    import onnx
    import tf2onnx
    from keras.src.export import tf2onnx_lib

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        tf2onnx_lib.patch_tf2onnx()  # tf2onnx 1.17 uses names that NumPy 2 removed; Keras keeps the repair
    legal = legalize(capture, "onnx")
    opened = open_weights(legal)
    with _complaints() as failed, corrected_layout():
        try:
            model, _ = tf2onnx.convert.from_function(
                opened.function, input_signature=opened.specs, opset=OPSET, **arguments(legal, opened.concrete)
            )
        except Exception as error:
            # It goes on after a node that it fails on, and raises the first exception in the end.
            raise unsupported(capture, legal, [], f"tf2onnx says: {first_line(error)}", failed) from error
    if unknown := sorted(foreign(_operators(model))):
        names = [u.rpartition(".")[2] for u in unknown]
        raise unsupported(capture, legal, names, "the ONNX standard has no operation for it")
    _name_dimensions(model, capture.signature)
    _renumber(model)
    weights = onnx_weights.settle(model, opened.weights)
    del model.metadata_props[:]
    onnx.helper.set_model_props(
        model, {"producer": "isomer", "signature": capture.signature.name, "parameters": str(capture.parameters)}
    )
    path = Path("onnx") / f"{precision}.onnx"
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    onnx.checker.check_model(model)  # while its weights are inputs: they are in no protocol buffer
    size = onnx_weights.save(model, weights, root / path)
    return [Artifact("onnx", precision, path.as_posix(), signature(root / path), "", size, legal.rewrites)]


@contextmanager
def _complaints() -> Iterator[dict[str, list[str]]]:
    """Keep tf2onnx's log to ourselves, and collect from it which operations (type: name scopes) it fails on."""
    failed: dict[str, list[str]] = {}

    class Collect(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if found := _FAILED.search(record.getMessage()):
                failed.setdefault(found[2], []).append(found[1].rpartition("/")[0] or found[1])

    logger, handler = logging.getLogger("tf2onnx"), Collect(logging.ERROR)
    before = logger.level, logger.propagate, logger.handlers
    logger.handlers, logger.propagate = [handler], False
    logger.setLevel(logging.ERROR)
    try:
        yield failed
    finally:
        logger.setLevel(before[0])
        logger.propagate, logger.handlers = before[1], before[2]


def signature(path: Path) -> Signature:
    """Graph inputs and outputs; a dimension is dynamic where it has a name in place of a size."""
    graph = _load(path, weights=False).graph
    initializers = {i.name for i in graph.initializer}
    return Signature(
        tuple(sorted((_spec(v) for v in graph.input if v.name not in initializers), key=lambda t: t.name)),
        tuple(sorted((_spec(v) for v in graph.output), key=lambda t: t.name)),
    )


def constants(path: Path) -> list[np.ndarray]:
    """Float initializers and constants, those of loop bodies included."""
    from onnx import numpy_helper

    found = []
    for graph in graphs(_load(path).graph):
        tensors = list(graph.initializer)
        for node in graph.node:
            tensors += [a.t for a in node.attribute if node.op_type == "Constant" and a.name == "value"]
        found += [v for t in tensors if (v := numpy_helper.to_array(t)).dtype.kind == "f"]
    return found


def operators(path: Path) -> set[str]:
    """ "Op" for standard operations, "domain.Op" for others."""
    return _operators(_load(path, weights=False))


def foreign(operators: set[str]) -> set[str]:
    """Operations that the ONNX standard (its main and ML domains) does not define."""
    from onnx import defs

    known = {s.name for s in defs.get_all_schemas() if s.domain in _STANDARD_DOMAINS}
    return operators - known


def _operators(model: Any) -> set[str]:
    return {
        n.op_type if n.domain in _STANDARD_DOMAINS else f"{n.domain}.{n.op_type}"
        for graph in graphs(model.graph)
        for n in graph.node
    }


def _load(path: Path, weights: bool = True) -> Any:
    """The model, with or without the values of its large weights."""
    import onnx

    return onnx.load(str(path)) if weights else onnx_stream.read_without_weights(path, onnx_weights.APART)


def graphs(graph: Any) -> list[Any]:
    """A graph and those of its loops and branches."""
    found = [graph]
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                found += graphs(attribute.g)
    return found


def _spec(value: Any) -> TensorSpec:
    from onnx import helper

    kind = value.type.tensor_type
    dims = tuple(d.dim_value if d.HasField("dim_value") else None for d in kind.shape.dim)
    name = str(np.dtype(helper.tensor_dtype_to_np_dtype(kind.elem_type)))
    return TensorSpec(value.name, "string" if name == "object" else name, dims)


def _name_dimensions(model: Any, captured: Signature) -> None:
    """Give dynamic dimensions a stable name: tf2onnx leaves `unk__12`, which changes from run to run."""
    specs = {t.name: t for t in (*captured.inputs, *captured.outputs)}
    for value in (*model.graph.input, *model.graph.output):
        shape = specs[value.name].shape if value.name in specs else ()
        for axis, (dim, size) in enumerate(zip(value.type.tensor_type.shape.dim, shape, strict=False)):
            if size is None:
                dim.dim_param = "batch" if axis == 0 else f"{value.name}_{axis}"


def _renumber(model: Any) -> None:
    """Make the bytes a function of the capture: tf2onnx ends names in a number that runs on from call to call."""
    model.graph.doc_string = ""
    fixed = {v.name for v in (*model.graph.input, *model.graph.output)}
    numbers: dict[str, int] = {}

    def rename(name: str) -> str:
        found = _NUMBERED.fullmatch(name)
        if found is None or name in fixed:
            return name
        return f"{found[1]}__{numbers.setdefault(found[2], len(numbers))}{found[3] or ''}"

    def visit(graph: Any) -> None:
        for node in graph.node:
            node.name = rename(node.name)
            node.input[:] = [rename(n) for n in node.input]
            node.output[:] = [rename(n) for n in node.output]
            for attribute in node.attribute:
                if attribute.HasField("g"):
                    visit(attribute.g)
        for value in (*graph.input, *graph.output, *graph.value_info, *graph.initializer):
            value.name = rename(value.name)
        for repeated in (graph.initializer, graph.value_info):
            repeated.sort(key=lambda value: value.name)

    visit(model.graph)
