"""The gRPC server: generic handlers on a port, with their limits."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
import grpc.aio

from serving import log, ports
from serving.access import AccessLog
from serving.errors import Code, EnvironmentFault, Internal, ServingError, Unauthenticated
from serving.protos import message
from serving.rpc.services import Services
from serving.security import Security
from serving.settings import Settings
from serving.tracing import CURRENT, Tracer

_HEALTH = "grpc.health.v1.Health"
_SERVING, _NOT_SERVING = 1, 2
_POLL_SECONDS = 0.2
_STATUS = {code.value[0]: code for code in grpc.StatusCode}
# By service: methods with their request's message and the name of what answers them.
_METHODS = {
    "tensorflow.serving.PredictionService": {
        "Predict": ("PredictRequest", "predict"),
        "Classify": ("ClassificationRequest", "classify"),
        "Regress": ("RegressionRequest", "regress"),
        "MultiInference": ("MultiInferenceRequest", "multi_inference"),
        "GetModelMetadata": ("GetModelMetadataRequest", "get_model_metadata"),
    },
    "tensorflow.serving.ModelService": {
        "GetModelStatus": ("GetModelStatusRequest", "get_model_status"),
        "HandleReloadConfigRequest": ("ReloadConfigRequest", "handle_reload_config"),
    },
}

Method = Callable[[Any, float | None], Awaitable[Any]]


class RpcServer:
    """A server that listens.

    Attributes:
        address: host and port.
    """

    def __init__(self, server: Any, address: str, drain_seconds: float) -> None:
        self._server = server
        self._drain_seconds = drain_seconds
        self.address = address

    @classmethod
    async def start(
        cls,
        settings: Settings,
        services: Services,
        security: Security,
        access: AccessLog | None,
        tracer: Tracer | None,
    ) -> RpcServer:
        """Listen.

        Raises:
            EnvironmentFault: the port is taken, or the host is not this machine's.
        """
        options = [
            ("grpc.so_reuseport", int(settings.workers > 1)),
            ("grpc.max_receive_message_length", settings.limits.body),
            ("grpc.max_send_message_length", -1),
            ("grpc.max_metadata_size", settings.limits.head),
        ]
        most = settings.limits.connections
        server = grpc.aio.server(options=options, maximum_concurrent_rpcs=most)
        for service, methods in _METHODS.items():
            handlers = {
                name: grpc.unary_unary_rpc_method_handler(
                    _answer(service, name, getattr(services, answer), services, security, access, tracer),
                    request_deserializer=message(request).FromString,
                    response_serializer=_serialize,
                )
                for name, (request, answer) in methods.items()
            }
            server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
        server.add_generic_rpc_handlers((_health(services),))
        host, port = settings.host, settings.grpc_port
        if settings.workers == 1:
            ports.check(host, port, "--grpc-port")  # gRPC's own words for a taken port help nobody
        where = f"[{host}]" if ":" in host else host
        try:
            if security.pair is None:
                port = server.add_insecure_port(f"{where}:{port}")
            else:
                port = server.add_secure_port(f"{where}:{port}", grpc.ssl_server_credentials([security.pair]))
        except RuntimeError as error:
            raise EnvironmentFault(
                f"Cannot listen on {host}:{port}: {error}.", "Choose another with --grpc-port."
            ) from error
        await server.start()
        return cls(server, f"{where}:{port}", settings.drain_seconds)

    async def stop(self) -> bool:
        """Take no more calls, and let those in flight finish; returns whether all of them did in time."""
        began = time.monotonic()
        await self._server.stop(self._drain_seconds)
        return time.monotonic() - began < self._drain_seconds


def _serialize(response: Any) -> bytes:
    return bytes(response.SerializeToString())


def _answer(
    service: str,
    name: str,
    method: Method,
    services: Services,
    security: Security,
    access: AccessLog | None,
    tracer: Tracer | None,
) -> Any:
    """A handler that turns errors into statuses, and counts, logs and traces calls."""

    async def handle(request: Any, context: Any) -> Any:
        began = time.perf_counter()
        trace = None if tracer is None else tracer.rpc(service, name, context.invocation_metadata())
        CURRENT.set(trace)  # each call has a task, and a context, of its own
        error: ServingError | None = None
        try:
            if security.token and not security.admits(_authorization(context)):
                raise Unauthenticated("A bearer token is needed")
            response = await method(request, context.time_remaining())
        except ServingError as refused:
            error = refused
        except asyncio.CancelledError:
            raise
        except Exception:
            log.error("fault", trace=True, method=name)
            error = Internal("The server failed on this request; its log says more")
        code = error.code if error else Code.OK
        services.count(name, request, code, time.perf_counter() - began)
        if access is not None:
            access.add(
                began,
                client=context.peer(),
                method=name,
                status=code.name,
                received=request.ByteSize(),
                sent=0 if error else response.ByteSize(),
            )
        if trace is not None:
            trace.end(code.http >= 500, **{"rpc.grpc.status_code": code.number})
        if error is not None:
            await context.abort(_STATUS[error.code.number], error.message)
        return response

    return handle


def _authorization(context: Any) -> str:
    """The call's header of that name."""
    found = dict(context.invocation_metadata() or ()).get("authorization", "")
    return found if isinstance(found, str) else found.decode("utf-8", "replace")


def _health(services: Services) -> Any:
    """grpc.health.v1: the whole server is the service with the empty name, and each of the two has its own."""
    response_type = message("grpc.health.v1.HealthCheckResponse")

    def state() -> int:
        return _NOT_SERVING if services.operations.unready() else _SERVING

    async def check(request: Any, context: Any) -> Any:
        if request.service not in ("", _HEALTH, *_METHODS):
            await context.abort(grpc.StatusCode.NOT_FOUND, f"unknown service {request.service}")
        return response_type(status=state())

    async def watch(request: Any, _: Any) -> AsyncIterator[Any]:
        told = None
        while True:
            known = request.service in ("", _HEALTH, *_METHODS)
            now = state() if known else 3  # SERVICE_UNKNOWN
            if now != told:
                told = now
                yield response_type(status=now)
            await asyncio.sleep(_POLL_SECONDS)

    request_type = message("grpc.health.v1.HealthCheckRequest")
    wire = {"request_deserializer": request_type.FromString, "response_serializer": _serialize}
    handlers = {
        "Check": grpc.unary_unary_rpc_method_handler(check, **wire),
        "Watch": grpc.unary_stream_rpc_method_handler(watch, **wire),
    }
    return grpc.method_handlers_generic_handler(_HEALTH, handlers)
