"""The large values of one capture: each held once in memory, whatever the number of graphs that read it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from pipeline.legalize.digest import digest

# What is smaller is written into a graph, where converters see it. Copies of the rest in every graph would add up, and
# a protocol buffer ends at 2 GiB.
LARGE = 1 << 16


def is_large(value: np.ndarray) -> bool:
    """Worth holding apart from the graphs."""
    return value.nbytes >= LARGE and value.dtype.kind not in "OSU"


@dataclass(frozen=True, eq=False)
class Held:
    """A large value.

    Attributes:
        variable: of TensorFlow, for graphs to read.
        value: a read-only array that shares its memory.
    """

    variable: Any
    value: np.ndarray


class Store:
    """Large values as variables, which graphs read and every converter knows how to turn into constants."""

    def __init__(self) -> None:
        self._held: dict[bytes, Held] = {}
        self._digests: dict[int, bytes] = {}  # of arrays that this store keeps alive

    def digest(self, value: np.ndarray) -> bytes:
        """As `digest`, without work for an array of this store."""
        return self._digests.get(id(value)) or digest(value)

    def hold(self, value: np.ndarray | Any) -> Held:
        """Hold an array, or an eager tensor, whose memory is then shared."""
        array = np.asarray(value)
        key = self.digest(array)
        if key not in self._held:
            with tf.init_scope():
                variable = tf.Variable(value, trainable=False)
                held = Held(variable, np.asarray(variable.read_value()))
            self._held[key] = held
            self._digests[id(held.value)] = key
        return self._held[key]
