"""Geometry of windows that slide over an image (convolutions, poolings), with the channels last."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from pipeline.legalize.shapes import reshape, sizes, transpose

if TYPE_CHECKING:
    from pipeline.legalize.rewriter import Rewriter

VALID, SAME, EXPLICIT = "VALID", "SAME", "EXPLICIT"


@dataclass(frozen=True)
class Window:
    """How a window moves, one entry per spatial dimension.

    Attributes:
        strides, dilations: steps between positions, and between the elements of the window.
        padding: "VALID", "SAME" or "EXPLICIT".
        explicit: (before, after) of each dimension; empty but for "EXPLICIT".
        size: the window's own size, of a pooling.
    """

    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    padding: str
    explicit: tuple[tuple[int, int], ...] = ()
    size: tuple[int, ...] = ()

    @property
    def dilated(self) -> bool:
        return max(self.dilations) > 1

    def attributes(self) -> dict[str, Any]:
        """For a 2-D or 3-D convolution operation with the channels last."""
        named: dict[str, Any] = {
            "strides": [1, *self.strides, 1],
            "dilations": [1, *self.dilations, 1],
            "padding": self.padding,
        }
        if self.padding == EXPLICIT:
            named["explicit_paddings"] = [0, 0, *(n for pair in self.explicit for n in pair), 0, 0]
        return named

    def without(self, axis: int) -> Window:
        """The same without one dimension."""
        kept = [k for k in range(len(self.strides)) if k != axis]

        def take(values: tuple[Any, ...]) -> tuple[Any, ...]:
            return tuple(values[k] for k in kept) if values else ()

        return Window(take(self.strides), take(self.dilations), self.padding, take(self.explicit), take(self.size))

    def margins(self, axis: int, length: Any, kernel: int) -> tuple[Any, Any]:
        """Rows before and after that the padding adds along a dimension of this length (an int or a tensor)."""
        if self.padding == EXPLICIT:
            return self.explicit[axis]
        if self.padding == VALID:
            return 0, 0
        reach = (kernel - 1) * self.dilations[axis] + 1
        stride = self.strides[axis]
        if stride == 1:
            total: Any = reach - 1
        else:
            total = ((length + stride - 1) // stride - 1) * stride + reach - length
            total = max(total, 0) if isinstance(total, int) else tf.maximum(total, 0)
        return total // 2, total - total // 2

    def leaps(self, spatial: Any) -> bool:
        """The zeros of SAME would be fewer than none somewhere: steps are longer than a kernel of these sizes."""
        reaches = ((size - 1) * gap + 1 for size, gap in zip(spatial, self.dilations, strict=True))
        return self.padding == SAME and any(r < stride for r, stride in zip(reaches, self.strides, strict=True))


def window_of(op: Any) -> Window:
    """The window of a convolution or pooling operation, whatever its data format."""
    attrs = op.node_def.attr
    inner = slice(2, None) if is_channels_first(op) else slice(1, -1)
    strides = tuple(attrs["strides"].list.i)[inner]
    dilations = tuple(attrs["dilations"].list.i)[inner] if "dilations" in attrs else ()
    size = tuple(attrs["ksize"].list.i)[inner] if "ksize" in attrs else ()
    explicit = list(attrs["explicit_paddings"].list.i) if "explicit_paddings" in attrs else []
    pairs = tuple(zip(explicit[::2], explicit[1::2], strict=True))[inner]
    padding = attrs["padding"].s.decode()
    return Window(strides, dilations or (1,) * len(strides), padding, pairs if padding == EXPLICIT else (), size)


def is_channels_first(op: Any) -> bool:
    """NCHW, NCDHW."""
    return bool(op.node_def.attr["data_format"].s.startswith(b"NC"))


def undilated(window: Window) -> Window:
    """The same window without gaps between its elements."""
    return replace(window, dilations=(1,) * len(window.dilations))


def dilate(kernel: np.ndarray, dilations: tuple[int, ...]) -> np.ndarray:
    """A kernel [*spatial, in, out] with its gaps filled by zeros."""
    spatial = [(size - 1) * gap + 1 for size, gap in zip(kernel.shape, dilations, strict=False)]
    result = np.zeros([*spatial, *kernel.shape[len(dilations) :]], kernel.dtype)
    result[tuple(slice(None, None, gap) for gap in dilations)] = kernel
    return result


def pad_axis(tensor: Any, axis: int, margins: tuple[Any, Any]) -> Any:
    """Zeros before and after along one axis; nothing where both are the static 0."""
    rank = tensor.shape.rank
    if not all(isinstance(m, int) for m in margins):
        padded = tf.pad(tensor, tf.stack([tf.stack(margins if k == axis else (0, 0)) for k in range(rank)]))
        padded.set_shape([None if k == axis else size for k, size in enumerate(tensor.shape.as_list())])
        return padded
    if not any(margins):
        return tensor
    return tf.pad(tensor, [list(margins) if k == axis else [0, 0] for k in range(rank)])


def fold_into_batch(rewriter: Rewriter, tensor: Any, count: int) -> tuple[Any, list[Any]]:
    """The first `count` dimensions as one; also their sizes, for `unfold_from_batch`."""
    dims = sizes(tensor)
    rest = dims[count:]
    batch = -1 if all(isinstance(d, int) for d in rest) else tf.reduce_prod(tf.stack(dims[:count]))
    return reshape(rewriter, tensor, [batch, *rest]), dims[:count]


def unfold_from_batch(rewriter: Rewriter, tensor: Any, leading: list[Any]) -> Any:
    """The inverse of `fold_into_batch`."""
    return reshape(rewriter, tensor, [*leading, *sizes(tensor)[1:]])


def to_last(rewriter: Rewriter, tensor: Any) -> Any:
    """A channels-first tensor with its channels last; what was turned from there is taken from there."""
    found = _as_last(rewriter, tensor)
    if found is not None:
        return found
    if tensor.shape.rank == 4 and tensor.shape[2] == 1:
        # A sequence in the form of an image: the TFLite converter stumbles over the transposition of four dimensions.
        turned = transpose(rewriter, _drop(rewriter, tensor, 2), [0, 2, 1])
        return reshape(rewriter, turned, _insert(sizes(turned), 1))
    rank = tensor.shape.rank
    return transpose(rewriter, tensor, [0, *range(2, rank), 1])


def to_first(rewriter: Rewriter, tensor: Any) -> Any:
    """A channels-last tensor with its channels first."""
    rank = tensor.shape.rank
    if rank == 4 and tensor.shape[1] == 1:
        turned = transpose(rewriter, _drop(rewriter, tensor, 1), [0, 2, 1])
        return reshape(rewriter, turned, _insert(sizes(turned), 2))
    return transpose(rewriter, tensor, [0, rank - 1, *range(1, rank - 1)])


def _drop(rewriter: Rewriter, tensor: Any, axis: int) -> Any:
    dims = sizes(tensor)
    return reshape(rewriter, tensor, dims[:axis] + dims[axis + 1 :])


def _insert(dims: list[Any], axis: int) -> list[Any]:
    return [*dims[:axis], 1, *dims[axis:]]


# Operations that act on each element alone.
_ELEMENTWISE = frozenset(
    (
        *("Relu", "Relu6", "Elu", "Selu", "LeakyRelu", "Sigmoid", "Tanh", "Softplus", "Softsign", "Erf", "Erfc"),
        *("Exp", "Neg", "Abs", "Square", "Sqrt", "Rsqrt", "Identity"),
        *("AddV2", "Add", "Sub", "Mul", "RealDiv", "Maximum", "Minimum"),
    )
)


def _as_last(rewriter: Rewriter, tensor: Any) -> Any:
    """The channels-last form of a tensor that came from one, without a transposition; None if it did not.

    Elementwise operations in between are repeated on the channels-last form; the old ones are then left over.
    """
    if not isinstance(tensor, tf.Tensor) or rewriter.value(tensor) is not None:
        return None
    op, rank = tensor.op, tensor.shape.rank
    if op.type == "Transpose":
        order = rewriter.value(op.inputs[1])
        return op.inputs[0] if order is not None and [*order] == [0, rank - 1, *range(1, rank - 1)] else None
    if op.type in ("Squeeze", "ExpandDims", "Reshape"):
        return _through_unit_axis(rewriter, tensor, op.inputs[0])
    if op.type in _ELEMENTWISE:
        inputs = [_operand_as_last(rewriter, t, rank) for t in op.inputs]
        if all(t is not None for t in inputs):
            from pipeline.legalize.emit import emit

            return emit(op, inputs, rewriter.target)[0]
    return None


def _through_unit_axis(rewriter: Rewriter, tensor: Any, source: Any) -> Any:
    """[N, C, W] and [N, C, 1, W] into each other, where they came from [N, W, C] or [N, 1, W, C]."""
    shape, before = tensor.shape.as_list(), source.shape.as_list() if source.shape.rank is not None else []
    if len(shape) == 3 and len(before) == 4 and before[2] == 1 and before[1] == shape[1]:
        inner = _as_last(rewriter, source)
        return None if inner is None else _drop(rewriter, inner, 1)
    if len(shape) == 4 and len(before) == 3 and shape[2] == 1 and before[1] == shape[1]:
        inner = _as_last(rewriter, source)
        return None if inner is None else reshape(rewriter, inner, _insert(sizes(inner), 1))
    return None


def _operand_as_last(rewriter: Rewriter, tensor: Any, rank: int) -> Any:
    """An operand of an elementwise operation of this rank: a constant is turned, if it has as many axes or none."""
    value = rewriter.value(tensor)
    if value is None:
        return _as_last(rewriter, tensor) if tensor.shape.rank == rank else None
    if value.ndim == 0:
        return tensor
    return rewriter.constant(np.ascontiguousarray(np.moveaxis(value, 1, -1)), tensor) if value.ndim == rank else None
