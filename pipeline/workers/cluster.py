"""Who trains together: addresses and a place among them, as TF_CONFIG says it."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass

from pipeline.errors import UsageError

VARIABLE = "TF_CONFIG"
_EXAMPLE = (
    'It looks like {"cluster": {"worker": ["host1:2222", "host2:2222"]}, "task": {"type": "worker", "index": 0}}, with '
    "an index of its own on each machine."
)


@dataclass(frozen=True)
class Cluster:
    """Workers that train one model.

    Attributes:
        addresses: "host:port" of each.
        index: this process's place. Worker 0 is the chief: it keeps the backup and writes what is left behind.
    """

    addresses: tuple[str, ...]
    index: int

    @property
    def chief(self) -> bool:
        return self.index == 0

    def __len__(self) -> int:
        return len(self.addresses)

    def to_variable(self) -> str:
        """The content of TF_CONFIG."""
        return json.dumps(
            {"cluster": {"worker": list(self.addresses)}, "task": {"type": "worker", "index": self.index}}
        )


def from_environment(environment: Mapping[str, str] = os.environ) -> Cluster | None:
    """The cluster that TF_CONFIG describes; None without one, or with one worker only.

    Raises:
        UsageError: it is no JSON, knows no workers, or names kinds of tasks other than workers.
    """
    text = environment.get(VARIABLE, "").strip()
    if not text:
        return None
    try:
        document = json.loads(text)
        jobs = document["cluster"]
        addresses = jobs["worker"]
        task = document["task"]
        kind, index = task["type"], task["index"]
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{VARIABLE} cannot be read: {type(error).__name__}: {error}.", _EXAMPLE) from error
    if not isinstance(addresses, list) or not all(isinstance(a, str) and ":" in a for a in addresses):
        raise UsageError(f"{VARIABLE} has {addresses!r} for the workers' addresses.", _EXAMPLE)
    if sorted(jobs) != ["worker"] or kind != "worker":
        raise UsageError(f"{VARIABLE} names tasks other than workers.", f"isomer trains with workers only. {_EXAMPLE}")
    if not isinstance(index, int) or isinstance(index, bool) or not 0 <= index < len(addresses):
        raise UsageError(f"{VARIABLE} gives this worker the index {index!r} among {len(addresses)}.", _EXAMPLE)
    return Cluster(tuple(addresses), index) if len(addresses) > 1 else None


def local(count: int) -> tuple[str, ...]:
    """Addresses of so many workers on this machine, at ports that are free now."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return tuple(f"127.0.0.1:{each.getsockname()[1]}" for each in sockets)
