"""Every way in which an artifact can be wrong is caught, and for the right reason."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import parity_models as models
import pytest
import tampering
import tensorflow as tf
from keras import layers
from parity_models import FORMATS, Exhibit

from pipeline.capture import capture
from pipeline.cells import Status
from pipeline.errors import ModelError

ALL = pytest.mark.parametrize("format", FORMATS)


@ALL
def test_what_is_right_passes(cnn: Exhibit, twins: Exhibit, format: str) -> None:
    for exhibit in (cnn, twins):
        cell = exhibit.judge(format)
        assert (cell.verdict, cell.reason) == (Status.PASS, "")
        assert cell.repeat_equal and set(cell.batches) == {1, 3, 500}
        assert 0 <= cell.ulp_error <= cell.budget_ulp
        assert exhibit.check_weights(format).verdict is Status.PASS
        assert exhibit.check_signature(format).verdict is Status.PASS


TINY = {
    "one unit in the last place": lambda v: np.nextafter(v, np.float32(9)),
    "one part in a million": lambda v: v * np.float32(1 + 1e-6),
    "a thousandth": lambda v: v * np.float32(1.001),
    "its sign": lambda v: -v,
}


@ALL
@pytest.mark.parametrize("change", TINY)
@pytest.mark.parametrize(
    ("weight", "size"), [("probabilities/kernel", 6 * 7 * 7 * 10), ("conv/kernel", 54), ("probabilities/bias", 10)]
)
def test_one_changed_weight_is_named(
    cnn: Exhibit, tmp_path: Path, format: str, change: str, weight: str, size: int
) -> None:
    copy = cnn.with_copy(tmp_path)
    edit = tampering.one_value(TINY[change])
    assert tampering.change_constants(format, copy.path(format), edit, size) == 1
    check = copy.check_weights(format)
    assert check.name == "weights" and check.verdict is Status.FAIL
    assert weight in check.detail["missing"] and weight in check.reason


@ALL
@pytest.mark.parametrize("size", [6 * 7 * 7 * 10, 54])
def test_one_weight_changed_much_also_fails_by_its_numbers(
    cnn: Exhibit, tmp_path: Path, format: str, size: int
) -> None:
    copy = cnn.with_copy(tmp_path)
    tampering.change_constants(format, copy.path(format), tampering.one_value(lambda v: v + 2, size // 2), size)
    cell = copy.judge(format)
    assert cell.verdict is Status.FAIL
    assert "output 'probabilities' is off by" in cell.reason and "rows are beyond it" in cell.reason
    assert cell.ulp_error > cell.budget_ulp


@ALL
def test_swapped_outputs_are_called_swapped(twins: Exhibit, tmp_path: Path, format: str) -> None:
    copy = twins.with_copy(tmp_path)
    tampering.swap_outputs(format, copy.path(format), "left", "right")
    cell = copy.judge(format)
    assert cell.verdict is Status.FAIL
    assert "it equals output 'right': the outputs are swapped" in cell.reason


@ALL
def test_other_errors_are_not_called_swapped(twins: Exhibit, tmp_path: Path, format: str) -> None:
    copy = twins.with_copy(tmp_path)
    assert tampering.change_constants(format, copy.path(format), lambda kernel: 1.5 * kernel, 12 * 4)
    cell = copy.judge(format)
    assert cell.verdict is Status.FAIL and "swapped" not in cell.reason


WRONG_MODELS: dict[str, Callable[[], keras.Model]] = {
    "padding at the other side": lambda: models.cnn(padding="wrong"),
    "transposed input": lambda: models.cnn(before=layers.Permute((2, 1), name="transposed")),
    "inverted input": lambda: models.cnn(before=layers.Rescaling(-1.0, 1.0, name="inverted")),
}


@ALL
@pytest.mark.parametrize("wrong", WRONG_MODELS)
def test_another_model_with_the_same_weights_fails_by_its_numbers(
    cnn: Exhibit, tmp_path: Path, format: str, wrong: str
) -> None:
    other = models.exhibit(WRONG_MODELS[wrong](), tmp_path, (format,))
    other.evidence, other.captured = cnn.evidence, cnn.captured
    assert other.check_weights(format).verdict is Status.PASS, "the weights are right: only numbers can tell"
    assert other.check_signature(format).verdict is Status.PASS
    cell = other.judge(format)
    assert cell.verdict is Status.FAIL
    assert "output 'probabilities' is off by" in cell.reason and "float16" not in cell.reason


def test_a_wrong_padding_attribute_fails(cnn: Exhibit, tmp_path: Path) -> None:
    copy = cnn.with_copy(tmp_path)

    def turn(graph: object) -> None:
        (pads,) = [a for n in graph.node if n.op_type == "Conv" for a in n.attribute if a.name == "pads"]  # type: ignore[attr-defined]
        assert list(pads.ints) == [0, 0, 1, 1]
        pads.ints[:] = [1, 1, 0, 0]

    tampering.edit_onnx(copy.path("onnx"), turn)
    cell = copy.judge("onnx")
    assert cell.verdict is Status.FAIL and "is off by" in cell.reason


@ALL
def test_float16_weights_in_a_float32_file_are_called_that(cnn: Exhibit, tmp_path: Path, format: str) -> None:
    copy = cnn.with_copy(tmp_path)
    assert tampering.change_constants(format, copy.path(format), tampering.through_half) >= 4
    check = copy.check_weights(format)
    assert check.verdict is Status.FAIL and "probabilities/kernel" in check.detail["missing"]
    cell = copy.judge(format)
    assert cell.verdict is Status.FAIL and "the size of float16 rounding" in cell.reason


def test_float16_activations_are_called_that(cnn: Exhibit, tmp_path: Path) -> None:
    copy = cnn.with_copy(tmp_path)
    tampering.append_onnx(copy.path("onnx"), "probabilities", ("Cast", {"to": 10}), ("Cast", {"to": 1}))
    assert copy.check_weights("onnx").verdict is Status.PASS
    cell = copy.judge("onnx")
    assert cell.verdict is Status.FAIL and "the size of float16 rounding" in cell.reason


def test_noise_within_the_budget_is_seen_in_the_second_run(cnn: Exhibit, tmp_path: Path) -> None:
    copy = cnn.with_copy(tmp_path)
    noise = ("RandomUniformLike", {"low": -1.2e-7, "high": 1.2e-7})
    tampering.append_onnx(copy.path("onnx"), "probabilities", noise, add=True)
    cell = copy.judge("onnx")
    assert cell.verdict is Status.FAIL
    assert cell.ulp_error <= cell.budget_ulp, "the first run passes"
    assert cell.repeat_equal is False and cell.reason.startswith("a second run")


def test_dropout_left_on_in_the_file_fails(cnn: Exhibit, tmp_path: Path) -> None:
    copy = cnn.with_copy(tmp_path)
    tampering.append_onnx(copy.path("onnx"), "probabilities", ("RandomNormalLike", {}), ("Relu", {}), add=True)
    assert copy.judge("onnx").verdict is Status.FAIL


class Stubborn(layers.Layer):
    """Draws random numbers whatever `training` says."""

    def __init__(self, draw: Callable[..., object], **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.draw = draw
        self.seed = keras.random.SeedGenerator(0)

    def call(self, x: object) -> object:
        return self.draw(x, self.seed)


STILL_RANDOM = {
    "dropout with a seed that moves": lambda x, seed: keras.random.dropout(x, 0.5, seed=seed),
    "dropout with a fixed seed": lambda x, seed: keras.random.dropout(x, 0.5, seed=7),
    "noise": lambda x, seed: x + keras.random.normal((6,), seed=seed),
    "TensorFlow's own generator": lambda x, seed: x * tf.random.uniform((6,)),
    "a shuffle": lambda x, seed: tf.random.shuffle(x),
}


@pytest.mark.parametrize("kind", STILL_RANDOM)
def test_a_capture_that_draws_random_numbers_is_refused(kind: str) -> None:
    x = keras.Input((6,), name="x")
    model = keras.Model(
        x, layers.Dense(3, name="out")(Stubborn(STILL_RANDOM[kind], name="stubborn")(x)), name="lottery"
    )
    with pytest.raises(ModelError, match=r"draws random numbers in inference \(.*'.*stubborn") as refused:
        capture(model)
    assert "training=False" in refused.value.fix


def test_random_layers_are_off_in_a_capture(tmp_path: Path) -> None:
    x = keras.Input((8, 8, 1), name="x")
    y = layers.RandomFlip(name="flip")(x)
    y = layers.GaussianNoise(1.0, name="noise")(y)
    y = layers.Dropout(0.9, name="drop")(layers.Flatten(name="flat")(y))
    model = models.train(keras.Model(x, layers.Dense(3, name="out")(y), name="augmented"))
    rows = np.random.default_rng(0).normal(size=(4, 8, 8, 1)).astype(np.float32)
    kernel, bias = (np.asarray(w, np.float64) for w in model.get_layer("out").weights)
    (out,) = capture(model).traced(tf.constant(rows)).values()
    np.testing.assert_allclose(out, rows.reshape(4, -1) @ kernel + bias, rtol=1e-5, atol=1e-5)


def test_an_output_by_another_name_fails(cnn: Exhibit, tmp_path: Path) -> None:
    copy = cnn.with_copy(tmp_path)
    tampering.rename_output(copy.path("onnx"), "probabilities", "scores")
    assert copy.judge("onnx").reason == "outputs are named ['scores'], expected ['probabilities']"


def test_an_output_of_another_shape_fails(cnn: Exhibit, tmp_path: Path) -> None:
    copy = cnn.with_copy(tmp_path)
    tampering.append_onnx(copy.path("onnx"), "probabilities", ("Flatten", {"axis": 0}))
    cell = copy.judge("onnx")
    assert (cell.verdict is Status.FAIL and "has shape" in cell.reason) or "crashed" in cell.reason


def test_an_output_of_another_kind_fails(cnn: Exhibit, tmp_path: Path) -> None:
    copy = cnn.with_copy(tmp_path)
    tampering.append_onnx(copy.path("onnx"), "probabilities", ("Cast", {"to": 6}))

    def declare(graph: object) -> None:
        graph.output[0].type.tensor_type.elem_type = 6  # type: ignore[attr-defined]

    tampering.edit_onnx(copy.path("onnx"), declare)
    assert copy.judge("onnx").reason == "output 'probabilities' is int32, expected float32"


def test_nan_where_tensorflow_is_finite_fails(cnn: Exhibit, tmp_path: Path) -> None:
    copy = cnn.with_copy(tmp_path)
    tampering.append_onnx(copy.path("onnx"), "probabilities", ("Neg", {}), ("Sqrt", {}), add=True)
    assert "is not finite in row 0, where TensorFlow's is" in copy.judge("onnx").reason


def test_a_runtime_that_cannot_load_the_file_fails_with_its_words(cnn: Exhibit, tmp_path: Path) -> None:
    from pipeline.parity.judge import judge
    from pipeline.runtimes.worker import Worker

    copy = cnn.with_copy(tmp_path)
    copy.path("onnx").write_bytes(b"not a model")
    entry = models.ENTRIES["onnx"]
    (cell,) = judge(
        copy.root, [copy.artifacts["onnx"]], [entry], copy.evidence, 0, lambda e: Worker(e.module, e.device)
    )
    assert cell.verdict is Status.FAIL and cell.reason.startswith("crashed: ") and "Protobuf" in cell.reason


@ALL
def test_an_integer_output_must_be_equal(tmp_path: Path, format: str) -> None:
    image = keras.Input((5,), name="image")
    digit = layers.Lambda(lambda t: tf.argmax(t, -1), output_shape=(), name="digit")(
        layers.Dense(4, name="scores")(image)
    )
    exhibit = models.exhibit(models.train(keras.Model(image, {"digit": digit}, name="chooser")), tmp_path, (format,))
    assert exhibit.judge(format).verdict is Status.PASS
    edit = tampering.one_value(lambda v: v + 3, 0)
    assert tampering.change_constants(format, exhibit.path(format), edit, 4)
    cell = exhibit.judge(format)
    assert cell.verdict is Status.FAIL
    assert cell.reason.startswith("output 'digit' (int") and "of 263 values" in cell.reason


def test_outputs_that_do_not_vary_prove_nothing(tmp_path: Path) -> None:
    image = keras.Input((5,), name="image")
    dense = layers.Dense(4, kernel_initializer="zeros", bias_initializer="ones", name="flat")
    exhibit = models.exhibit(keras.Model(image, dense(image), name="constant"), tmp_path, ("onnx",))
    cell = exhibit.judge("onnx")
    assert cell.verdict is Status.INCONCLUSIVE
    assert cell.reason == "output 'flat' does not vary over the inputs, so agreement says nothing"
