"""ONNX Runtime, LiteRT.js and TF.js in pages, in two browsers: what ran, how exactly, and whether it stays so."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from graph_models import BIAS, KERNEL, ROWS, dense, op, write
from onnx import TensorProto, helper

from pipeline.artifact import Artifact
from pipeline.errors import RuntimeCrash, RuntimeUnavailable, RuntimeUnsupported
from pipeline.runtimes import RUNTIMES, firefox, node, select
from pipeline.runtimes.chromium import find_browser
from pipeline.runtimes.web.chromium_page import ChromiumPage
from pipeline.runtimes.worker import Worker
from pipeline.signature import Signature, TensorSpec

TIMEOUT = 120.0
ARTIFACT = Artifact("", "float32", "", Signature((), ()))
FORMATS = {"tfjs": "tfjs", "onnxruntime": "onnx", "litert": "tflite"}
CELLS = [
    ("onnxruntime_node", "cpu"),
    ("onnxruntime_web", "wasm"),
    ("onnxruntime_web", "wasm-threads"),
    ("onnxruntime_web", "webgpu"),
    ("litert_web", "wasm"),
    ("litert_web", "wasm-threads"),
    ("litert_web", "webgpu"),
    ("tfjs_browser", "webgpu"),
    ("tfjs_firefox", "wasm"),
    ("onnxruntime_firefox", "wasm"),
    ("litert_firefox", "wasm"),
]
PAGES = [(library, device) for library in FORMATS for device in ("wasm", "webgpu")] + [("tfjs", "webgl")]


def tensor(name: str, kind: int, *shape: int | str) -> Any:
    return helper.make_tensor_value_info(name, kind, list(shape))


def save(path: Path, nodes: list[Any], inputs: list[Any], outputs: list[Any], *constants: Any) -> Path:
    graph = helper.make_graph(nodes, "test", inputs, outputs, list(constants))
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def as_onnx(directory: Path) -> Path:
    nodes = [
        helper.make_node("Gemm", ["image", "kernel", "bias"], ["logits"]),
        helper.make_node("Tanh", ["logits"], ["scores"]),
    ]
    rows = [tensor(name, TensorProto.FLOAT, "batch", 3) for name in ("scores", "logits")]
    constants = [onnx.numpy_helper.from_array(v, n) for n, v in (("kernel", KERNEL), ("bias", BIAS))]
    return save(directory / "model.onnx", nodes, [tensor("image", TensorProto.FLOAT, "batch", 4)], rows, *constants)


def as_tflite(directory: Path, batch: int | None = 1, integers: bool = False) -> Path:
    import tensorflow as tf

    class Dense(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([batch, 4], name="image")])
        def __call__(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
            logits = image @ KERNEL + BIAS
            return {"positive": logits > 0} if integers else {"logits": logits, "scores": tf.tanh(logits)}

    module = Dense()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([module.__call__.get_concrete_function()], module)
    path = directory / "model.tflite"
    path.write_bytes(converter.convert())
    return path


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same two outputs of `image` in every format; TFLite with a batch of one."""
    place = tmp_path_factory.mktemp("models")
    return {"tfjs": dense(place / "tfjs"), "onnxruntime": as_onnx(place), "litert": as_tflite(place)}


def start(module: str, device: str) -> Worker:
    try:
        node.find_modules()
        firefox.find_firefox() if module.endswith("firefox") else find_browser()
    except RuntimeUnavailable as error:
        pytest.skip(str(error))
    return Worker(f"pipeline.runtimes.{module}", device, TIMEOUT)


@pytest.fixture(scope="module")
def workers() -> Iterator[Callable[[str, str], Worker]]:
    """Workers that stay for the whole module, so that a browser starts once per cell."""
    started: dict[tuple[str, str], Worker] = {}

    def get(module: str, device: str) -> Worker:
        if (module, device) not in started:
            started[module, device] = start(module, device)
        return started[module, device]

    yield get
    for worker in started.values():
        worker.close()


def activate(worker: Worker, model: Path) -> dict[str, Any]:
    try:
        return worker.activate(ARTIFACT, model)
    except RuntimeUnavailable as error:
        pytest.skip(str(error))


def bits(outputs: dict[str, np.ndarray]) -> dict[str, bytes]:
    return {name: value.tobytes() for name, value in outputs.items()}


