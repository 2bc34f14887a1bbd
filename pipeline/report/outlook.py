"""What `inspect` says of a model, as a terminal table."""

from __future__ import annotations

from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from pipeline.errors import Obstacle
from pipeline.report import view
from pipeline.signature import TensorSpec


def table(inspection: dict[str, Any]) -> Group:
    """A Rich renderable of `Inspection.to_json()`."""
    signature = inspection["signature"]
    lines = [Text(f"{inspection['model']}: {inspection['parameters']:,} parameters")]
    for kind in ("inputs", "outputs"):
        for tensor in signature[kind]:
            spec = TensorSpec.from_json(tensor)
            shape = ", ".join("?" if d is None else str(d) for d in spec.shape)
            lines.append(Text(f"  {kind[:-1]:<6} {spec.name}: {view.kind(spec)} [{shape}]"))
    formats = Table(box=None, pad_edge=False)
    for name in ("format", "outlook", "size", "rewrites, or what is in the way"):
        formats.add_column(name, justify="right" if name == "size" else "left")
    for entry in inspection["formats"]:
        for row, (size, text) in enumerate(_lines(entry)):
            head = (entry["format"], entry["outlook"]) if row == 0 else ("", "")
            formats.add_row(*head, size, Text(view.printable(text)))
    return Group(*lines, Text(""), formats)


def _lines(entry: dict[str, Any]) -> list[tuple[str, str]]:
    """(size, text) of one format's rows: its rewrites, or an obstacle each and at last what to do."""
    if entry["outlook"] != "impossible":
        rewrites = ", ".join(f"{name} x{count}" for name, count in entry["rewrites"].items())
        first = (view.size(entry["bytes"]), rewrites or "none needed")
        own = ", ".join(entry["flex"])
        return [first, ("", f"TensorFlow's own: {own}; plain LiteRT cannot run it.")] if own else [first]
    found = [Obstacle(o["op"], tuple(o["layers"]), o["reason"], o["advice"]) for o in entry["obstacles"]]
    advice = dict.fromkeys(o.advice for o in found if o.advice)
    return [("", f"{o.subject}: {o.reason}.") for o in found] + [("", f"-> {text}") for text in advice]
