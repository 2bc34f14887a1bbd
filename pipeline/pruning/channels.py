"""Which units and channels of a model can be removed, and how each layer would follow.

A group is the output channels of one Dense or Conv layer, together with everything that must shrink with them: the
normalization behind it, and the input of the layers that read it. A group whose channels reach anything else (an
addition, a recurrent layer, an output) is left alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

PRODUCERS = ("Dense", "Conv1D", "Conv2D", "Conv3D")
# Layers that keep channels apart and in their order, and have no weights of their own per channel.
PASSES = {
    *("Activation", "ReLU", "LeakyReLU", "ELU", "Identity"),
    *("Dropout", "GaussianNoise", "GaussianDropout", "AlphaDropout"),
    *(f"SpatialDropout{n}D" for n in (1, 2, 3)),
    *(f"{kind}Pooling{n}D" for kind in ("Max", "Average", "GlobalMax", "GlobalAverage") for n in (1, 2, 3)),
    *(f"{kind}{n}D" for kind in ("ZeroPadding", "Cropping", "UpSampling") for n in (1, 2, 3)),
}
_ACROSS = ("softmax", "log_softmax", "glu")  # activations that mix channels


@dataclass(frozen=True)
class Reader:
    """A layer that reads a group's channels.

    Attributes:
        layer: the Dense or Conv layer.
        copies: input values per channel: the positions that a Flatten put side by side, else 1.
    """

    layer: Any
    copies: int

    def rows(self, kept: np.ndarray, channels: int) -> np.ndarray:
        """Indices of the layer's input axis for the kept channels."""
        return (np.arange(self.copies)[:, None] * channels + kept[None, :]).reshape(-1)


@dataclass(frozen=True)
class Group:
    """Channels that can be removed together with all that depends on them.

    Attributes:
        layer: that makes them.
        channels: their number.
        norms: BatchNormalization layers on the way.
        readers: the layers that read them, at least one.
    """

    layer: Any
    channels: int
    norms: tuple[Any, ...]
    readers: tuple[Reader, ...]


def find(model: Any) -> list[Group]:
    """The groups of a Functional or Sequential model, from the input on."""
    outputs = {id(tensor) for tensor in model.outputs}
    groups = []
    for layer in operations(model):
        if type(layer).__name__ in PRODUCERS and len(layer._inbound_nodes) == 1 and _alone(layer):
            found = list(_follow(layer, outputs, 1, 0))
            if found and None not in found:
                norms = tuple(part for part in found if not isinstance(part, Reader))
                readers = tuple(part for part in found if isinstance(part, Reader))
                if readers:
                    groups.append(Group(layer, int(layer.kernel.shape[-1]), norms, readers))
    return groups


def operations(model: Any) -> list[Any]:
    """All operations of a Functional or Sequential model."""
    return list((model._functional if hasattr(model, "_functional") else model).operations)


def _alone(layer: Any) -> bool:
    """Whether the layer's channels are independent: no groups of a convolution, no activation over channels."""
    name = getattr(getattr(layer, "activation", None), "__name__", "linear")
    ordered = getattr(layer, "data_format", "channels_last") == "channels_last"
    return ordered and getattr(layer, "groups", 1) == 1 and name not in _ACROSS


def _follow(layer: Any, outputs: set[int], copies: int, depth: int) -> Iterator[Any]:
    """The norms and readers behind a layer; None where the channels reach what cannot shrink."""
    tensors = [tensor for node in layer._inbound_nodes for tensor in node.output_tensors]
    if depth > 64 or any(id(tensor) in outputs for tensor in tensors) or not layer._outbound_nodes:
        yield None
        return
    for node in layer._outbound_nodes:
        after = node.operation
        kind = type(after).__name__
        if len(after._inbound_nodes) != 1:
            yield None  # a shared layer
        elif kind in PRODUCERS:
            # A Dense on an unflattened map reads the last axis alone; so does a convolution.
            yield Reader(after, copies) if getattr(after, "groups", 1) == 1 else None
        elif kind == "BatchNormalization" and after.axis in (-1, len(node.output_tensors[0].shape) - 1) and copies == 1:
            yield after
            yield from _follow(after, outputs, copies, depth + 1)
        elif kind == "Flatten":
            shape = after.input.shape[1:-1]
            if None in shape:
                yield None
            else:
                yield from _follow(after, outputs, copies * int(np.prod(shape, dtype=int)), depth + 1)
        elif kind in PASSES and not (kind == "Activation" and after.activation.__name__ in _ACROSS):
            yield from _follow(after, outputs, copies, depth + 1)
        else:
            yield None
