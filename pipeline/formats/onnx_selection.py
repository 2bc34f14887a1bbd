"""Selections in ONNX: a Where, so that what is not selected does not count, be it infinite or no number.

tf2onnx 1.17 writes c x + (1 - c) y in most cases: NaN where the other one of x and y is not finite, and slower.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def handlers() -> dict[str, Any]:
    """tf2onnx' `custom_op_handlers` for selections."""
    return {"Select": (_write, []), "SelectV2": (_write, [])}


def _write(ctx: Any, node: Any, *_: Any) -> None:
    """Replace one selection in tf2onnx' graph."""
    from onnx import TensorProto

    condition, choices, output = node.input[0], list(node.input[1:]), node.output[0]
    name, kind, shape = node.name, ctx.get_dtype(output), ctx.get_shape(output)
    rank = len(ctx.get_shape(node.input[1]) or ())
    if node.type == "Select" and len(ctx.get_shape(condition) or ()) == 1 and rank > 1:
        # A condition per row holds for all of the row.
        rows = ctx.make_const(f"{name}__rows", np.array([-1] + [1] * (rank - 1), np.int64))
        condition = ctx.make_node("Reshape", [condition, rows.output[0]]).output[0]
    # ONNX Runtime selects among these types only; every other one fits into one of them.
    through = {
        TensorProto.BOOL: TensorProto.UINT8,
        **dict.fromkeys((TensorProto.INT8, TensorProto.INT16, TensorProto.UINT16), TensorProto.INT32),
        **dict.fromkeys((TensorProto.UINT32, TensorProto.UINT64), TensorProto.INT64),
    }.get(kind, kind)
    if through != kind:
        choices = [ctx.make_node("Cast", [c], attr={"to": through}, dtypes=[through]).output[0] for c in choices]
    ctx.remove_node(name)
    if through == kind:
        ctx.make_node("Where", [condition, *choices], outputs=[output], name=name, shapes=[shape], dtypes=[kind])
        return
    chosen = ctx.make_node("Where", [condition, *choices], shapes=[shape], dtypes=[through])
    ctx.make_node(
        "Cast", [chosen.output[0]], outputs=[output], name=name, attr={"to": kind}, shapes=[shape], dtypes=[kind]
    )
