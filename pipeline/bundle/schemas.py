"""The published JSON Schemas of what isomer writes, and the check of a document against its own."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, relevance
from jsonschema.validators import extend
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from pipeline.errors import BundleError

DIRECTORY = Path(__file__).parent / "schemas"

SCHEMAS: tuple[str, ...] = ("certificate", "device", "manifest", "receipt", "result")
"""The kinds of document that have a schema: `schemas/<kind>.json`."""


# Tuples count as arrays, so that a document can be checked before it is written.
_Validator = extend(
    Draft202012Validator,
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine("array", lambda _, value: isinstance(value, list | tuple)),
)


@cache
def schema(kind: str) -> dict[str, Any]:
    """The JSON Schema of a kind of document (one of `SCHEMAS`, or "common" for the shared parts)."""
    if kind not in (*SCHEMAS, "common"):
        raise ValueError(f"no schema '{kind}'; choose from {', '.join(SCHEMAS)}")
    document: dict[str, Any] = json.loads((DIRECTORY / f"{kind}.json").read_text(encoding="utf-8"))
    return document


@cache
def _validator(kind: str) -> Any:
    # An explicit registry: a `$ref` must never be fetched from anywhere.
    registry: Registry[Any] = Registry().with_resources(
        (schema(name)["$id"], Resource.from_contents(schema(name), DRAFT202012)) for name in ("common", *SCHEMAS)
    )
    return _Validator(schema(kind), registry=registry)


def validate(document: Any, kind: str) -> None:
    """Check a document against its schema.

    Args:
        document: what `json.load` gave, or what is about to be written.
        kind: one of `SCHEMAS`.

    Raises:
        BundleError: the document does not follow its schema; the message names the place, such as
            `certificate.cells[3].verdict`.
    """
    for path, value in _non_finite(document, kind):
        raise BundleError(f"{path}: {value} is not a JSON number.", "Write null and say why in the reason.")
    errors = list(_validator(kind).iter_errors(document))
    if errors:
        # Of several, the deepest branch of the most relevant says most: an unknown verdict, not "no oneOf".
        error = _deepest(max(errors, key=relevance))
        more = f" ({len(errors) - 1} more)" if len(errors) > 1 else ""
        place = kind + _place(error)
        raise BundleError(f"{place}: {_message(error)}{more}.", f"Expected an {schema(kind)['title']}.")


def _deepest(error: ValidationError) -> ValidationError:
    while error.context:
        error = max(error.context, key=lambda e: len(e.absolute_path))
    return error


def _place(error: ValidationError) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.absolute_path)


def _message(error: ValidationError) -> str:
    """The library's message, with the value cut short: a document may be large or hostile."""
    text = error.message
    if error.validator == "minLength" and error.absolute_path and error.absolute_path[-1] == "reason":
        text = "a verdict other than PASS needs a reason"
    return text if len(text) <= 300 else f"{text[:140]} ... {text[-140:]}"


def _non_finite(value: Any, path: str) -> Iterator[tuple[str, float]]:
    """Places of NaN and infinity, which Python's json writes and JSON forbids."""
    if isinstance(value, float) and not math.isfinite(value):
        yield path, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _non_finite(item, f"{path}.{key}")
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _non_finite(item, f"{path}[{index}]")
