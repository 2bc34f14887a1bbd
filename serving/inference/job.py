"""One request's work, and the line of a version in which it waits."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from serving.errors import ServingError
from serving.inference.batches import likeness
from serving.signature import Signature
from serving.tracing import CURRENT

# What a request gets: what its `finish` returned, or an error.
Reply = Callable[[Any], None]


class Promise:
    """An answer that is due.

    Attributes:
        reply: takes the answer or a ServingError; called exactly once, on the event loop.
        deadline: of `time.monotonic`: when it is late, the answer is an error.
    """

    __slots__ = ("answered", "deadline", "reply")

    def __init__(self, reply: Reply, deadline: float) -> None:
        self.reply = reply
        self.deadline = deadline
        self.answered = False

    @property
    def late(self) -> bool:
        return self.deadline < time.monotonic()

    def answer(self, result: Any | ServingError) -> None:
        """Reply, unless that was done."""
        if not self.answered:
            self.answered = True
            self.reply(result)


class Job(Promise):
    """Inputs to run, and what to do with the outputs.

    Attributes:
        signature, inputs, rows: what to run.
        finish: outputs to the answer; runs where the engine ran, and may raise ServingError.
        api: Predict, Classify, Regress or MultiInference, for metrics.
        likeness: jobs of equal likeness may run together; None: with no other.
        trace: of the request that it belongs to; None where nothing is traced.
    """

    __slots__ = ("api", "finish", "inputs", "likeness", "rows", "signature", "trace")

    def __init__(
        self,
        signature: Signature,
        inputs: Mapping[str, np.ndarray],
        rows: int,
        finish: Callable[[dict[str, np.ndarray]], Any],
        reply: Reply,
        deadline: float,
        api: str = "Predict",
    ) -> None:
        super().__init__(reply, deadline)
        self.signature = signature
        self.inputs = inputs
        self.rows = rows
        self.finish = finish
        self.api = api
        self.likeness: object = None
        self.trace = CURRENT.get()

    def alike(self) -> None:
        """Find out which others it may run with."""
        self.likeness = likeness(self.signature, self.inputs)


class Lane:
    """The jobs that wait for one version. Touched on the event loop only.

    Attributes:
        waiting: in order of arrival.
        crowded: whether several jobs came in one turn of the event loop lately: then it pays to let a turn end
            before running them, together.
    """

    # After so many turns with one job each the lane is not crowded any more.
    _LONELY = 32

    def __init__(self) -> None:
        self.waiting: deque[Job] = deque()
        self.crowded = False
        self.scheduled = False
        self._turn = 0
        self._lonely = 0

    def arrived(self) -> bool:
        """Count a job in; True if it is the first of this turn, whose end must be told with `turned`."""
        self._turn += 1
        return self._turn == 1

    def turned(self) -> None:
        """A turn of the event loop is over."""
        if self._turn > 1:
            self.crowded, self._lonely = True, 0
        else:
            self._lonely += 1
            if self._lonely >= self._LONELY:
                self.crowded = False
        self._turn = 0

    def take(self, most_rows: int, most_jobs: int) -> list[Job]:
        """The oldest job, and those that may run with it."""
        first = self.waiting.popleft()
        group, rows = [first], first.rows
        if first.likeness is None:
            return group
        others: deque[Job] = deque()
        while self.waiting and len(group) < most_jobs:
            job = self.waiting.popleft()
            if job.likeness == first.likeness and rows + job.rows <= most_rows:
                group.append(job)
                rows += job.rows
            else:
                others.append(job)
        others.extend(self.waiting)
        self.waiting = others
        return group
