"""Dilated convolutions that TensorFlow writes as a convolution of an image spread over the batch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from pipeline.legalize.convolve import convolve
from pipeline.legalize.registry import FORMATS, ORACLE, rule
from pipeline.legalize.shapes import reshape, sizes
from pipeline.legalize.windows import EXPLICIT, SAME, VALID, Window, is_channels_first, to_first, to_last, window_of

if TYPE_CHECKING:
    from pipeline.legalize.rewriter import Rewriter

_TARGETS = (*FORMATS, ORACLE)


@dataclass(frozen=True)
class Spread:
    """An image that is to be convolved with gaps. It stands for its parts, which nobody sees.

    Attributes:
        image: as it was.
        gaps: the block of `SpaceToBatchND`: of the axes behind the batch, from the first on.
        paddings: as that operation's, [gaps, 2].
        kernel: of the convolution; None before it.
        channels_first: of the convolution.
    """

    image: Any
    gaps: tuple[int, ...]
    paddings: Any
    kernel: Any = None
    channels_first: bool = False


@rule(
    "SpaceToBatchND",
    targets=_TARGETS,
    why="A convolution of the parts that an image is spread into, put together again, is a dilated convolution.",
)
def dilated_convolution(rewriter: Rewriter, op: Any, x: Any, block: Any, paddings: Any) -> Any:
    gaps = rewriter.value(block)
    if gaps is None or not _leads_to_dilation(op):
        return None
    return Spread(x, tuple(int(g) for g in gaps), paddings)


@rule(
    "ExpandDims",
    "Squeeze",
    targets=_TARGETS,
    why="A sequence is an image of one row.",
    structural=True,
    stand_in=Spread,
)
def row_of_spread_image(rewriter: Rewriter, op: Any, parts: Any, *axis: Any) -> Any:
    return parts


@rule("Conv2D", "Conv3D", targets=_TARGETS, why="The kernel is all it has to say.", structural=True, stand_in=Spread)
def convolve_spread_image(rewriter: Rewriter, op: Any, parts: Any, kernel: Any) -> Any:
    return replace(parts, kernel=kernel, channels_first=is_channels_first(op))


@rule(
    "BatchToSpaceND",
    targets=_TARGETS,
    why="At the end of a spread image all is known, and one dilated convolution does it.",
    structural=True,
    stand_in=Spread,
)
def gather_spread_image(rewriter: Rewriter, op: Any, parts: Any, block: Any, crops: Any) -> Any:
    image, kernel = parts.image, parts.kernel
    spatial = kernel.shape.rank - 2
    is_sequence = image.shape.rank == spatial + 1
    lead = 2 if parts.channels_first else 1  # axes in front of the spatial ones
    if is_sequence:
        image = reshape(rewriter, image, [*sizes(image)[:lead], 1, *sizes(image)[lead:]])
    gaps = list(parts.gaps[lead - 1 :])
    gaps = [1] * is_sequence + gaps
    gaps += [1] * (spatial - len(gaps))
    margins = _margins(rewriter, parts.paddings, crops)
    if margins is not None:
        margins = [(0, 0)] * is_sequence + margins[lead - 1 :]
        margins += [(0, 0)] * (spatial - len(margins))
    elif (margins := _same_or_valid(rewriter, parts, kernel, gaps, is_sequence, lead)) is None:
        image = _pad_by(image, parts.paddings - crops, is_sequence, lead)
        margins = [(0, 0)] * spatial
    image = to_last(rewriter, image) if parts.channels_first else image
    result = convolve(rewriter, image, kernel, _window(kernel, gaps, margins))
    result = to_first(rewriter, result) if parts.channels_first else result
    if is_sequence:
        dims = sizes(result)
        result = reshape(rewriter, result, dims[:lead] + dims[lead + 1 :])
    return result


def _window(kernel: Any, gaps: list[int], margins: list[tuple[int, int]]) -> Window:
    window = Window((1,) * len(gaps), tuple(gaps), VALID)
    if not any(max(pair) for pair in margins):
        return window
    same = replace(window, padding=SAME)
    if all(same.margins(k, 0, kernel.shape[k]) == pair for k, pair in enumerate(margins)):
        return same
    return replace(window, padding=EXPLICIT, explicit=tuple(margins))


def _margins(rewriter: Rewriter, paddings: Any, crops: Any) -> list[tuple[int, int]] | None:
    """Zeros around the image, without those that only fill up the last part; None if they are not known."""
    added, taken = rewriter.value(paddings), rewriter.value(crops)
    if added is None or taken is None:
        return None
    return [(int(a[0] - t[0]), int(a[1] - t[1])) for a, t in zip(added, taken, strict=True)]


def _same_or_valid(
    rewriter: Rewriter, parts: Spread, kernel: Any, gaps: list[int], is_sequence: bool, lead: int
) -> list[tuple[int, int]] | None:
    """The margins that follow from the zeros in front alone, which do not depend on the image's open sizes."""
    fronts = _fronts(rewriter, parts.paddings)
    if fronts is None:
        return None
    fronts = [0] * is_sequence + fronts[lead - 1 :]
    fronts += [0] * (len(gaps) - len(fronts))
    totals = [(size - 1) * gap for size, gap in zip(kernel.shape.as_list(), gaps, strict=False)]
    if any(fronts) and all(front == total // 2 for front, total in zip(fronts, totals, strict=True)):
        return [(total // 2, total - total // 2) for total in totals]
    if not any(fronts) and any(total > 1 for total in totals):
        return [(0, 0)] * len(gaps)
    return None


def _fronts(rewriter: Rewriter, paddings: Any) -> list[int] | None:
    """First column of [n, 2] paddings where it is known."""
    value = rewriter.value(paddings)
    if value is not None:
        return [int(row[0]) for row in value]
    if paddings.op.type == "ConcatV2":
        found = [_fronts(rewriter, part) for part in paddings.op.inputs[:-1]]
        return None if any(part is None for part in found) else [n for part in found for n in part or ()]
    if paddings.op.type == "StridedSlice":
        return _some_fronts(rewriter, paddings.op)
    if paddings.op.type != "Pack":
        return None
    fronts = []
    for row in paddings.op.inputs:
        pair = rewriter.value(row.op.inputs[0] if row.op.type == "Pack" else row)
        if pair is None:
            return None
        fronts.append(int(pair.reshape(-1)[0]))
    return fronts


def _some_fronts(rewriter: Rewriter, op: Any) -> list[int] | None:
    """Those of a slice of rows."""
    rows, (begin, end, step) = op.inputs[0], (rewriter.value(t) for t in op.inputs[1:])
    fronts = _fronts(rewriter, rows)
    if fronts is None or begin is None or end is None or step is None or op.get_attr("shrink_axis_mask"):
        return None
    start = None if op.get_attr("begin_mask") & 1 else int(begin[0])
    return fronts[start : None if op.get_attr("end_mask") & 1 else int(end[0]) : int(step[0])]


def _pad_by(image: Any, margins: Any, is_sequence: bool, lead: int) -> Any:
    rows = [tf.zeros([1, 2], margins.dtype), margins[: lead - 1], tf.zeros([int(is_sequence), 2], margins.dtype)]
    paddings = tf.concat([*rows, margins[lead - 1 :]], 0)
    rest = image.shape.rank - 1 - is_sequence - margins.shape[0]
    padded = tf.pad(image, tf.concat([paddings, tf.zeros([rest, 2], margins.dtype)], 0))
    # The batch and the channels stay as they are.
    kept = (0, 1 if lead == 2 else image.shape.rank - 1)
    padded.set_shape([size if k in kept else None for k, size in enumerate(image.shape.as_list())])
    return padded


def _leads_to_dilation(op: Any) -> bool:
    """Its only way on is one plain convolution and then the inverse `BatchToSpaceND`."""
    block, convolutions = tf.get_static_value(op.inputs[1]), 0
    while len(op.outputs[0].consumers()) == 1:
        (op,) = op.outputs[0].consumers()
        if op.type in ("Conv2D", "Conv3D"):
            window = window_of(op)
            convolutions += 1
            if window.padding != VALID or window.dilated or max(window.strides) > 1:
                return False
        elif op.type == "BatchToSpaceND":
            inverse = tf.get_static_value(op.inputs[1])
            return convolutions == 1 and block is not None and inverse is not None and [*block] == [*inverse]
        elif op.type not in ("ExpandDims", "Squeeze"):
            return False
    return False
