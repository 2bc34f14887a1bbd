"""The doctor's findings on the terminal."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from pipeline.checking.finding import Checkup


def show(checkup: Checkup) -> RenderableType:
    """Every finding with why it matters and what to change, or one line where nothing was found."""
    name, seconds = checkup.recipe, f"{checkup.seconds:.0f} s"
    if checkup.healthy:
        return Group(Text(f"{name}: nothing to say ({len(checkup.figures)} checks, {seconds})."), *_figures(checkup))
    count = len(checkup.findings)
    parts: list[RenderableType] = [Text(f"{name}: {count} finding{'s' if count > 1 else ''} ({seconds})", "bold")]
    for finding in checkup.findings:
        parts.append(Text.assemble("\n", ("✗ ", "red"), (finding.check, "bold"), f"  {finding.seen}"))
        parts.append(Padding(Text(f"Why: {finding.why}\nDo:  {finding.change}"), (0, 0, 0, 2)))
    if checkup.skipped:
        parts.append(Text(f"\nNot looked at after that: {', '.join(checkup.skipped)}.", "dim"))
    return Group(*parts, *_figures(checkup))


def _figures(checkup: Checkup) -> list[RenderableType]:
    """What was measured, in a few lines."""
    lines: list[str] = []
    for output, found in checkup.figures.get("initial-loss", {}).items():
        lines.append(f"loss of '{output}' at the start {found['loss']:.3g}, a guess gives {found['expected']:.3g}")
    if norms := checkup.figures.get("gradients", {}).get("norms"):
        low, high = min(norms, key=norms.get), max(norms, key=norms.get)
        lines.append(f"gradients from {norms[low]:.2g} ('{low}') to {norms[high]:.2g} ('{high}')")
    if (memory := checkup.figures.get("memory")) and memory["known"]:
        lines.append(f"{memory['samples']} samples by heart after {memory['steps']} steps")
    for output, found in checkup.figures.get("baseline", {}).items():
        lines.append(f"'{output}' {found['figure']} {found['model']:.3f} after the trial, linear {found['linear']:.3f}")
    return [Text(f"  {line}", "dim") for line in lines]
