"""What the views share: how numbers, names and verdicts are put into words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from pipeline.cells import Cell, Status
from pipeline.errors import Obstacle
from pipeline.precisions import FLOAT32
from pipeline.signature import TensorSpec

SYMBOLS = {
    Status.PASS: "✓",
    Status.FAIL: "✗",
    Status.INCONCLUSIVE: "?",
    Status.NOT_RUN: "○",
    Status.UNSUPPORTED: "–",
}
FORMATS = {"savedmodel": "SavedModel", "tflite": "TFLite", "tfjs": "TensorFlow.js", "onnx": "ONNX", "web": "Web page"}
RUNTIMES = {
    "tensorflow": "TensorFlow",
    "litert": "LiteRT",
    "litert-reference": "LiteRT, reference kernels",
    "tflite-flex": "TensorFlow Lite with Flex",
    "onnxruntime": "ONNX Runtime",
    "litert-arm64": "LiteRT on ARM64",
    "litert-compiled": "LiteRT CompiledModel",
    "tflite-micro": "TFLite Micro",
    "onnxruntime-arm64": "ONNX Runtime on ARM64",
    "tflite-armhf": "TensorFlow Lite on 32-bit ARM",
    "onnxruntime-armhf": "ONNX Runtime on 32-bit ARM",
    "onnxruntime-riscv64": "ONNX Runtime on RISC-V",
    "tfjs-node": "TF.js in Node.js",
    "tfjs-browser": "TF.js in browser",
    "onnxruntime-web": "ONNX Runtime Web in browser",
    "onnxruntime-node": "ONNX Runtime in Node.js",
    "litert-web": "LiteRT.js in browser",
    "tfjs-firefox": "TF.js in Firefox",
    "onnxruntime-firefox": "ONNX Runtime Web in Firefox",
    "litert-firefox": "LiteRT.js in Firefox",
    "web-bundle": "Web bundle in browser",
    "web-bundle-firefox": "Web bundle in Firefox",
}
# Cells that share a remark are named one by one up to here.
_FEW = 4
NOTHING = "–"


def cells(certificate: dict[str, Any]) -> list[Cell]:
    """The cells, those of one format together, in order of first appearance."""
    found = [Cell.from_json(c) for c in certificate["cells"]]
    order = list(dict.fromkeys(c.format for c in found))
    return sorted(found, key=lambda c: order.index(c.format))


def printable(text: object) -> str:
    """One line without control, bidirectional or other invisible characters: names are untrusted input."""
    return "".join(c if c.isprintable() else "\ufffd" for c in str(text))


def kind(spec: TensorSpec) -> str:
    """The dtype of a tensor, with the range of its values where that was declared: "int64, 0 to 999"."""
    return spec.dtype if spec.range is None else f"{spec.dtype}, {spec.range[0]:,} to {spec.range[1]:,}"


def artifact_label(cell: Cell) -> str:
    """The artifact as tables name it, such as "tflite float32 batch1"."""
    return printable(" ".join(part for part in (cell.format, cell.precision, cell.variant) if part))


def place(cell: Cell) -> str:
    """Runtime and device, such as "litert/cpu"."""
    return printable(f"{cell.runtime}/{cell.device}")


def number(value: float | None) -> str:
    """Three significant digits, as people write them: 0.93, 14.9, 913, 17,203, 4.06e+09."""
    if value is None:
        return NOTHING
    if value == 0:
        return "0"
    if abs(value) < 0.001 or abs(value) >= 1e9:
        return f"{value:.2e}"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def compact(value: float | None) -> str:
    """The same within five characters where it can be: 17.2k, 406k, 1.23M."""
    if value is None or abs(value) < 10_000 or abs(value) >= 1e9:
        return number(value)
    scaled, unit = (value / 1e6, "M") if abs(value) >= 999_500 else (value / 1e3, "k")
    return f"{scaled:.0f}{unit}" if scaled >= 100 else f"{scaled:.3g}{unit}"


def magnitude(value: float | None) -> str:
    """A small absolute error: 3.6e-07."""
    return NOTHING if value is None else "0" if value == 0 else f"{value:.1e}"


def percent(value: float | None) -> str:
    """Two decimals: 99.43%."""
    return NOTHING if value is None else f"{100 * value:.2f}%"


def figure(name: str, value: float | None) -> str:
    """A metric by its name: accuracies and areas under a curve in percent, everything else as a number."""
    return percent(value) if name.endswith(("accuracy", "auc")) else number(value)


def size(count: int) -> str:
    """Bytes as people read them: 421 kB."""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000 or unit == "GB":
            break
        value /= 1000
    return f"{count} B" if unit == "B" else f"{value:.0f} {unit}" if value >= 100 else f"{value:.1f} {unit}"


def duration(seconds: float) -> str:
    """Seconds, or minutes from two on."""
    return f"{seconds:.1f} s" if seconds < 120 else f"{seconds / 60:.1f} min"


def error(cell: Cell, show: Callable[[float | None], str] = number) -> str:
    """The error and its budget in ULP ("14.9 / 49.6"); the bare error where no budget applies."""
    if cell.ulp_error is None:
        return NOTHING
    return show(cell.ulp_error) + (f" / {show(cell.budget_ulp)}" if cell.budget_ulp is not None else "")


def samples(cell: Cell) -> str:
    """The number judged, as "500 of 10,000" where it is a sample."""
    if not cell.samples:
        return NOTHING
    return f"{cell.samples:,}" + (f" of {cell.population:,}" if cell.samples < cell.population else "")


def remark(cell: Cell) -> str:
    """The reason of the verdict, and what a reader of a PASS should still know."""
    parts = [_sentence(printable(cell.reason))] if cell.reason else []
    if cell.verdict is Status.PASS and cell.label_flips and cell.quantization is None:
        ties = "a near-tie" if cell.label_flips == 1 else "all near-ties"
        if cell.near_ties < cell.label_flips:
            ties = plural(cell.near_ties, "near-tie")
        parts.append(f"{plural(cell.label_flips, 'label flip')}, {ties}.")
    if 0 < cell.samples < cell.population:
        parts.append(f"A seeded sample, {samples(cell)}.")
    bits = cell.environment.get("float_bits", 24)
    if cell.samples and bits < 24:
        parts.append(
            f"Computes with {bits} significand bits, not 24: judged as {cell.environment.get('budget_class')}."
        )
    if cell.samples and cell.environment.get("adapter_is_software"):
        parts.append("Software-rendered: not a GPU.")
    if cell.samples and "arena_bytes" in cell.environment:
        parts.append(f"Its tensors take {cell.environment['arena_bytes']:,} bytes.")
    if cell.samples and "emulator" in cell.environment:
        parts.append(f"Emulated by {printable(cell.environment['emulator'])}: its arithmetic, not its speed.")
    return " ".join(parts)


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


def plural(count: int, noun: str) -> str:
    """A count with its noun: "1 cell", "3 cells"."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def status(certificate: dict[str, Any]) -> Status:
    """The verdict on the whole."""
    return Status(certificate["status"])


