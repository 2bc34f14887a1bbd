"""Finding a program on this machine, and hearing its version from itself."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import RuntimeUnavailable


@dataclass(frozen=True)
class Program:
    """A program that answered.

    Attributes:
        path: the executable.
        version: of the build ("156.0.8078.79").
        how: where it was found, in words.
    """

    path: Path
    version: str
    how: str


def ask(path: Path, how: str, pattern: str) -> Program | None:
    """The program if it starts and answers `--version` with words in which the pattern's group is the version."""
    try:
        answer = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=30, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return None  # such as Ubuntu's browsers, which only say that one should install a snap
    found = re.search(pattern, answer)
    return Program(path, found[1], how) if found else None


def find(
    variable: str, candidates: Iterable[tuple[Path, str]], pattern: str, name: str, what: str, fix: str
) -> Program:
    """The program that an environment variable names, else the first candidate that answers.

    Args:
        candidates: paths, and where each was found, in words.
        pattern: as in `ask`.
        name, what: for messages, "Chromium" and "Chromium or Chrome".

    Raises:
        RuntimeUnavailable: there is none, or what the variable names is not one.
    """
    if named := os.environ.get(variable):
        program = ask(Path(named), variable, pattern)
        if program is None:
            raise RuntimeUnavailable(f"{variable} names '{named}', which is no {name} that starts.", fix)
        return program
    for path, how in candidates:
        if program := ask(path, how, pattern):
            return program
    raise RuntimeUnavailable(f"There is no {what} on this machine.", fix)
