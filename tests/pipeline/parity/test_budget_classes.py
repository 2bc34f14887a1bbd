"""Arithmetic coarser than float32: judged by its own budget, only where the probe finds it and the device may."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.artifact import Artifact
from pipeline.cells import Cell, Status
from pipeline.errors import RuntimeTimeout, RuntimeUnsupported
from pipeline.parity import budget
from pipeline.parity.budget import CEILING_ULP, FLOOR_ULP
from pipeline.parity.evidence import Evidence
from pipeline.parity.inputs import Judged
from pipeline.parity.judge import judge
from pipeline.parity.verdict import judge_outputs
from pipeline.report.view import remark
from pipeline.runtimes import RuntimeEntry
from pipeline.signature import Signature, TensorSpec

ROWS = 20
X = np.linspace(-1, 1, ROWS * 4).reshape(ROWS, 4)
EXACT = {"y": np.sin(X * 3)}
REFERENCE = {"y": EXACT["y"].astype(np.float32)}
BUDGETS = budget.derive(EXACT, REFERENCE, ROWS)
EVIDENCE = Evidence(Judged({"x": X.astype(np.float32)}, ROWS, None, "rows", ()), EXACT, REFERENCE, BUDGETS)
SPEC = TensorSpec("x", "float32", (None, 4))
ARTIFACT = Artifact("tfjs", "float32", "model", Signature((SPEC,), (TensorSpec("y", "float32", (None, 4)),)))


class Device:
    """A worker whose device rounds its answers to some bits, and whose probe finds `bits`."""

    def __init__(self, bits: int | None, error: float) -> None:
        self._bits, self._error = bits, error

    def activate(self, artifact: Artifact, path: Path) -> dict[str, Any]:
        return {} if self._bits is None else {"float_bits": self._bits}

    def infer(self, inputs: dict[str, np.ndarray], batch: int) -> tuple[dict[str, np.ndarray], float]:
        return {"y": (np.sin(inputs["x"] * 3.0) + self._error).astype(np.float32)}, 0.0

    def __enter__(self) -> Device:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def cell(device: str, bits: int | None, error: float) -> Cell:
    entry = RuntimeEntry("fake", "fake", "tfjs", device)
    (found,) = judge(Path(), [ARTIFACT], [entry], EVIDENCE, 0, lambda _: Device(bits, error))
    return found


@pytest.mark.parametrize(
    ("device", "bits", "error", "verdict", "kind"),
    [
        ("webgl", 24, 0.0, Status.PASS, "float32"),
        ("webgl", 11, 1e-3, Status.PASS, "float16"),
        ("webgl", 24, 1e-3, Status.FAIL, "float32"),  # says float32, computes in less: the probe decides, not the words
        ("webgl", 24, 1e-5, Status.FAIL, "float32"),
        ("webgl-f16", 24, 1e-3, Status.FAIL, "float32"),  # asked to be coarse, but is not: no excuse
        ("webgpu", 11, 1e-3, Status.PASS, "float16"),
        ("webgpu", 8, 1e-3, Status.PASS, "bfloat16"),
        ("webgl", 11, 0.3, Status.FAIL, "float16"),
        ("wasm", 11, 0.0, Status.FAIL, "float16"),  # float32 is what WebAssembly has
        ("cpu", 11, 0.0, Status.FAIL, "float16"),
        ("cpu", None, 0.0, Status.PASS, "float32"),
    ],
)
def test_the_probe_decides_on_the_budget(
    device: str, bits: int | None, error: float, verdict: Status, kind: str
) -> None:
    found = cell(device, bits, error)
    assert (found.verdict, found.environment["budget_class"]) == (verdict, kind), found.reason
    if verdict is Status.PASS and kind == "float16":
        assert found.budget_ulp is not None and found.budget_ulp > 2**12 * FLOOR_ULP - 1
        assert "11 significand bits" in remark(found) and "float16" in remark(found)
    if device in ("wasm", "cpu") and bits == 11:
        assert "finds 11 significand bits" in found.reason


def test_a_coarse_budget_is_scaled_with_the_unit_roundoff_and_ends_where_agreement_says_nothing() -> None:
    plain = BUDGETS["y"]
    for bits in (23, 16, 11):
        scaled = plain.coarser(bits)
        np.testing.assert_array_equal(scaled.outer_ulp, plain.limits_ulp * 2 ** (24 - bits))
        np.testing.assert_array_equal(scaled.limits_ulp, np.minimum(scaled.outer_ulp, CEILING_ULP))
    rows = np.array([0, 3])
    np.testing.assert_array_equal(plain.coarser(11).take(rows).outer_ulp, plain.coarser(11).outer_ulp[rows])


def test_between_the_ceiling_and_what_the_device_may_show_is_no_verdict() -> None:
    sensitive = {"y": budget.Budget(np.ones(ROWS), np.full(ROWS, 10.0), np.full(ROWS, 160.0), ROWS).coarser(11)}
    for error, verdict in ((2**-8, Status.PASS), (2**-5, Status.INCONCLUSIVE), (0.5, Status.FAIL)):
        found = judge_outputs({"y": REFERENCE["y"] + np.float32(error)}, EXACT, REFERENCE, sensitive)
        assert found.status is verdict, found.reason
        assert ("agreement says nothing" in found.reason) is (verdict is Status.INCONCLUSIVE)


@pytest.mark.parametrize(
    ("error", "software", "verdict"),
    [
        (RuntimeTimeout("no answer within 1 s, stopped."), True, Status.NOT_RUN),
        (RuntimeTimeout("no answer within 1 s, stopped."), False, Status.FAIL),
        (RuntimeUnsupported("LiteRT.js: Element type BOOL is not supported."), False, Status.UNSUPPORTED),
    ],
)
def test_slow_software_and_a_library_that_declines_are_no_failures(
    error: Exception, software: bool, verdict: Status
) -> None:
    class Declining(Device):
        timeout = 1.0

        def activate(self, artifact: Artifact, path: Path) -> dict[str, Any]:
            return {"adapter_is_software": software}

        def infer(self, inputs: dict[str, np.ndarray], batch: int) -> tuple[dict[str, np.ndarray], float]:
            raise error

    entry = RuntimeEntry("fake", "fake", "tfjs", "webgpu", required=False)
    (found,) = judge(Path(), [ARTIFACT], [entry], EVIDENCE, 0, lambda _: Declining(24, 0.0))
    assert found.verdict is verdict and found.samples == (10 if verdict is Status.FAIL else 0) * 2
    assert "no answer within 1 s" in found.reason or "BOOL" in found.reason
