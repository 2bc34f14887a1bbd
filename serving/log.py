"""Events as JSON, one object a line, on stderr; set up by the entry point."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any

_LOGGER = logging.getLogger("serving")


class _Lines(logging.Formatter):
    def __init__(self, worker: int | None) -> None:
        super().__init__()
        self._head: dict[str, Any] = {} if worker is None else {"worker": worker}

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = {"time": time, "level": record.levelname.lower(), "event": record.getMessage()}
        line |= self._head
        line |= getattr(record, "fields", {})
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def configure(worker: int | None = None) -> None:
    """Send events to stderr, each with the worker that it is about."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Lines(worker))
    _LOGGER.handlers[:] = [handler]
    _LOGGER.setLevel(logging.INFO)
    _LOGGER.propagate = False


def adopt(library: str, event: str) -> None:
    """Tell a library's own warnings as events of that name."""
    logger = logging.getLogger(library)
    logger.handlers[:] = [_Adopted(event)]
    logger.propagate = False


class _Adopted(logging.Handler):
    def __init__(self, event: str) -> None:
        super().__init__(logging.WARNING)
        self._event = event

    def emit(self, record: logging.LogRecord) -> None:
        warning(self._event, reason=record.getMessage())


def info(event: str, **fields: Any) -> None:
    """Something expected happened."""
    _LOGGER.info(event, extra={"fields": fields})


def warning(event: str, **fields: Any) -> None:
    """Something that an operator should know."""
    _LOGGER.warning(event, extra={"fields": fields})


def error(event: str, trace: bool = False, **fields: Any) -> None:
    """Something failed; with the current exception's trace if asked for."""
    _LOGGER.error(event, extra={"fields": fields}, exc_info=trace)
