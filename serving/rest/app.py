"""What each path answers."""

from __future__ import annotations

import asyncio
import json
import os
import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from serving import log
from serving.contract import paths, request, views
from serving.contract.paths import Target
from serving.contract.request import Predict
from serving.errors import Internal, InvalidArgument, ResourceExhausted, ServingError
from serving.lifecycle.batches import run
from serving.lifecycle.loading import Servable
from serving.lifecycle.model import Models
from serving.rest.messages import Request, Response, html, refuse
from serving.settings import Limits
from serving.signature import Signature

# What takes longer than this, by the average so far, goes to a thread: a hop costs about 0.1 ms, and while the
# event loop computes nobody else is answered.
_INLINE_SECONDS = 0.001
# Longer bodies are read in a thread.
_INLINE_BYTES = 64 << 10
_ORIGIN = re.compile(r"https?://")


class App:
    """Answers requests. Lives on the event loop; only `_compute` and what it calls run in threads.

    Args:
        models: what there is to serve.
    """

    def __init__(self, models: Models, limits: Limits) -> None:
        self._models = models
        self._limits = limits
        self._pool = ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="predict")
        self._pending = 0
        # Set when the server is about to stop: load balancers shall look elsewhere.
        self.draining = False

    def answer(self, request: Request) -> Response | asyncio.Future[Response]:
        """The response, or a future of it. Never raises: what goes wrong is a response too."""
        try:
            if paths.API.fullmatch(request.path):
                return self._api(request)
            return self._own(request)
        except ServingError as error:
            return refuse(error)
        except Exception:
            log.error("fault", trace=True, method=request.method, path=request.path)
            return refuse(Internal("The server failed on this request; its log says more"))

    def close(self) -> None:
        """Wait for no thread: the requests in flight were answered, or given up."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _api(self, request: Request) -> Response | asyncio.Future[Response]:
        if request.method == "OPTIONS":
            # A preflight gets no headers to go with it: cross-origin requests are not enabled.
            return Response(200 if _ORIGIN.search(request.origin) else 400)
        if request.method == "TRACE":
            return html(501)
        target = paths.parse(request.method, request.path)
        if target.verb == "status":
            return Response(200, views.status(self._models.status(target)))
        if target.verb == "metadata":
            servable = self._models.find(target)
            return Response(200, views.metadata(servable.model, servable.version, servable.signatures))
        return self._predict(target, request.body)

    def _own(self, request: Request) -> Response:
        """Paths that TensorFlow Serving does not have."""
        path = request.path.partition("?")[0]
        if path == "/healthz" and request.method in ("GET", "HEAD"):
            return Response(200, b'{"status": "alive"}\n')
        if path == "/readyz" and request.method in ("GET", "HEAD"):
            reasons = ["the server is stopping"] if self.draining else self._models.unready()
            body = {"status": "not ready", "reasons": reasons} if reasons else {"status": "ready"}
            return Response(503 if reasons else 200, json.dumps(body).encode() + b"\n")
        return html(404)

    def _predict(self, target: Target, body: bytes) -> Response | asyncio.Future[Response]:
        # Whether there is such a version is found out now, and told when the body was found to be JSON.
        try:
            found: Servable | ServingError = self._models.find(target)
        except ServingError as error:
            found = error
        if len(body) > _INLINE_BYTES:
            return self._away(found, lambda: self._compute(found, self._read(target, found, body)))
        call = self._read(target, found, body)
        assert isinstance(found, Servable)  # reading raises otherwise
        if call.rows * found.row_seconds <= _INLINE_SECONDS:
            return self._compute(found, call)
        return self._away(found, lambda: self._compute(found, call))

    def _read(self, target: Target, found: Servable | ServingError, body: bytes) -> Predict:
        def lookup(name: str) -> Signature:
            if isinstance(found, ServingError):
                raise found
            if name not in found.signatures:
                raise InvalidArgument(f'Serving signature name: "{name}" not found in signature def')
            return found.signatures[name]

        if target.verb != "predict":
            request.examples(body, target.verb, lookup)
        if isinstance(found, Servable):
            for bodies in found.bodies.values():
                if (call := bodies.read(body)) is not None:
                    return self._bounded(call)
        return self._bounded(request.predict(body, lookup))

    def _bounded(self, call: Predict) -> Predict:
        if call.rows > self._limits.rows:
            raise InvalidArgument(f"The request has {call.rows} rows, this server takes at most {self._limits.rows}")
        return call

    @staticmethod
    def _compute(servable: Servable | ServingError, call: Predict) -> Response:
        assert isinstance(servable, Servable)
        began = time.perf_counter()
        body = call.answer(run(servable.engine, call.signature, call.inputs))
        servable.observe(time.perf_counter() - began, call.rows)
        return Response(200, body)

    def _away(self, found: Servable | ServingError, work: Callable[[], Response]) -> asyncio.Future[Response]:
        """Do work in a thread, holding the version that it needs."""
        if self._pending >= self._limits.pending:
            raise ResourceExhausted(f"{self._pending} requests are waiting, this server keeps no more")
        self._pending += 1
        if isinstance(found, Servable):
            found.users += 1
        future = asyncio.get_running_loop().run_in_executor(self._pool, _guarded, work)

        def done(_: asyncio.Future[Response]) -> None:
            self._pending -= 1
            if isinstance(found, Servable):
                found.users -= 1

        future.add_done_callback(done)
        return future


def _guarded(work: Callable[[], Response]) -> Response:
    try:
        return work()
    except ServingError as error:
        return refuse(error)
    except Exception:
        log.error("fault", trace=True)
        return refuse(Internal("The server failed on this request; its log says more"))
