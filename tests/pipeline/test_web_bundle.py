"""The bundle for web pages: every backend judged, in pages under a strict policy, offline, tampered with, and typed."""

from __future__ import annotations

import functools
import hashlib
import http.server
import json
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from pipeline import frameworks, runtimes
from pipeline.artifact import Artifact
from pipeline.cells import Cell, Status
from pipeline.errors import RuntimeUnavailable
from pipeline.parity.evidence import Evidence
from pipeline.parity.judge import judge
from pipeline.runtimes import chromium, firefox, node
from pipeline.runtimes.worker import Worker
from pipeline.signature import Signature, TensorSpec
from pipeline.web_bundle import Written, payload, stock, write
from pipeline.web_bundle.image import Image, image_of
from pipeline.web_bundle.pixels import pixels

DEVICES = ("cpu", "wasm", "webgl")
POLICY = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'"
ENTRIES = runtimes.select(("web-bundle",), formats=("web",))
LIGHT = Image((8, 8, 1), (1, 8, 8), (0.0, 1.0))

try:
    chromium.find_browser()
    node.find_modules("esbuild")
except RuntimeUnavailable as error:
    pytest.skip(str(error), allow_module_level=True)


@dataclass(frozen=True)
class Made:
    """A model's bundle: the TF.js artifact that it was made of, what is judged, and what was written."""

    root: Path
    artifact: Artifact
    evidence: Evidence
    written: Written

    @property
    def listing(self) -> dict[str, Any]:
        return json.loads((self.root / "web" / "bundle.json").read_text())


def mlp(keras: Any) -> Any:
    image = keras.Input((8, 8), name="image")
    x = keras.layers.Dense(8, activation="relu")(keras.layers.Flatten()(image))
    return keras.Model(image, keras.layers.Dense(5, activation="softmax", name="probabilities")(x))


def cnn(keras: Any) -> Any:
    image = keras.Input((8, 8, 3), name="image")
    x = keras.layers.Conv2D(4, 3, padding="same", activation="relu")(image)
    x = keras.layers.BatchNormalization()(keras.layers.DepthwiseConv2D(3)(x))
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.MaxPooling2D()(x))
    return keras.Model(image, keras.layers.Dense(3, activation="gelu", name="scores")(x))


def lstm(keras: Any) -> Any:
    rows = keras.Input((5, 3), name="rows")
    return keras.Model(rows, keras.layers.Dense(2, name="scores")(keras.layers.LSTM(4)(rows)))


def several(keras: Any) -> Any:
    """Two inputs of two dtypes, one of an open length; two outputs."""
    words = keras.Input((None,), dtype="int32", name="words")
    facts = keras.Input((4,), name="facts")
    each = keras.layers.Embedding(7, 4, name="embedding")(words)
    x = keras.ops.concatenate([keras.layers.GlobalMaxPooling1D()(each), facts], axis=-1)
    return keras.Model([words, facts], {"scores": keras.layers.Dense(3)(x), "each": keras.layers.Dense(2)(each)})


MODELS: dict[str, Callable[[Any], Any]] = {"mlp": mlp, "cnn": cnn, "lstm": lstm, "several": several}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Made]:
    """The models' bundles. Not to be changed."""
    frameworks.load()
    import keras

    from pipeline.capture import capture
    from pipeline.formats import tfjs
    from pipeline.parity import legal
    from pipeline.parity.gathering import gather

    found = {}
    for name, build in MODELS.items():
        keras.utils.set_random_seed(1)
        root = tmp_path_factory.mktemp(name)
        model = build(keras)
        captured = capture(model, None)
        evidence = gather(captured, legal.invent(captured, model, 0))
        (artifact,) = tfjs.write(captured, root, "float32")
        image = LIGHT if name == "mlp" else image_of(captured.signature, None)
        written = write(artifact, root, name, evidence, DEVICES, 1000, image)
        found[name] = Made(root, artifact, evidence, written)
    return found


@pytest.mark.parametrize("name", MODELS)
def test_every_module_passes_the_verdict_that_the_whole_library_passes(made: dict[str, Made], name: str) -> None:
    it = made[name]
    with runtimes.early_start(()) as start:
        cells = judge(it.root, it.written.artifacts, ENTRIES, it.evidence, 0, start)
    assert {(c.device, c.verdict, c.reason) for c in cells} == {(d, Status.PASS, "") for d in DEVICES}
    assert not it.written.cells
    for cell in cells:
        assert cell.environment["backend"] == cell.device
        assert cell.environment["float_bits"] == 24


