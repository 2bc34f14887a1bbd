"""Deployment files against their schemas and linters, and the check of served numbers against certificates."""

from __future__ import annotations

import importlib.resources
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from live import ROOT, Live, publish, serving

from serving.deploy.render import TARGETS, render
from serving.errors import Damaged, StartFault
from serving.lifecycle import config, promotion
from serving.lifecycle.promotion import Promotions


@pytest.fixture(scope="module")
def promoted(tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An exports directory: `tiny` with versions 1 (stable) and 2, and `Tiny_2`."""
    root = tmp_path_factory.mktemp("promoted")
    for base, version in (("tiny", "1"), ("tiny", "2"), ("Tiny_2", "1")):
        (root / base).mkdir(exist_ok=True)
        publish(tiny_bundle, root / base / version)
    promotion.write(root / "tiny", Promotions().promote(1, "stable"))
    return root


@pytest.fixture(scope="module")
def rendered(promoted: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("deploy")
    for target in TARGETS:
        written = render(promoted, target, output, "registry.example/isomer:1", "pvc://models")
        assert [p.name for p in written] == list(TARGETS[target])
    return output


def documents(path: Path) -> list[Any]:
    return list(yaml.safe_load_all(path.read_text()))


@pytest.mark.parametrize("name", ["kubernetes.yaml", "kserve.yaml"])
def test_kubernetes_takes_the_manifests(rendered: Path, name: str) -> None:
    # The project leaves this backport out (README, "Why the overrides"); Python has the same.
    sys.modules.setdefault("importlib_resources", importlib.resources)
    import kubernetes_validate

    found = documents(rendered / name)
    assert len(found) >= 4
    for document in found:
        if not document["apiVersion"].startswith("serving.kserve.io"):
            kubernetes_validate.validate(document, "1.34", strict=True)
        assert re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", document["metadata"]["name"])


def test_kubernetes_balances_scales_and_probes(rendered: Path) -> None:
    by_kind = {d["kind"]: d for d in documents(rendered / "kubernetes.yaml")}
    assert by_kind.keys() == {"Deployment", "Service", "HorizontalPodAutoscaler", "PodDisruptionBudget"}
    name = by_kind["Deployment"]["metadata"]["name"]
    assert by_kind["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]["name"] == name
    (container,) = by_kind["Deployment"]["spec"]["template"]["spec"]["containers"]
    probes = {k: v["httpGet"]["path"] for k, v in container.items() if k.endswith("Probe")}
    assert probes == {"readinessProbe": "/readyz", "startupProbe": "/readyz", "livenessProbe": "/healthz"}


def test_kserve_gets_each_model_by_both_runtimes(rendered: Path) -> None:
    found = documents(rendered / "kserve.yaml")
    assert [d["metadata"]["name"] for d in found] == [
        "isomer",
        "tiny-2-tensorflow",
        "tiny-2",
        "tiny-tensorflow",
        "tiny",
    ]
    runtime = found[0]["spec"]["containers"][0]
    assert "--model-name={{.Name}}" in runtime["args"]
    assert found[-1]["spec"]["predictor"]["model"]["storageUri"] == "pvc://models/tiny"
    # All requests go to what is new, unless a canary is asked for.
    assert {d["spec"]["predictor"]["canaryTrafficPercent"] for d in found[1:]} == {100}


def test_a_canary_gets_its_percentage(promoted: Path, tmp_path: Path) -> None:
    render(promoted, "kserve", tmp_path, "i", "pvc://models", only="tiny", canary=10)
    services = documents(tmp_path / "kserve.yaml")[1:]
    assert [d["spec"]["predictor"]["canaryTrafficPercent"] for d in services] == [10, 10]
    with pytest.raises(StartFault):
        render(promoted, "kserve", tmp_path, "i", "pvc://models", canary=101)


@pytest.mark.parametrize("name", ["compose.yaml", "compose.gpu.yaml"])
def test_compose_takes_its_file(rendered: Path, name: str) -> None:
    import compose_spec

    (document,) = documents(rendered / name)
    compose_spec.ComposeSpecification.model_validate(document)
    service = document["services"]["tensorflow-serving"]
    assert re.fullmatch(r"tensorflow/serving:\d+\.\d+\.\d+(-gpu)?", service["image"])


def test_the_configuration_is_the_promotions(rendered: Path, promoted: Path) -> None:
    """By our own reader, which is protocol buffers' own."""
    by_name = {m.name: m for m in config.read(rendered / "models.config")}
    assert by_name["tiny"].policy.specific == {1, 2}
    assert by_name["tiny"].labels == {"stable": 1}
    assert by_name["Tiny_2"].policy.specific == {1}
    mount = documents(rendered / "compose.yaml")[0]["services"]["tensorflow-serving"]["volumes"][0]
    assert mount == f"{promoted}:/models:ro"


def test_the_configuration_serves(rendered: Path, promoted: Path, tmp_path: Path) -> None:
    file = tmp_path / "models.config"
    file.write_text((rendered / "models.config").read_text().replace("/models/", f"{promoted}/"))
    with serving(None, "--model-config-file", str(file)) as live:
        assert live.get("/v1/models/tiny/labels/stable/metadata").json["model_spec"]["version"] == "1"
        probe = documents(rendered / "compose.yaml")[0]["services"]["tensorflow-serving"]["healthcheck"]["test"]
        command = [part.replace("$$", "$").replace("/8501", f"/{live.port}") for part in probe[1:]]
        assert subprocess.run(command).returncode == 0
        assert subprocess.run([c.replace("for m in", "for m in none") for c in command]).returncode != 0


def test_the_dockerfile_passes_its_linter(rendered: Path) -> None:
    linter = shutil.which("hadolint") or str(Path(sys.executable).parent / "hadolint")
    done = subprocess.run([linter, str(rendered / "Dockerfile")], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_dockerfile_installs_all_that_the_server_imports(rendered: Path, exports: Path) -> None:
    """Whatever is imported while both engines load and gRPC answers comes from a package that is listed."""
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "import serving.main, serving.rpc.server, serving.options\n"
        "from serving.lifecycle.loading import load\n"
        "for engine in ('onnx', 'tflite'):\n"
        f"    load('tiny', 1, Path({str(exports / 'tiny' / '1')!r}), engine, True, 1)\n"
        "own = {m.partition('.')[0] for m in sys.modules} - set(sys.stdlib_module_names)\n"
        "print(sorted(m for m in own if not m.startswith('_')))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    listed = re.findall(r"([\w-]+)==", (rendered / "Dockerfile").read_text())
    names = {"ai-edge-litert": "ai_edge_litert", "grpcio": "grpc", "protobuf": "google"}
    known = {names.get(p, p) for p in listed} | {"serving", "flatbuffers", "cython_runtime", "tqdm", "backports"}
    assert set(eval(done.stdout)) - known - {"sitecustomize", "ml_dtypes", "typing_extensions"} == set()


def test_what_cannot_be_deployed(promoted: Path, tmp_path: Path) -> None:
    for target, exports in (("x", promoted), ("compose", tmp_path / "none"), ("compose", tmp_path)):
        with pytest.raises(StartFault):
            render(exports, target, tmp_path / "out", "i", "s")
    shutil.copytree(promoted / "tiny" / "1", tmp_path / "broken" / "1")
    (tmp_path / "broken" / "1" / "model.keras").write_bytes(b"x")
    with pytest.raises(Damaged):
        render(tmp_path / "broken", "compose", tmp_path / "out", "i", "s")


def isomer(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pipeline", "deploy", *map(str, arguments)], capture_output=True, text=True, cwd=ROOT
    )


def test_a_served_bundle_is_what_was_certified(tiny: Live, exports: Path) -> None:
    url = f"http://{tiny.host}:{tiny.port}"
    done = isomer("check", url, exports / "tiny", "--grpc", tiny.grpc, "--json")
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(line["way"], line["verdict"]) for line in lines] == [("REST", "PASS"), ("gRPC", "PASS")]
    assert all(0 < line["error_ulp"] <= line["budget_ulp"] for line in lines)
    latest = isomer("check", f"{tiny.host}:{tiny.port}", exports / "tiny" / "1", "--latest")
    assert latest.returncode == 0
    assert "PASS  REST" in latest.stdout


def test_a_server_of_other_weights_fails_the_check(tiny_bundle: Path, exports: Path, tmp_path: Path) -> None:
    """The same names and shapes, another answer: served without a gate, it is found out from outside."""
    import numpy as np
    import onnx
    from onnx import numpy_helper

    model = onnx.load(tiny_bundle / "onnx" / "float32.onnx")
    largest = max(model.graph.initializer, key=lambda t: int(np.prod(t.dims)))
    largest.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(largest) * np.float32(1.001), largest.name))
    (tmp_path / "tiny" / "1").mkdir(parents=True)
    onnx.save(model, tmp_path / "tiny" / "1" / "model.onnx")
    with serving(tmp_path, "--no-gate") as live:
        url = f"http://{live.host}:{live.port}"
        done = isomer("check", url, exports / "tiny", "--grpc", live.grpc)
        assert done.returncode == 1
        assert done.stdout.count("does not answer like its certificate") == 2
        missing = isomer("check", url, exports / "tiny", "--name", "other")
        assert missing.returncode == 1
        assert "404: Servable not found" in missing.stdout


def test_checks_that_cannot_be_made(exports: Path, tmp_path: Path) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    for arguments, code in (
        (("check", f"http://127.0.0.1:{port}", exports / "tiny"), 3),
        (("check", "ftp://x", exports / "tiny"), 2),
        (("check", "http://127.0.0.1", tmp_path / "none"), 2),
        (("check", "http://127.0.0.1", tmp_path), 2),
        (("render", "x", exports), 2),
    ):
        done = isomer(*arguments)
        assert done.returncode == code, (arguments, done.stderr)
        assert done.stderr.startswith("error: ")
        assert "Traceback" not in done.stderr
