"""`tf.switch_case` as nested `tf.cond`: freezing a graph takes a `Case` operation apart into what no target has."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any


@contextmanager
def nested_cases() -> Iterator[None]:
    """Functions traced inside hold branches of two in place of branches of many."""
    import tensorflow as tf
    from tensorflow.python.ops import cond_v2

    stock = cond_v2.indexed_case

    def nested(index: Any, branches: Sequence[Callable[[], Any]], *_: Any, **__: Any) -> Any:
        # An index that is out of range takes the last branch, as `Case` has it.
        if len(branches) == 1:
            return branches[0]()
        return tf.cond(tf.equal(index, 0), branches[0], lambda: nested(index - 1, branches[1:]))

    cond_v2.indexed_case = nested
    try:
        yield
    finally:
        cond_v2.indexed_case = stock
