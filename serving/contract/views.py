"""Bodies of status and metadata, laid out as protocol buffers' C++ printer does."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from serving.errors import Code
from serving.signature import Signature, TensorSpec


@dataclass(frozen=True)
class VersionStatus:
    """One version's line in a status.

    Attributes:
        state: START, LOADING, AVAILABLE, UNLOADING or END.
        code, message: why it is not serving; OK and empty otherwise.
    """

    version: int
    state: str
    code: Code = Code.OK
    message: str = ""


def status(versions: Sequence[VersionStatus]) -> bytes:
    """The newest version first."""
    entries = [
        {
            "version": str(v.version),
            "state": v.state,
            "status": {"error_code": v.code.name, "error_message": v.message},
        }
        for v in sorted(versions, key=lambda v: -v.version)
    ]
    return _lines({"model_version_status": entries}).encode()


def metadata(model: str, version: int, signatures: Mapping[str, Signature]) -> bytes:
    """Model, version and the definitions of all signatures."""
    spec = {"name": model, "signature_name": "", "version": str(version)}
    definitions = {name: _definition(s) for name, s in sorted(signatures.items())}
    # Put together by hand in the original too, hence the odd line breaks.
    return (
        f'{{\n"model_spec":{_lines(spec)},\n"metadata": {{"signature_def": '
        f"{_lines({'signature_def': definitions})}}}\n}}\n"
    ).encode()


def _definition(signature: Signature) -> dict[str, Any]:
    return {
        "inputs": {t.name: _tensor(t) for t in signature.inputs},
        "outputs": {t.name: _tensor(t) for t in signature.outputs},
        "method_name": signature.method,
        "defaults": {},
    }


def _tensor(spec: TensorSpec) -> dict[str, Any]:
    sizes = [] if spec.shape is None else spec.shape
    shape = {
        "dim": [{"size": str(-1 if s is None else s), "name": ""} for s in sizes],
        "unknown_rank": spec.shape is None,
    }
    return {"dtype": spec.data_type, "tensor_shape": shape, "name": spec.tensor}


def _lines(value: Any) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"
