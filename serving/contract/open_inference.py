"""The Open Inference Protocol, version 2, over REST: JSON to named arrays and back.

Specification: https://github.com/kserve/open-inference-protocol, specification/protocol/inference_rest.md. Tensors are
JSON lists, flat or nested; the binary extension is not spoken.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import orjson

from serving.contract import parser
from serving.contract.numbers import decimals
from serving.contract.tensors import strings
from serving.errors import InvalidArgument, NotFound
from serving.signature import Signature, TensorSpec

NAME, VERSION, EXTENSIONS = "isomer", "2", ("model_versions",)

_PATH = re.compile(r"/v2/models/([^/]+)(?:/versions/([^/]+))?(?:/(ready|infer))?")
_MAX_VERSION = 2**63 - 1
MAX_RANK = 32
DATATYPES = {
    "bool": "BOOL",
    "uint8": "UINT8",
    "uint16": "UINT16",
    "uint32": "UINT32",
    "uint64": "UINT64",
    "int8": "INT8",
    "int16": "INT16",
    "int32": "INT32",
    "int64": "INT64",
    "float16": "FP16",
    "float32": "FP32",
    "float64": "FP64",
    "string": "BYTES",
}


@dataclass(frozen=True)
class Path:
    """What a request is for.

    Attributes:
        verb: metadata, ready or infer.
    """

    model: str
    version: int | None
    verb: str


@dataclass(frozen=True)
class Infer:
    """An inference request that was read.

    Attributes:
        inputs: arrays by name.
        outputs: names that are asked for, in that order.
        id: given back with the answer.
    """

    signature: Signature
    inputs: dict[str, np.ndarray]
    outputs: Sequence[str]
    id: str | None

    @property
    def rows(self) -> int:
        """The size of the first dimension; 1 for scalars."""
        first = next(iter(self.inputs.values()))
        return len(first) if first.ndim else 1

    def answer(self, model: str, version: int, values: Mapping[str, np.ndarray]) -> bytes:
        """The response's body."""
        head = {"model_name": model, "model_version": str(version)}
        if self.id is not None:
            head["id"] = self.id
        tensors = ",".join(_write(name, values[name]) for name in self.outputs)
        text = f'{json.dumps(head, ensure_ascii=False)[:-1]}, "outputs": [{tensors}]}}'
        return text.encode("utf-8", "surrogateescape")


def parse_path(path: str) -> Path:
    """Model, version and verb of a path below /v2/models/.

    Raises:
        NotFound: there is nothing at this path, or the version is no number.
    """
    found = _PATH.fullmatch(path.partition("?")[0])
    if found is None:
        raise NotFound(f"There is nothing at {path}")
    model, version, verb = found.groups()
    if version is not None and (not version.isdecimal() or len(version) > 19 or int(version) > _MAX_VERSION):
        raise NotFound(f"Model '{model}' has no version '{version}'")
    return Path(model, None if version is None else int(version), verb or "metadata")


def metadata(name: str, versions: Sequence[int], platform: str, signature: Signature) -> bytes:
    """A model's description."""

    def tensors(specs: Sequence[TensorSpec]) -> list[dict[str, Any]]:
        return [
            {
                "name": s.name,
                "datatype": DATATYPES.get(s.dtype, s.dtype),
                "shape": [-1 if size is None else size for size in s.shape or ()],
            }
            for s in specs
        ]

    return json.dumps(
        {
            "name": name,
            "versions": [str(v) for v in versions],
            "platform": platform,
            "inputs": tensors(signature.inputs),
            "outputs": tensors(signature.outputs),
        },
        ensure_ascii=False,
    ).encode()


def infer(body: bytes, signature: Signature) -> Infer:
    """Read an inference request.

    Raises:
        InvalidArgument: it is no such request, or does not fit the signature.
    """
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        document = parser.parse(body)  # takes NaN and Infinity, and says what is wrong
    if not isinstance(document, dict):
        raise InvalidArgument("The request is not a JSON object")
    request_id = document.get("id")
    if request_id is not None and not isinstance(request_id, str):
        raise InvalidArgument("'id' is not a string")
    given = _entries(document, "inputs")
    if not given:
        raise InvalidArgument("'inputs' is missing or empty")
    specs = {spec.name: spec for spec in signature.inputs}
    if given.keys() != specs.keys():
        raise InvalidArgument(f"The inputs are {_list(given)}, the model's are {_list(specs)}")
    wanted = list(_entries(document, "outputs")) or [spec.name for spec in signature.outputs]
    known = {spec.name for spec in signature.outputs}
    if unknown := [name for name in wanted if name not in known]:
        raise InvalidArgument(f"There is no output {_list(unknown)}, the model's are {_list(known)}")
    inputs = {name: _read(given[name], spec) for name, spec in specs.items()}
    return Infer(signature, inputs, wanted, request_id)


