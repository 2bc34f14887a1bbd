"""Versions: checked, loaded, refused, replaced, unloaded, while requests go on."""

from __future__ import annotations

import json
import shutil
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread

import numpy as np
import onnx
import pytest
from command import run
from live import Live, publish, seal, serving, until
from onnx import numpy_helper

from serving.errors import Damaged, EngineUnavailable, Refused
from serving.lifecycle.loading import load

FAST = ("--poll-seconds", "0.05")


def flip_byte(version: Path) -> None:
    path = version / "onnx" / "float32.onnx"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def change_weights(version: Path) -> None:
    path = version / "onnx" / "float32.onnx"
    model = onnx.load(path)
    largest = max(model.graph.initializer, key=lambda t: int(np.prod(t.dims)))
    largest.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(largest) * np.float32(1.001), largest.name))
    onnx.save(model, path)
    seal(version, "onnx/float32.onnx")


def rename_output(version: Path) -> None:
    path = version / "onnx" / "float32.onnx"
    model = onnx.load(path)
    node = next(n for n in model.graph.node if "probabilities" in n.output)
    node.output[list(node.output).index("probabilities")] = "other"
    model.graph.output[0].name = "other"
    onnx.save(model, path)
    seal(version, "onnx/float32.onnx")


def fail_cells(version: Path, *runtimes: str) -> None:
    path = version / "certificate.json"
    document = json.loads(path.read_text())
    for cell in document["cells"]:
        cell["verdict"] = "FAIL" if cell["runtime"] in runtimes else cell["verdict"]
    path.write_text(json.dumps(document))
    seal(version, "certificate.json")


BROKEN = {
    "a byte": (flip_byte, "DATA_LOSS", "onnx/float32.onnx: its content changed"),
    "weights": (change_weights, "FAILED_PRECONDITION", "does not answer like its certificate"),
    "a name": (rename_output, "FAILED_PRECONDITION", "the certificate says {'probabilities': 'float32'}"),
    "missing": (lambda v: (v / "model.keras").unlink(), "DATA_LOSS", "model.keras: missing"),
    "extra": (lambda v: (v / "x").touch(), "DATA_LOSS", "x: not part of the bundle"),
    "no samples": (lambda v: (v / "golden" / "samples.npz").unlink(), "DATA_LOSS", "golden/samples.npz: missing"),
    "no manifest": (lambda v: (v / "manifest.json").unlink(), "FAILED_PRECONDITION", "no manifest.json"),
    "half a manifest": (lambda v: (v / "manifest.json").write_text("{"), "DATA_LOSS", "manifest.json"),
    "other schema": (lambda v: (v / "manifest.json").write_text('{"schema": "x/1"}'), "FAILED_PRECONDITION", "'x/1'"),
    "failed cells": (
        lambda v: fail_cells(v, "onnxruntime", "litert", "tensorflow"),
        "FAILED_PRECONDITION",
        "no onnx float32 artifact passed in onnxruntime on the CPU",
    ),
}


@pytest.fixture
def root(tiny_bundle: Path, tmp_path: Path) -> Path:
    """An exports directory of the test's own, with version 1."""
    shutil.copytree(tiny_bundle, tmp_path / "exports" / "tiny" / "1")
    return tmp_path / "exports"


@pytest.fixture
def live(root: Path) -> Iterator[Live]:
    with serving(root, *FAST) as server:
        yield server


@pytest.mark.parametrize("how", BROKEN)
def test_the_gate_refuses(root: Path, how: str) -> None:
    """In process: what is wrong with a version is found before it is loaded, or by what it answers."""
    damage, code, words = BROKEN[how]
    damage(root / "tiny" / "1")
    with pytest.raises((Damaged, Refused, EngineUnavailable)) as caught:
        load("tiny", 1, root / "tiny" / "1", "auto", True, 1)
    assert caught.value.code.name == code
    assert words in caught.value.message


