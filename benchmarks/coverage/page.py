"""Writes docs/coverage.md from the results file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from benchmarks import ROOT
from benchmarks.coverage.results import ISOMER, STOCK, Row, Square

PAGE = ROOT / "docs" / "coverage.md"
Rows = dict[tuple[str, str], Row]

_FORMATS = {
    "savedmodel": "SavedModel in TensorFlow",
    "tflite": "TFLite in LiteRT",
    "onnx": "ONNX in ONNX Runtime",
    "tfjs": "TF.js in Node.js (WebAssembly)",
    "tfjs-browser": "TF.js in Chromium (WebAssembly)",
}
_PARTS = {
    "layers": "Layers: every class of `keras.layers`, with the options that matter",
    "topologies": "Topologies: inputs, outputs, sharing, nesting, subclassing, control flow, dtype policies",
    "operations": "Operations: functions of `keras.ops` as custom layers call them",
    "applications": "Applications: every family of `keras.applications`",
    "hub": "KerasHub: families of text, speech and vision models, tiny",
}
_COLUMNS = {
    "savedmodel": "SavedModel",
    "tflite": "TFLite",
    "tflite batch1": "TFLite, batch 1",
    "onnx": "ONNX",
    "tfjs": "TF.js",
    "tfjs-browser": "Chromium",
}
_MARKS = {"PASS": "✓", "FAIL": "✗", "UNSUPPORTED": "–", "INCONCLUSIVE": "?"}

_INTRODUCTION = """\
<!-- Written by `make coverage` (python -m benchmarks.coverage) from a run. Edit benchmarks/coverage/page.py. -->

# Coverage

Every model of the corpus (`tests/corpus/`) through isomer, and through the converters that a user calls today. A model
counts as passed in a format only if it was converted, the file loads in the plain runtime, and it is right at every
batch size.

**isomer**: what `isomer export` says of the cell: outputs within the budget of the float64 oracle on all judged rows,
awkward ones included, in batches of 1, 3 and 500, repeated bit by bit; names, types and shapes as the model declares
them; every weight found in the file. For TFLite both files, with an open and with a static batch, must pass.

