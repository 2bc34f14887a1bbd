"""The views show every cell with its reason, name what was really used, and trust no name."""

from __future__ import annotations

import ast
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from pipeline.artifact import Artifact
from pipeline.cells import Cell, Status
from pipeline.report import card, charts, html, plots, table, view
from pipeline.report.snippets import snippet
from pipeline.signature import Signature, TensorSpec
from tests.pipeline import example_certificate as example

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "`](javascript:alert(1)) | **x** [x](http://evil.example) www.evil.example",
    "\x1b]0;owned\x07\u202eevil\nsecond line\n---\n# heading",
    "[red]markup[/red] {{ 7 * 7 }} {% raw %}",
    "'; DROP -- ``` \\",
)


def failing() -> dict[str, Any]:
    cells = example.cells()
    return example.certificate((*cells[:9], example.failed_cell(), *cells[10:]), example.DIGITS)


def shown(certificate: dict[str, Any], width: int = 100, encoding: str = "utf-8") -> str:
    class Output(StringIO):
        pass

    output = Output()
    type(output).encoding = encoding  # type: ignore[assignment]
    Console(file=output, width=width, color_system=None).print(table.matrix(certificate))
    return output.getvalue()


def hostile(name: str) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """All three documents with a hostile name wherever a model, a file or a runtime can put one."""
    tensors = Signature((TensorSpec(name, "float32", (None, 4)),), (TensorSpec(name, "float32", (None, 2)),), name)
    cell = replace(
        example.failed_cell(), format=name, runtime=name, device=name, reason=name, environment={name: {name: name}}
    )
    certificate = example.certificate((cell,), {**example.DIGITS, "name": name, "notice": name, "origin": name}, name)
    certificate["signature"] = tensors.to_json()
    certificate["source"]["name"] = name
    certificate["payload"] = payload(name)
    certificate["artifacts"] = [
        Artifact(f, "float32", f"{f}/{name}", tensors, "", 1, ((name, 1),), (name,)).to_json()
        for f in ("savedmodel", "tflite", "tfjs", "onnx", name)
    ]
    certificate["checks"] = [{"name": name, "subject": name, "verdict": "FAIL", "reason": name, "detail": {}}]
    certificate["oracle"]["budget_ulp"] = {name: {"dataset": 1.0}}
    certificate["oracle"]["method"] = name
    certificate["confusion"] = {"labels": [name, "b"], "matrix": [[1, 2], [3, 4]], "cell": name}
    manifest = example.manifest(certificate)
    manifest["files"][0]["path"] = name
    receipt = example.receipt()
    receipt["recipe"]["name"] = receipt["monitor"] = receipt["restored"]["metric"] = name
    receipt["epochs"] = [{**epoch, name: 0.5} for epoch in receipt["epochs"]]
    receipt["test"] = {name: 0.5}
    return certificate, manifest, receipt


class Page(HTMLParser):
    """Collects tags, attributes and text, and checks that what opens is closed."""

    VOID = ("meta", "br", "img", "link", "input")
    SHAPES = ("rect", "line", "path", "circle", "polyline")

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.open: list[str] = []
        self.feed(source)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def words(self) -> str:
        return " ".join(" ".join(self.text).split())


def page(certificate: dict[str, Any], receipt: dict[str, Any] | None = None) -> Page:
    return Page(html.render(certificate, example.manifest(certificate), receipt))


# ---- every cell, every reason -------------------------------------------------------------------


def test_table_shows_every_cell_and_every_reason() -> None:
    certificate = failing()
    text = shown(certificate)
    for cell in view.cells(certificate):
        row = rf"{view.SYMBOLS[cell.verdict]} {cell.verdict} +{view.artifact_label(cell)} +{view.place(cell)} "
        assert re.search(row, text), cell
        assert cell.reason in " ".join(text.split())


@pytest.mark.parametrize("width", [60, 72, 80, 100, 140])
def test_table_fits_its_console(width: int) -> None:
    lines = shown(failing(), width).splitlines()
    assert max(map(len, lines)) <= width


def test_table_does_not_wrap_at_100_columns() -> None:
    """Even where all columns are at their widest, a cell is one line."""
    cells = [replace(c, verdict=Status.INCONCLUSIVE, reason="Unclear.") for c in example.cells()]
    text = shown(example.certificate(tuple(cells)))
    assert sum("? INCONCLUSIVE  " in line for line in text.splitlines()) == len(cells)
    assert sum("tfjs-browser/webgpu" in line for line in text.splitlines()) == 1  # its row, unbroken


