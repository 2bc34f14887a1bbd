"""Constants known by their content."""

from __future__ import annotations

import hashlib

import numpy as np


def digest(value: np.ndarray) -> bytes:
    """Identity of a constant by content: dtype, shape and bytes."""
    found = hashlib.blake2b(f"{value.dtype}{value.shape}".encode(), digest_size=16)
    plain = np.ascontiguousarray(value)
    found.update(plain.tobytes() if plain.dtype.kind in "OSU" else plain.reshape(-1).view(np.uint8).data)
    return found.digest()
