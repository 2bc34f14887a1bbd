"""TFLite files with TensorFlow's own operations: never without the user's word, and named wherever they are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline import exporting, frameworks, validating
from pipeline.bundle import certificate, manifest
from pipeline.bundle.schemas import validate
from pipeline.cells import Cell, Status
from pipeline.errors import ModelError
from pipeline.inspecting import inspect
from pipeline.progress import Observer
from pipeline.report import outlook, view
from pipeline.runtimes import tflite_flex

frameworks.load()
import keras  # noqa: E402
import tensorflow as tf  # noqa: E402
from keras import layers  # noqa: E402

NATIVE: dict[str, Any] = {"format": ["savedmodel", "tflite"], "runtime": ["tensorflow", "litert", "tflite-flex"]}
OWN = ("FlexAsString", "FlexStringToHashBucketFast")
needs_delegate = pytest.mark.skipif(tflite_flex.python() is None, reason="no Flex delegate here: run `make flex`")


@keras.saving.register_keras_serializable("isomer_flex")
class Strange(layers.Layer):
    """What the converter has no Flex operation for either."""

    def call(self, x: Any) -> Any:
        return tf.math.igamma(x * x + 1.0, x * x)

    def compute_output_shape(self, shape: Any) -> Any:
        return shape


def saved(directory: Path, name: str) -> str:
    keras.utils.set_random_seed(0)
    if name == "hashing":
        x = keras.Input((3,), dtype="int64", name="x")
        y = layers.Embedding(50, 4)(layers.Hashing(50)(x))
    elif name == "words":
        x = keras.Input((3,), dtype="string", name="x")
        y = layers.Embedding(50, 4)(layers.Hashing(50, salt=[1, 2])(x))
    else:
        x = keras.Input((4,), name="x")
        y = layers.Dense(4)(x) if name == "plain" else Strange(name="strange")(layers.Dense(4)(x))
    keras.Model(x, y).save(directory / f"{name}.keras")
    return str(directory / f"{name}.keras")


class Notices(Observer):
    def __init__(self) -> None:
        self.texts: list[str] = []

    def notice(self, text: str) -> None:
        self.texts.append(text)


def test_without_the_flag_there_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ModelError) as refused:
        exporting.export(saved(tmp_path, "hashing"), output=tmp_path / "out", **NATIVE)
    assert "--allow-flex" in str(refused.value) and OWN[0] in str(refused.value)
    assert not list((tmp_path / "out").rglob("*.tflite"))


@pytest.mark.parametrize(("name", "helps"), [("hashing", True), ("words", True), ("strange", False)])
def test_the_flag_is_named_where_it_helps(name: str, helps: bool, tmp_path: Path) -> None:
    file = saved(tmp_path, name)
    (without,) = inspect(file, format=["tflite"]).outlook
    assert without.outlook == "impossible"
    assert ("--allow-flex" in without.reason) == helps
    (allowed,) = inspect(file, format=["tflite"], allow_flex=True).outlook
    assert allowed.outlook == ("flex" if helps else "impossible")
    assert bool(allowed.flex) == helps


def test_inspect_names_the_operations(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from rich.console import Console

    found = inspect(saved(tmp_path, "hashing"), format=["tflite", "onnx"], allow_flex=True).to_json()
    assert [f["flex"] for f in found["formats"]] == [list(OWN), []]
    Console(width=120).print(outlook.table(found))
    assert f"TensorFlow's own: {', '.join(OWN)}; plain LiteRT cannot run it." in capsys.readouterr().out


def test_a_model_that_needs_none_gets_none(tmp_path: Path) -> None:
    done = exporting.export(saved(tmp_path, "plain"), output=tmp_path / "out", allow_flex=True, **NATIVE)
    assert done.status is Status.PASS
    assert all("flex" not in a for a in done.certificate["artifacts"])
    assert "tflite-flex" not in {c.runtime for c in done.cells}
    assert done.to_json()["flex"] == []


def tflite_cells(cells: list[Cell]) -> dict[str, set[tuple[Status, bool]]]:
    found: dict[str, set[tuple[Status, bool]]] = {}
    for cell in cells:
        if cell.format == "tflite":
            found.setdefault(cell.runtime, set()).add((cell.verdict, cell.required))
    return found


@needs_delegate
@pytest.mark.parametrize("name", ["hashing", "words"])
def test_the_file_is_judged_where_the_delegate_is(name: str, tmp_path: Path) -> None:
    notices = Notices()
    done = exporting.export(saved(tmp_path, name), output=tmp_path / "out", allow_flex=True, observer=notices, **NATIVE)
    assert done.status is Status.PASS
    own = OWN if name == "hashing" else ("FlexStringToHashBucketStrong",)
    assert [a.get("flex", []) for a in done.certificate["artifacts"]] == [[], list(own), list(own)]
    expected = {"litert": {(Status.UNSUPPORTED, False)}, "tflite-flex": {(Status.PASS, True)}}
    assert tflite_cells(done.cells) == expected
    (plain, *_) = [c for c in done.cells if c.runtime == "litert"]
    assert ", ".join(own) in plain.reason and "no Flex delegate" in plain.reason
    assert any(", ".join(own) in text for text in notices.texts)
    line = done.to_json()
    validate(line, "result")
    assert line["flex"] == list(own)
    words = f"TFLite only with the Flex delegate ({', '.join(own)}); 3 of 3 required cells pass"
    assert words in view.summary(certificate.read(done.bundle))
    card, page = (done.bundle / "README.md").read_text(), (done.bundle / "report.html").read_text()
    assert "hold TensorFlow's own operations" in card and "tf.lite.Interpreter" in card
    assert f"{', '.join(own)}: needs the Flex delegate" in page
    assert manifest.verify(done.bundle).intact
    again = validating.validate(done.bundle, runtime=NATIVE["runtime"])
    assert again.status is Status.PASS
    assert tflite_cells(again.cells) == expected


def test_where_there_is_no_delegate_nothing_is_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(tflite_flex.VARIABLE, str(tmp_path / "no-python"))
    done = exporting.export(saved(tmp_path, "hashing"), output=tmp_path / "out", allow_flex=True, **NATIVE)
    assert done.status is Status.FAIL
    assert tflite_cells(done.cells) == {
        "litert": {(Status.UNSUPPORTED, False)},
        "tflite-flex": {(Status.NOT_RUN, True)},
    }
    (missing, *_) = [c for c in done.cells if c.runtime == "tflite-flex"]
    assert "make flex" in missing.reason
    assert json.loads((done.bundle / "certificate.json").read_text())["version"] is None
