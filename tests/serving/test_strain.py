"""A server under strain: full queues, late answers, full disks. It says so, and goes on."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import foreign
import grpc
import numpy as np
import onnx
import pytest
from live import PATIENCE, ROOT, Live, serving, until
from onnx import TensorProto, helper, numpy_helper

from serving.lifecycle import promotion
from serving.lifecycle.promotion import Promotions
from serving.protos import message


def slow(directory: Path) -> None:
    """A model that counts up to its input, one by one."""
    name = helper.make_tensor_value_info
    body = helper.make_graph(
        [
            helper.make_node("Add", ["before", "one"], ["after"]),
            helper.make_node("Identity", ["going"], ["on"]),
        ],
        "body",
        [name("i", TensorProto.INT64, []), name("going", TensorProto.BOOL, []), name("before", TensorProto.FLOAT, [1])],
        [name("on", TensorProto.BOOL, []), name("after", TensorProto.FLOAT, [1])],
    )
    nodes = [
        helper.make_node("Cast", ["x"], ["whole"], to=TensorProto.INT64),
        helper.make_node("Squeeze", ["whole"], ["times"]),
        helper.make_node("Loop", ["times", "", "zero"], ["y"], body=body),
    ]
    constants = [numpy_helper.from_array(np.array([v], np.float32), n) for n, v in (("one", 1.0), ("zero", 0.0))]
    shape = [name("x", TensorProto.FLOAT, [1])], [name("y", TensorProto.FLOAT, [1])]
    graph = helper.make_graph(nodes, "slow", *shape, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    directory.mkdir(parents=True)
    onnx.save(model, directory / "model.onnx")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    slow(tmp_path / "models" / "slow" / "1")
    foreign.half_plus(tmp_path / "models" / "half" / "1", 2)
    return tmp_path / "models"


LONG, SHORT = 6e5, 10.0  # some seconds, and none


def predict(live: Live, number: float) -> grpc.StatusCode:
    request = message("PredictRequest")()
    request.model_spec.name = "slow"
    request.inputs["x"].dtype = 1
    request.inputs["x"].tensor_shape.dim.add(size=1)
    request.inputs["x"].float_val.append(number)
    call = grpc.insecure_channel(live.grpc).unary_unary("/tensorflow.serving.PredictionService/Predict")
    try:
        call(request.SerializeToString(), timeout=PATIENCE)
    except grpc.RpcError as error:
        return error.code()
    return grpc.StatusCode.OK


def test_full_queues_and_late_answers_have_their_codes(root: Path) -> None:
    """429 and 504 by REST, RESOURCE_EXHAUSTED and DEADLINE_EXCEEDED by gRPC; and then it serves on."""
    cores = os.cpu_count() or 1
    limits = ("--max-pending", str(cores + 2), "--max-request-seconds", "0.5")
    with serving(root, "--no-gate", *limits) as live, ThreadPoolExecutor(4 * cores + 8) as pool:
        long = [pool.submit(live.predict, "slow", {"instances": [LONG]}) for _ in range(2 * cores + 4)]
        statuses = [f.result().status for f in long]
        assert set(statuses) == {429, 504}
        assert statuses.count(429) >= cores
        until(lambda: live.predict("slow", {"instances": [SHORT]}).status == 200, "free again")
        codes = [f.result() for f in [pool.submit(predict, live, LONG) for _ in range(2 * cores + 4)]]
        assert set(codes) == {grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.DEADLINE_EXCEEDED}
        until(lambda: predict(live, SHORT) == grpc.StatusCode.OK, "free again")
        assert live.predict("slow", {"instances": [SHORT]}).json == {"predictions": [SHORT]}
        assert not live.events("fault")


@pytest.fixture
def deaf(root: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """A server whose logs lie on a full disk."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "serving", str(root), "--no-gate", "--rest-port", str(port), "--no-grpc"]
    with Path("/dev/full").open("w") as full:
        process = subprocess.Popen(
            [*command, "--access-log", "/dev/full", "--poll-seconds", "0.05"], stderr=full, stdout=full, cwd=ROOT
        )
    yield process, port
    process.kill()
    process.wait()


def test_full_disks_cost_log_lines_and_nothing_else(deaf: tuple[subprocess.Popen[bytes], int], root: Path) -> None:
    process, port = deaf
    live = Live.elsewhere(f"127.0.0.1:{port}", "")

    def answered() -> bool:
        try:
            return live.predict("half", {"instances": [2.0]}).json == {"predictions": [3.0]}
        except OSError:
            return False

    until(answered, "serving")
    for _ in range(600):  # more lines than the access log keeps
        assert live.get("/healthz").status == 200
    # It still looks for new versions.
    foreign.half_plus(root / "half" / "2", 3)
    until(lambda: live.states("half").get("2") == "AVAILABLE", "available")
    assert live.predict("half", {"instances": [2.0]}).json == {"predictions": [4.0]}
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE) == 0


def test_a_promotion_that_cannot_be_written_changes_nothing(bundle: Path) -> None:
    base = bundle.parent
    promotion.write(base, Promotions().promote(1, "stable"))
    before = (base / "serving.json").read_bytes()
    command = [sys.executable, "-m", "pipeline", "promote", str(base), "1", "--label", "canary"]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        cwd=ROOT,
        # Files may not grow: a disk that is full, for this process alone.
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0)),
    )
    assert done.returncode == 3, done.stderr
    assert "Traceback" not in done.stderr
    assert (base / "serving.json").read_bytes() == before
    assert sorted(p.name for p in base.iterdir()) == ["1", "serving.json"]
    assert json.loads(before)
