"""The bundle for web pages in Firefox: its module as it is shipped, on "cpu", "wasm" or "webgl"."""

from __future__ import annotations

from pipeline.runtimes.web.browser import BrowserRuntime


class Runtime(BrowserRuntime):
    """A bundle's module in Firefox."""

    library = "bundle"
    package = "@tensorflow/tfjs-core"
    browser = "firefox"