@pytest.mark.parametrize(("module", "device"), CELLS)
def test_the_device_that_was_asked_for_runs_with_the_same_bits_every_time(
    workers: Any, models: dict[str, Path], module: str, device: str
) -> None:
    if device == "wasm-threads" and (os.cpu_count() or 1) < 2:
        pytest.skip("this machine has one core")
    worker, library = workers(module, device), module.split("_")[0]
    environment = activate(worker, models[library])
    assert environment["backend"] == device.removesuffix("-threads")
    assert environment["float_bits"] == 24 and isinstance(environment["flushes_subnormals"], bool)
    if device == "wasm-threads":
        assert environment["threads"] > 1 and environment["workers"] > 0 and environment["cross_origin_isolated"]
    else:
        assert environment["threads"] == 1
    if device == "webgpu":
        assert environment["adapter_is_software"] or not environment["adapter_is_fallback"]
        assert environment["adapter_is_software"] is ("swiftshader" in environment["adapter"])
    if module.endswith("firefox"):
        assert "Firefox/" in environment["user_agent"] and environment["browser"] == "firefox"
    if library == "onnxruntime" and device != "cpu":
        assert environment["nodes"] == {"WebGpu" if device == "webgpu" else "CPU": 2}
    if library == "litert":
        assert environment["fully_accelerated"] is True
    logits = ROWS["image"].astype(np.float64) @ KERNEL + BIAS
    batch = 1 if library == "litert" else 3
    first, _ = worker.infer(ROWS, batch)
    assert set(first) == {"logits", "scores"}
    np.testing.assert_allclose(first["logits"], logits, atol=2e-6)
    np.testing.assert_allclose(first["scores"], np.tanh(logits), atol=2e-6)
    assert bits(worker.infer(ROWS, batch)[0]) == bits(first), "the second run differs"
    activate(worker, models[library])
    assert bits(worker.infer(ROWS, batch)[0]) == bits(first), "a page that is loaded again differs"


@pytest.mark.parametrize(("module", "device"), [("onnxruntime_web", "webgpu"), ("litert_web", "webgpu")])
def test_two_at_once_do_not_disturb_each_other(workers: Any, models: dict[str, Path], module: str, device: str) -> None:
    model = models[module.split("_")[0]]
    other = {"image": ROWS["image"][::-1].copy()}
    with start(module, device) as second:
        first = workers(module, device)
        activate(first, model)
        activate(second, model)
        alone = [bits(first.infer(rows, 1)[0]) for rows in (ROWS, other)]
        with ThreadPoolExecutor(2) as executor:
            for _ in range(5):
                both = executor.map(lambda pair: bits(pair[0].infer(pair[1], 1)[0]), ((first, ROWS), (second, other)))
                assert list(both) == alone


# Counts what a page holds, and lets a test take the device away: in the page before anything else.
WATCH = """
(() => {
  let live = 0; const memories = new Set(), freed = new FinalizationRegistry(() => live--), gpus = [], gls = [];
  const wrap = (owner, name, around) => { const inner = owner[name]; owner[name] = function (...all) {
    return around(inner.apply(this, all), all); }; };
  if (globalThis.GPUDevice) {
    wrap(GPUDevice.prototype, 'createBuffer', (buffer) => {
      live++; freed.register(buffer, null, buffer);
      const destroy = buffer.destroy.bind(buffer);
      let gone = false;
      buffer.destroy = () => { if (!gone) { gone = true; live--; freed.unregister(buffer); } destroy(); };
      return buffer;
    });
    wrap(GPUAdapter.prototype, 'requestDevice', (promise) => promise.then((gpu) => (gpus.push(gpu), gpu)));
  }
  for (const canvas of [HTMLCanvasElement, OffscreenCanvas]) {
    wrap(canvas.prototype, 'getContext', (gl) => (gl?.getExtension && gls.push(gl), gl));
  }
  const remember = (imports, instance) => [...Object.values(imports ?? {}).flatMap((m) => Object.values(m)),
    ...Object.values(instance.exports)].filter((m) => m instanceof WebAssembly.Memory).forEach((m) => memories.add(m));
  for (const name of ['instantiate', 'instantiateStreaming']) {
    wrap(WebAssembly, name, (promise, [, imports]) => promise.then((result) => (
      remember(imports, result.instance ?? result), result)));
  }
  globalThis.held = () => ({buffers: live, wasm: [...memories].reduce((n, m) => n + m.buffer.byteLength, 0)});
  globalThis.lose = () => { gpus.forEach((g) => g.destroy());
    gls.forEach((gl) => gl.getExtension('WEBGL_lose_context')?.loseContext()); return gpus.length + gls.length; };
})();
"""


