"""The oracle: the captured graph with the same weights, every float operation in float64.

The oracle is the capture re-traced with its types promoted, not another implementation, so that it exists
for every model that can be captured; that the capture is the model itself is checked by Keras' own run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from pipeline.capture import Capture
from pipeline.errors import ModelError
from pipeline.legalize import legalize, runnable
from pipeline.parity.inputs import Tensors
from pipeline.states import call
from pipeline.text import as_text

METHOD = "the captured graph with the same float32 weights and constants, every operation in float64"
# Rows per call.
BATCH = 500


def run_oracle(capture: Capture, inputs: Mapping[str, np.ndarray], batch: int = BATCH) -> Tensors:
    """Exact outputs by name, in batches of so many rows; float64 for floats, the graph's own dtype for others."""
    function = legalize(capture, "oracle").function
    wide = {name: v.astype(np.float64) if v.dtype.kind == "f" else v for name, v in inputs.items()}
    return _run(lambda *flat: function(*flat), capture, wide, batch)


def run_reference(capture: Capture, inputs: Mapping[str, np.ndarray], batch: int = BATCH) -> Tensors:
    """TensorFlow's float32 outputs of the captured graph, by name: what budgets are derived from."""
    if legal := runnable(capture):
        return _run(lambda *flat: legal.function(*flat), capture, inputs, batch)
    return run_captured(capture, inputs, batch)


def run_in_sequence(capture: Capture, inputs: Mapping[str, np.ndarray], batch: int = BATCH) -> Tensors:
    """The same, but sums and means added one number after the other: the largest error of an order of summation."""
    function = legalize(capture, "sequential").function
    return _run(lambda *flat: function(*flat), capture, inputs, batch)


def run_captured(capture: Capture, inputs: Mapping[str, np.ndarray], batch: int = BATCH) -> Tensors:
    """TensorFlow's outputs of the captured graph by name, in the model's own precision."""
    return _run(lambda *flat: capture.traced(*flat), capture, inputs, batch)


def run_as_written(capture: Capture, inputs: Mapping[str, np.ndarray], batch: int = BATCH) -> Tensors:
    """The same, operation by operation as Keras does it: TensorFlow rearranges no sum of the graph."""
    import tensorflow as tf

    before = tf.config.optimizer.get_experimental_options()
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    try:
        return run_captured(capture, inputs, batch)
    finally:
        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": False, **before})


def run_keras(model: Any, capture: Capture, inputs: Mapping[str, np.ndarray], batch: int = BATCH) -> Tensors:
    """What Keras itself answers, layer by layer, without the capture."""
    from keras import backend, ops, tree
    from keras.src.utils import backend_utils

    def answer(*flat: Any) -> dict[str, Any]:
        # As in predict(): of whole numbers, preprocessing layers give others outside of a graph.
        with backend_utils.TFGraphScope():
            outputs, after = call(model, capture.invocation, capture.states, flat)
        flat_outputs = [ops.cast(t, "float32") if backend.is_float_dtype(t.dtype) else t for t in tree.flatten(outputs)]
        return dict(zip((t.name for t in capture.signature.outputs), flat_outputs + after, strict=True))

    if not capture.states:
        return _run(answer, capture, inputs, batch)
    # Keras' stateful layers take the batch that they were made for, and no other.
    size = int(capture.states[0].variable.shape[0])
    rows = len(next(iter(inputs.values())))
    filled = np.minimum(np.arange(-(-rows // size) * size), rows - 1)
    outputs = _run(answer, capture, {name: value[filled] for name, value in inputs.items()}, size)
    return {name: value[:rows] for name, value in outputs.items()}


def _run(
    function: Callable[..., Any], capture: Capture, inputs: Mapping[str, np.ndarray], batch: int = BATCH
) -> Tensors:
    import tensorflow as tf

    order = [t.name for t in capture.signature.inputs]
    rows = len(inputs[order[0]])
    parts: dict[str, list[np.ndarray]] = {}
    for start in range(0, rows, batch):
        outputs = function(*(tf.constant(inputs[name][start : start + batch]) for name in order))
        for name, value in outputs.items():
            if len(value) != (given := min(batch, rows - start)):
                raise ModelError(
                    f"Output '{name}' has {len(value)} rows for {given} inputs: its first dimension is not the batch.",
                    "Keep the batch as the first dimension of every output.",
                )
            parts.setdefault(name, []).append(as_text(np.asarray(value)))
    return {t.name: np.concatenate(parts[t.name]) for t in capture.signature.outputs}
