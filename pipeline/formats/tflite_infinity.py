"""Infinite constants in TFLite files: the converter writes the largest float instead, so they are put in afterwards."""

from __future__ import annotations

import numpy as np

from pipeline.legalize import Legalized
from pipeline.legalize.constants import INFINITY_IN_TFLITE


def with_infinities(content: bytes, legal: Legalized) -> bytes:
    """A file with infinity wherever the number is that stands for it."""
    if not any(_marked(constant.value).any() for constant in legal.constants if constant.value.dtype == np.float32):
        return content
    from ai_edge_litert import schema_py_generated as schema

    data = bytearray(content)
    model = schema.Model.GetRootAs(data, 0)
    graphs = [model.Subgraphs(k) for k in range(model.SubgraphsLength())]
    tensors = [graph.Tensors(k) for graph in graphs for k in range(graph.TensorsLength())]
    for place in {t.Buffer() for t in tensors if t.Type() == schema.TensorType.FLOAT32}:
        buffer = model.Buffers(place)
        if not buffer.DataIsNone() and buffer.DataLength():
            values = buffer.DataAsNumpy().view("<f4")
            values[:] = np.where(_marked(values), np.copysign(np.float32(np.inf), values), values)
    return bytes(data)


def _marked(values: np.ndarray) -> np.ndarray:
    return np.abs(values) == INFINITY_IN_TFLITE