def test_table_speaks_ascii_where_it_must() -> None:
    text = shown(example.certificate(), encoding="ascii")
    assert text.isascii()
    assert "+ PASS" in text


def test_card_and_page_show_every_cell_and_every_reason() -> None:
    certificate = failing()
    markdown = card.render(certificate, example.manifest(certificate), example.receipt())
    words = page(certificate).words()
    for cell in view.cells(certificate):
        assert f"| {view.SYMBOLS[cell.verdict]} {cell.verdict} | {view.artifact_label(cell)} | " in markdown
        assert cell.reason in markdown
        assert cell.reason in words
        if cell.samples:
            assert view.error(cell) in markdown
            assert view.error(cell) in words


def test_sample_sizes_are_told() -> None:
    certificate = example.certificate()
    assert "500/10k" in shown(certificate)
    assert "500 of 10,000" in card.render(certificate, example.manifest(), None)
    assert "500 of 10,000" in page(certificate).words()


def test_a_failed_check_is_told_with_its_reason() -> None:
    certificate = example.certificate()
    certificate["checks"][7] |= {"verdict": "FAIL", "reason": "Kernel of 'conv' is not in the file."}
    for text in (
        shown(certificate),
        card.render(certificate, example.manifest(), None),
        page(certificate).words(),
    ):
        assert "Kernel of 'conv' is not in the file." in text
        assert "tflite float32" in text
        assert "1 check failed." in text


def test_cells_without_a_verdict_name_both_counts() -> None:
    text = view.summary(example.certificate())
    assert text == "6 of 6 required cells pass, 2 optional pass, 2 not run, 1 unsupported."


def test_an_empty_matrix_is_shown_as_failed() -> None:
    certificate = example.certificate(())
    assert "FAIL" in shown(certificate)
    assert "FAIL" in page(certificate).words()
    assert "FAIL" in card.render(certificate, example.manifest(certificate), None)


# ---- the dataset really used --------------------------------------------------------------------


def test_substitute_dataset_is_prominent_everywhere() -> None:
    certificate = failing()
    notice = certificate["dataset"]["notice"]
    table_text = " ".join(shown(certificate).split())
    assert notice in table_text
    assert table_text.startswith("cnn (rejected) on digits (substitute)")
    assert table_text.endswith("Judged on digits (substitute), 360 test samples.")
    assert notice in card.render(certificate, example.manifest(certificate), None)
    words = page(certificate).words()
    assert notice in words
    assert words.count("digits (substitute)") >= 3


def test_no_notice_without_a_substitute_and_no_dataset_at_all() -> None:
    assert "ubstitute" not in shown(example.certificate())
    certificate = example.certificate() | {"dataset": None, "confusion": None}
    assert "no dataset" in shown(certificate)
    assert "no dataset" in page(certificate).words()
    assert "No labelled data" in card.render(certificate, example.manifest(), None)


# ---- names are untrusted ------------------------------------------------------------------------


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_stay_text_in_html(name: str) -> None:
    found = Page(html.render(*hostile(name)))
    assert not [t for t, _ in found.tags if t in ("script", "img", "iframe", "object", "link", "form", "base")]
    assert not [k for _, attributes in found.tags for k in attributes if k.startswith("on")]
    visible = "".join(found.text)
    assert not re.search("[\x00-\x09\x0b-\x1f\u202e]", visible)
    assert view.printable(name) in visible


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_stay_text_in_the_terminal(name: str) -> None:
    text = shown(hostile(name)[0])
    assert not re.search("[\x00-\x09\x0b-\x1f\u202e]", text)
    assert "".join(view.printable(name).split())[:12] in "".join(text.split())


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_stay_text_in_markdown(name: str) -> None:
    markdown = card.render(*hostile(name))
    prose = re.sub(r"```.*?\n```", "", markdown, flags=re.DOTALL)
    assert not re.search(r"(?<!\\)<(script|img)", re.sub(r"`[^`\n]*`", "", prose))
    assert not re.search(r"(?<!\\)\]\(", prose)
    assert not re.search(r"^# heading", markdown, flags=re.MULTILINE)
    assert len(re.findall("^```", markdown, flags=re.MULTILINE)) == 2 * 5
    assert markdown.splitlines().count("---") == 2
    front = markdown.split("\n---\n")[0]
    assert json.loads(re.search(r"model_name: (.*)", front)[1]) == view.printable(name)  # type: ignore[index]
    for line in markdown.splitlines():
        if line.startswith("| ✗ FAIL"):
            assert len(re.findall(r"(?<!\\)\|", line)) == 9


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("format", ["savedmodel", "tflite", "onnx"])
def test_hostile_names_stay_literals_in_code(name: str, format: str) -> None:
    tensors = Signature((TensorSpec(name, name, (None, 4)),), (TensorSpec(name, "float32", (None, 2)),), name)
    found = snippet(Artifact(format, "float32", f"{name}/x", tensors))
    assert found is not None
    tree = ast.parse(found.code)
    assert name in [n.value for n in ast.walk(tree) if isinstance(n, ast.Constant)]
    assert not [n for n in ast.walk(tree) if isinstance(n, ast.Name) and n.id in ("alert", "DROP", "owned")]


