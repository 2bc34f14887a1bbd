"""ONNX Runtime on the CPU."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from serving.engines.base import Tensors
from serving.errors import Internal, InvalidArgument, Refused
from serving.signature import DEFAULT_SIGNATURE, Signature, TensorSpec

_TYPE = re.compile(r"tensor\((\w+)\)")
_DTYPES = {"float": "float32", "double": "float64"}


def load(path: Path, content: bytes | None, threads: int) -> OnnxEngine:
    """Create a session.

    Raises:
        Refused: ONNX Runtime does not take the file, or the graph has values that are no tensors.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    # Waiting threads that spin would take the cores from the requests beside this one.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        session = onnxruntime.InferenceSession(
            str(path) if content is None else content, options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # its exceptions have no common base but this
        raise Refused(f"ONNX Runtime cannot load {path.name}: {error}") from error
    return OnnxEngine(session)


class OnnxEngine:
    """One session; ONNX Runtime lets many threads run it at once."""

    batches = True

    def __init__(self, session: Any) -> None:
        self._session = session
        self.label = f"onnxruntime {onnxruntime.__version__}"
        inputs = tuple(_spec(i) for i in session.get_inputs())
        outputs = tuple(_spec(o) for o in session.get_outputs())
        self.signatures = {DEFAULT_SIGNATURE: Signature(DEFAULT_SIGNATURE, inputs, outputs)}
        self._names = [o.name for o in outputs]
        self._strings = {t.name for t in (*inputs, *outputs) if t.dtype == "string"}

    def run(self, signature: str, inputs: Mapping[str, np.ndarray]) -> Tensors:
        """Run the graph; it has one signature."""
        feed = {n: _text(n, v) if n in self._strings else v for n, v in inputs.items()}
        try:
            values = self._session.run(self._names, feed)
        except Exception as error:
            refused = "INVALID_ARGUMENT" in str(error)
            raise (InvalidArgument if refused else Internal)(f"ONNX Runtime: {error}") from error
        outputs = dict(zip(self._names, values, strict=True))
        for name in self._strings & outputs.keys():
            outputs[name] = _bytes(outputs[name])
        return outputs

    def close(self) -> None:
        """Release the session."""
        self._session = None


def _spec(value: Any) -> TensorSpec:
    found = _TYPE.fullmatch(value.type)
    if not found:
        raise Refused(f"'{value.name}' is a {value.type}, not a tensor")
    # ONNX Runtime says [] of a scalar and of what may have any rank; it checks by itself what it is given.
    shape = tuple(s if isinstance(s, int) else None for s in value.shape) if value.shape else None
    return TensorSpec(value.name, _DTYPES.get(found.group(1), found.group(1)), shape, value.name)


def _text(name: str, values: np.ndarray) -> np.ndarray:
    """Bytes as str, the only strings that ONNX Runtime takes from Python."""
    try:
        return np.array([v.decode() for v in values.reshape(-1)], dtype=object).reshape(values.shape)
    except UnicodeDecodeError as error:
        raise InvalidArgument(f"Input {name} is not UTF-8, and ONNX Runtime takes no other strings") from error


def _bytes(values: np.ndarray) -> np.ndarray:
    array = np.empty(values.size, dtype=object)
    array[:] = [v.encode() if isinstance(v, str) else v for v in values.reshape(-1).tolist()]
    return array.reshape(values.shape)
