"""A format that cannot express a model: left out and said loudly, refused if it was asked for, nothing of it left."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline import exporting, formats, frameworks, validating, writing
from pipeline.bundle import certificate, manifest
from pipeline.cells import Status
from pipeline.errors import LegalizationError, ModelError, Obstacle, UsageError, describe
from pipeline.inspecting import inspect
from pipeline.layers import Layers
from pipeline.progress import Observer
from pipeline.report import card, outlook, table, view

frameworks.load()
import keras  # noqa: E402
import tensorflow as tf  # noqa: E402
from keras import layers  # noqa: E402

NATIVE: dict[str, Any] = {"runtime": ["tensorflow", "litert", "onnxruntime"], "device": ["cpu"]}
IN = ("tflite", "onnx", "tfjs")  # where there is no Igamma


@keras.saving.register_keras_serializable("isomer_unsupported")
class Strange(keras.layers.Layer):
    """An operation of TensorFlow's that other formats lack."""

    def __init__(self, kind: str = "igamma", **options: Any) -> None:
        super().__init__(**options)
        self.kind = kind

    def call(self, x: Any) -> Any:
        if self.kind == "svd":
            return x * tf.linalg.svd(x[:, :, None] @ x[:, None, :], compute_uv=False)
        return tf.math.digamma(x * x + 1.0) if self.kind == "digamma" else tf.math.igamma(x * x + 1.0, x * x)

    def compute_output_shape(self, shape: Any) -> Any:
        return shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "kind": self.kind}


def model(*kinds: str) -> Any:
    """Dense layers, and in a nested model each a strange one."""
    keras.utils.set_random_seed(0)
    x = keras.Input((4,), name="x")
    y = layers.Dense(4, name="hidden")(x)
    for kind in kinds:
        y = keras.Sequential([keras.Input((4,)), Strange(kind, name="strange")], name=f"block_{kind}")(y)
    return keras.Model(x, layers.Dense(2, name="y")(y), name="model")


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "gamma.keras"
    model("igamma").save(path)
    return path


class Notices(Observer):
    def __init__(self) -> None:
        self.texts: list[str] = []

    def notice(self, text: str) -> None:
        self.texts.append(text)


@pytest.fixture(scope="module")
def exported(file: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[exporting.Outcome, list[str]]:
    notices = Notices()
    done = exporting.export(str(file), output=tmp_path_factory.mktemp("out"), observer=notices, **NATIVE)
    return done, notices.texts


def test_the_export_goes_on_with_the_other_formats(exported: Any) -> None:
    done, notices = exported
    assert (done.status, done.exit_code) == (Status.PASS, 0)
    assert {a["format"] for a in done.certificate["artifacts"]} == {"savedmodel"}
    missing = [c for c in done.cells if c.verdict is Status.UNSUPPORTED]
    assert {c.format for c in missing} == set(IN)
    assert all("Igamma in layer 'block_igamma/strange': " in c.reason and not c.required for c in missing)
    assert [n.partition(" is UNSUPPORTED: Igamma")[0] for n in notices] == list(IN)


def test_nothing_of_it_is_in_the_bundle(exported: Any) -> None:
    done, _ = exported
    assert manifest.verify(done.bundle).intact
    names = {p.name for p in done.bundle.iterdir()}
    assert not names & set(IN)
    assert not [p for p in done.bundle.rglob("*") if p.name.startswith(".")]


def test_every_view_says_so(exported: Any) -> None:
    done, _ = exported
    document = certificate.read(done.bundle)
    words = "1 of 4 formats (TFLite, ONNX, TensorFlow.js UNSUPPORTED: Igamma in layer 'block_igamma/strange')"
    assert words in view.summary(document)
    assert "There is no ONNX" in card.render(document, manifest.read(done.bundle))
    page = (done.bundle / "report.html").read_text()
    assert "ONNX cannot express this model" in page
    line = done.to_json()
    assert [u["format"] for u in line["unsupported"]] == list(IN)
    assert line["unsupported"][0]["obstacles"][0]["layers"] == ["block_igamma/strange"]
    assert table.matrix(document).cells


def test_the_bundle_can_be_judged_again(exported: Any) -> None:
    done, _ = exported
    again = validating.validate(done.bundle, runtime=["tensorflow"], device=["cpu"])
    assert again.status is Status.PASS
    assert {c.format for c in again.cells if c.verdict is Status.UNSUPPORTED} == set(IN)
    with pytest.raises(UsageError, match="The model is UNSUPPORTED in tflite, onnx, tfjs"):
        validating.validate(done.bundle, runtime=["onnxruntime"])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"format": ["savedmodel", "onnx"]}, "onnx cannot express Igamma in layer 'block_igamma/strange'"),
        ({"runtime": ["onnxruntime"]}, "leaves no runtime for savedmodel. tflite is UNSUPPORTED: Igamma"),
    ],
    ids=["by format", "by runtime"],
)
def test_what_was_asked_for_by_name_is_an_error(options: Any, words: str, file: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError) as refused:
        exporting.export(str(file), output=tmp_path, **{**NATIVE, **options})
    assert words in str(refused.value)
    assert [p.name for p in (tmp_path / "gamma").iterdir() if p.is_dir()] == []


