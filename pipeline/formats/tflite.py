"""TFLite (LiteRT): one file with a dynamic batch and one with a batch of one.

They hold builtin operations only, unless the user allows TensorFlow's own (Select TF, "Flex") where there is no other
way: then the artifact names them.
"""

from __future__ import annotations

import re
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.artifact import Artifact
from pipeline.capture import Capture
from pipeline.errors import LegalizationError, Obstacle
from pipeline.formats.tflite_infinity import with_infinities
from pipeline.formats.unsupported import unsupported
from pipeline.legalize import Legalized, legalize
from pipeline.signature import DEFAULT_SIGNATURE, Signature, TensorSpec

BATCH1 = "batch1"
MOST_BYTES = (2 << 30) - (64 << 20)  # a FlatBuffer's offsets end at 2 GiB; the graph itself takes some of it
_FLEX = "CUSTOM:Flex"


def write(capture: Capture, root: Path, precision: str, flex: bool = False) -> list[Artifact]:
    """Write `tflite/<precision>.tflite` and `tflite/<precision>-batch1.tflite`.

    The first resizes its batch; GPU delegates, microcontrollers and C programs need the static second.

    Args:
        flex: keep what TFLite has no builtin for as TensorFlow's own operations.

    Raises:
        LegalizationError: the converter found an operation that TFLite has no builtin for. Its advice names the way
            out by `flex` if the converter takes the model then.
    """
    variants = [("", None)] + ([(BATCH1, 1)] if capture.signature.dynamic_batch else [])
    try:
        return [_write(capture, root, precision, variant, batch) for variant, batch in variants]
    except LegalizationError as error:
        try:
            artifacts = [_write(capture, root, precision, variant, batch, True) for variant, batch in variants]
        except LegalizationError:
            raise error from error.__cause__
        if flex or not any(artifact.flex for artifact in artifacts):
            return artifacts
        raise _with_way_out(error, artifacts[0].flex) from error.__cause__


def _write(
    capture: Capture, root: Path, precision: str, variant: str, batch: int | None, flex: bool = False
) -> Artifact:
    legal = legalize(capture, "tflite", batch, lenient=flex)
    if (needed := sum(c.value.nbytes for c in legal.constants)) > MOST_BYTES:
        reason = f"a TFLite file addresses {MOST_BYTES / 1e6:.1f} MB, and the weights are {needed / 1e6:.1f} MB"
        raise LegalizationError.of("tflite", [Obstacle("", (), reason, "Export the model in parts.")])
    try:
        content = _convert(legal, root, flex)
    except Exception as error:
        raise _explain(capture, legal, error) from error
    path = Path("tflite") / ("-".join(filter(None, (precision, variant))) + ".tflite")
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_bytes(content)
    held = foreign(operators(root / path))
    own = tuple(sorted(name.removeprefix("CUSTOM:") for name in held if name.startswith(_FLEX)))
    return Artifact(
        "tflite",
        precision,
        path.as_posix(),
        signature(root / path),
        variant,
        len(content),
        legal.rewrites,
        flex=own if flex else (),
    )


def _with_way_out(error: LegalizationError, flex: tuple[str, ...]) -> LegalizationError:
    """The refusal, with what --allow-flex would do about it."""
    way = (
        f"Or pass --allow-flex: the file then holds TensorFlow's own {', '.join(flex)}, and runs only where the Flex "
        "delegate is."
    )
    *others, last = error.obstacles
    return LegalizationError.of(error.target, [*others, replace(last, advice=f"{last.advice} {way}".strip())])


def _convert(legal: Legalized, root: Path, flex: bool) -> bytes:
    import tensorflow as tf

    module = tf.Module()
    module.function, module.tables, module.weights = legal.function, legal.tables, legal.variables
    root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".tflite-", dir=root) as scratch:
        if legal.tables:
            # The converter finds what initializes a table in a SavedModel only.
            tf.saved_model.save(module, scratch, signatures={DEFAULT_SIGNATURE: legal.concrete})
            converter = tf.lite.TFLiteConverter.from_saved_model(scratch)
        else:
            converter = tf.lite.TFLiteConverter.from_concrete_functions([legal.concrete], module)
        own = [tf.lite.OpsSet.SELECT_TF_OPS] if flex else []
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS, *own]
        content: bytes = converter.convert()
    return with_infinities(content, legal)


