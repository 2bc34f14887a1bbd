"""The Markdown view of a certificate: the bundle's README.md, a model card."""

from __future__ import annotations

from typing import Any

from pipeline.artifact import Artifact
from pipeline.cells import Status
from pipeline.errors import describe
from pipeline.report import means, pareto, payload, view
from pipeline.report.markdown import code, escape, table, yaml
from pipeline.report.snippets import snippet
from pipeline.signature import Signature, TensorSpec

_REDUCED = (
    " A reduced precision must keep its share of float32's accuracy, and is then held to a float64 run of the weights "
    "in its own file. Where activations are rounded, too, error and budget are root mean squares over all samples: the "
    "budget is the noise that such rounding makes."
)


def render(certificate: dict[str, Any], manifest: dict[str, Any], receipt: dict[str, Any] | None = None) -> str:
    """The model card.

    Args:
        certificate: the verdicts.
        manifest: the bundle's files.
        receipt: how the model was trained; None for a model that came as a file.
    """
    parts = [
        _front_matter(certificate),
        _what(certificate),
        _signature(certificate),
        _usage(certificate, manifest),
        _precisions(certificate),
        _cells(certificate),
        _budgets(certificate),
        _payload(certificate),
        _training(receipt),
        _files(certificate, manifest),
        _limits(certificate),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _front_matter(certificate: dict[str, Any]) -> str:
    tags = ["keras", "isomer", *dict.fromkeys(a["format"] for a in certificate["artifacts"])]
    lines = ["---", "library_name: keras", f"model_name: {yaml(certificate['model'])}", "tags:"]
    lines += [f"- {yaml(tag)}" for tag in tags]
    if data := certificate["dataset"]:
        lines += ["datasets:", f"- {yaml(data['name'])}"]
    if any(c["accuracy"] is not None for c in certificate["cells"]):
        lines += ["metrics:", "- accuracy"]
    return "\n".join([*lines, "---"])


def _what(certificate: dict[str, Any]) -> str:
    source = certificate["source"]
    origin = {"recipe": "the recipe", "keras-file": "the Keras file", "function": "the function"}[source["kind"]]
    formats = list(dict.fromkeys(view.FORMATS.get(a["format"], a["format"]) for a in certificate["artifacts"]))
    notice = view.notice(certificate)
    version = certificate["version"]
    status = view.status(certificate)
    paragraphs = [
        f"# {escape(certificate['model'])}",
        f"> **Substitute dataset.** {escape(notice)}" if notice else "",
        f"**{view.SYMBOLS[status]} {status}**: {view.summary(certificate)}",
        (
            f"One Keras model with {certificate['parameters']:,} parameters, made from {origin} "
            f"{code(source['name'])}, captured once in inference mode and written as "
            f"{', '.join(map(escape, formats))}. Each file was run in its real runtimes and judged against a float64 "
            f"oracle on {escape(view.dataset(certificate))}."
        ),
        _split_off(certificate),
        _flex(certificate),
        *(
            f"**There is no {escape(name)}**; it cannot express {escape(view.printable(describe(found)))}"
            for name, found in view.unsupported(certificate)
        ),
        (f"This is version {version}" if version is not None else "This bundle was **rejected**; do not deploy it")
        + f", written on {escape(certificate['created'])} by isomer {escape(certificate['environment']['isomer'])}. "
        "`certificate.json` holds all verdicts, `report.html` shows them with plots.",
    ]
    return "\n\n".join(p for p in paragraphs if p)


def _split_off(certificate: dict[str, Any]) -> str:
    """How to run what was split off in front of the model."""
    if "preprocessing" not in certificate:
        return ""
    front = certificate["preprocessing"]
    names = ", ".join(code(t["name"]) for t in front["signature"]["inputs"])
    made = ", ".join(code(t["name"]) for t in front["signature"]["outputs"])
    return (
        f"**Strings are read by `{front['path']}/`**, a SavedModel that takes {names} and gives {made}: inputs of "
        "the files here. The check `chain` compared the two in a row with the whole model."
    )


def _flex(certificate: dict[str, Any]) -> str:
    """What it takes to run a TFLite file that holds TensorFlow's own operations."""
    own = view.flex(certificate)
    if not own:
        return ""
    return (
        f"**The TFLite files hold TensorFlow's own operations** ({escape(own)}), as `--allow-flex` allows: they "
        "run only where the Flex delegate is linked (on Android, `tensorflow-lite-select-tf-ops`), not in plain LiteRT."
    )


def _shape(spec: TensorSpec) -> str:
    sizes = ["batch" if i == 0 and n is None else "any" if n is None else str(n) for i, n in enumerate(spec.shape)]
    return " × ".join(sizes) or "scalar"


def _signature(certificate: dict[str, Any]) -> str:
    signature = Signature.from_json(certificate["signature"])
    rows = [("input", code(t.name), escape(view.kind(t)), _shape(t)) for t in signature.inputs]
    rows += [("output", code(t.name), escape(view.kind(t)), _shape(t)) for t in signature.outputs]
    return (
        f"## Inputs and outputs\n\nThe same in every file; the signature is called {code(signature.name)}.\n\n"
        + table(("", "name", "dtype", "shape"), rows)
    )


def _usage(certificate: dict[str, Any], manifest: dict[str, Any]) -> str:
    """One snippet per format, for its main artifact, and the names of its other files."""
    groups: dict[str, list[Artifact]] = {}
    for data in certificate["artifacts"]:
        artifact = Artifact.from_json(data)
        groups.setdefault(artifact.format, []).append(artifact)
    parts = ["## How to use", "Run from the bundle's directory."]
    for name, group in groups.items():
        main = next((a for a in group if not a.variant), group[0])
        found = snippet(main)
        if found is None:
            continue
        title = view.FORMATS.get(name, name)
        parts.append(f"### {escape(title)}" + (f" with {found.title}" if found.title != title else ""))
        parts.append(f"```{found.language}\n{found.code}\n```")
        others = [f"{code(a.path)} ({escape(a.label)})" for a in group if a is not main]
        if others:
            parts.append(f"The same code runs {', '.join(others)}.")
    if any(f["path"] == "model.keras" for f in manifest["files"]):
        parts.append('### Keras\n\n```python\nimport keras\n\nmodel = keras.saving.load_model("model.keras")\n```')
    return "\n\n".join(parts) if len(parts) > 2 else ""


def _precisions(certificate: dict[str, Any]) -> str:
    """What each file takes and gives, where there are reduced precisions; and what their ranges were found on."""
    found = pareto.rows(certificate)
    if not found:
        return ""
    rows = [
        (
            escape(row.label),
            view.size(row.bytes),
            view.percent(row.figure),
            pareto.change(row),
            pareto.noise(row),
            "smallest for its accuracy" if row.best else "",
        )
        for row in found
    ]
    head = ("artifact", "size", "accuracy", "points to float32 (95 %)", "SQNR", "")
    drawn = certificate.get("calibration")
    samples = (
        ""
        if drawn is None
        else (
            f"\n\nRanges of whole numbers were found on {view.plural(drawn['rows'], 'sample')} "
            f"({escape(drawn['origin'])}, seed {drawn['seed']}). None of them is judged; `manifest.json` lists them."
        )
    )
    return f"## Precisions\n\n{table(head, rows, right=(1, 2, 3, 4))}{samples}"


def _cells(certificate: dict[str, Any]) -> str:
    rows = [
        (
            f"{view.SYMBOLS[c.verdict]} {c.verdict}",
            escape(view.artifact_label(c)),
            escape(view.place(c)),
            view.percent(c.accuracy),
            view.error(c),
            view.magnitude(c.max_abs_error),
            view.samples(c),
            escape(view.remark(c)),
        )
        for c in view.cells(certificate)
    ]
    head = ("verdict", "artifact", "runtime", "accuracy", "error / budget (ULP)", "max abs error", "samples", "note")
    lines = [
        f"- {escape(name)}: {good} of {total} pass"
        + "".join(f"; {escape(c['subject'])} {c['verdict']}: {escape(c['reason'])}" for c in bad)
        for name, good, total, bad in view.checks(certificate)
    ]
    checks = "\n\nBefore any numbers:\n\n" + "\n".join(lines) if lines else ""
    return f"## Verdicts\n\n{table(head, rows, right=(3, 4, 5, 6))}{checks}"


def _budgets(certificate: dict[str, Any]) -> str:
    oracle = certificate["oracle"]
    return (
        "## What the budgets mean\n\n"
        "The error is the largest distance from a float64 run of the same weights, in units in the last place (ULP) "
        "of float32 at the scale of the sample's own output. "
        f"A runtime may show {oracle['multiple']:g} times the error that TensorFlow's own float32 run shows on the "
        f"same inputs, but {oracle['floor_ulp']:g} ULP are always allowed."
        + (_REDUCED if any(c.quantization for c in view.cells(certificate)) else "")
    )


def _payload(certificate: dict[str, Any]) -> str:
    text = " ".join(payload.sentences(certificate))
    if not text:
        return ""
    rows = [tuple(map(escape, row)) for row in payload.rows(certificate)]
    figures = f"\n\n{table(payload.HEAD, rows, right=payload.NUMBERS)}" if rows else ""
    return f"## In a web page\n\n{escape(text)}{figures}"


def _training(receipt: dict[str, Any] | None) -> str:
    if receipt is None:
        return ""
    restored = receipt["restored"]
    test = ", ".join(
        f"{escape(name.replace('_', ' '))} {view.figure(name, value)}" for name, value in receipt["test"].items()
    )
    data = receipt["dataset"]
    again = "the same" if restored["equal"] else f"**{view.number(restored['value_reevaluated'])}**"
    by = "; ".join(f"{what} {escape(how)}" for what, how in means.describe(receipt))
    lines = [
        (
            f"- Data: {escape(data['name'])}{' (substitute)' if data['substitute'] else ''}, {escape(data['origin'])}, "
            f"sha256 {code(data['sha256'][:16])}…"
        ),
        (
            f"- {view.plural(len(receipt['epochs']), 'epoch')} in {view.duration(receipt['seconds'])}, "
            f"seed {receipt['seed']}; epoch {receipt['best_epoch']} kept, the best by {code(receipt['monitor'])}"
        ),
        (
            f"- Kept weights: {code(restored['metric'])} {restored['value_best_epoch']:.4f} in training, {again} when "
            "evaluated again"
        ),
        f"- By: {by}" if by else "",
        f"- Test set: {test}" if test else "",
    ]
    return "## Training\n\n" + "\n".join(line for line in lines if line)


def _files(certificate: dict[str, Any], manifest: dict[str, Any]) -> str:
    rows = []
    for a in map(Artifact.from_json, certificate["artifacts"]):
        notes = [f"{escape(rule)} × {count}" for rule, count in a.rewrites] + [escape(n) for n in a.notes]
        notes += [f"TensorFlow's own {escape(', '.join(a.flex))}"] if a.flex else []
        rows.append((escape(a.label), code(a.path), view.size(a.bytes), "; ".join(notes)))
    golden = any(f["path"].startswith("golden/") for f in manifest["files"])
    more = ["`golden/` holds inputs and the oracle's outputs for a re-check anywhere."] if golden else []
    more.append("`manifest.json` lists every file with its SHA-256; `isomer verify` checks them.")
    return f"## Files\n\n{table(('artifact', 'path', 'size', 'rewrites and notes'), rows, right=(2,))}\n\n" + " ".join(
        more
    )


def _limits(certificate: dict[str, Any]) -> str:
    judged = view.cells(certificate)
    absent = sorted({view.place(c) for c in judged if not c.samples and c.verdict is not Status.UNSUPPORTED})
    sampled = sorted({f"{view.place(c)} ({view.samples(c)})" for c in judged if 0 < c.samples < c.population})
    lines = [
        (
            "The verdicts hold for the versions and machine in the certificate; another runtime version should be "
            "judged again with `isomer validate`."
        ),
        "They say that the files compute the same function, not that the model is good, fair or safe for a task.",
    ]
    if absent:
        lines.append(f"Nothing is known about {', '.join(map(escape, absent))}: see the notes above.")
    if sampled:
        lines.append(f"Judged on a sample only: {', '.join(map(escape, sampled))}.")
    if view.notice(certificate):
        lines.append("The dataset is a substitute, so the accuracies are not those of the recipe's own dataset.")
    if certificate["dataset"] is None:
        lines.append("No labelled data came with the model, so no accuracy was measured.")
    return "## Limits\n\n" + "\n".join(f"- {line}" for line in lines)
