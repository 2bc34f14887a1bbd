"""What no schema can say of the server's requests; schemathesis loads this as its hooks."""

from __future__ import annotations

import base64
from typing import Any

import schemathesis


@schemathesis.hook
def filter_case(_: Any, case: Any) -> bool:
    """Whether a request is to be sent."""
    # TensorFlow Serving answers a version beyond int64 with 400 and no body (cases.py has it).
    version = str((case.path_parameters or {}).get("version", ""))
    if version.lstrip("-").isdecimal() and abs(int(version)) >= 2**63:
        return False
    # To JSON Schema 1.0 is an integer, to TensorFlow Serving it is none.
    if case.operation.path == "/v1/models/pair:predict" and isinstance(case.body, dict):
        return not any(isinstance(v, float) and v.is_integer() for v in _leaves(_values(case.body, "b")))
    # ONNX Runtime takes no strings that are not UTF-8 (docs/serving.md says so).
    return all(map(_is_utf8, _leaves(_values(case.body, "b64"))))


def _values(document: Any, key: str) -> list[Any]:
    """All that stands under a key, at any depth."""
    if isinstance(document, dict):
        return [v for k, value in document.items() for v in ([value] if k == key else _values(value, key))]
    return [v for value in document for v in _values(value, key)] if isinstance(document, list) else []


def _leaves(value: Any) -> list[Any]:
    return [leaf for item in value for leaf in _leaves(item)] if isinstance(value, list) else [value]


def _is_utf8(text: Any) -> bool:
    try:
        bare = text.rstrip("=.")
        base64.b64decode(bare + "=" * (-len(bare) % 4)).decode()
    except UnicodeDecodeError:
        return False
    except (AttributeError, ValueError):
        pass  # no base64 at all: the server says so
    return True
