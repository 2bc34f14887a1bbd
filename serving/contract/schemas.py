"""JSON Schemas of the bodies: what a signature's requests and responses look like, for the OpenAPI description.

JSON knows no NaN; the server takes and writes it as TensorFlow Serving does, and the schemas leave it out. To JSON
Schema 1.0 is an integer; to TensorFlow Serving it is none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from serving.contract import results
from serving.contract.tensors import FLOATS, INTEGERS
from serving.signature import DEFAULT_SIGNATURE, PREDICT_METHOD, Signature, TensorSpec

Schema = dict[str, Any]

# Padding may be left out, but not be wrong.
_BASE64 = "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}([=.]{2})?|[A-Za-z0-9+/]{3}[=.]?)?$"
_BYTES: Schema = {
    "type": "object",
    "description": "Bytes in base64.",
    "required": ["b64"],
    "properties": {"b64": {"type": "string", "contentEncoding": "base64", "pattern": _BASE64}},
    "additionalProperties": False,
}
_FEATURE: Schema = {"anyOf": [{"type": "number"}, {"type": "boolean"}, {"type": "string"}, _BYTES]}
_EXAMPLE: Schema = {
    "type": "object",
    "description": "Features by name, each a value or a list of values of one type.",
    "additionalProperties": {"anyOf": [*_FEATURE["anyOf"], {"type": "array", "items": _FEATURE, "minItems": 1}]},
}
ERROR: Schema = {
    "type": "object",
    "required": ["error"],
    "properties": {"error": {"type": "string"}},
    "additionalProperties": False,
}
_NAME: Schema = {"type": "string", "description": f"The signature; {DEFAULT_SIGNATURE} if it is left out."}
_PREDICTIONS: Schema = {"type": "array", "description": "One value for each row, or one object with all outputs."}
_RESULTS: Schema = {"type": "array", "description": "Pairs of label and score for each example, or one number."}
_VERSION_STATUS: Schema = {
    "type": "object",
    "required": ["version", "state", "status"],
    "properties": {
        "version": {"type": "string", "pattern": r"^\d+$"},
        "state": {"enum": ["START", "LOADING", "AVAILABLE", "UNLOADING", "END"]},
        "status": {
            "type": "object",
            "required": ["error_code", "error_message"],
            "properties": {"error_code": {"type": "string"}, "error_message": {"type": "string"}},
        },
    },
}
STATUS: Schema = {
    "type": "object",
    "required": ["model_version_status"],
    "properties": {"model_version_status": {"type": "array", "items": _VERSION_STATUS}},
}
METADATA: Schema = {
    "type": "object",
    "required": ["model_spec", "metadata"],
    "properties": {"model_spec": {"type": "object"}, "metadata": {"type": "object", "required": ["signature_def"]}},
}
PREDICTED: Schema = {
    "anyOf": [
        {"type": "object", "required": ["predictions"], "properties": {"predictions": _PREDICTIONS}},
        {"type": "object", "required": ["outputs"], "properties": {"outputs": {"description": "By column."}}},
    ]
}
JUDGED: Schema = {"type": "object", "required": ["results"], "properties": {"results": _RESULTS}}


def predict(signatures: Mapping[str, Signature], most_rows: int) -> Schema:
    """Bodies of a version's :predict. Without signatures: of any version's."""
    known = [s for s in signatures.values() if s.method == PREDICT_METHOD]
    if not known:
        rows: Schema = {"type": "array", "minItems": 1, "maxItems": most_rows}
        return {"anyOf": [_row_form(rows, _NAME, False), _column_form({}, _NAME, False)]}
    forms = []
    for signature in known:
        name, needed = {"const": signature.name}, signature.name != DEFAULT_SIGNATURE
        if all(t.shape != () for t in signature.outputs):
            forms.append(_row_form(_instances(signature, most_rows), name, needed))
        forms.append(_column_form(_columns(signature), name, needed))
    return {"anyOf": forms}


def examples(signatures: Mapping[str, Signature], method: str, most_rows: int) -> Schema:
    """Bodies of a version's :classify or :regress. Without signatures: of any version's."""
    known = [s.name for s in signatures.values() if s.method == method]
    named = {"enum": known} if known else _NAME
    return {
        "type": "object",
        "required": ["examples", *(["signature_name"] if known and DEFAULT_SIGNATURE not in known else [])],
        "properties": {
            "signature_name": named,
            "context": _EXAMPLE,
            "examples": {"type": "array", "items": _EXAMPLE, "minItems": 1, "maxItems": most_rows},
        },
    }


def methods(signatures: Mapping[str, Signature]) -> set[str]:
    """What of predict, classify and regress some signature is for."""
    names = {PREDICT_METHOD: "predict", results.CLASSIFY: "classify", results.REGRESS: "regress"}
    return {names[s.method] for s in signatures.values() if s.method in names}


def _row_form(instances: Schema, name: Schema, needed: bool) -> Schema:
    return {
        "type": "object",
        "title": "By row",
        "required": ["instances", *(["signature_name"] if needed else [])],
        "properties": {"signature_name": name, "instances": instances, "inputs": False},
    }


def _column_form(inputs: Schema, name: Schema, needed: bool) -> Schema:
    return {
        "type": "object",
        "title": "By column",
        "required": ["inputs", *(["signature_name"] if needed else [])],
        "properties": {"signature_name": name, "inputs": inputs, "instances": False},
    }


def _instances(signature: Signature, most_rows: int) -> Schema:
    """Rows; a row of several inputs is an object, of one input a value or an object."""
    values = {spec.name: _tensor(spec, 1) for spec in signature.inputs}
    objects = {"type": "object", "required": list(values), "properties": values, "additionalProperties": False}
    bounds = {"type": "array", "minItems": 1, "maxItems": most_rows}
    if len(values) > 1:
        return {**bounds, "items": objects}
    (only,) = values.values()
    return {"anyOf": [{**bounds, "items": only}, {**bounds, "items": objects}]}


def _columns(signature: Signature) -> Schema:
    values = {spec.name: _tensor(spec, 0) for spec in signature.inputs}
    objects = {"type": "object", "required": list(values), "properties": values}
    return objects if len(values) > 1 else {"anyOf": [*values.values(), objects]}


def _tensor(spec: TensorSpec, skipped: int) -> Schema:
    """A tensor as nested lists, without its first dimensions; of unknown rank: anything."""
    if spec.shape is None:
        return {"description": f"{spec.name}: {spec.dtype}, of any shape"}
    schema = _element(spec.dtype)
    for depth, size in enumerate(reversed(spec.shape[skipped:])):
        # Nothing in a list says nothing of the dimensions within.
        bounds = {"minItems": min(depth, 1)} if size is None else {"minItems": size, "maxItems": size}
        schema = {"type": "array", "items": schema, **bounds}
    return {"description": f"{spec.name}: {spec.dtype} {spec.describe()}", **schema}


def _element(dtype: str) -> Schema:
    """What is taken, as `tensors` has it: float32 beyond its range is infinite, and narrow integers wrap."""
    if dtype == "string":
        return {"anyOf": [{"type": "string"}, _BYTES]}
    if dtype == "bool":
        return {"type": "boolean"}
    if dtype in FLOATS:
        return {"type": "number"}
    if dtype in INTEGERS:
        low, high = INTEGERS[dtype]
        return {"type": "integer", "minimum": low, "maximum": high}
    return {"not": {}, "description": f"TensorFlow Serving has no JSON for {dtype}."}
