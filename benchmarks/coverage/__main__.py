"""The coverage run: python -m benchmarks.coverage [--part fast|all] [--only PATTERN] [--side isomer|stock] [--again].

It goes on where it was stopped: rows that are in the results file are not run again. A run over the whole corpus ends
by writing docs/coverage.md. The exit code is 1 if a cell is neither PASS nor refused as tests/corpus/refusals.py says.
"""

from __future__ import annotations

import argparse
import sys
import time
from fnmatch import fnmatch
from pathlib import Path

from benchmarks import ROOT
from benchmarks.coverage import page, results
from benchmarks.coverage.results import ISOMER, SIDES, Row
from benchmarks.coverage.sweep import Sweep
from pipeline.bundle.certificate import environment

RESULTS = ROOT / "runs" / "coverage" / "results.jsonl"


def main() -> None:
    """Parse the arguments, run what is missing, and write the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.coverage", description=__doc__)
    parser.add_argument("--part", choices=("fast", "all"), default="all")
    parser.add_argument("--only", action="append", default=[], help="names of models, with * and ?; may be repeated")
    parser.add_argument("--side", choices=SIDES, action="append", help="one side only")
    parser.add_argument("--results", type=Path, default=RESULTS, help="the JSON-lines file")
    parser.add_argument(
        "--again", choices=("all", "failed"), help="run rows that are in the file again: all, or isomer's failed ones"
    )
    options = parser.parse_args()
    options.results.parent.mkdir(parents=True, exist_ok=True)
    with Sweep(options.results.with_suffix(".log")) as sweep:
        corpus = sweep.models()
        chosen = [
            name
            for name, fast in corpus.items()
            if (fast or options.part == "all") and (not options.only or any(fnmatch(name, p) for p in options.only))
        ]
        rows = results.read(options.results)
        began = time.perf_counter()

        def done(row: Row) -> None:
            results.append(options.results, row)
            marks = " ".join(f"{s.path.split(':')[0]}={s.verdict}" for s in row.squares if s.verdict != "PASS")
            print(
                f"{time.perf_counter() - began:7.0f} s  {row.side:<6} {row.model:<50} {row.seconds:5.1f} s  {marks}",
                flush=True,
            )

        for name in chosen:
            sides = [s for s in options.side or SIDES if _wanted(rows.get((name, s)), options.again)]
            if sides:
                sweep.run(name, sides, done)
    results.compact(options.results, list(corpus))
    from corpus.refusals import REFUSALS

    rows = results.read(options.results)
    if options.part == "all" and not options.only:
        page.write(rows, list(corpus), environment(0), REFUSALS)
        print(page.PAGE)
    found = [line for name in chosen if (name, ISOMER) in rows for line in _surprises(rows[name, ISOMER], REFUSALS)]
    print("\n".join([*found, f"{len(found)} cells are neither PASS nor refused as documented."]))
    sys.exit(bool(found))


def _surprises(row: Row, refusals: dict[str, dict[str, str]]) -> list[str]:
    lines = []
    for square in row.squares:
        format = "tfjs" if square.path == "tfjs-browser" else square.path.split()[0]
        wanted = "UNSUPPORTED" if format in refusals.get(row.model, {}) else "PASS"
        if square.verdict != wanted:
            lines.append(f"{row.model} {square.path}: {square.verdict}: {square.reason}")
    return lines


def _wanted(row: Row | None, again: str | None) -> bool:
    return row is None or again == "all" or (again == "failed" and row.side == ISOMER and not row.passed)


if __name__ == "__main__":
    main()
