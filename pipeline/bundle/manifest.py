"""The manifest: every file of a bundle with its size and SHA-256, and what `verify` makes of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.artifact import Artifact
from pipeline.bundle import publish, schemas
from pipeline.errors import BundleError

NAME = "manifest.json"
SCHEMA = "isomer-manifest/1"
_CHUNK = 1 << 20
_SIGNS = ("certificate.json", "model.keras", "saved_model.pb")


@dataclass(frozen=True)
class Verification:
    """What `verify` found.

    Attributes:
        bundle: the directory.
        digest: SHA-256 over the list of files: one string that stands for the bundle's content.
        files: how many were checked; `bytes` of them in all.
        problems: a sentence for each file that is changed, missing or not listed.
    """

    bundle: Path
    digest: str
    files: int
    bytes: int
    problems: tuple[str, ...]

    @property
    def intact(self) -> bool:
        return not self.problems


def build(
    root: Path,
    model: str,
    version: int | None,
    created: str,
    artifacts: Sequence[Artifact],
    calibration: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """The manifest of all files below `root` except itself.

    Args:
        calibration: the rows that ranges of activations were found on, as in the certificate.
    """
    files = [
        {"path": path, "bytes": (root / path).stat().st_size, "sha256": sha256(root / path)} for path in _listing(root)
    ]
    return {
        "schema": SCHEMA,
        "model": model,
        "version": version,
        "created": created,
        "files": files,
        "artifacts": [a.to_json() for a in artifacts],
        "digest": _digest(files),
        **({} if calibration is None else {"calibration": calibration}),
    }


def write(root: Path, manifest: dict[str, Any]) -> None:
    """Write `manifest.json`, the last file of a bundle."""
    schemas.validate(manifest, "manifest")
    (root / NAME).write_text(json.dumps(manifest, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def locate(path: Path) -> Path:
    """The bundle that a path means: itself, or the latest version below it.

    Raises:
        BundleError: there is neither.
    """
    if (path / NAME).is_file() or not path.is_dir():
        return path
    found = publish.latest(path)
    if found is None and any((path / name).is_file() for name in _SIGNS):
        return path  # half of a bundle: whoever reads it says so
    if found is None:
        raise BundleError(f"'{path}' holds no bundle.", "Give a directory such as exports/cnn/1, or export first.")
    return found


def read(root: Path) -> dict[str, Any]:
    """The manifest of a bundle.

    Raises:
        BundleError: it is missing, not JSON, or of another schema.
    """
    path = root / NAME
    if not root.is_dir():
        raise BundleError(f"There is no bundle at '{root}'.", "Give a directory such as exports/cnn/1.")
    if not path.is_file():
        raise BundleError(f"'{root}' has no {NAME}: it is no bundle, or half of one.", "Export the model again.")
    try:
        manifest: dict[str, Any] = json.loads(path.read_text())
    except (ValueError, RecursionError) as error:
        raise BundleError(f"'{path}' is not JSON: {error}.", "Export the model again.") from error
    schemas.validate(manifest, "manifest")
    return manifest


def verify(root: Path) -> Verification:
    """Hash every file and compare with the manifest; files that it does not list are problems too.

    Raises:
        BundleError: there is no readable manifest.
    """
    manifest = read(root)
    listed = {entry["path"]: entry for entry in manifest["files"]}
    present = set(_listing(root))
    problems = []
    if manifest["digest"] != _digest(manifest["files"]):
        problems.append(f"{NAME}: its digest does not match its own list of files")
    for path, entry in sorted(listed.items()):
        file = root / path
        if path not in present:
            problems.append(f"{path}: missing")
        elif file.stat().st_size != entry["bytes"]:
            problems.append(f"{path}: {file.stat().st_size} bytes, {entry['bytes']} when it was exported")
        elif sha256(file) != entry["sha256"]:
            problems.append(f"{path}: its content changed since it was exported")
    problems += [f"{path}: not part of the bundle" for path in sorted(present - listed.keys())]
    total = sum(entry["bytes"] for entry in listed.values())
    return Verification(root, manifest["digest"], len(listed), total, tuple(problems))


def require_intact(root: Path) -> dict[str, Any]:
    """The manifest of a bundle whose files are all as they were exported.

    Raises:
        BundleError: a file changed, is missing or was added.
    """
    result = verify(root)
    if result.problems:
        more = f" (and {len(result.problems) - 1} more)" if len(result.problems) > 1 else ""
        raise BundleError(
            f"The bundle '{root}' is not what was exported: {result.problems[0]}{more}.", "Export the model again."
        )
    return read(root)


def sha256(path: Path) -> str:
    """Hash of a file's content."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _listing(root: Path) -> list[str]:
    files = [p for p in root.rglob("*") if p.is_file() or p.is_symlink()]
    return sorted(p.relative_to(root).as_posix() for p in files if p != root / NAME)


def _digest(files: list[dict[str, Any]]) -> str:
    lines = "".join(f"{entry['sha256']}  {entry['path']}\n" for entry in sorted(files, key=lambda e: e["path"]))
    return hashlib.sha256(lines.encode()).hexdigest()
