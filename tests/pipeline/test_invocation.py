"""How a model is called: stored, declared or inferred; and what no model may ask for, in one clear message each."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command import refused, run

from pipeline import calling, frameworks, invocation, keras_file, sources
from pipeline.capture import capture
from pipeline.errors import ModelError, UsageError
from pipeline.parity import legal, oracle
from pipeline.signature import TensorSpec
from pipeline.text import as_text

frameworks.load()
import keras  # noqa: E402
from keras import layers, ops  # noqa: E402

QUICK = ("--format", "onnx", "--runtime", "onnxruntime", "--device", "cpu")

MODULE = '''\
import keras
from keras import ops

@keras.saving.register_keras_serializable("isomer_invocation")
class Tower(keras.Model):
    """Stores no signature, and takes a dict; Keras cannot build it from shapes alone: bitwise_and refuses floats."""

    def __init__(self, **options):
        super().__init__(**options)
        self.embed = keras.layers.Embedding(10, 4)
        self.hidden = [keras.layers.Dense(4, activation="relu") for _ in range(2)]
        self.head = keras.layers.Dense(2)

    def call(self, inputs):
        x = self.hidden[0](ops.mean(self.embed(inputs["tokens"]), axis=1))
        odd = ops.bitwise_and(inputs["tokens"], 1)
        x = self.hidden[1](x * ops.cast(ops.sum(odd, axis=1, keepdims=True), "float32"))
        return {"score": self.head(x), "odd": odd}

@keras.saving.register_keras_serializable("isomer_invocation")
class Two(keras.Model):
    """Two arguments of call."""

    def __init__(self, **options):
        super().__init__(**options)
        self.dense = keras.layers.Dense(3)

    def call(self, image, weight):
        return self.dense(image) * weight

@keras.saving.register_keras_serializable("isomer_invocation")
class Words(keras.Model):
    """One integer tensor; its build() is Keras' own."""

    def __init__(self, **options):
        super().__init__(**options)
        self.embed = keras.layers.Embedding(10, 4)
        self.head = keras.layers.Dense(2)

    def call(self, x):
        return self.head(ops.mean(self.embed(x), axis=1))

def build():
    x = keras.Input((5,), name="x")
    return keras.Model(x, keras.layers.Dense(2, name="y")(x))

def pair():
    return Tower(), {"tokens": "int32:?,7"}

def listed():
    import tensorflow as tf
    return Two(), [tf.TensorSpec([None, 4], "float32"), tf.TensorSpec([None, 1], "float32")]

def words_called():
    model = Words()
    model(ops.zeros((2, 7), "int32"))
    return model

ready = build()

def nothing():
    return 7

def needs(argument):
    return build()

def broken():
    raise RuntimeError("no such backbone")
