"""The main job on every recipe: trained (briefly), captured, written in four formats, judged in the runtimes here."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline import export, validate
from pipeline.bundle import manifest
from pipeline.cells import Cell, Status

REQUIRED = {
    ("savedmodel", "tensorflow", "cpu", ""),
    ("tflite", "litert", "cpu", ""),
    ("tflite", "litert", "cpu", "batch1"),
    ("onnx", "onnxruntime", "cpu", ""),
    ("tfjs", "tfjs-node", "wasm", ""),
}


# Outputs that MNIST's recipes lack: several heads, a number, yes or no. Is accuracy a figure that makes sense?
OTHERS = {"autoencoder": True, "housing": False, "loan": True}


@pytest.fixture(scope="module", params=("cnn", "lstm", "mlp", "softmax", "vit"))
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):  # type: ignore[no-untyped-def]
    place = tmp_path_factory.mktemp(request.param)
    # One recipe in every runtime of this machine, browsers and all; the others where they must pass.
    everywhere = request.param == "mlp"
    options = {} if everywhere else {"runtime": tuple(dict.fromkeys(runtime for _, runtime, _, _ in REQUIRED))}
    return export(request.param, epochs=1, output=place / "exports", runs=place / "runs", **options)


def test_every_required_cell_passes_and_others_say_why_not(exported) -> None:  # type: ignore[no-untyped-def]
    cells: list[Cell] = exported.cells
    passed = {(c.format, c.runtime, c.device, c.variant) for c in cells if c.verdict is Status.PASS}
    assert passed >= REQUIRED, [(c.runtime, c.device, c.verdict, c.reason) for c in cells]
    assert exported.status is Status.PASS
    for cell in cells:
        assert cell.verdict is Status.PASS or cell.reason
        if cell.verdict is Status.PASS:
            assert cell.repeat_equal and cell.samples > 0 and cell.accuracy is not None
            assert cell.ulp_error is not None and cell.budget_ulp is not None and cell.ulp_error <= cell.budget_ulp


def test_checks_before_any_number_pass(exported) -> None:  # type: ignore[no-untyped-def]
    checks = exported.certificate["checks"]
    assert {c["name"] for c in checks} == {"capture", "io-contract", "builtin-ops", "weights"}
    assert [c for c in checks if c["verdict"] != "PASS"] == []


def test_the_bundle_is_complete_and_can_be_validated_again(exported) -> None:  # type: ignore[no-untyped-def]
    bundle: Path = exported.bundle
    assert manifest.verify(bundle).intact
    for name in ("saved_model.pb", "model.keras", "report.html", "README.md", "receipt.json", "golden/samples.npz"):
        assert (bundle / name).is_file(), name
    again = validate(bundle, runtime=("litert", "onnxruntime"), device=("cpu",))
    assert again.status is Status.PASS
    before = {(c.runtime, c.variant): c.max_abs_error for c in exported.cells if c.device == "cpu"}
    ran = [c for c in again.cells if c.verdict is Status.PASS]
    assert len(ran) == 3
    assert all(before[c.runtime, c.variant] == c.max_abs_error for c in ran)


@pytest.mark.parametrize("name", OTHERS)
def test_outputs_of_every_kind_pass_in_every_required_runtime(name: str, tmp_path: Path) -> None:
    """The recipes on generated data: yes or no, a number, several heads."""
    runtimes = ("tensorflow", "litert", "onnxruntime", "tfjs-node")
    done = export(name, epochs=2, output=tmp_path / "exports", runs=tmp_path / "runs", runtime=runtimes)
    assert done.status is Status.PASS, [(c.runtime, c.verdict, c.reason) for c in done.cells]
    passed = [c for c in done.cells if c.verdict is Status.PASS]
    assert {(c.format, c.runtime, c.device, c.variant) for c in passed} >= REQUIRED
    assert all((c.accuracy is not None) is OTHERS[name] for c in passed)
    assert (done.certificate["confusion"] is not None) is OTHERS[name]
    text = (done.bundle / "README.md").read_text()
    assert ("metrics:\n- accuracy" in text) is OTHERS[name]
    assert validate(done.bundle, runtime=("litert",)).status is Status.PASS
