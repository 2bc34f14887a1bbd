"""Inputs without a dataset: legal for the layers that they meet, and so that a verdict on them means something."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers, ops

from pipeline.capture import capture
from pipeline.errors import ModelError, UsageError
from pipeline.parity import legal, oracle
from pipeline.parity.domains import Domain, domains_of
from pipeline.parity.gathering import gather
from pipeline.parity.inputs import Judged, from_arrays
from pipeline.parity.synthetic import ROWS, synthetic
from pipeline.signature import Signature, TensorSpec
from pipeline.sources import Loaded, judged_inputs


def model_of(inputs: Any, outputs: Any) -> Any:
    return keras.Model(inputs, outputs, name="net")


def invented(model: Any, seed: int = 0) -> Judged:
    return legal.invent(capture(model), model, seed)


def embedding() -> Any:
    x = keras.Input((6,), dtype="int32", name="x")
    return model_of(x, layers.Embedding(11, 3)(ops.reshape(x, (-1, 3, 2))))


def nested_embedding() -> Any:
    inner = keras.Sequential([keras.Input((6,), dtype="int32"), layers.Embedding(11, 3, mask_zero=True)])
    x = keras.Input((6,), dtype="int32", name="x")
    return model_of(x, layers.LSTM(2)(inner(x)))


class Gathers(layers.Layer):
    """A vocabulary that only the graph tells."""

    def build(self, shape: Any) -> None:
        self.table = self.add_weight(shape=(7, 2), name="table")

    def call(self, x: Any) -> Any:
        return ops.take(self.table, ops.cast(x, "int32"), axis=0)


def floats_that_are_indices() -> Any:
    x = keras.Input((4,), name="x")
    return model_of(x, Gathers()(x))


def one_hot() -> Any:
    x = keras.Input((4,), dtype="int32", name="x")
    return model_of(x, ops.one_hot(x, 5))


def categories() -> Any:
    x = keras.Input((4,), dtype="int32", name="x")
    return model_of(x, layers.CategoryEncoding(6, output_mode="multi_hot")(x))


def integers_looked_up() -> Any:
    x = keras.Input((2,), dtype="int64", name="x")
    return model_of(x, layers.IntegerLookup(vocabulary=[12, 36, 1138])(x))


def images() -> Any:
    x = keras.Input((8, 8, 3), name="x")
    return model_of(x, layers.Conv2D(2, 3)(layers.Rescaling(1 / 127.5, -1.0)(layers.Resizing(6, 6)(x))))


def bytes_of_images() -> Any:
    x = keras.Input((8, 8, 3), dtype="uint8", name="x")
    return model_of(x, layers.Conv2D(2, 3)(layers.Rescaling(1 / 255.0)(x)))


def features() -> Any:
    x = keras.Input((3,), name="x")
    return model_of(x, layers.Dense(2)(layers.Normalization(mean=[1.0, -200.0, 3e4], variance=[4.0, 25.0, 9e6])(x)))


def buckets() -> Any:
    x = keras.Input((2,), name="x")
    return model_of(x, layers.Discretization([0.5, 10.0, 99.0], output_mode="one_hot")(x[:, :1]))


def any_length() -> Any:
    x = keras.Input((None,), dtype="int32", name="x")
    hidden = layers.Embedding(9, 4)(x) + Positions(8, 4)(x)
    return model_of(x, layers.GlobalAveragePooling1D()(hidden))


class Positions(layers.Layer):
    """Knows so many positions and no more."""

    def __init__(self, count: int, width: int) -> None:
        super().__init__()
        self.table = layers.Embedding(count, width)

    def call(self, x: Any) -> Any:
        return self.table(ops.arange(ops.shape(x)[1]))[None]


def large_images() -> Any:
    x = keras.Input((None, None, 3), name="x")
    y = x
    for _ in range(4):
        y = layers.Conv2D(2, 3, strides=2)(y)
    return model_of(x, layers.GlobalMaxPooling2D()(layers.Conv2D(2, 2)(y)))


def between(low: float, high: float, whole: bool = True) -> Callable[[np.ndarray], None]:
    def check(value: np.ndarray) -> None:
        assert value.min() >= low and value.max() <= high
        assert value.min() <= low + 0.2 * (high - low) and value.max() >= high - 0.2 * (high - low)
        if whole:
            assert np.array_equal(value, np.round(value))

    return check


def holds_known_and_unknown(value: np.ndarray) -> None:
    known = np.isin(value, [12, 36, 1138])
    assert 0.5 < known.mean() < 1.0


def is_normal(value: np.ndarray) -> None:
    regular = (value[:ROWS] - [1.0, -200.0, 3e4]) / [2.0, 5.0, 3e3]
    assert np.abs(regular).max() <= 3.01
    assert np.all(regular.std(axis=0) > 0.5)


def meets_boundaries(value: np.ndarray) -> None:
    assert np.isin([0.5, 10.0, 99.0], value).all()
    assert value.min() < 0.5 and value.max() > 99.0


CASES: dict[Callable[[], Any], Callable[[np.ndarray], None]] = {
    embedding: between(0, 10),
    nested_embedding: between(0, 10),
    floats_that_are_indices: between(0, 6),
    one_hot: between(0, 4),
    categories: between(0, 5),
    integers_looked_up: holds_known_and_unknown,
    images: between(0, 255, whole=False),
    bytes_of_images: between(0, 255),
    features: is_normal,
    buckets: meets_boundaries,
    any_length: between(0, 8),
    large_images: between(0, 1, whole=False),
}


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.__name__)
def test_values_are_what_the_layers_want(case: Callable[[], Any]) -> None:
    model = case()
    captured = capture(model)
    judged = legal.invent(captured, model, seed=0)
    (spec,) = captured.signature.inputs
    value = judged.tensors["x"]
    assert value.dtype == spec.dtype
    CASES[case](value)
    answers = oracle.run_reference(captured, judged.tensors)  # the awkward rows are legal, too
    for name, answer in answers.items():
        assert len(answer) == judged.rows
        assert np.ptp(answer[: judged.regular].reshape(judged.regular, -1), axis=0).max() > 0, name


def test_sizes_that_the_model_refuses_are_not_taken() -> None:
    assert invented(any_length()).tensors["x"].shape[1] == 8
    assert invented(large_images()).tensors["x"].shape[1] == 64


def test_other_sizes_are_judged_too() -> None:
    """A smaller and a larger one where the model takes them; eight positions are all that one model knows."""
    assert [j.tensors["x"].shape[1] for j in invented(any_length()).others] == [4]
    assert [j.tensors["x"].shape[1:3] for j in invented(large_images()).others] == [(63, 63), (67, 67)]
    assert invented(embedding()).others == ()
    sequences = keras.Input((None, 2), name="x")
    model = model_of(sequences, layers.LSTM(3)(sequences))
    captured = capture(model)
    judged = legal.invent(captured, model, 0)
    assert [j.tensors["x"].shape[1] for j in judged.others] == [8, 19]
    evidence = gather(captured, judged)
    assert [e.exact["lstm"].shape for e in evidence.sizes if "lstm" in e.exact] in ([], [(13, 3), (13, 3)])
    for name, main in evidence.budgets.items():
        assert all(e.budgets[name].limits_ulp.min() >= main.limit for e in evidence.sizes)


def test_a_model_that_fails_on_everything_asks_for_data() -> None:
    x = keras.Input((None,), dtype="int32", name="x")
    with pytest.raises(ModelError, match=r"fails in TensorFlow on all synthetic inputs.*--data"):
        invented(model_of(x, ops.reshape(x, (-1, 1013)) + ops.reshape(x, (-1, 1009))[:, :1]))


@pytest.mark.parametrize(("function", "low"), [(ops.floor, -2.0), (ops.log1p, 0.0), (ops.sqrt, 0.0)])
def test_numbers_have_both_signs_where_the_model_stays_finite(function: Any, low: float) -> None:
    x = keras.Input((5,), name="x")
    value = invented(model_of(x, function(x))).tensors["x"]
    assert low <= value.min() <= low + 0.3 and value.max() > (1.5 if low < 0 else 0.9)


def test_the_same_seed_gives_the_same_rows() -> None:
    model = images()
    first, again, other = (invented(model, seed).tensors["x"] for seed in (1, 1, 2))
    assert np.array_equal(first, again) and not np.array_equal(first, other)


def transformer() -> Any:
    tokens = keras.Input((8,), dtype="int32", name="token_ids")
    segments = keras.Input((8,), dtype="int32", name="segment_ids")
    mask = keras.Input((8,), dtype="int32", name="padding_mask")
    x = layers.Embedding(30, 4)(tokens) + layers.Embedding(2, 4)(segments)
    x = layers.MultiHeadAttention(2, 2)(x, x, attention_mask=ops.cast(mask, "bool")[:, None, :])
    return model_of({"token_ids": tokens, "segment_ids": segments, "padding_mask": mask}, layers.Dense(2)(x))


def test_a_mask_is_a_length() -> None:
    """Ones, then zeros; never all zeros, which leaves nothing to attend to; several lengths."""
    judged = invented(transformer())
    mask = judged.tensors["padding_mask"]
    assert np.array_equal(np.unique(mask), [0, 1]) and np.all(mask[:, 0] == 1)
    assert np.all(np.diff(mask[: judged.regular], axis=1) <= 0)
    assert len(np.unique(mask[: judged.regular].sum(axis=1))) >= 5
    assert set(np.unique(judged.tensors["segment_ids"])) == {0, 1}


@pytest.mark.parametrize("value", [0.0, -1.0])
def test_sequences_end_in_what_is_masked(value: float) -> None:
    x = keras.Input((7, 2), name="x")
    judged = invented(model_of(x, layers.LSTM(2)(layers.Masking(value)(x))))
    ends = np.all(judged.tensors["x"][: judged.regular, -1] == value, axis=-1)
    assert 0.4 < ends.mean() < 0.9


def test_words_are_known_and_unknown() -> None:
    x = keras.Input((1,), dtype="string", name="x")
    words = layers.StringLookup(vocabulary=["cat", "dog", "Übermut"])
    value = invented(model_of(x, words(x))).tensors["x"]
    assert value.dtype.kind == "U"
    assert {"cat", "dog", "Übermut", "", "日本語"} <= set(value.reshape(-1))
    closed = layers.StringLookup(vocabulary=["cat", "dog"], num_oov_indices=0)
    value = invented(model_of(x, closed(x))).tensors["x"]
    assert set(value.reshape(-1)) == {"cat", "dog"}


def test_texts_are_several_words() -> None:
    x = keras.Input((), dtype="string", name="x")
    vectorize = layers.TextVectorization(output_sequence_length=6, vocabulary=["river", "stone"])
    value = invented(model_of(x, vectorize(x))).tensors["x"]
    assert value.shape == (ROWS + 7,)
    assert any("river" in text.lower().split() and len(text.split()) > 3 for text in value.tolist())


def test_images_are_no_noise() -> None:
    """Neighbours resemble each other; rows differ in level and contrast."""
    value = synthetic(Signature((TensorSpec("x", "float32", (None, 16, 16, 1)),), ()), {}, 0).tensors["x"][:ROWS]
    rough = np.abs(np.diff(value, axis=1)).mean() / value.std(axis=(1, 2)).mean()
    assert rough < 0.6
    assert value.mean(axis=(1, 2, 3)).std() > 0.05


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint8", "int32", "int64", "float16", "float32", "float64"])
def test_every_dtype_has_rows(dtype: str) -> None:
    x = keras.Input((5,), dtype=dtype, name="x")
    model = model_of(x, layers.Dense(2)(ops.cast(x, "float32")))
    captured = capture(model)
    judged = legal.invent(captured, model, 0)
    assert judged.tensors["x"].dtype == captured.signature.inputs[0].dtype and judged.rows == ROWS + 7


def test_what_the_graph_says_narrows_what_is_known() -> None:
    found = domains_of(capture(embedding()), embedding())
    assert (found["x"].low, found["x"].high, found["x"].integral) == (0, 10, True)
    assert Domain().within(0, 9).within(-5, 3) == Domain(0, 3, known=True)


# --- the user's own rows ----------------------------------------------------------------------------------------

SPECS = Signature(
    (
        TensorSpec("ids", "int32", (None, 4)),
        TensorSpec("weight", "float32", (None,)),
        TensorSpec("text", "string", (None, None)),
    ),
    (),
)


def arrays(**changes: Any) -> dict[str, np.ndarray]:
    good = {
        "ids": np.arange(12).reshape(3, 4),
        "weight": np.array([0.5, 1.0, 2.0]),
        "text": np.array([["a", "bc"], ["d", ""], ["日本", "f"]]),
    }
    return {k: v for k, v in {**good, **changes}.items() if v is not None}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"ids": None}, "has no array 'ids'; it has ['text', 'weight']. The model takes ids (int32 [?, 4])"),
        ({"ids": np.zeros((3, 5), int)}, "'ids' in the file has shape [3, 5]. The model takes [?, 4]."),
        ({"ids": np.zeros(3, int)}, "'ids' in the file has shape [3]"),
        ({"ids": np.full((3, 4), 0.5)}, "float64 with values that int32 has not, such as 0.5"),
        ({"ids": np.full((3, 4), 2**40)}, "int64 with values that int32 has not, such as 1099511627776"),
        ({"weight": np.array([1.0, 1e300, 2.0])}, "float64 with values that float32 has not, such as 1e+300"),
        ({"weight": np.array([1.0, 2.0])}, "differ in rows: 'ids' has 3, 'weight' has 2, 'text' has 3."),
        ({"weight": np.array(["a", "b", "c"])}, "'weight' in the file is <U1. The model takes float32."),
        ({"text": np.zeros((3, 2))}, "'text' in the file is float64. The model takes string."),
        ({"ids": np.zeros((0, 4), int), "weight": np.zeros(0), "text": np.zeros((0, 2), "U1")}, "have no rows"),
    ],
)
def test_rows_that_do_not_fit_are_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError) as refusal:
        from_arrays(arrays(**changes), None, SPECS, "the file")
    assert words in str(refusal.value)


def test_rows_that_fit_are_taken_as_they_are() -> None:
    given = arrays(text=np.array([[b"a", b"bc"], [b"d", b""], ["日本".encode(), b"f"]]), other=np.zeros(9))
    judged = from_arrays(given, None, SPECS, "the file")
    assert {n: v.dtype.kind for n, v in judged.tensors.items()} == {"ids": "i", "weight": "f", "text": "U"}
    assert judged.tensors["ids"].dtype == np.int32 and judged.tensors["weight"].dtype == np.float32
    assert judged.tensors["text"][2, 0] == "日本"
    assert set(np.unique(judged.tensors["ids"])) == set(range(12))  # the awkward rows, too


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (np.zeros((5, 3)), "The labels in"),
        (np.zeros(4, int), "'labels' has 4"),
        (np.zeros((5, 1), int), ""),
        (np.arange(5), ""),
    ],
)
def test_labels_are_checked(labels: np.ndarray, words: str, tmp_path: Path) -> None:
    model = features()
    np.savez(tmp_path / "rows.npz", x=np.ones((5, 3)), labels=labels)
    loaded = Loaded(model, None, None, None)
    if words:
        with pytest.raises(UsageError, match=words):
            judged_inputs(loaded, capture(model), tmp_path / "rows.npz", 0)
    else:
        judged = judged_inputs(loaded, capture(model), tmp_path / "rows.npz", 0)
        assert judged.labels is not None and judged.labels.shape == (5,)


def test_pickled_arrays_are_not_read(tmp_path: Path) -> None:
    model = features()
    np.savez(tmp_path / "rows.npz", x=np.array(["a", None], object))
    with pytest.raises(UsageError, match=r"Python objects.*numpy\.str_"):
        judged_inputs(Loaded(model, None, None, None), capture(model), tmp_path / "rows.npz", 0)
