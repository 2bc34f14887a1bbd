"""The command line's surface: help, streams, exit codes, and what starts without TensorFlow."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command import refused, run, tree

from pipeline.cli import app

VERBS = sorted(str(c.name or getattr(c.callback, "__name__", "")) for c in app.registered_commands)
FRAMEWORKS = ("tensorflow", "keras", "onnx", "tf2onnx", "tensorflowjs")
LIGHT = ("--runtime", "litert,onnxruntime", "--device", "cpu")


@pytest.fixture
def without_frameworks(tmp_path: Path) -> dict[str, str]:
    """An environment in which whoever imports TensorFlow, Keras or a converter dies of it, workers too."""
    traps = tmp_path / "traps"
    traps.mkdir()
    for name in FRAMEWORKS:
        (traps / f"{name}.py").write_text(f"import os\nos.write(2, b'error: {name} was imported\\n')\nos._exit(99)\n")
    return {"PYTHONPATH": str(traps)}


def test_the_verbs_are_those_of_the_design() -> None:
    assert {"train", "export", "validate", "benchmark", "inspect", "verify"} <= set(VERBS)


@pytest.mark.parametrize("verb", ["", *VERBS])
def test_help_has_an_example_and_needs_no_framework(verb: str, without_frameworks: dict[str, str]) -> None:
    done = run(*filter(None, (verb, "--help")), env=without_frameworks)
    assert (done.code, done.err) == (0, "")
    assert f"Usage: isomer {verb}".strip() in done.out
    if verb:
        assert f": isomer {verb} " in done.out
    else:
        assert all(v in done.out for v in VERBS)
        assert "Exit codes: 0 pass, 1 parity failed, 2 usage, 3 environment" in done.out


@pytest.mark.parametrize("verb", ["verify", "inspect", "validate"])
def test_a_bundle_is_read_and_judged_without_tensorflow(
    verb: str, bundle: Path, without_frameworks: dict[str, str]
) -> None:
    done = run(verb, bundle, *(LIGHT if verb == "validate" else ()), "--json", env=without_frameworks)
    assert done.code == 0, done.err
    (line,) = [json.loads(line) for line in done.out.splitlines()]
    if verb == "verify":
        assert (line["intact"], line["problems"]) == (True, [])
    if verb == "inspect":
        assert (line["model"], line["kind"], line["certificate"]["version"]) == ("tiny", "bundle", 1)
    if verb == "validate":
        ran = {(c["format"], c["variant"], c["runtime"]) for c in line["cells"] if c["verdict"] == "PASS"}
        assert ran == {("tflite", "", "litert"), ("tflite", "batch1", "litert"), ("onnx", "", "onnxruntime")}


def test_export_tells_scripts_on_stdout_and_people_on_stderr(tiny_model: Path, tmp_path: Path) -> None:
    """Good models among bad ones: one line each, in order; the bad ones stop none of the others."""
    broken, missing = tmp_path / "broken.keras", tmp_path / "missing.keras"
    broken.write_bytes(tiny_model.read_bytes()[:-100])
    second = tmp_path / "second.keras"
    second.write_bytes(tiny_model.read_bytes())
    output = tmp_path / "out"
    options = ("--format", "onnx,tflite", *LIGHT, "--output", output, "--json")
    done = run("export", missing, tiny_model, "no-such-recipe", broken, second, *options)
    assert done.code == 2, done.err
    lines = done.results()
    assert [(line["model"], line["status"]) for line in lines] == [
        ("missing", "ERROR"),
        ("tiny", "PASS"),
        ("no-such-recipe", "ERROR"),
        ("broken", "ERROR"),
        ("second", "PASS"),
    ]
    for line in lines:
        if line["status"] == "PASS":
            assert line["bundle"] == str(output / line["model"] / "1")
            assert run("verify", line["bundle"]).code == 0
            cells = {(c["format"], c["variant"]): c["verdict"] for c in line["cells"] if c["runtime"] == "litert"}
            assert cells == {("tflite", ""): "PASS", ("tflite", "batch1"): "PASS"}
        else:
            assert (line["bundle"], line["cells"]) == (None, [])
            assert line["error"]
    assert len(done.errors) == 3
    assert "writing onnx" in done.err
    assert {p.name for p in output.iterdir()} == {"tiny", "second"}


def test_validate_shows_a_table_and_the_same_as_json(bundle: Path) -> None:
    before = tree(bundle)
    shown, told = run("validate", bundle.parent, *LIGHT), run("validate", bundle.parent, *LIGHT, "--json")
    assert (shown.code, told.code) == (0, 0), shown.err + told.err
    (line,) = told.results()
    assert (line["model"], line["status"], line["bundle"]) == ("tiny", "PASS", str(bundle))
    for cell in line["cells"]:
        assert cell["runtime"] in shown.out
    assert "running the cells" in shown.err
    assert tree(bundle) == before


def test_noise_of_libraries_stays_out_of_stdout(tiny_model: Path, tmp_path: Path) -> None:
    """A module of the user's that writes to stdout, from Python and from below it."""
    module = tmp_path / "noisy.py"
    module.write_text("import os\nprint('from Python', flush=True)\nos.write(1, b'from C\\n')\n")
    options = ("--import-module", module, "--format", "onnx", "--json")
    done = run("inspect", tiny_model, *options)
    assert done.code == 0, done.err
    (line,) = [json.loads(line) for line in done.out.splitlines()]
    assert [f["format"] for f in line["formats"]] == ["onnx"]
    assert line["signature"]["outputs"][0]["name"] == "probabilities"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "Usage: isomer"),
        (("exprot", "cnn"), "No such command 'exprot'"),
        (("export",), "Missing argument"),
        (("export", "cnn", "--formt", "onnx"), "No such option"),
        (("export", "cnn", "--seed", "many"), "'--seed'"),
        (("benchmark", "exports/cnn", "--batch", "0"), "'--batch'"),
    ],
)
def test_a_command_line_that_makes_no_sense(arguments: tuple[str, ...], words: str) -> None:
    done = run(*arguments)
    assert (done.code, done.out) == (2, "")
    assert words in done.err
    assert "Traceback" not in done.err


def test_what_the_engine_does_not_expect_is_an_error_line_too(bundle: Path) -> None:
    """A bundle whose artifact list lies, with hashes that fit: nobody promised words for it, only one message."""
    certificate = bundle / "certificate.json"
    document = json.loads(certificate.read_text())
    document["cells"] = "none"
    certificate.write_text(json.dumps(document))
    done = run("inspect", bundle, "--json")
    refused(done, 2, "certificate.cells")
    (line,) = done.results()
    assert (line["status"], line["cells"]) == ("ERROR", [])
