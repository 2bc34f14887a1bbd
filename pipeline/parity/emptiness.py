"""Sizes at which a model reduces nothing: TensorFlow's answer is then whatever the memory held, on some CPUs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from pipeline.capture import Capture

_REDUCTIONS = frozenset({"Max", "Min", "Mean", "ArgMax", "ArgMin"})


def reduces_nothing(captured: Capture, inputs: Mapping[str, np.ndarray]) -> bool:
    """Whether a maximum, a minimum or a mean of no elements is taken anywhere outside of loops and branches.

    Raises:
        tf.errors.OpError, ValueError: TensorFlow refuses the inputs; with their sizes known it refuses more.
    """
    import tensorflow as tf

    graph = captured.traced.graph
    watched = [op.inputs[0].name for op in graph.get_operations() if op.type in _REDUCTIONS]
    if not watched:
        return False

    def sizes(*flat: Any) -> Any:
        here = tf.compat.v1.get_default_graph()
        feeds = {t.name: value for t, value in zip(graph.inputs, flat, strict=False)}
        feeds |= {inner.name: here.capture(outer) for outer, inner in graph.captures}
        found = tf.graph_util.import_graph_def(
            graph.as_graph_def(), input_map=feeds, return_elements=watched, name="captured"
        )
        return [tf.size(tensor) for tensor in found]

    flat = [tf.constant(inputs[t.name]) for t in captured.signature.inputs]
    return any(int(size) == 0 for size in tf.function(sizes, autograph=False)(*flat))
