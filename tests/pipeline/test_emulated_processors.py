"""The packages of LiteRT and ONNX Runtime on emulated processors: cells like any other, except that they cannot be
timed. `make test` installs what they need where Debian's packages can be had."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from pipeline import runtimes, validating
from pipeline.artifact import Artifact
from pipeline.benchmarking import benchmark
from pipeline.cells import Cell, Status
from pipeline.errors import RuntimeUnavailable, RuntimeUnsupported, UsageError
from pipeline.report import view
from pipeline.runtimes import emulated
from pipeline.signature import Signature

# Of each runtime: one of its processors, that machine's name to itself, and how many of the bundle's files it reads.
CELLS = {
    "litert-arm64": ("cortex-a53", "aarch64", 2),
    "onnxruntime-arm64": ("cortex-a53", "aarch64", 1),
    "tflite-armhf": ("cortex-a7", "armv7l", 2),
    "onnxruntime-armhf": ("cortex-a7", "armv7l", 1),
    "onnxruntime-riscv64": ("sifive-u54", "riscv64", 1),
}
MACHINES = (emulated.ARM64, emulated.ARMHF, emulated.ARMHF_TFLITE, emulated.RISCV64)
needs_machines = pytest.mark.skipif(
    not all(machine.installed for machine in MACHINES), reason="no other user spaces here: run `make emulated`"
)


def by_runtime(cells: list[Cell]) -> dict[str, list[Cell]]:
    found: dict[str, list[Cell]] = {}
    for cell in cells:
        found.setdefault(cell.runtime, []).append(cell)
    return found


@needs_machines
def test_every_artifact_passes_on_other_processors(tiny_bundle: Path) -> None:
    """That they are others is told by themselves: the wheels there are not the ones here."""
    done = validating.validate(tiny_bundle, runtime=list(CELLS), device=list({cpu for cpu, _, _ in CELLS.values()}))
    cells = by_runtime(done.cells)
    assert done.status is Status.PASS
    for name, (processor, machine, files) in CELLS.items():
        assert [(c.verdict, c.device) for c in cells[name]] == [(Status.PASS, processor)] * files
        for cell in cells[name]:
            assert cell.environment["machine"] == machine
            assert cell.environment["cpu"].startswith(f"{processor} (")
            assert cell.environment["emulator"].startswith("qemu-user ")
            assert "Emulated by qemu-user" in view.remark(cell)
            assert not cell.required


def test_emulated_processors_are_run_when_asked_for() -> None:
    assert not any(entry.emulated for entry in runtimes.select())
    assert {entry.device for entry in runtimes.select(("litert-arm64",))} == set(emulated.ARM64.processors)
    assert {entry.name for entry in runtimes.select((), ("cortex-a72",))} == {"litert-arm64", "onnxruntime-arm64"}


@pytest.mark.parametrize(
    ("module", "device"),
    [("litert", "cortex-a72"), ("tflite", "cortex-a7"), ("onnxruntime", "cortex-a7"), ("onnxruntime", "sifive-u54")],
)
def test_what_is_not_installed_is_not_run(
    module: str, device: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(emulated, "_ROOT", tmp_path)
    path = f"pipeline.runtimes.emulated_{module}"
    assert import_module(path).python(device) is None
    with pytest.raises(RuntimeUnavailable, match="make emulated"):
        runtimes.create(path, device)


@needs_machines
def test_what_an_older_package_lacks_is_unsupported(tmp_path: Path) -> None:
    """Debian's ONNX Runtime on RISC-V is older than the wheel here, and has fewer kernels."""
    from onnx import TensorProto, helper, save

    types = {"x": TensorProto.UINT8, "w": TensorProto.INT8, "y": TensorProto.INT32}
    x, weights, y = (helper.make_tensor_value_info(name, kind, [1, 1, 1, 1]) for name, kind in types.items())
    node = helper.make_node("ConvInteger", ["x", "w"], ["y"])
    graph = helper.make_graph([node], "old", [x, weights], [y])
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8), tmp_path / "old.onnx")
    artifact = Artifact("onnx", "float32", "old.onnx", Signature((), ()))
    (entry,) = runtimes.select(("onnxruntime-riscv64",))
    with entry.start() as worker, pytest.raises(RuntimeUnsupported, match="ConvInteger"):
        worker.activate(artifact, tmp_path / "old.onnx")


@pytest.mark.parametrize("asked", [{"runtime": ["litert", "litert-arm64"]}, {"device": ["cortex-a76"]}])
def test_emulated_time_is_never_latency(tiny_bundle: Path, asked: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="processor in software") as refused:
        benchmark(tiny_bundle, **asked)
    assert "check.py --benchmark" in str(refused.value)


def test_a_named_processor_is_always_given() -> None:
    assert all(machine.processors and "max" not in machine.processors for machine in MACHINES)
    command = emulated.ARM64.emulator("cortex-a72")
    assert command[command.index("-cpu") + 1] == "cortex-a72"
