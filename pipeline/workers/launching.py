"""Workers on this machine: started, watched, and started again from the last backup when one of them dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import IO, Any

from pipeline.errors import EXIT_PASS, EnvironmentFault
from pipeline.workers import cluster
from pipeline.workers.cluster import Cluster
from pipeline.workers.team import LAUNCHED

RESTARTS = 3
_LAST_WORDS = 1_500  # bytes of a worker's output that are shown when it fails alone
_PATIENCE = 30.0  # seconds for the chief to say what is wrong, when another worker knows already


def launch(
    arguments: Sequence[str], count: int, out: IO[Any], err: IO[Any], notice: Callable[[str], None] = lambda _: None
) -> int:
    """Run `isomer <arguments>` in so many processes that train together; the exit code of the chief.

    A worker that is killed takes the others with it, and all start again: they go on after the last epoch that was
    completed. None outlives this process.

    Args:
        out, err: where the chief writes. The others' words are kept for the case that one of them fails.
        notice: told which worker was lost.

    Raises:
        EnvironmentFault: workers were lost more than `RESTARTS` times, or one failed while the chief did not.
    """
    for attempt in range(RESTARTS + 1):
        with ExitStack() as stack:
            addresses = cluster.local(count)
            logs = [stack.enter_context(tempfile.TemporaryFile()) for _ in range(count)]
            workers = []
            for index in range(count):
                streams = (out, err) if index == 0 else (logs[index], logs[index])
                worker = _start(arguments, Cluster(addresses, index), *streams)
                stack.callback(_end, worker)
                workers.append(worker)
            index, code = _watch(workers)
            if code == EXIT_PASS:
                return EXIT_PASS
            if code >= 0:
                return _fail(workers, index, code, logs[index])
        how = f"killed by {signal.Signals(-code).name}" if -code in signal.valid_signals() else f"gone ({code})"
        if attempt < RESTARTS:
            notice(f"Worker {index} of {count} was {how}; all start again from the last backup.")
    raise EnvironmentFault(
        f"Worker {index} of {count} was {how}, and so for the {RESTARTS + 1}th time.",
        "Look for what ends it (memory?), or use fewer workers. The same command goes on after the last epoch that "
        "was completed.",
    )


def _start(arguments: Sequence[str], place: Cluster, out: IO[Any], err: IO[Any]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "pipeline", *arguments],
        stdin=subprocess.PIPE,  # its end tells the worker that this process is gone
        stdout=out,
        stderr=err,
        start_new_session=True,  # Ctrl-C is this process's to handle
        env={**os.environ, cluster.VARIABLE: place.to_variable(), LAUNCHED: "1"},
    )


def _watch(workers: Sequence[subprocess.Popen[bytes]]) -> tuple[int, int]:
    """Wait until one fails, or all have ended well: its index and exit code."""
    while True:
        codes = [worker.poll() for worker in workers]
        # Who was killed comes first: another may have noticed it already and failed.
        for index, code in sorted(enumerate(codes), key=lambda pair: pair[1] or 0):
            if code:
                return index, code
        if all(code == 0 for code in codes):
            return 0, EXIT_PASS
        time.sleep(0.05)


def _fail(workers: Sequence[subprocess.Popen[bytes]], index: int, code: int, log: IO[bytes]) -> int:
    """Let the chief say what is wrong; where it knows nothing, say it in another worker's last words."""
    try:
        said = workers[0].wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        said = 0
    if said > 0:
        return said
    log.seek(0, os.SEEK_END)
    log.seek(max(0, log.tell() - _LAST_WORDS))
    words = log.read().decode(errors="replace").strip()
    raise EnvironmentFault(f"Worker {index} ended with exit code {code}, and these last words:\n{words}")


def _end(worker: subprocess.Popen[bytes]) -> None:
    if worker.poll() is None:
        os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()
    if worker.stdin is not None:
        worker.stdin.close()
