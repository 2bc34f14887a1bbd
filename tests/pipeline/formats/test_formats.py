"""What each format writes, it reads back: signature, constants, operations; and what it cannot write, it names."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from pipeline import formats
from pipeline.artifact import Artifact
from pipeline.capture import Capture, capture
from pipeline.errors import LegalizationError, UsageError
from pipeline.legalize import legalize
from pipeline.parity import contract, weights
from pipeline.signature import Signature, TensorSpec

NAMES = tuple(f.name for f in formats.FORMATS)
CONVERTED = ("tflite", "onnx", "tfjs")


class Apply(layers.Layer):
    def __init__(self, function: Callable[[Any], Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.function = function

    def call(self, x: Any) -> Any:
        return self.function(x)


def many_tensors() -> keras.Model:
    """Like-shaped inputs and outputs, an integer input, a dynamic second axis, names out of alphabetical order."""
    zebra = keras.Input((6,), name="zebra")
    apple = keras.Input((6,), name="apple")
    words = keras.Input((None,), name="words", dtype="int32")
    meaning = layers.GlobalAveragePooling1D(name="mean")(layers.Embedding(11, 6, name="table")(words))
    x = layers.Concatenate(name="all")([zebra, apple, meaning])
    outputs = {name: layers.Dense(4, name=name)(x) for name in ("yak", "bee", "cow")}
    outputs["best"] = Apply(lambda t: tf.argmax(t, -1, tf.int32), name="best")(outputs["yak"])
    return keras.Model([zebra, apple, words], outputs, name="zoo")


def unrolled() -> keras.Model:
    steps = keras.Input((12, 5), name="steps")
    return keras.Model(steps, layers.LSTM(8, unroll=True, name="lstm")(steps), name="unrolled")


def small() -> keras.Model:
    image = keras.Input((8, 8, 1), name="image")
    x = layers.Conv2D(4, 3, activation="relu", name="conv")(image)
    x = layers.BatchNormalization(name="norm")(layers.DepthwiseConv2D(3, name="depth")(x))
    x = layers.Flatten(name="flat")(x)
    return keras.Model(image, layers.Dense(3, activation="softmax", name="out")(x), name="small")


def looping() -> keras.Model:
    steps = keras.Input((12, 5), name="steps")
    x = layers.Bidirectional(layers.GRU(4, return_sequences=True), name="both")(steps)
    return keras.Model(steps, layers.Activation("gelu", name="gelu")(x), name="looping")


MODELS = {f.__name__: f for f in (many_tensors, unrolled, small, looping)}


def captured(name: str) -> Capture:
    keras.utils.set_random_seed(3)
    keras.backend.clear_session()
    return capture(MODELS[name]())


@pytest.fixture(scope="module", params=MODELS)
def subject(request: pytest.FixtureRequest) -> Capture:
    return captured(request.param)


def write(format: str, source: Capture, root: Path) -> tuple[Any, list[Artifact]]:
    module = formats.select((format,))[0].load()
    return module, module.write(source, root, "float32")


@pytest.mark.parametrize("format", NAMES)
def test_what_is_written_is_read_back(subject: Capture, format: str, tmp_path: Path) -> None:
    module, artifacts = write(format, subject, tmp_path)
    for artifact in artifacts:
        path = artifact.locate(tmp_path)
        assert module.signature(path) == artifact.signature
        check = contract.check_signature(artifact, subject.signature)
        assert (check.name, check.reason) == ("io-contract", "")
        assert module.operators(path) and not module.foreign(module.operators(path))
        assert artifact.bytes > 0
        assert artifact.locate(tmp_path).exists() and artifact.bytes > 0
        held = module.constants(path)
        assert all(v.dtype.kind == "f" for v in held)
        batch = 1 if artifact.variant else None
        expected = None if format == "savedmodel" else legalize(subject, format, batch).constants
        assert weights.check_weights(artifact.label, subject.weights, expected, held).reason == ""


def test_tflite_has_a_static_batch_of_one_too(subject: Capture, tmp_path: Path) -> None:
    _, (dynamic, static) = write("tflite", subject, tmp_path)
    assert (dynamic.variant, static.variant) == ("", "batch1")
    assert static.path == "tflite/float32-batch1.tflite"
    assert all(t.shape[0] is None for t in dynamic.signature.inputs)
    assert all(t.shape[0] == 1 for t in (*static.signature.inputs, *static.signature.outputs))


def test_a_static_batch_is_freed(tmp_path: Path) -> None:
    x = keras.Input(batch_shape=(2, 5), name="x")
    source = capture(keras.Model(x, layers.Dense(3, name="y")(x)))
    _, (dynamic, _) = write("tflite", source, tmp_path)
    assert dynamic.signature.inputs[0].shape == (None, 5)


@pytest.mark.parametrize("format", CONVERTED)
def test_an_unrolled_layer_holds_each_weight_once(format: str, tmp_path: Path) -> None:
    source = captured("unrolled")
    module, artifacts = write(format, source, tmp_path)
    held = [v for v in module.constants(artifacts[0].locate(tmp_path)) if v.size >= 5 * 32]
    assert sorted(v.size for v in held) == [5 * 32, 8 * 32]
    assert artifacts[0].bytes < 2 * 4 * source.parameters + 60_000


# tf2onnx merges equal nodes in the order of Python sets, and TensorFlow numbers the functions of loops through a
# process: there the same model gives the same numbers, but not the same bytes.
REPEATABLE = {
    "tflite": tuple(MODELS),
    "onnx": ("many_tensors", "small"),
    "tfjs": ("many_tensors", "unrolled", "small"),
}


@pytest.mark.parametrize("format", CONVERTED)
@pytest.mark.parametrize("model", MODELS)
def test_the_same_model_gives_the_same_file(format: str, model: str, tmp_path: Path) -> None:
    files, contents = [], []
    for turn in ("first", "second"):
        root = tmp_path / turn
        module, artifacts = write(format, captured(model), root)
        files.append({str(p.relative_to(root)): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()})
        path = artifacts[0].locate(root)
        contents.append((module.operators(path), sorted(v.tobytes() for v in module.constants(path))))
    assert files[0].keys() == files[1].keys()
    assert contents[0] == contents[1]
    if model in REPEATABLE[format]:
        assert files[0] == files[1]


FOREIGN: dict[str, tuple[Callable[[Any], Any], str, tuple[str, ...]]] = {
    "igamma": (lambda x: tf.math.igamma(x * x + 1.0, x * x), "Igamma", CONVERTED),
    "digamma": (tf.math.digamma, "Digamma", CONVERTED),
    "lgamma": (tf.math.lgamma, "Lgamma", ("onnx", "tfjs")),
    "singular values": (lambda x: x * tf.linalg.svd(x[:, :, None] @ x[:, None, :], compute_uv=False), "Svd", CONVERTED),
    "python": (
        lambda x: tf.ensure_shape(tf.numpy_function(np.sin, [x], tf.float32), x.shape),
        "PyFunc",
        CONVERTED,
    ),
}


@pytest.mark.parametrize(
    ("case", "format"), [(case, format) for case, (_, _, where) in FOREIGN.items() for format in where]
)
def test_an_operation_that_a_target_lacks_is_named(case: str, format: str, tmp_path: Path) -> None:
    function, op, _ = FOREIGN[case]
    x = keras.Input((6,), name="x")
    y = Apply(function, name="strange")(layers.Dense(6, name="dense")(x))
    source = capture(keras.Model(x, layers.Dense(2, name="y")(y), name="model"))
    with pytest.raises(LegalizationError) as refused:
        write(format, source, tmp_path)
    error = refused.value
    assert (error.op, error.target) == (op, format)
    assert "strange" in error.layer and error.advice
    assert str(error).startswith(f"{format} cannot express {op} in layer '{error.layer}': ") and "\n" not in str(error)
    assert not [p for p in tmp_path.rglob("*") if p.is_file()], "nothing is written"


def test_foreign_operations_are_told_from_built_in_ones() -> None:
    told = {f.name: f.load().foreign for f in formats.FORMATS}
    assert told["tflite"]({"CONV_2D", "CUSTOM:FlexErf", "CUSTOM:mine"}) == {"CUSTOM:FlexErf", "CUSTOM:mine"}
    assert told["onnx"]({"Conv", "Gemm", "Erfc", "com.microsoft.Gelu"}) == {"Erfc", "com.microsoft.Gelu"}
    assert told["tfjs"]({"Conv2D", "Const", "Placeholder", "Erfc"}) == {"Erfc"}
    assert told["savedmodel"]({"Conv2D", "MadeUp"}) == {"MadeUp"}


def test_onnx_says_where_it_comes_from(tmp_path: Path) -> None:
    import onnx

    source = captured("small")
    _, (artifact,) = write("onnx", source, tmp_path)
    model = onnx.load(str(artifact.locate(tmp_path)))
    onnx.checker.check_model(model, full_check=True)
    assert {p.key: p.value for p in model.metadata_props} == {
        "producer": "isomer",
        "signature": "serving_default",
        "parameters": str(source.parameters),
    }
    assert [(o.domain, o.version) for o in model.opset_import if o.domain == ""] == [("", 18)]
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"


def test_tfjs_names_tensors_that_look_alike(tmp_path: Path) -> None:
    write("tfjs", captured("many_tensors"), tmp_path)
    signature = json.loads((tmp_path / "tfjs" / "float32" / "model.json").read_text())["signature"]
    assert set(signature["inputs"]) == {"zebra", "apple", "words"}
    assert set(signature["outputs"]) == {"yak", "bee", "cow", "best"}


CAPTURED = Signature((TensorSpec("x", "float32", (None, 3)),), (TensorSpec("y", "int64", (None,)),))
BROKEN = {
    "another name": (TensorSpec("z", "float32", (None, 3)), "inputs are named ['z'], expected ['x']"),
    "another type": (TensorSpec("x", "float16", (None, 3)), "input 'x' is float16, expected float32"),
    "another size": (TensorSpec("x", "float32", (None, 4)), "input 'x' is [None, 4], expected [None, 3]"),
    "a static batch": (TensorSpec("x", "float32", (1, 3)), "input 'x' is [1, 3], expected [None, 3]"),
    "another rank": (TensorSpec("x", "float32", (None, 3, 1)), "input 'x' is [None, 3, 1], expected [None, 3]"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_signature_that_differs_is_a_failed_check(case: str) -> None:
    spec, reason = BROKEN[case]
    artifact = Artifact("onnx", "float32", "x.onnx", Signature((spec,), CAPTURED.outputs))
    check = contract.check_signature(artifact, CAPTURED)
    assert (check.name, str(check.verdict), check.reason) == ("io-contract", "FAIL", reason)


def test_only_tfjs_may_narrow_an_integer() -> None:
    narrow = Signature(CAPTURED.inputs, (TensorSpec("y", "int32", (None,)),))
    verdicts = {f: str(contract.check_signature(Artifact(f, "float32", "", narrow), CAPTURED).verdict) for f in NAMES}
    assert verdicts == {"savedmodel": "FAIL", "tflite": "FAIL", "onnx": "FAIL", "tfjs": "PASS"}


def test_an_unknown_format_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match=r"no format 'coreml'\..*savedmodel, tflite, onnx, tfjs"):
        formats.select(("tflite", "coreml"))
