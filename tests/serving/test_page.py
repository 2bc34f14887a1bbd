"""The page in a real browser: what a visitor sees and takes away, and what goes wrong."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from command import run
from live import Live, serving
from playwright.sync_api import Browser
from visitor import Visitor, chromium, png

from pipeline import frameworks
from pipeline.bundle import manifest
from pipeline.errors import RuntimeUnavailable
from pipeline.runtimes.chromium import find_browser
from serving.web.shell import DIRECTORY

SCHEMA = Path(__file__).parents[2] / "serving" / "web" / "schemas" / "device-certificate.json"
EXPECTED = {
    "tfjs-cpu", "tfjs-wasm", "tfjs-webgl", "tfjs-webgpu", "onnxruntime-wasm", "onnxruntime-webgpu", "litert-wasm",
    "litert-webgpu",
}  # fmt: skip

try:
    find_browser()
except RuntimeUnavailable as error:
    pytestmark = pytest.mark.skip(reason=str(error))


NATIVE = ("--runtime", "tensorflow,litert,onnxruntime", "--device", "cpu")


@pytest.fixture(scope="module")
def bundles(exports: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny bundle, and `pair`: two inputs, ONNX only. In all formats: `row`: numbers; `words`: a sequence of whole
    numbers of any length, read by an LSTM; `mixed`: two inputs of two dtypes, two outputs."""
    assert (DIRECTORY / "index.html").is_file(), "the page is not built: run `make setup`"
    root = tmp_path_factory.mktemp("page")
    shutil.copytree(exports / "tiny" / "1", root / "tiny" / "1")
    frameworks.load()
    import keras

    a, b = keras.Input((3,), name="a"), keras.Input((2,), name="b")
    keras.Model([a, b], keras.layers.Dense(2, name="y")(keras.layers.Concatenate()([a, b]))).save(root / "pair.keras")
    done = run("export", root / "pair.keras", "--format", "onnx", "--runtime", "onnxruntime", "--output", root)
    assert done.code == 0, done.err
    x, words, facts = keras.Input((5,), name="x"), keras.Input((None,), dtype="int32", name="words"), keras.Input((4,))
    layers = keras.layers
    seen = layers.LSTM(4)(layers.Embedding(30, 4)(words))
    fixed = keras.Input((6,), dtype="int32", name="codes")
    both = layers.Concatenate()([layers.GlobalMaxPooling1D()(layers.Embedding(9, 4)(fixed)), facts])
    models = {
        "row": keras.Model(x, layers.Dense(3, activation="softmax", name="y")(x)),
        "words": keras.Model(words, layers.Dense(3, activation="softmax", name="y")(seen)),
        "mixed": keras.Model([fixed, facts], {"scores": layers.Dense(3)(both), "mean": layers.Dense(1)(both)}),
    }
    for name, model in models.items():
        model.save(root / f"{name}.keras")
    done = run("export", *(root / f"{name}.keras" for name in models), *NATIVE, "--output", root)
    assert done.code == 0, done.err
    for name in ("pair", *models):
        (root / f"{name}.keras").unlink()
    return root


