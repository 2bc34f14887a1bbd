"""TF.js in Firefox."""

from __future__ import annotations

from pipeline.runtimes.web.browser import BrowserRuntime


class Runtime(BrowserRuntime):
    """TF.js in Firefox."""

    library = "tfjs"
    package = "@tensorflow/tfjs-core"
    browser = "firefox"
