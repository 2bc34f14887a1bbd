"""The files of the bundles that are served: those that a manifest lists, and no others."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import parse_qs, unquote

from serving.errors import Damaged, NotFound, ResourceExhausted, ServingError
from serving.lifecycle import versions
from serving.lifecycle.bundle import MANIFEST
from serving.lifecycle.model import Models
from serving.rest.messages import Response, refuse
from serving.web import headers

PREFIX = "/bundles"
_SCHEMA = "isomer-bundles/1"
# A file is read whole into memory; models for browsers are smaller by far.
_MAX_BYTES = 256 << 20
_MAX_MANIFESTS = 64


@dataclass(frozen=True)
class Place:
    """One version as the event loop knows it, so that a thread may look at its files.

    Attributes:
        model, version: what it is; `base`: the model's base path.
        state: START, LOADING, AVAILABLE, UNLOADING or END.
        reason: why it does not serve; empty if it does.
    """

    model: str
    version: int
    base: Path
    state: str
    reason: str


def places(models: Models) -> list[Place]:
    """Versions that serve and those that were refused, by name, the newest first. On the event loop."""
    return [
        Place(model.name, v.number, model.base, v.state, "" if v.problem is None else v.problem.message)
        for _, model in sorted(models.by_name.items())
        for v in sorted(model.versions.values(), key=lambda v: -v.number)
        if v.servable is not None or v.problem is not None
    ]


class Files:
    """Reads manifests and what they list. All methods block; meant for threads."""

    def __init__(self) -> None:
        self._manifests: dict[tuple[Path, int, int], dict[str, Any]] = {}

    def listing(self, known: list[Place]) -> Response:
        """All bundles: model, version, state, reason, and the digest of those whose files can be read."""
        bundles = []
        for place in known:
            digest = None
            if not place.reason:
                try:
                    digest = self._manifest(_directory(place))["digest"]
                except (OSError, ServingError):
                    continue  # a model of other origin (--no-gate): there is nothing that a page could read
            bundles.append(
                {
                    "model": place.model,
                    "version": place.version,
                    "state": place.state,
                    "reason": place.reason,
                    "digest": digest,
                }
            )
        body = json.dumps({"schema": _SCHEMA, "bundles": bundles}).encode()
        return Response(200, body, headers=headers.data("", False))

    def respond(self, path: str, query: str, known: list[Place], tags: bytes) -> Response:
        """One file, at /bundles/<model>/<version>/<path>.

        Args:
            query: `sha256=<hash>` of the file's content makes the answer one that may be kept for ever.
            known: versions that there are.
            tags: the header If-None-Match; empty if there was none.
        """
        try:
            return self._read(path, query, known, tags)
        except ServingError as error:
            return refuse(error)
        except OSError as error:
            return refuse(NotFound(f"{path}: {error.strerror or error}"))

    def _read(self, path: str, query: str, known: list[Place], tags: bytes) -> Response:
        parts = [unquote(part) for part in path.removeprefix(PREFIX).strip("/").split("/")]
        place = next((p for p in known if [p.model, str(p.version)] == parts[:2] and not p.reason), None)
        if place is None:
            raise NotFound(f"There is no bundle at {path}")
        directory, name = _directory(place), "/".join(parts[2:])
        listed = {entry["path"]: entry["sha256"] for entry in self._manifest(directory)["files"]}
        if name != MANIFEST and name not in listed:
            raise NotFound(f"The manifest of {place.model} {place.version} does not list '{name}'")
        file = _inside(directory, name)
        found = file.stat()
        if found.st_size > _MAX_BYTES:
            raise ResourceExhausted(f"'{name}' has {found.st_size} bytes; the page reads files of up to {_MAX_BYTES}")
        etag = f'"{found.st_size:x}-{found.st_mtime_ns:x}"'
        head = headers.data(etag, name in listed and parse_qs(query).get("sha256") == [listed[name]])
        if etag.encode() in tags:
            return headers.NotModified(304, b"", headers.kind(name), head)
        return Response(200, file.read_bytes(), headers.kind(name), head)

    def _manifest(self, directory: Path) -> dict[str, Any]:
        path = directory / MANIFEST
        found = path.stat()
        key = (path, found.st_size, found.st_mtime_ns)
        if key not in self._manifests:
            try:
                manifest = json.loads(path.read_bytes())
                manifest["digest"], [(e["path"], e["sha256"]) for e in manifest["files"]]
            except (ValueError, TypeError, KeyError) as error:
                raise Damaged(f"{MANIFEST}: {error}") from error
            if len(self._manifests) >= _MAX_MANIFESTS:
                self._manifests.clear()
            self._manifests[key] = manifest
        return self._manifests[key]


def _directory(place: Place) -> Path:
    found = versions.versions(place.base).get(place.version)
    if found is None:
        raise NotFound(f"Version {place.version} of {place.model} is gone")
    return found


def _inside(directory: Path, name: str) -> Path:
    """The file of that name, which lies in the directory whatever the name says."""
    root = directory.resolve()
    file = (root / name).resolve()
    plain = PurePosixPath(name)
    if (
        plain.is_absolute()
        or ".." in plain.parts
        or os.path.commonpath((root, file)) != str(root)
        or not file.is_file()
    ):
        raise NotFound(f"There is no file '{name}'")
    return file
