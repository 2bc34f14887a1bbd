"""Functions of `keras.ops.image`: colours, geometry, filters, patches."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops

from corpus.model import inside, uniform

_IMAGE = (6, 7, 3)
_COLOURS = uniform(0, 1, *_IMAGE)


def _constant(*values: Any) -> Any:
    return ops.convert_to_tensor(np.array(values, "float32"))


_GRID = np.stack(np.meshgrid(np.linspace(-1, 6, 5), np.linspace(-1, 7, 4), indexing="ij")).astype("float32")

MODELS = (
    inside("hsv_to_rgb", lambda x: ops.image.hsv_to_rgb(x), _IMAGE, data=_COLOURS),
    inside("rgb_to_hsv_and_back", lambda x: ops.image.hsv_to_rgb(ops.image.rgb_to_hsv(x)), _IMAGE, data=_COLOURS),
    inside("crop_images", lambda x: ops.image.crop_images(x, 1, 2, target_height=4, target_width=3), _IMAGE),
    inside("pad_images", lambda x: ops.image.pad_images(x, 1, 2, 2, 1), _IMAGE),
    inside("gaussian_blur", lambda x: ops.image.gaussian_blur(x, (3, 3), (1.0, 1.5)), _IMAGE),
    inside("sobel_edges", lambda x: ops.image.sobel_edges(x), _IMAGE),
    inside(
        "extract_patches_overlapping",
        lambda x: ops.image.extract_patches(x, (3, 2), strides=(2, 1), padding="same"),
        _IMAGE,
    ),
    inside("extract_patches_3d", lambda x: ops.image.extract_patches_3d(x, (2, 2, 2)), (4, 6, 4, 2)),
    inside(
        "map_coordinates",
        lambda x: ops.vectorized_map(lambda r: ops.image.map_coordinates(r, _GRID, 1, fill_mode="nearest"), x),
        (6, 7),
    ),
    inside(
        "map_coordinates_constant",
        lambda x: ops.vectorized_map(
            lambda r: ops.image.map_coordinates(r, _GRID, 0, fill_mode="constant", fill_value=0.5), x
        ),
        (6, 7),
    ),
    inside(
        "map_coordinates_reflect",
        lambda x: ops.vectorized_map(lambda r: ops.image.map_coordinates(r, _GRID, 1, fill_mode="reflect"), x),
        (6, 7),
    ),
    inside(
        "perspective_transform",
        lambda x: ops.image.perspective_transform(
            x, _constant([0, 0], [0, 6], [5, 0], [5, 6]), _constant([0, 1], [1, 5], [5, 0], [4, 6])
        ),
        _IMAGE,
    ),
    inside(
        "perspective_nearest",
        lambda x: ops.image.perspective_transform(
            x,
            _constant([0, 0], [0, 6], [5, 0], [5, 6]),
            _constant([0.2, 1.1], [1.3, 5.2], [5.1, 0.3], [4.2, 6.1]),
            interpolation="nearest",
        ),
        _IMAGE,
    ),
    *(
        inside(
            f"affine_{mode}",
            lambda x, mode=mode: ops.image.affine_transform(
                x, _constant(0.9, 0.2, 0.3, -0.1, 1.1, 0.2, 0.0, 0.0), fill_mode=mode
            ),
            _IMAGE,
        )
        for mode in ("constant", "nearest", "reflect", "wrap")
    ),
    *(
        inside(
            f"scale_and_translate_{method}",
            lambda x, method=method: ops.vectorized_map(
                lambda r: ops.image.scale_and_translate(
                    r, (8, 9, 3), _constant(1.3, 1.2), _constant(0.3, -0.4), (0, 1), method
                ),
                x,
            ),
            _IMAGE,
        )
        for method in ("linear", "cubic", "lanczos3")
    ),
    *(
        inside(
            f"resize_{method}",
            lambda x, method=method: [
                ops.image.resize(x, (9, 5), method),
                ops.image.resize(x, (4, 12), method, antialias=True),
            ],
            _IMAGE,
        )
        for method in ("bilinear", "nearest", "bicubic", "lanczos3", "lanczos5")
    ),
    inside(
        "resize_keeping_aspect",
        lambda x: [
            ops.image.resize(x, (9, 9), pad_to_aspect_ratio=True),
            ops.image.resize(x, (4, 4), crop_to_aspect_ratio=True),
        ],
        _IMAGE,
    ),
    inside("resize_channels_first", lambda x: ops.image.resize(x, (9, 5), data_format="channels_first"), (3, 6, 7)),
    inside(
        "ssim",
        lambda x, y: ops.image.ssim(x, y, filter_size=5) if hasattr(ops.image, "ssim") else ops.sum(x * y, (1, 2, 3)),
        (12, 12, 3),
        (12, 12, 3),
    ),
)
