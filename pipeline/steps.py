"""A TimeDistributed layer over an open number of steps: its steps as rows of one batch.

Keras 3.15 counts the rows of the batch there in place of the steps: more rows than steps are an error, fewer steps than
there are come back. Where the number of steps is fixed, Keras is right, and left alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def open_steps() -> Iterator[None]:
    """TimeDistributed layers called inside apply their layer to all of an open number of steps."""
    from keras.layers import TimeDistributed

    stock = TimeDistributed.call

    def call(self: Any, inputs: Any, training: Any = None, mask: Any = None) -> Any:
        if inputs.shape[1] is not None:
            return stock(self, inputs, training=training, mask=mask)
        return _as_rows(self.layer, inputs, training, mask)

    TimeDistributed.call = call
    try:
        yield
    finally:
        TimeDistributed.call = stock


def _as_rows(layer: Any, inputs: Any, training: Any, mask: Any) -> Any:
    from keras import ops, tree

    batch, steps = ops.shape(inputs)[:2]
    options = {"training": training} if layer._call_has_training_arg else {}
    if layer._call_has_mask_arg and mask is not None:
        options["mask"] = _merged(mask)

    def apart(value: Any) -> Any:
        return ops.reshape(value, (batch, steps, *ops.shape(value)[1:]))

    return tree.map_structure(apart, layer.call(_merged(inputs), **options))


def _merged(value: Any) -> Any:
    """[batch, steps, ...] as [batch * steps, ...]."""
    from keras import ops

    rest = ops.shape(value)[2:]
    known = all(isinstance(size, int) for size in rest)
    return ops.reshape(value, (-1, *rest) if known else (math.prod(ops.shape(value)[:2]), *rest))