def test_inspect_knows_what_the_converters_refuse(file: Path) -> None:
    found = {o.format: o for o in inspect(str(file)).outlook}
    assert {name: o.outlook for name, o in found.items()} == {
        "savedmodel": "supported",
        "tflite": "impossible",
        "onnx": "impossible",
        "tfjs": "impossible",
    }
    (obstacle,) = found["tfjs"].obstacles
    assert (obstacle.op, obstacle.layers) == ("Igamma", ("block_igamma/strange",))
    assert obstacle.reason and obstacle.advice


def test_inspect_counts_rewrites_and_lists_every_obstacle(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from rich.console import Console

    x = keras.Input((3, 4), name="x")
    y = layers.Dense(4, activation="gelu")(layers.LSTM(4)(x))
    for kind in ("digamma", "svd"):
        y = keras.Sequential([keras.Input((4,)), Strange(kind, name="strange")], name=f"block_{kind}")(y)
    keras.Model(x, y, name="many").save(tmp_path / "many.keras")
    found = inspect(str(tmp_path / "many.keras"), format=["tflite", "onnx"])
    for entry in found.outlook:
        assert {(o.op, o.layers) for o in entry.obstacles} == {
            ("Digamma", ("block_digamma/strange",)),
            ("Svd", ("block_svd/strange",)),
        }
        assert any("Only small matrices" in o.advice for o in entry.obstacles)
    Console(width=120).print(outlook.table(found.to_json()))
    shown = capsys.readouterr().out
    assert "impossible" in shown and "'block_svd/strange'" in shown and "-> " in shown
    fine = keras.Model(x, layers.Dense(4, activation="gelu")(layers.LSTM(4)(x)), name="fine")
    fine.save(tmp_path / "fine.keras")
    (entry,) = inspect(str(tmp_path / "fine.keras"), format=["tflite"]).outlook
    assert entry.outlook == "rewritten" and dict(entry.rewrites)["list_stack"] == 1 and entry.bytes > 0


def half_written(capture: Any, root: Path, precision: str) -> Any:
    (root / "half").mkdir()
    (root / "half" / "file").write_text("half")
    raise LegalizationError("Foo", "dense", "onnx", "it is strange", "Use another")


def test_a_writer_that_gives_up_half_way_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (entry,) = formats.select(["onnx"])
    monkeypatch.setattr("pipeline.formats.onnx.write", half_written)
    done = writing.write(None, entry, tmp_path, "float32")  # type: ignore[arg-type]
    assert isinstance(done, writing.Refusal)
    assert done.reason == "Foo in layer 'dense': it is strange. Use another"
    assert list(tmp_path.iterdir()) == []


def crash(*_: Any) -> Any:
    raise KeyError("axis")


def refuse(rewriter: Any, op: Any, *_: Any) -> Any:
    raise LegalizationError(op.type, op.name, rewriter.target, "it is forbidden", "Leave it out.")


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ({"Tanh": crash}, "Tanh in layer 'inner/gate': the rule crash failed: KeyError: 'axis'."),
        (
            {"Tanh": refuse, "Relu": refuse},
            "Tanh in layer 'inner/gate', Relu in layer 'inner/cut': it is forbidden.",
        ),
    ],
    ids=["a rule that crashes", "two that refuse"],
)
def test_legalization_names_layers(
    rules: dict[str, Callable[..., Any]], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.capture import capture
    from pipeline.legalize import legalize, rewriter
    from pipeline.legalize.registry import Rule

    def table_of(_: str) -> dict[str, list[Rule]]:
        return {op: [Rule(f.__name__, "test", (op,), ("onnx",), "", f)] for op, f in rules.items()}

    monkeypatch.setattr(rewriter, "rules_for", table_of)
    inner = keras.Sequential(
        [keras.Input((4,)), layers.Activation("tanh", name="gate"), layers.ReLU(name="cut")], name="inner"
    )
    x = keras.Input((4,), name="x")
    with pytest.raises(LegalizationError) as refused:
        legalize(capture(keras.Model(x, layers.Dense(2, name="y")(inner(x)))), "onnx")
    assert str(refused.value).startswith(f"onnx cannot express {words}")


@pytest.mark.parametrize(
    ("scope", "path"),
    [
        ("model_1/encoder_2/attention_1/einsum", "encoder/attention"),
        ("model_1/encoder_1/dense_1/Tensordot", "encoder/dense"),
        ("model_1/encoder_1/dense_1_2/Tensordot", "encoder/dense_1"),
        ("model_1/dense_3/MatMul", "dense"),
        ("model_1/strided_slice", "model"),
        ("", "model"),
    ],
)
def test_a_scope_is_told_as_its_layer(scope: str, path: str) -> None:
    known = Layers("model", ("encoder", "encoder/attention", "encoder/dense", "encoder/dense_1", "dense"))
    assert known.of(scope) == path


def test_obstacles_with_one_reason_are_told_together() -> None:
    many = tuple(f"layer_{i}" for i in range(5))
    text = describe([Obstacle("A", ("x",), "lacking"), Obstacle("B", many, "lacking"), Obstacle("", (), "too large.")])
    assert text == (
        "A in layer 'x', B in layers 'layer_0', 'layer_1', 'layer_2' and 2 more: lacking. the model: too large."
    )
    assert json.dumps(Obstacle("A", ("x",), "lacking").to_json())
