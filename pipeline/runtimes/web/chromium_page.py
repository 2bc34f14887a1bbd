"""A page in Chromium, driven by Playwright."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline.errors import RuntimeUnavailable
from pipeline.runtimes.chromium import launch_flags, sandboxed
from pipeline.runtimes.programs import Program
from pipeline.runtimes.web.page import Page, ended
from pipeline.runtimes.web.reaper import Reaper

_SAID = 5
_POLL = 100  # milliseconds: seldom enough not to disturb what is timed


class ChromiumPage(Page):
    """A Chromium with one page."""

    def __init__(self, browser: Program, modules: Path, device: str) -> None:
        """Start the browser.

        Raises:
            RuntimeUnavailable: Playwright is missing, or the browser does not start.
        """
        try:
            from playwright.sync_api import Error, sync_playwright
        except ImportError as error:
            raise RuntimeUnavailable(f"Playwright cannot be imported: {error}.", "Run `uv sync`.") from None
        super().__init__(modules, device)
        self._error = Error
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
        return bool(self._browser.is_connected())

    def visit(self, address: str, patience: float) -> Any:
        """What a page of its own, in which nothing is cached, sets as `globalThis.settled`.

        Args:
            address: of the page.
            patience: seconds until that must be something.

        Raises:
            RuntimeError: the page or the browser ended, or it took too long.
        """
        try:
            page = self._blank()
            page.goto(address, timeout=1000 * patience)
            page.wait_for_function("() => globalThis.settled", polling=_POLL, timeout=1000 * patience)
            found = page.evaluate("() => globalThis.settled")
            page.context.close()
        except self._error as error:
            raise ended("Chromium", _first_lines(error), ()) from None
        return found

    def close(self) -> None:
        try:
            if self._browser is not None:
                self._browser.close()
            if self._playwright is not None:
                self._playwright.stop()
        except Exception:  # what was killed cannot be closed, and need not be
            pass
        super().close()
        self._reaper.close()

    def _load(self, address: str) -> None:
        if self._page is not None:
            self._page.context.close()
        self._said.clear()
        self._page = self._blank()
        self._page.on("console", lambda message: self._said.append(message.text))
        self._page.on("pageerror", lambda error: self._said.append(str(error)))
        self._page.goto(address, wait_until="domcontentloaded")

    def _blank(self) -> Any:
        return self._browser.new_context(service_workers="block").new_page()

    def _run(self, verb: str, job: Mapping[str, Any]) -> dict[str, Any]:
        try:
            # No timeout here: whoever runs the worker has one.
            reply: dict[str, Any] = self._page.evaluate(f"job => isomer.{verb}(job)", dict(job))
        except self._error as error:
            raise ended("Chromium", _first_lines(error), self._said) from None
        return reply

    def _browser_pid(self) -> int:
        answer = self._browser.new_browser_cdp_session().send("SystemInfo.getProcessInfo")
        return int(next(p["id"] for p in answer["processInfo"] if p["type"] == "browser"))


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