@pytest.mark.parametrize(
    ("failed", "artifact"),
    [(["onnxruntime"], "tflite/float32.tflite"), (["onnxruntime", "litert"], ".")],
    ids=["tflite", "savedmodel"],
)
def test_auto_takes_the_next_engine_whose_cell_passed(root: Path, failed: list[str], artifact: str) -> None:
    version = root / "tiny" / "1"
    fail_cells(version, *failed)
    assert load("tiny", 1, version, "auto", True, 1).artifact == artifact


@pytest.mark.parametrize("how", ["a byte", "weights"])
def test_a_refused_version_changes_nothing(live: Live, root: Path, samples: dict[str, np.ndarray], how: str) -> None:
    damage, code, words = BROKEN[how]
    hidden = root / "tiny" / ".2"
    shutil.copytree(root / "tiny" / "1", hidden)
    damage(hidden)
    hidden.rename(root / "tiny" / "2")
    until(lambda: live.states("tiny") == {"1": "AVAILABLE", "2": "END"}, "refused")
    status = live.get("/v1/models/tiny/versions/2").json["model_version_status"][0]["status"]
    assert status["error_code"] == code
    assert words in status["error_message"]
    (event,) = live.events("refused")
    assert (event["version"], event["kept"]) == (2, [1])
    assert words in event["reason"]
    row = samples["input/image"][0].tolist()
    assert live.predict("tiny", {"instances": [row]}).status == 200
    assert live.predict("tiny", {"instances": [row]}, version=2).status == 404
    assert live.get("/readyz").status == 200
    # Repaired in place, it is tried again.
    shutil.rmtree(root / "tiny" / "2")
    publish(root / "tiny" / "1", root / "tiny" / "2")
    until(lambda: live.states("tiny") == {"1": "END", "2": "AVAILABLE"}, "available")


def test_a_restart_finds_the_last_good_version(root: Path) -> None:
    publish(root / "tiny" / "1", root / "tiny" / "2")
    flip_byte(root / "tiny" / "2")
    with serving(root) as live:
        assert live.states("tiny") == {"1": "AVAILABLE", "2": "END"}


def test_a_new_version_takes_over_under_requests(live: Live, root: Path, samples: dict[str, np.ndarray]) -> None:
    """No request fails, whichever moment it comes at."""
    body = json.dumps({"instances": [samples["input/image"][0].tolist()]})
    failures: list[bytes] = []
    counts = [0, 0]
    done = Event()

    def ask(which: int) -> None:
        while not done.is_set():
            answer = live.request("POST", "/v1/models/tiny:predict", body)
            counts[which] += 1
            if answer.status != 200:
                failures.append(answer.body)

    threads = [Thread(target=ask, args=(i,)) for i in range(2)]
    for thread in threads:
        thread.start()
    try:
        for version in ("2", "3", "4"):
            publish(root / "tiny" / "1", root / "tiny" / version)
            until(lambda v=version: live.states("tiny")[v] == "AVAILABLE" if v in live.states("tiny") else 0, version)
        until(lambda: live.states("tiny")["1"] == "END", "unloaded")
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert not failures
    assert min(counts) > 10
    assert live.predict("tiny", json.loads(body), version=4).status == 200
    assert live.predict("tiny", json.loads(body), version=1).status == 404


def test_a_version_taken_away_gives_way_to_the_one_before(live: Live, root: Path) -> None:
    publish(root / "tiny" / "1", root / "tiny" / "2")
    until(lambda: live.states("tiny").get("2") == "AVAILABLE", "available")
    (root / "tiny" / "2").rename(root / "tiny" / "2.denied")
    until(lambda: live.states("tiny") == {"1": "AVAILABLE", "2": "END"}, "withdrawn")


def test_a_lost_base_path_changes_nothing(live: Live, root: Path) -> None:
    (root / "tiny").rename(root.parent / "away")
    until(lambda: live.events("unreadable"), "noticed")
    assert live.states("tiny") == {"1": "AVAILABLE"}


def test_a_half_copied_version_serves_once_it_is_whole(live: Live, root: Path) -> None:
    source, target = root / "tiny" / "1", root / "tiny" / "5"
    files = sorted(p for p in source.rglob("*") if p.is_file())
    for i, file in enumerate(files):
        copy = target / file.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, copy)
        if i == len(files) // 2:
            until(lambda: live.states("tiny").get("5") == "END", "refused")
    until(lambda: live.states("tiny").get("5") == "AVAILABLE", "available")


