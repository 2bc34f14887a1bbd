"""How much work one row is, so that a large model is judged on fewer rows than a small one.

Counted, not timed: the same model gets the same rows on every machine.
"""

from __future__ import annotations

from math import prod, sqrt
from typing import Any

from pipeline.capture import Capture

# Multiplications that the oracle may do in all: about half a minute in float64 on one core.
_WORK = 10_000_000_000
_LEAST_ROWS = 16
_CONVOLUTIONS = ("Conv2D", "Conv3D", "DepthwiseConv2dNative")
_PRODUCTS = ("MatMul", "BatchMatMul", "BatchMatMulV2", "BatchMatMulV3", "Einsum")


def rows(captured: Capture, size: int, most: int) -> int:
    """Rows that a model can be judged on: `most`, or fewer of a large one.

    Args:
        captured: the model's graph.
        size: of every dynamic dimension other than the batch.
        most: that are worth it.
    """
    return max(min(_LEAST_ROWS, most), min(most, _WORK // max(multiplications(captured, size), 1)))


def multiplications(captured: Capture, size: int) -> int:
    """Multiplications of a forward pass of one row, or as much other work; loops count once."""
    return sum(_work(op, size) for op in captured.traced.graph.get_operations())


def _work(op: Any, size: int) -> int:
    if not op.outputs or op.type in ("Const", "Placeholder", "ReadVariableOp", "Identity"):
        return 0
    made = _elements(op.outputs[0], size)
    if op.type in _CONVOLUTIONS:
        kernel = [n or 1 for n in op.inputs[1].shape.as_list()] if op.inputs[1].shape.rank is not None else [1]
        return made * prod(kernel[:-2] if op.type.startswith("Depthwise") else kernel[:-1])
    if op.type == "Conv2DBackpropInput":
        return _elements(op.inputs[2], size) * prod(n or 1 for n in op.inputs[1].shape.as_list()[:-1])
    if op.type in _PRODUCTS and len(op.inputs) == 2:
        # Rows x inner, inner x columns, rows x columns: the product of all three is that of the sizes, squared.
        return int(sqrt(made * _elements(op.inputs[0], size) * _elements(op.inputs[1], size)))
    return made


def _elements(tensor: Any, size: int) -> int:
    """Elements for one row."""
    if tensor.shape.rank is None:
        return 1
    sizes = tensor.shape.as_list()
    return prod(1 if n is None and axis == 0 else size if n is None else n for axis, n in enumerate(sizes))
