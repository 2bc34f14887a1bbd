"""TF.js in Chromium: graph models on the backends "cpu", "wasm", "webgl" and "webgpu".

The device "webgl-f16" is WebGL with float16 textures, as on many phones.
"""

from __future__ import annotations

from pipeline.runtimes.web.browser import BrowserRuntime


class Runtime(BrowserRuntime):
    """TF.js in Chromium."""

    library = "tfjs"
    package = "@tensorflow/tfjs-core"
