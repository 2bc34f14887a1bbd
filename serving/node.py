"""One serving process: everything that it is made of, its start, its life and its end."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import gc
import signal
import socket
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

from serving import log
from serving.access import AccessLog
from serving.banner import banner
from serving.control import Channel, Handler
from serving.errors import EXIT_PASS, Code, ServingError
from serving.inference.executor import Executor
from serving.lifecycle import config
from serving.lifecycle.model import Models
from serving.lifecycle.source import Source
from serving.lifecycle.watcher import Watcher
from serving.metrics import Metrics
from serving.rest.app import App
from serving.rest.operations import Operations
from serving.rest.server import Server
from serving.rpc.services import Services
from serving.security import load as load_security
from serving.settings import Settings
from serving.tracing import Tracer
from serving.web.app import Web

if TYPE_CHECKING:
    from serving.rpc.server import RpcServer

_WRITE_SECONDS = 0.25


class Node:
    """One process that serves, alone or as a worker.

    Args:
        index: the worker's place; None alone.
        end: a worker's channel to its supervisor.

    Raises:
        StartFault: the settings name files that cannot be used.
    """

    def __init__(self, settings: Settings, index: int | None = None, end: socket.socket | None = None) -> None:
        self._settings = settings
        self._index = index
        self._end = end
        self._models, self._metrics = Models(), Metrics()
        self._watcher = Watcher(
            settings,
            self._models,
            Source(settings.root, settings.model_config_file, settings.model_name),
            self._metrics,
        )
        self._executor = Executor(settings.limits, self._metrics)
        handlers: dict[str, Handler] = {
            "snapshot": self._snapshot,
            "reload": partial(self._told, True),
            "resume": partial(self._told, False),
        }
        self._channel = None if end is None else Channel(handlers, self._orphaned)
        others = None if self._channel is None else self._others
        self._operations = Operations(settings, self._models, self._executor, self._metrics, others)
        self._security = load_security(settings)
        self._access = None if settings.access_log is None else AccessLog(settings.access_log)
        self._tracer = None if settings.traces is None else Tracer(settings.traces)
        limits = settings.limits
        self._web = Web(self._models) if settings.web else None
        app = App(
            self._models,
            limits,
            self._executor,
            self._metrics,
            self._operations,
            self._security,
            self._access,
            self._tracer,
            self._web,
        )
        self._rest = Server(settings, app, self._operations, self._security)
        self._services = Services(self._models, limits, self._executor, self._metrics, self._reload, self._operations)
        self._rpc: RpcServer | None = None
        self._stop = asyncio.Event()

    async def run(self) -> int:
        """Serve until SIGTERM or SIGINT; returns the exit code.

        Raises:
            StartFault: a port is taken.
        """
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(_log_fault)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        if self._channel is not None and self._end is not None:
            await self._channel.open(self._end)
            # The other workers answer meanwhile: one that has no models yet must not take their requests.
            first = asyncio.create_task(self._watcher.poll())
            await asyncio.wait([first, asyncio.create_task(self._stop.wait())], return_when=asyncio.FIRST_COMPLETED)
        # Alone, the listener is up before the models are: /healthz answers, and /readyz says what is missing.
        address = await self._listen()
        tasks = [asyncio.create_task(work) for work in self._work(address)]
        await self._stop.wait()
        log.info("stopping")
        self._operations.draining = True
        await asyncio.sleep(self._settings.drain_delay)
        drained = all(await asyncio.gather(self._rest.stop(), *([self._rpc.stop()] if self._rpc else [])))
        for task in tasks:
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*tasks, return_exceptions=True)
        await self._watcher.close()
        self._executor.close()
        if self._web is not None:
            self._web.close()
        if self._access is not None:
            self._access.flush()
        if self._tracer is not None:
            await asyncio.to_thread(self._tracer.close)
        if self._channel is not None:
            self._channel.close()
        log.info("stopped", drained=drained)
        return EXIT_PASS

    async def _listen(self) -> str:
        s = self._settings
        address = await self._rest.start()
        if not s.no_grpc:
            # Here, since importing gRPC takes a tenth of a second.
            from serving.rpc.server import RpcServer

            self._rpc = await RpcServer.start(s, self._services, self._security, self._access, self._tracer)
        log.info(
            "listening",
            address=address,
            grpc=None if self._rpc is None else self._rpc.address,
            engine=s.engine,
            gate=s.gate,
        )
        if not s.gate:
            log.warning("no_gate", reason="--no-gate: versions are served without hashes or goldens being checked")
        return address

    def _work(self, address: str) -> list[Any]:
        """What goes on beside the requests."""
        work = [self._rest.sweep(), self._executor.watch(), self._watch(address)]
        return work if self._access is None else [*work, self._write(self._access)]

    async def _watch(self, address: str) -> None:
        await self._watcher.poll()
        # What is loaded stays: the collector need not walk it again and again between requests.
        gc.collect()
        gc.freeze()
        if not self._index:
            with contextlib.suppress(OSError):  # stderr may lie on a disk that is full
                print(banner(self._models, address, self._settings.web), file=sys.stderr, flush=True)
        await asyncio.sleep(self._settings.poll_seconds)
        await self._watcher.run()

    async def _write(self, access: AccessLog) -> None:
        """Write the access log now and then, and to a new file after SIGHUP."""
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, access.reopen)
        while True:
            await asyncio.sleep(_WRITE_SECONDS)
            access.flush()

    async def _reload(self, wanted: Any) -> None:
        """Take a ModelServerConfig: here, or in all workers.

        Raises:
            ServingError: it is refused, or a new model does not load.
        """
        if self._channel is None:
            await self._watcher.reload(config.models(wanted.model_config_list.config))
            return
        payload = base64.b64encode(wanted.SerializeToString()).decode()
        answers = await self._channel.ask("all", {"kind": "reload", "payload": payload})
        for answer in answers:
            if answer["code"] != Code.OK.name:
                error = ServingError(answer["message"])
                error.code = Code[answer["code"]]
                raise error

    async def _told(self, strict: bool, payload: str) -> dict[str, str]:
        """Take a ModelServerConfig from the supervisor; not strict: others serve it already."""
        from serving.protos import message

        wanted = message("ModelServerConfig").FromString(base64.b64decode(payload))
        try:
            await self._watcher.reload(config.models(wanted.model_config_list.config), strict)
        except ServingError as error:
            return {"code": error.code.name, "message": error.message}
        return {"code": Code.OK.name, "message": ""}

    async def _snapshot(self, _: Any) -> Any:
        self._operations.measure()
        return self._metrics.snapshot()

    async def _others(self) -> list[Any]:
        """What the other workers measured."""
        assert self._channel is not None
        asked = {"kind": "snapshot", "payload": self._metrics.snapshot()}
        return list(await self._channel.ask("others", asked))

    def _orphaned(self) -> None:
        """The supervisor is gone: who would restart this worker, or stop it?"""
        if not self._stop.is_set():
            log.error("orphaned", reason="the supervisor is gone")
            self._stop.set()


def _log_fault(_: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
    """A fault in a callback that nobody awaits: one connection's, never the server's."""
    log.error("fault", message=context.get("message"), reason=repr(context.get("exception")))
