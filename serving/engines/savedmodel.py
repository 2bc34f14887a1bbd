"""SavedModel through TensorFlow: the only engine that needs it, and it is taken only when asked for."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from serving.engines.base import Tensors
from serving.errors import Internal, InvalidArgument, Refused
from serving.signature import PREDICT_METHOD, Signature, TensorSpec


def load(path: Path, _: bytes | None, threads: int) -> SavedModelEngine:
    """Load a SavedModel's signatures.

    Raises:
        Refused: TensorFlow does not take the directory, or there is no signature.
    """
    # Once TensorFlow runs, what was set first stays.
    with contextlib.suppress(RuntimeError):
        tf.config.threading.set_intra_op_parallelism_threads(threads)
    try:
        loaded = tf.saved_model.load(str(path), tags=["serve"])
    except Exception as error:  # TensorFlow raises many kinds here
        raise Refused(f"TensorFlow cannot load {path}: {error}") from error
    if not loaded.signatures:
        raise Refused(f"{path} has no signatures")
    return SavedModelEngine(loaded, _definitions(path))


class SavedModelEngine:
    """The concrete functions of a SavedModel's signatures; TensorFlow lets many threads call them at once."""

    batches = True

    def __init__(self, loaded: Any, definitions: Mapping[str, Any]) -> None:
        self._loaded = loaded
        self._functions = dict(loaded.signatures)
        self.label = f"tensorflow {tf.__version__}"
        self.signatures = {
            name: Signature(
                name,
                _specs(function.structured_input_signature[1], definitions[name].inputs),
                _specs(function.structured_outputs, definitions[name].outputs),
                definitions[name].method_name or PREDICT_METHOD,
            )
            for name, function in self._functions.items()
        }

    def run(self, signature: str, inputs: Mapping[str, np.ndarray]) -> Tensors:
        """Call the signature's function."""
        try:
            outputs = self._functions[signature](**{n: tf.constant(v) for n, v in inputs.items()})
        except tf.errors.InvalidArgumentError as error:
            raise InvalidArgument(error.message) from error
        except tf.errors.OpError as error:
            raise Internal(error.message) from error
        # A single string comes as bytes, a single number as a scalar of NumPy's.
        return {n: np.asarray(v.numpy(), object if v.dtype == tf.string else None) for n, v in outputs.items()}

    def close(self) -> None:
        """Drop the functions; TensorFlow frees the variables with the last of them."""
        self._functions = {}
        self._loaded = None


def _definitions(path: Path) -> Mapping[str, Any]:
    """The SignatureDefs of the graph for serving: the loaded functions know neither methods nor tensors' names."""
    model = saved_model_pb2.SavedModel.FromString((path / "saved_model.pb").read_bytes())
    graph = next(g for g in model.meta_graphs if set(g.meta_info_def.tags) == {"serve"})
    return dict(graph.signature_def)


def _specs(tensors: Mapping[str, Any], infos: Mapping[str, Any]) -> tuple[TensorSpec, ...]:
    return tuple(
        TensorSpec(
            name,
            tensor.dtype.name,
            None if tensor.shape.rank is None else tuple(tensor.shape.as_list()),
            infos[name].name,
        )
        for name, tensor in sorted(tensors.items())
    )
