"""Checks before any number: names, dtypes, shapes, dynamic dimensions, operations, and the capture itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pipeline.artifact import Artifact
from pipeline.cells import Status
from pipeline.precisions import named
from pipeline.signature import Signature, TensorSpec


@dataclass(frozen=True)
class Check:
    """One check with its verdict.

    Attributes:
        name: "capture", "io-contract", "builtin-ops" or "weights".
        subject: what was checked: an artifact's label, or the model.
        verdict, reason: as of a cell; the reason is empty only for PASS.
        detail: figures behind it.
    """

    name: str
    subject: str
    verdict: Status
    reason: str = ""
    detail: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "subject": self.subject,
            "verdict": str(self.verdict),
            "reason": self.reason,
            "detail": self.detail,
        }


def check_signature(artifact: Artifact, captured: Signature) -> Check:
    """The artifact's own declaration equals the capture's, by name."""
    wanted = captured.with_batch(1) if artifact.variant == "batch1" else captured
    if named(artifact.precision).whole_io:
        wanted = replace(wanted, inputs=tuple(map(_whole, wanted.inputs)), outputs=tuple(map(_whole, wanted.outputs)))
    # Where only the batch is open, every other size is one number, which a converter may know and the trace may not.
    # So is one that follows the batch, once that is fixed; that the others are as they should be is seen when it runs.
    closed = artifact.variant == "batch1" or all(None not in t.shape[1:] for t in wanted.inputs)
    problems = [
        *_differences("input", artifact.signature.inputs, wanted.inputs, artifact.format),
        *_differences("output", artifact.signature.outputs, wanted.outputs, artifact.format, closed),
    ]
    return Check(
        "io-contract",
        artifact.label,
        Status.FAIL if problems else Status.PASS,
        "; ".join(problems),
        {"inputs": [t.name for t in wanted.inputs], "outputs": [t.name for t in wanted.outputs]},
    )


def check_operators(artifact: Artifact, operators: set[str], foreign: set[str]) -> Check:
    """Every operation is one that the plain runtime has built in, or one that the user allowed."""
    foreign = foreign - {f"CUSTOM:{name}" for name in artifact.flex}
    reason = f"needs {', '.join(sorted(foreign))}, which a plain runtime does not have" if foreign else ""
    return Check(
        "builtin-ops", artifact.label, Status.FAIL if foreign else Status.PASS, reason, {"operators": sorted(operators)}
    )


def _whole(spec: TensorSpec) -> TensorSpec:
    return replace(spec, dtype="int8") if spec.dtype.startswith("float") else spec


def _differences(
    kind: str, found: Sequence[TensorSpec], wanted: Sequence[TensorSpec], format: str, closed: bool = False
) -> list[str]:
    actual = {t.name: t for t in found}
    expected = {t.name: t for t in wanted}
    problems = []
    if actual.keys() != expected.keys():
        problems.append(f"{kind}s are named {sorted(actual)}, expected {sorted(expected)}")
    for name in sorted(actual.keys() & expected.keys()):
        ours, theirs = actual[name], expected[name]
        kept = _dtype_in(format, theirs.dtype)
        if _dtype_in(format, ours.dtype) != kept:
            problems.append(f"{kind} '{name}' is {ours.dtype}, expected {kept}")
        if ours.shape != theirs.shape and not (closed and _knows_more(ours.shape, theirs.shape)):
            problems.append(f"{kind} '{name}' is {list(ours.shape)}, expected {list(theirs.shape)}")
    return problems


def _knows_more(ours: tuple[int | None, ...], theirs: tuple[int | None, ...]) -> bool:
    return (
        len(ours) == len(theirs)
        and ours[:1] == theirs[:1]
        and all(size in (None, known) for known, size in zip(ours, theirs, strict=True))
    )


def _dtype_in(format: str, dtype: str) -> str:
    """TF.js has whole numbers of 32 bits alone: they stand for all others, whatever model.json calls them."""
    return "int32" if format == "tfjs" and dtype.startswith(("int", "uint")) else dtype
