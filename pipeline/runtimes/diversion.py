"""What a library in C++ says on stderr and nowhere else: an adapter's name, a figure."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator


class Said:
    """The text, complete when the diversion has ended."""

    text = ""


@contextlib.contextmanager
def stderr() -> Iterator[Said]:
    """Divert this process' stderr, and pass it on in the end."""
    sys.stderr.flush()
    said, before = Said(), os.dup(2)
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 2)
        try:
            yield said
        finally:
            sys.stderr.flush()
            os.dup2(before, 2)
            os.close(before)
            file.seek(0)
            raw = file.read()
            said.text = raw.decode(errors="replace")
            os.write(2, raw)