def test_firefox_runs_a_module_with_the_bits_that_chromium_gives(made: dict[str, Made]) -> None:
    try:
        firefox.find_firefox()
    except RuntimeUnavailable as error:
        pytest.skip(str(error))
    it = made["lstm"]
    entries = runtimes.select(("web-bundle", "web-bundle-firefox"), ("wasm",), ("web",))
    with runtimes.early_start(()) as start:
        cells = judge(it.root, it.written.artifacts, entries, it.evidence, 0, start)
    assert {(c.runtime, c.verdict, c.reason) for c in cells} == {
        ("web-bundle", Status.PASS, ""),
        ("web-bundle-firefox", Status.PASS, ""),
    }
    errors = {c.environment["browser"]: c.max_abs_error for c in cells}
    assert errors["firefox"] == errors["chromium"]


def test_a_module_holds_a_plan_or_where_there_are_loops_the_executor_of_tfjs(made: dict[str, Made]) -> None:
    executors = {name: {m["executor"] for m in it.listing["modules"]} for name, it in made.items()}
    assert executors == {"mlp": {"plan"}, "cnn": {"plan"}, "lstm": {"tfjs-converter"}, "several": {"plan"}}
    for it in made.values():
        for module in it.listing["modules"]:
            facts = it.listing["files"][module["module"]]
            code = (it.root / "web" / module["module"]).read_bytes()
            assert facts["brotli"] < facts["gzip"] < facts["bytes"] == len(code)
            for name in ("eval(", "new Function"):
                assert name.encode() not in code, (module["module"], name)


@pytest.mark.parametrize("name", ["lstm", "several"])
def test_bytes_and_times_are_measured_beside_the_whole_library(made: dict[str, Made], name: str) -> None:
    try:
        stock.sizes()
    except RuntimeUnavailable as error:
        pytest.skip(str(error))
    it = made[name]
    row = it.evidence.judged.take(np.arange(1))
    found = payload.measure(it.root, it.written.artifacts, row, {"webgl": "emulated"}, rounds=2)
    assert found is not None
    by_backend = {module["backend"]: module for module in found["modules"]}
    assert set(by_backend) == set(DEVICES)
    for backend, module in by_backend.items():
        ours, theirs = (module["bytes"][side] for side in ("isomer", "tf.min.js"))
        assert ours["brotli"] < ours["gzip"] < ours["raw"] < theirs["raw"]
        assert module["reason"] == ("emulated" if backend == "webgl" else "")
        for times in (module["first_ms"], module["later_ms"]):
            assert {side: len(list_) for side, list_ in times.items()} == (
                {} if backend == "webgl" else {"isomer": 2, "tf.min.js": 2}
            )
        assert all(ms > 0 for list_ in module["first_ms"].values() for ms in list_)
    assert by_backend["cpu"]["bytes"]["isomer"]["brotli"] < 0.2 * by_backend["cpu"]["bytes"]["tf.min.js"]["brotli"]


