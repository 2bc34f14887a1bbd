"""ONNX Runtime in Node.js, on the CPU."""

from __future__ import annotations

from pipeline.runtimes.web.nodejs import NodeRuntime


class Runtime(NodeRuntime):
    """ONNX Runtime in Node.js."""

    library = "onnxruntime"
    package = "onnxruntime-node"
