"""The aarch64 wheels of LiteRT and ONNX Runtime on emulated processors: cells like any other, except that they cannot
be timed. `make test` installs what they need where Debian's packages can be had."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline import runtimes, validating
from pipeline.artifact import Artifact
from pipeline.benchmarking import benchmark
from pipeline.bundle import manifest
from pipeline.cells import Cell, Status
from pipeline.errors import RuntimeUnavailable, UsageError
from pipeline.report import view
from pipeline.runtimes import emulated

ARM64 = ["litert-arm64", "onnxruntime-arm64"]
needs_arm64 = pytest.mark.skipif(not emulated.installed(), reason="no ARM64 user space here: run `make arm64`")


def by_runtime(cells: list[Cell]) -> dict[str, list[Cell]]:
    found: dict[str, list[Cell]] = {}
    for cell in cells:
        found.setdefault(cell.runtime, []).append(cell)
    return found


@needs_arm64
def test_every_artifact_passes_on_another_processor(tiny_bundle: Path) -> None:
    done = validating.validate(tiny_bundle, runtime=ARM64, device=["cortex-a53"])
    cells = by_runtime(done.cells)
    assert [(c.verdict, c.device) for name in ARM64 for c in cells[name]] == [(Status.PASS, "cortex-a53")] * 3
    assert done.status is Status.PASS
    for cell in (*cells["litert-arm64"], *cells["onnxruntime-arm64"]):
        assert cell.environment["cpu"] == "cortex-a53 (Raspberry Pi 3)"
        assert cell.environment["emulator"].startswith("qemu-user ")
        assert "Emulated by qemu-user" in view.remark(cell)
        assert not cell.required


@needs_arm64
def test_it_is_another_machine(tiny_bundle: Path) -> None:
    """Otherwise nothing is proved: the wheels there are not the ones here."""
    (artifact, *_) = (Artifact.from_json(a) for a in manifest.read(tiny_bundle)["artifacts"] if a["format"] == "onnx")
    (entry,) = runtimes.select(("onnxruntime-arm64",), ("cortex-a72",))
    with entry.start() as worker:
        environment = worker.activate(artifact, artifact.locate(tiny_bundle))
    assert environment["machine"] == "aarch64"


def test_emulated_processors_are_run_when_asked_for() -> None:
    assert not any(entry.emulated for entry in runtimes.select())
    assert {entry.device for entry in runtimes.select(("litert-arm64",))} == set(emulated.CPUS)
    assert {entry.name for entry in runtimes.select((), ("cortex-a72",))} == set(ARM64)


def test_what_is_not_installed_is_not_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(emulated, "_FACTS", tmp_path / "arm64.json")
    assert emulated.python("cortex-a72") is None
    with pytest.raises(RuntimeUnavailable, match="make arm64"):
        runtimes.create("pipeline.runtimes.emulated_litert", "cortex-a72")


@pytest.mark.parametrize("asked", [{"runtime": ["litert", "litert-arm64"]}, {"device": ["cortex-a76"]}])
def test_emulated_time_is_never_latency(tiny_bundle: Path, asked: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="processor in software") as refused:
        benchmark(tiny_bundle, **asked)
    assert "check.py --benchmark" in str(refused.value)


def test_a_named_processor_is_always_given() -> None:
    assert all("max" not in cpu for cpu in emulated.CPUS)
    command = emulated.emulator("cortex-a72")
    assert command[command.index("-cpu") + 1] == "cortex-a72"
