"""The oracle: the captured graph with the same weights, every float operation in float64.

The oracle is the capture re-traced with its types promoted, not another implementation, so that it exists
for every model that can be captured; that the capture is the model itself is checked by Keras' own run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from pipeline.capture import Capture
from pipeline.legalize import legalize
from pipeline.parity.inputs import Tensors

METHOD = "the captured graph with the same float32 weights and constants, every operation in float64"
_BATCH = 500


def run_oracle(capture: Capture, inputs: Mapping[str, np.ndarray]) -> Tensors:
    """Exact outputs by name; float64 for float outputs, the graph's own dtype for others."""
    function = legalize(capture, "oracle").function
    return _run(lambda *flat: function(*flat), capture, inputs)


def run_reference(capture: Capture, inputs: Mapping[str, np.ndarray]) -> Tensors:
    """TensorFlow's float32 outputs of the captured graph, by name: what budgets are derived from."""
    names = sorted(t.name for t in capture.signature.outputs)
    return _run(lambda *flat: dict(zip(names, capture.frozen(*flat), strict=True)), capture, inputs)


def run_keras(model: Any, capture: Capture, inputs: Mapping[str, np.ndarray]) -> Tensors:
    """What Keras itself answers, layer by layer, without the capture."""
    from keras import tree

    from pipeline.capture import call_structure

    structure = call_structure(model)

    def call(*flat: Any) -> dict[str, Any]:
        outputs = tree.flatten(model(tree.pack_sequence_as(structure, list(flat)), training=False))
        return dict(zip((t.name for t in capture.signature.outputs), outputs, strict=True))

    return _run(call, capture, inputs)


def _run(function: Callable[..., Any], capture: Capture, inputs: Mapping[str, np.ndarray]) -> Tensors:
    import tensorflow as tf

    order = [t.name for t in capture.signature.inputs]
    rows = len(inputs[order[0]])
    parts: dict[str, list[np.ndarray]] = {}
    for start in range(0, rows, _BATCH):
        outputs = function(*(tf.constant(inputs[name][start : start + _BATCH]) for name in order))
        for name, value in outputs.items():
            parts.setdefault(name, []).append(np.asarray(value))
    return {t.name: np.concatenate(parts[t.name]) for t in capture.signature.outputs}
