"""Paths of the Open Inference Protocol: /v2 and below."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from serving.contract import open_inference, paths
from serving.contract.open_inference import Infer, Path
from serving.errors import InvalidArgument, NotFound, ServingError
from serving.inference.executor import Executor
from serving.inference.job import Job, Promise
from serving.lifecycle.loading import Servable
from serving.lifecycle.model import Models
from serving.metrics import UNKNOWN, Metrics
from serving.rest.messages import Request, Response, refuse
from serving.rest.operations import Operations
from serving.settings import Limits
from serving.signature import DEFAULT_SIGNATURE

LIVE, READY = "/v2/health/live", "/v2/health/ready"
_INLINE_BYTES = 64 << 10

Replier = Callable[[Response], None]


class OpenInference:
    """Answers requests below /v2."""

    def __init__(
        self, models: Models, limits: Limits, executor: Executor, metrics: Metrics, operations: Operations
    ) -> None:
        self._models = models
        self._limits = limits
        self._executor = executor
        self._metrics = metrics
        self._operations = operations

    def answer(self, request: Request, reply: Replier) -> None:
        """Answer one request, now or later.

        Raises:
            ServingError: it is refused.
        """
        path = request.path.partition("?")[0].rstrip("/")
        if path in ("/v2", LIVE, READY):
            self._method(request, "GET")
            reply(self._server(path))
            return
        target = open_inference.parse_path(path)
        target = Path(unquote(target.model), target.version, target.verb)
        self._method(request, "POST" if target.verb == "infer" else "GET")
        if target.verb == "infer":
            self._infer(target, request.body, self._counted(target, reply))
        elif target.verb == "ready":
            servable = self._ready(target)
            body = {"name": target.model, "ready": servable}
            reply(Response(200 if servable else 503, json.dumps(body).encode()))
        else:
            found = self._find(target)
            model = self._models.by_name[target.model]
            versions = [v.number for v in reversed(model.available)]
            signature = found.signatures[DEFAULT_SIGNATURE]
            reply(Response(200, open_inference.metadata(target.model, versions, found.runtime, signature)))

    def _server(self, path: str) -> Response:
        if path == LIVE:
            return Response(200, b'{"live": true}')
        if path == READY:
            ready = not self._operations.unready()
            return Response(200 if ready else 503, json.dumps({"ready": ready}).encode())
        about = {
            "name": open_inference.NAME,
            "version": open_inference.VERSION,
            "extensions": list(open_inference.EXTENSIONS),
        }
        return Response(200, json.dumps(about).encode())

    def _infer(self, target: Path, body: bytes, reply: Callable[[Any], None]) -> None:
        try:
            servable = self._find(target)
            deadline = time.monotonic() + self._limits.request_seconds
            if len(body) > _INLINE_BYTES:

                def work() -> Any:
                    return self._executor.run(servable, self._job(servable, body, reply, deadline))

                self._executor.away(servable, work, Promise(reply, deadline))
            else:
                self._executor.submit(servable, self._job(servable, body, reply, deadline))
        except ServingError as error:
            reply(error)

    def _job(self, servable: Servable, body: bytes, reply: Callable[[Any], None], deadline: float) -> Job:
        call: Infer = open_inference.infer(body, servable.signatures[DEFAULT_SIGNATURE])
        if call.rows > self._limits.rows:
            raise InvalidArgument(f"The request has {call.rows} rows, this server takes at most {self._limits.rows}")

        def finish(outputs: dict[str, Any]) -> bytes:
            return call.answer(servable.model, servable.version, outputs)

        return Job(call.signature, call.inputs, call.rows, finish, reply, deadline, "Infer")

    def _find(self, target: Path) -> Servable:
        try:
            found = self._models.find(paths.Target("predict", target.model, target.version))
        except NotFound as error:
            version = "" if target.version is None else f" with version {target.version}"
            raise NotFound(f"Model '{target.model}'{version} is not available") from error
        if DEFAULT_SIGNATURE not in found.signatures:
            raise NotFound(f"Model '{target.model}' has no signature '{DEFAULT_SIGNATURE}'")
        return found

    def _ready(self, target: Path) -> bool:
        model = self._models.by_name.get(target.model)
        try:
            self._find(target)
        except NotFound:
            if model is None or target.version not in (None, *model.versions):
                raise  # nobody has heard of it
            return False
        return not self._operations.draining

    def _counted(self, target: Path, reply: Replier) -> Callable[[Any], None]:
        """Reply with a body or an error, and count it."""
        began = time.perf_counter()

        def answered(result: Any) -> None:
            failed = isinstance(result, ServingError)
            model = target.model if target.model in self._models.by_name else UNKNOWN
            code = result.code.name if failed else "OK"
            self._metrics.asked(model, "Infer", "REST", code, time.perf_counter() - began)
            reply(refuse(result) if failed else Response(200, result))

        return answered

    @staticmethod
    def _method(request: Request, wanted: str) -> None:
        if request.method != wanted:
            raise InvalidArgument(f"{request.path} takes {wanted}, not {request.method}")
