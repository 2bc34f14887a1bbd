"""Batches, bounded queues, deadlines and counters."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest
from live import Live

from serving.errors import Code, Internal, InvalidArgument, ResourceExhausted, ServingError
from serving.inference.executor import Executor
from serving.inference.job import Job, Promise
from serving.lifecycle.gate import Report
from serving.lifecycle.loading import Servable
from serving.metrics import Metrics
from serving.settings import Limits
from serving.signature import Signature, TensorSpec

X = TensorSpec("x", "float32", (None, 2))
SIGNATURE = Signature("serving_default", (X,), (TensorSpec("y", "float32", (None, 2)),))


class Doubling:
    """An engine whose calls can be held, and that refuses rows with a NaN."""

    label = "doubling 1"
    batches = True

    def __init__(self) -> None:
        self.signatures: Mapping[str, Signature] = {SIGNATURE.name: SIGNATURE}
        self.rows: list[int] = []
        self.free = Event()
        self.free.set()

    def run(self, signature: str, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        assert self.free.wait(30)
        self.rows.append(len(inputs["x"]))
        if np.isnan(inputs["x"]).any():
            raise InvalidArgument("a NaN")
        return {"y": inputs["x"] * 2}

    def close(self) -> None: ...


class Bench:
    """An executor with one version, on the running event loop."""

    def __init__(self, gated: bool = True, seconds: float = 1.0, **limits: Any) -> None:
        self.engine = Doubling()
        report = Report(1, 0.0, 1.0) if gated else None
        self.servable = Servable("m", 1, self.engine, "", report, 0.0)
        self.servable.observe(seconds, 1)
        self.limits = Limits(**limits)
        self.metrics = Metrics()
        self.executor = Executor(self.limits, self.metrics)

    def ask(self, value: float, rows: int = 1, seconds: float = 30.0) -> asyncio.Future[Any]:
        future = asyncio.get_running_loop().create_future()
        inputs = {"x": np.full((rows, 2), value, np.float32)}
        deadline = time.monotonic() + seconds
        self.executor.submit(
            self.servable,
            Job(SIGNATURE, inputs, rows, lambda o: o["y"].tolist(), future.set_result, deadline),
        )
        return future


def run(scenario: Callable[[], Any]) -> None:
    asyncio.run(scenario())


@pytest.mark.parametrize("seconds", [1e-6, 1.0], ids=["on the loop", "in threads"])
def test_requests_that_come_together_run_together(seconds: float) -> None:
    async def scenario() -> None:
        bench = Bench(seconds=seconds, batch_rows=8)
        await asyncio.gather(*(bench.ask(i) for i in range(3)))  # a crowd is noticed
        bench.servable.row_seconds = seconds
        bench.engine.rows.clear()
        answers = await asyncio.gather(*(bench.ask(i, rows=1 + i % 2) for i in range(20)))
        assert answers == [[[2.0 * i] * 2] * (1 + i % 2) for i in range(20)]
        assert sum(bench.engine.rows) == 30
        assert max(bench.engine.rows) > 1
        assert max(bench.engine.rows) <= 8
        assert len(bench.engine.rows) < 20
        assert bench.servable.users == bench.executor.waiting == 0

    run(scenario)


@pytest.mark.parametrize("options", [{"gated": False}, {"batch_rows": 1}], ids=["no gate", "turned off"])
def test_what_is_not_to_be_batched_runs_alone(options: dict[str, Any]) -> None:
    async def scenario() -> None:
        bench = Bench(**options)
        await asyncio.gather(*(bench.ask(i) for i in range(20)))
        assert bench.engine.rows == [1] * 20

    run(scenario)


def test_a_bad_request_fails_alone() -> None:
    async def scenario() -> None:
        bench = Bench()
        answers = await asyncio.gather(*(bench.ask(np.nan if i == 5 else i) for i in range(12)))
        failed = [i for i, a in enumerate(answers) if isinstance(a, ServingError)]
        assert failed == [5]
        assert answers[5].message == "a NaN"

    run(scenario)


def test_other_shapes_wait_for_their_turn_and_are_not_mixed() -> None:
    async def scenario() -> None:
        bench = Bench()
        wrong = asyncio.get_running_loop().create_future()
        inputs = {"x": np.zeros((1, 3), np.float32)}
        asked = [bench.ask(i) for i in range(6)]
        job = Job(SIGNATURE, inputs, 1, dict, wrong.set_result, time.monotonic() + 30)
        bench.executor.submit(bench.servable, job)
        asked += [bench.ask(i) for i in range(6)]
        assert all(isinstance(a, list) for a in await asyncio.gather(*asked))
        assert (await wrong).message == "Input x has shape [1,3], expected [?,2]"

    run(scenario)


def test_a_full_queue_refuses_and_recovers() -> None:
    async def scenario() -> None:
        bench = Bench(pending=5)
        bench.engine.free.clear()
        asked = [bench.ask(i) for i in range(5)]
        with pytest.raises(ResourceExhausted):
            bench.ask(5)
        with pytest.raises(ResourceExhausted):
            bench.executor.away(bench.servable, lambda: 1, Promise(lambda _: None, time.monotonic() + 30))
        bench.engine.free.set()
        assert len(await asyncio.gather(*asked)) == 5
        assert await bench.ask(7) == [[14.0, 14.0]]

    run(scenario)


def test_deadlines_of_what_waits_and_of_what_runs() -> None:
    async def scenario() -> None:
        bench = Bench(batch_rows=1)
        bench.engine.free.clear()
        watch = asyncio.create_task(bench.executor.watch())
        asked = [bench.ask(i, seconds=0.01) for i in range(20)]
        errand = asyncio.get_running_loop().create_future()
        bench.executor.away(bench.servable, bench.engine.free.wait, Promise(errand.set_result, time.monotonic() + 0.01))
        answers = await asyncio.gather(*asked, errand)
        assert {a.code for a in answers} == {Code.DEADLINE_EXCEEDED}
        bench.engine.free.set()
        assert await bench.ask(1) == [[2.0, 2.0]]
        assert sum(bench.engine.rows) < 20, "what was too late was not run"
        while bench.executor.waiting:  # the errand's thread may leave behind the answer; pytest's timeout ends this
            await asyncio.sleep(0.01)
        assert bench.servable.users == 0
        watch.cancel()

    run(scenario)


def test_a_fault_is_one_requests_own(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        bench = Bench()
        future = asyncio.get_running_loop().create_future()
        inputs = {"x": np.zeros((1, 2), np.float32)}
        job = Job(SIGNATURE, inputs, 1, lambda o: o["none"], future.set_result, time.monotonic() + 30)
        bench.executor.submit(bench.servable, job)
        assert isinstance(await future, Internal)
        assert await bench.ask(1) == [[2.0, 2.0]]

    run(scenario)


def metrics(live: Live, path: str = "/metrics") -> dict[str, float]:
    answer = live.get(path)
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = [line for line in answer.body.decode().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def test_metrics_count_what_was_asked(exports: Path, samples: dict[str, np.ndarray]) -> None:
    from live import serving

    row = samples["input/image"][0].tolist()
    with serving(exports) as live:
        for _ in range(3):
            assert live.predict("tiny", {"instances": [row]}).status == 200
        assert live.predict("tiny", {"instances": [1.0]}).status == 400
        for name in ("nobody", "anybody"):
            assert live.predict(name, {"instances": [1.0]}).status == 404
        found = metrics(live)
        tfs = ":tensorflow:serving:"
        assert found[f'{tfs}request_count{{model_name="tiny",status="OK"}}'] == 3
        assert found[f'{tfs}request_count{{model_name="tiny",status="INVALID_ARGUMENT"}}'] == 1
        assert found[f'{tfs}request_count{{model_name="(unknown)",status="NOT_FOUND"}}'] == 2
        labels = 'model_name="tiny",API="Predict",entrypoint="REST"'
        assert found[f"{tfs}request_latency_count{{{labels}}}"] == 3
        buckets = [v for k, v in found.items() if k.startswith(f"{tfs}request_latency_bucket{{{labels}")]
        assert len(buckets) == 34
        assert buckets == sorted(buckets)
        assert found[f'{tfs}runtime_latency_count{{model_name="tiny",API="Predict",runtime="onnxruntime"}}'] == 3
        assert found['isomer_requests_total{model="tiny",api="Predict",entrypoint="REST",code="OK"}'] == 3
        assert found['isomer_version_available{model="tiny",version="1",engine="onnxruntime"}'] == 1
        assert found["isomer_ready"] == 1
        assert [v for k, v in found.items() if k.startswith(":tensorflow:cc:saved_model:load_attempt_count")] == [1]
        assert metrics(live, "/monitoring/prometheus/metrics").keys() == found.keys()


def test_every_line_of_the_metrics_is_prometheus_text(tiny: Live) -> None:
    line = re.compile(r'[a-zA-Z_:][a-zA-Z0-9_:]*(\{([a-zA-Z_][a-zA-Z0-9_]*="([^"\\]|\\.)*",?)*\})? -?[0-9.e+-]+')
    text = tiny.get("/metrics").body.decode()
    for found in text.splitlines():
        assert found.startswith(("# HELP ", "# TYPE ")) or line.fullmatch(found), found


def test_many_clients_get_their_own_answers(tiny: Live, samples: dict[str, np.ndarray]) -> None:
    """Rows that are run together go back to who asked."""
    images = samples["input/image"]
    wanted = [tiny.predict("tiny", {"instances": [i.tolist()]}).json["predictions"][0] for i in images[:8]]

    def ask(i: int) -> bool:
        found = json.loads(tiny.predict("tiny", {"instances": [images[i % 8].tolist()]}).body)["predictions"][0]
        return bool(np.allclose(found, wanted[i % 8], atol=1e-5))

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(ask, range(400)))
