"""Ranges that a user declares for whole numbers: what they make possible, and what becomes of other numbers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline import exporting, formats, frameworks, runtimes
from pipeline.bundle import certificate, manifest, schemas
from pipeline.calling import of_model
from pipeline.capture import Capture, capture
from pipeline.cells import Status
from pipeline.errors import ModelError, RuntimeCrash, UsageError
from pipeline.inspecting import inspect
from pipeline.invocation import parse
from pipeline.parity import legal, oracle
from pipeline.runtimes.worker import Worker
from pipeline.signature import TensorSpec

frameworks.load()
import keras  # noqa: E402
from keras import layers  # noqa: E402

RUNTIMES = {"tflite": "litert", "onnx": "onnxruntime", "tfjs": "tfjs-node"}
DECLARED = "ids:int64:?,3:-5..400"
FUNCTION = """
import keras

def build():
    ids = keras.Input((3,), dtype="int64", name="ids")
    hashed = keras.layers.Hashing(50)(ids)
    model = keras.Model(ids, keras.layers.Embedding(50, 4)(hashed))
    return model{declared}
"""


def hashing() -> Any:
    ids = keras.Input((3,), dtype="int64", name="ids")
    return keras.Model(ids, layers.Embedding(50, 4)(layers.Hashing(50)(ids)))


def crossing() -> Any:
    inputs = [keras.Input((1,), dtype="int32", name=name) for name in ("day", "hour")]
    return keras.Model(inputs, layers.HashedCrossing(64)(inputs))


def declared(model: Any, *inputs: str) -> Capture:
    return capture(model, of_model(model, [parse(text) for text in inputs]))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ids:int32:?,128:0..999", (0, 999)),
        ("ids:int8:?:-128..127", (-128, 127)),
        ("ids:uint16:[?, 2]: 3..3 ", (3, 3)),
        ("ids:int32:?,128", None),
    ],
)
def test_a_range_is_read(text: str, expected: Any) -> None:
    assert parse(text).range == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x:int32:?:0-9", "'0-9' is no range of whole numbers"),
        ("x:int32:?:9..0", "9..0 is no range of int32"),
        ("x:uint8:?:0..256", "0..256 is no range of uint8"),
        ("x:float32:?:0..1", "'0..1' is no range of whole numbers"),
        ("x:string:?:0..1", "'0..1' is no range of whole numbers"),
        ("x:bool:?:0..1", "'0..1' is no range of whole numbers"),
    ],
)
def test_another_text_is_an_error(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        parse(text)


def test_a_range_is_kept_and_no_part_of_what_files_declare() -> None:
    spec = TensorSpec("x", "int32", (None, 3), (0, 9))
    assert TensorSpec.from_json(json.loads(json.dumps(spec.to_json()))).range == (0, 9)
    assert spec.with_batch(1).range == (0, 9)
    assert spec == TensorSpec("x", "int32", (None, 3))
    assert "range" not in TensorSpec("x", "int32", (None,)).to_json()


@pytest.mark.parametrize("target", RUNTIMES)
@pytest.mark.parametrize(
    ("build", "inputs", "outside"),
    [
        (hashing, (DECLARED,), (401, -6, 2**31 - 1, -(2**31))),
        (crossing, ("day:int32:?,1:1..7", "hour:int32:?,1:0..23"), (0, 8, 24, 25)),
    ],
    ids=["hashing", "crossing"],
)
def test_other_numbers_end_the_run(build: Any, inputs: Any, outside: Any, target: str, tmp_path: Path) -> None:
    subject = declared(build(), *inputs)
    (entry,) = formats.select((target,))
    runtime = runtimes.select((RUNTIMES[target],))[0]
    rows = legal.invent(subject, build(), 0).tensors
    assert all(rows[t.name].min() == t.range[0] and rows[t.name].max() == t.range[1] for t in subject.signature.inputs)
    artifact = entry.load().write(subject, tmp_path, "float32")[0]
    with Worker(runtime.module, runtime.device) as worker:
        worker.activate(artifact, artifact.locate(tmp_path))
        exact = oracle.run_oracle(subject, rows)
        for name, value in worker.infer(rows, 100)[0].items():
            assert np.allclose(value, exact[name])
        for number in outside:
            name = subject.signature.inputs[-1 if number > 8 else 0].name
            with pytest.raises(RuntimeCrash, match=r"bound|range|not in \["):
                worker.infer({**rows, name: np.full_like(rows[name], number)}, 100)


def test_what_to_declare_is_said() -> None:
    model = crossing()
    for target in RUNTIMES:
        with pytest.raises(ModelError) as refused:
            formats.select((target,))[0].load().write(declared(model, "day:int32:?,1:1..7"), Path(), "float32")
        assert '--input "hour:int32:?,1:0..999"' in str(refused.value)
        assert "day" not in str(refused.value)


def test_a_table_that_is_too_large_is_refused(tmp_path: Path) -> None:
    subject = declared(crossing(), "day:int32:?,1:0..99999", "hour:int32:?,1:0..99999")
    with pytest.raises(ModelError, match="a table of all combinations would have 10,000,000,000 entries"):
        formats.select(("onnx",))[0].load().write(subject, tmp_path, "float32")


@pytest.mark.parametrize(
    ("suffix", "options"),
    [("", {"input": [DECLARED]}), (f', "{DECLARED.partition(":")[2]}"', {})],
    ids=["as an option", "beside the model"],
)
def test_the_bundle_says_so(suffix: str, options: Any, tmp_path: Path) -> None:
    module = tmp_path / "net.py"
    module.write_text(FUNCTION.format(declared=suffix))
    native = {"runtime": ["tensorflow", "litert", "onnxruntime"], "device": ["cpu"]}
    done = exporting.export(f"{module}:build", output=tmp_path / "out", **native, **options)
    assert done.status is Status.PASS
    document = certificate.read(done.bundle)
    schemas.validate(document, "certificate")
    assert document["signature"]["inputs"][0]["range"] == [-5, 400]
    notes = {a["format"]: a["notes"] for a in document["artifacts"]}
    assert notes["savedmodel"] == []
    for name in RUNTIMES:
        (note,) = notes[name]
        assert "from -5 to 400" in note and "ends the run with an error" in note
        assert ("WebGL" in note) == (name == "tfjs")
    assert "int64, -5 to 400" in (done.bundle / "README.md").read_text()
    assert "int64, -5 to 400" in (done.bundle / "report.html").read_text()
    assert manifest.verify(done.bundle).intact


def test_rows_of_the_users_must_be_in_the_range(tmp_path: Path) -> None:
    hashing().save(tmp_path / "model.keras")
    np.savez(tmp_path / "rows.npz", ids=np.full((4, 3), 401))
    with pytest.raises(UsageError, match=r"reaches from 401 to 401, beyond its declared range -5\.\.400"):
        exporting.export(
            str(tmp_path / "model.keras"), data=tmp_path / "rows.npz", input=[DECLARED], output=tmp_path / "out"
        )


def test_inspect_knows_both(tmp_path: Path) -> None:
    hashing().save(tmp_path / "model.keras")
    without = {o.format: o.outlook for o in inspect(str(tmp_path / "model.keras")).outlook}
    assert without == {"savedmodel": "supported", **dict.fromkeys(RUNTIMES, "impossible")}
    found = inspect(str(tmp_path / "model.keras"), input=[DECLARED])
    assert {o.format: o.outlook for o in found.outlook} == {
        "savedmodel": "supported",
        **dict.fromkeys(RUNTIMES, "rewritten"),
    }
    assert found.to_json()["signature"]["inputs"][0]["range"] == (-5, 400)
