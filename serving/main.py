"""Runs the server, from the first log line to the exit code."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Coroutine
from typing import Any

import uvloop

from serving import log
from serving.errors import EXIT_PASS, StartFault
from serving.node import Node
from serving.security import load as load_security
from serving.settings import ENGINES, PRECISIONS, Settings
from serving.supervisor import Supervisor
from serving.tracing import require as require_tracing
from serving.web.shell import Shell


def run(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT, in one process or in several.

    Returns:
        The exit code: 0 after a stop, 2 for usage, 3 for the environment.
    """

    def start() -> Coroutine[Any, Any, int]:
        _check(settings)
        return Node(settings).run() if settings.workers == 1 else Supervisor(settings).run()

    return _guard(start, None)


def serve(settings: Settings, index: int, end: socket.socket) -> int:
    """Serve as one worker of several.

    Args:
        index: the worker's place.
        end: the channel to the supervisor.
    """
    return _guard(lambda: Node(settings, index, end).run(), index)


def _guard(start: Any, index: int | None) -> int:
    log.configure(index)

    async def whole() -> int:
        return int(await start())

    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(whole())
    except StartFault as fault:
        print(f"error: {fault.what}\n{fault.fix}", file=sys.stderr)
        return fault.exit_code
    except KeyboardInterrupt:
        return EXIT_PASS


def _check(settings: Settings) -> None:
    if settings.engine not in ENGINES:
        raise StartFault(f"There is no engine '{settings.engine}'.", f"Choose one of {', '.join(ENGINES)}.")
    for name in settings.precision:
        if name not in PRECISIONS:
            raise StartFault(f"No precision '{name}' is served.", f"Choose of {', '.join(PRECISIONS)}.")
    if settings.root is None and settings.model_config_file is None:
        raise StartFault("There is nothing to serve.", "Name a directory of models, or a --model-config-file.")
    if settings.root is not None and settings.model_config_file is not None:
        raise StartFault("A directory and a models.config were given.", "Give one of them.")
    if settings.root is not None and not settings.root.is_dir():
        raise StartFault(
            f"There is no directory '{settings.root}'.", "Export a model first, such as `isomer export cnn`."
        )
    load_security(settings)
    if settings.traces is not None:
        require_tracing()
    if settings.web:
        Shell()
