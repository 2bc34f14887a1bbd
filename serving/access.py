"""The access log: one JSON object a line for each request, kept in memory for a moment and written together."""

from __future__ import annotations

import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from serving.errors import EnvironmentFault

# Lines that are kept at most before they are written.
_MOST_LINES = 512


class AccessLog:
    """A file, or standard output for "-"; opened again after SIGHUP, for those who rotate it.

    Raises:
        EnvironmentFault: the file cannot be opened.
    """

    def __init__(self, target: str) -> None:
        self._target = target
        self._lines: list[str] = []
        self._file = self._open()

    def add(self, began: float, **fields: Any) -> None:
        """One request.

        Args:
            began: of `time.perf_counter`.
        """
        now = datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="milliseconds")
        milliseconds = round((time.perf_counter() - began) * 1e3, 3)
        self._lines.append(json.dumps({"time": now, **fields, "ms": milliseconds}))
        if len(self._lines) >= _MOST_LINES:
            self.flush()

    def flush(self) -> None:
        """Write what is kept. A disk that is full costs lines, never requests."""
        lines, self._lines = self._lines, []
        if not lines:
            return
        try:
            self._file.write("\n".join(lines) + "\n")
            self._file.flush()
        except OSError:
            pass

    def reopen(self) -> None:
        """Write to the file of that name from now on."""
        self.flush()
        if self._target != "-":
            self._file.close()
            self._file = self._open()

    def _open(self) -> TextIO:
        if self._target == "-":
            return sys.stdout
        try:
            return Path(self._target).open("a", encoding="utf-8", errors="backslashreplace")
        except OSError as error:
            raise EnvironmentFault(
                f"Cannot write '{self._target}': {error.strerror}.", "Choose another file with --access-log."
            ) from error
