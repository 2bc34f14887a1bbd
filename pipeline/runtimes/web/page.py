"""A page under test, whatever browser it is in: fed by a local HTTP server, told what to do by a driver.

Only small jobs go through the driver; arrays go by HTTP (31 MB: 0.2 s, against 11 to 21 s by Playwright's `evaluate`).
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.runtimes.base import Tensors
from pipeline.runtimes.web.reply import raise_reply
from pipeline.runtimes.web.server import Server
from pipeline.runtimes.web.wire import pack, unpack


class Page(ABC):
    """A browser with one page that runs one model at a time."""

    def __init__(self, modules: Path, device: str) -> None:
        self._device = device
        self._server = Server(modules)

    @property
    @abstractmethod
    def version(self) -> str:
        """Of the browser."""

    @property
    @abstractmethod
    def alive(self) -> bool:
        """Whether the browser still runs, as far as its driver has noticed."""

    def open(self, library: str, model: Path) -> dict[str, Any]:
        """A fresh page with a model in it; returns the environment as the page tells it.

        Raises:
            RuntimeUnavailable: the page says that the device is missing.
            RuntimeUnsupported: it says that the library does not do this.
            RuntimeError: the model cannot be loaded, in the page's words.
        """
        self._server.model = model.parent
        self._load(f"{self._server.url}web/harness.html")
        job = {"library": library, "device": self._device, "model": model.name}
        environment: dict[str, Any] = self._call("open", job)["environment"]
        return environment

    def infer(self, inputs: Mapping[str, np.ndarray], batch: int) -> Tensors:
        """Run all rows in batches of `batch`.

        Raises:
            RuntimeError: the model fails, or the browser or its page ends.
        """
        self._call("infer", {"key": self._offer(inputs), "batch": batch})
        return unpack(self._server.collect())[1]

    def time(self, inputs: Mapping[str, np.ndarray], calls: int, warmup: int) -> list[float]:
        """Seconds of each of `calls` runs of all rows in one batch, by the page's clock."""
        job = {"key": self._offer(inputs), "calls": calls, "warmup": warmup}
        seconds: list[float] = self._call("time", job)["seconds"]
        return seconds

    def close(self) -> None:
        """Close the browser and everything that came with it, whatever state it is in."""
        self._server.close()

    @abstractmethod
    def _load(self, address: str) -> None:
        """A new page at an address, in place of the last one."""

    @abstractmethod
    def _run(self, verb: str, job: Mapping[str, Any]) -> dict[str, Any]:
        """What `isomer.VERB(job)` resolves to in the page.

        Raises:
            RuntimeError: the browser or the page ended (`ended`).
        """

    def _call(self, verb: str, job: Mapping[str, Any]) -> dict[str, Any]:
        reply = self._run(verb, job)
        if "error" in reply:
            raise_reply(reply)
        return reply

    def _offer(self, inputs: Mapping[str, np.ndarray]) -> str:
        # The key is the content's, so that the page fetches the same inputs only once.
        frame = pack({}, inputs)
        digest = hashlib.sha256()
        for piece in frame:
            digest.update(piece)
        self._server.offer(digest.hexdigest(), frame)
        return digest.hexdigest()


def ended(browser: str, words: str, said: Sequence[str]) -> RuntimeError:
    """The error for a page that is gone, with the last that it said on its console."""
    console = f" Its console: {' | '.join(said)}" if said else ""
    return RuntimeError(f"{browser}'s page ended or failed: {words}{console}")
