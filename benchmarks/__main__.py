"""Run all benchmarks and print a table: python -m benchmarks [--only PART] [--rounds N] [--json FILE]."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks import artifacts, export_cnn, judging, memory, payload, training
from pipeline.bundle import publish
from pipeline.bundle.certificate import environment


def main() -> None:
    """Parse the arguments, run, and print what was measured beside what was aimed at."""
    parts: dict[str, tuple[str, Callable[[], dict[str, Any]], Callable[[dict[str, Any]], Iterator[str]]]] = {
        "export": (export_cnn.NAME, lambda: export_cnn.run(options.rounds, options.runs), _in_pairs),
        "judging": (judging.NAME, lambda: judging.run(options.rounds, options.bundle), _in_pairs),
        "files": (artifacts.NAME, lambda: artifacts.run(options.rounds), artifacts.lines),
        "memory": (memory.NAME, memory.run, memory.lines),
        "training": (training.NAME, lambda: training.run(options.rounds), training.lines),
        "payload": (payload.NAME, lambda: payload.run(options.rounds, options.exports), payload.lines),
    }
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", choices=parts, action="append", help="this part (repeat); all by default")
    parser.add_argument("--rounds", type=int, default=3, help="how often each pair is run, in turn")
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--bundle", type=Path, default=Path("exports/cnn"), help="an exported MNIST recipe")
    parser.add_argument("--exports", type=Path, default=Path("exports"), help="where the recipes' bundles are")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    options = parser.parse_args()
    chosen = options.only or list(parts)
    if {"export", "judging", "training"} & set(chosen) and "ISOMER_MNIST" not in os.environ:
        parser.error("set ISOMER_MNIST to MNIST as an .npz: both sides read the same images")
    if "judging" in chosen and not _is_bundle(options.bundle):
        parser.error(f"there is no bundle at '{options.bundle}': run `make` (or `isomer export cnn`) first")
    results: dict[str, Any] = {}
    for part in chosen:
        name, run, lines = parts[part]
        results[name] = run()
        print(name, *lines(results[name]), sep="\n", flush=True)
        if options.json:
            options.json.write_text(json.dumps({"results": results, "environment": environment(0)}, indent=1) + "\n")


def _is_bundle(path: Path) -> bool:
    return publish.latest(path) is not None or (path / "manifest.json").is_file()


def _in_pairs(figures: dict[str, Any]) -> Iterator[str]:
    """Seconds of each round of both sides, and their ratio."""
    for who, seconds in figures["seconds"].items():
        yield f"  {who:<8} {', '.join(f'{s:.1f}' for s in seconds)} s"
    yield f"  ratio    {figures['ratio']:.2f} of the medians (aim: {figures['aim']} or less)"


if __name__ == "__main__":
    main()
