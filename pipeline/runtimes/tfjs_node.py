"""TF.js in Node.js: graph models on the WebAssembly ("wasm") or the plain JavaScript ("cpu") backend."""

from __future__ import annotations

from pipeline.runtimes.web.nodejs import NodeRuntime


class Runtime(NodeRuntime):
    """TF.js in Node.js."""

    library = "tfjs"
    package = "@tensorflow/tfjs-core"
