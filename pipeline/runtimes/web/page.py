"""Chromium's end of the harness in Python: one page, driven by Playwright, fed by a local HTTP server.

Only small jobs go through Playwright; arrays go by HTTP (31 MB: 0.2 s, against 11 to 21 s by `evaluate`).
"""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.errors import RuntimeUnavailable
from pipeline.runtimes.base import Tensors
from pipeline.runtimes.chromium import Browser, launch_flags, sandboxed
from pipeline.runtimes.web.reaper import Reaper
from pipeline.runtimes.web.reply import raise_reply
from pipeline.runtimes.web.server import Server
from pipeline.runtimes.web.wire import pack, unpack

_SAID = 5


class Page:
    """A browser with one page that runs one model at a time."""

    def __init__(self, browser: Browser, modules: Path, device: str) -> None:
        """Start the browser.

        Raises:
            RuntimeUnavailable: Playwright is missing, or the browser does not start.
        """
        try:
            from playwright.sync_api import Error, sync_playwright
        except ImportError as error:
            raise RuntimeUnavailable(f"Playwright cannot be imported: {error}.", "Run `uv sync`.") from None
        self._error = Error
        self._device = device
        self._server = Server(modules)
        self._reaper = Reaper()
        self._said: deque[str] = deque(maxlen=_SAID)
        self._playwright: Any = None
        self._browser: Any = None
        self._page: Any = None
        try:
            # Playwright puts the browser's profile into the temporary directory of its own environment.
            with _temporary_directory(self._reaper.directory):
                self._playwright = sync_playwright().start()
            self._browser = self._playwright.chromium.launch(
                executable_path=browser.path, args=list(launch_flags(device)), chromium_sandbox=sandboxed()
            )
            self._reaper.watch(self._browser_pid())
        except (Error, OSError) as error:
            self.close()
            raise RuntimeUnavailable(
                f"{browser.path} does not start: {_first_lines(error)}",
                "Without unprivileged user namespaces its sandbox cannot work; ISOMER_NO_SANDBOX=1 takes it off.",
            ) from None

    @property
    def version(self) -> str:
        return str(self._browser.version)

    @property
    def alive(self) -> bool:
        """Whether the browser still runs, as far as Playwright has noticed."""
        return bool(self._browser.is_connected())

    def open(self, library: str, model: Path) -> dict[str, Any]:
        """A fresh page with a model in it; returns the environment as the page tells it.

        Raises:
            RuntimeUnavailable: the page says that the device is missing.
            RuntimeError: the model cannot be loaded, in the page's words.
        """
        if self._page is not None:
            self._page.context.close()
        self._said.clear()
        self._server.model = model.parent
        self._page = self._blank()
        self._page.on("console", lambda message: self._said.append(message.text))
        self._page.on("pageerror", lambda error: self._said.append(str(error)))
        self._page.goto(f"{self._server.url}web/harness.html", wait_until="domcontentloaded")
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
        seconds: list[float] = self._call("time", {"key": self._offer(inputs), "calls": calls, "warmup": warmup})[
            "seconds"
        ]
        return seconds

    def close(self) -> None:
        """Close the browser and everything that came with it, whatever state it is in."""
        try:
            if self._browser is not None:
                self._browser.close()
            if self._playwright is not None:
                self._playwright.stop()
        except Exception:  # what was killed cannot be closed, and need not be
            pass
        self._server.close()
        self._reaper.close()

    def _blank(self) -> Any:
        return self._browser.new_context(service_workers="block").new_page()

    def _offer(self, inputs: Mapping[str, np.ndarray]) -> str:
        # The key is the content's, so that the page fetches the same inputs only once.
        frame = pack({}, inputs)
        digest = hashlib.sha256()
        for piece in frame:
            digest.update(piece)
        self._server.offer(digest.hexdigest(), frame)
        return digest.hexdigest()

    def _browser_pid(self) -> int:
        answer = self._browser.new_browser_cdp_session().send("SystemInfo.getProcessInfo")
        return int(next(p["id"] for p in answer["processInfo"] if p["type"] == "browser"))

    def _call(self, verb: str, job: Mapping[str, Any]) -> dict[str, Any]:
        try:
            # No timeout here: whoever runs the worker has one.
            reply: dict[str, Any] = self._page.evaluate(f"job => isomer.{verb}(job)", dict(job))
        except self._error as error:
            said = f" Its console: {' | '.join(self._said)}" if self._said else ""
            raise RuntimeError(f"Chromium's page ended or failed: {_first_lines(error)}{said}") from None
        if "error" in reply:
            raise_reply(reply)
        return reply


@contextmanager
def _temporary_directory(directory: Path) -> Iterator[None]:
    before = os.environ.get("TMPDIR")
    os.environ["TMPDIR"] = str(directory)
    try:
        yield
    finally:
        del os.environ["TMPDIR"]
        if before is not None:
            os.environ["TMPDIR"] = before


def _first_lines(error: Exception) -> str:
    words = str(error).split("Call log:")[0].replace("====", "").split()
    return " ".join(words)[:600]
