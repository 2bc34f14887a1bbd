"""Legal models that nobody thought of: each goes the whole way, and no cell fails."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from corpus.model import Model, settle
from corpus.random_programs import Program, Step, build, programs
from hypothesis import HealthCheck, Phase, given, settings

from benchmarks.coverage import judged

# Every run draws the same few. A search for new failures asks for more, and has the minutes that shrinking takes.
_SEARCH = int(os.environ.get("ISOMER_RANDOM_MODELS", "0"))
_PHASES = [Phase.generate, Phase.shrink] if _SEARCH else [Phase.generate]


def _step(layer: str, **options: Any) -> Step:
    return Step(layer, options)


def _activation(name: str) -> Step:
    return _step("Activation", activation=name)


_STRIDED = partial(_step, "Conv1DStrided", filters=1, kernel_size=3, strides=2, padding="valid")

# What such searches have found, shrunk by hand; all are mended.
KEPT: dict[str, Program] = {
    "LiteRT: softplus beyond 88": Program(
        (6,),
        (
            _step("Rescaling", scale=256.0, offset=0.0),
            _step("Dense", units=3, use_bias=False, activation="softplus"),
        ),
    ),
    "LiteRT: a unit of zero": Program((6,), (_step("UnitNormalization"),)),
    "LiteRT: gelu, then a clamp": Program((3,), (_activation("gelu"), _activation("relu6"))),
    "tf2onnx: stale shapes behind x * x": Program(
        (6, 2), (_STRIDED(), _step("UnitNormalization"), _step("MaxPooling1D", pool_size=3))
    ),
    "tf2onnx: negative padding": Program((4, 4, 3), (_step("Conv2DTranspose", filters=4, kernel_size=1, strides=2),)),
    "cancellation in a layer's normalization": Program(
        (4, 6), (_step("LayerNormalization", scale=False), _step("Dense", units=2, use_bias=True, activation="tanh"))
    ),
    "subnormal inputs that grow": Program((6,), (_step("UnitNormalization"),) * 3 + (_activation("gelu"),)),
}


def _assert_no_cell_fails(program: Program, directory: Path) -> None:
    model = Model(f"random/{program}", lambda: settle(build(program)), rows=24)
    row = judged.judge_model(model.name, judged.prepare(model, directory), directory)
    assert [s.path for s in row.squares] == list(judged.PATHS)
    for square in row.squares:
        # Dead units or a normalized axis of one make an output constant: that is the model's doing.
        allowed = square.verdict == "PASS" or "does not vary" in square.reason
        assert allowed, f"{square.path}: {square.verdict} {square.reason}"


@pytest.mark.parametrize("name", KEPT)
def test_what_was_found_stays_mended(name: str, tmp_path: Path) -> None:
    _assert_no_cell_fails(KEPT[name], tmp_path)


@settings(
    max_examples=_SEARCH or 12,
    derandomize=not _SEARCH,
    phases=_PHASES,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(program=programs())
def test_random_models_go_the_whole_way(program: Program, tmp_path_factory: pytest.TempPathFactory) -> None:
    _assert_no_cell_fails(program, tmp_path_factory.mktemp("random"))
