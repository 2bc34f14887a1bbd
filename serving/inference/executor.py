"""Runs jobs: at once on the event loop where that is fastest, else in threads, together where that pays."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import Any

from serving import log
from serving.errors import DeadlineExceeded, Internal, ResourceExhausted, ServingError
from serving.inference.batches import run, run_together
from serving.inference.job import Job, Promise
from serving.lifecycle.loading import Servable
from serving.metrics import Metrics
from serving.settings import Limits
from serving.tracing import CURRENT, Trace

# What takes longer than this, by the average so far, goes to a thread: a hop costs about 0.1 ms, and while the
# event loop computes nobody else is answered.
_INLINE_SECONDS = 0.001
_SWEEP_SECONDS = 0.1


class Executor:
    """Lives on the event loop; only what computes runs in threads.

    Args:
        limits: how many jobs may wait, how long, and how many rows run together.
    """

    def __init__(self, limits: Limits, metrics: Metrics) -> None:
        self._limits = limits
        self._metrics = metrics
        self._workers = os.cpu_count() or 1
        self._pool = ThreadPoolExecutor(self._workers, thread_name_prefix="predict")
        self._busy = 0
        self._pending = 0
        # Versions with jobs that wait for a thread; their order is that of their turns.
        self._lines: dict[int, Servable] = {}
        self._late: set[Promise] = set()  # in threads, watched for their deadline

    def submit(self, servable: Servable, job: Job) -> None:
        """Run a job; it may be answered before this returns.

        Raises:
            ResourceExhausted: too many wait already.
        """
        lane = servable.lane
        if job.trace is not None:
            job.trace.queued = time.perf_counter()
        if job.signature.name in servable.batchable:
            job.alike()
        quick = job.rows * servable.row_seconds <= _INLINE_SECONDS
        if lane.arrived():
            asyncio.get_running_loop().call_soon(self._turned, servable)
        if quick and not lane.waiting and not (lane.crowded and job.likeness is not None):
            job.answer(_guarded(partial(self.run, servable, job)))
            return
        self._admit()
        servable.users += 1
        lane.waiting.append(job)
        if not quick:
            self._lines[id(servable)] = servable
            self._dispatch()

    def away(self, servable: Servable, work: Callable[[], Any], promise: Promise) -> None:
        """Do other work in a thread, holding a version: what it returns is the answer.

        Raises:
            ResourceExhausted: too much waits already.
        """
        self._admit()
        servable.users += 1
        self._late.add(promise)
        if (trace := CURRENT.get()) is not None:
            trace.queued = time.perf_counter()

        def timely() -> Any:
            if trace is not None:
                trace.taken = time.perf_counter()
            return _too_late() if promise.late else work()

        # With its context, in which the job finds its trace.
        future = asyncio.get_running_loop().run_in_executor(self._pool, copy_context().run, _guarded, timely)

        def done(finished: asyncio.Future[Any]) -> None:
            self._left(servable)
            self._late.discard(promise)
            if not finished.cancelled():
                promise.answer(finished.result())

        future.add_done_callback(done)

    def run(self, servable: Servable, job: Job) -> Any:
        """Run one job in this thread; returns its answer.

        Raises:
            ServingError: it failed.
        """
        began = time.perf_counter()
        outputs = run(servable.engine, job.signature, job.inputs)
        seconds = time.perf_counter() - began
        servable.observe(seconds, job.rows)
        self._metrics.ran(servable, job.api, seconds, job.rows)
        if job.trace is not None:
            _tell(job.trace, servable, began, seconds, 1, job.rows)
        return job.finish(outputs)

    async def watch(self) -> None:
        """Answer what waits for too long, for ever."""
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            self.sweep()

    def sweep(self) -> None:
        """Answer what waited for too long."""
        for servable in list(self._lines.values()):
            for job in [job for job in servable.lane.waiting if job.late]:
                servable.lane.waiting.remove(job)
                self._left(servable)
                job.answer(_too_late())
        for promise in [p for p in self._late if p.late]:
            self._late.discard(promise)
            promise.answer(_too_late())

    @property
    def waiting(self) -> int:
        """Jobs and other work in queues and threads."""
        return self._pending

    def close(self) -> None:
        """Wait for no thread: the requests in flight were answered, or given up."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _admit(self) -> None:
        if self._pending >= self._limits.pending:
            raise ResourceExhausted(f"{self._pending} requests are waiting, this server keeps no more")
        self._pending += 1

    def _left(self, servable: Servable) -> None:
        self._pending -= 1
        servable.users -= 1

    def _turned(self, servable: Servable) -> None:
        """All that came in one turn of the event loop is here."""
        lane = servable.lane
        lane.turned()
        while lane.waiting and id(servable) not in self._lines:
            if sum(job.rows for job in lane.waiting) * servable.row_seconds > _INLINE_SECONDS:
                self._lines[id(servable)] = servable
                self._dispatch()
                return
            group = lane.take(self._limits.batch_rows, len(lane.waiting))
            for _ in group:
                self._left(servable)
            self._run_here(servable, group)

    def _run_here(self, servable: Servable, group: list[Job]) -> None:
        for job, result in zip(group, self._results(servable, group), strict=True):
            job.answer(result)

    def _dispatch(self) -> None:
        """Give free threads what waits, the versions in turn."""
        while self._busy < self._workers and self._lines:
            key, servable = next(iter(self._lines.items()))
            del self._lines[key]
            lane = servable.lane
            if not lane.waiting:
                continue
            # What waits is shared among the free threads, so that a batch does not leave a core idle.
            share = -(-len(lane.waiting) // (self._workers - self._busy))
            group = lane.take(self._limits.batch_rows, share)
            if lane.waiting:
                self._lines[key] = servable
            self._busy += 1
            self._late.update(group)
            future = asyncio.get_running_loop().run_in_executor(self._pool, self._results, servable, group)
            future.add_done_callback(partial(self._done, servable, group))

    def _done(self, servable: Servable, group: list[Job], future: asyncio.Future[list[Any]]) -> None:
        self._busy -= 1
        self._late.difference_update(group)
        for _ in group:
            self._left(servable)
        if not future.cancelled():
            for job, result in zip(group, future.result(), strict=True):
                job.answer(result)
        self._dispatch()

    def _results(self, servable: Servable, group: list[Job]) -> list[Any]:
        """Answers or errors of a group, in its order. Never raises."""
        if len(group) > 1 and not any(job.late for job in group):
            try:
                return self._together(servable, group)
            except Exception:
                pass  # each alone finds the one at fault
        results: list[Any] = []
        for job in group:
            results.append(_too_late() if job.late else _guarded(partial(self.run, servable, job)))
        return results

    def _together(self, servable: Servable, group: list[Job]) -> list[Any]:
        began = time.perf_counter()
        outputs = run_together(servable.engine, group[0].signature, [job.inputs for job in group])
        seconds = time.perf_counter() - began
        rows = sum(job.rows for job in group)
        servable.observe(seconds, rows)
        self._metrics.batched(servable, len(group), rows)
        results = []
        for job, own in zip(group, outputs, strict=True):
            self._metrics.ran(servable, job.api, seconds, job.rows)
            if job.trace is not None:
                _tell(job.trace, servable, began, seconds, len(group), rows)
            results.append(_guarded(partial(job.finish, own)))
        return results


def _tell(trace: Trace, servable: Servable, began: float, seconds: float, requests: int, rows: int) -> None:
    """What a trace says of an engine's call."""
    trace.ran(
        began,
        seconds,
        **{
            "isomer.model": servable.model,
            "isomer.version": servable.version,
            "isomer.engine": servable.engine.label,
            "isomer.batch.requests": requests,
            "isomer.batch.rows": rows,
        },
    )


def _too_late() -> ServingError:
    return DeadlineExceeded("The request waited for longer than it may; it was not run to its end")


def _guarded(work: Callable[[], Any]) -> Any:
    """What work returns, or the error that it raises."""
    try:
        return work()
    except ServingError as error:
        return error
    except Exception:
        log.error("fault", trace=True)
        return Internal("The server failed on this request; its log says more")
