"""JSON Schemas of the Open Inference Protocol's bodies, for the OpenAPI description."""

from __future__ import annotations

from typing import Any

from serving.contract.open_inference import DATATYPES, MAX_RANK

_TENSOR: dict[str, Any] = {
    "type": "object",
    "required": ["name", "datatype", "shape"],
    "properties": {
        "name": {"type": "string"},
        "datatype": {"enum": sorted(DATATYPES.values())},
        "shape": {"type": "array", "items": {"type": "integer", "minimum": -1}},
    },
}
_SHAPE = {"type": "array", "items": {"type": "integer", "minimum": 0}, "maxItems": MAX_RANK}
_DATA: dict[str, Any] = {
    **_TENSOR,
    "required": [*_TENSOR["required"], "data"],
    "properties": {
        **_TENSOR["properties"],
        "shape": _SHAPE,
        "data": {"description": "A list of the elements, flat or nested; a bare value is one element."},
    },
}
REQUEST = {
    "type": "object",
    "required": ["inputs"],
    "properties": {
        "id": {"type": ["string", "null"]},
        "inputs": {"type": "array", "items": _DATA, "minItems": 1},
        "outputs": {
            "type": "array",
            "items": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}},
        },
    },
}
ANSWER = {
    "type": "object",
    "required": ["model_name", "model_version", "outputs"],
    "properties": {
        "model_name": {"type": "string"},
        "model_version": {"type": "string"},
        "id": {"type": "string"},
        "outputs": {"type": "array", "items": _DATA},
    },
}
MODEL = {
    "type": "object",
    "required": ["name", "versions", "platform", "inputs", "outputs"],
    "properties": {
        "name": {"type": "string"},
        "versions": {"type": "array", "items": {"type": "string"}},
        "platform": {"type": "string"},
        "inputs": {"type": "array", "items": _TENSOR},
        "outputs": {"type": "array", "items": _TENSOR},
    },
}
READY = {
    "type": "object",
    "required": ["name", "ready"],
    "properties": {"name": {"type": "string"}, "ready": {"type": "boolean"}},
}
SERVER = {
    "type": "object",
    "required": ["name", "version", "extensions"],
    "properties": {
        "name": {"type": "string"},
        "version": {"type": "string"},
        "extensions": {"type": "array", "items": {"type": "string"}},
    },
}
