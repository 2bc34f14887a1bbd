"""SavedModel: the capture with its variables, as TensorFlow Serving loads it from a version directory.

Where TensorFlow has no CPU kernel for the capture as it is (channels first, dilated transposed convolutions), it is
the rewritten capture, with its weights as constants.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from pipeline.artifact import Artifact
from pipeline.capture import Capture
from pipeline.legalize import runnable
from pipeline.signature import DEFAULT_SIGNATURE, Signature, TensorSpec
from pipeline.tables import restore

WARMUP = Path("assets.extra") / "tf_serving_warmup_requests"
_FILES = ("saved_model.pb", "variables", "assets", "fingerprint.pb")


def write(capture: Capture, root: Path, precision: str) -> list[Artifact]:
    """Write `saved_model.pb` and `variables/` into `root` itself."""
    import tensorflow as tf

    module = tf.Module()
    legal = runnable(capture)
    if legal is not None:
        module.tables, module.weights = legal.tables, legal.variables
        concrete = legal.concrete
    else:
        # Only what inference reads: the model object would drag its optimizer's variables along.
        module.weights = list(capture.variables.values())
        module.tables = [restore(t) for t in capture.tables]
        concrete = capture.traced
    tf.saved_model.save(module, str(root), signatures={DEFAULT_SIGNATURE: concrete})
    assets = root / "assets"
    if assets.is_dir() and not any(assets.iterdir()):
        assets.rmdir()
    total = sum(p.stat().st_size for name in _FILES for p in _below(root / name))
    return [
        Artifact("savedmodel", precision, ".", signature(root), bytes=total, rewrites=legal.rewrites if legal else ())
    ]


def write_warmup(root: Path, name: str, inputs: dict[str, np.ndarray]) -> None:
    """Write TensorFlow Serving's warm-up file: one Predict request with the given rows.

    Source: tensorflow/serving, servables/tensorflow/saved_model_warmup.md.
    """
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

    request = predict_pb2.PredictRequest()
    request.model_spec.name = name
    request.model_spec.signature_name = DEFAULT_SIGNATURE
    for key, value in inputs.items():
        request.inputs[key].CopyFrom(tf.make_tensor_proto(value))
    log = prediction_log_pb2.PredictionLog(predict_log=prediction_log_pb2.PredictLog(request=request))
    path = root / WARMUP
    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        writer.write(log.SerializeToString(deterministic=True))


def signature(path: Path) -> Signature:
    """The default signature that `saved_model.pb` declares."""
    definition = _meta_graph(path).signature_def[DEFAULT_SIGNATURE]
    return Signature(
        tuple(_spec(n, i) for n, i in sorted(definition.inputs.items())),
        tuple(_spec(n, i) for n, i in sorted(definition.outputs.items())),
    )


def constants(path: Path) -> list[np.ndarray]:
    """Variables in the checkpoint and float constants in the graph."""
    import tensorflow as tf

    reader = tf.train.load_checkpoint(str(path / "variables" / "variables"))
    found = [reader.get_tensor(name) for name, dtype in reader.get_variable_to_dtype_map().items() if dtype.is_floating]
    for node in _nodes(path):
        if node.op == "Const" and tf.as_dtype(node.attr["dtype"].type).is_floating:
            found.append(tf.make_ndarray(node.attr["value"].tensor))
    return found


def operators(path: Path) -> set[str]:
    """TensorFlow operation types."""
    return {node.op for node in _nodes(path)}


def foreign(operators: set[str]) -> set[str]:
    """Operations that a plain TensorFlow does not register."""
    from tensorflow.python.framework import op_def_registry

    return {op for op in operators if op_def_registry.get(op) is None}


def _meta_graph(path: Path) -> Any:
    from tensorflow.python.saved_model import loader_impl

    return loader_impl.parse_saved_model(str(path)).meta_graphs[0]


def _nodes(path: Path) -> list[Any]:
    graph = _meta_graph(path).graph_def
    return [*graph.node, *(n for f in graph.library.function for n in f.node_def)]


def _spec(name: str, info: Any) -> TensorSpec:
    import tensorflow as tf

    dims = tuple(None if d.size < 0 else d.size for d in info.tensor_shape.dim)
    return TensorSpec(name, tf.as_dtype(info.dtype).name, dims)


def _below(path: Path) -> list[Path]:
    return [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]