# ---- the page -----------------------------------------------------------------------------------


def test_page_loads_nothing_and_runs_nothing() -> None:
    source = html.render(failing(), example.manifest(), example.receipt())
    found = Page(source)
    for tag, attributes in found.tags:
        assert tag not in ("script", "link", "img", "iframe", "object", "embed", "use", "image")
        for name in ("src", "href", "srcset", "xlink:href", "data", "action"):
            assert (attributes.get(name) or "#").startswith("#")
    assert not re.search(r"@import|url\((?!#)", source)
    assert "://" not in source
    policy = next(a["content"] for t, a in found.tags if t == "meta" and a.get("http-equiv"))
    assert (policy or "").startswith("default-src 'none'")


def test_plots_have_titles_and_tables_have_captions() -> None:
    found = page(failing(), example.receipt())
    ids = [a["id"] for _, a in found.tags if a.get("id")]
    assert len(ids) == len(set(ids))
    images = [a for t, a in found.tags if t == "svg" and a.get("role") == "img"]
    assert len(images) == 8 + 1 + 3  # cells; precisions; loss, accuracy, learning rate
    for image in images:
        assert set((image["aria-labelledby"] or "").split()) <= set(ids)
    tags = [t for t, _ in found.tags]
    assert tags.count("caption") == tags.count("table")


def payload(name: str = "tf.min.js 4.22.0", reason: str = "") -> dict[str, Any]:
    sizes = {side: {"raw": 10 * of, "gzip": 2 * of, "brotli": of} for side, of in (("isomer", 1876), ("other", 30000))}
    first = {} if reason else {"isomer": [412.0, 300.0, 301.0], "other": [700.0, 602.0, 1.0]}
    later = {} if reason else {"isomer": [1.25, 1.5, 1.0], "other": [2.5, 2.75, 2.0]}
    times = {"first_ms": first, "later_ms": later}
    module = {"artifact": name, "backend": "cpu", "bytes": sizes, **times, "reason": reason}
    return {"against": name, "browser": name, "cpu": name, "cores": 2, "modules": [module]}


def test_what_a_page_costs_is_told_beside_the_whole_library() -> None:
    timed = example.certificate() | {"payload": payload()}
    for text in (card.render(timed, example.manifest(), None), page(timed).words()):
        for words in (
            "18,760",
            "3,752",
            "1,876",
            "300,000",
            "301",
            "602",
            "0.50",
            "0.063",
            "1.25",
            "2.5",
            "2 cores",
            "3 rounds",
        ):
            assert words in text, words
    untimed = example.certificate() | {"payload": payload(reason="Not timed: software.")}
    for text in (card.render(untimed, example.manifest(), None), page(untimed).words()):
        assert "Not timed: software." in text and "rounds" not in text
    without = example.certificate() | {"payload": {"reason": "There is nothing.", "cpu": "c", "cores": 1}}
    for text in (card.render(without, example.manifest(), None), page(without).words()):
        assert "Not measured: There is nothing." in text
    assert "In a web page" not in card.render(example.certificate(), example.manifest(), None)


def test_page_without_training_checks_or_confusion() -> None:
    certificate = example.certificate() | {"confusion": None, "checks": []}
    words = page(certificate).words()
    assert "Training" not in words
    assert "Confusion" not in words


def test_many_classes_are_listed_instead_of_drawn() -> None:
    certificate = example.certificate()
    matrix = [[5 if r == c else 0 for c in range(200)] for r in range(200)]
    matrix[7][9] = 3
    certificate["confusion"] = {"labels": [f"c{i}" for i in range(200)], "matrix": matrix, "cell": "oracle"}
    found = page(certificate)
    assert "confusion" not in [a.get("class") for _, a in found.tags]
    assert "c7 taken for c9 3" in found.words()


# ---- the plots' geometry ------------------------------------------------------------------------


