"""Which values an input may have: read off the graph behind it, and off the Keras layers that it first meets.

A number that an Embedding looks up must be in its vocabulary; an image that a Rescaling divides by 255 reaches from 0
to 255; what a Normalization was adapted to tells where the data lie. Layers that only move values are looked through.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pipeline.capture import Capture
from pipeline.layers import by_path
from pipeline.signature import TensorSpec

# Operations that move or convert values and have the same ones afterwards.
_MOVES = frozenset(
    (
        "Identity",
        "StopGradient",
        "EnsureShape",
        "Cast",
        "AsString",
        "Reshape",
        "ExpandDims",
        "Squeeze",
        "Transpose",
        "BroadcastTo",
        "Tile",
        "ReverseV2",
        "StridedSlice",
        "Slice",
        "GatherNd",
        "Split",
        "SplitV",
        "Unpack",
        "Pack",
        "ConcatV2",
        "SelectV2",
        "Pad",
        "PadV2",
        "MirrorPad",
        "Minimum",
        "Maximum",
        "ClipByValue",
        "ResizeBilinear",
        "ResizeNearestNeighbor",
        "ResizeBicubic",
        "ScaleAndTranslate",
    )
)
_MOST_STEPS = 2000


@dataclass(frozen=True)
class Domain:
    """The legal values of one input.

    Attributes:
        low, high: the smallest and the largest number; both are legal.
        known: the model says so; otherwise it is a guess.
        integral: only whole numbers, whatever the dtype.
        mask: 1 where there is something, 0 for the padding behind it.
        padding: the value that marks padding at the end of a sequence; None where nothing does.
        vocabulary: words or numbers that a look-up knows; empty where there is none.
        open: values outside of the vocabulary are legal too.
        text: a string is several words.
        center, spread: of normally distributed numbers, for the last axis; None for numbers from `low` to `high`.
        boundaries: of buckets; values on them are worth trying.
    """

    low: float = 0.0
    high: float = 1.0
    known: bool = False
    integral: bool = False
    mask: bool = False
    padding: float | None = None
    vocabulary: tuple[Any, ...] = ()
    open: bool = True
    text: bool = False
    center: np.ndarray | None = None
    spread: np.ndarray | None = None
    boundaries: tuple[float, ...] = ()

    def within(self, low: float, high: float) -> Domain:
        """Narrowed to a range that the model states, or given it."""
        if self.known:
            low, high = max(low, self.low), min(high, self.high)
        return replace(self, low=low, high=high, known=True)

    def indices(self, count: int) -> Domain:
        """Whole numbers from 0 to `count` - 1."""
        return replace(self.within(0, count - 1), integral=True)


def domains_of(captured: Capture, model: Any) -> dict[str, Domain]:
    """A domain for every input of a capture, by name."""
    layers = by_path(model)
    placeholders = captured.traced.inputs
    found = {}
    for spec, tensor in zip(captured.signature.inputs, placeholders, strict=False):
        domain = _declared(spec) or _default(spec.name, spec.dtype)
        found[spec.name] = domain if domain.mask else _follow(captured, layers, tensor, domain)
    return found


def _declared(spec: TensorSpec) -> Domain | None:
    return None if spec.range is None else Domain(spec.range[0], spec.range[1], known=True, integral=True)


def _default(name: str, dtype: str) -> Domain:
    words = name.lower().split("_")
    if "mask" in words and dtype != "string":
        return Domain(0, 1, known=True, integral=True, mask=True)
    if dtype in ("bool", "string"):
        return Domain(0, 1, integral=True, text=dtype == "string")
    if dtype == "uint8":
        return Domain(0, 255, known=True, integral=True)
    if np.dtype(dtype).kind in "iu":
        return Domain(0, 9, integral=True)
    return Domain()


def _follow(captured: Capture, layers: dict[str, Any], start: Any, domain: Domain) -> Domain:
    """What the operations say that a tensor reaches without its values being changed."""
    stack = [start]
    seen: set[tuple[int, str]] = set()
    while stack and len(seen) < _MOST_STEPS:
        tensor = stack.pop()
        for op in tensor.consumers():
            if (key := (id(op.graph), op.name)) in seen:
                continue
            seen.add(key)
            layer = layers.get(captured.layers.of(op.name.rpartition("/")[0]))
            told = _told_by_layer(layer, domain) or _told_by_operation(op, tensor, domain)
            if told is not None:
                domain = told
            elif op.type == "Cast" and not op.outputs[0].dtype.is_floating and tensor.dtype.is_floating:
                domain = domain if domain.integral else replace(domain, integral=True, high=max(domain.high, 1))
                stack += op.outputs
            elif op.type in _MOVES:
                stack += op.outputs
    return domain


def _told_by_layer(layer: Any, domain: Domain) -> Domain | None:
    for kind in type(layer).__mro__:
        if kind.__name__ in _LAYERS:
            return _LAYERS[kind.__name__](layer, domain)
    return None


def _told_by_operation(op: Any, tensor: Any, domain: Domain) -> Domain | None:
    """By the operation itself: what custom layers and keras.ops do is known too."""
    place = next(i for i, t in enumerate(op.inputs) if t is tensor)
    if op.type == "GatherV2" and place == 1:
        axis = _constant(op.inputs[2])
        shape = op.inputs[0].shape
        size = shape[int(axis)] if axis is not None and shape.rank is not None else None
        return domain.indices(size) if size else None
    if op.type == "OneHot" and place == 0:
        depth = _constant(op.inputs[1])
        return domain.indices(int(depth)) if depth is not None else None
    if op.type == "DenseBincount" and place == 0:
        size = _constant(op.inputs[1])
        return domain.indices(int(size)) if size is not None else None
    if op.type == "Bucketize":
        return _buckets(op.get_attr("boundaries"), domain)
    return None


def _constant(tensor: Any) -> np.ndarray | None:
    import tensorflow as tf

    value: np.ndarray | None = tf.get_static_value(tensor)
    return value


def _embedding(layer: Any, domain: Domain) -> Domain:
    padding = 0.0 if getattr(layer, "mask_zero", False) else domain.padding
    return replace(domain.indices(int(layer.input_dim)), padding=padding)


def _rescaling(layer: Any, domain: Domain) -> Domain | None:
    scale, offset = layer.scale, layer.offset
    if not isinstance(scale, int | float) or not isinstance(offset, int | float) or scale <= 0:
        return None
    return domain.within(0, round((1 - offset) / scale, 6))


def _normalization(layer: Any, domain: Domain) -> Domain | None:
    if layer.invert or getattr(layer, "mean", None) is None:
        return None
    mean, variance = (np.asarray(v, np.float64) for v in (layer.mean, layer.variance))
    flat = [v.reshape(-1) for v in np.broadcast_arrays(mean, variance)]
    low, high = flat[0] - 3 * np.sqrt(flat[1]), flat[0] + 3 * np.sqrt(flat[1])
    return replace(domain.within(low.min(), high.max()), center=flat[0], spread=np.sqrt(flat[1]))


def _buckets(boundaries: Any, domain: Domain) -> Domain | None:
    edges = [float(b) for b in boundaries or ()]
    if not edges:
        return None
    margin = max((edges[-1] - edges[0]) / 4, 1.0)
    return replace(domain.within(edges[0] - margin, edges[-1] + margin), boundaries=tuple(edges))


def _lookup(layer: Any, domain: Domain) -> Domain | None:
    if getattr(layer, "invert", False):
        return domain.indices(layer.vocabulary_size())
    words = tuple(layer.get_vocabulary(include_special_tokens=False))
    return replace(domain, known=True, vocabulary=words, open=layer.num_oov_indices > 0, text=False)


def _text(layer: Any, domain: Domain) -> Domain:
    return replace(domain, known=True, vocabulary=tuple(layer.get_vocabulary(include_special_tokens=False)), text=True)


def _hashing(_: Any, domain: Domain) -> Domain:
    return replace(domain.within(0, 1_000_000), integral=True, text=False)


_LAYERS: dict[str, Callable[[Any, Domain], Domain | None]] = {
    "Embedding": _embedding,
    "Rescaling": _rescaling,
    "Normalization": _normalization,
    "Discretization": lambda layer, domain: _buckets(layer.bin_boundaries, domain),
    "CategoryEncoding": lambda layer, domain: domain.indices(int(layer.num_tokens)) if layer.num_tokens else None,
    "IndexLookup": _lookup,
    "TextVectorization": _text,
    "Hashing": _hashing,
    "HashedCrossing": _hashing,
    "Masking": lambda layer, domain: replace(domain, padding=float(layer.mask_value)),
}
