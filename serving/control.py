"""What workers and their supervisor say to each other: JSON, one message a line, over a socket pair.

A worker that is asked for something that concerns all of them (metrics, a new configuration) asks the supervisor, which
asks the workers and gives back their answers.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable
from itertools import count
from typing import Any

_LIMIT = 256 << 20

Handler = Callable[[Any], Awaitable[Any]]


class Channel:
    """One end of the pair.

    Args:
        handlers: by kind of request, what answers it here.
        lost: called when the other end is gone.
    """

    def __init__(self, handlers: dict[str, Handler], lost: Callable[[], None]) -> None:
        self._handlers = handlers
        self._lost = lost
        self._numbers = count()
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._writer: asyncio.StreamWriter | None = None
        self._tasks: set[asyncio.Task[Any]] = set()

    async def open(self, end: socket.socket) -> None:
        """Take a socket into use."""
        reader, self._writer = await asyncio.open_connection(sock=end, limit=_LIMIT)
        self._start(self._read(reader))

    async def ask(self, kind: str, payload: Any = None) -> Any:
        """Ask the other end.

        Raises:
            ConnectionError: it is gone, or its handler failed.
        """
        if self._writer is None:
            raise ConnectionError("the channel is not open")
        number = next(self._numbers)
        future = self._waiting[number] = asyncio.get_running_loop().create_future()
        self._send({"ask": kind, "id": number, "payload": payload})
        try:
            return await future
        finally:
            self._waiting.pop(number, None)

    def close(self) -> None:
        """Hang up."""
        if self._writer is not None:
            self._writer.close()

    def _send(self, document: dict[str, Any]) -> None:
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(json.dumps(document).encode() + b"\n")

    async def _read(self, reader: asyncio.StreamReader) -> None:
        try:
            while line := await reader.readline():
                document = json.loads(line)
                if "ask" in document:
                    self._start(self._answer(document))
                    continue
                future = self._waiting.get(document["id"])
                if future is None or future.done():
                    continue
                if "failed" in document:
                    future.set_exception(ConnectionError(document["failed"]))
                else:
                    future.set_result(document["payload"])
        except (ConnectionError, ValueError):
            pass
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(ConnectionError("the other end is gone"))
        self._lost()

    async def _answer(self, document: dict[str, Any]) -> None:
        try:
            payload = await self._handlers[document["ask"]](document["payload"])
            self._send({"id": document["id"], "payload": payload})
        except Exception as error:
            self._send({"id": document["id"], "failed": f"{type(error).__name__}: {error}"})

    def _start(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
