"""LiteRT.js in Chromium: files with static shapes, on "wasm" (XNNPACK) or "webgpu"."""

from __future__ import annotations

from pipeline.runtimes.web.browser import BrowserRuntime


class Runtime(BrowserRuntime):
    """LiteRT.js in Chromium."""

    library = "litert"
    package = "@litertjs/core"
