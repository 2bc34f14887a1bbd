"""ONNX Runtime Web in Firefox."""

from __future__ import annotations

from pipeline.runtimes.web.browser import BrowserRuntime


class Runtime(BrowserRuntime):
    """ONNX Runtime in Firefox."""

    library = "onnxruntime"
    package = "onnxruntime-web"
    browser = "firefox"
