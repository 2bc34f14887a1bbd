"""TF.js in Node.js and in Chromium, on graph models written by hand and judged against NumPy."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from graph_models import BIAS, KERNEL, ROWS, dense, op, random, write

from pipeline.artifact import Artifact
from pipeline.errors import RuntimeCrash, RuntimeUnavailable
from pipeline.runtimes import chromium, node
from pipeline.runtimes.web.server import ADAPTERS, Server
from pipeline.runtimes.web.wire import pack, to_javascript, unpack
from pipeline.runtimes.worker import Worker
from pipeline.signature import Signature

NODE, BROWSER = "pipeline.runtimes.tfjs_node", "pipeline.runtimes.tfjs_browser"
RUNTIMES = [(NODE, "wasm"), (NODE, "cpu"), (BROWSER, "wasm"), (BROWSER, "webgl"), (BROWSER, "cpu")]
IDS = [f"{module.rpartition('_')[2]}-{device}" for module, device in RUNTIMES]
ONE_OF_EACH = [(NODE, "wasm"), (BROWSER, "wasm")]
ARTIFACT = Artifact("tfjs", "float32", "tfjs/float32", Signature((), ()))
TIMEOUT = 120.0


def loop(directory: Path) -> Path:
    """Doubles x until `steps` is reached: a while loop, which needs executeAsync."""

    def frame(name: str, source: str, dtype: str, constant: bool) -> dict[str, Any]:
        return op(name, "Enter", source, dtype=dtype, frame_name={"s": "bG9vcA=="}, is_constant={"b": constant})

    nodes = [
        op("zero", "Const", dtype="DT_INT32"),
        op("one", "Const", dtype="DT_INT32"),
        op("limit", "Const", dtype="DT_INT32"),
        op("two", "Const"),
        op("x", "Placeholder"),
        frame("enter_i", "zero", "DT_INT32", False),
        frame("enter_x", "x", "DT_FLOAT", False),
        frame("enter_limit", "limit", "DT_INT32", True),
        frame("enter_one", "one", "DT_INT32", True),
        frame("enter_two", "two", "DT_FLOAT", True),
        op("merge_i", "Merge", "enter_i", "next_i", dtype="DT_INT32"),
        op("merge_x", "Merge", "enter_x", "next_x"),
        op("less", "Less", "merge_i", "enter_limit", dtype="DT_INT32"),
        op("cond", "LoopCond", "less", dtype="DT_BOOL"),
        op("switch_i", "Switch", "merge_i", "cond", dtype="DT_INT32"),
        op("switch_x", "Switch", "merge_x", "cond"),
        op("add", "AddV2", "switch_i:1", "enter_one", dtype="DT_INT32"),
        op("double", "Mul", "switch_x:1", "enter_two"),
        op("next_i", "NextIteration", "add", dtype="DT_INT32"),
        op("next_x", "NextIteration", "double"),
        op("exit_x", "Exit", "switch_x"),
        op("y", "Identity", "exit_x"),
    ]
    ints = {name: np.array(value, np.int32) for name, value in (("zero", 0), ("one", 1), ("limit", 3))}
    return write(directory, nodes, {"x": "x:0"}, {"y": "y:0"}, {**ints, "two": np.array(2, np.float32)})


def echo(directory: Path) -> Path:
    types = {"f": "DT_FLOAT", "i": "DT_INT64", "b": "DT_BOOL", "s": "DT_STRING"}
    nodes = []
    for name, dtype in types.items():
        nodes += [
            op(f"in_{name}", "Placeholder", dtype=dtype),
            op(f"out_{name}", "Identity", f"in_{name}", dtype=dtype),
        ]
    return write(directory, nodes, {n: f"in_{n}:0" for n in types}, {n: f"out_{n}:0" for n in types})


def require(module: str) -> None:
    try:
        node.find_modules()
        node.find_node() if module == NODE else chromium.find_browser()
    except RuntimeUnavailable as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def workers() -> Iterator[Callable[[str, str], Worker]]:
    """Workers that stay for the whole module, so that a browser starts once per device."""
    started: dict[tuple[str, str], Worker] = {}

    def get(module: str, device: str) -> Worker:
        require(module)
        if (module, device) not in started:
            started[module, device] = Worker(module, device, TIMEOUT)
        return started[module, device]

    yield get
    for worker in started.values():
        worker.close()


@pytest.mark.parametrize(("module", "device"), RUNTIMES, ids=IDS)
def test_outputs_by_name_in_any_batch(workers: Any, tmp_path: Path, module: str, device: str) -> None:
    worker = workers(module, device)
    environment = worker.activate(ARTIFACT, dense(tmp_path))
    assert environment["backend"] == device
    assert environment["float_bits"] == 24
    assert environment["tfjs"] == "4.22.0"
    assert environment["simd"] is (device == "wasm")
    assert environment["threads"] == 1
    logits = ROWS["image"].astype(np.float64) @ KERNEL + BIAS
    first = None
    for batch in (3, 3, 1, 7, 100):
        outputs, _ = worker.infer(ROWS, batch)
        assert set(outputs) == {"logits", "scores"}
        assert outputs["logits"].dtype == np.float32 and outputs["logits"].shape == (7, 3)
        np.testing.assert_allclose(outputs["logits"], logits, atol=2e-6)
        np.testing.assert_allclose(outputs["scores"], np.tanh(logits), atol=2e-6)
        if batch == 3 and first is not None:
            assert all(outputs[name].tobytes() == first[name].tobytes() for name in outputs), "a repeated run differs"
        first = outputs if batch == 3 else first


def test_browser_environment(workers: Any, tmp_path: Path) -> None:
    environment = workers(BROWSER, "webgl").activate(ARTIFACT, dense(tmp_path))
    assert environment["browser_version"] in environment["user_agent"] or "Chrome" in environment["user_agent"]
    assert environment["cross_origin_isolated"] is True
    assert environment["max_texture_size"] >= 2048
    assert environment["adapter"] and environment["adapter_vendor"]
    assert environment["adapter_is_software"] is ("SwiftShader" in environment["adapter"])


def test_the_probe_sees_float16_textures(workers: Any, tmp_path: Path) -> None:
    worker = workers(BROWSER, "webgl-f16")
    assert worker.activate(ARTIFACT, dense(tmp_path))["float_bits"] == 11
    error = abs(worker.infer(ROWS, 7)[0]["logits"] - (ROWS["image"] @ KERNEL + BIAS)).max()
    assert 1e-5 < error < 1e-2


@pytest.mark.parametrize(("module", "device"), RUNTIMES, ids=IDS)
def test_a_loop_runs_and_leaks_nothing(workers: Any, tmp_path: Path, module: str, device: str) -> None:
    worker = workers(module, device)
    worker.activate(ARTIFACT, loop(tmp_path))
    x = random.standard_normal((7, 2)).astype(np.float32)
    np.testing.assert_array_equal(worker.infer({"x": x}, 3)[0]["y"], x * 8)


@pytest.mark.parametrize(("module", "device"), ONE_OF_EACH)
def test_every_dtype_arrives_unchanged(workers: Any, tmp_path: Path, module: str, device: str) -> None:
    worker = workers(module, device)
    worker.activate(ARTIFACT, echo(tmp_path))
    awkward = np.array([0.0, -0.0, 1e-45, np.inf, -np.inf, np.nan, 3.4e38], np.float32)
    inputs = {
        "f": awkward,
        "i": np.array([0, 1, -1, 2**31 - 1, -(2**31), 7, 8]),
        "b": np.arange(7) % 3 == 0,
        "s": np.array([["a"], [""], ["ä"], ["long " * 50], ["日本"], ["x"], ["y"]]),
    }
    outputs, _ = worker.infer(inputs, 3)
    assert outputs["f"].tobytes() == awkward.tobytes()
    assert outputs["i"].dtype == np.int32 and (outputs["i"] == inputs["i"]).all()
    assert outputs["b"].dtype == np.bool_ and (outputs["b"] == inputs["b"]).all()
    assert outputs["s"].tolist() == inputs["s"].tolist()
    with pytest.raises(RuntimeCrash, match="int32"):
        worker.infer({**inputs, "i": inputs["i"] + 1}, 3)


@pytest.mark.parametrize(("module", "device"), ONE_OF_EACH)
def test_timing_is_taken_inside(workers: Any, tmp_path: Path, module: str, device: str) -> None:
    worker = workers(module, device)
    worker.activate(ARTIFACT, dense(tmp_path))
    seconds = worker.time(ROWS, 20, 3)
    assert len(seconds) == 20
    # A call through the process boundary takes tens of milliseconds in a browser.
    assert 0 <= min(seconds) < 0.02


@pytest.mark.parametrize(("module", "device"), ONE_OF_EACH)
def test_failures_in_their_own_words(workers: Any, tmp_path: Path, module: str, device: str) -> None:
    worker = workers(module, device)
    worker.activate(ARTIFACT, dense(tmp_path / "op", activation="Frobnicate"))
    with pytest.raises(RuntimeCrash, match="Frobnicate"):
        worker.infer(ROWS, 3)
    worker.activate(ARTIFACT, dense(tmp_path / "good"))
    with pytest.raises(RuntimeCrash, match="image"):
        worker.infer({"picture": ROWS["image"]}, 3)
    with pytest.raises(RuntimeCrash, match=r"must be \[-1,4\]"):
        worker.infer({"image": np.zeros((7, 5), np.float32)}, 3)
    assert worker.infer(ROWS, 3)[0]["logits"].shape == (7, 3), "an error must not spoil the next run"

    cut = dense(tmp_path / "cut")
    (cut / "b.bin").write_bytes((cut / "b.bin").read_bytes()[:-8])
    with pytest.raises(RuntimeCrash):
        worker.activate(ARTIFACT, cut)
    (cut / "b.bin").unlink()
    with pytest.raises(RuntimeCrash, match=r"b\.bin"):
        worker.activate(ARTIFACT, cut)
    (cut / "model.json").write_text("{")
    with pytest.raises(RuntimeCrash, match="JSON"):
        worker.activate(ARTIFACT, cut)


@pytest.mark.parametrize(("module", "device"), ONE_OF_EACH)
def test_a_model_reads_only_its_own_directory(workers: Any, tmp_path: Path, module: str, device: str) -> None:
    model = dense(tmp_path / "model")
    shutil.move(model / "b.bin", tmp_path / "b.bin")
    text = (model / "model.json").read_text()
    (model / "model.json").write_text(text.replace('"b.bin"', '"../b.bin"'))
    with pytest.raises(RuntimeCrash, match=r"b\.bin"):
        workers(module, device).activate(ARTIFACT, model)


def test_a_leak_is_an_error(tmp_path: Path) -> None:
    """The adapter's own check, on a TF.js whose graph models are made to leak."""
    require(NODE)
    script = f"""
      import {{readFileSync}} from 'node:fs'; import {{createRequire}} from 'node:module';
      import {{openSession}} from '{ADAPTERS}/session.mjs';
      const require = createRequire('{node.find_modules()}/x.cjs');
      const core = require('@tensorflow/tfjs-core'); require('@tensorflow/tfjs-backend-cpu');
      const leaky = async (handler) => {{
        const graph = await require('@tensorflow/tfjs-converter').loadGraphModel(handler);
        const execute = graph.execute.bind(graph);
        graph.execute = (...all) => {{ core.zeros([1]); return execute(...all); }};
        return graph;
      }};
      const host = {{
        tfjs: async () => ({{tf: {{...core, loadGraphModel: leaky}}}}),
        read: async (name) => Uint8Array.from(readFileSync('{dense(tmp_path)}/' + name)).buffer,
      }};
      const session = await openSession({{library: 'tfjs', device: 'cpu', model: 'model.json', host}});
      const image = {{dtype: 'float32', shape: [4, 4], data: new Float32Array(16)}};
      try {{ await session.infer({{image}}, 1); }} catch (error) {{ process.stdout.write(error.message); }}
    """
    (tmp_path / "leak.mjs").write_text(script)
    done = subprocess.run([node.find_node().path, tmp_path / "leak.mjs"], capture_output=True, text=True, timeout=60)
    assert "leaks" in done.stdout, done.stderr


