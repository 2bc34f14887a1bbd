"""A visitor with a browser: what tests of the page do on it."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from live import Live
from playwright.sync_api import Browser, Page, sync_playwright

from pipeline.runtimes.chromium import find_browser, launch_flags, sandboxed

AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"
PATIENCE_MS = 120_000


@contextmanager
def chromium(device: str) -> Iterator[Browser]:
    """Chromium with the flags that a device needs."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(find_browser().path), args=list(launch_flags(device)), chromium_sandbox=sandboxed()
        )
        try:
            yield browser
        finally:
            browser.close()


class Visitor:
    """One tab.

    Attributes:
        page: Playwright's.
        complaints: errors on the console, and exceptions that nobody caught.
    """

    def __init__(self, browser: Browser, **options: Any) -> None:
        self.page: Page = browser.new_page(**options)
        self.page.set_default_timeout(PATIENCE_MS)
        self.complaints: list[str] = []
        self.page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def open(self, live: Live, model: str = "") -> None:
        self.page.goto(f"http://{live.host}:{live.port}/{f'#/{model}/1' if model else ''}")

    def answered(self) -> dict[str, str]:
        """Wait until every expected runtime answered or said why not; the text of its row, by its id."""
        self.page.wait_for_selector('.answers[data-finished="true"]')
        return self.rows(".lineup")

    def check(self) -> dict[str, str]:
        """Check this device; the text of each row, by its id."""
        self.page.get_by_role("button", name="Check").click()
        self.page.wait_for_selector('.check[data-finished="true"]')
        return self.rows(".cells")

    def verdict(self) -> str:
        return str(self.page.locator(".banner").get_attribute("data-verdict"))

    def certificate(self) -> Any:
        """The device certificate, downloaded."""
        with self.page.expect_download() as download:
            self.page.get_by_role("link", name="Download the device certificate").click()
        return json.loads(Path(download.value.path()).read_text())

    def headline(self) -> str:
        return self.page.locator(".answers .headline").inner_text()

    def draw(self) -> None:
        """A stroke with the mouse."""
        surface = self.page.get_by_role("application", name="Drawing surface")
        surface.scroll_into_view_if_needed()
        box = surface.bounding_box()
        assert box is not None
        left, top = box["x"], box["y"]
        mouse = self.page.mouse
        mouse.move(left + 90, top + 60)
        mouse.down()
        for x, y in ((180, 60), (130, 140), (170, 200), (90, 220)):
            mouse.move(left + x, top + y, steps=4)
        mouse.up()

    def barriers(self) -> list[str]:
        """What axe finds against WCAG 2.2 AA and its own best practices."""
        self.page.evaluate(AXE.read_text())
        found = self.page.evaluate("axe.run()")
        return [f"{v['id']}: {[n['target'] for n in v['nodes']]} {v['help']}" for v in found["violations"]]

    def overflow(self) -> int:
        """Pixels that the page is wider than its window."""
        return int(self.page.evaluate("document.documentElement.scrollWidth - innerWidth"))

    def rows(self, where: str) -> dict[str, str]:
        """The text of each runtime's row in a list, by its id."""
        rows = self.page.locator(f"{where} > li").all()
        return {str(row.get_attribute("data-runtime")): row.inner_text() for row in rows}


def png(grey: np.ndarray) -> bytes:
    """A picture file of uint8 [height, width]."""
    height, width = grey.shape

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    lines = b"".join(b"\0" + line.tobytes() for line in grey)
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")
