"""What watches a deployment: alert rules run by Prometheus' own tool, and a dashboard whose queries find something."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format
from live import ROOT, Live
from test_execution import metrics

from serving.deploy.render import render
from serving.metrics import Metrics

WINDOW = "5m"


@pytest.fixture(scope="module")
def rendered(exports: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("monitoring")
    render(exports, "compose", output, "i", "s")
    return output


@pytest.fixture(scope="module")
def promtool() -> str:
    found = shutil.which("promtool") or shutil.which(str(ROOT / ".tools" / "prometheus" / "promtool"))
    if found is None:
        pytest.skip("no promtool: `python tools/setup_promtool.py` says why")
    return found


def rules(rendered: Path) -> dict[str, dict[str, Any]]:
    groups = yaml.safe_load((rendered / "alerts.yaml").read_text())["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def queries(rendered: Path) -> Iterator[str]:
    """All that is asked of Prometheus, as Grafana asks it."""
    for rule in rules(rendered).values():
        yield rule["expr"]
    for panel in json.loads((rendered / "grafana-dashboard.json").read_text())["panels"]:
        for target in panel.get("targets", ()):
            yield target["expr"].replace("$__rate_interval", WINDOW).replace("$model", ".*")


def selectors(query: str) -> list[Any]:
    """The series that a query reads."""
    found: list[Any] = []

    def look(expression: Any) -> None:
        if isinstance(expression, promql_parser.VectorSelector):
            found.append(expression)
        elif isinstance(expression, promql_parser.MatrixSelector):
            found.append(expression.vector_selector)
        elif isinstance(expression, promql_parser.BinaryExpr):
            look(expression.lhs)
            look(expression.rhs)
        elif isinstance(expression, promql_parser.Call):
            for argument in expression.args:
                look(argument)
        elif isinstance(expression, (promql_parser.AggregateExpr, promql_parser.ParenExpr)):
            look(expression.expr)

    look(promql_parser.parse(query))
    return found


def test_every_query_reads_series_and_labels_that_the_server_has(
    tiny: Live, rendered: Path, samples: dict[str, Any]
) -> None:
    for _ in range(2):
        assert tiny.predict("tiny", {"instances": [samples["input/image"][0].tolist()]}).status == 200
    page = tiny.get("/metrics").body.decode()
    there: dict[str, set[str]] = {"up": {"job", "instance"}}
    for line in page.splitlines():
        if not line.startswith("#"):
            name, labels = re.match(r"([\w:]+)(?:\{(.*)\})?", line).groups()
            there.setdefault(name, {"instance"}).update(re.findall(r'(\w+)="', labels or ""))
    for family in Metrics().families:
        if family.name.startswith("isomer_batch_"):  # there once requests were run together
            there[f"{family.name}_bucket"] = {*family.labels, "le"}
    asked = [s for query in queries(rendered) for s in selectors(query)]
    assert len(asked) >= 20
    for selector in asked:
        assert selector.name in there, selector.name
        assert {m.name for m in selector.matchers.matchers} <= there[selector.name], selector


def test_prometheus_takes_its_files(rendered: Path, promtool: str) -> None:
    done = subprocess.run([promtool, "check", "rules", str(rendered / "alerts.yaml")], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(rules(rendered))} rules found" in done.stdout
    text = (
        (rendered / "prometheus.yaml").read_text().replace("/etc/prometheus/alerts.yaml", str(rendered / "alerts.yaml"))
    )
    (rendered / "here.yaml").write_text(text)
    done = subprocess.run([promtool, "check", "config", str(rendered / "here.yaml")], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_servers_metrics_pass_the_linter_of_prometheus(tiny: Live, promtool: str) -> None:
    """All but TensorFlow Serving's own names, which are what they are."""
    page = tiny.get("/metrics").body
    assert metrics(tiny)["isomer_ready"] == 1
    done = subprocess.run([promtool, "check", "metrics"], input=page, capture_output=True)
    said = (done.stdout + done.stderr).decode().splitlines()
    assert [line for line in said if line.startswith("isomer_")] == []
    assert not any("error while linting" in line for line in said)


# What each alert is to notice: series, and whether it fires after 15 minutes.
BUCKET = ':tensorflow:serving:request_latency_bucket{model_name="m", le="%s"}'
CASES: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "ServingDown": ({'up{job="serving"}': "0x20"}, {'up{job="serving"}': "1x20"}),
    "ServingErrors": (
        {
            ':tensorflow:serving:request_count{model_name="m", status="OK"}': "0+90x20",
            ':tensorflow:serving:request_count{model_name="m", status="INTERNAL"}': "0+10x20",
        },
        {
            ':tensorflow:serving:request_count{model_name="m", status="OK"}': "0+99x20",
            ':tensorflow:serving:request_count{model_name="m", status="INTERNAL"}': "0+1x20",
        },
    ),
    "ServingSlow": (
        {BUCKET % "1000000": "0+90x20", BUCKET % "2000000": "0+100x20", BUCKET % "+Inf": "0+100x20"},
        {BUCKET % "1000000": "0+100x20", BUCKET % "2000000": "0+100x20", BUCKET % "+Inf": "0+100x20"},
    ),
    "ServingNotReady": ({"isomer_ready": "0x20"}, {"isomer_ready": "2x20"}),
    "ServingVersionRefused": (
        {'isomer_refused_versions_total{model="m"}': "0x12 1x8"},
        {'isomer_refused_versions_total{model="m"}': "1x20"},
    ),
    "ServingOverloaded": (
        {'isomer_requests_total{code="RESOURCE_EXHAUSTED"}': "0+1x20"},
        {'isomer_requests_total{code="NOT_FOUND"}': "0+1x20"},
    ),
}


