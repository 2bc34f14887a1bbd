"""What stands for a complex tensor while rewriting: no format has one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import tensorflow as tf


@dataclass(frozen=True, eq=False)
class Complex:
    """A complex tensor as two real ones of equal shape.

    Attributes:
        real, imag: its parts.
        is_real: the imaginary part is known to be zero.
    """

    real: Any
    imag: Any
    is_real: bool = False

    @property
    def shape(self) -> Any:
        return self.real.shape

    @property
    def dtype(self) -> Any:
        return tf.complex128 if self.real.dtype == tf.float64 else tf.complex64