class WatchedPage(ChromiumPage):
    """A page that tells what it holds."""

    def _blank(self) -> Any:
        context = self._browser.new_context(service_workers="block")
        context.add_init_script(WATCH)
        return context.new_page()

    def held(self) -> dict[str, int]:
        session = self._page.context.new_cdp_session(self._page)
        for _ in range(3):
            session.send("HeapProfiler.collectGarbage")
            self._page.wait_for_timeout(50)
        heap = session.send("Runtime.getHeapUsage")["usedSize"]
        return {"heap": int(heap), **self._page.evaluate("held()")}

    def lose_devices(self) -> int:
        count: int = self._page.evaluate("lose()")
        self._page.wait_for_timeout(200)
        return count


@pytest.fixture
def watched(models: dict[str, Path]) -> Iterator[Callable[[str, str], WatchedPage]]:
    pages: list[WatchedPage] = []

    def get(library: str, device: str) -> WatchedPage:
        try:
            pages.append(WatchedPage(find_browser(), node.find_modules(), device))
            model = models[library]
            pages[-1].open(library, model / "model.json" if model.is_dir() else model)
        except RuntimeUnavailable as error:
            pytest.skip(str(error))
        return pages[-1]

    yield get
    for page in pages:
        page.close()


@pytest.mark.parametrize(("library", "device"), PAGES)
def test_a_thousand_runs_hold_no_more_than_a_hundred(watched: Any, library: str, device: str) -> None:
    page = watched(library, device)
    rows = {"image": ROWS["image"][:1]}
    page.time(rows, 100, 0)
    before = page.held()
    page.time(rows, 1000, 0)
    after = page.held()
    assert (device == "webgpu") == (before["buffers"] > 0), "the watch sees the device's buffers"
    assert (device == "wasm" or library != "tfjs") == (before["wasm"] > 0), "and WebAssembly's memory"
    assert after["buffers"] <= before["buffers"]
    assert after["wasm"] == before["wasm"]
    # Half a kilobyte a run, compiled code included: less than a tensor and its array.
    assert after["heap"] - before["heap"] < 500_000


@pytest.mark.parametrize(("library", "device"), [p for p in PAGES if p[1] != "wasm"])
def test_a_lost_device_is_an_error(watched: Any, library: str, device: str) -> None:
    page = watched(library, device)
    page.infer(ROWS, 1)
    assert page.lose_devices() > 0
    with pytest.raises(RuntimeError, match=r"(?i)lost|destroyed"):
        page.infer({"image": ROWS["image"] + 1}, 1)


def test_every_type_that_onnx_has_arrives_unchanged(workers: Any, tmp_path: Path) -> None:
    kinds = {
        "f": TensorProto.FLOAT,
        "i": TensorProto.INT64,
        "u": TensorProto.UINT8,
        "b": TensorProto.BOOL,
        "s": TensorProto.STRING,
    }
    model = save(
        tmp_path / "echo.onnx",
        [helper.make_node("Identity", [f"in_{k}"], [f"out_{k}"]) for k in kinds],
        [tensor(f"in_{k}", kind, "batch", 1) for k, kind in kinds.items()],
        [tensor(f"out_{k}", kind, "batch", 1) for k, kind in kinds.items()],
    )
    given = {
        "f": np.array([[0.1], [-0.0], [np.inf]], np.float32),
        "i": np.array([[1], [-(2**31)], [2**31 - 1]], np.int64),
        "u": np.array([[0], [7], [255]], np.uint8),
        "b": np.array([[True], [False], [True]]),
        "s": np.array([["a"], ["ä"], [""]]),
    }
    for module, device in (("onnxruntime_node", "cpu"), ("onnxruntime_web", "wasm")):
        worker = workers(module, device)
        activate(worker, model)
        outputs, _ = worker.infer({f"in_{k}": v for k, v in given.items()}, 2)
        for name, value in given.items():
            assert outputs[f"out_{name}"].tolist() == value.tolist(), (module, name)


