"""Bundles with reduced precisions: chosen by the certificate, and held to what their own files must answer."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from command import run
from live import publish, seal, serving
from onnx import numpy_helper

from serving.errors import EngineUnavailable, Refused
from serving.lifecycle.loading import Servable, load

_PRECISIONS = "float16,int8-weights,int8-dynamic,int8,int8-io"


@pytest.fixture(scope="module")
def reduced(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model's bundle with reduced precisions. Not to be changed."""
    output = tmp_path_factory.mktemp("reduced")
    chosen = ("--format", "onnx,tflite", "--runtime", "litert,onnxruntime", "--device", "cpu")
    done = run("export", tiny_model, *chosen, "--precision", _PRECISIONS, "--gate", "0", "--output", output)
    assert done.code == 0, done.err
    return output / "tiny" / "1"


def _load(version: Path, engine: str, *precision: str) -> Servable:
    return load("tiny", 1, version, engine, True, 1, precision)


@pytest.mark.parametrize(
    ("engine", "precision", "artifact"),
    [
        ("auto", ("float32",), "onnx/float32.onnx"),
        ("auto", ("float16",), "onnx/float16.onnx"),
        ("tflite", ("float16",), "tflite/float16.tflite"),
        ("auto", ("int8-weights",), "tflite/int8-weights.tflite"),
        ("onnx", ("int8-weights", "float32"), "onnx/float32.onnx"),
        ("auto", ("int8-dynamic",), "onnx/int8-dynamic.onnx"),
        ("auto", ("int8", "float32"), "onnx/int8.onnx"),
        ("tflite", ("int8",), "tflite/int8.tflite"),
    ],
)
def test_a_precision_is_served_by_the_first_engine_whose_cell_passed(
    reduced: Path, engine: str, precision: tuple[str, ...], artifact: str
) -> None:
    servable = _load(reduced, engine, *precision)
    assert servable.artifact == artifact
    assert servable.report is not None and servable.report.rows > 1
    assert servable.report.error_ulp <= servable.report.budget_ulp


def test_requests_share_no_call_whose_range_they_would_change(reduced: Path) -> None:
    assert _load(reduced, "onnx", "int8").batchable
    assert not _load(reduced, "onnx", "int8-dynamic").batchable


def test_what_passed_in_no_runtime_is_not_served(reduced: Path, tmp_path: Path) -> None:
    version = Path(shutil.copytree(reduced, tmp_path / "1"))
    document = json.loads((version / "certificate.json").read_text())
    for cell in document["cells"]:
        if (cell["format"], cell["precision"]) == ("onnx", "int8"):
            cell["verdict"] = "INCONCLUSIVE"
    (version / "certificate.json").write_text(json.dumps(document))
    seal(version, "certificate.json")
    assert _load(version, "auto", "int8").artifact == "tflite/int8.tflite"
    with pytest.raises(EngineUnavailable, match="no onnx int8 artifact passed in onnxruntime on the CPU"):
        _load(version, "onnx", "int8")
    with pytest.raises(EngineUnavailable, match="no onnx int8-weights artifact"):
        _load(version, "onnx", "int8-weights")


def _double_a_scale(version: Path, file: str) -> None:
    model = onnx.load(version / file)
    scale = max((i for i in model.graph.initializer if "scale" in i.name), key=lambda i: int(np.prod(i.dims)))
    scale.CopyFrom(numpy_helper.from_array(2 * numpy_helper.to_array(scale), scale.name))
    onnx.save(model, version / file)


def _another_weight(version: Path, file: str) -> None:
    model = onnx.load(version / file)
    largest = max(model.graph.initializer, key=lambda i: int(np.prod(i.dims)))
    largest.CopyFrom(numpy_helper.from_array(-numpy_helper.to_array(largest), largest.name))
    onnx.save(model, version / file)


def _other_answers(version: Path, file: str) -> None:
    """Another answer than the kernels gave when it was exported, by two steps."""
    file = "golden/reduced.npz"
    with np.load(version / file) as archive:
        arrays = {name: archive[name] for name in archive.files}
    step = arrays["onnx int8/quantum/probabilities"]
    name = "onnx int8/answer/onnxruntime/probabilities"
    arrays[name] = arrays[name] + 2 * np.float32(step)
    np.savez(version / file, **arrays)
    seal(version, file)


@pytest.mark.parametrize(
    ("precision", "damage", "words"),
    [
        ("float16", _another_weight, "does not answer like its certificate"),
        ("int8-dynamic", _double_a_scale, "rounded activations may be by"),
        ("int8", _another_weight, "rounded activations may be by"),
        ("int8", _other_answers, "2 steps from what the same kernels answered"),
    ],
)
def test_the_gate_holds_a_file_to_its_own_answers(
    reduced: Path, precision: str, damage: Callable[[Path, str], None], words: str, tmp_path: Path
) -> None:
    version = Path(shutil.copytree(reduced, tmp_path / "1"))
    file = f"onnx/{precision}.onnx"
    damage(version, file)
    seal(version, file)
    with pytest.raises(Refused, match=words):
        _load(version, "onnx", precision)


def test_a_running_server_answers_with_the_precision_and_deploy_check_knows(reduced: Path, tmp_path: Path) -> None:
    (tmp_path / "tiny").mkdir()
    publish(reduced, tmp_path / "tiny" / "1")
    with np.load(reduced / "golden" / "samples.npz") as archive:
        image, exact = archive["input/image"], archive["exact/probabilities"]
    regular = slice(0, 8)
    with serving(tmp_path, "--precision", "int8,float32", "--engine", "tflite") as live:
        (found,) = live.events("available")
        assert found["artifact"] == "tflite/int8.tflite"
        answer = np.array(live.predict("tiny", {"instances": image[regular].tolist()}).json["predictions"])
        assert 0 < np.abs(answer - exact[regular]).max() < 0.1  # whole numbers: near, and not float32's
        address = f"http://{live.host}:{live.port}"
        check = ("deploy", "check", address, reduced, "--name", "tiny", "--grpc", live.grpc)
        right = run(*check, "--artifact", "tflite/int8.tflite")
        assert right.code == 0, right.out + right.err
        assert right.out.count("PASS") == 2
        assert run(*check).code == 1  # it is not float32
        none = run(*check, "--artifact", "tflite/int9.tflite")
        assert none.code == 2 and "tflite/int8.tflite" in none.err


def test_a_precision_that_is_not_served(reduced: Path) -> None:
    done = run("serve", reduced.parent, "--precision", "int8-io")
    assert done.code == 2
    assert "'int8-io' is none of float32, float16" in done.err
