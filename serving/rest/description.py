"""The REST API as an OpenAPI document: what `--openapi` prints, and /openapi.json answers with the models' own types.

One table names every path; schemas of bodies come from the signatures that requests are read with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from serving.contract import open_schemas, results, schemas
from serving.contract.schemas import Schema
from serving.settings import Limits
from serving.signature import Signature

if TYPE_CHECKING:
    from serving.lifecycle.loading import Servable

PATH = "/openapi.json"
# TensorFlow Serving's default path, and everybody else's.
METRICS = ("/monitoring/prometheus/metrics", "/metrics")
_OPENAPI = "3.1.0"
_VERSION = "1"
_JSON = "application/json"
_ERRORS = {
    400: "The request is malformed, or does not fit the model.",
    401: "A bearer token is needed.",
    404: "There is no such model or version.",
    408: "The request did not arrive in time.",
    413: "The body is larger than this server takes.",
    429: "More requests wait than this server keeps.",
    431: "The headers are larger than this server takes.",
    500: "The server or the model failed.",
    501: "TensorFlow Serving has no JSON for this type.",
    503: "This server has as many connections as it takes.",
    504: "The answer took longer than this server waits.",
}
_READS, _RUNS = (400, 401, 404, 408, 431, 503), tuple(_ERRORS)
_UNGUARDED = (408, 431, 503)
_PARAMETERS: Mapping[str, Schema] = {
    "model": {"type": "string", "minLength": 1},
    "version": {"type": "integer", "minimum": 0, "maximum": 2**63 - 1},
    "label": {"type": "string", "minLength": 1},
}
_WHERE = {"": "the newest version", "/versions/{version}": "one version", "/labels/{label}": "a label's version"}
_SUMMARIES = {
    "predict": "Run a signature on rows or columns",
    "classify": "Classify examples",
    "regress": "Give a number for each example",
}
_METHODS = {"classify": results.CLASSIFY, "regress": results.REGRESS}


def describe(limits: Limits, models: Sequence[Servable] = (), guarded: bool | None = None) -> dict[str, Any]:
    """The document.

    Args:
        models: that are served: each gets its own paths, with its own types.
        guarded: whether a token is needed; None where that is not known.
    """
    paths: dict[str, Any] = {}
    for where, what in _WHERE.items():
        base = "/v1/models/{model}" + where
        for verb in _SUMMARIES:
            _add(paths, f"{base}:{verb}", "post", _run(verb, what, {}, limits))
        states = f"States of {what if where else 'all versions'}"
        _add(paths, base, "get", _operation("tensorflow", states, schemas.STATUS, _READS))
        signatures = f"Signatures of {what}"
        _add(paths, f"{base}/metadata", "get", _operation("tensorflow", signatures, schemas.METADATA, _READS))
    for where in ("", "/versions/{version}"):
        base = "/v2/models/{model}" + where
        _add(paths, base, "get", _operation("open inference", "Inputs and outputs", open_schemas.MODEL, _READS))
        ready = _operation("open inference", "Whether it takes requests", open_schemas.READY, _READS)
        ready["responses"]["503"] = _response("It takes none.", open_schemas.READY)
        _add(paths, f"{base}/ready", "get", ready)
        infer = _operation("open inference", "Run the default signature", open_schemas.ANSWER, _RUNS)
        _add(paths, f"{base}/infer", "post", {**infer, **_takes(open_schemas.REQUEST)})
    for path, operation in _operations().items():
        _add(paths, path, "get", operation)
    if models:
        names = {"enum": sorted(servable.model for servable in models)}
        for path in paths.values():
            path["parameters"] = [p if p["name"] != "model" else {**p, "schema": names} for p in path["parameters"]]
    for servable in models:
        for verb in sorted(schemas.methods(servable.signatures)):
            own = _run(verb, f"{servable.model}, version {servable.version}", servable.signatures, limits)
            _add(paths, f"/v1/models/{quote(servable.model, safe='')}:{verb}", "post", own)
    return {
        "openapi": _OPENAPI,
        "info": {
            "title": "isomer's server: TF Serving compatible, and the Open Inference Protocol",
            "version": _VERSION,
            "description": "NaN, Infinity and -Infinity are taken and written as such, as TensorFlow Serving does.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "responses": {str(code): _response(text, schemas.ERROR) for code, text in _ERRORS.items()},
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
        "security": {True: [{"bearer": []}], False: [], None: [{"bearer": []}, {}]}[guarded],
    }


def _operations() -> dict[str, Schema]:
    """What whoever runs the server asks, by path."""
    text = {"type": "object", "required": ["status"], "properties": {"status": {"type": "string"}}}
    live, ready = (
        {"type": "object", "required": [k], "properties": {k: {"type": "boolean"}}} for k in ("live", "ready")
    )
    found = {
        "/healthz": _free("operations", "Whether the process answers", text),
        "/readyz": _free("operations", "Whether every model serves", text),
        "/v2/health/live": _free("open inference", "Whether the process answers", live),
        "/v2/health/ready": _free("open inference", "Whether every model serves", ready),
        "/v2": _operation("open inference", "About the server", open_schemas.SERVER, _READS),
        PATH: _operation("operations", "This document", {"type": "object", "required": ["openapi"]}, _READS),
    }
    for path, schema in (("/readyz", text), ("/v2/health/ready", ready)):
        found[path]["responses"]["503"] = _response("It is not, or the server stops.", schema)
    for path in METRICS:
        found[path] = _operation("operations", "Metrics for Prometheus", {}, _READS)
        found[path]["responses"]["200"]["content"] = {"text/plain": {"schema": {"type": "string"}}}
    return found


def _run(verb: str, what: str, signatures: Mapping[str, Signature], limits: Limits) -> Schema:
    """A :predict, :classify or :regress."""
    if verb == "predict":
        body, answer = schemas.predict(signatures, limits.rows), schemas.PREDICTED
    else:
        body, answer = schemas.examples(signatures, _METHODS[verb], limits.rows), schemas.JUDGED
    return {**_operation("tensorflow", f"{_SUMMARIES[verb]}: {what}", answer, _RUNS), **_takes(body)}


def _takes(body: Schema) -> Schema:
    return {"requestBody": {"required": True, "content": {_JSON: {"schema": body}}}}


def _free(tag: str, summary: str, answer: Schema) -> Schema:
    """A path that needs no token."""
    return {**_operation(tag, summary, answer, _UNGUARDED), "security": []}


def _operation(tag: str, summary: str, answer: Schema, errors: Sequence[int]) -> Schema:
    responses = {str(code): {"$ref": f"#/components/responses/{code}"} for code in errors}
    return {"tags": [tag], "summary": summary, "responses": {"200": _response("The answer.", answer), **responses}}


def _response(text: str, schema: Schema) -> Schema:
    return {"description": text, "content": {_JSON: {"schema": schema}}}


def _add(paths: dict[str, Any], path: str, method: str, operation: Schema) -> None:
    """An operation with its path's parameters."""
    named = [n for n in _PARAMETERS if f"{{{n}}}" in path]
    parameters = [{"name": n, "in": "path", "required": True, "schema": _PARAMETERS[n]} for n in named]
    paths[path] = {method: operation, "parameters": parameters}
