"""The listening socket and all its connections, from the first to the last."""

from __future__ import annotations

import asyncio
import time

from serving.errors import EnvironmentFault
from serving.rest.app import App
from serving.rest.connection import Connection
from serving.rest.operations import Operations
from serving.security import Security
from serving.settings import Settings

_SWEEP_SECONDS = 0.5
_DRAIN_POLL = 0.02
_BACKLOG = 1024


class Server:
    """Accepts connections, and stops so that no request is lost.

    Attributes:
        settings: with the limits.
        app: answers requests.
        operations: is told of connections.
        keeps: headers that requests carry along, beside those that every request is asked for.
    """

    def __init__(self, settings: Settings, app: App, operations: Operations, security: Security) -> None:
        self.settings = settings
        self._security = security
        self.app = app
        self.keeps = app.keeps
        self._operations = operations
        self._connections: set[Connection] = set()
        self._listener: asyncio.Server | None = None

    async def start(self) -> str:
        """Listen; returns the address as a URL.

        Raises:
            EnvironmentFault: the port is taken, or the host is not this machine's.
        """
        host, port = self.settings.host, self.settings.rest_port
        try:
            self._listener = await asyncio.get_running_loop().create_server(
                lambda: Connection(self),
                host,
                port,
                backlog=_BACKLOG,
                ssl=self._security.context,
                reuse_port=self.settings.workers > 1,
            )
        except OSError as error:
            raise EnvironmentFault(
                f"Cannot listen on {host}:{port}: {error.strerror or error}.", "Choose another with --rest-port."
            ) from error
        port = self._listener.sockets[0].getsockname()[1]
        scheme = "https" if self._security.context else "http"
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"

    async def sweep(self) -> None:
        """Close what is too slow, for ever."""
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            now = time.monotonic()
            for connection in [c for c in self._connections if c.deadline < now]:
                connection.expire()

    async def stop(self) -> bool:
        """Close the listener, and let requests in flight finish.

        Returns:
            Whether all of them did in time.
        """
        if self._listener is not None:
            self._listener.close()
        end = time.monotonic() + self.settings.drain_seconds
        # Accepted connections that this loop has not heard of yet appear in the next turns.
        while time.monotonic() < end:
            for connection in list(self._connections):
                connection.finish()
            await asyncio.sleep(_DRAIN_POLL)
            if not self._connections:
                return True
        return False

    def admit(self, connection: Connection) -> bool:
        """Count a connection in; False if there are too many."""
        self._connections.add(connection)
        self._operations.connections = len(self._connections)
        return len(self._connections) <= self.settings.limits.connections

    def discard(self, connection: Connection) -> None:
        """Count a connection out."""
        self._connections.discard(connection)
        self._operations.connections = len(self._connections)
