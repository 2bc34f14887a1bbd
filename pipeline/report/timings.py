"""The benchmark as a terminal table."""

from __future__ import annotations

from typing import Any

from rich.table import Table
from rich.text import Text


def table(benchmark: dict[str, Any]) -> Table:
    """A Rich table of `Benchmark.to_json()`; times in milliseconds per call."""
    result = Table(title=f"{benchmark['model']}: latency per call", title_justify="left", box=None, pad_edge=False)
    for name in ("artifact", "runtime"):
        result.add_column(name)
    for name in ("batch", "min ms", "p50 ms", "p90 ms", "p99 ms", "rows/s"):
        result.add_column(name, justify="right")
    result.add_column("note")
    for t in benchmark["timings"]:
        artifact = " ".join(filter(None, (t["format"], t["precision"], t["variant"])))
        figures = [f"{t[k]:.3f}" if t[k] is not None else "" for k in ("min_ms", "p50_ms", "p90_ms", "p99_ms")]
        rate = f"{t['rows_per_second']:,.0f}" if t["rows_per_second"] else ""
        note = (
            "unstable: the machine is busy" if t["unstable"] else f"{t['status']}: {t['reason']}" if t["reason"] else ""
        )
        result.add_row(artifact, f"{t['runtime']}/{t['device']}", str(t["batch"]), *figures, rate, Text(note))
    return result
