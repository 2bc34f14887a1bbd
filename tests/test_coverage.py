"""Small models of every kind through every required cell: each passes, or is refused for the documented reason.

`make coverage` does the same with the whole corpus and writes docs/coverage.md.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from corpus import all_models
from corpus.model import Model
from corpus.refusals import REFUSALS

from benchmarks.coverage import judged

FAST = [model for model in all_models() if model.fast]


@pytest.mark.parametrize("model", FAST, ids=[model.name for model in FAST])
def test_every_required_cell_passes_or_is_refused_as_documented(model: Model, tmp_path: Path) -> None:
    row = judged.judge_model(model.name, judged.prepare(model, tmp_path), tmp_path)
    assert [s.path for s in row.squares] == list(judged.PATHS)
    refused = REFUSALS.get(model.name, {})
    for square in row.squares:
        wanted = "UNSUPPORTED" if square.path.split()[0] in refused else "PASS"
        assert square.verdict == wanted, f"{square.path}: {square.reason}"


def test_every_refusal_is_about_a_model_and_gives_its_reason_in_a_sentence() -> None:
    assert set(REFUSALS) <= {model.name for model in all_models()}
    for reasons in REFUSALS.values():
        for format, reason in reasons.items():
            assert format in {p.split()[0] for p in judged.PATHS}
            assert reason.endswith(".") and len(reason) > 20
