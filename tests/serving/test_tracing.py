"""OpenTelemetry traces, as a collector gets them."""

from __future__ import annotations

import gzip
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import foreign
import grpc
import pytest
from live import PATIENCE, ROOT, Live, serving, until

from serving.protos import message

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SAMPLED, UNSAMPLED = f"00-{TRACE}-{PARENT}-01", f"00-{TRACE}-{PARENT}-00"


@dataclass
class Collector:
    """Takes OTLP over HTTP."""

    url: str
    resources: list[Any] = field(default_factory=list)

    def spans(self) -> list[Any]:
        return [span for r in self.resources for scope in r.scope_spans for span in scope.spans]

    def of(self, name: str) -> list[Any]:
        return [span for span in self.spans() if span.name == name]


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            if self.path == "/v1/traces":
                found.resources.extend(ExportTraceServiceRequest.FromString(body).resource_spans)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found = Collector(f"http://127.0.0.1:{server.server_address[1]}")
    Thread(target=server.serve_forever, daemon=True).start()
    yield found
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def live(collector: Collector, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    root = tmp_path_factory.mktemp("traced")
    foreign.half_plus(root / "half" / "1", 2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")  # milliseconds between exports
        with serving(root, "--no-gate", "--traces", collector.url) as server:
            yield server


def attributes(span: Any) -> dict[str, Any]:
    return {a.key: getattr(a.value, a.value.WhichOneof("value")) for a in span.attributes}


def test_a_request_is_a_span_with_its_wait_and_its_engine_call(live: Live, collector: Collector) -> None:
    answer = live.request("POST", "/v1/models/half:predict", '{"instances": [2.0]}', traceparent=SAMPLED)
    assert answer.json == {"predictions": [3.0]}
    (span,) = until(lambda: collector.of("POST /v1/models/{model}:predict"), "exported")
    assert (span.trace_id.hex(), span.parent_span_id.hex(), span.kind) == (TRACE, PARENT, 2)
    found = attributes(span)
    assert found["http.response.status_code"] == 200
    assert (found["http.request.method"], found["url.path"]) == ("POST", "/v1/models/half:predict")
    (queue,), (engine,) = collector.of("queue"), collector.of("engine")
    assert queue.parent_span_id == engine.parent_span_id == span.span_id
    assert span.start_time_unix_nano <= queue.start_time_unix_nano <= queue.end_time_unix_nano
    assert queue.end_time_unix_nano <= engine.start_time_unix_nano <= engine.end_time_unix_nano
    assert engine.end_time_unix_nano <= span.end_time_unix_nano
    ran = attributes(engine)
    assert (ran["isomer.model"], ran["isomer.version"], ran["isomer.batch.rows"]) == ("half", 1, 1)
    assert ran["isomer.engine"].startswith("onnxruntime ")
    resource = attributes(collector.resources[0].resource)
    assert resource["service.name"] == "isomer-serving"


def test_a_call_by_grpc(live: Live, collector: Collector) -> None:
    request = message("PredictRequest")()
    request.model_spec.name = "half"
    tensor = request.inputs["x"]
    tensor.dtype = 1
    tensor.tensor_shape.dim.add(size=1)
    tensor.float_val.append(2.0)
    service = "tensorflow.serving.PredictionService"
    call = grpc.insecure_channel(live.grpc).unary_unary(f"/{service}/Predict")
    call(request.SerializeToString(), timeout=PATIENCE, metadata=(("traceparent", SAMPLED),))
    (span,) = until(lambda: collector.of(f"{service}/Predict"), "exported")
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == (TRACE, PARENT)
    found = attributes(span)
    assert (found["rpc.system"], found["rpc.service"], found["rpc.method"]) == ("grpc", service, "Predict")
    assert found["rpc.grpc.status_code"] == 0
    assert any(engine.parent_span_id == span.span_id for engine in collector.of("engine"))


def test_what_is_refused_and_what_is_read_in_a_thread(live: Live, collector: Collector) -> None:
    assert live.request("POST", "/v1/models/none:classify", "{}").status == 400
    assert live.request("POST", "/v1/models/half/versions/9:predict", '{"instances": [1]}').status == 404
    long = json.dumps({"inputs": [0.5] * 30000})
    assert live.request("POST", "/v1/models/half/versions/1:predict", long).status == 200
    name = "POST /v1/models/{model}/versions/{version}:predict"
    missing, ran = until(lambda: collector.of(name) if len(collector.of(name)) == 2 else None, "exported")
    assert attributes(missing)["http.response.status_code"] == 404
    assert missing.status.code == 0  # the client's fault, not the server's
    assert not missing.parent_span_id
    inside = {s.name: s for s in collector.spans() if s.parent_span_id == ran.span_id}
    assert set(inside) == {"queue", "engine"}
    assert attributes(inside["engine"])["isomer.batch.rows"] == 30000


def test_paths_that_are_none_make_no_names(live: Live, collector: Collector) -> None:
    for path in ("/v2/models/half/else", f"/v1/models/half/{'y' * 9000}"):
        live.get(path)
    found = until(lambda: collector.of("GET") if len(collector.of("GET")) == 2 else None, "exported")
    assert all(len(attributes(span)["url.path"]) <= 1024 for span in found)
    assert not live.events("fault")
    assert not live.events("traces")


def test_what_is_not_traced(live: Live, collector: Collector) -> None:
    """Health and metrics; and what the client's own sampling left out."""
    before = len(collector.spans())
    for path in ("/healthz", "/metrics", "/openapi.json", "/v2/health/live"):
        assert live.get(path).status == 200
    live.request("GET", "/v1/models/half/metadata", traceparent=UNSAMPLED)
    live.request("GET", "/v1/models/half", traceparent="nonsense")
    until(lambda: collector.of("GET /v1/models/{model}"), "exported")
    assert {s.name for s in collector.spans()[before:]} == {"GET /v1/models/{model}"}


def test_a_collector_that_is_gone_costs_traces_and_nothing_else(tmp_path: Path) -> None:
    foreign.half_plus(tmp_path / "half" / "1", 2)
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
    with serving(tmp_path, "--no-gate", "--traces", url) as live:
        for _ in range(20):
            assert live.predict("half", {"instances": [2.0]}).json == {"predictions": [3.0]}
        assert live.stop() == 0
        assert live.events("traces")  # the reason, as one event of the log
        assert not any("Traceback" in line for line in live.lines)


def test_without_opentelemetry_there_is_one_message(tmp_path: Path) -> None:
    code = "import sys; sys.modules['opentelemetry'] = None; import runpy; sys.argv[0] = 'serving'; "
    code += "runpy.run_module('serving', run_name='__main__')"
    command = [sys.executable, "-c", code, str(tmp_path), "--traces", "http://localhost:4318", "--workers", "2"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 3
    assert done.stderr.startswith("error: OpenTelemetry is not installed")
    assert "Traceback" not in done.stderr
