"""Selections in ONNX that tf2onnx 1.17 gets wrong: of two values by a condition, and of the largest integers.

Of two values x and y it writes c x + (1 - c) y in most cases: NaN where the one that is not selected is not finite, and
slower than a Where. Integers it sorts as float32, which holds 24 bits of them.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def handlers() -> dict[str, Any]:
    """tf2onnx' `custom_op_handlers` for selections."""
    return {"Select": (_where, []), "SelectV2": (_where, []), "TopKV2": (_top_k, [])}


def _where(ctx: Any, node: Any, *_: Any) -> None:
    """Replace one choice of two in tf2onnx' graph."""
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


def _top_k(ctx: Any, node: Any, *_: Any) -> None:
    """Replace one look for the largest numbers in tf2onnx' graph."""
    from onnx import TensorProto

    (values, count), outputs, name = node.input, list(node.output), node.name
    kinds, shapes = [ctx.get_dtype(o) for o in outputs], [ctx.get_shape(o) for o in outputs]
    known = (TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.INT32, TensorProto.INT64)
    through = kinds[0] if kinds[0] in known else TensorProto.INT64
    if through != kinds[0]:
        values = ctx.make_node("Cast", [values], attr={"to": through}, dtypes=[through]).output[0]
    wide = ctx.make_node("Cast", [count], attr={"to": TensorProto.INT64}, dtypes=[TensorProto.INT64])
    one = ctx.make_const(f"{name}__one", np.array([1], np.int64))
    size = ctx.make_node("Reshape", [wide.output[0], one.output[0]])
    ctx.remove_node(name)
    found = ctx.make_node(
        "TopK",
        [values, size.output[0]],
        attr={"axis": -1, "sorted": 1},
        output_count=2,
        shapes=shapes,
        dtypes=[through, TensorProto.INT64],
    )
    for source, output, kind, shape in zip(found.output, outputs, kinds, shapes, strict=True):
        ctx.make_node("Cast", [source], attr={"to": kind}, outputs=[output], shapes=[shape], dtypes=[kind])
