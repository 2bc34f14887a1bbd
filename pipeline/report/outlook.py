"""What `inspect` says of a model, as a terminal table."""

from __future__ import annotations

from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text


def table(inspection: dict[str, Any]) -> Group:
    """A Rich renderable of `Inspection.to_json()`."""
    signature = inspection["signature"]
    lines = [Text(f"{inspection['model']}: {inspection['parameters']:,} parameters")]
    for kind in ("inputs", "outputs"):
        for tensor in signature[kind]:
            shape = ", ".join("?" if d is None else str(d) for d in tensor["shape"])
            lines.append(Text(f"  {kind[:-1]:<6} {tensor['name']}: {tensor['dtype']} [{shape}]"))
    formats = Table(box=None, pad_edge=False)
    for name in ("format", "outlook", "rewrites"):
        formats.add_column(name)
    for entry in inspection["formats"]:
        rewrites = ", ".join(f"{k} x{v}" for k, v in entry["rewrites"].items()) or "none needed"
        supported = entry["status"] == "PASS"
        formats.add_row(
            entry["format"],
            "supported" if supported else "impossible",
            Text(rewrites if supported else entry["reason"]),
        )
    return Group(*lines, Text(""), formats)
