"""tf2onnx's layout optimizer, without the two mistakes that made wrong files (tf2onnx 1.17).

It moves transposes through a graph. Behind `x * x` it leaves the shapes of before, and then replaces a transpose that
only moves axes of size one by a reshape to the shape that it believes in: a wrong file, without a word.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def corrected_layout() -> Iterator[None]:
    """Conversions inside use the corrected optimizer."""
    from tf2onnx import optimizer
    from tf2onnx.optimizer import transpose_optimizer

    class Corrected(transpose_optimizer.TransposeOptimizer):  # type: ignore[misc]
        def _mul_handler(self, trans: Any, node: Any) -> bool:
            shape = self._g.get_shape(node.output[0])
            moved = bool(super()._mul_handler(trans, node))
            if moved and shape and node.input[0] == node.input[1]:
                inverse = transpose_optimizer.invert_perm(trans.get_attr_value("perm"))
                self._g.set_shape(node.output[0], [shape[axis] for axis in inverse])
                self._g.set_shape(trans.output[0], shape)
            return moved

        def post_optimize_action(self) -> None:
            """Transposes stay: a runtime does those of size-one axes without moving data."""

    table = optimizer._get_optimizers()
    stock = table["optimize_transpose"]
    table["optimize_transpose"] = Corrected
    try:
        yield
    finally:
        table["optimize_transpose"] = stock