def test_what_is_missing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISOMER_CHROMIUM", "/nowhere/chromium")
    with (
        pytest.raises(RuntimeUnavailable, match=r"/nowhere/chromium.*setup_browser"),
        Worker(BROWSER, "wasm", TIMEOUT) as worker,
    ):
        worker.activate(ARTIFACT, dense(tmp_path))
    monkeypatch.delenv("ISOMER_CHROMIUM")
    monkeypatch.setattr(chromium, "_candidates", lambda: iter([(Path("/bin/false"), "PATH")]))
    with pytest.raises(RuntimeUnavailable, match="no Chromium or Chrome"):
        chromium.find_browser()
    monkeypatch.setattr(node, "_candidates", lambda: [(Path("/bin/false"), "PATH")])
    with pytest.raises(RuntimeUnavailable, match=r"no Node\.js 20"):
        node.find_node()
    monkeypatch.setenv("ISOMER_NODE_MODULES", str(tmp_path))
    with pytest.raises(RuntimeUnavailable, match="npm ci"):
        node.find_modules()


def test_a_browser_without_webgl_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """TF.js would fall through to another backend in silence."""
    require(BROWSER)
    launcher = tmp_path / "chromium"
    launcher.write_text(f'#!/bin/sh\nexec "{chromium.find_browser().path}" "$@" --use-gl=disabled\n')
    launcher.chmod(0o755)
    monkeypatch.setenv("ISOMER_CHROMIUM", str(launcher))
    with pytest.raises(RuntimeUnavailable, match="'webgl' does not start"), Worker(BROWSER, "webgl", TIMEOUT) as worker:
        worker.activate(ARTIFACT, dense(tmp_path / "model"))


