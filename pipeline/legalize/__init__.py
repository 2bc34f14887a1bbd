"""Legalization: the captured graph re-traced for a target, with what the target lacks replaced by rules.

The result computes the same function. Each rule states why it is exact, or the bound that it keeps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from pipeline.capture import Capture
from pipeline.signature import Signature


@dataclass(frozen=True)
class Constant:
    """A float constant of a legalized graph.

    Attributes:
        value: its values.
        sources: paths of the Keras weights that it was computed from; empty for the graph's own constants.
    """

    value: np.ndarray
    sources: frozenset[str]


@dataclass(frozen=True)
class Legalized:
    """A capture rewritten for one target.

    Attributes:
        target: "tflite", "onnx", "tfjs" or "oracle".
        signature: as the capture's, with the batch fixed if that was asked for.
        function: a `tf.function` from the inputs, in order, to a dict of named outputs; traced once.
        concrete: its one trace.
        rewrites: names of the rules that were applied, with their number of uses.
        constants: every float constant that the outputs depend on.
    """

    target: str
    signature: Signature
    function: Any
    concrete: Any
    rewrites: tuple[tuple[str, int], ...]
    constants: tuple[Constant, ...]


# A capture is legalized once per target: the writer and the checks ask for the same.
_DONE: WeakKeyDictionary[Capture, dict[tuple[str, int | None], Legalized]] = WeakKeyDictionary()


def legalize(capture: Capture, target: str, batch: int | None = None) -> Legalized:
    """Rewrite a capture for a target.

    Args:
        capture: the frozen inference graph.
        target: "tflite", "onnx", "tfjs", or "oracle" (every float operation in float64; float32 inputs).
        batch: fixes the batch dimension; None keeps it as captured.

    Raises:
        LegalizationError: the target cannot express part of the graph.
    """
    done = _DONE.setdefault(capture, {})
    if (target, batch) not in done:
        done[target, batch] = _legalize(capture, target, batch)
    return done[target, batch]


def _legalize(capture: Capture, target: str, batch: int | None) -> Legalized:
    import tensorflow as tf

    from pipeline.legalize.emit import promote
    from pipeline.legalize.reachable import float_constants
    from pipeline.legalize.rewriter import Rewriter

    signature = capture.signature if batch is None else capture.signature.with_batch(batch)
    rewriter = Rewriter(capture.frozen, target, capture.weights)
    specs = [tf.TensorSpec(t.shape, t.dtype, name=t.name) for t in signature.inputs]

    def serve(*flat: Any) -> dict[str, Any]:
        inputs = [tf.cast(t, wanted) if (wanted := promote(t.dtype, target)) != t.dtype else t for t in flat]
        outputs = rewriter.run(inputs)
        by_name = dict(zip(_structured_order(capture), outputs, strict=True))
        return {name: tf.identity(by_name[name], name=name) for name in by_name}

    function = tf.function(serve, input_signature=specs, autograph=False)
    concrete = function.get_concrete_function()
    constants = tuple(Constant(value, rewriter.constants.sources(value)) for value in float_constants(concrete.graph))
    return Legalized(target, signature, function, concrete, tuple(sorted(rewriter.uses.items())), constants)


def _structured_order(capture: Capture) -> list[str]:
    """Output names in the order of the frozen graph's outputs: TensorFlow flattens a dict by sorted key."""
    return sorted(t.name for t in capture.signature.outputs)
