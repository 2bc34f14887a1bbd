"""The HTML view of a certificate: one file that loads nothing from anywhere and runs no script."""

from __future__ import annotations

from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from pipeline.artifact import Artifact
from pipeline.cells import Cell, Status
from pipeline.report import pareto, payload, plots, training, view
from pipeline.report.snippets import snippet
from pipeline.signature import Signature

TEMPLATES = Path(__file__).parent / "templates"

MAX_CONFUSION = 26
"""Classes that the confusion matrix shows as a table; of more, only the largest confusions are listed."""


def render(certificate: dict[str, Any], manifest: dict[str, Any], receipt: dict[str, Any] | None = None) -> str:
    """The report as one HTML document.

    Args:
        certificate: the verdicts.
        manifest: the bundle's files (but for the report itself).
        receipt: how the model was trained; None for a model that came as a file.
    """
    cells = view.cells(certificate)
    bins = {c.precision: plots.bins_needed([d for d in cells if d.precision == c.precision]) for c in cells}
    artifacts = [Artifact.from_json(a) for a in certificate["artifacts"]]
    return (
        environment()
        .get_template("report.html")
        .render(
            certificate=certificate,
            manifest=manifest,
            receipt=receipt,
            status=view.status(certificate),
            signature=Signature.from_json(certificate["signature"]),
            artifacts=artifacts,
            snippets=[(a, s) for a in artifacts if not a.variant and (s := snippet(a)) is not None],
            groups=[(name, list(group)) for name, group in groupby(cells, key=lambda c: c.format)],
            histograms=[
                (c, plots.histogram(c, bins[c.precision]) if c.histogram else None) for c in cells if _has_evidence(c)
            ],
            precisions=(found := pareto.rows(certificate)),
            precision_points=pareto.points(found),
            pareto=pareto,
            payload=payload,
            **training.context(receipt),
            facts=_facts(certificate, cells, artifacts),
            confused=plots.most_confused(certificate["confusion"]) if certificate["confusion"] else [],
            whole_confusion=bool(certificate["confusion"]) and len(certificate["confusion"]["labels"]) <= MAX_CONFUSION,
        )
    )


@cache
def environment() -> Environment:
    """The templates, with everything escaped."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_clean,
    )
    made.globals.update(view=view, Status=Status)
    return made


def _clean(value: object) -> object:
    """Every text that a template shows, without control and bidirectional characters but for line ends."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return "\n".join(map(view.printable, value.split("\n")))
    return value


def _has_evidence(cell: Cell) -> bool:
    return bool(cell.samples or cell.histogram)


def _facts(certificate: dict[str, Any], cells: list[Cell], artifacts: list[Artifact]) -> list[tuple[str, str, str]]:
    """(label, value, remark): the numbers at the top."""
    facts = []
    required = [c for c in cells if c.required]
    passed = sum(c.verdict is Status.PASS for c in required)
    facts.append(("Required cells", f"{passed} of {len(required)}", "pass"))
    # A sample's accuracy is not the dataset's: take the cell that saw most.
    labelled = max((c for c in cells if c.accuracy_oracle is not None), key=lambda c: c.samples, default=None)
    if labelled:
        facts.append(("Accuracy", view.percent(labelled.accuracy_oracle), f"oracle, {view.samples(labelled)} samples"))
    shares = [(c.ulp_error / c.budget_ulp, c) for c in cells if c.ulp_error is not None and c.budget_ulp]
    if shares:
        share, worst = max(shares, key=lambda item: item[0])
        shown = f"{100 * share:.0f}%" if share < 2 else f"{view.compact(share)}×"
        facts.append(("Worst use of a budget", shown, f"{view.artifact_label(worst)} on {view.place(worst)}"))
    facts.append(("Parameters", f"{certificate['parameters']:,}", ""))
    total = view.size(sum(a.bytes for a in artifacts))
    facts.append(("Artifacts", f"{len(artifacts)}", f"{total} together"))
    facts.append(("Time", view.duration(certificate["seconds"]), "to export and judge"))
    return facts
