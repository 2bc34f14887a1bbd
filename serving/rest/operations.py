"""Paths for whoever runs the server: health, readiness, metrics."""

from __future__ import annotations

import json

from serving.inference.executor import Executor
from serving.lifecycle.model import Models
from serving.metrics import KIND, Metrics
from serving.rest.messages import Request, Response, html

# Whoever restarts and balances has no token.
FREE = ("/healthz", "/readyz", "/v2/health/live", "/v2/health/ready")
# TensorFlow Serving's default path, and everybody else's.
_METRICS = ("/monitoring/prometheus/metrics", "/metrics")


class Operations:
    """What there is to know of the process.

    Attributes:
        draining: set when the server is about to stop: load balancers shall look elsewhere.
        connections: how many are open; kept by the server.
    """

    def __init__(self, models: Models, executor: Executor, metrics: Metrics) -> None:
        self._models = models
        self._executor = executor
        self._metrics = metrics
        self.draining = False
        self.connections = 0

    def answer(self, request: Request) -> Response:
        """The response; 404 for any other path."""
        path = request.path.partition("?")[0]
        if request.method not in ("GET", "HEAD"):
            return html(404)
        if path == "/healthz":
            return Response(200, b'{"status": "alive"}\n')
        if path == "/readyz":
            reasons = self.unready()
            body = {"status": "not ready", "reasons": reasons} if reasons else {"status": "ready"}
            return Response(503 if reasons else 200, json.dumps(body).encode() + b"\n")
        if path in _METRICS:
            return Response(200, self._page(), KIND)
        return html(404)

    def unready(self) -> list[str]:
        """Why the server should get no traffic; empty when it should."""
        return ["the server is stopping"] if self.draining else self._models.unready()

    def _page(self) -> bytes:
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
        return metrics.page()
