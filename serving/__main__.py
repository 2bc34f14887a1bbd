"""`python -m serving`: the server without the engine room's packages."""

from __future__ import annotations

import argparse
import sys
from dataclasses import fields
from pathlib import Path

from serving.main import run
from serving.settings import ENGINES, Limits, Settings


def main() -> int:
    """Parse the command line and serve; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m serving", description="A TF Serving compatible server.")
    parser.add_argument("root", type=Path, help="directory of models, such as exports/, or one model's base path")
    parser.add_argument("--host", default=Settings.host, help="address to listen on (%(default)s)")
    parser.add_argument("--rest-port", type=int, default=Settings.rest_port, help="0 takes a free one (%(default)s)")
    parser.add_argument("--engine", choices=ENGINES, default=Settings.engine, help="(%(default)s)")
    parser.add_argument("--no-gate", action="store_true", help="serve models that are no bundles, unchecked")
    parser.add_argument("--poll-seconds", type=float, default=Settings.poll_seconds, help="(%(default)s)")
    parser.add_argument("--threads", type=int, default=Settings.threads, help="of one engine call (%(default)s)")
    parser.add_argument("--drain-delay", type=float, default=Settings.drain_delay, help="(%(default)s)")
    parser.add_argument("--drain-seconds", type=float, default=Settings.drain_seconds, help="(%(default)s)")
    for limit in fields(Limits):
        kind = float if limit.name.endswith("seconds") else int
        parser.add_argument(
            f"--max-{limit.name.replace('_', '-')}", type=kind, default=limit.default, help="(%(default)s)"
        )
    given = parser.parse_args()
    limits = Limits(**{limit.name: getattr(given, f"max_{limit.name}") for limit in fields(Limits)})
    return run(
        Settings(
            given.root,
            given.host,
            given.rest_port,
            given.engine,
            not given.no_gate,
            given.poll_seconds,
            given.threads,
            given.drain_delay,
            given.drain_seconds,
            limits,
        )
    )


if __name__ == "__main__":
    sys.exit(main())
