"""Weights that no graph holds: they share the model's memory, and files that end at 2 GiB get them beside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import pytest
from keras import layers

from pipeline import formats, runtimes
from pipeline.capture import Capture, capture
from pipeline.errors import LegalizationError
from pipeline.formats import onnx_stream
from pipeline.legalize import legalize
from pipeline.parity import measure, oracle, weights
from pipeline.parity.inputs import Tensors
from pipeline.runtimes.base import Runtime

RUNTIMES = {"tflite": "litert", "onnx": "onnxruntime", "tfjs": "tfjs-node"}


def convolutions() -> keras.Model:
    image = keras.Input((9, 9, 64), name="image")
    x = layers.Conv2D(96, 3, name="conv")(image)
    x = layers.DepthwiseConv2D(3, depth_multiplier=32, name="depthwise")(x)
    x = layers.Conv2DTranspose(8, 3, strides=2, name="transposed")(x)
    return keras.Model(image, layers.Dense(200, name="scores")(layers.Flatten()(x)))


def tokens() -> keras.Model:
    words = keras.Input((6,), dtype="int32", name="words")
    x = layers.Embedding(3000, 48, mask_zero=True, name="embedding")(words)
    x = layers.LSTM(96, return_sequences=True, name="lstm")(x)
    x = layers.MultiHeadAttention(4, 64, name="attention")(x, x)
    return keras.Model(words, layers.Dense(500, activation="softmax", name="next")(x))


def twice() -> keras.Model:
    """One weight for two readers."""
    x = keras.Input((300,), name="x")
    dense = layers.Dense(300, activation="gelu", name="dense")
    return keras.Model(x, {"once": dense(x), "twice": dense(dense(x))})


def capitals() -> keras.Model:
    """Names that TensorFlow writes in lower case, two of which are the same then."""
    x = keras.Input((300,), name="X")
    y = layers.Dense(300, activation="hard_swish", name="Normal_A")(x)
    return keras.Model(x, layers.Dense(300, name="normal_a")(y))


MODELS = {"convolutions": convolutions, "tokens": tokens, "twice": twice, "capitals": capitals}


@pytest.fixture(scope="module", params=MODELS)
def subject(request: Any) -> Capture:
    keras.utils.set_random_seed(0)
    return capture(MODELS[request.param]())


def rows(subject: Capture) -> Tensors:
    (spec,) = subject.signature.inputs
    random = np.random.default_rng(0)
    shape = (3, *(size or 1 for size in spec.shape[1:]))
    value = random.integers(0, 3000, shape) if spec.dtype == "int32" else random.normal(size=shape)
    return {spec.name: value.astype(spec.dtype)}


def written(subject: Capture, format: str, root: Path) -> tuple[Any, Path]:
    module = formats.select((format,))[0].load()
    artifact = module.write(subject, root, "float32")[0]
    check = weights.check_weights(
        artifact.label, subject.weights, legalize(subject, format).constants, module.constants(artifact.locate(root))
    )
    assert check.verdict == "PASS", check.reason
    return artifact, artifact.locate(root)


def answers_exactly(subject: Capture, artifact: Any, path: Path) -> None:
    entry = runtimes.select((RUNTIMES[artifact.format],))[0]
    runtime: Runtime = runtimes.create(entry.module, entry.device)
    inputs = rows(subject)
    try:
        runtime.activate(artifact, path)
        found = runtime.infer(inputs, 3)
    finally:
        runtime.deactivate()
    exact, reference = oracle.run_oracle(subject, inputs), oracle.run_reference(subject, inputs)
    assert found.keys() == exact.keys()
    for name, truth in exact.items():
        scale = measure.scale(truth, len(truth))
        usual = measure.ulp_errors(reference[name], truth, scale).max()
        assert measure.ulp_errors(found[name], truth, scale).max() <= 8 + 4 * usual


@pytest.mark.parametrize("format", RUNTIMES)
def test_files_are_right_and_hold_every_weight(subject: Capture, format: str, tmp_path: Path) -> None:
    artifact, path = written(subject, format, tmp_path)
    answers_exactly(subject, artifact, path)


def test_an_onnx_file_that_would_be_too_large_keeps_its_weights_beside_it(
    subject: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.formats.onnx_weights.MOST_BYTES", 100_000)
    artifact, path = written(subject, "onnx", tmp_path)
    assert path.stat().st_size < path.with_name("float32.onnx.data").stat().st_size
    assert artifact.bytes == sum(file.stat().st_size for file in path.parent.iterdir())
    answers_exactly(subject, artifact, path)


def test_an_onnx_file_is_read_without_its_weights(subject: Capture, tmp_path: Path) -> None:
    """A writer of our own puts it together: any reader must find the same in it."""
    _, path = written(subject, "onnx", tmp_path)
    whole, light = onnx.load(str(path)), onnx_stream.read_without_weights(path, 1 << 10)
    onnx.checker.check_model(whole, full_check=True)
    assert light.ByteSize() < 0.2 * whole.ByteSize()
    large = [t for t in whole.graph.initializer if t.ByteSize() >= 1 << 10]
    assert large
    for tensor in large:
        tensor.ClearField("raw_data")
    assert light == whole


@pytest.mark.parametrize("content", [b"\x3a\x7f\x0a", b"\x3a" + b"\xff" * 12, b"\x3f\x00", b"\x3a\x02\x2a\x09"])
def test_what_is_no_message_is_told(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "broken.onnx").write_bytes(content)
    with pytest.raises(ValueError):
        onnx_stream.read_without_weights(tmp_path / "broken.onnx", 0)


def test_tfjs_shards_are_of_one_size_but_for_a_smaller_last_one(tmp_path: Path) -> None:
    """TF.js 4.22 reads zeros where the last shard is the largest."""
    keras.utils.set_random_seed(0)
    x = keras.Input((1100,), name="x")
    wide = capture(keras.Model(x, layers.Dense(1100, name="b")(layers.Dense(1100, name="a")(x))))
    artifact, path = written(wide, "tfjs", tmp_path)
    *first, last = (
        f.stat().st_size
        for f in sorted(path.glob("*.bin"), key=lambda f: int(f.stem.split("-shard")[1].split("of")[0]))
    )
    assert set(first) == {4 << 20} and len(first) == 2 and 0 < last <= 4 << 20
    answers_exactly(wide, artifact, path)


def test_what_tflite_cannot_address_is_refused_in_words(
    subject: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.formats.tflite.MOST_BYTES", 100_000)
    with pytest.raises(LegalizationError, match=r"a TFLite file addresses 0\.1 MB"):
        formats.select(("tflite",))[0].load().write(subject, tmp_path, "float32")


@pytest.mark.parametrize("target", [*RUNTIMES, "oracle"])
def test_no_graph_holds_a_large_weight(target: str) -> None:
    keras.utils.set_random_seed(0)
    captured = capture(convolutions())
    legal = legalize(captured, target)
    assert captured.traced.graph.as_graph_def().ByteSize() < 200_000
    assert legal.concrete.graph.as_graph_def().ByteSize() < 200_000
    assert sum(c.value.nbytes for c in legal.constants) > 1_000_000


def test_weights_share_the_memory_of_the_model() -> None:
    model = twice()
    captured = capture(model)
    legal = legalize(captured, "onnx")
    (kernel,) = (c.value for c in legal.constants if c.value.ndim == 2)
    live = np.asarray(model.get_layer("dense").kernel.value.read_value())
    assert np.shares_memory(captured.weights["dense/kernel"], live) and np.shares_memory(kernel, live)
    before = kernel.copy()
    model.get_layer("dense").kernel.assign(before + 1)
    assert np.array_equal(captured.weights["dense/kernel"], before)  # the capture is what was captured