def title(certificate: dict[str, Any]) -> str:
    """The model and its version: "cnn version 3", "cnn (rejected)"."""
    version = certificate["version"]
    return f"{printable(certificate['model'])} " + (f"version {version}" if version is not None else "(rejected)")


def summary(certificate: dict[str, Any]) -> str:
    """The whole in a sentence: what passed, what failed, what did not run."""
    judged = cells(certificate)
    required = [c for c in judged if c.required]
    passed = sum(c.verdict is Status.PASS for c in required)
    text = f"{passed} of {plural(len(required), 'required cell')} pass{'es' if passed == 1 else ''}"
    counts = {s: sum(c.verdict is s for c in judged) for s in Status}
    optional = sum(c.verdict is Status.PASS and not c.required for c in judged)
    tail = [f"{optional} optional pass{'es' if optional == 1 else ''}"] if optional else []
    words = {
        Status.FAIL: "failed",
        Status.INCONCLUSIVE: "inconclusive",
        Status.NOT_RUN: "not run",
        Status.UNSUPPORTED: "unsupported",
    }
    tail += [f"{counts[s]} {word}" for s, word in words.items() if counts[s]]
    failed = sum(c["verdict"] != Status.PASS for c in certificate["checks"])
    tail += [f"{plural(failed, 'check')} failed"] if failed else []
    return _formats(certificate) + _flex(certificate) + ", ".join([text, *tail]) + "."


