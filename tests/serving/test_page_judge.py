"""The page's judge and Python's on one table of outputs: the same verdicts, reasons and numbers."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from pipeline.artifact import Artifact
from pipeline.bundle import golden
from pipeline.cells import Cell
from pipeline.parity import budget, judge
from pipeline.parity.evidence import Evidence
from pipeline.parity.inputs import Judged
from pipeline.runtimes.node import find_node
from pipeline.signature import Signature, TensorSpec

RUNNER = Path(__file__).with_name("judge_cases.mjs")
REGULAR, CLASSES = 20, 4
AWKWARD = ("zeros", "ones", "subnormal")
ROWS = REGULAR + len(AWKWARD)
ZEROS, SUBNORMAL = REGULAR, REGULAR + 2
SIGNATURE = Signature(
    (TensorSpec("x", "float32", (None, 3)),),
    (
        TensorSpec("probabilities", "float32", (None, CLASSES)),
        TensorSpec("scores", "float32", (None, CLASSES)),
        TensorSpec("count", "int64", (None,)),
    ),
)
COMPARED = ("verdict", "reason", "repeat_equal", "label_flips", "near_ties")
NUMBERS = ("ulp_error", "budget_ulp", "max_abs_error")

Outputs = dict[str, np.ndarray]


def evidence() -> Evidence:
    """Twenty rows and three awkward ones; row 0 is a near-tie, and the subnormal row is not like the one of zeros."""
    rng = np.random.default_rng(3)
    scores = rng.normal(0, 4, (ROWS, CLASSES))
    scores[0, :2] = 9, 9 + 1e-7
    scores[SUBNORMAL] = scores[ZEROS] + 3
    shifted = np.exp(scores - scores.max(axis=1, keepdims=True))
    exact = {
        "probabilities": shifted / shifted.sum(axis=1, keepdims=True),
        "scores": scores,
        "count": np.arange(ROWS, dtype=np.int64),
    }
    reference = {name: value.astype(np.float32) if value.dtype.kind == "f" else value for name, value in exact.items()}
    labels = exact["probabilities"][:REGULAR].argmax(axis=1)
    labels[:CLASSES] = np.arange(CLASSES)
    inputs = {"x": rng.normal(size=(ROWS, 3)).astype(np.float32)}
    judged = Judged(inputs, REGULAR, labels, "made up", AWKWARD)
    budgets = budget.derive(exact, reference, REGULAR)
    reference["scores"][4, 2] = np.inf  # where TensorFlow is not finite, nothing is required
    return Evidence(judged, exact, reference, budgets)


def right() -> Outputs:
    return {
        name: value.astype(np.float32) if value.dtype.kind == "f" else value.astype(np.int32)
        for name, value in evidence().exact.items()
    }


def changed(name: str, change: Callable[[np.ndarray], np.ndarray]) -> Outputs:
    outputs = right()
    outputs[name] = change(outputs[name])
    return outputs


def put(name: str, row: int, value: object) -> Outputs:
    outputs = right()
    outputs[name][row] = value
    return outputs


def flipped(row: int) -> Outputs:
    """The two best classes of a row in each other's places."""
    outputs = right()
    order = np.argsort(outputs["probabilities"][row])
    first, second = order[-1], order[-2]
    for name in ("probabilities", "scores"):
        outputs[name][row, [first, second]] = outputs[name][row, [second, first]]
    return outputs


def coarse(digits: int) -> Outputs:
    step = 2.0**-digits
    return {
        name: (np.round(value / step) * step).astype(value.dtype) if value.dtype.kind == "f" else value
        for name, value in right().items()
    }


