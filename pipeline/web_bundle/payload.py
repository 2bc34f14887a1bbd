"""What a page with the bundle costs: bytes of code, and time to the first prediction, beside TF.js whole.

A measurement with what it was made on, no verdict.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from itertools import groupby
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from pipeline.artifact import Artifact
from pipeline.cells import Cell, Status
from pipeline.errors import RuntimeUnavailable, first_line
from pipeline.precisions import FLOAT32
from pipeline.runtimes.chromium import launch_flags
from pipeline.runtimes.web.chromium_page import ChromiumPage
from pipeline.web_bundle import stock, stopwatch
from pipeline.web_bundle.builder import FORMAT, RUNTIME, narrow
from pipeline.web_bundle.stopwatch import Visit

_ROUNDS = 3
# Of one backend's rounds in an export: what takes longer is measured once.
_SECONDS = 5.0
_SOFTWARE = "Not timed: WebGL is software here, whose time says nothing of a GPU."


@dataclass(frozen=True)
class _Timed:
    """The browser's version and the visits of each side, or why there are none."""

    browser: str = ""
    visits: dict[str, list[Visit]] = field(default_factory=dict)
    reason: str = ""


def untimed(cells: Sequence[Cell]) -> dict[str, str]:
    """Why a module's time would mean nothing, by its device: it was not found right, or runs on an emulated GPU."""
    judged = [cell for cell in cells if cell.runtime == RUNTIME and cell.precision == FLOAT32]
    wrong = {cell.device: f"Not timed: its cell is {cell.verdict}." for cell in judged if cell.verdict != Status.PASS}
    soft = {cell.device: _SOFTWARE for cell in judged if cell.environment.get("adapter_is_software")}
    return soft | wrong


def measure(
    root: Path,
    artifacts: Sequence[Artifact],
    row: Mapping[str, np.ndarray],
    left_out: Mapping[str, str],
    rounds: int = _ROUNDS,
    seconds: float = _SECONDS,
) -> dict[str, Any] | None:
    """Bytes and milliseconds of every float32 module and of TF.js; None where there are no modules.

    Args:
        root: the bundle's directory.
        artifacts: of all formats.
        row: one row of every input, whose shapes are predicted.
        left_out: reasons for what is not timed, by device (`untimed`).
        rounds: how often each side is timed, in turn.
        seconds: after which a backend is not timed again.

    Returns:
        {"against", "browser" (its version), "modules": [{"artifact", "backend", "bytes": {side: {raw, gzip, brotli}},
        "first_ms", "later_ms": {side: of each round}, "reason"}]}, or {"reason"} where nothing can be compared.
    """
    modules = [a for a in artifacts if a.format == FORMAT and a.precision == FLOAT32]
    if not modules:
        return None
    try:
        whole = stock.sizes()
    except RuntimeUnavailable as error:
        return {"reason": str(error)}
    inputs = {t.name: (t.dtype, row[t.name].shape) for t in narrow(modules[0].signature).inputs}
    timed = [module for module in modules if module.variant not in left_out]
    # Playwright does not run beside an event loop, such as a notebook's.
    with ThreadPoolExecutor(1) as apart:
        times = apart.submit(_times, root, timed, inputs, rounds, seconds).result()
    found = []
    for module in modules:
        time = times.get(module.label) or _Timed(reason=left_out[module.variant])
        found.append(
            {
                "artifact": module.label,
                "backend": module.variant,
                "bytes": {side: asdict(size) for side, size in _sizes(root, module, whole).items()},
                "first_ms": {side: [round(v.first, 1) for v in list_] for side, list_ in time.visits.items()},
                "later_ms": {side: [round(median(v.calls), 3) for v in list_] for side, list_ in time.visits.items()},
                "reason": time.reason,
            }
        )
    browser = next((time.browser for time in times.values() if time.browser), "")
    return {"against": f"{stock.SCRIPT} {stock.VERSION}", "browser": browser, "modules": found}


def _sizes(root: Path, module: Artifact, whole: Mapping[str, stock.Sizes]) -> dict[str, stock.Sizes]:
    """Of each side's code; the weights are the same on both."""
    listing = json.loads((root / FORMAT / "bundle.json").read_text(encoding="utf-8"))
    facts = listing["files"][module.path.removeprefix(f"{FORMAT}/")]
    ours, theirs = stock.Sizes(facts["bytes"], facts["gzip"], facts["brotli"]), whole[stock.SCRIPT]
    if module.variant == "wasm":
        binary = whole[stock.BINARY]
        ours, theirs = ours + binary, theirs + whole[stock.WASM_SCRIPT] + binary
    return dict(zip(stopwatch.SIDES, (ours, theirs), strict=True))


def _times(
    root: Path, modules: Sequence[Artifact], inputs: Mapping[str, Any], rounds: int, seconds: float
) -> dict[str, _Timed]:
    """By label; in one browser where its flags allow."""
    found: dict[str, _Timed] = {}
    by_flags = sorted(modules, key=lambda module: launch_flags(module.variant))
    for _, same in groupby(by_flags, key=lambda module: launch_flags(module.variant)):
        group = list(same)
        try:
            with stopwatch.browser_for(group[0].variant) as browser:
                for module in group:
                    found[module.label] = _time(browser, root, module, inputs, rounds, seconds)
        except RuntimeUnavailable as error:
            found |= {module.label: _Timed(reason=f"Not timed: {first_line(error)}.") for module in group}
    return found


def _time(browser: ChromiumPage, root: Path, module: Artifact, inputs: Mapping[str, Any], *how: Any) -> _Timed:
    try:
        return _Timed(browser.version, stopwatch.measure(browser, root, module, inputs, *how))
    except RuntimeError as error:
        return _Timed(reason=f"Not timed: {first_line(error)}.")
