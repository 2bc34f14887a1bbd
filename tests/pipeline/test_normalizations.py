"""Which operations of a graph are a normalization: all of it, and nothing beside it."""

from __future__ import annotations

import pytest

from pipeline.normalizations import Operation, normalizations


def _graph(*lines: str) -> list[Operation]:
    """Operations as "y = KIND a b", constants left out but for "#", one of several numbers; named by what they make."""
    found = []
    for line in lines:
        made, _, rest = line.partition(" = ")
        kind, *read = rest.split()
        found.append(Operation(made, kind, tuple(n for n in read if n != "#"), (made,), "#" in read))
    return found


_MOMENTS = (
    "mean = MEAN x",
    "square = SQUARED_DIFFERENCE x mean",
    "variance = MEAN square",
    "wide = ADD variance",
    "inverse = RSQRT wide",
)
_STATISTICS = {"mean", "square", "variance", "wide", "inverse"}


@pytest.mark.parametrize(
    ("lines", "own"),
    [
        (
            ("centre = SUB x mean", "gamma = MUL inverse", "scaled = MUL centre gamma", "y = ADD scaled"),
            {"centre", "gamma", "scaled", "y"},
        ),
        (
            (
                "gamma = MUL inverse",
                "a = MUL x gamma",
                "b = MUL mean gamma",
                "c = SUB b",
                "y = ADD a c",
            ),
            {"gamma", "a", "b", "c", "y"},
        ),
        (("centre = SUB x mean", "scaled = MUL centre inverse"), {"centre", "scaled"}),
    ],
    ids=["centred first", "shifted", "without gamma and beta"],
)
def test_layer_normalization(lines: tuple[str, ...], own: set[str]) -> None:
    last = lines[-1].partition(" = ")[0]
    around = ("x = ADD left right", f"next = FULLY_CONNECTED {last}", f"sum = ADD {last} x")
    assert normalizations(_graph(*around[:1], *_MOMENTS, *lines, *around[1:])) == _STATISTICS | own


def test_onnx_divides_by_a_root() -> None:
    lines = (
        "x = MatMul before",
        "mean = ReduceMean x",
        "centre = Sub x mean",
        "square = Mul centre centre",
        "variance = ReduceMean square",
        "wide = Add variance",
        "root = Sqrt wide",
        "inverse = Reciprocal root",
        "gamma = Mul inverse",
        "scaled = Mul centre gamma",
        "y = Add scaled",
        "next = MatMul y",
    )
    assert normalizations(_graph(*lines)) == {line.partition(" = ")[0] for line in lines[1:-1]}


def test_root_mean_square_before_a_gate() -> None:
    """What is normalized may be multiplied with something else afterwards: that is no part of it."""
    lines = (
        "square = Square x",
        "mean = Mean square",
        "wide = AddV2 mean",
        "inverse = Rsqrt wide",
        "normal = Mul x inverse",
        "scaled = Mul normal",
        "gated = Mul scaled gate",
        "gate = Sigmoid other",
    )
    assert normalizations(_graph(*lines)) == {"square", "mean", "wide", "inverse", "normal", "scaled"}


@pytest.mark.parametrize(
    "lines",
    [
        ("y = SQRT x", "z = MUL y x"),
        ("square = SQUARE x", "wide = ADD square", "y = SQRT wide"),
        ("mean = MEAN x", "y = FULLY_CONNECTED mean"),
    ],
    ids=["a root", "a norm without a mean", "a mean"],
)
def test_what_is_no_normalization(lines: tuple[str, ...]) -> None:
    assert normalizations(_graph(*lines)) == frozenset()


@pytest.mark.parametrize(
    ("lines", "own"),
    [
        (("a = SUB row #", "b = MUL a #", "c = FULLY_CONNECTED b", "d = ADD c #"), {"a", "b"}),
        (("row = Placeholder", "a = Sub row #", "b = RealDiv a #", "c = MatMul b"), {"a", "b"}),
        (("a = MUL pixels", "b = CONV_2D a"), set()),  # one factor for all of them changes the step and nothing else
        (("a = ADD row position", "b = MUL a #"), set()),
    ],
    ids=["tflite", "tensorflow", "rescaling", "two inputs"],
)
def test_inputs_scaled_feature_by_feature(lines: tuple[str, ...], own: set[str]) -> None:
    assert normalizations(_graph(*lines), of_inputs=True) == own
    assert not normalizations(_graph(*lines))
