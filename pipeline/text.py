"""Strings in arrays: one form for all of isomer, NumPy's own text, which files hold without pickling."""

from __future__ import annotations

import numpy as np


def as_text(value: np.ndarray) -> np.ndarray:
    """An array of bytes or objects, as runtimes give strings, as `numpy.str_`; any other array as it is.

    What is no UTF-8 keeps its bytes as surrogate escapes, so that different strings stay different.
    """
    if value.dtype.kind not in "SO":
        return value
    flat = [
        v.decode("utf-8", "surrogateescape") if isinstance(v, bytes) else str(v) for v in value.reshape(-1).tolist()
    ]
    return np.array(flat, np.str_).reshape(value.shape)
