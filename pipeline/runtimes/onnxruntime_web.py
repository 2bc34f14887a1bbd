"""ONNX Runtime Web in Chromium: on "wasm" or "webgpu", each the one execution provider asked for."""

from __future__ import annotations

from pipeline.runtimes.web.browser import BrowserRuntime


class Runtime(BrowserRuntime):
    """ONNX Runtime in Chromium."""

    library = "onnxruntime"
    package = "onnxruntime-web"