'''


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("net") / "net.py"
    path.write_text(MODULE)
    return path


def built(module: Path, function: str, *declared: str) -> tuple[Any, Any]:
    source = sources.resolve(f"{module}:{function}")
    assert (source.kind, source.path, source.function) == ("function", module, function)
    model, called = sources.build(source, declared=[invocation.parse(text) for text in declared])
    return model, capture(model, called)


def shapes(captured: Any) -> dict[str, tuple[str, tuple[int | None, ...]]]:
    return {t.name: (t.dtype, t.shape) for t in captured.signature.inputs}


def answers_like_keras(model: Any, captured: Any) -> None:
    """The capture, called by name, is the model, called as the invocation says."""
    tensors = legal.invent(captured, model, seed=0).tensors
    ours, theirs = oracle.run_reference(captured, tensors), oracle.run_keras(model, captured, tensors)
    for name, value in ours.items():
        np.testing.assert_allclose(value, theirs[name], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("function", "declared", "expected"),
    [
        ("build", (), {"x": ("float32", (None, 5))}),
        ("ready", (), {"x": ("float32", (None, 5))}),
        ("pair", (), {"tokens": ("int32", (None, 7))}),
        ("listed", (), {"input_0": ("float32", (None, 4)), "input_1": ("float32", (None, 1))}),
        ("words_called", (), {"x": ("int32", (None, 7))}),
        ("words_called", ("x:int32:?,?",), {"x": ("int32", (None, None))}),
        ("Words", ("ids:int64:?,9",), {"ids": ("int64", (None, 9))}),
        ("Tower", ("tokens:int32:?,7",), {"tokens": ("int32", (None, 7))}),
        (
            "Two",
            ("weight:float32:?,1", "image:float32:?,4"),
            {"image": ("float32", (None, 4)), "weight": ("float32", (None, 1))},
        ),
        ("build", ("x:float32:?,5",), {"x": ("float32", (None, 5))}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_function_gives_a_model(function: str, declared: tuple[str, ...], expected: Any, module: Path) -> None:
    model, captured = built(module, function, *declared)
    assert shapes(captured) == expected
    answers_like_keras(model, captured)


@pytest.mark.parametrize(
    ("function", "declared", "words"),
    [
        ("absent", (), "does not define 'absent'. It defines Tower, Two, Words, broken, build"),
        ("nothing", (), "gives none: int"),
        ("needs", (), "raised TypeError"),
        ("broken", (), "raised RuntimeError: no such backbone"),
        ("Words", (), "is subclassed and stores no signature of its inputs. Declare each input"),
        ("Tower", ("tokens:float32:?,7",), "cannot be called with the declared inputs 'tokens'"),
        ("build", ("z:float32:?,5",), "takes ['x'], not ['z']"),
        ("build", ("x:float32:?,6",), "cannot be called with the declared inputs 'x'"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_a_function_may_not_give(function: str, declared: tuple[str, ...], words: str, module: Path) -> None:
    with pytest.raises(UsageError) as refusal:
        built(module, function, *declared)
    assert words in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("text", ["ids", "ids:int32", "ids:int32:", "ids:int33:?,3", "1d:int32:?", "ids:int32:?,x"])
def test_a_declaration_that_is_none(text: str) -> None:
    with pytest.raises(UsageError) as refusal:
        invocation.parse(text)
    assert text in refusal.value.what


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("ids:int32:?,128", TensorSpec("ids", "int32", (None, 128))),
        ("image:float32:[?, 28, None, 1]", TensorSpec("image", "float32", (None, 28, None, 1))),
        ("text:string:?", TensorSpec("text", "string", (None,))),
        ("x:bool:4,2", TensorSpec("x", "bool", (None, 2))),
    ],
)
def test_a_declaration(text: str, spec: TensorSpec) -> None:
    assert invocation.parse(text) == spec


def test_a_subclassed_model_that_keras_cannot_build_is_built_by_its_declared_inputs(
    module: Path, tmp_path: Path
) -> None:
    """Keras restores 1 of 4 layers and only warns; a call with the right dtypes restores all."""
    model, captured = built(module, "pair")
    model.save(tmp_path / "tower.keras")
    with pytest.raises(ModelError) as refusal:
        keras_file.load(tmp_path / "tower.keras")
    assert "--input" in refusal.value.fix
    declared = (invocation.parse("tokens:int32:?,7"),)
    again = keras_file.load(tmp_path / "tower.keras", declared=declared)
    for ours, theirs in zip(model.weights, again.weights, strict=True):
        np.testing.assert_array_equal(np.asarray(ours), np.asarray(theirs))
    assert shapes(capture(again, calling.of_model(again, declared))) == shapes(captured)


def test_a_subclassed_model_in_a_file_is_inferred_from_the_call_that_built_it(module: Path, tmp_path: Path) -> None:
    model, _ = built(module, "words_called")
    model.save(tmp_path / "words.keras")
    again = keras_file.load(tmp_path / "words.keras")
    captured = capture(again)
    assert shapes(captured) == {"x": ("int32", (None, 7))}
    answers_like_keras(again, captured)


def functional(make: Any, *leaves: Any) -> Any:
    return keras.Model(list(leaves) if len(leaves) > 1 else leaves[0], make(*leaves), name="net")


class Noise(layers.Layer):
    """Does not honour training=False."""

    def call(self, x: Any) -> Any:
        return x + keras.random.normal(ops.shape(x))


class Counter(layers.Layer):
    """Counts its calls, whatever the mode."""

    def build(self, shape: Any) -> None:
        self.calls = self.add_weight(shape=(), name="calls", initializer="zeros", trainable=False)

    def call(self, x: Any) -> Any:
        self.calls.assign_add(1.0)
        return x * self.calls


REFUSED = {
    "a scalar input": (lambda: functional(lambda x: x * 2.0, keras.Input(batch_shape=(), name="x")), "is a scalar"),
    "a scalar output": (lambda: functional(ops.sum, keras.Input((3,), name="x")), "it has no batch dimension"),
    "no inputs": (lambda: keras.Sequential([layers.Dense(2)]), "stores no signature of its inputs"),
    "random": (
        lambda: functional(Noise(), keras.Input((3,), name="x")),
        "draws random numbers in inference",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_captured_is_one_clear_message(case: str) -> None:
    make, words = REFUSED[case]
    with pytest.raises(ModelError) as refusal:
        capture(make())
    assert words in refusal.value.what and refusal.value.fix
    assert "\n" not in str(refusal.value)


def test_an_output_whose_rows_are_not_the_batch_is_refused() -> None:
    captured = capture(functional(lambda x: ops.reshape(x, (-1,)), keras.Input((3,), name="x")))
    with pytest.raises(ModelError, match="has 12 rows for 4 inputs: its first dimension is not the batch"):
        oracle.run_reference(captured, {"x": np.zeros((4, 3), np.float32)})


def test_a_static_batch_is_freed() -> None:
    """Keras itself runs such a model in batches of any size."""
    model = functional(layers.Dense(2, name="y"), keras.Input(batch_shape=(4, 5), name="x"))
    captured = capture(model)
    assert shapes(captured) == {"x": ("float32", (None, 5))}
    answers_like_keras(model, captured)


def test_an_output_never_has_the_name_of_an_input() -> None:
    """An ONNX graph has one name space."""
    x = keras.Input((3,), name="x")
    model = keras.Model(x, [x, layers.Dense(2, name="y")(x)])
    captured = capture(model)
    assert [t.name for t in captured.signature.outputs] == ["x_output", "y"]
    answers_like_keras(model, captured)


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        (np.array([["ä".encode(), b""]], object), "U"),
        (np.array([[b"\xff\xfe", b"b"]]), "U"),
        (np.array(["a", "bc"]), "U"),
        (np.arange(3), "i"),
    ],
)
def test_strings_have_one_form(given: np.ndarray, kind: str) -> None:
    text = as_text(given)
    assert text.shape == given.shape and text.dtype.kind == kind
    if given.dtype.kind in "SO":
        assert [v.encode("utf-8", "surrogateescape") for v in text.reshape(-1).tolist()] == given.reshape(-1).tolist()


def test_a_model_that_answers_in_words() -> None:
    x = keras.Input((4,), name="x")
    words = layers.StringLookup(vocabulary=["red", "Grün"], invert=True)
    model = keras.Model(x, {"word": words(ops.argmax(layers.Dense(3)(x), axis=-1))})
    captured = capture(model)
    rows = legal.invent(captured, model, seed=0).tensors
    answers = oracle.run_reference(captured, rows)["word"]
    assert answers.dtype.kind == "U" and set(answers.tolist()) <= {"[UNK]", "red", "Grün"}


def test_nested_structures_are_flattened_by_name() -> None:
    a, b, c = (keras.Input((2,), name=name) for name in "abc")
    model = keras.Model({"p": [a, b], "q": {"r": c}}, {"s": [a + b], "t": layers.Dense(2)(c)})
    captured = capture(model)
    assert set(shapes(captured)) == {"a", "b", "c"}
    answers_like_keras(model, captured)


def test_an_optional_input_is_captured_as_given() -> None:
    @keras.saving.register_keras_serializable("isomer_invocation")
    class Add(layers.Layer):
        def call(self, x: Any, bias: Any = None) -> Any:
            return x if bias is None else x + bias

        def compute_output_shape(self, x_shape: Any, bias_shape: Any = None) -> Any:
            return x_shape

    x, bias = keras.Input((3,), name="x"), keras.Input((3,), name="bias", optional=True)
    model = keras.Model([x, bias], Add()(x, bias))
    captured = capture(model)
    assert set(shapes(captured)) == {"x", "bias"}
    answers_like_keras(model, captured)


def test_the_command_line_takes_functions_and_declared_inputs(module: Path, tmp_path: Path) -> None:
    local = shutil.copy(module, tmp_path / "net.py")
    where = ("--output", tmp_path / "out")
    done = run("export", f"{local}:Words", "--input", "x:int32:?,7", *QUICK, *where, "--json")
    assert done.code == 0, done.err
    (line,) = done.results()
    assert (line["model"], line["status"]) == ("net-Words", "PASS")
    bundle = Path(line["bundle"])
    assert (bundle / "model.keras").is_file()
    assert "the function `net.py:Words`" in (bundle / "README.md").read_text()
    refused(run("inspect", f"{local}:Words"), 2, "--input")
    refused(run("inspect", f"{tmp_path / 'none.py'}:build"), 2, "There is no file")
