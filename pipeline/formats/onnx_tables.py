"""Look-up tables of words in ONNX: a LabelEncoder of the ML domain, with the table's pairs as attributes."""

from __future__ import annotations

from functools import partial
from typing import Any

from pipeline.formats.onnx_selection import handlers as selections
from pipeline.legalize import Legalized

_DOMAIN, _VERSION = "ai.onnx.ml", 2


def arguments(legal: Legalized, concrete: Any) -> dict[str, Any]:
    """What tf2onnx must be told to write a concrete function's selections, and its tables where there are some."""
    if not legal.tables:
        return {"custom_op_handlers": selections()}
    from onnx import helper

    contents = {id(t.resource_handle): [a.numpy() for a in t.export()] for t in legal.tables}
    captures = concrete.graph.captures
    tables = {inner.name: contents[id(outer)] for outer, inner in captures if id(outer) in contents}
    return {
        "custom_op_handlers": {**selections(), "LookupTableFindV2": (partial(_write, tables), [])},
        "extra_opset": [helper.make_opsetid(_DOMAIN, _VERSION)],
    }


def _write(tables: dict[str, Any], ctx: Any, node: Any, *_: Any) -> None:
    """tf2onnx' handler: replaces one look-up in its graph."""
    keys, values = tables[node.input[0]]
    default = node.inputs[2].get_tensor_value()
    words, target, output = node.input[1], node.name, node.output[0]
    shape, dtype = ctx.get_shape(words), ctx.get_dtype(output)
    pairs = sorted(zip(keys.tolist(), values.tolist(), strict=True))
    kinds = [("strings", "string") if v.dtype.kind == "O" else ("int64s", "int64") for v in (keys, values)]
    attributes = {
        f"keys_{kinds[0][0]}": [k for k, _ in pairs],
        f"values_{kinds[1][0]}": [v for _, v in pairs],
        f"default_{kinds[1][1]}": default,
    }
    ctx.remove_node(target)
    ctx.make_node(
        "LabelEncoder",
        [words],
        outputs=[output],
        name=target,
        domain=_DOMAIN,
        attr=attributes,
        shapes=[shape],
        dtypes=[dtype],
    )
