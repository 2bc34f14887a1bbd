"""The certificate: all verdicts of one bundle with what produced them. The source of truth; reports are views."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.artifact import Artifact
from pipeline.bundle import schemas
from pipeline.cells import Cell, Status, overall
from pipeline.datasets import Dataset
from pipeline.errors import BundleError
from pipeline.parity import budget
from pipeline.parity.classifier import classifier, scores
from pipeline.parity.contract import Check
from pipeline.parity.evidence import Evidence

NAME = "certificate.json"
SCHEMA = "isomer-certificate/1"
_PACKAGES = (
    "tensorflow",
    "tensorflow-cpu",
    "keras",
    "numpy",
    "tf2onnx",
    "onnx",
    "tensorflowjs",
    "onnxruntime",
    "ai-edge-litert",
    "ai-edge-quantizer",
    "playwright",
)


def build(
    *,
    model: str,
    source: dict[str, Any],
    dataset: Dataset | None,
    signature: dict[str, Any],
    parameters: int,
    evidence: Evidence,
    oracle: str,
    artifacts: Sequence[Artifact],
    unsupported: Sequence[dict[str, Any]],
    checks: Sequence[Check],
    cells: Sequence[Cell],
    seed: int,
    seconds: float,
    calibration: dict[str, Any] | None = None,
    preprocessing: dict[str, Any] | None = None,
    payload: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """A certificate without its version, which publishing gives.

    Args:
        source: {"kind": "recipe", "keras-file" or "function", "name", "sha256"}.
        oracle: how the exact outputs were computed, in words.
        unsupported: formats that cannot express the model, with the operations in the way.
        calibration: the rows that ranges of activations were found on.
        preprocessing: path and signature of the part that was split off.
        payload: what a page with the bundle costs, beside TF.js whole.
    """
    passed = overall(list(cells)) is Status.PASS and not any(c.verdict is Status.FAIL for c in checks)
    parts = {} if preprocessing is None else {"preprocessing": preprocessing}
    parts |= {} if calibration is None else {"calibration": calibration}
    parts |= {} if payload is None else {"payload": {**payload, "cpu": _cpu(), "cores": os.cpu_count()}}
    return {
        **parts,
        "schema": SCHEMA,
        "model": model,
        "version": None,
        "status": str(Status.PASS if passed else Status.FAIL),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(seconds, 3),
        "dataset": _dataset(dataset),
        "source": source,
        "signature": signature,
        "parameters": parameters,
        "oracle": {
            "method": oracle,
            "origin": evidence.judged.origin,
            "samples": evidence.judged.regular,
            "awkward": len(evidence.judged.awkward),
            "reference_ulp": {
                n: {"dataset": b.reference, "awkward": b.reference_awkward} for n, b in evidence.budgets.items()
            },
            "budget_ulp": {n: {"dataset": b.limit, "awkward": b.limit_awkward} for n, b in evidence.budgets.items()},
            "multiple": budget.MULTIPLE,
            "floor_ulp": budget.FLOOR_ULP,
        },
        "artifacts": [a.to_json() for a in artifacts],
        "unsupported": list(unsupported),
        "checks": [c.to_json() for c in checks],
        "cells": [c.to_json() for c in cells],
        "confusion": _confusion(evidence),
        "environment": environment(seed),
    }


def write(root: Path, certificate: dict[str, Any]) -> None:
    """Write `certificate.json`."""
    schemas.validate(certificate, "certificate")
    (root / NAME).write_text(json.dumps(certificate, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def read(root: Path) -> dict[str, Any]:
    """The certificate of a bundle.

    Raises:
        BundleError: it is missing, not JSON, or of another schema.
    """
    path = root / NAME
    try:
        certificate: dict[str, Any] = json.loads(path.read_text())
    except (OSError, ValueError, RecursionError) as error:
        raise BundleError(f"'{path}' cannot be read: {error}.", "Export the model again.") from error
    schemas.validate(certificate, "certificate")
    return certificate


def environment(seed: int) -> dict[str, Any]:
    """What produced the verdicts: versions, machine, seed."""
    return {
        "isomer": _version("isomer"),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "versions": {p: v for p in _PACKAGES if (v := _version(p))},
        "seed": seed,
    }


def _dataset(dataset: Dataset | None) -> dict[str, Any] | None:
    if dataset is None:
        return None
    return {
        "name": dataset.name,
        "sha256": dataset.sha256,
        "origin": dataset.origin,
        "substitute": dataset.substitute,
        "notice": dataset.notice,
        "test": len(dataset.x_test),
    }


def _confusion(evidence: Evidence) -> dict[str, Any] | None:
    """Counts of [label, answer] by the oracle, on the regular rows."""
    labels = evidence.judged.labels
    name = classifier(evidence.exact, labels)
    if labels is None or name is None:
        return None
    exact = scores(evidence.exact[name][: evidence.judged.regular])
    classes = exact.shape[1]
    counts = np.zeros((classes, classes), np.int64)
    np.add.at(counts, (labels, exact.argmax(-1)), 1)
    return {"labels": [str(i) for i in range(classes)], "matrix": counts.tolist(), "cell": "oracle"}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _cpu() -> str:
    if sys.platform == "linux":
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