def test_a_browser_that_does_not_start_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    require(BROWSER)
    launcher = tmp_path / "chromium"
    launcher.write_text(
        f'#!/bin/sh\nif [ "$1" = --version ]; then exec "{chromium.find_browser().path}" --version; fi\n'
        "echo No usable sandbox! >&2\nexit 1\n"
    )
    launcher.chmod(0o755)
    monkeypatch.setenv("ISOMER_CHROMIUM", str(launcher))
    with (
        pytest.raises(RuntimeUnavailable, match=r"does not start.*sandbox"),
        Worker(BROWSER, "wasm", TIMEOUT) as worker,
    ):
        worker.activate(ARTIFACT, dense(tmp_path / "model"))


def _alive(mark: str) -> dict[int, str]:
    """Processes that carry `mark` in their environment, with all their descendants."""
    parents, names, marked = {}, {}, set()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            name, _, rest = (entry / "stat").read_text().partition("(")[2].rpartition(")")
            state, parent = rest.split()[:2]
            if state != "Z":
                parents[int(entry.name)], names[int(entry.name)] = int(parent), name
                if mark.encode() in (entry / "environ").read_bytes():
                    marked.add(int(entry.name))
        except (OSError, ValueError):
            continue
    for _ in range(10):
        marked |= {pid for pid, parent in parents.items() if parent in marked}
    return {pid: names[pid] for pid in marked - {os.getpid()}}


