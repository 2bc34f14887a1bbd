"""What a page with the web bundle costs, beside TF.js whole: the certificate's figures in words."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median
from typing import Any

from pipeline.report import view

HEAD = ("code", "raw, B", "gzip, B", "brotli, B", "share", "first prediction, ms", "share", "later ones, ms", "note")
NUMBERS = tuple(range(1, 8))
"""Columns that hold numbers."""
_KINDS = ("raw", "gzip", "brotli")


def rows(certificate: dict[str, Any]) -> list[tuple[str, ...]]:
    """A row for each module and one for what it is compared with, as `HEAD` says; none without a web bundle."""
    found = certificate.get("payload", {})
    return [row for module in found.get("modules", ()) for row in _pair(module, found["against"])]


def sentences(certificate: dict[str, Any]) -> Iterator[str]:
    """What the rows mean, or why there are none."""
    found = certificate.get("payload")
    if found is None:
        return
    if "reason" in found:
        yield f"Not measured: {view.printable(found['reason'])}"
        return
    against = view.printable(found["against"])
    yield f"Code to send, beside {against} on the same backend; weights, the same on both sides, are not counted."
    rounds = max((len(list_) for m in found["modules"] for list_ in m["first_ms"].values()), default=0)
    if rounds:
        machine = f"{view.printable(found['cpu'])}, {view.plural(found['cores'], 'core')}"
        yield (
            "Times run from navigation to the first prediction in a fresh page, the two in turn, medians of up to "
            f"{view.plural(rounds, 'round')}: Chromium {view.printable(found['browser'])} on {machine}. Files come "
            "from the same machine; a network adds in proportion to the bytes. A measurement of this machine, as busy "
            "as it was: no verdict."
        )


def _pair(module: dict[str, Any], against: str) -> Iterator[tuple[str, ...]]:
    ours, theirs = module["bytes"].values()
    first, later = ([median(list_) for list_ in module[name].values()] for name in ("first_ms", "later_ms"))
    yield (
        view.printable(module["artifact"]),
        *(f"{ours[kind]:,}" for kind in _KINDS),
        _share(ours["brotli"], theirs["brotli"]),
        *((f"{first[0]:,.0f}", _share(*first), view.number(later[0])) if first else [view.NOTHING] * 3),
        view.printable(module["reason"]),
    )
    yield (
        f"{view.printable(against)}, {module['backend']}",
        *(f"{theirs[kind]:,}" for kind in _KINDS),
        "",
        *((f"{first[1]:,.0f}", "", view.number(later[1])) if first else [view.NOTHING, "", view.NOTHING]),
        "",
    )


def _share(ours: float, theirs: float) -> str:
    return f"{ours / theirs:.3f}" if ours < 0.1 * theirs else f"{ours / theirs:.2f}"
