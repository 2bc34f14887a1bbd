"""This process as one of several that train a model together."""

from __future__ import annotations

import hashlib
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.errors import EnvironmentFault, ModelError, first_line
from pipeline.workers.backup import Backup, read, write
from pipeline.workers.cluster import Cluster

LAUNCHED = "ISOMER_LAUNCHED"  # set for workers that `launching` started: their life hangs on their standard input


class WorkerLost(EnvironmentFault):
    """Another worker died or cannot be reached any more."""


class Team:
    """The members of a cluster, found and connected: construct it before TensorFlow does anything else.

    Args:
        cluster: this process's place among the others.
        path: of the file in which the chief keeps the backup. The other workers' disks stay untouched.
        notice: told what the user must know.

    Attributes:
        strategy: the `tf.distribute.MultiWorkerMirroredStrategy`.
        replicas: devices that compute, over all workers.
        resumed: the epoch after which this training went on from a backup; 0 if it began anew.

    Raises:
        WorkerLost: the others did not come.
        ModelError: the recipe has made TensorFlow work already.
    """

    def __init__(self, cluster: Cluster, path: Path, notice: Callable[[str], None] = lambda _: None) -> None:
        self.cluster = cluster
        self.path = path
        self.notice = notice
        self.resumed = 0
        if os.environ.get(LAUNCHED):
            threading.Thread(target=_end_with_launcher, daemon=True).start()
        os.environ["TF_CONFIG"] = cluster.to_variable()
        import tensorflow as tf

        try:
            with self.together("before the training began"):
                self.strategy = tf.distribute.MultiWorkerMirroredStrategy()
        except RuntimeError as error:
            raise ModelError(
                f"Workers cannot be connected any more: {first_line(error)}.",
                "Let the recipe compute nothing when its file is loaded, only in its functions.",
            ) from error
        self.replicas = int(self.strategy.num_replicas_in_sync)
        self._sum = tf.function(self._add_up)

    @contextmanager
    def together(self, when: str) -> Iterator[None]:
        """What the workers do in step; that one of them is gone becomes a sentence.

        Raises:
            WorkerLost: one is gone.
        """
        import tensorflow as tf

        gone = (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.DeadlineExceededError)
        try:
            yield
        except gone as error:
            if os.environ.get(LAUNCHED):
                threading.Event().wait(60)  # who started us has seen it too, knows who it was, and ends us
            raise WorkerLost(
                f"Worker {self.cluster.index} of {len(self.cluster)} lost another worker {when}.",
                "Look at the other workers' output, then start all of them again: training goes on after the last "
                "epoch that was completed.",
            ) from error

    def share(self, content: bytes) -> bytes:
        """The chief's bytes, for all workers; what the others pass plays no part."""
        own = content if self.cluster.chief else b""
        length = int(self._add(np.array([len(own)], np.int32))[0])
        if not length:
            return b""  # TensorFlow's collective operations crash on nothing
        padded = np.zeros(-(-length // 4) * 4, np.uint8)
        padded[: len(own)] = np.frombuffer(own, np.uint8)
        return self._add(padded.view(np.int32)).tobytes()[:length]

    def agree(self, figures: dict[str, float]) -> dict[str, float]:
        """The chief's figures, for all: machines that round differently must not decide differently."""
        values = np.frombuffer(self.share(np.array(list(figures.values()), np.float64).tobytes()), np.float64)
        return dict(zip(figures, map(float, values), strict=True))

    def mean(self, arrays: list[np.ndarray]) -> list[np.ndarray]:
        """The mean over all workers of float arrays."""
        return [self._add(a / np.asarray(len(self.cluster), a.dtype)) for a in arrays]

    def keep(self, backup: Backup) -> None:
        """Let the chief write a backup."""
        if self.cluster.chief:
            write(self.path, backup)

    def resume(self, identity: str) -> Backup | None:
        """The chief's backup of this very training, for all workers; None to begin anew."""
        found = read(self.path, identity) if self.cluster.chief else None
        content = self.share(b"" if found is None else found.to_bytes())
        if not content:
            return None
        backup = Backup.from_bytes(content)
        self.resumed = backup.epoch
        return backup

    def forget(self) -> None:
        """Remove the backup of a training that is over."""
        if self.cluster.chief:
            self.path.unlink(missing_ok=True)

    def describe(self) -> dict[str, Any]:
        """The receipt's `workers`."""
        return {
            "count": len(self.cluster),
            "replicas": self.replicas,
            "strategy": "MultiWorkerMirroredStrategy",
            "resumed_after_epoch": self.resumed,
        }

    def _add(self, value: np.ndarray) -> np.ndarray:
        import tensorflow as tf

        return self._sum(tf.constant(value)).numpy()

    def _add_up(self, value: Any) -> Any:
        """The sum over workers: of several devices on one, the first counts."""
        import tensorflow as tf

        def add(value: Any) -> Any:
            context = tf.distribute.get_replica_context()
            first = context.replica_id_in_sync_group % (self.replicas // len(self.cluster)) == 0
            return context.all_reduce(tf.distribute.ReduceOp.SUM, tf.where(first, value, tf.zeros_like(value)))

        return self.strategy.experimental_local_results(self.strategy.run(add, (value,)))[0]


def identify(*parts: object) -> str:
    """One word for a recipe's bytes, a dataset's, a seed and so on."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def _end_with_launcher() -> None:
    while sys.stdin.buffer.read(1):
        pass
    os._exit(1)