@pytest.fixture
def mark(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    if not Path("/proc/self/environ").exists():
        pytest.skip("no /proc to look for processes in")
    value = uuid.uuid4().hex
    monkeypatch.setenv("ISOMER_TEST_MARK", value)
    # Short: Chromium keeps a socket in there.
    monkeypatch.setenv("TMPDIR", f"/tmp/{value[:8]}")
    monkeypatch.setattr("tempfile.tempdir", f"/tmp/{value[:8]}")
    Path(f"/tmp/{value[:8]}").mkdir()
    return value


def _nothing_left(mark: str) -> None:
    directory = Path(f"/tmp/{mark[:8]}")
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and (_alive(mark) or list(directory.iterdir())):
        time.sleep(0.05)
    assert not _alive(mark)
    assert not list(directory.iterdir()), "temporary files were left"
    directory.rmdir()


def _find(mark: str, names: tuple[str, ...]) -> int:
    """The oldest process of the marked ones with such a name."""
    return min(pid for pid, name in _alive(mark).items() if name in names)


@pytest.mark.parametrize(("module", "device"), ONE_OF_EACH)
def test_close_leaves_nothing_behind(tmp_path: Path, mark: str, module: str, device: str) -> None:
    require(module)
    with Worker(module, device, TIMEOUT) as worker:
        worker.activate(ARTIFACT, dense(tmp_path))
        worker.infer(ROWS, 3)
        assert len(_alive(mark)) >= 2
    _nothing_left(mark)


def _slow(directory: Path) -> tuple[Path, dict[str, np.ndarray]]:
    """A model and inputs that keep any device busy for much longer than a test."""
    nodes = [op("x", "Placeholder"), op("m0", "BatchMatMulV2", "x", "x")]
    nodes += [op(f"m{i}", "BatchMatMulV2", f"m{i - 1}", "x") for i in range(1, 100)]
    nodes.append(op("y", "Identity", "m99"))
    return write(directory, nodes, {"x": "x:0"}, {"y": "y:0"}), {"x": np.zeros((16, 1024, 1024), np.float32)}


@pytest.mark.parametrize(("module", "device"), ONE_OF_EACH)
def test_a_hang_ends_with_everything_killed(tmp_path: Path, mark: str, module: str, device: str) -> None:
    require(module)
    model, inputs = _slow(tmp_path)
    with Worker(module, device, TIMEOUT) as worker:
        worker.activate(ARTIFACT, model)
        worker.timeout = 2.0
        with pytest.raises(RuntimeCrash, match="no answer within 2 s"):
            worker.infer(inputs, 1)
    _nothing_left(mark)


@pytest.mark.parametrize(
    ("module", "names"), [(NODE, ("node", "MainThread")), (BROWSER, ("chromium", "chrome", "headless_shell"))]
)
def test_a_killed_engine_is_an_error(tmp_path: Path, mark: str, module: str, names: tuple[str, ...]) -> None:
    require(module)
    model, inputs = _slow(tmp_path)
    with Worker(module, "wasm", TIMEOUT) as worker:
        worker.activate(ARTIFACT, model)
        killer = threading.Timer(2.0, lambda: os.kill(_find(mark, names), signal.SIGKILL))
        killer.start()
        started = time.monotonic()
        with pytest.raises(RuntimeCrash, match=r"(?i)killed by SIGKILL|ended or failed"):
            worker.infer(inputs, 1)
        assert time.monotonic() - started < 30
        worker.activate(ARTIFACT, dense(tmp_path / "next"))
        assert worker.infer(ROWS, 7)[0]["logits"].shape == (7, 3), "the next model runs in a new engine"
    _nothing_left(mark)


def test_the_server_serves_only_the_page() -> None:
    require(BROWSER)
    server = Server(node.find_modules())
    try:
        core = "modules/@tensorflow/tfjs-core/dist/tf-core.es2017.min.js"
        for good in ("web/harness.html", "adapters/tfjs.mjs", core):
            with urllib.request.urlopen(server.url + good) as answer:
                assert answer.headers["Cross-Origin-Embedder-Policy"] == "require-corp"
                assert "'unsafe-inline'" not in answer.headers["Content-Security-Policy"]
        root = server.url.rsplit("/", 2)[0] + "/"
        bad = [
            "web/wire.py",
            "web/",
            "web/../node.py",
            "web/%2e%2e/node.py",
            "adapters/../pyproject.toml",
            "modules/../package.json",
            "model/model.json",
        ]
        for address in [*(server.url + b for b in bad), root + "web/harness.html", root + "wrong/web/harness.html"]:
            with pytest.raises(urllib.error.HTTPError, match="404"):
                urllib.request.urlopen(address)
    finally:
        server.close()


def test_frames() -> None:
    tensors = {"a": np.arange(3, dtype=np.float32), "b": np.ones((2, 0), np.int32), "s": np.array([b"x", b""])}
    meta, back = unpack(b"".join(pack({"n": 1}, tensors)))
    assert meta == {"n": 1} and list(back) == ["a", "b", "s"]
    assert all((back[name] == value).all() and back[name].shape == value.shape for name, value in tensors.items())
    assert to_javascript("x", np.array([1, 2], np.uint8)).dtype == np.int32
    with pytest.raises(TypeError, match="float64"):
        to_javascript("x", np.zeros(1))
    with pytest.raises(ValueError, match="promised"):
        unpack(b"".join(pack({}, tensors))[:-1])