def test_what_cannot_be_timed_says_why(made: dict[str, Made], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    it = made["mlp"]
    row = it.evidence.judged.take(np.arange(1))
    try:
        stock.sizes()
    except RuntimeUnavailable as error:
        pytest.skip(str(error))
    shutil.copytree(it.root, tmp_path / "bundle")
    (tmp_path / "bundle" / "web" / "float32" / "weights.bin").write_bytes(b"another")
    found = payload.measure(tmp_path / "bundle", it.written.artifacts, row, {"webgl": "emulated"}, rounds=1)
    assert found is not None
    reasons = {module["backend"]: module["reason"] for module in found["modules"]}
    assert all("weights.bin" in reasons[backend] for backend in ("cpu", "wasm")), reasons
    monkeypatch.setenv("ISOMER_CHROMIUM", "/nowhere/chromium")
    found = payload.measure(it.root, it.written.artifacts, row, {}, rounds=1)
    assert found is not None
    assert all("/nowhere/chromium" in module["reason"] for module in found["modules"])
    monkeypatch.setattr(stock, "DIRECTORY", tmp_path / "empty")
    found = payload.measure(it.root, it.written.artifacts, row, {}, rounds=1)
    assert found is not None and set(found) == {"reason"} and "make setup" in found["reason"]
    assert payload.measure(it.root, (it.artifact,), row, {}) is None


def test_only_what_was_found_right_on_real_hardware_is_timed() -> None:
    def cell(device: str, verdict: Status, **environment: Any) -> Cell:
        return Cell("web", "float32", "web-bundle", device, device, verdict=verdict, environment=environment)

    soft = cell("webgl", Status.PASS, adapter_is_software=True)
    found = payload.untimed([cell("cpu", Status.PASS), cell("wasm", Status.FAIL), soft])
    assert set(found) == {"wasm", "webgl"} and "FAIL" in found["wasm"] and "software" in found["webgl"]


def test_the_same_artifact_gives_the_same_bytes(made: dict[str, Made], tmp_path: Path) -> None:
    it = made["cnn"]
    shutil.copytree(it.root / "tfjs", tmp_path / "tfjs")
    write(it.artifact, tmp_path, "cnn", it.evidence, DEVICES, 1000, image_of(it.artifact.signature, None))
    files = [p.relative_to(tmp_path) for p in (tmp_path / "web").rglob("*") if p.is_file()]
    assert len(files) == 12
    for file in files:
        assert (tmp_path / file).read_bytes() == (it.root / file).read_bytes(), file


@pytest.mark.parametrize("stored", ["float16", "uint8", "uint16"])
def test_reduced_weights_answer_what_the_whole_library_answers(
    made: dict[str, Made], tmp_path: Path, stored: str
) -> None:
    from tensorflowjs.write_weights import write_weights

    it = made["cnn"]
    target = tmp_path / "tfjs" / stored
    target.mkdir(parents=True)
    model = json.loads((it.root / "tfjs" / "float32" / "model.json").read_text())
    weights, data, at = [], (it.root / "tfjs" / "float32" / "group1-shard1of1.bin").read_bytes(), 0
    for entry in model["weightsManifest"][0]["weights"]:
        values = np.frombuffer(data, entry["dtype"], int(np.prod(entry["shape"])), at).reshape(entry["shape"])
        weights.append({"name": entry["name"], "data": values})
        at += values.nbytes
    names = [w["name"] for w in weights if w["data"].dtype == np.float32]
    model["weightsManifest"] = write_weights(
        [weights], str(target), write_manifest=False, quantization_dtype_map={stored: names}
    )
    (target / "model.json").write_text(json.dumps(model))
    artifact = replace(it.artifact, precision=stored, path=f"tfjs/{stored}")
    (module,) = write(artifact, tmp_path, "cnn", it.evidence, ("wasm",), 1000).artifacts
    assert (module.path, module.precision) == (f"web/{stored}/wasm.mjs", stored)
    whole, shipped = ((it.root / "web/float32/weights.bin"), (tmp_path / "web" / stored / "weights.bin"))
    assert shipped.stat().st_size < (0.6 if "16" in stored else 0.4) * whole.stat().st_size
    answers = []
    for runtime, of in (("tfjs_node", artifact), ("web_bundle", module)):
        with Worker(f"pipeline.runtimes.{runtime}", "wasm", 120) as worker:
            worker.activate(of, of.locate(tmp_path))
            answers.append(worker.infer(it.evidence.judged.tensors, 16)[0]["scores"])
    assert np.array_equal(*answers)
    assert not np.array_equal(answers[0], it.evidence.reference["scores"])


# In pages.


class _Quiet(http.server.SimpleHTTPRequestHandler):
    extensions_map: ClassVar = {**http.server.SimpleHTTPRequestHandler.extensions_map, ".mjs": "text/javascript"}

    def end_headers(self) -> None:
        self.send_header("Content-Security-Policy", POLICY)
        self.send_header("Cache-Control", "no-store")
        super().end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def hosted(directory: Path) -> Iterator[tuple[str, http.server.ThreadingHTTPServer]]:
    """A static host with a strict policy."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(directory)))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/", server
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        found = playwright.chromium.launch(
            executable_path=chromium.find_browser().path,
            args=list(chromium.launch_flags("webgl")),
            chromium_sandbox=chromium.sandboxed(),
        )
        yield found
        found.close()


@dataclass
class Open:
    """A page that shows what its script found."""

    page: Any
    said: list[str]
    url: str
    server: http.server.ThreadingHTTPServer

    def result(self) -> Any:
        found = self.page.evaluate("() => globalThis.done")
        assert "error" not in (found or {"error": self.said}), found
        return found["result"]


@pytest.fixture
def site(browser: Any, tmp_path: Path) -> Iterator[Callable[[Made, str], Open]]:
    """Opens a page beside a copy of a bundle; its script's `run` resolves to what is to be seen."""
    with hosted(tmp_path) as (url, server):
        contexts = []

        def start(it: Made, script: str) -> Open:
            shutil.copytree(it.root / "web", tmp_path / "web", dirs_exist_ok=True)
            for name in ("service-worker.js", "offline.mjs"):
                shutil.copyfile(it.root / "web" / name, tmp_path / name)
            (tmp_path / "page.mjs").write_text(
                f"const run = async () => {{ {script} }};\n"
                "globalThis.done = run().then((result) => ({result}), (error) => ({error: String(error.stack)}));"
            )
            (tmp_path / "index.html").write_text(
                '<!doctype html><html lang="en"><title>t</title><script type="module" src="page.mjs"></script></html>'
            )
            contexts.append(browser.new_context())
            page, said = contexts[-1].new_page(), []
            page.on("console", lambda message: said.append(message.text))
            page.on("pageerror", lambda error: said.append(str(error)))
            page.goto(url)
            return Open(page, said, url, server)

        yield start
        for context in contexts:
            context.close()


def test_modules_of_all_backends_live_in_one_page_and_leave_no_trace(
    made: dict[str, Made], site: Callable[[Made, str], Open]
) -> None:
    opened = site(
        made["mlp"],
        """
        const before = Object.keys(globalThis), x = Float32Array.from({length: 3 * 64}, (_, i) => (i * 7 % 11) / 11);
        const modules = await Promise.all(['cpu', 'wasm', 'webgl'].map((name) => import(`./web/float32/${name}.mjs`)));
        const models = await Promise.all(modules.map(({load}) => load()));
        const answers = await Promise.all(models.map((model) => model.predict({image: x})));
        const again = await models[0].predict({image: {data: x, shape: [3, 8, 8]}});
        const tensors = models.map((model) => model.environment().tensors);
        for (let i = 0; i < 100; i++) await Promise.all(models.map((model) => model.predict({image: x.subarray(64)})));
        const later = models.map((model) => model.environment().tensors);
        models.forEach((model) => model.dispose());
        const gone = await models[1].predict({image: x}).catch(String);
        const reborn = await (await modules[1].load()).predict({image: x});
        return {
          answers: answers.map(({probabilities: {shape, dtype, data}}) => ({shape, dtype, data: [...data]})),
          again: [...again.probabilities.data], tensors, later, gone, reborn: [...reborn.probabilities.data],
          new: Object.keys(globalThis).filter((key) => key !== 'done' && !before.includes(key)),
          names: modules.map(({backend, precision, name}) => [backend, precision, name].join()),
        };""",
    )
    found = opened.result()
    cpu, wasm, webgl = (np.array(answer["data"]).reshape(3, 5) for answer in found["answers"])
    assert [(a["shape"], a["dtype"]) for a in found["answers"]] == [([3, 5], "float32")] * 3
    assert np.abs(cpu.sum(1) - 1).max() < 1e-6
    assert np.ptp(cpu, axis=0).max() > 1e-3  # rows differ, so that equality says something
    for other in (wasm, webgl):
        np.testing.assert_allclose(other, cpu, rtol=1e-5)
    assert found["again"] == cpu.ravel().tolist()
    assert found["reborn"] == wasm.ravel().tolist()
    assert found["tensors"] == found["later"]
    assert "disposed" in found["gone"]
    assert found["new"] == []
    assert found["names"] == ["cpu,float32,mlp", "wasm,float32,mlp", "webgl,float32,mlp"]
    assert [line for line in opened.said if "favicon" not in line and "404" not in line] == []


def test_inputs_that_do_not_fit_are_refused_by_name(made: dict[str, Made], site: Callable[[Made, str], Open]) -> None:
    found = site(
        made["several"],
        """
        const {load, inputs} = await import('./web/float32/cpu.mjs'), model = await load();
        const words = {data: [1, 2, 3, 4, 5, 6], shape: [2, 3]}, facts = new Float32Array(8).fill(0.5);
        const bad = [
          {words}, {words, facts, more: facts}, {words, facts: facts.subarray(1)},
          {words: {data: [1, 2], shape: [2, 3]}, facts}, {words: {data: [1, 2], shape: [2]}, facts},
        ];
        const said = [];
        for (const each of bad) said.push(await model.predict(each).then(() => 'answered', (error) => error.message));
        const {scores, each} = await model.predict({words, facts});
        return {said, inputs, shapes: [scores.shape, each.shape], tensors: model.environment().tensors};""",
    ).result()
    assert [text.split("'")[1] for text in found["said"]] == ["facts", "more", "facts", "words", "words"]
    assert found["shapes"] == [[2, 3], [2, 3, 2]]
    assert found["inputs"]["words"] == {"dtype": "int32", "shape": [None, None]}
    assert "4 values" not in found["said"][2] and "7 values" in found["said"][2]


@pytest.mark.parametrize("file", ["weights.bin", "tfjs-backend-wasm-simd.wasm"])
def test_a_file_that_is_not_the_exported_one_is_refused(
    made: dict[str, Made], site: Callable[[Made, str], Open], tmp_path: Path, file: str
) -> None:
    script = """
        const {load} = await import('./web/float32/wasm.mjs');
        return load().then(() => 'loaded', (error) => error.message);"""
    opened = site(made["mlp"], script)
    assert opened.result() == "loaded"
    path = tmp_path / "web" / "float32" / file
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    opened.page.reload()
    assert file in opened.result()
    path.unlink()
    opened.page.reload()
    assert file in opened.result()


def test_the_page_works_offline_once_it_was_asked_to(made: dict[str, Made], site: Callable[[Made, str], Open]) -> None:
    opened = site(
        made["mlp"],
        """
        const {load} = await import('./web/float32/wasm.mjs'), model = await load();
        const {probabilities} = await model.predict({image: new Float32Array(64).fill(0.25)});
        const {keepOffline} = await import('./offline.mjs');
        return {answer: [...probabilities.data], kept: await keepOffline(), online: await fetch('web/bundle.json').then(
            () => true, () => false)};""",
    )
    first = opened.result()
    assert first["kept"]["kept"] == first["kept"]["of"] >= 5
    assert first["online"]
    opened.server.shutdown()
    opened.server.server_close()
    opened.page.reload()
    again = opened.result()
    assert again["answer"] == first["answer"]
    assert not again["online"]  # what the page had not loaded by then is not there


def test_pixels_of_a_canvas_become_the_very_bits_that_python_makes_of_them(
    made: dict[str, Made], site: Callable[[Made, str], Open]
) -> None:
    found = site(
        made["mlp"],
        """
        const {fromPixels} = await import('./web/float32/cpu.mjs');
        const cases = [[8, 8], [80, 80], [5, 3], [37, 61], [1, 1]], results = [];
        for (const [at, [width, height]] of cases.entries()) {
          const canvas = Object.assign(document.createElement('canvas'), {width, height});
          const context = canvas.getContext('2d');
          for (let i = 0; i < 40; i++) {
            context.fillStyle = `hsla(${i * 47} 80% ${i * 2}% / ${(i % 5) / 4})`;
            context.fillRect(i * 13 % width, i * 7 % height, width / 3 + i % 4, height / 4 + i % 3);
          }
          const image = context.getImageData(0, 0, width, height);
          for (const options of [{}, {invert: true}, {range: [-1, 1]}]) {
            const {data, shape} = fromPixels(image, options);
            results.push({image: [...image.data], width, height, options, shape,
              bytes: [...new Uint8Array(data.buffer)]});
          }
        }
        const all = Uint8ClampedArray.from({length: 1024}, (_, i) => i % 4 === 3 ? 255 : i >> 2);
        const greys = [0, 64, 128, 192].map((start) => {
          const part = all.subarray(4 * start, 4 * start + 256);
          return [...fromPixels({data: part, width: 8, height: 8}).data];
        });
        return {results, greys: greys.flat()};""",
    ).result()
    for case in found["results"]:
        rgba = np.array(case["image"], np.uint8).reshape(case["height"], case["width"], 4)
        wanted = pixels(rgba, LIGHT, case["options"].get("range"), case["options"].get("invert", False))
        assert case["shape"] == list(wanted.shape)
        assert wanted.std() > 0 or rgba.size == 4
        got = hashlib.sha256(bytes(case["bytes"])).hexdigest()
        assert got == hashlib.sha256(wanted.tobytes()).hexdigest(), (case["width"], case["height"], case["options"])
    # An image that fits is what the datasets make of their bytes.
    assert np.array_equal(np.array(found["greys"], np.float32), np.arange(256, dtype=np.float32) / np.float32(255))


def test_types_know_this_models_names(made: dict[str, Made], tmp_path: Path) -> None:
    (tmp_path / "page.mts").write_text(
        f"""
import {{load, inputs, backend, fromPixels}} from '{made["mlp"].root / "web" / "float32" / "cpu.mjs"}';
import * as both from '{made["several"].root / "web" / "float32" / "wasm.mjs"}';
const model = await load();
const {{probabilities}} = await model.predict({{image: new Float32Array(64)}});
const rows: Float32Array = probabilities.data;
const size: 8 = inputs.image.shape[1], device: 'cpu' = backend;
await model.predict({{image: fromPixels(new ImageData(8, 8))}});
const other = await both.load({{base: new URL('https://localhost')}});
const {{scores, each}} = await other.predict({{words: {{data: [1, 2], shape: [1, 2]}}, facts: [1, 2, 3, 4]}});
// @ts-expect-error: another name
await model.predict({{picture: new Float32Array(64)}});
// @ts-expect-error: another type
await model.predict({{image: 'text'}});
// @ts-expect-error: no such output
probabilities.words;
// @ts-expect-error: this model reads no image
both.fromPixels;
"""
    )
    compiler = node.find_modules("typescript") / "typescript" / "bin" / "tsc"
    options = ["--noEmit", "--strict", "--target", "es2022", "--module", "nodenext", "--lib", "es2022,dom"]
    done = subprocess.run(
        [node.find_node().path, compiler, *options, tmp_path / "page.mts"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout


# What cannot be made.


def _without_model(**changes: Any) -> Artifact:
    spec = TensorSpec("x", "float32", (None, 2))
    return replace(Artifact("tfjs", "float32", "tfjs/float32", Signature((spec,), (spec,))), **changes)


def test_what_cannot_be_made_is_a_cell_with_its_reason(
    made: dict[str, Made], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evidence = made["mlp"].evidence
    text = Signature((TensorSpec("x", "string", (None, 1)),), (TensorSpec("y", "float32", (None, 1)),))
    written = write(_without_model(signature=text), tmp_path, "m", evidence, DEVICES, 1000)
    assert {(c.device, c.verdict, c.required) for c in written.cells} == {(d, "UNSUPPORTED", False) for d in DEVICES}
    assert all("string" in c.reason for c in written.cells)
    written = write(_without_model(), tmp_path, "m", evidence, ("cpu",), 10**9)
    assert [(c.device, c.verdict) for c in written.cells] == [("cpu", "UNSUPPORTED")]
    assert "1000 million" in written.cells[0].reason
    written = write(_without_model(), tmp_path, "m", evidence, ("wasm",), 1000)  # there is no model.json
    assert "model.json" in written.cells[0].reason
    monkeypatch.setenv("ISOMER_NODE_MODULES", str(tmp_path))
    written = write(made["mlp"].artifact, made["mlp"].root, "m", evidence, DEVICES, 1000)
    assert {c.verdict for c in written.cells} == {"NOT_RUN"}
    assert not (tmp_path / "web").exists() and not list(tmp_path.glob(".web-*"))


@pytest.mark.parametrize(
    ("shape", "size"),
    [
        ((None, 28, 28), (28, 28, 1)),
        ((None, 32, 48, 3), (32, 48, 3)),
        ((None, 32, 32, 2), None),
        ((None, None, 28), None),
        ((None, 3, 2), None),
        ((None, 9), None),
    ],
)
def test_only_an_image_gets_pixels(shape: tuple[int | None, ...], size: tuple[int, ...] | None) -> None:
    spec = TensorSpec("x", "float32", shape)
    found = image_of(Signature((spec,), (spec,)), None)
    assert (found and found.size) == size
    assert image_of(Signature((spec, replace(spec, name="y")), (spec,)), None) is None
    assert image_of(Signature((replace(spec, dtype="int32"),), (spec,)), None) is None