def test_histogram_marks_what_lies_beyond_the_budget() -> None:
    cell = replace(example.failed_cell(), histogram=(5, 4, 3, 2), ulp_error=7.9, budget_ulp=2.0)
    plot = plots.histogram(cell, 6)
    assert [bar.over for bar in plot.bars] == [False, False, True, True]
    assert plot.budget is not None
    assert plot.largest is not None
    # 2 ULP is the left edge of bin 2; 7.9 lies in bin 3.
    assert plot.bars[1].x < plot.budget < plot.bars[2].x
    assert plot.bars[3].x < plot.largest < plot.right
    assert "2 to 4 ULP: 3 samples (21.4%)" in plot.bars[2].text


def test_a_long_histogram_keeps_its_tail() -> None:
    cell = replace(example.failed_cell(), histogram=(1,) * 300, ulp_error=1e300, budget_ulp=8.0)
    plot = plots.histogram(cell, plots.bins_needed([cell]))
    assert len(plot.bars) == plots.MAX_BINS
    assert max(b.x + b.width for b in plot.bars) <= plot.right
    assert plot.description.startswith("300 samples")


@pytest.mark.parametrize("histogram", [(), (0, 0), (7,)])
def test_small_histograms(histogram: tuple[int, ...]) -> None:
    cell = replace(example.failed_cell(), histogram=histogram, budget_ulp=None, ulp_error=None)
    assert len(plots.histogram(cell, plots.bins_needed([cell])).bars) == sum(1 for n in histogram if n)


@pytest.mark.parametrize("epochs", [1, 2, 200])
def test_curves_of_any_length(epochs: int) -> None:
    receipt = example.receipt() | {"best_epoch": 1}
    receipt["epochs"] = [{"epoch": i + 1, "loss": 1.0, "val_loss": None} for i in range(epochs)]
    plot = charts.curves(receipt, "loss")
    assert plot is not None
    assert [line.name for line in plot.lines] == ["training"]
    assert len(plot.x_ticks) <= 10
    assert charts.curves(receipt, "accuracy") is None


# ---- the card -----------------------------------------------------------------------------------


def test_card_uses_real_names_and_files() -> None:
    markdown = card.render(example.certificate(), example.manifest(), example.receipt())
    for artifact in example.artifacts():
        assert artifact.path in markdown
    code = re.findall(r"```(?:python|javascript)\n(.*?)\n```", markdown, flags=re.DOTALL)
    assert len(code) == 5
    for snippet_text in code[:4]:
        assert '"image"' in snippet_text
        assert '"digit"' in snippet_text
    assert 'tf.saved_model.load(".")' in markdown
    assert '"tfjs/float32/model.json"' in markdown
    for text in re.findall(r"```python\n(.*?)\n```", markdown, flags=re.DOTALL):
        ast.parse(text)


def test_card_front_matter_is_plain() -> None:
    markdown = card.render(example.certificate(), example.manifest(), None)
    head = markdown.split("---\n")[1].splitlines()
    assert "library_name: keras" in head
    assert json.loads(next(line for line in head if line.startswith("model_name: "))[12:]) == "cnn"


def test_card_warns_of_a_rejected_bundle() -> None:
    certificate = failing()
    assert "**rejected**" in card.render(certificate, example.manifest(certificate), None)


def test_views_do_not_change_the_documents() -> None:
    documents = (failing(), example.manifest(), example.receipt())
    before = json.dumps(documents)
    html.render(*documents)
    card.render(*documents)
    shown(documents[0])
    assert json.dumps(documents) == before


@pytest.mark.parametrize(
    ("value", "text", "short"),
    [
        (None, "–", "–"), (0.0, "0", "0"), (0.93, "0.93", "0.93"), (14.9, "14.9", "14.9"), (913.0, "913", "913"),
        (17203.0, "17,203", "17.2k"), (406323.0, "406,323", "406k"), (1.23e6, "1,230,000", "1.23M"),
        (999_900.0, "999,900", "1M"), (4.06e9, "4.06e+09", "4.06e+09"), (1e-9, "1.00e-09", "1.00e-09"),
    ],
)  # fmt: skip
def test_numbers(value: float | None, text: str, short: str) -> None:
    assert (view.number(value), view.compact(value)) == (text, short)


def test_near_ties_are_not_overstated() -> None:
    cell = replace(example.cells()[2], label_flips=3, near_ties=1)
    assert view.remark(cell) == "3 label flips, 1 near-tie."
    assert isinstance(cell, Cell)
