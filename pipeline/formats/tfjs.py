"""TF.js: a graph model with named outputs and sharded weights.

The layers format is not written: TF.js 4.22 loads no Keras 3 model of it.
"""

from __future__ import annotations

import importlib.util
import json
import logging
import math
import re
import sys
import tempfile
import types
from collections.abc import Mapping
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.artifact import Artifact
from pipeline.capture import Capture
from pipeline.errors import first_line
from pipeline.formats import size
from pipeline.formats.tfjs_fusing import nodes, part_activations, stays_fused
from pipeline.formats.tfjs_weights import put_back
from pipeline.formats.unsupported import unsupported
from pipeline.legalize import Legalized, legalize
from pipeline.legalize.opened import open_weights
from pipeline.signature import DEFAULT_SIGNATURE, Signature, TensorSpec

# What tensorflowjs imports at its top and converting a graph model never calls (README, "Why the overrides").
_STAND_INS = ("tensorflow_decision_forests", "tensorflow_hub", "tf_keras", "tensorflowjs.converters.jax_conversion")
_REFUSED = re.compile(r"^Unsupported Ops in the model \w+ optimization\n(.*)")


def write(capture: Capture, root: Path, precision: str) -> list[Artifact]:
    """Write `tfjs/<precision>/model.json` and its weight shards.

    Raises:
        LegalizationError: TF.js has no kernel for an operation.
    """
    import tensorflow as tf

    legal = legalize(capture, "tfjs")
    opened = open_weights(legal)
    path = Path("tfjs") / precision
    target = root / path
    root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".tfjs-", dir=root) as scratch:
        module = tf.Module()
        module.tables, module.weights = legal.tables, legal.variables
        tf.saved_model.save(module, scratch, signatures={DEFAULT_SIGNATURE: opened.concrete})
        _convert(capture, legal, scratch, target, remap=True)
        if not stays_fused(_read(target)):
            _convert(capture, legal, scratch, target, remap=False)
    _finish(target, capture, opened.weights)
    return [Artifact("tfjs", precision, path.as_posix(), signature(target), "", size(target), legal.rewrites)]


def signature(path: Path) -> Signature:
    """The signature in `model.json`, without the look-up tables that it lists among the inputs: nobody feeds them."""
    data = _read(path)["signature"]
    return Signature(
        tuple(_spec(n, t) for n, t in sorted(data["inputs"].items()) if "resourceId" not in t),
        tuple(_spec(n, t) for n, t in sorted(data["outputs"].items())),
    )


def constants(path: Path) -> list[np.ndarray]:
    """Float weights of the manifest."""
    found = []
    for group in _read(path)["weightsManifest"]:
        data = b"".join((path / shard).read_bytes() for shard in group["paths"])
        offset = 0
        for entry in group["weights"]:
            if entry["dtype"] == "string":
                for _ in range(math.prod(entry["shape"])):  # each is its length, uint32, and that many bytes
                    offset += 4 + int.from_bytes(data[offset : offset + 4], "little")
                continue
            kind = np.dtype({"bool": "uint8"}.get(entry["dtype"], entry["dtype"]))
            count = int(np.prod(entry["shape"], dtype=np.int64))
            values = np.frombuffer(data, kind, count, offset).reshape(entry["shape"])
            offset += count * kind.itemsize
            if kind.kind == "f":
                found.append(values)
    return found


def operators(path: Path) -> set[str]:
    """TensorFlow operation types of the graph and its functions."""
    return {n["op"] for n in nodes(_read(path))}


def foreign(operators: set[str]) -> set[str]:
    """Operations that TF.js' graph executor does not know, by the converter's own lists."""
    op_list = Path(_package_directory("tensorflowjs")) / "op_list"
    known = {op["tfOpName"] for file in op_list.glob("*.json") for op in json.loads(file.read_text())}
    return operators - known - {"Const", "Placeholder", "NoOp"}