def _entries(document: dict[str, Any], key: str) -> dict[str, dict[str, Any]]:
    """The tensors of a list, by name."""
    listed = document.get(key, [])
    if not isinstance(listed, list):
        raise InvalidArgument(f"'{key}' is not a list")
    found: dict[str, dict[str, Any]] = {}
    for entry in listed:
        name = entry.get("name") if isinstance(entry, dict) else None
        if not isinstance(name, str):
            raise InvalidArgument(f"An entry of '{key}' has no name")
        if name in found:
            raise InvalidArgument(f"'{name}' is twice in '{key}'")
        found[name] = entry
    return found


def _read(entry: dict[str, Any], spec: TensorSpec) -> np.ndarray:
    """One tensor of a request as an array."""
    name, datatype = spec.name, DATATYPES.get(spec.dtype)
    if entry.get("datatype") != datatype:
        raise InvalidArgument(f"Input '{name}' is of datatype {entry.get('datatype')!r}, the model takes {datatype!r}")
    shape = entry.get("shape")
    if not isinstance(shape, list) or len(shape) > MAX_RANK or any(type(s) is not int or s < 0 for s in shape):
        raise InvalidArgument(f"Input '{name}' has no shape of non-negative integers")
    if "data" not in entry:
        raise InvalidArgument(f"Input '{name}' has no data")
    flat = _flatten(entry["data"])
    if len(flat) != prod(shape):
        raise InvalidArgument(f"Input '{name}' has {len(flat)} elements, its shape {shape} has {prod(shape)}")
    return _convert(flat, spec).reshape(shape)


def _flatten(data: Any) -> list[Any]:
    """The leaves of nested lists, row by row."""
    flat = data if isinstance(data, list) else [data]
    for _ in range(MAX_RANK):
        if not any(type(v) is list for v in flat):
            return flat
        if not all(type(v) is list for v in flat):
            raise InvalidArgument("The data mix lists and values at one level")
        flat = [v for inner in flat for v in inner]
    raise InvalidArgument("The data are nested too deep")


def _convert(flat: list[Any], spec: TensorSpec) -> np.ndarray:
    types = set(map(type, flat))
    if spec.dtype.startswith("float") and types <= {int, float}:
        with np.errstate(over="ignore"):
            return np.array(flat, dtype=np.float64).astype(spec.dtype)
    if spec.dtype == "bool" and types <= {bool}:
        return np.array(flat, dtype=np.bool_)
    if spec.dtype == "string" and types <= {str}:
        return strings([v.encode("utf-8", "surrogateescape") for v in flat])
    if "int" in spec.dtype and types <= {int}:
        bounds = np.iinfo(spec.dtype)
        if not flat or (bounds.min <= min(flat) and max(flat) <= bounds.max):
            return np.array(flat, dtype=spec.dtype)
    raise InvalidArgument(f"The data of input '{spec.name}' are not all {DATATYPES.get(spec.dtype, spec.dtype)}")


def _write(name: str, value: np.ndarray) -> str:
    """One tensor of a response."""
    flat = value.reshape(-1)
    if value.dtype.kind == "f":
        data = f"[{','.join(decimals(flat))}]"
    elif value.dtype == object:
        data = json.dumps([v.decode("utf-8", "surrogateescape") for v in flat.tolist()], ensure_ascii=False)
    else:
        data = json.dumps(flat.tolist())
    dtype = DATATYPES["string" if value.dtype == object else value.dtype.name]
    head = json.dumps({"name": name, "datatype": dtype, "shape": list(value.shape)}, ensure_ascii=False)
    return f'{head[:-1]}, "data": {data}}}'


def _list(names: Any) -> str:
    return ", ".join(f"'{n}'" for n in sorted(names))
