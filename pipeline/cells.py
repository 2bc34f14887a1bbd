"""A cell: artifact x runtime x device, the unit of judgement; and the verdict that it gets."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any


class Status(StrEnum):
    """A verdict. The last three always come with a reason in a sentence."""

    PASS = "PASS"
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"
    NOT_RUN = "NOT_RUN"
    UNSUPPORTED = "UNSUPPORTED"


@dataclass(frozen=True)
class Cell:
    """One square of the matrix with its verdict and the evidence for it.

    Attributes:
        format, precision, variant: of the artifact ("tflite", "float32", "batch1").
        runtime: "tensorflow", "litert", "onnxruntime", "tfjs-node", "tfjs-browser", ...
        device: "cpu", "gpu", "wasm", "webgl", "webgpu".
        required: a required cell that is missing fails the whole.
        verdict, reason: the judgement, and one sentence on it (empty only for PASS).
        max_abs_error: largest |runtime - oracle| over all outputs and inputs, in the output's unit.
        ulp_error: largest error in float32 units in the last place of the sample's own output scale.
        budget_ulp: what a correct runtime may show, in the same unit (see docs/parity.md).
        accuracy: share of right answers on the dataset's labels: top-1, or yes or no by the likelier; None without.
        accuracy_oracle: the oracle's own, on the same samples.
        samples: how many inputs were judged; `population` how many there were to choose from.
        label_flips: samples whose top-1 differs from the oracle's; `near_ties` of them lie within the budget.
        repeat_equal: a second run gave the same bits.
        batches: batch sizes that were run and judged.
        seconds: wall time inside the runtime.
        histogram: counts of samples by error, one bin per power of two of ULP, starting below 1.
        environment: what produced it: versions, adapter, float precision, SIMD, threads, seed.
        quantization: of a reduced precision, its cost against float32 and what it was judged by; None of float32.
    """

    format: str
    precision: str
    runtime: str
    device: str
    variant: str = ""
    required: bool = True
    verdict: Status = Status.NOT_RUN
    reason: str = ""
    max_abs_error: float | None = None
    ulp_error: float | None = None
    budget_ulp: float | None = None
    accuracy: float | None = None
    accuracy_oracle: float | None = None
    samples: int = 0
    population: int = 0
    label_flips: int = 0
    near_ties: int = 0
    repeat_equal: bool | None = None
    batches: tuple[int, ...] = ()
    seconds: float = 0.0
    histogram: tuple[int, ...] = ()
    environment: dict[str, Any] = field(default_factory=dict)
    quantization: dict[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        data = {f.name: getattr(self, f.name) for f in fields(self)}
        data["verdict"] = str(self.verdict)
        data["batches"] = list(self.batches)
        data["histogram"] = list(self.histogram)
        if self.quantization is None:
            del data["quantization"]
        return data

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Cell:
        known = {f.name for f in fields(cls)}
        values = {k: v for k, v in data.items() if k in known}
        values["verdict"] = Status(values["verdict"])
        values["batches"] = tuple(values.get("batches", ()))
        values["histogram"] = tuple(values.get("histogram", ()))
        return cls(**values)


def overall(cells: list[Cell]) -> Status:
    """The verdict on the whole: FAIL if a cell fails, a required one has no verdict, or nothing passed at all."""
    if not any(c.verdict is Status.PASS for c in cells):
        return Status.FAIL
    if any(c.verdict is Status.FAIL for c in cells):
        return Status.FAIL
    if any(c.required and c.verdict is not Status.PASS for c in cells):
        return Status.FAIL
    return Status.PASS
