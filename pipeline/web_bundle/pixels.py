"""From pixels to what a model reads, bit for bit as `js/pixels.mjs` does it in the page."""

from __future__ import annotations

import numpy as np

from pipeline.web_bundle.image import Image


def pixels(
    rgba: np.ndarray, image: Image, range: tuple[float, float] | None = None, invert: bool = False
) -> np.ndarray:
    """An image as the model reads it.

    Transparent pixels are black; colours become grey by ITU-R 601 (with Pillow's integer weights); each pixel of the
    result is the average of the area that it covers. All of that is in whole numbers, up to one division.

    Args:
        rgba: uint8 [height, width, 4], as in a browser's ImageData.
        image: what the model reads.
        range: what black and full light become; the image's own by default.
        invert: dark on light becomes light on dark.

    Returns:
        float32, of the shape `image.shape`.

    Raises:
        ValueError: the range is not known.
    """
    low_high = range or image.range
    if low_high is None:
        raise ValueError("What black and full light are to become is not known.")
    height, width, _ = rgba.shape
    tall, wide, channels = image.size
    data = rgba.astype(np.int64)
    colours = (data[..., :3] * data[..., 3:] + 127) // 255
    if channels == 1:
        colours = (colours @ np.array([19595, 38470, 7471]) + 32768 >> 16)[..., None]
    values = 255 - colours if invert else colours
    sums = np.einsum("jy,yxc,ix->jic", _overlaps(height, tall), values, _overlaps(width, wide))
    shares = sums / np.float64(255 * width * height)
    low, high = low_high
    return (shares if (low, high) == (0, 1) else low + (high - low) * shares).astype(np.float32).reshape(image.shape)


def _overlaps(old: int, new: int) -> np.ndarray:
    """How much of each old pixel each new one covers, in units of which an old one has `new`: int64 [new, old]."""
    ours, theirs = np.arange(new)[:, None], np.arange(old)[None]
    ends = np.minimum((ours + 1) * old, (theirs + 1) * new)
    return np.maximum(0, ends - np.maximum(ours * old, theirs * new))
