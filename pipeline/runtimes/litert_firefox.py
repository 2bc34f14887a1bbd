"""LiteRT.js in Firefox."""

from __future__ import annotations

from pipeline.runtimes.web.browser import BrowserRuntime


class Runtime(BrowserRuntime):
    """LiteRT.js in Firefox."""

    library = "litert"
    package = "@litertjs/core"
    browser = "firefox"
