"""OpenTelemetry traces of requests: one span from a request's arrival to its answer, and in it those of its wait and
of the engine's call. OpenTelemetry is imported only by a server that is told where to send them.

Standards: W3C Trace Context for what clients send, OTLP over HTTP for what collectors get, OpenTelemetry's semantic
conventions for HTTP and RPC. OTEL_ environment variables (sampler, service name, headers of the exporter) hold.
"""

from __future__ import annotations

import os
import re
import socket
import time
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from serving import log
from serving.errors import EnvironmentFault

# What clients send of a trace that they are in.
HEADERS = frozenset((b"traceparent", b"tracestate"))
_SERVICE = "isomer-serving"
_PATH = "/v1/traces"
# A collector that does not answer must not hold up the server's end.
_EXPORT_SECONDS = 2.0
_VARIABLE = re.compile(r"(?i)/(model|version|label)s/[^/:]+")
_ROUTE = re.compile(
    r"/v[12]/models/\{model\}(/versions/\{version\}|/labels/\{label\})?"
    r"(:predict|:classify|:regress|/metadata|/infer|/ready)?"
)
_MOST_CHARACTERS = 1024
_TRACED = re.compile(r"(?i)/v[12]/models/.*", re.DOTALL)


@dataclass(frozen=True)
class Call:
    """One call of an engine, on `time.perf_counter`'s clock."""

    began: float
    seconds: float
    attributes: Mapping[str, Any]


class Trace:
    """One request that is being answered. Its spans are made when it is: until then it is a few numbers.

    Attributes:
        queued: when it began to wait; `taken`: when a thread took it, if one did before the engine's call.
    """

    __slots__ = ("_attributes", "_began", "_calls", "_context", "_name", "_offset", "_tracer", "queued", "taken")

    def __init__(self, tracer: Any, context: Any, name: str, attributes: dict[str, Any]) -> None:
        self._tracer, self._context, self._name, self._attributes = tracer, context, name, attributes
        self._began = time.perf_counter()
        self._offset = time.time() - self._began
        self._calls: list[Call] = []
        self.queued: float | None = None
        self.taken: float | None = None

    def ran(self, began: float, seconds: float, **attributes: Any) -> None:
        """An engine was called for it, perhaps for others too."""
        self._calls.append(Call(began, seconds, attributes))

    def end(self, failed: bool, **attributes: Any) -> None:
        """It was answered.

        Args:
            failed: by the server's fault.
        """
        try:
            self._end(failed, attributes)
        except Exception:  # a trace that cannot be told is no reason to fail a request
            log.error("fault", trace=True)

    def _end(self, failed: bool, attributes: dict[str, Any]) -> None:
        from opentelemetry.trace import SpanKind, Status, StatusCode, set_span_in_context

        span = self._tracer.start_span(
            self._name,
            context=self._context,
            kind=SpanKind.SERVER,
            attributes={**self._attributes, **attributes},
            start_time=self._at(self._began),
        )
        if span.is_recording():
            inside = set_span_in_context(span, self._context)
            waited = self.taken if self.taken is not None else self._calls[0].began if self._calls else None
            if self.queued is not None and waited is not None:
                self._tracer.start_span("queue", inside, start_time=self._at(self.queued)).end(self._at(waited))
            for call in self._calls:
                start, stop = self._at(call.began), self._at(call.began + call.seconds)
                self._tracer.start_span("engine", inside, start_time=start, attributes=call.attributes).end(stop)
        if failed:
            span.set_status(Status(StatusCode.ERROR))
        span.end()

    def _at(self, moment: float) -> int:
        """Nanoseconds since the epoch."""
        return int((moment + self._offset) * 1e9)


# The request that is being read; None where nothing is traced.
CURRENT: ContextVar[Trace | None] = ContextVar("trace", default=None)


def require() -> None:
    """See that OpenTelemetry is there.

    Raises:
        EnvironmentFault: it is not.
    """
    try:
        import opentelemetry.exporter.otlp.proto.http
        import opentelemetry.sdk.trace  # noqa: F401
    except ImportError as error:
        raise EnvironmentFault(
            f"OpenTelemetry is not installed ({error}).", "Install isomer[traces], or leave --traces out."
        ) from error


class Tracer:
    """Begins traces, and sends them away in a thread of its own.

    Args:
        url: of a collector that takes OTLP over HTTP; with or without /v1/traces.

    Raises:
        EnvironmentFault: OpenTelemetry is not installed.
    """

    def __init__(self, url: str) -> None:
        require()
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        log.adopt("opentelemetry", "traces")
        named = {} if "OTEL_SERVICE_NAME" in os.environ else {"service.name": _SERVICE}
        resource = Resource.create({**named, "service.instance.id": f"{socket.gethostname()}:{os.getpid()}"})
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        endpoint = url if url.rstrip("/").endswith(_PATH) else url.rstrip("/") + _PATH
        exporter = OTLPSpanExporter(endpoint, timeout=_EXPORT_SECONDS)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("serving")
        self._propagator = TraceContextTextMapPropagator()

    def http(self, method: str, path: str, headers: Mapping[bytes, bytes]) -> Trace | None:
        """Begin a request's trace; None for paths that are not traced: health, metrics, files."""
        path = path.partition("?")[0]
        if not _TRACED.fullmatch(path):
            return None
        carrier = {k.decode(): v.decode("latin-1") for k, v in headers.items() if k in HEADERS}
        # Names vary, routes do not; what is no route could be anything, and spans' names must be few.
        route = _VARIABLE.sub(lambda m: f"/{m[1].lower()}s/{{{m[1].lower()}}}", path)
        attributes = {"http.request.method": method, "url.path": path[:_MOST_CHARACTERS]}
        if _ROUTE.fullmatch(route):
            attributes["http.route"] = route
        name = f"{method} {attributes['http.route']}" if "http.route" in attributes else method
        return Trace(self._tracer, self._propagator.extract(carrier), name, attributes)

    def rpc(self, service: str, method: str, metadata: Any) -> Trace:
        """Begin a call's trace."""
        carrier = {k: v for k, v in metadata or () if k.encode() in HEADERS and isinstance(v, str)}
        attributes = {"rpc.system": "grpc", "rpc.service": service, "rpc.method": method}
        return Trace(self._tracer, self._propagator.extract(carrier), f"{service}/{method}", attributes)

    def close(self) -> None:
        """Send what is left; returns also where the collector does not answer."""
        self._provider.shutdown()
