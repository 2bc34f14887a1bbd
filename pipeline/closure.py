"""What a traced function closes over: the values of its variables, look-up tables and constants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.tables import Table, table_of


@dataclass(frozen=True, eq=False)
class Variable:
    """A variable as the traced function reads it.

    Attributes:
        handle: the resource that the function captured.
        tensor: its value when the model was captured; it shares the variable's memory.
        value: the same as a read-only array, which shares it too.
    """

    handle: Any
    tensor: Any
    value: np.ndarray


Captured = Variable | Table | np.ndarray


def closure_of(traced: Any) -> tuple[Captured, ...]:
    """What stands behind each of a concrete function's captures, in the order of `traced.graph.captures`.

    Raises:
        ValueError: it captured a resource that is neither a variable nor a look-up table.
    """
    variables = {id(v.handle): v for v in traced.graph.variables}
    return tuple(_value(traced, outer, inner, variables) for outer, inner in traced.graph.captures)


def _value(traced: Any, outer: Any, inner: Any, variables: dict[int, Any]) -> Captured:
    import tensorflow as tf

    if (variable := variables.get(id(outer))) is not None:
        tensor = variable.read_value()
        return Variable(outer, tensor, np.asarray(tensor))
    if outer.dtype == tf.resource:
        return table_of(traced, outer, inner)
    return np.asarray(outer)
