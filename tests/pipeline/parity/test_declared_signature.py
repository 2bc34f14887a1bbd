"""The input and output contract: what a file may declare otherwise than the capture."""

from __future__ import annotations

import pytest

from pipeline.artifact import Artifact
from pipeline.cells import Status
from pipeline.parity.contract import check_signature
from pipeline.signature import Signature, TensorSpec


def verdict(
    format: str, wanted: tuple[TensorSpec, TensorSpec], found: tuple[TensorSpec, TensorSpec]
) -> tuple[Status, str]:
    captured, declared = (Signature((x,), (y,)) for x, y in (wanted, found))
    check = check_signature(Artifact(format, "float32", "file", declared), captured)
    return check.verdict, check.reason


def spec(*shape: int | None, dtype: str = "float32") -> TensorSpec:
    return TensorSpec("t", dtype, shape)


@pytest.mark.parametrize(
    ("inputs", "wanted", "found", "status"),
    [
        (spec(None, 5), spec(None, None), spec(None, 4), Status.PASS),  # only the batch is open: 4 is always 4
        (spec(None, 5), spec(None, 4), spec(None, None), Status.FAIL),
        (spec(None, 5), spec(None, None), spec(3, 4), Status.FAIL),
        (spec(None, 5), spec(None, None), spec(None, 4, 1), Status.FAIL),
        (spec(None, None), spec(None, None), spec(None, 4), Status.FAIL),
    ],
)
def test_a_file_may_know_an_output_size_that_the_trace_does_not(
    inputs: TensorSpec, wanted: TensorSpec, found: TensorSpec, status: Status
) -> None:
    assert verdict("tflite", (inputs, wanted), (inputs, found))[0] is status


def test_wide_integers_are_int32_in_tfjs_alone() -> None:
    wide, narrow, output = spec(None, dtype="int64"), spec(None, dtype="int32"), spec(None, 4)
    for declared in (wide, narrow):
        assert verdict("tfjs", (wide, output), (declared, output)) == (Status.PASS, "")
    status, reason = verdict("onnx", (wide, output), (narrow, output))
    assert status is Status.FAIL and "is int32, expected int64" in reason
