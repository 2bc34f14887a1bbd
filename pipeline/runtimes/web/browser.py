"""A library in a page: what all runtimes in a browser have in common."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.artifact import Artifact
from pipeline.runtimes.base import Tensors
from pipeline.runtimes.chromium import find_browser
from pipeline.runtimes.firefox import find_firefox
from pipeline.runtimes.node import find_modules
from pipeline.runtimes.web import model_file
from pipeline.runtimes.web.chromium_page import ChromiumPage
from pipeline.runtimes.web.firefox_page import FirefoxPage
from pipeline.runtimes.web.page import Page

# How a browser is found, and what drives it.
_BROWSERS = {"chromium": (find_browser, ChromiumPage), "firefox": (find_firefox, FirefoxPage)}


class BrowserRuntime:
    """A library in a browser on a device; see `pipeline.runtimes.base.Runtime`.

    Attributes:
        library: the adapter's name in adapters/.
        package: what it needs in node_modules.
        browser: "chromium" or "firefox".
    """

    library: str
    package: str
    browser: str = "chromium"

    def __init__(self, device: str) -> None:
        self._device = device
        self._page: Page | None = None
        self._found = ""

    def activate(self, artifact: Artifact, path: Path) -> dict[str, Any]:
        """Start the browser (once), load the model in a fresh page and probe the device.

        Returns:
            browser, browser_version, browser_from, user_agent: what runs the page, and where it was found.
            cross_origin_isolated: whether the page may use threads.
            backend: the one that runs. simd, threads: of the WebAssembly build.
            float_bits: significand bits of the device's arithmetic (24: float32, 11: float16), by a numeric probe.
            flushes_subnormals: whether they become zero.
            On WebGL and WebGPU also adapter, adapter_vendor, adapter_is_software; on WebGPU adapter_architecture,
            adapter_is_fallback and shader_f16. The library's version, and what else its adapter tells.

        Raises:
            RuntimeUnavailable: no browser, no driver for it, no package, or no such device in this browser.
            RuntimeUnsupported: the library says that it does not do this on this device.
            RuntimeError: the model cannot be loaded, or another backend than the wanted one started.
        """
        if self._page is not None and not self._page.alive:
            self.deactivate()  # an earlier model took the browser down; this one gets a new one
        if self._page is None:
            find, start = _BROWSERS[self.browser]
            found = find()
            self._page, self._found = start(found, find_modules(self.package), self._device), found.how
        return {
            "browser": self.browser,
            "browser_version": self._page.version,
            "browser_from": self._found,
            **self._page.open(self.library, model_file(path).resolve()),
        }

    def infer(self, inputs: Mapping[str, np.ndarray], batch: int) -> Tensors:
        """Run all rows by the signature's names, cut into batches in the page.

        Outputs have the dtypes of frames: float32, int32 (also for int64), bool, text for strings.

        Raises:
            RuntimeError: the model fails, leaks tensors, loses its device, or the browser ends.
            ValueError: an integer that int32 cannot hold.
        """
        if self._page is None:
            raise RuntimeError("infer before activate")
        return self._page.infer(inputs, batch)

    def time(self, inputs: Mapping[str, np.ndarray], calls: int, warmup: int) -> list[float]:
        """Seconds of each of `calls` runs of all rows in one batch, measured on the other side, transfers excluded."""
        if self._page is None:
            raise RuntimeError("time before activate")
        return self._page.time(inputs, calls, warmup)

    def deactivate(self) -> None:
        """Close the browser."""
        if self._page is not None:
            self._page.close()
            self._page = None
