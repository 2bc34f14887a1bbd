"""The device kit: a directory that judges itself where it is copied to, by the same arithmetic as isomer's own."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.bundle import golden, manifest, schemas
from pipeline.cells import Status
from pipeline.devices import report
from pipeline.errors import BundleError, UsageError
from pipeline.kit import assemble
from pipeline.parity.evidence import Evidence, compare
from pipeline.runtimes.emulated import ARM64, HEADERS
from serving.kit import check

Outputs = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def packed(tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return assemble(tiny_bundle, tmp_path_factory.mktemp("kits") / "kit")


@pytest.fixture
def kit(packed: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(packed, tmp_path / "kit"))


def run(kit: Path, *options: str, python: Sequence[str] = (sys.executable,)) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*python, str(kit / "check.py"), *options], capture_output=True, text=True, cwd=kit)


def certificate(kit: Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((kit / f"certificate-{name}.json").read_text())
    schemas.validate(found, "device")
    return found


def test_it_passes_here_and_its_certificate_joins_the_matrix(kit: Path, tiny_bundle: Path) -> None:
    done = run(kit, "--name", "bench-1")
    assert done.returncode == 0, done.stdout + done.stderr
    found = certificate(kit, "bench-1")
    assert [(c["format"], c["variant"], c["verdict"]) for c in found["cells"]] == [
        ("tflite", "", "PASS"),
        ("tflite", "batch1", "PASS"),
        ("onnx", "", "PASS"),
    ]
    merged = report(tiny_bundle, [kit / "certificate-bench-1.json"])
    ours = [c for c in merged.cells if c.device == "bench-1"]
    assert {(c.runtime, c.verdict, c.required) for c in ours} == {
        ("litert", Status.PASS, False),
        ("onnxruntime", Status.PASS, False),
    }
    assert merged.status is Status.PASS
    schemas.validate(merged.certificate, "certificate")
    assert manifest.verify(tiny_bundle).intact


def test_the_selftest_finds_all_that_it_spoils(kit: Path) -> None:
    done = run(kit, "--selftest")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "was found" in done.stdout


def test_the_selftest_fails_where_the_judge_cannot(kit: Path) -> None:
    """A budget that allows everything: the selftest must notice that nothing can fail any more."""
    limit = kit / "golden" / "limit-0.npy"
    np.save(limit, np.full_like(np.load(limit), np.inf))
    index = json.loads((kit / "kit.json").read_text())
    next(f for f in index["files"] if f["path"] == "golden/limit-0.npy")["sha256"] = manifest.sha256(limit)
    (kit / "kit.json").write_text(json.dumps(index))
    done = run(kit, "--selftest")
    assert done.returncode == 1
    assert "answers in another order was not found" in done.stdout


@pytest.mark.parametrize("file", ["models/float32.tflite", "models/float32.onnx", "golden/exact-0.npy", "check.py"])
def test_one_changed_bit_is_found(kit: Path, file: str) -> None:
    data = bytearray((kit / file).read_bytes())
    # In a comment of the checker, in the middle of the others.
    place = data.index(b"--- The judge") if file == "check.py" else len(data) // 2
    data[place] ^= 1
    (kit / file).write_bytes(data)
    done = run(kit)
    assert done.returncode == 1
    assert f"{file} is not the file that was packed" in done.stderr
    assert not list(kit.glob("certificate-*"))


def test_a_wrong_model_fails_by_its_answers(kit: Path) -> None:
    """Of another training, with its own hash in the index: only the numbers can tell."""
    import onnx
    from onnx import numpy_helper

    path = kit / "models" / "float32.onnx"
    model = onnx.load(path)
    for tensor in model.graph.initializer:
        value = numpy_helper.to_array(tensor)
        if value.dtype == np.float32 and value.ndim > 1:
            tensor.CopyFrom(numpy_helper.from_array(value * np.float32(1.001), tensor.name))
    onnx.save(model, path)
    index = json.loads((kit / "kit.json").read_text())
    for entry in (*index["files"], *index["artifacts"]):
        if entry.get("path", entry.get("file")) == "models/float32.onnx":
            entry["sha256"] = manifest.sha256(path)
    (kit / "kit.json").write_text(json.dumps(index))
    done = run(kit)
    assert done.returncode == 1
    assert "is off by" in done.stdout
    failed = {c["format"] for c in certificate(kit, check.platform.machine())["cells"] if c["verdict"] == "FAIL"}
    assert failed == {"onnx"}


def test_without_a_runtime_nothing_is_claimed(kit: Path) -> None:
    blocked = "import sys, runpy; sys.modules.update(ai_edge_litert=None, tflite_runtime=None, onnxruntime=None); "
    start = f"{blocked}sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
    done = run(kit, "--name", "bare", python=(sys.executable, "-c", start))
    assert done.returncode == 3, done.stdout + done.stderr
    assert {c["verdict"] for c in certificate(kit, "bare")["cells"]} == {"NOT_RUN"}
    assert certificate(kit, "bare")["status"] == "INCONCLUSIVE"


def test_latency_has_its_spread(kit: Path) -> None:
    done = run(kit, "--benchmark", "20", "--name", "timed")
    assert done.returncode == 0, done.stderr
    for cell in certificate(kit, "timed")["cells"]:
        times = cell["latency_ms"]
        assert 0 < times["min"] <= times["p50"] <= times["p90"] <= times["p99"]
        assert times["calls"] >= 20
        if cell["runtime"] == "litert":  # its own tool beside ours, on the same file
            assert cell["environment"]["litert-benchmark init"] > 0
            assert "litert-benchmark median" in cell["environment"]


@pytest.mark.skipif(not ARM64.installed, reason="no ARM64 user space here: run `make arm64`")
def test_it_passes_on_arm64(kit: Path, tiny_bundle: Path) -> None:
    python = ARM64.python("cortex-a72")
    assert python is not None
    done = run(kit, "--name", "pi4", python=python)
    assert done.returncode == 0, done.stdout + done.stderr
    found = certificate(kit, "pi4")
    assert found["machine"]["machine"] == "aarch64" and "emulator" in found["machine"]
    assert [c["verdict"] for c in found["cells"]] == ["PASS"] * 3
    assert all(c.environment["emulator"] for c in report(tiny_bundle, [kit / "certificate-pi4.json"]).cells[-3:])
    refused = run(kit, "--benchmark", python=python)
    assert refused.returncode == 2 and "emulated" in refused.stderr


PROGRAMS = ("classify_litert", "classify_onnxruntime")


def build(kit: Path, compiler: str, site: Path) -> Path:
    """Build the kit's programs in C; returns where they are. Skips without the compiler."""
    if shutil.which(compiler) is None:
        pytest.skip(f"no {compiler} here")
    out = kit / "built"
    variables = {"CC": compiler, "SITE": str(site), "OUT": str(out), "ORT_INCLUDE": str(HEADERS)}
    done = subprocess.run(
        ["sh", str(kit / "c" / "build.sh")], capture_output=True, text=True, env={**os.environ, **variables}
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return out


def spoil(kit: Path) -> None:
    """Golden answers that no runtime gives."""
    exact = kit / "golden" / "exact-0.npy"
    np.save(exact, np.roll(np.load(exact), 1, axis=1))


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("prefix", [None, "cortex-a76"])
def test_programs_in_c_classify_and_judge(kit: Path, program: str, prefix: str | None) -> None:
    if (prefix or program == PROGRAMS[1]) and not ARM64.installed:
        pytest.skip("no ARM64 user space, nor ONNX Runtime's header, here: run `make arm64`")
    here = Path(importlib.util.find_spec("onnxruntime").origin).parents[1]  # type: ignore[union-attr, arg-type]
    compiler, site = ("aarch64-linux-gnu-gcc", ARM64.site) if prefix else ("cc", here)
    built = build(kit, compiler, site)
    command = [*(ARM64.emulator(prefix) if prefix else ()), str(built / program), str(kit)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = len(np.load(kit / "golden" / "input-0.npy"))
    assert f"PASS: 0 of {rows} rows are beyond their budgets" in done.stdout
    spoil(kit)
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "FAIL" in done.stdout


def spoiled(evidence: Evidence) -> dict[str, Outputs]:
    """Answers to the golden rows, right and wrong."""
    (name,) = evidence.exact
    right = evidence.reference[name]
    budget = evidence.budgets[name]
    step = budget.limits_ulp[3] * np.exp2(np.floor(np.log2(budget.scales[3])) - 23)
    within, beyond, flushed = right.astype(np.float64), right.astype(np.float64), right.copy()
    within[3] = evidence.exact[name][3]
    within[3, 0] += 0.99 * step
    beyond[3] = evidence.exact[name][3]
    beyond[3, 0] += 1.01 * step
    broken = right.copy()
    broken[1, 2] = np.nan
    zeros, subnormal = (evidence.judged.regular + evidence.judged.awkward.index(n) for n in ("zeros", "subnormal"))
    flushed[subnormal] = flushed[zeros]
    return {
        "right": {name: right},
        "within": {name: within},
        "beyond": {name: beyond},
        "flushed": {name: flushed},
        "nan": {name: broken},
        "short": {name: right[:-1]},
        "renamed": {"other": right},
        "two": {name: right, "other": right},
        "swapped": {name: np.roll(right, 1, axis=0)},
        "half": {name: right.astype(np.float16).astype(np.float32)},
    }


def test_its_judge_is_isomers(packed: Path, tiny_bundle: Path) -> None:
    evidence = golden.read_samples(tiny_bundle)
    checker = check.Kit(packed)
    (artifact, *_) = checker.artifacts
    table = spoiled(evidence)
    verdicts = {}
    for name, outputs in table.items():
        theirs, ours = checker.verdict(artifact, outputs), compare(outputs, evidence)
        assert theirs["verdict"] == ours.status, name
        if ours.status is Status.PASS or name in ("beyond", "swapped"):
            assert theirs["ulp_error"] == ours.ulp_error, name
            assert theirs["budget_ulp"] == ours.budget_ulp, name
        verdicts[name] = theirs["verdict"]
    assert verdicts["right"] == verdicts["within"] == "PASS"
    assert verdicts["beyond"] == verdicts["nan"] == verdicts["swapped"] == "FAIL"


QUANTUM = 1 / 256
ANSWERS = {"xnnpack": {"y": np.float32([[0, 0.5]])}, "reference": {"y": np.float32([[0, 0.5 + 9 * QUANTUM]])}}


@pytest.mark.parametrize(
    ("value", "quanta", "verdict"),
    [
        ([[0, 0.5]], {"y": QUANTUM}, "PASS"),
        ([[0, 0.5 + 9 * QUANTUM]], {"y": QUANTUM}, "PASS"),
        ([[QUANTUM, 0.5 + 8 * QUANTUM]], {"y": QUANTUM}, "PASS"),
        ([[0, 0.5 + 4 * QUANTUM]], {"y": QUANTUM}, "FAIL"),
        ([[0, 0.5]], {}, "PASS"),
        ([[0, 0.5 + QUANTUM]], {}, "INCONCLUSIVE"),
        ([[0, np.nan]], {"y": QUANTUM}, "FAIL"),
        ([[0]], {"y": QUANTUM}, "FAIL"),
        ([[0]], {}, "FAIL"),
    ],
)
def test_whole_numbers_agree_with_one_family_of_kernels(value: Any, quanta: dict[str, float], verdict: str) -> None:
    found = check.judge_quantized({"y": np.float32(value)}, ANSWERS, quanta)
    assert found["verdict"] == verdict
    assert bool(found["reason"]) == (verdict != "PASS")


def test_a_certificate_of_another_bundle_is_refused(kit: Path, tiny_bundle: Path) -> None:
    run(kit, "--name", "elsewhere")
    path = kit / "certificate-elsewhere.json"
    good = json.loads(path.read_text())

    def refused(change: Callable[[dict[str, Any]], None], words: str) -> None:
        document = json.loads(json.dumps(good))
        change(document)
        path.write_text(json.dumps(document))
        with pytest.raises(BundleError, match=words):
            report(tiny_bundle, [path])

    refused(lambda d: d.update(bundle="0" * 64), "another bundle")
    refused(lambda d: d["cells"][0].update(artifact="0" * 64), "another file")
    refused(lambda d: d["cells"][0].update(verdict="FAIL", reason=""), "needs a reason")
    refused(lambda d: d["cells"][0].update(required=True), "device")
    path.write_text("{")
    with pytest.raises(BundleError, match="cannot be read"):
        report(tiny_bundle, [path])


def test_what_fails_on_a_device_fails_the_matrix(kit: Path, tiny_bundle: Path) -> None:
    run(kit, "--name", "pi")
    path = kit / "certificate-pi.json"
    document = json.loads(path.read_text())
    document["cells"][0].update(verdict="FAIL", reason="off by far")
    path.write_text(json.dumps(document))
    assert report(tiny_bundle, [path]).status is Status.FAIL


def test_no_directory_of_the_users_is_replaced(tiny_bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    with pytest.raises(UsageError, match="is no kit"):
        assemble(tiny_bundle, tmp_path / "mine")
    assert (tmp_path / "mine" / "letter.txt").read_text() == "dear"
