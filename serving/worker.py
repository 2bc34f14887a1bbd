"""`python -m serving.worker`: one worker of a supervisor, which says on standard input what to do."""

from __future__ import annotations

import pickle
import socket
import sys

from serving.main import serve


def main() -> int:
    """Serve until SIGTERM, or until the supervisor is gone; returns the exit code."""
    settings, index, number = pickle.load(sys.stdin.buffer)
    return serve(settings, index, socket.socket(fileno=number))


if __name__ == "__main__":
    sys.exit(main())
