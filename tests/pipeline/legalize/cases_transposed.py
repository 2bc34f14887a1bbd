"""Transposed convolutions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cases_convolution import norm
from keras import layers
from rule_cases import Case, Random, stack


def _transposed(rank: int, **options: Any) -> Callable[[Random], Any]:
    """A transposed convolution layer of `rank` spatial dimensions."""

    def make(random: Random) -> Any:
        given = {"padding": str(random.choice(["same", "valid"])), **options}
        filters, size = int(random.integers(2, 5)), given.pop("kernel_size", int(random.integers(2, 4)))
        return getattr(layers, f"Conv{rank}DTranspose")(filters, size, **given)

    return make


_FIRST: dict[str, Any] = {"data_format": "channels_first", "strides": 2}

CASES: tuple[Case, ...] = (
    Case("transposed_by_stride", "one", stack(_transposed(2, kernel_size=1, strides=2), shape=(4, 5, 3)), ulp=16),
    Case("transposed_by_stride", "same", stack(_transposed(2, kernel_size=(2, 1), strides=3), shape=(4, 5, 3)), ulp=16),
    Case("transposed_by_stride", "box", stack(_transposed(3, kernel_size=1, strides=2), shape=(3, 4, 2, 3)), ulp=16),
    Case("transposed_channels_last", "image", stack(_transposed(2, **_FIRST), shape=(3, 5, 6)), ulp=16),
    Case("transposed_channels_last", "open", stack(_transposed(2, **_FIRST), shape=(3, None, None)), ulp=16),
    Case("transposed_channels_last", "sequence", stack(_transposed(1, **_FIRST), shape=(3, 6)), ulp=16),
    Case("transposed_channels_last", "box", stack(_transposed(3, **_FIRST), shape=(3, 3, 4, 2)), ulp=16),
    Case(
        "transposed_channels_last",
        "dilated",
        stack(_transposed(2, data_format="channels_first", dilation_rate=2), shape=(3, 5, 6)),
        ulp=16,
    ),
    Case(
        "transposed_with_gaps", "same", stack(_transposed(2, padding="same", dilation_rate=2), shape=(5, 6, 3)), ulp=16
    ),
    Case(
        "transposed_with_gaps",
        "even kernel",
        stack(_transposed(2, kernel_size=(2, 4), padding="same", dilation_rate=(1, 2)), shape=(5, 6, 3)),
        ulp=16,
    ),
    Case(
        "transposed_with_gaps",
        "valid",
        stack(_transposed(2, padding="valid", dilation_rate=2), shape=(5, 6, 3)),
        ulp=16,
    ),
    Case("transposed_with_gaps", "open", stack(_transposed(2, dilation_rate=2), shape=(None, None, 3)), ulp=16),
    Case("transposed_with_gaps", "sequence", stack(_transposed(1, dilation_rate=3), shape=(6, 3)), ulp=16),
    Case("transposed_with_gaps", "box", stack(_transposed(3, dilation_rate=2), shape=(3, 4, 3, 2)), ulp=16),
    Case(
        "transposed_depth_as_filters",
        "same",
        stack(_transposed(3, strides=2, padding="same"), shape=(3, 4, 3, 2)),
        ulp=16,
    ),
    Case(
        "transposed_depth_as_filters",
        "valid",
        stack(_transposed(3, strides=2, padding="valid"), shape=(3, 4, 3, 2)),
        ulp=16,
    ),
    Case(
        "transposed_depth_as_filters",
        "stride 1",
        stack(_transposed(3, kernel_size=3), norm, shape=(3, 4, 3, 2)),
        ulp=32,
    ),
    Case(
        "transposed_depth_as_filters",
        "output padding",
        stack(_transposed(3, kernel_size=2, strides=3, output_padding=2), shape=(3, 2, 3, 2)),
        ulp=16,
    ),
    Case("transposed_depth_as_filters", "open", stack(_transposed(3, strides=2), shape=(None, None, None, 2)), ulp=16),
)
