"""A page in Firefox, driven by WebDriver BiDi from Node.js (`firefox_driver.mjs`)."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.errors import RuntimeUnavailable
from pipeline.runtimes.node import find_node
from pipeline.runtimes.programs import Program
from pipeline.runtimes.web.page import Page, ended
from pipeline.runtimes.web.reaper import Reaper

_SCRIPT = Path(__file__).with_name("firefox_driver.mjs")
_PATIENCE = 10.0


class FirefoxPage(Page):
    """A headless Firefox with one page."""

    def __init__(self, browser: Program, modules: Path, device: str) -> None:
        """Start the driver and the browser.

        Raises:
            RuntimeUnavailable: there is no Node.js or no puppeteer-core, or the browser does not start.
        """
        if not (modules / "puppeteer-core" / "package.json").is_file():
            raise RuntimeUnavailable(f"puppeteer-core, which drives Firefox, is not in {modules}.", "Run `npm ci`.")
        node = find_node()
        super().__init__(modules, device)
        self._reaper = Reaper()
        self._driver = subprocess.Popen(
            [node.path, _SCRIPT, modules, browser.path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "TMPDIR": str(self._reaper.directory)},
        )
        started = self._receive()
        if "pid" not in started:
            self.close()
            words = started.get("error", "its driver ended without a word")
            raise RuntimeUnavailable(f"{browser.path} does not start: {words}.")
        self._version = str(started["version"])
        self._reaper.watch(int(started["pid"]))

    @property
    def version(self) -> str:
        return self._version

    @property
    def alive(self) -> bool:
        return self._driver.poll() is None

    def close(self) -> None:
        assert self._driver.stdin is not None
        assert self._driver.stdout is not None
        with contextlib.suppress(OSError):
            self._driver.stdin.close()
        try:
            self._driver.wait(timeout=_PATIENCE)
        except subprocess.TimeoutExpired:
            self._driver.kill()
            self._driver.wait()
        self._driver.stdout.close()
        super().close()
        self._reaper.close()

    def _load(self, address: str) -> None:
        self._ask({"address": address})

    def _run(self, verb: str, job: Mapping[str, Any]) -> dict[str, Any]:
        return self._ask({"verb": verb, "job": dict(job)})

    def _ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        assert self._driver.stdin is not None
        try:
            self._driver.stdin.write(json.dumps(request).encode() + b"\n")
            self._driver.stdin.flush()
        except OSError:
            raise ended("Firefox", "its driver is gone", ()) from None
        reply = self._receive()
        if "ended" in reply:
            raise ended("Firefox", reply["ended"], reply["said"])
        return reply

    def _receive(self) -> dict[str, Any]:
        assert self._driver.stdout is not None
        line = self._driver.stdout.readline()
        reply: dict[str, Any] = json.loads(line) if line else {"ended": "its driver ended", "said": ()}
        return reply
