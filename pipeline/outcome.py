"""What became of one model: the result of `export` and `validate`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.cells import Cell, Status
from pipeline.errors import EXIT_PARITY, EXIT_PASS


@dataclass(frozen=True)
class Outcome:
    """One model's verdict.

    Attributes:
        model: its name.
        status: PASS, or FAIL when a cell or a check failed or a required cell is missing.
        bundle: the published version, the rejected directory, or the bundle that was validated.
        certificate: the whole evidence; after a validation, with the cells and the environment of this run.
        seconds: wall time, training included if there was one.
    """

    model: str
    status: Status
    bundle: Path
    certificate: dict[str, Any]
    seconds: float

    @property
    def cells(self) -> list[Cell]:
        return [Cell.from_json(c) for c in self.certificate["cells"]]

    @property
    def exit_code(self) -> int:
        return EXIT_PASS if self.status is Status.PASS else EXIT_PARITY

    def to_json(self) -> dict[str, Any]:
        """The line that `--json` prints."""
        line = result_line(self.model, self.status, self.bundle, self.cells, self.seconds)
        own = dict.fromkeys(op for a in self.certificate["artifacts"] for op in a.get("flex", []))
        return {**line, "unsupported": self.certificate.get("unsupported", []), "flex": list(own)}


def result_line(model: str, status: str, bundle: Path | None, cells: Sequence[Cell], seconds: float) -> dict[str, Any]:
    """One model's result, in the form that scripts read (schema `result`)."""
    keys = ("format", "precision", "variant", "runtime", "device", "verdict", "reason")
    figures = ("max_abs_error", "ulp_error", "accuracy")
    return {
        "model": model,
        "status": str(status),
        "bundle": None if bundle is None else str(bundle),
        "cells": [{k: c.to_json()[k] for k in (*keys, *figures)} for c in cells],
        "seconds": round(seconds, 3),
    }
