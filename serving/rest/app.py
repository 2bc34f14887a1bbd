"""What each path answers."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from serving import log, tracing
from serving.access import AccessLog
from serving.contract import paths, request, results, views
from serving.contract.paths import Target
from serving.contract.request import Predict
from serving.errors import Internal, InvalidArgument, ServingError
from serving.inference.executor import Executor
from serving.inference.job import Job, Promise
from serving.lifecycle.loading import Servable
from serving.lifecycle.model import Models
from serving.metrics import UNKNOWN, Metrics
from serving.rest.messages import Request, Response, html, refuse, reject
from serving.rest.open_inference import OpenInference
from serving.rest.operations import FREE, Operations
from serving.security import Security
from serving.settings import Limits
from serving.signature import Signature
from serving.tracing import Trace, Tracer
from serving.web.app import HEADERS, Web

# Longer bodies are read in a thread.
_INLINE_BYTES = 64 << 10
_ORIGIN = re.compile(r"https?://")
_APIS = {"predict": "Predict", "classify": "Classify", "regress": "Regress", "status": "GetModelStatus"}
_METHODS = {"classify": results.CLASSIFY, "regress": results.REGRESS}

_UNAUTHENTICATED = replace(reject(401, "A bearer token is needed"), headers=b"WWW-Authenticate: Bearer\r\n")

Replier = Callable[[Response], None]


class App:
    """Answers requests. Lives on the event loop; only what reads and computes runs in threads.

    Args:
        models: what there is to serve.
        executor: computes.
        operations: paths that TensorFlow Serving does not have.
        security: who may ask.
        access: gets a line for each request; None for none.
        tracer: traces requests; None for no traces.
        web: answers browsers; None where there is only the API.
    """

    def __init__(
        self,
        models: Models,
        limits: Limits,
        executor: Executor,
        metrics: Metrics,
        operations: Operations,
        security: Security,
        access: AccessLog | None,
        tracer: Tracer | None = None,
        web: Web | None = None,
    ) -> None:
        self._models = models
        self._limits = limits
        self._executor = executor
        self._metrics = metrics
        self._operations = operations
        self._open = OpenInference(models, limits, executor, metrics, operations)
        self._security = security
        self._access = access
        self._tracer = tracer
        self._web = web
        self.keeps: frozenset[bytes] = (HEADERS if web else frozenset()) | (tracing.HEADERS if tracer else frozenset())

    @property
    def draining(self) -> bool:
        return self._operations.draining

    def answer(self, request: Request, reply: Replier) -> None:
        """Answer a request, now or later, on the event loop. Never raises: what goes wrong is a response too."""
        if self._access is not None:
            reply = self._logged(self._access, request, reply)
        if self._tracer is not None and (trace := self._tracer.http(request.method, request.path, request.extra)):
            token = tracing.CURRENT.set(trace)
            self._answer(request, self._traced(trace, reply))
            tracing.CURRENT.reset(token)
        else:
            self._answer(request, reply)

    def _answer(self, request: Request, reply: Replier) -> None:
        try:
            if not self._security.admits(request.authorization) and not self._free(request.path):
                reply(_UNAUTHENTICATED)
            elif paths.API.fullmatch(request.path):
                self._api(request, reply)
            elif request.path.startswith("/v2"):
                self._open.answer(request, reply)
            elif self._web is None or not self._web.answer(request, reply):
                self._operations.answer(request, reply)
        except ServingError as error:
            reply(refuse(error))
        except Exception:
            log.error("fault", trace=True, method=request.method, path=request.path)
            reply(refuse(Internal("The server failed on this request; its log says more")))

    def _free(self, path: str) -> bool:
        """Whether a path is answered without a token."""
        return path in FREE or (self._web is not None and self._web.free(path))

    @staticmethod
    def _logged(access: AccessLog, request: Request, reply: Replier) -> Replier:
        """Reply, and write a line."""
        began = time.perf_counter()

        def answered(response: Response) -> None:
            reply(response)
            access.add(
                began,
                client=request.client,
                method=request.method,
                path=request.path,
                status=response.status,
                received=len(request.body),
                sent=len(response.body),
            )

        return answered

    @staticmethod
    def _traced(trace: Trace, reply: Replier) -> Replier:
        """Reply, and end a trace."""

        def answered(response: Response) -> None:
            reply(response)
            trace.end(response.status >= 500, **{"http.response.status_code": response.status})

        return answered

    def _api(self, request: Request, reply: Replier) -> None:
        if request.method == "OPTIONS":
            # A preflight gets no headers to go with it: cross-origin requests are not enabled.
            reply(Response(200 if _ORIGIN.search(request.origin) else 400))
            return
        if request.method == "TRACE":
            reply(html(501))
            return
        target = paths.parse(request.method, request.path)
        counted = self._counted(target, reply)
        try:
            if target.verb == "status":
                counted(views.status(self._models.status(target)))
            elif target.verb == "metadata":
                servable = self._models.find(target)
                counted(views.metadata(servable.model, servable.version, servable.signatures))
            else:
                self._run(target, request.body, counted)
        except ServingError as error:
            counted(error)

    def _counted(self, target: Target, reply: Replier) -> Callable[[Any], None]:
        """Reply with a body or an error, and count it."""
        began = time.perf_counter()

        def answered(result: Any) -> None:
            failed = isinstance(result, ServingError)
            model = target.model if target.model in self._models.by_name else UNKNOWN
            self._metrics.asked(
                model,
                _APIS.get(target.verb, "GetModelMetadata"),
                "REST",
                result.code.name if failed else "OK",
                time.perf_counter() - began,
            )
            reply(refuse(result) if failed else Response(200, result))

        return answered

    def _run(self, target: Target, body: bytes, reply: Callable[[Any], None]) -> None:
        # Whether there is such a version is found out now, and told when the body was found to be JSON.
        try:
            found: Servable | ServingError = self._models.find(target)
        except ServingError as error:
            found = error
        deadline = time.monotonic() + self._limits.request_seconds
        if len(body) > _INLINE_BYTES and isinstance(found, Servable):

            def work() -> Any:
                assert isinstance(found, Servable)
                return self._executor.run(found, self._job(target, found, body, reply, deadline))

            self._executor.away(found, work, Promise(reply, deadline))
            return
        job = self._job(target, found, body, reply, deadline)
        assert isinstance(found, Servable)  # reading raises otherwise
        self._executor.submit(found, job)

    def _job(
        self, target: Target, found: Servable | ServingError, body: bytes, reply: Callable[[Any], None], deadline: float
    ) -> Job:
        """A body as a job."""
        if target.verb != "predict":
            call = request.examples(body, _METHODS[target.verb])
            self._bound(call.rows)
            if isinstance(found, ServingError):
                raise found
            signature = results.find(found.signatures, call.name, call.method)
            api = _APIS[target.verb]
            return Job(signature, call.inputs(signature), call.rows, call.answer, reply, deadline, api)
        read = self._predict(found, body)
        self._bound(read.rows)
        return Job(read.signature, read.inputs, read.rows, read.answer, reply, deadline)

    @staticmethod
    def _predict(found: Servable | ServingError, body: bytes) -> Predict:
        if isinstance(found, Servable):
            for bodies in found.bodies.values():
                if (call := bodies.read(body)) is not None:
                    return call

        def lookup(name: str) -> Signature:
            if isinstance(found, ServingError):
                raise found
            if name not in found.signatures:
                raise InvalidArgument(f'Serving signature name: "{name}" not found in signature def')
            return found.signatures[name]

        return request.predict(body, lookup)

    def _bound(self, rows: int) -> None:
        if rows > self._limits.rows:
            raise InvalidArgument(f"The request has {rows} rows, this server takes at most {self._limits.rows}")