def test_nodes_that_the_gpu_lacks_are_counted_where_they_run(workers: Any, tmp_path: Path) -> None:
    model = save(
        tmp_path / "mixed.onnx",
        [helper.make_node("Det", ["x"], ["d"]), helper.make_node("Sqrt", ["d"], ["y"])],
        [tensor("x", TensorProto.FLOAT, "batch", 2, 2)],
        [tensor("y", TensorProto.FLOAT, "batch")],
    )
    worker = workers("onnxruntime_web", "webgpu")
    assert activate(worker, model)["nodes"]["CPU"] >= 1
    outputs, _ = worker.infer({"x": np.array([[[2, 0], [0, 8]]], np.float32)}, 1)
    assert outputs["y"].tolist() == [4.0]


def test_litert_js_takes_what_it_can_and_says_what_not(workers: Any, tmp_path: Path) -> None:
    worker = workers("litert_web", "wasm")
    activate(worker, as_tflite(tmp_path, batch=None))
    with pytest.raises(RuntimeCrash, match="cannot resize"):
        worker.infer(ROWS, 3)
    with pytest.raises(RuntimeUnsupported, match="BOOL is not supported"):
        worker.activate(ARTIFACT, as_tflite(tmp_path, integers=True))


def test_a_node_with_more_buffers_than_the_adapter_allows_is_unsupported(workers: Any, tmp_path: Path) -> None:
    names = [f"y{i}" for i in range(40)]
    model = save(
        tmp_path / "split.onnx",
        [helper.make_node("Split", ["x"], names, axis=1)],
        [tensor("x", TensorProto.FLOAT, "batch", len(names))],
        [tensor(name, TensorProto.FLOAT, "batch", 1) for name in names],
    )
    worker = workers("onnxruntime_web", "webgpu")
    activate(worker, model)
    with pytest.raises(RuntimeUnsupported, match="Too many storage buffers in shader"):
        worker.infer({"x": np.ones((2, len(names)), np.float32)}, 2)


def test_a_kernel_that_webgpu_lacks_is_unsupported(workers: Any, tmp_path: Path) -> None:
    nodes = [op("x", "Placeholder"), op("u", "Unique", "x"), op("y", "Identity", "u")]
    worker = workers("tfjs_browser", "webgpu")
    activate(worker, write(tmp_path, nodes, {"x": "x:0"}, {"y": "y:0"}))
    with pytest.raises(RuntimeUnsupported, match="'Unique' not registered for backend 'webgpu'"):
        worker.infer({"x": np.ones(3, np.float32)}, 3)


@pytest.mark.parametrize(
    ("shape", "flex", "readers"),
    [
        ((1, 4), (), {"litert-web", "litert-firefox", "litert"}),
        ((None, 4), (), {"litert"}),
        ((1, None), (), {"litert"}),
        ((1, 4), ("FlexIgamma",), {"litert", "tflite-flex"}),
    ],
)
def test_litert_js_is_given_static_files_only(shape: tuple[int | None, ...], flex: Any, readers: set[str]) -> None:
    artifact = Artifact("tflite", "float32", "", Signature((TensorSpec("x", "float32", shape),), ()), flex=flex)
    asked = [e for e in RUNTIMES if e.name in ("litert", "litert-web", "litert-firefox", "tflite-flex")]
    assert {e.name for e in asked if e.reads(artifact)} == readers


def test_what_is_slow_without_a_gpu_is_left_to_validate() -> None:
    def offered(*names: str, thorough: bool) -> set[str]:
        return {e.label for e in select(names, (), ("tfjs", "onnx", "tflite", "web"), thorough=thorough)}

    everything = offered(thorough=True)
    later = {label for label in everything if any(word in label for word in ("firefox", "webgpu", "f16", "threads"))}
    assert later == everything - offered(thorough=False)
    assert offered("tfjs-browser", thorough=False) == offered("tfjs-browser", thorough=True)


def test_a_missing_package_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "@tensorflow" / "tfjs-core").mkdir(parents=True)
    (tmp_path / "@tensorflow" / "tfjs-core" / "package.json").write_text("{}")
    monkeypatch.setenv("ISOMER_NODE_MODULES", str(tmp_path))
    for module, package in (("onnxruntime_node", "onnxruntime-node"), ("litert_web", "@litertjs/core")):
        worker = Worker(f"pipeline.runtimes.{module}", "cpu", TIMEOUT)
        with worker, pytest.raises(RuntimeUnavailable, match=f"{package} is not in .*npm ci"):
            worker.activate(ARTIFACT, tmp_path)
    monkeypatch.setenv("ISOMER_FIREFOX", "/nowhere/firefox")
    with pytest.raises(RuntimeUnavailable, match="/nowhere/firefox"):
        firefox.find_firefox()