@pytest.fixture(scope="module")
def live(bundles: Path) -> Iterator[Live]:
    with serving(bundles, "--web") as server:
        yield server


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium with WebGL and WebGPU, software-rendered where there is no GPU."""
    with chromium("webgpu") as found:
        yield found


@pytest.fixture
def visitor(browser: Browser) -> Iterator[Visitor]:
    one = Visitor(browser)
    yield one
    one.page.context.close()


@pytest.fixture(scope="module")
def checked(live: Live, browser: Browser) -> Iterator[Visitor]:
    """A visitor who has the answers and has checked the device, with the whole certificate open."""
    one = Visitor(browser)
    one.open(live, "tiny")
    one.answered()
    one.check()
    one.page.locator("summary").first.click()
    yield one
    one.page.context.close()


def test_every_runtime_answers_a_golden_sample_and_a_drawing(live: Live, visitor: Visitor) -> None:
    visitor.open(live, "tiny")
    rows = visitor.answered()
    assert rows.keys() == EXPECTED
    assert all("PASS" in text and "float32" in text and "p90" in text for text in rows.values()), rows
    assert "8 of 8 expected runtimes answered, all say" in visitor.headline()
    assert visitor.page.locator("h1").inner_text().startswith("tiny")

    visitor.draw()
    visitor.page.get_by_text("from the others").first.wait_for()
    rows = visitor.answered()
    assert all("from the others" in text for text in rows.values()), rows
    assert "8 of 8 expected runtimes answered, all say" in visitor.headline()
    seen = "c => [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data].filter((v, i) => i % 4 === 0)"
    drawn = visitor.page.locator(".seen").evaluate(seen)
    assert len(drawn) == 64
    assert max(drawn) > 128

    surface = visitor.page.get_by_role("application", name="Drawing surface")
    visitor.page.get_by_role("button", name="Clear").click()
    for key in ("Space", *["ArrowDown"] * 6, "Space"):
        surface.press(key)
    visitor.page.wait_for_function(
        "before => String([...document.querySelector('.seen').getContext('2d').getImageData(0, 0, 8, 8).data]"
        ".filter((v, i) => i % 4 === 0)) !== before",
        arg=",".join(map(str, drawn)),
    )
    assert visitor.complaints == []


def test_checking_the_device_gives_a_certificate(live: Live, bundles: Path, checked: Visitor) -> None:
    rows = checked.rows(".cells")
    assert rows.keys() == EXPECTED
    assert all("PASS" in text for text in rows.values()), rows
    assert checked.verdict() == "PASS"
    document = checked.certificate()
    jsonschema.validate(document, json.loads(SCHEMA.read_text()))
    assert document["verdict"] == "PASS"
    assert document["bundle"]["manifest_sha256"] == manifest.sha256(bundles / "tiny" / "1" / manifest.NAME)
    assert document["bundle"]["digest"] == manifest.read(bundles / "tiny" / "1")["digest"]
    with np.load(bundles / "tiny" / "1" / "golden" / "samples.npz") as samples:
        judged = len(samples["input/image"])
    for cell in document["cells"]:
        assert cell["samples"] == judged
        assert cell["batches"] == ([1] if cell["library"] == "litert" else [3, 1, 500])
        assert cell["repeat_equal"] is True
        assert cell["float_bits"] == 24
        assert cell["budget_class"] == "float32"
    gpu = next(c for c in document["cells"] if (c["library"], c["device"]) == ("tfjs", "webgl"))
    assert gpu["environment"]["adapter"]
    assert checked.complaints == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_no_barriers_and_no_overflow(checked: Visitor, theme: str) -> None:
    checked.page.emulate_media(color_scheme=theme, reduced_motion="reduce")  # type: ignore[arg-type]
    checked.page.set_viewport_size({"width": 1280, "height": 900})
    assert checked.barriers() == []
    for width in (768, 390, 320):
        checked.page.set_viewport_size({"width": width, "height": 844})
        assert checked.overflow() <= 0, width
    assert checked.barriers() == []


def test_without_webgpu_the_browsers_own_words_stand_there(live: Live, browser: Browser) -> None:
    visitor = Visitor(browser, service_workers="block")  # which would answer in place of the route
    visitor.page.route("**/assets/runner.worker-*.js", lambda route: _without_webgpu(route))
    visitor.open(live, "tiny")
    rows = visitor.check()
    missing = {name for name, text in rows.items() if "NOT RUN" in text}
    assert missing == {"tfjs-webgpu", "onnxruntime-webgpu", "litert-webgpu"}
    assert all("requestAdapter() gave null" in rows[name] for name in missing), rows
    assert visitor.verdict() == "PASS"
    assert "5 of 8 expected runtimes pass, 3 did not run here" in visitor.page.locator(".banner").inner_text()
    answers = visitor.answered()
    assert all("NOT RUN" in answers[name] for name in missing)
    assert "5 of 8 expected runtimes answered" in visitor.headline()
    visitor.page.context.close()


def _without_webgpu(route) -> None:  # type: ignore[no-untyped-def]
    """A worker in which there is no adapter, as in a browser without one."""
    response = route.fetch()
    route.fulfill(response=response, body="navigator.gpu.requestAdapter = async () => null;\n" + response.text())


def test_a_page_that_was_visited_works_offline(bundles: Path, browser: Browser) -> None:
    visitor = Visitor(browser)
    with serving(bundles, "--web") as server:
        visitor.open(server, "tiny")
        visitor.page.evaluate("navigator.serviceWorker.ready.then(() => {})")
        visitor.page.reload()  # now through the service worker
        visitor.answered()
        server.stop()
    visitor.page.reload()
    rows = visitor.answered()
    assert rows.keys() == EXPECTED
    assert all("PASS" in text for text in rows.values()), rows
    visitor.page.context.close()


def test_a_broken_model_and_tampered_weights_fail(bundles: Path, visitor: Visitor, tmp_path: Path) -> None:
    # Without its neighbour, which has no TFLite file to serve.
    root = Path(shutil.copytree(bundles / "tiny", tmp_path / "exports" / "tiny")) / "1"
    old = manifest.read(root)
    (root / "onnx" / "float32.onnx").write_bytes(b"no model at all")
    _list_again(root, old)
    with serving(tmp_path / "exports", "--web", "--engine", "tflite", "--poll-seconds", "1000") as server:
        visitor.open(server, "tiny")
        visitor.page.get_by_role("heading", name="tiny").wait_for()
        shard = next((root / "tfjs" / "float32").glob("*.bin"))
        content = bytearray(shard.read_bytes())
        content[-3] ^= 1
        shard.write_bytes(content)
        rows = visitor.check()
    for name, text in rows.items():
        assert ("PASS" if name.startswith("litert") else "FAIL") in text, (name, text)
    assert "its content changed since it was exported" in rows["tfjs-wasm"]
    assert "crashed:" in rows["onnxruntime-wasm"]
    assert visitor.verdict() == "FAIL"
    document = visitor.certificate()
    jsonschema.validate(document, json.loads(SCHEMA.read_text()))


def _list_again(root: Path, old: dict[str, object]) -> None:
    """A manifest of the files as they are now."""
    new = manifest.build(root, str(old["model"]), 1, str(old["created"]), ())
    manifest.write(root, {**new, "artifacts": old["artifacts"]})


def test_ink_on_paper_is_turned_into_what_the_samples_are(bundles: Path, live: Live, visitor: Visitor) -> None:
    with np.load(bundles / "tiny" / "1" / "golden" / "samples.npz") as golden:
        (samples,) = (golden[name][: int(golden["regular"])] for name in golden.files if name.startswith("input/"))
    inside = np.zeros(samples.shape[1:3], bool)
    inside[1:-1, 1:-1] = True
    dark = bool(samples[:, ~inside].mean() < (samples.min() + samples.max()) / 2)
    visitor.open(live, "tiny")
    visitor.answered()
    paper = np.full((64, 64), 255, np.uint8)
    paper[16:48, 24:40] = 0
    visitor.page.get_by_role("tab", name="Picture").click()
    visitor.page.get_by_label("Choose a picture, or drop one here").set_input_files(
        {"name": "one.png", "mimeType": "image/png", "buffer": png(paper)}
    )
    exchanged = visitor.page.get_by_role("checkbox", name="Dark and light exchanged")
    pixels = "c => [...c.getContext('2d').getImageData(0, 0, 8, 8).data].filter((v, i) => i % 4 === 0)"
    for turned in (dark, not dark):  # paper is light
        visitor.page.get_by_text("from the others").first.wait_for()
        visitor.answered()
        seen = visitor.page.locator(".seen").evaluate(pixels)
        assert exchanged.is_checked() is turned
        assert (seen[0] < 64 < 192 < seen[8 * 4 + 4]) is turned
        exchanged.click()


def test_several_inputs_are_given_as_json(live: Live, visitor: Visitor) -> None:
    visitor.open(live, "pair")
    rows = visitor.answered()
    assert all("PASS" in rows[name] for name in ("onnxruntime-wasm", "onnxruntime-webgpu")), rows
    assert all("UNSUPPORTED" in text for name, text in rows.items() if not name.startswith("onnx")), rows
    page = visitor.page
    page.get_by_role("tab", name="Values").click()
    text = page.get_by_role("textbox")
    given = json.loads(text.input_value())
    assert {name: np.shape(value) for name, value in given.items()} == {"a": (1, 3), "b": (1, 2)}
    for wrong, said in (
        ("{", "Not run:"),
        (json.dumps({"a": [[1, 2, 3]]}), "input 'b' is missing"),
        (json.dumps(given | {"b": [[1]]}), "'b' has shape [1,1], the model takes [any,2]"),
        (json.dumps(given | {"b": [["x", 1]]}), "'b' takes numbers"),
    ):
        text.fill(wrong)
        page.get_by_role("button", name="Run").click()
        page.get_by_text(said).wait_for()
    text.fill(json.dumps({"a": [[1, 2, 3]], "b": [[4, 5]]}))
    page.get_by_role("button", name="Run").click()
    page.get_by_text("from the others").first.wait_for()
    assert visitor.complaints == []


def test_a_row_of_numbers_is_given_by_sliders_and_fields(live: Live, visitor: Visitor) -> None:
    visitor.open(live, "row")
    rows = visitor.answered()
    assert rows.keys() == EXPECTED
    assert all("PASS" in text for text in rows.values()), rows
    page = visitor.page
    page.get_by_role("tab", name="Sliders").click()
    assert page.get_by_role("slider").count() == 5
    slider, field = page.get_by_role("slider", name="x[2]"), page.get_by_role("spinbutton", name="x 2, exactly")
    before = field.input_value()
    slider.press("End")
    assert float(field.input_value()) == pytest.approx(float(slider.get_attribute("max") or "nan"), rel=1e-3)
    assert field.input_value() != before
    page.get_by_text("from the others").first.wait_for()
    assert all("from the others" in text for text in visitor.answered().values())
    field.fill("25")
    field.press("Enter")
    rows = visitor.answered()
    assert all("from the others" in text for text in rows.values()), rows
    assert field.input_value() == "25"
    assert "8 of 8 expected runtimes answered, all say" in visitor.headline()
    _without_barriers(visitor)


def test_a_sequence_of_any_length_is_given_as_whole_numbers(live: Live, visitor: Visitor) -> None:
    visitor.open(live, "words")
    rows = visitor.answered()
    assert all(("UNSUPPORTED" if name.startswith("litert") else "PASS") in text for name, text in rows.items()), rows
    page = visitor.page
    page.get_by_role("tab", name="Numbers").click()
    text, go = page.get_by_role("textbox", name="words"), page.get_by_role("button", name="Run")
    assert all(0 <= int(word) < 30 for word in text.input_value().split())
    for wrong, said in (("3 x 4", "'x' is no whole"), ("1 2.5", "'2.5' is no whole"), (" ", "there are no numbers")):
        text.fill(wrong)
        go.click()
        page.get_by_text(said).wait_for()
    for words in ("1 2 3 4 5 6 7 8 9 10 11 12 13", "29, 0"):
        text.fill(words)
        go.click()
        page.get_by_text("from the others").first.wait_for()
        rows = visitor.answered()
        assert "6 of 8 expected runtimes answered, all say" in visitor.headline(), rows
    _without_barriers(visitor)


def test_inputs_of_two_dtypes_come_from_a_file(live: Live, visitor: Visitor) -> None:
    visitor.open(live, "mixed")
    rows = visitor.answered()
    assert all("PASS" in text for text in rows.values()), rows
    assert len({line for text in rows.values() for line in text.splitlines() if " = [" in line}) == 1, rows
    page = visitor.page
    page.get_by_role("tab", name="Values").click()
    given = json.loads(page.get_by_role("textbox").input_value())
    facts = next(name for name in given if name != "codes")
    given = {"codes": [[0, 1, 2, 3, 4, 5]] * 3, facts: [[0.5, -1, 2, 0]] * 3}
    file = {"name": "inputs.json", "mimeType": "application/json", "buffer": json.dumps(given).encode()}
    page.get_by_label("Load a JSON file").set_input_files(file)  # type: ignore[arg-type]
    page.get_by_text("from the others").first.wait_for()
    rows = visitor.answered()
    assert all("from the others" in text for text in rows.values()), rows
    assert "8 of 8 expected runtimes answered" in visitor.headline()
    page.get_by_text("All values").click()
    assert "float32 [3,3]" in page.locator(".outputs").inner_text()
    _without_barriers(visitor)


def _without_barriers(visitor: Visitor) -> None:
    """Nothing that axe finds, nothing wider than a phone, and no complaint on the console."""
    for width in (1280, 390):
        visitor.page.set_viewport_size({"width": width, "height": 844})
        assert visitor.overflow() <= 0, width
    assert visitor.barriers() == []
    assert visitor.complaints == []
