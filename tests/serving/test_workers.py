"""Several processes on the same ports: one that dies is replaced, and what concerns all reaches all."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread

import foreign
import grpc
import pytest
from live import PATIENCE, Live, serving, until
from test_execution import metrics

from serving.protos import message

COUNT = ':tensorflow:serving:request_count{model_name="half",status="OK"}'


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for version in (1, 2):
        foreign.half_plus(tmp_path / "half" / str(version), version)
    return tmp_path


@pytest.fixture
def live(root: Path) -> Iterator[Live]:
    with serving(root, "--no-gate", "--workers", "2", "--poll-seconds", "0.05") as server:
        until(lambda: len(server.events("listening")) == 2, "both workers ready")
        yield server


def ask(live: Live, times: int = 1) -> None:
    for _ in range(times):
        assert live.predict("half", {"instances": [0.0]}).json == {"predictions": [2.0]}


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()


def test_metrics_are_those_of_all_workers_and_never_fall(live: Live) -> None:
    ask(live, 40)
    assert {e["worker"] for e in live.events("listening")} == {0, 1}
    for _ in range(6):
        found = metrics(live)
        assert found[COUNT] == 40
        assert found["isomer_ready"] == 2
        assert found['isomer_version_available{model="half",version="2",engine="onnxruntime"}'] == 2
    pids = [e["pid"] for e in live.events("worker_started")]
    os.kill(pids[0], signal.SIGKILL)
    until(lambda: len(live.events("listening")) == 3, "restarted")
    (died,) = live.events("worker_died")
    assert (died["worker"], died["code"]) == (0, -9)
    ask(live, 2)
    assert metrics(live)[COUNT] == 42


def test_a_worker_killed_under_load_loses_only_what_was_in_flight(live: Live) -> None:
    done = Event()
    counts, lost = [0, 0, 0], [0, 0, 0]

    def load(which: int) -> None:
        while not done.is_set():
            try:
                ask(live)
                counts[which] += 1
            except OSError:
                lost[which] += 1

    threads = [Thread(target=load, args=(i,)) for i in range(3)]
    for thread in threads:
        thread.start()
    try:
        for round_ in (0, 1):
            before = sum(counts)
            os.kill(live.events("worker_started")[round_]["pid"], signal.SIGKILL)
            until(lambda n=round_: len(live.events("listening")) == 3 + n, "restarted")
            until(lambda b=before: sum(counts) > b + 50, "served on")
    finally:
        done.set()
        for thread in threads:
            thread.join()
    # Each client has one request in flight when a worker dies, or one connection in its queue.
    assert sum(lost) <= 2 * len(threads)


def test_a_new_configuration_reaches_all_workers_and_those_that_come_later(live: Live, root: Path) -> None:
    request = message("ReloadConfigRequest")()
    entry = request.config.model_config_list.config.add(
        name="half", base_path=str(root / "half"), model_platform="tensorflow"
    )
    entry.model_version_policy.specific.versions.extend([1, 2])
    call = grpc.insecure_channel(live.grpc).unary_unary("/tensorflow.serving.ModelService/HandleReloadConfigRequest")
    call(request.SerializeToString(), timeout=PATIENCE)
    entry.version_labels["stable"] = 1
    call(request.SerializeToString(), timeout=PATIENCE)

    def stable() -> bool:
        return live.predict("half", {"instances": [0.0]}, label="stable").status == 200

    assert all(stable() for _ in range(20))
    os.kill(live.events("worker_started")[0]["pid"], signal.SIGKILL)
    until(lambda: len(live.events("worker_started")) == 3, "restarted")
    until(lambda: [e for e in live.events("labels") if e["worker"] == 0][1:], "told")
    assert all(stable() for _ in range(20))
    entry.version_labels["stable"] = 9
    with pytest.raises(grpc.RpcError) as refused:
        call(request.SerializeToString(), timeout=PATIENCE)
    assert refused.value.code() == grpc.StatusCode.FAILED_PRECONDITION
    assert all(stable() for _ in range(20))


def test_a_stop_stops_all(live: Live) -> None:
    pids = [e["pid"] for e in live.events("worker_started")]
    assert live.stop() == 0
    assert not any(map(alive, pids))
    assert [e["drained"] for e in live.events("stopped")] == [True, True]


def test_workers_do_not_outlive_their_supervisor(live: Live) -> None:
    pids = [e["pid"] for e in live.events("worker_started")]
    assert live.process is not None
    live.process.kill()
    until(lambda: not any(map(alive, pids)), "gone")


def test_a_taken_port_is_told_once(root: Path) -> None:
    import socket
    import subprocess
    import sys

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        command = [sys.executable, "-m", "serving", str(root), "--workers", "2", "--rest-port", port]
        done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 3
    assert done.stderr.count("Cannot listen on") == 1
    assert json.dumps("worker_started") not in done.stderr
