"""Several worker processes on the same ports, by SO_REUSEPORT: starts them, restarts one that died, stops them."""

from __future__ import annotations

import asyncio
import contextlib
import pickle
import signal
import socket
import sys
import time
from dataclasses import replace
from typing import Any

from serving import log, ports
from serving.control import Channel
from serving.errors import EXIT_PASS
from serving.metrics import Snapshot, merge
from serving.settings import Settings

# A worker that dies soon after its start is started again after a pause that doubles up to a bound.
_SOON = 5.0
_PAUSE, _LONGEST_PAUSE = 0.1, 10.0
# Beyond the time that workers take by themselves before they are killed.
_GRACE = 5.0
_ANSWER_SECONDS = 2.0
_RELOAD_SECONDS = 600.0


class Supervisor:
    """Workers and what they ask of each other.

    Args:
        settings: with the number of workers; ports may be 0.
    """

    def __init__(self, settings: Settings) -> None:
        self._held = [ports.hold(settings.host, settings.rest_port, "--rest-port")]
        numbers = {"rest_port": self._held[0].getsockname()[1]}
        if not settings.no_grpc:
            self._held.append(ports.hold(settings.host, settings.grpc_port, "--grpc-port"))
            numbers["grpc_port"] = self._held[1].getsockname()[1]
        self._settings = replace(settings, **numbers)
        self._channels: dict[int, Channel] = {}
        self._processes: dict[int, asyncio.subprocess.Process] = {}
        self._stopping = asyncio.Event()
        self._config: Any = None
        # What workers counted that are gone: counters must not fall.
        self._latest: dict[int, Any] = {}
        self._retired: Snapshot = {}
        self._failed = EXIT_PASS

    async def run(self) -> int:
        """Until SIGTERM or SIGINT; returns the exit code: a worker's, if none could start."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)
        if self._settings.access_log is not None:
            loop.add_signal_handler(signal.SIGHUP, self._signal, signal.SIGHUP)
        await asyncio.gather(*(self._keep(index) for index in range(self._settings.workers)))
        for held in self._held:
            held.close()
        log.info("supervisor_stopped")
        return self._failed

    async def _keep(self, index: int) -> None:
        """One worker after the other in one place."""
        pause = _PAUSE
        while not self._stopping.is_set():
            began = time.monotonic()
            code = await self._one(index)
            if self._stopping.is_set():
                return
            if code in (2, 3):
                # A usage or environment fault comes again: the whole server cannot start.
                self._failed = code
                self._stopping.set()
                return
            pause = _PAUSE if time.monotonic() - began > _SOON else min(pause * 2, _LONGEST_PAUSE)
            log.error("worker_died", worker=index, code=code, again_in=pause)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause)

    async def _one(self, index: int) -> int:
        """Run one worker to its end; returns its exit code."""
        ours, theirs = socket.socketpair()
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "serving.worker",
            stdin=asyncio.subprocess.PIPE,
            pass_fds=[theirs.fileno()],
            start_new_session=True,  # a terminal's Ctrl-C is the supervisor's to pass on
        )
        number = theirs.fileno()
        assert process.stdin is not None
        with contextlib.suppress(ConnectionError):
            process.stdin.write(pickle.dumps((self._settings, index, number)))
            process.stdin.close()
        theirs.close()
        channel = Channel({"all": self._ask_all, "others": lambda asked: self._ask_others(index, asked)}, lambda: None)
        await channel.open(ours)
        self._processes[index], self._channels[index] = process, channel
        log.info("worker_started", worker=index, pid=process.pid)
        tasks = [asyncio.create_task(self._stop(process)), asyncio.create_task(self._resume(channel))]
        code = await process.wait()
        for task in tasks:
            task.cancel()
        del self._processes[index], self._channels[index]
        if index in self._latest:
            self._retire(self._latest.pop(index))
        channel.close()
        return code

    async def _resume(self, channel: Channel) -> None:
        """A worker that starts late serves what the others were told to."""
        if self._config is not None:
            with contextlib.suppress(ConnectionError):
                await channel.ask("resume", self._config)

    async def _stop(self, process: asyncio.subprocess.Process) -> None:
        """Pass the end on; who does not come to it is killed."""
        await self._stopping.wait()
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
            await asyncio.sleep(self._settings.drain_delay + self._settings.drain_seconds + _GRACE)
            process.kill()

    def _retire(self, snapshot: Any) -> None:
        """Keep what a worker counted; its gauges ended with it."""
        self._retired = merge(self._retired, {"sums": snapshot["sums"]})

    def _signal(self, number: int) -> None:
        for process in self._processes.values():
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(number)

    async def _ask_all(self, asked: dict[str, Any]) -> list[Any]:
        """Ask every worker; a configuration is kept for those that start later."""
        answers = await asyncio.gather(
            *(self._ask(index, asked, _RELOAD_SECONDS) for index in list(self._channels)),
        )
        answers = [a for a in answers if a is not None]
        if asked["kind"] == "reload" and any(a["code"] in ("OK", "UNKNOWN") for a in answers):
            self._config = asked["payload"]
        return answers

    async def _ask_others(self, index: int, asked: dict[str, Any]) -> list[Any]:
        """Ask the workers beside one for what they measured; with it comes what those that died had."""
        self._latest[index] = asked["payload"]
        others = [i for i in self._channels if i != index]
        answers = await asyncio.gather(*(self._ask(i, asked, _ANSWER_SECONDS) for i in others))
        for other, answer in zip(others, answers, strict=True):
            if answer is not None:
                self._latest[other] = answer
        return [*(self._latest[i] for i in others if i in self._latest), self._retired]

    async def _ask(self, index: int, asked: dict[str, Any], seconds: float) -> Any:
        """One worker's answer; None if it gave none."""
        channel = self._channels.get(index)
        if channel is None:
            return None
        try:
            return await asyncio.wait_for(channel.ask(asked["kind"], asked["payload"]), seconds)
        except (ConnectionError, TimeoutError):
            return None