**Today**: conversion by one call without options, then nine ordinary rows in batches of 1 and 3 against the same oracle
and budget. They are given every help: inputs and outputs are matched by name, else by place, else in any order that
fits; no names, types, weights or awkward rows are asked for; tf2onnx gets Keras' repair for NumPy 2.
"""


def write(rows: Rows, order: Sequence[str], environment: dict[str, Any], expected: dict[str, dict[str, str]]) -> None:
    """Write the page.

    Args:
        rows: by model and side.
        order: models, as the corpus has them.
        environment: what ran it (`pipeline.bundle.certificate.environment`).
        expected: why a format cannot have a model, by model and path.
    """
    models = [m for m in order if (m, ISOMER) in rows]
    parts = [
        _INTRODUCTION,
        _circumstances(rows, models, order, environment),
        "## By format\n",
        _summary(rows, models),
        "## By part\n",
        _by_part(rows, models),
        "## What does not pass, and why\n",
        _reasons(rows, models, expected),
        "## Model by model\n",
        _legend(rows),
    ]
    for part, title in _PARTS.items():
        mine = [m for m in models if m.split("/")[0] == part]
        if mine:
            parts += [f"### {title}\n", _table(rows, mine)]
    PAGE.write_text("\n".join(parts), encoding="utf-8")


def _circumstances(rows: Rows, models: Sequence[str], order: Sequence[str], environment: dict[str, Any]) -> str:
    times = sorted(row.when for row in rows.values() if row.when)
    spent = {side: sum(r.seconds for (_, s), r in rows.items() if s == side) / 60 for side in (ISOMER, STOCK)}
    versions = ", ".join(f"{name} {version}" for name, version in environment["versions"].items())
    both = sum((m, STOCK) in rows for m in models)
    partial = "" if both == len(models) else f" Today's converters were run on {both} of them."
    hours = Counter(rows[m, ISOMER].when[:13] for m in models)
    if len(hours) > 1:
        listed = ", ".join(f"{count} at {hour}h" for hour, count in sorted(hours.items()))
        partial += f" isomer's rows by the hour (UTC) in which they were last run: {listed}."
    if lacking := Counter(m.split("/")[0] for m in order if m not in set(models)):
        partial += f" Not run: {', '.join(f'{count} of {part}' for part, count in lacking.items())}."
    machine = f"{environment['cores']} cores of {environment['cpu']} ({environment['platform']})"
    return (
        f"{len(models)} of the corpus' {len(order)} models, each with its latest row, from {times[0][:16]} to "
        f"{times[-1][:16]} UTC (a stopped run goes on where it was), in {spent[ISOMER]:.0f} minutes "
        f"by isomer and {spent[STOCK]:.0f} minutes by today's converters, one model at a time.{partial}\n\n"
        f"On {machine}, Python {environment['python']}; {versions}.\n"
    )


def _summary(rows: Rows, models: Sequence[str]) -> str:
    both = [m for m in models if (m, STOCK) in rows]
    shared = f"the {len(both)} that both took"
    lines = [f"| format | isomer, all | isomer, {shared} | today, {shared} | by |", "|---|---|---|---|---|"]
    for name, title in _FORMATS.items():
        ours = [_ours(rows, m, name) for m in models]
        if not any(ours):
            continue
        for place, path in enumerate(_stock_paths(rows, name) or [""]):
            theirs = _share([_square(rows, m, STOCK, path) for m in both]) if path else ""
            by = f"`{path.partition(': ')[2]}`" if path else ""
            mine = (title, _share(ours), _share([_ours(rows, m, name) for m in both])) if place == 0 else ("", "", "")
            lines.append(f"| {' | '.join((*mine, theirs, by))} |")
    return "\n".join(lines) + "\n"


def _by_part(rows: Rows, models: Sequence[str]) -> str:
    names = [n for n in _FORMATS if any(_ours(rows, m, n) for m in models)]
    lines = [
        "| part | " + " | ".join(f"{n}: isomer | today" for n in names if n != "tfjs-browser") + " |",
        "|---" * (1 + 2 * len([n for n in names if n != "tfjs-browser"])) + "|",
    ]
    for part in _PARTS:
        mine = [m for m in models if m.split("/")[0] == part]
        if not mine:
            continue
        figures = []
        for name in names:
            if name == "tfjs-browser":
                continue
            best = [_best([_square(rows, m, STOCK, p) for p in _stock_paths(rows, name)]) for m in mine]
            figures += [_share([_ours(rows, m, name) for m in mine]), _share(best)]
        lines.append(f"| {part} | " + " | ".join(figures) + " |")
    return "\n".join(lines) + "\n\nToday's figure counts a model if any of the format's converters passes.\n"


def _reasons(rows: Rows, models: Sequence[str], expected: dict[str, dict[str, str]]) -> str:
    lines = ["| model | cells | verdict | reason |", "|---|---|---|---|"]
    for model in models:
        groups: dict[tuple[str, str], list[str]] = {}
        for square in rows[model, ISOMER].squares:
            if square.verdict != "PASS":
                why = expected.get(model, {}).get(square.path.split()[0]) or square.reason
                groups.setdefault((square.verdict, why), []).append(square.path)
        for (verdict, why), paths in groups.items():
            lines.append(f"| {model} | {', '.join(paths)} | {verdict} | {_cell(why)} |")
    if len(lines) == 2:
        return "Everything passes.\n"
    return "\n".join(lines) + "\n"


def _legend(rows: Rows) -> str:
    lines = ["✓ passes, ✗ wrong or broken, – refused with the reason above, ? inconclusive, blank: not run. Today:\n"]
    lines += [f"- {k + 1}: {path}" for k, path in enumerate(_all_stock_paths(rows))]
    return "\n".join(lines) + "\n"


def _table(rows: Rows, models: Sequence[str]) -> str:
    ours = [path for path in _COLUMNS if any(_square(rows, m, ISOMER, path) for m in models)]
    theirs = _all_stock_paths(rows)
    head = ["model", *(_COLUMNS[path] for path in ours), *(str(k + 1) for k in range(len(theirs)))]
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for model in models:
        marks = [_mark(_square(rows, model, ISOMER, p)) for p in ours]
        marks += [_mark(_square(rows, model, STOCK, p)) for p in theirs]
        lines.append(f"| {model.partition('/')[2]} | {' | '.join(marks)} |")
    return "\n".join(lines) + "\n"


def _ours(rows: Rows, model: str, format: str) -> Square | None:
    """The worst of isomer's squares of a format."""
    squares = [s for s in rows[model, ISOMER].squares if s.path.split()[0] == format]
    return next((s for s in squares if s.verdict != "PASS"), squares[0] if squares else None)


def _square(rows: Rows, model: str, side: str, path: str) -> Square | None:
    row = rows.get((model, side))
    return next((s for s in row.squares if s.path == path), None) if row else None


def _best(squares: Iterable[Square | None]) -> Square | None:
    found = [s for s in squares if s]
    return next((s for s in found if s.verdict == "PASS"), found[0] if found else None)


def _stock_paths(rows: Rows, format: str) -> list[str]:
    paths = dict.fromkeys(s.path for (_, side), row in rows.items() if side == STOCK for s in row.squares)
    return [p for p in paths if p.partition(":")[0] == format]


def _all_stock_paths(rows: Rows) -> list[str]:
    return [path for name in _FORMATS for path in _stock_paths(rows, name)]


def _share(squares: Sequence[Square | None]) -> str:
    counts = Counter(s.verdict for s in squares if s)
    total = sum(counts.values())
    return f"{counts['PASS']} of {total} ({counts['PASS'] / total:.1%})" if total else ""


def _mark(square: Square | None) -> str:
    return _MARKS.get(square.verdict, "?") if square else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")[:400]