def flex(certificate: dict[str, Any]) -> str:
    """TensorFlow's own operations in its TFLite files: "FlexAsString, FlexQr"; or nothing."""
    return printable(", ".join(dict.fromkeys(op for a in certificate["artifacts"] for op in a.get("flex", []))))


def _flex(certificate: dict[str, Any]) -> str:
    own = flex(certificate)
    return f"TFLite only with the Flex delegate ({own}); " if own else ""


def _formats(certificate: dict[str, Any]) -> str:
    """How many formats there are, where some cannot express the model: "3 of 4 formats (TFLite UNSUPPORTED: ...); "."""
    missing = unsupported(certificate)
    if not missing:
        return ""
    there = len({a["format"] for a in certificate["artifacts"]})
    names: dict[str, list[str]] = {}
    for name, found in missing:
        names.setdefault(", ".join(o.subject for o in found), []).append(name)
    words = "; ".join(f"{', '.join(of)} UNSUPPORTED: {subjects}" for subjects, of in names.items())
    return f"{there} of {there + len(missing)} formats ({printable(words)}); "


def unsupported(certificate: dict[str, Any]) -> list[tuple[str, list[Obstacle]]]:
    """(format, what is in the way) for each format that cannot express the model."""
    return [
        (
            FORMATS.get(entry["format"], entry["format"]),
            [Obstacle(o["op"], tuple(o["layers"]), o["reason"], o["advice"]) for o in entry["obstacles"]],
        )
        for entry in certificate.get("unsupported", [])
        if entry["precision"] == FLOAT32  # of the others there is the format itself
    ]


def dataset(certificate: dict[str, Any]) -> str:
    """The dataset that was really used: "mnist, 10,000 test samples"."""
    data = certificate["dataset"]
    if data is None:
        return "no dataset"
    count = f", {plural(data['test'], 'test sample')}" if data.get("test") else ""
    return printable(data["name"]) + (" (substitute)" if data["substitute"] else "") + count


def notice(certificate: dict[str, Any]) -> str:
    """The warning about a substitute dataset, or nothing."""
    data = certificate["dataset"]
    return printable(data["notice"]) if data is not None and data["substitute"] else ""


def remarks(judged: Iterable[Cell]) -> list[tuple[Status, str, list[str]]]:
    """(verdict, remark, cells that share it), failures first; many cells by their runtime and device alone."""
    found: dict[tuple[Status, str], list[Cell]] = {}
    for cell in judged:
        if text := remark(cell):
            found.setdefault((cell.verdict, text), []).append(cell)
    order = [Status.FAIL, Status.INCONCLUSIVE, Status.UNSUPPORTED, Status.NOT_RUN, Status.PASS]
    return [(*key, _named(cells)) for key, cells in sorted(found.items(), key=lambda item: order.index(item[0][0]))]


def _named(cells: Sequence[Cell]) -> list[str]:
    if len(cells) <= _FEW:
        return [f"{artifact_label(cell)} on {place(cell)}" for cell in cells]
    devices: dict[str, dict[str, None]] = {}
    for cell in cells:
        devices.setdefault(cell.runtime, {})[cell.device] = None
    return [printable(f"{runtime}/{' '.join(names)}") for runtime, names in devices.items()]


def checks(certificate: dict[str, Any]) -> list[tuple[str, int, int, list[dict[str, Any]]]]:
    """(name, passed, of how many, those that did not pass) per kind of check, in order."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for check in certificate["checks"]:
        groups.setdefault(printable(check["name"]), []).append(check)
    result = []
    for name, group in groups.items():
        bad = [c for c in group if c["verdict"] != Status.PASS]
        result.append((name, len(group) - len(bad), len(group), bad))
    return result
