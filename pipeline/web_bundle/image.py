"""Whether a model reads images, and what its module has to know to make inputs of pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.datasets import Dataset
from pipeline.signature import Signature

_SMALLEST = 4  # pixels each way; what is smaller, such as a sequence of three numbers, is no image
_CHANNELS = (1, 3)


@dataclass(frozen=True)
class Image:
    """An image input.

    Attributes:
        size: height, width and channels (1 or 3).
        shape: of one image as the model reads it, with the batch of one.
        range: what black and full light are in the model's data; None where nobody knows.
    """

    size: tuple[int, int, int]
    shape: tuple[int, ...]
    range: tuple[float, float] | None

    def to_json(self) -> dict[str, Any]:
        return {"size": self.size, "shape": self.shape, "range": self.range}


def image_of(signature: Signature, dataset: Dataset | None) -> Image | None:
    """The image that a model reads: its one input, float32, [batch, height, width] or [..., 1 or 3 channels].

    Args:
        dataset: what it was trained on; images there are bytes divided by 255, so that they end up in 0 .. 1.
    """
    if len(signature.inputs) != 1 or signature.inputs[0].dtype != "float32":
        return None
    sizes = [size for size in signature.inputs[0].shape[1:] if size is not None]
    if len(sizes) not in (2, 3) or len(sizes) + 1 != len(signature.inputs[0].shape) or min(sizes[:2]) < _SMALLEST:
        return None
    height, width, channels = (*sizes, 1)[:3]
    images = dataset is not None and dataset.raw["x_test"].dtype == np.uint8
    if channels not in _CHANNELS or (dataset is not None and not images):
        return None
    return Image((height, width, channels), (1, *sizes), (0.0, 1.0) if images else None)