def signature(path: Path) -> Signature:
    """The default signature of the file; a dimension is dynamic where its shape signature says -1."""
    model = model_of(path)
    graph = model.subgraphs[0]
    for definition in model.signatureDefs or []:
        if _text(definition.signatureKey) == DEFAULT_SIGNATURE:
            graph = model.subgraphs[definition.subgraphIndex]
            return Signature(
                tuple(sorted((_spec(graph, m) for m in definition.inputs), key=lambda t: t.name)),
                tuple(sorted((_spec(graph, m) for m in definition.outputs), key=lambda t: t.name)),
            )
    return Signature((), ())


def constants(path: Path) -> list[np.ndarray]:
    """Float buffers of all subgraphs."""
    model = model_of(path)
    kinds: dict[int, np.dtype[Any]] = {0: np.dtype("float32"), 1: np.dtype("float16"), 10: np.dtype("float64")}
    found = []
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            data = model.buffers[tensor.buffer].data
            if tensor.type in kinds and data is not None and len(data):
                values = np.frombuffer(np.asarray(data, np.uint8).tobytes(), kinds[tensor.type])
                found.append(values.reshape(tensor.shape if len(tensor.shape) else ()))
    return found


def operators(path: Path) -> set[str]:
    """Builtin names; a custom operation is "CUSTOM:<name>", Select TF ones among them ("CUSTOM:Flex...")."""
    from ai_edge_litert import schema_py_generated as schema

    names = {v: k for k, v in vars(schema.BuiltinOperator).items() if isinstance(v, int)}
    found = set()
    for code in model_of(path).operatorCodes:
        builtin = max(code.builtinCode, code.deprecatedBuiltinCode)
        found.add(f"CUSTOM:{_text(code.customCode)}" if code.customCode else names[builtin])
    return found


def foreign(operators: set[str]) -> set[str]:
    """Custom and Select TF operations: a plain LiteRT has neither."""
    return {op for op in operators if op.startswith("CUSTOM:")}


def model_of(path: Path) -> Any:
    """The FlatBuffer as objects."""
    return parsed(path.read_bytes())


def parsed(content: bytes) -> Any:
    """A file's FlatBuffer as objects, its weights where they belong: large ones may lie behind it, with an offset."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    for buffer in model.buffers:
        if buffer.offset > 1:  # of the schema's own words, 0 and 1 say that there is none
            buffer.data = np.frombuffer(content, np.uint8, buffer.size, buffer.offset)
            buffer.offset = buffer.size = 0
    return model


def _spec(graph: Any, member: Any) -> TensorSpec:
    from ai_edge_litert import schema_py_generated as schema

    tensor = graph.tensors[member.tensorIndex]
    dims = tensor.shape if tensor.shapeSignature is None or not len(tensor.shapeSignature) else tensor.shapeSignature
    kinds = {v: k.lower() for k, v in vars(schema.TensorType).items() if isinstance(v, int)}
    return TensorSpec(_text(member.name), kinds[tensor.type], tuple(None if d < 0 else int(d) for d in dims))


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _explain(capture: Capture, legal: Legalized, error: Exception) -> LegalizationError:
    """The converter's pages of MLIR, reduced to the operations that it names."""
    text = str(error).strip() or type(error).__name__
    named = re.findall(r"'?tf\.(\w+)'? op", text)
    for listed in re.findall(r"^(?:Flex|TF Select|Custom) ops: (.*)$", text, re.MULTILINE):
        named += [name.strip() for name in listed.split(",")]
    if named:
        return unsupported(capture, legal, list(dict.fromkeys(named)), "TFLite has no builtin operation for it")
    reason = next((line.strip() for line in text.splitlines() if "error:" in line), text.splitlines()[0])
    return unsupported(capture, legal, [], f"the converter says: {reason[:300].rstrip('. ')}")