def _convert(capture: Capture, legal: Legalized, saved_model: str, target: Path, remap: bool) -> None:
    found = converter()
    run_grappler = found._run_grappler

    def without_remap(config: Any, *rest: Any) -> Any:
        optimizers = config.graph_options.rewrite_options.optimizers
        if "remap" in optimizers:
            optimizers.remove("remap")
        return run_grappler(config, *rest)

    if not remap:
        found._run_grappler = without_remap
    try:
        with redirect_stdout(StringIO()):
            found.convert_tf_saved_model(saved_model, str(target), control_flow_v2=True)
    except Exception as error:
        if refused := _REFUSED.match(str(error)):
            raise unsupported(capture, legal, refused[1].split(", "), "TF.js has no kernel for it") from error
        raise unsupported(capture, legal, [], f"the converter says: {first_line(error)}") from error
    finally:
        found._run_grappler = run_grappler


class _StandIn(types.ModuleType):
    """Takes the place of a package that is imported and never called."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return None


def converter() -> Any:
    """The graph-model converter of tensorflowjs, imported without the packages that it never calls."""
    for name in _STAND_INS:
        if name not in sys.modules and (name.startswith("tensorflowjs.") or importlib.util.find_spec(name) is None):
            sys.modules[name] = _StandIn(name)
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    from tensorflowjs.converters import tf_saved_model_conversion_v2

    return tf_saved_model_conversion_v2


def _finish(path: Path, capture: Capture, weights: Mapping[str, np.ndarray]) -> None:
    """Name the producer, part what backends cannot fuse, put the large weights back, and restore names.

    The converter loses those of tensors with equal types and shapes.
    """
    model = _read(path)
    _restore_case(model, [*(t.name for t in capture.signature.inputs), *weights])
    put_back(path, model, {**weights, **part_activations(model)})
    signature = model["signature"]
    signature["inputs"] = {t["name"].split(":")[0]: t for t in signature["inputs"].values()}
    # The SavedModel's outputs are `Identity`, `Identity_1`, ... in the order of their names.
    names = sorted(t.name for t in capture.signature.outputs)
    places = {("Identity" if k == 0 else f"Identity_{k}"): name for k, name in enumerate(names)}
    signature["outputs"] = {places[t["name"].split(":")[0]]: t for t in signature["outputs"].values()}
    model["userDefinedMetadata"] = {"producer": "isomer", "parameters": capture.parameters}
    (path / "model.json").write_text(json.dumps(model, separators=(",", ":"), sort_keys=True))


def _restore_case(model: dict[str, Any], names: list[str]) -> None:
    """Give the inputs and weights their names: TensorFlow writes the arguments of a function in lower case."""
    wanted = {name.lower(): name for name in names if name != name.lower()}
    if not wanted:
        return

    def renamed(text: str) -> str:
        node, mark, rest = text.partition(":")
        return wanted.get(node, node) + mark + rest

    for tensor in model["signature"]["inputs"].values():
        tensor["name"] = renamed(tensor["name"])
    for node in model["modelTopology"]["node"]:
        node["name"] = renamed(node["name"])
        node["input"] = [renamed(source) for source in node.get("input", ())]


def _read(path: Path) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((path / "model.json").read_text())
    return data


def _spec(name: str, data: dict[str, Any]) -> TensorSpec:
    from tensorflow.core.framework import types_pb2

    kind = types_pb2.DataType.Name(types_pb2.DataType.Value(data["dtype"])).removeprefix("DT_").lower()
    dims = [int(d["size"]) for d in data.get("tensorShape", {}).get("dim", [])]
    names = {"float": "float32", "double": "float64", "half": "float16"}
    return TensorSpec(name, names.get(kind, kind), tuple(None if d < 0 else d for d in dims))


def _package_directory(name: str) -> str:
    spec = importlib.util.find_spec(name)
    assert spec is not None and spec.origin is not None
    return str(Path(spec.origin).parent)
