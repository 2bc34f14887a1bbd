"""Run all benchmarks and print a table: python -m benchmarks [--rounds N] [--json FILE]."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

from benchmarks import artifacts, export_cnn, judging, memory
from pipeline.bundle import publish
from pipeline.bundle.certificate import environment


def main() -> None:
    """Parse the arguments, run, and print what was measured beside what was aimed at."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="how often each pair is run, in turn")
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--bundle", type=Path, default=Path("exports/cnn"), help="an exported MNIST recipe")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    options = parser.parse_args()
    if "ISOMER_MNIST" not in os.environ:
        parser.error("set ISOMER_MNIST to MNIST as an .npz: both sides read the same images")
    if publish.latest(options.bundle) is None and not (options.bundle / "manifest.json").is_file():
        parser.error(f"there is no bundle at '{options.bundle}': run `make` (or `isomer export cnn`) first")
    results: dict[str, Any] = {
        export_cnn.NAME: export_cnn.run(options.rounds, options.runs),
        judging.NAME: judging.run(options.rounds, options.bundle),
    }
    for name, figures in results.items():
        print(name)
        for who, seconds in figures["seconds"].items():
            print(f"  {who:<8} {', '.join(f'{s:.1f}' for s in seconds)} s")
        print(f"  ratio    {figures['ratio']:.2f} of the medians (aim: {figures['aim']} or less)")
    pairs = artifacts.run(options.rounds)
    print(artifacts.NAME)
    for name, pair in pairs["files"].items():
        said = f"{pair['bytes']:5.2f} {pair['seconds']:5.2f}" if "bytes" in pair else f"today's file: {pair['stock']}"
        print(f"  {name:<40} {said}")
    for what, ratio in pairs["summary"].items():
        mean, worst, name = ratio["geometric_mean"], ratio["worst"], ratio["worst_of"]
        print(f"  {what:<8} {mean:.2f} in the geometric mean of {ratio['pairs']}, at worst {worst:.2f} ({name})")
    results[artifacts.NAME] = pairs
    peaks = memory.run()
    print(memory.NAME, *memory.lines(peaks), sep="\n")
    results[memory.NAME] = peaks
    if options.json:
        options.json.write_text(json.dumps({"results": results, "environment": environment(0)}, indent=1) + "\n")


if __name__ == "__main__":
    main()
