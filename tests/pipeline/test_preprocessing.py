"""Splitting a model behind its strings: front and core in a row are the whole, and the core goes everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline import exporting, frameworks, preprocessing
from pipeline.bundle import certificate, manifest
from pipeline.capture import capture
from pipeline.cells import Status
from pipeline.errors import ModelError
from pipeline.inspecting import inspect
from pipeline.parity import legal
from pipeline.parity.gathering import gather
from pipeline.parity.inputs import Judged

frameworks.load()
import keras  # noqa: E402
from keras import layers  # noqa: E402


def mixed() -> Any:
    """Two strings on ways of their own, and numbers that meet them behind."""
    keras.utils.set_random_seed(0)
    text = keras.Input((1,), dtype="string", name="text")
    color = keras.Input((2,), dtype="string", name="color")
    size = keras.Input((3,), name="size")
    words = layers.TextVectorization(output_sequence_length=6, vocabulary=["river", "stone"], name="tokens")
    colors = layers.StringLookup(vocabulary=["red", "green"], name="colors")
    parts = [
        layers.GlobalAveragePooling1D()(layers.Embedding(5, 3)(words(text))),
        layers.Flatten()(layers.Embedding(4, 3)(colors(color))),
        size,
    ]
    outputs = {"score": layers.Dense(2, name="score")(layers.Concatenate()(parts))}
    return keras.Model({"text": text, "color": color, "size": size}, outputs, name="mixed")


def sequential() -> Any:
    words = layers.TextVectorization(output_sequence_length=6, vocabulary=["river", "stone"], name="tokens")
    inputs = keras.Input((1,), dtype="string", name="text")
    return keras.Sequential([inputs, words, layers.Embedding(5, 3), layers.Flatten(), layers.Dense(2, name="score")])


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "mixed.keras"
    mixed().save(path)
    return path


@pytest.mark.parametrize(
    ("make", "front", "core"),
    [
        (mixed, {"text", "color"}, {"tokens": "int64", "colors": "int64", "size": "float32"}),
        (sequential, {"text"}, {"tokens": "int64"}),
    ],
)
def test_the_cut_is_where_strings_have_become_numbers(make: Any, front: set[str], core: dict[str, str]) -> None:
    model = make()
    parts = preprocessing.split(model)
    captured = capture(parts.core, parts.invocation)
    assert {t.name for t in parts.front.signature.inputs} == front
    assert {t.name: t.dtype for t in captured.signature.inputs} == core
    assert [t.name for t in captured.signature.outputs] == [t.name for t in parts.whole.signature.outputs]


def judged() -> tuple[preprocessing.Split, Judged, exporting.Evidence]:
    model = mixed()
    parts = preprocessing.split(model)
    raw = legal.invent(parts.whole, model, 0)
    core = capture(parts.core, parts.invocation)
    return parts, raw, gather(core, parts.judged(raw))


def test_the_chain_is_checked(tmp_path: Path) -> None:
    parts, raw, evidence = judged()
    preprocessing.write(parts, tmp_path)
    assert [c.verdict for c in preprocessing.check(parts, tmp_path, raw, evidence)] == [Status.PASS] * 2


def test_a_chain_that_is_not_the_model_fails(tmp_path: Path) -> None:
    parts, raw, evidence = judged()
    preprocessing.write(parts, tmp_path)
    turned = Judged({n: np.roll(v, 1, axis=0) for n, v in raw.tensors.items()}, raw.regular, None, "", raw.awkward)
    front, chain = preprocessing.check(parts, tmp_path, turned, evidence)
    assert front.verdict is Status.PASS
    assert chain.verdict is Status.FAIL and "in a row are not the model" in chain.reason


def test_a_split_export(file: Path, tmp_path: Path) -> None:
    done = exporting.export(
        str(file), output=tmp_path, split=True, runtime=["litert", "onnxruntime", "tfjs-node"], device=["cpu", "wasm"]
    )
    assert done.status is Status.PASS, [c.reason for c in done.cells]
    assert {a["format"] for a in done.certificate["artifacts"]} == {"savedmodel", "tflite", "onnx", "tfjs"}
    document = certificate.read(done.bundle)
    assert [t["name"] for t in document["preprocessing"]["signature"]["outputs"]] == ["colors", "tokens"]
    assert {c["name"]: c["verdict"] for c in document["checks"] if c["name"] in ("chain", "preprocessing")} == {
        "chain": "PASS",
        "preprocessing": "PASS",
    }
    assert manifest.verify(done.bundle).intact
    assert (done.bundle / "preprocessing" / "saved_model.pb").is_file()
    assert "`preprocessing/`" in (done.bundle / "README.md").read_text()
    keras.saving.load_model(done.bundle / "model.keras")


def test_inspect_shows_what_splitting_gains(file: Path) -> None:
    outlook = {o.format: o.outlook for o in inspect(str(file), format=["tflite"]).outlook}
    split = {o.format: o.outlook for o in inspect(str(file), format=["tflite"], split=True).outlook}
    assert (outlook["tflite"], split["tflite"]) == ("impossible", "supported")


class Sub(keras.Model):
    def call(self, x: Any) -> Any:
        return x


def answers_in_words() -> Any:
    x = keras.Input((1,), dtype="string", name="x")
    return keras.Model(x, [x, layers.StringLookup(vocabulary=["a"])(x)])


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (Sub, "is subclassed: isomer cannot see where its text ends"),
        (lambda: keras.Sequential([keras.Input((3,)), layers.Dense(2)]), "takes no strings"),
        (answers_in_words, "answers in strings"),
    ],
    ids=["subclassed", "no strings", "strings out"],
)
def test_what_cannot_be_split(make: Any, words: str) -> None:
    with pytest.raises(ModelError, match=words):
        preprocessing.split(make())
