"""Paths of the REST API, matched as TensorFlow Serving matches them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from serving.errors import InvalidArgument, VersionOverflow

# Whatever matches this is the REST API's to answer; everything else is a plain 404.
API = re.compile(r"/v1/.*", re.IGNORECASE | re.DOTALL)
_VERSION = r"(?:(?:/versions/(\d+))|(?:/labels/([^/:]+)))?"
_FLAGS = re.IGNORECASE | re.ASCII
_POST = re.compile(rf"/v1/models/([^/:]+){_VERSION}:(classify|regress|predict)", _FLAGS)
_GET = re.compile(rf"/v1/models(?:/([^/:]+))?{_VERSION}(?:/(metadata))?", _FLAGS)
_MAX_VERSION = 2**63 - 1


@dataclass(frozen=True)
class Target:
    """What a request is for.

    Attributes:
        verb: predict, classify, regress, status or metadata.
        model: its name; empty in `GET /v1/models`.
        version, label: at most one of them.
    """

    verb: str
    model: str
    version: int | None = None
    label: str | None = None

    def describe(self) -> str:
        """As TensorFlow Serving names a servable that it does not have."""
        return f"Latest({self.model})" if self.version is None else f"Specific({self.model}, {self.version})"


def parse(method: str, path: str) -> Target:
    """The target of a request.

    Args:
        method: in capitals.
        path: with its query, which is part of the last segment to TensorFlow Serving.

    Raises:
        InvalidArgument: TensorFlow Serving has nothing there.
        VersionOverflow: the version is beyond int64.
    """
    malformed = InvalidArgument(f"Malformed request: {method} {path}")
    pattern = {"POST": _POST, "GET": _GET}.get(method)
    found = pattern.fullmatch(path) if pattern else None
    if found is None:
        raise malformed
    name, number, label, last = found.groups()
    version = None if number is None else int(number) if len(number) < 40 else _MAX_VERSION + 1
    if version is not None and version > _MAX_VERSION:
        raise VersionOverflow("")
    model = _decode(name or "")
    if method == "POST":
        # The pattern ignores case, the comparison of the verb does not.
        if last not in ("classify", "regress", "predict"):
            raise malformed
        return Target(last, model, version, None if label is None else _decode(label))
    if not model:
        raise InvalidArgument("Missing model name in request.")
    return Target("metadata" if last == "metadata" else "status", model, version, None if not label else _decode(label))


def _decode(text: str) -> str:
    return unquote_to_bytes(text.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")
