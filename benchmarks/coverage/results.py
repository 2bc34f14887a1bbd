"""Rows of the coverage run, and the JSON-lines file that keeps them: the last line on a model and side counts."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

ISOMER, STOCK = "isomer", "stock"
SIDES = (ISOMER, STOCK)


@dataclass(frozen=True)
class Square:
    """One model on one path.

    Attributes:
        path: "tflite", "tflite batch1", "onnx", ... for isomer; the converter's name for the stock side.
        verdict: as of a cell (isomer), or PASS and FAIL (stock).
        reason: the first line of why it is not PASS.
        ulp, budget: error and budget in ULP of the output's scale.
    """

    path: str
    verdict: str
    reason: str = ""
    ulp: float | None = None
    budget: float | None = None


@dataclass(frozen=True)
class Row:
    """What one side made of one model.

    Attributes:
        model: its name in the corpus.
        side: "isomer" or "stock".
        squares: by path.
        seconds: wall time of this side.
        origin: what the verdict is about: a sentence on the judged rows.
        when: UTC time, ISO 8601.
    """

    model: str
    side: str
    squares: tuple[Square, ...]
    seconds: float = 0.0
    origin: str = ""
    when: str = ""
    extra: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Row:
        return cls(**{**data, "squares": tuple(Square(**s) for s in data["squares"])})

    @property
    def passed(self) -> bool:
        return all(s.verdict == "PASS" for s in self.squares)


def read(file: Path) -> dict[tuple[str, str], Row]:
    """Rows by model and side."""
    rows: dict[tuple[str, str], Row] = {}
    if file.is_file():
        for line in file.read_text(encoding="utf-8").splitlines():
            row = Row.from_json(json.loads(line))
            rows[row.model, row.side] = row
    return rows


def append(file: Path, row: Row) -> None:
    """Add a row at once, so that a run that is stopped can be resumed."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a", encoding="utf-8") as out:
        out.write(json.dumps(row.to_json()) + "\n")


def compact(file: Path, order: list[str]) -> None:
    """Keep the rows that count, in the corpus' order."""
    rows = read(file)
    lines = [json.dumps(rows[m, s].to_json()) for m in order for s in SIDES if (m, s) in rows]
    file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