def test_each_alert_fires_when_it_should_and_only_then(rendered: Path, promtool: str, tmp_path: Path) -> None:
    assert CASES.keys() == rules(rendered).keys()
    failures = []
    for alert, both in CASES.items():
        for fires, series in zip((True, False), both, strict=True):
            test = {
                "interval": "1m",
                "input_series": [{"series": s, "values": v} for s, v in series.items()],
                "promql_expr_test": [
                    {
                        "expr": f'count(ALERTS{{alertname="{alert}", alertstate="firing"}}) or vector(0)',
                        "eval_time": "15m",
                    }
                ],
            }
            test["promql_expr_test"][0]["exp_samples"] = [{"labels": "{}", "value": int(fires)}]
            file = tmp_path / f"{alert}-{fires}.yaml"
            document = {"rule_files": [str(rendered / "alerts.yaml")], "evaluation_interval": "1m", "tests": [test]}
            file.write_text(yaml.safe_dump(document))
            done = subprocess.run([promtool, "test", "rules", str(file)], capture_output=True, text=True)
            if done.returncode:
                failures.append((alert, fires, done.stdout + done.stderr))
    assert not failures


def test_grafana_knows_every_field_of_the_dashboard(rendered: Path) -> None:
    """By Grafana's own types: what they do not know is lost when it is read and written."""
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    from grafana_foundation_sdk.cog.plugins import register_default_plugins
    from grafana_foundation_sdk.models.dashboard import Dashboard

    register_default_plugins()
    ours = json.loads((rendered / "grafana-dashboard.json").read_text())
    theirs = json.loads(JSONEncoder().encode(Dashboard.from_json(ours)))

    def lost(a: Any, b: Any, where: str) -> Iterator[str]:
        if isinstance(a, dict) and isinstance(b, dict):
            for key, value in a.items():
                yield from lost(value, b[key], f"{where}/{key}") if key in b else [f"{where}/{key}"]
        elif isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
            for i, (x, y) in enumerate(zip(a, b, strict=True)):
                yield from lost(x, y, f"{where}/{i}")
        elif a != b:
            yield f"{where}: {a!r}, {b!r}"

    assert list(lost(ours, theirs, "")) == []
    places = [p["gridPos"] for p in ours["panels"]]
    cells = [(x, y) for p in places for x in range(p["x"], p["x"] + p["w"]) for y in range(p["y"], p["y"] + p["h"])]
    assert len(cells) == len(set(cells)), "panels overlap"
    assert len({p["id"] for p in ours["panels"]}) == len(places)


def test_tensorflow_serving_can_read_its_files(rendered: Path) -> None:
    """By the messages of its session_bundle_config.proto and monitoring_config.proto: field names and types."""
    number = ".google.protobuf.Int64Value"
    fields = ("max_batch_size", "batch_timeout_micros", "max_enqueued_batches", "num_batch_threads")
    batching = _message("BatchingParameters", dict.fromkeys(fields, number))
    found = text_format.Parse((rendered / "batching.config").read_text(), batching())
    assert found.max_batch_size.value == 64
    assert found.HasField("num_batch_threads")
    monitoring = _message("MonitoringConfig", {"prometheus_config": ".PrometheusConfig"})
    read = text_format.Parse((rendered / "monitoring.config").read_text(), monitoring())
    scraped = yaml.safe_load((rendered / "prometheus.yaml").read_text())["scrape_configs"][0]
    assert read.prometheus_config.enable
    assert read.prometheus_config.path == scraped["metrics_path"]


def _message(name: str, fields: dict[str, str]) -> Any:
    from google.protobuf import wrappers_pb2

    kinds = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name=f"{name}.proto", syntax="proto3")
    file.dependency.append("google/protobuf/wrappers.proto")
    prometheus = file.message_type.add(name="PrometheusConfig")
    prometheus.field.add(name="enable", number=1, type=kinds.TYPE_BOOL, label=kinds.LABEL_OPTIONAL)
    prometheus.field.add(name="path", number=2, type=kinds.TYPE_STRING, label=kinds.LABEL_OPTIONAL)
    made = file.message_type.add(name=name)
    for number, (field, kind) in enumerate(fields.items(), start=1):
        made.field.add(name=field, number=number, type=kinds.TYPE_MESSAGE, type_name=kind, label=kinds.LABEL_OPTIONAL)
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(wrappers_pb2.DESCRIPTOR.serialized_pb)
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(name))