def test_unready_without_models_then_ready(tiny_bundle: Path, tmp_path: Path) -> None:
    root = tmp_path / "exports"
    root.mkdir()
    with serving(root, *FAST, ready=False) as live:
        until(lambda: live.get("/readyz").json.get("reasons") == ["there are no models"], "empty")
        assert live.get("/healthz").status == 200
        (root / "tiny").mkdir()
        publish(tiny_bundle, root / "tiny" / "1")
        until(lambda: live.get("/readyz").status == 200, "ready")


def test_one_base_path_is_a_root_too(root: Path) -> None:
    with serving(root / "tiny") as live:
        assert live.states("tiny") == {"1": "AVAILABLE"}


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_answers_what_is_in_flight(root: Path, samples: dict[str, np.ndarray], how: signal.Signals) -> None:
    """Half a request has arrived when the signal comes: its answer is still given, and the exit code is 0."""
    body = json.dumps({"instances": [samples["input/image"][0].tolist()]}).encode()
    head = b"POST /v1/models/tiny:predict HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body)
    with serving(root, "--drain-delay", "0.5") as live, socket.create_connection((live.host, live.port)) as client:
        client.sendall(head + body[:100])
        live.get("/healthz")  # the loop has seen the bytes before
        live.process.send_signal(how)
        until(lambda: live.events("stopping"), "stopping")
        ready = live.get("/readyz")
        assert (ready.status, ready.json["reasons"]) == (503, ["the server is stopping"])
        client.sendall(body[100:])
        answer = b""
        while chunk := client.recv(65536):
            answer += chunk
        assert answer.startswith(b"HTTP/1.1 200 OK")
        assert b"Connection: close" in answer
        assert live.process.wait(30) == 0
        assert live.events("stopped")[0]["drained"] is True


def test_start_faults_have_one_message_and_a_code(tmp_path: Path) -> None:
    import subprocess
    import sys

    def start(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, "-m", "pipeline", "serve", *arguments], capture_output=True, text=True)

    missing = start(str(tmp_path / "none"))
    assert missing.returncode == 2
    assert "error: There is no directory" in missing.stderr
    unknown = start(str(tmp_path), "--engine", "x")
    assert unknown.returncode == 2
    file = tmp_path / "models.config"
    file.write_text("model_config_list { config { name: 'm' base_path: 'm' model_platform: 'tensorflow' } }")
    relative = start("--model-config-file", str(file))
    assert relative.returncode == 2
    assert "Expected model m to have an absolute path" in relative.stderr
    with socket.create_server(("127.0.0.1", 0)) as taken:
        busy = start(str(tmp_path), "--rest-port", str(taken.getsockname()[1]))
        rpc = start(str(tmp_path), "--rest-port", "0", "--grpc-port", str(taken.getsockname()[1]))
    assert busy.returncode == rpc.returncode == 3
    assert "Cannot listen on" in busy.stderr
    assert rpc.stderr.startswith("error: Cannot listen on 127.0.0.1:")
    assert "--grpc-port" in rpc.stderr
    assert "Traceback" not in missing.stderr + unknown.stderr + busy.stderr


def test_rows_that_see_each_other_are_replayed_one_by_one_and_never_batched(tmp_path: Path) -> None:
    """A maximum over the batch: requests of several clients must not be run as one."""
    (tmp_path / "net.py").write_text(
        "import keras\n\n\ndef build():\n"
        "    x = keras.Input((3,), name='x')\n"
        "    return keras.Model(x, keras.ops.maximum(x, keras.ops.max(x) - 1.0), name='floor')\n"
    )
    done = run(
        "export", f"{tmp_path / 'net.py'}:build", "--format", "onnx", "--runtime", "onnxruntime", "--output", tmp_path
    )
    assert done.code == 0, done.err
    (version,) = tmp_path.glob("*/1")
    servable = load("floor", 1, version, "auto", True, 1)
    assert servable.report is not None and servable.report.alone
    assert not servable.batchable
