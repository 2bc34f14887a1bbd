"""What lies on disk: base paths of models, and their integer versions."""

from __future__ import annotations

import os
import re
from pathlib import Path

_NUMBER = re.compile(r"[0-9]{1,19}")
_MAX_VERSION = 2**63 - 1


def models(root: Path, name: str | None = None) -> dict[str, Path]:
    """Base paths by model name: the visible directories below the root, or the root itself if it has versions.

    Args:
        name: of the model in the latter case; its directory's name if None.

    Raises:
        OSError: the root cannot be read.
    """
    if versions(root):
        return {name or root.resolve().name: root}
    with os.scandir(root) as entries:
        visible = [e for e in entries if not e.name.startswith(".") and ":" not in e.name and e.is_dir()]
    return {e.name: Path(e.path) for e in sorted(visible, key=lambda e: e.name)}


def versions(base: Path) -> dict[int, Path]:
    """Directories whose names are integers; hidden ones, rejected-* and all others are invisible.

    Raises:
        OSError: the base path cannot be read.
    """
    found: dict[int, Path] = {}
    with os.scandir(base) as entries:
        for entry in sorted(entries, key=lambda e: e.name):
            if _NUMBER.fullmatch(entry.name) and int(entry.name) <= _MAX_VERSION and entry.is_dir():
                found.setdefault(int(entry.name), Path(entry.path))
    return found


def fingerprint(directory: Path) -> tuple[tuple[str, int, int], ...]:
    """Names, sizes and times of all files: a refused version is tried again only when these change."""
    entries = []
    for parent, _, names in os.walk(directory):
        for name in names:
            path = Path(parent, name)
            try:
                found = path.lstat()
            except OSError:
                continue  # gone since it was listed
            entries.append((str(path), found.st_size, found.st_mtime_ns))
    return tuple(sorted(entries))
