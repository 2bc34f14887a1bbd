"""Paths for whoever runs the server: health, readiness, metrics."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from serving.inference.executor import Executor
from serving.lifecycle.model import Models
from serving.metrics import KIND, Metrics, Snapshot
from serving.rest import description
from serving.rest.messages import Request, Response, html
from serving.settings import Settings

# Whoever restarts and balances has no token.
FREE = ("/healthz", "/readyz", "/v2/health/live", "/v2/health/ready")


class Operations:
    """What there is to know of the process.

    Attributes:
        draining: set when the server is about to stop: load balancers shall look elsewhere.
        connections: how many are open; kept by the server.

    Args:
        settings: that the description of the API tells of.
        others: gives what other workers measured; None where there are none.
    """

    def __init__(
        self,
        settings: Settings,
        models: Models,
        executor: Executor,
        metrics: Metrics,
        others: Callable[[], Awaitable[list[Snapshot]]] | None = None,
    ) -> None:
        self._settings = settings
        self._models = models
        self._executor = executor
        self._metrics = metrics
        self._others = others
        self._tasks: set[asyncio.Task[None]] = set()
        self.draining = False
        self.connections = 0

    def answer(self, request: Request, reply: Callable[[Response], None]) -> None:
        """Answer, now or later; 404 for any other path."""
        if (
            self._others is not None
            and request.method == "GET"
            and request.path.partition("?")[0] in description.METRICS
        ):
            task = asyncio.get_running_loop().create_task(self._gather(self._others, reply))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        else:
            reply(self._respond(request))

    async def _gather(self, others: Callable[[], Awaitable[list[Snapshot]]], reply: Callable[[Response], None]) -> None:
        """The metrics of all workers."""
        self.measure()
        try:
            found = await others()
        except ConnectionError:
            found = []  # the supervisor is gone, and so will this worker be
        reply(Response(200, self._metrics.page(found), KIND))

    def _respond(self, request: Request) -> Response:
        path = request.path.partition("?")[0]
        if request.method not in ("GET", "HEAD"):
            return html(404)
        if path == "/healthz":
            return Response(200, b'{"status": "alive"}\n')
        if path == "/readyz":
            reasons = self.unready()
            body = {"status": "not ready", "reasons": reasons} if reasons else {"status": "ready"}
            return Response(503 if reasons else 200, json.dumps(body).encode() + b"\n")
        if path in description.METRICS:
            self.measure()
            return Response(200, self._metrics.page(), KIND)
        if path == description.PATH:
            return Response(200, json.dumps(self._describe()).encode())
        return html(404)

    def _describe(self) -> dict[str, Any]:
        newest = [model.available[0].servable for model in self._models.by_name.values() if model.available]
        guarded = self._settings.token_file is not None
        return description.describe(self._settings.limits, [s for s in newest if s is not None], guarded)

    def unready(self) -> list[str]:
        """Why the server should get no traffic; empty when it should."""
        return ["the server is stopping"] if self.draining else self._models.unready()

    def measure(self) -> None:
        """Bring the gauges up to date."""
        metrics = self._metrics
        metrics.waiting.set(to=self._executor.waiting)
        metrics.connections.set(to=self.connections)
        metrics.ready.set(to=0 if self.unready() else 1)
        metrics.state.values = {
            (model.name, str(version.number), version.servable.runtime if version.servable else ""): float(
                version.servable is not None
            )
            for model in self._models.by_name.values()
            for version in model.versions.values()
        }
