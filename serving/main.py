"""Runs the server, from the first log line to the exit code."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
from typing import TYPE_CHECKING

import uvloop

from serving import log
from serving.access import AccessLog
from serving.errors import EXIT_PASS, EnvironmentFault, StartFault
from serving.inference.executor import Executor
from serving.lifecycle.model import Model, Models
from serving.lifecycle.source import Source
from serving.lifecycle.watcher import Watcher
from serving.metrics import Metrics
from serving.rest.app import App
from serving.rest.operations import Operations
from serving.rest.server import Server
from serving.rpc.services import Services
from serving.security import Security
from serving.security import load as load_security
from serving.settings import ENGINES, Settings
from serving.signature import Signature

if TYPE_CHECKING:
    from serving.rpc.server import RpcServer

# Requests up to so many numbers are shown in full in the example.
_SHORT_ROW = 16
_WRITE_SECONDS = 0.25


def run(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT.

    Returns:
        The exit code: 0 after a stop, 2 for usage, 3 for the environment.
    """
    log.configure()
    try:
        _check(settings)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_serve(settings))
    except StartFault as fault:
        print(f"error: {fault.what}\n{fault.fix}", file=sys.stderr)
        return fault.exit_code
    except KeyboardInterrupt:
        return EXIT_PASS


def _check(settings: Settings) -> None:
    if settings.engine not in ENGINES:
        raise StartFault(f"There is no engine '{settings.engine}'.", f"Choose one of {', '.join(ENGINES)}.")
    if settings.root is None and settings.model_config_file is None:
        raise StartFault("There is nothing to serve.", "Name a directory of models, or a --model-config-file.")
    if settings.root is not None and settings.model_config_file is not None:
        raise StartFault("A directory and a models.config were given.", "Give one of them.")
    if settings.root is not None and not settings.root.is_dir():
        raise StartFault(
            f"There is no directory '{settings.root}'.", "Export a model first, such as `isomer export cnn`."
        )


async def _serve(settings: Settings) -> int:
    source = Source(settings.root, settings.model_config_file)
    models, metrics = Models(), Metrics()
    executor = Executor(settings.limits, metrics)
    operations = Operations(models, executor, metrics)
    security = load_security(settings)
    access = None if settings.access_log is None else AccessLog(settings.access_log)
    app = App(models, settings.limits, executor, metrics, operations, security, access)
    rest = Server(settings, app, operations, security)
    watcher = Watcher(settings, models, source, metrics)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(_log_fault)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    address = await rest.start()
    services = Services(models, settings.limits, executor, metrics, watcher, operations)
    rpc = await _start_rpc(settings, services, security, access)
    log.info(
        "listening",
        address=address,
        grpc=None if rpc is None else rpc.address,
        engine=settings.engine,
        gate=settings.gate,
    )
    if not settings.gate:
        log.warning("no_gate", reason="--no-gate: versions are served without hashes or goldens being checked")
    # The listener is up before the models are: /healthz answers, and /readyz says what is missing.
    first = asyncio.create_task(watcher.poll())
    tasks = [
        asyncio.create_task(rest.sweep()),
        asyncio.create_task(executor.watch()),
        *([] if access is None else [asyncio.create_task(_write(access, loop))]),
        asyncio.create_task(_watch(first, watcher, settings, models, address)),
    ]
    await stop.wait()
    log.info("stopping")
    operations.draining = True
    await asyncio.sleep(settings.drain_delay)
    drained = all(await asyncio.gather(rest.stop(), *([rpc.stop()] if rpc else [])))
    for task in (first, *tasks):
        task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.gather(*tasks, return_exceptions=True)
    await watcher.close()
    executor.close()
    if access is not None:
        access.flush()
    log.info("stopped", drained=drained)
    return EXIT_PASS


async def _write(access: AccessLog, loop: asyncio.AbstractEventLoop) -> None:
    """Write the access log now and then, and to a new file after SIGHUP."""
    loop.add_signal_handler(signal.SIGHUP, access.reopen)
    while True:
        await asyncio.sleep(_WRITE_SECONDS)
        access.flush()


async def _start_rpc(
    settings: Settings, services: Services, security: Security, access: AccessLog | None
) -> RpcServer | None:
    if settings.no_grpc:
        return None
    # Here, since importing gRPC takes a tenth of a second.
    from serving.rpc.server import RpcServer

    return await RpcServer.start(settings, services, security, access)


def _log_fault(_: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
    """A fault in a callback that nobody awaits: one connection's, never the server's."""
    log.error("fault", message=context.get("message"), reason=repr(context.get("exception")))


async def _watch(first: asyncio.Task[None], watcher: Watcher, settings: Settings, models: Models, address: str) -> None:
    await first
    print(_banner(models, address), file=sys.stderr, flush=True)
    await asyncio.sleep(settings.poll_seconds)
    await watcher.run()


def _banner(models: Models, address: str) -> str:
    """Where the models are, and one request to try."""
    served = [m for m in models.by_name.values() if m.available]
    if not served:
        return f"isomer serves no model yet at {address}: it watches for versions, and the log says what was refused"
    lines = [f"isomer serves {', '.join(m.name for m in served)} at {address} (TF Serving compatible REST). Try:"]
    return "\n".join([*lines, *(f"  {line}" for line in _example(served[0], address))])


def _example(model: Model, address: str) -> list[str]:
    servable = model.available[0].servable
    assert servable is not None  # available means that
    signature = next(iter(servable.signatures.values()))
    url = f"{address}/v1/models/{model.name}"
    sizes = [s or 1 for s in signature.inputs[0].shape or ()][1:]
    numbers = 1
    for size in sizes:
        numbers *= size
    if len(signature.inputs) > 1 or signature.inputs[0].dtype == "string":
        return [f"curl -s {url}/metadata"]
    zero = _zero(signature)
    if numbers <= _SHORT_ROW:
        value: object = zero
        for size in reversed(sizes):
            value = [value] * size
        return [f"curl -s -d '{json.dumps({'instances': [value]})}' {url}:predict"]
    nested = json.dumps(zero).replace("false", "False")
    for size in reversed(sizes):
        nested = f"[{nested}] * {size}"
    code = f'import json; print(json.dumps({{"instances": [{nested}]}}))'
    return [f"python3 -c '{code}' | curl -s -d @- {url}:predict"]


def _zero(signature: Signature) -> float | int | bool:
    dtype = signature.inputs[0].dtype
    return 0.0 if dtype.startswith("float") else False if dtype == "bool" else 0


__all__ = ["EnvironmentFault", "run"]
