"""Files that are written aside and renamed into place: a kill at any moment leaves the old one or the new one."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from pipeline.errors import EnvironmentFault


def write(path: Path, content: bytes, what: str) -> None:
    """Write a file of a run in place of the one before.

    Args:
        what: is written, in words, for the message.

    Raises:
        EnvironmentFault: the disk is full, or permissions are missing.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(name).replace(path)
    except OSError as error:
        raise EnvironmentFault(
            f"{what} cannot be written to '{path}': {error.strerror or error}.",
            "Free space there, or choose another directory with --runs.",
        ) from error