# What a runtime answers in its first call, and in later ones where that is something else; significand bits.
CASES: dict[str, tuple[dict[int, Outputs], int]] = {
    "right": ({}, 24),
    "a little off": ({0: changed("scores", lambda v: v * np.float32(1 + 2e-7))}, 24),
    "off": ({0: changed("scores", lambda v: v * np.float32(1.01))}, 24),
    "off in an awkward row": ({0: put("scores", REGULAR + 1, 1.0)}, 24),
    "swapped": ({0: right() | {"probabilities": right()["scores"], "scores": right()["probabilities"]}}, 24),
    "NaN": ({0: put("probabilities", 7, np.nan)}, 24),
    "infinite": ({0: put("probabilities", 7, np.inf)}, 24),
    "not finite where TensorFlow is not": ({0: put("scores", 4, np.nan)}, 24),
    "wrong shape": ({0: changed("scores", lambda v: v[:, :3])}, 24),
    "transposed": ({0: changed("scores", lambda v: np.ascontiguousarray(v.T))}, 24),
    "wrong dtype": ({0: changed("scores", lambda v: v.astype(np.int32))}, 24),
    "wrong names": ({0: {"Identity": right()["scores"]}}, 24),
    "wrong integers": ({0: put("count", 3, 9)}, 24),
    "a near-tie flips": ({0: flipped(0)}, 24),
    "a label flips": ({0: flipped(6)}, 24),
    "subnormals taken as zeros": ({0: put("scores", SUBNORMAL, right()["scores"][ZEROS])}, 24),
    "other numbers the second time": ({1: changed("scores", lambda v: np.nextafter(v, np.float32(99)))}, 24),
    "wrong one by one": ({2: changed("probabilities", lambda v: v[::-1].copy())}, 24),
    "wrong in threes": ({3: changed("scores", lambda v: v + np.float32(0.25))}, 24),
    "float16 that says it is float32": ({0: coarse(9)}, 24),
    "float16": ({n: coarse(9) for n in range(4)}, 11),
    "float16, too far off": ({n: coarse(0) for n in range(4)}, 11),
    "bfloat16, between the two budgets": ({n: changed("scores", lambda v: v + np.float32(0.2)) for n in range(4)}, 8),
}


def answers(calls: Mapping[int, Outputs]) -> list[Outputs]:
    """Of the four calls: all rows; all again; nine rows one by one; nine rows in threes."""
    first = calls.get(0, right())
    found = [first, calls.get(1, first), calls.get(2, first), calls.get(3, first)]
    return [*found[:2], *({name: value[:9] for name, value in outputs.items()} for outputs in found[2:])]


class Told:
    """A runtime that answers what it is told to."""

    def __init__(self, outputs: list[Outputs]) -> None:
        self._outputs = iter(outputs)

    def infer(self, inputs: object, batch: int) -> tuple[Outputs, float]:
        return next(self._outputs), 0.0


def by_python(calls: Mapping[int, Outputs], bits: int) -> Cell:
    found = evidence() if bits == 24 else evidence().coarser(bits)
    cell = Cell(
        format="tfjs", precision="float32", variant="", runtime="page", device="webgl", required=True,
        samples=REGULAR, population=REGULAR, environment={},
    )  # fmt: skip
    artifact = Artifact("tfjs", "float32", "tfjs/float32", SIGNATURE)
    return judge._run(cell, artifact, found, Told(answers(calls)))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def by_page(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, object]]:
    """The page's verdicts on all cases."""
    root = tmp_path_factory.mktemp("judge")
    samples = root / "samples.npz"
    golden.save(samples, golden._pack(evidence(), True))
    arrays = {f"{name}/bits": np.array(bits) for name, (_, bits) in CASES.items()}
    for name, (calls, _) in CASES.items():
        for call, outputs in enumerate(answers(calls)):
            arrays |= {f"{name}/{call}/{output}": value for output, value in outputs.items()}
    np.savez(root / "outputs.npz", **arrays)
    done = subprocess.run(
        [find_node().path, RUNNER, samples, root / "outputs.npz"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", CASES)
def test_both_judges_agree(name: str, by_page: dict[str, dict[str, object]]) -> None:
    cell = by_python(*CASES[name])
    found = by_page[name]
    assert {key: found[key] for key in COMPARED} == {key: getattr(cell, key) for key in COMPARED}
    for key in NUMBERS:
        wanted = getattr(cell, key)
        assert found[key] == (None if wanted is None else pytest.approx(wanted, rel=1e-12)), key


def test_the_table_has_every_verdict() -> None:
    verdicts = {name: str(by_python(*case).verdict) for name, case in CASES.items()}
    assert set(verdicts.values()) == {"PASS", "FAIL", "INCONCLUSIVE"}, verdicts
    assert verdicts["right"] == verdicts["a near-tie flips"] == verdicts["subnormals taken as zeros"] == "PASS"
