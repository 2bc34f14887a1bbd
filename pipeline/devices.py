"""Certificates that devices wrote (serving/kit/check.py), as cells of their bundle's matrix."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.artifact import Artifact
from pipeline.bundle import certificate, manifest, schemas
from pipeline.cells import Cell, Status, overall
from pipeline.errors import BundleError
from pipeline.outcome import Outcome


def report(bundle: Path, add: Sequence[Path] = ()) -> Outcome:
    """A bundle's certificate with the cells of devices. The bundle itself stays as it is.

    Args:
        bundle: a version directory, or its parent (the latest version).
        add: certificates of devices.

    Raises:
        BundleError: the bundle is incomplete or changed; a certificate is none, or of another bundle.
    """
    root = manifest.locate(bundle)
    listing = manifest.require_intact(root)
    document = certificate.read(root)
    cells = [Cell.from_json(c) for c in document["cells"]]
    for path in add:
        cells += _cells(path, listing)
    passed = overall(cells) is Status.PASS and all(c["verdict"] != Status.FAIL for c in document["checks"])
    status = Status.PASS if passed else Status.FAIL
    merged = {**document, "cells": [c.to_json() for c in cells], "status": str(status)}
    return Outcome(document["model"], status, root, merged, document["seconds"])


def _cells(path: Path, listing: dict[str, Any]) -> list[Cell]:
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise BundleError(f"'{path}' cannot be read: {error}.", "Run the kit's check.py again.") from error
    schemas.validate(found, "device")
    if found["bundle"] != listing["digest"]:
        raise BundleError(
            f"'{path}' is about another bundle ({found['model']} version {found['version']}).",
            "Make the kit of this bundle (isomer kit) and run its check.py.",
        )
    hashes = {entry["path"]: entry["sha256"] for entry in listing["files"]}
    known = {a.label: hashes.get(a.path) for a in (Artifact.from_json(entry) for entry in listing["artifacts"])}
    cells = []
    for entry in found["cells"]:
        label = " ".join(part for part in (entry["format"], entry["precision"], entry["variant"]) if part)
        if known.get(label) != entry["artifact"]:
            raise BundleError(f"'{path}' judged another file than this bundle's {label}.", "Make the kit again.")
        environment = {**found["machine"], **entry["environment"], "certificate": found["created"]}
        if latency := entry.get("latency_ms"):
            environment |= {f"{name} ms": latency[name] for name in ("min", "p50", "p90", "p99")}
            environment |= {"latency unstable": latency["unstable"]}
        cells.append(Cell.from_json({**entry, "required": False, "environment": environment}))
    return cells
