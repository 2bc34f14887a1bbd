"""schemathesis makes requests of a live server's OpenAPI description, and holds the answers to it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import foreign
from live import Live, serving

_HERE = Path(__file__).parent
# Models whose signatures say all: the others' shapes are not known, or their outputs' rows differ.
_MODELS = ("half_plus_two", "bytes", "pair", "matrix")


@contextmanager
def described() -> Iterator[Live]:
    """A server of models whose requests a schema can describe."""
    with TemporaryDirectory() as place:
        root, every = Path(place, "models"), Path(place, "all")
        foreign.write(every)
        root.mkdir()
        for name in _MODELS:
            (every / name).rename(root / name)
        with serving(root, "--no-gate", "--max-body", "100000") as live:
            yield live


def hold(live: Live, seed: int, examples: int, phases: str = "coverage,fuzzing") -> subprocess.CompletedProcess[str]:
    """Send `examples` random requests to each path, beside those that cover its schema; fails for what is not as
    described.
    """
    with TemporaryDirectory() as place:  # where it keeps its reports
        return subprocess.run(
            [
                str(Path(sys.executable).parent / "schemathesis"),
                *("--config-file", str(_HERE / "openapi.toml"), "run", f"http://{live.host}:{live.port}/openapi.json"),
                *("--seed", str(seed), "--max-examples", str(examples), "--phases", phases, "--warnings", "off"),
            ],
            env={**os.environ, "SCHEMATHESIS_HOOKS": "openapi_hooks", "PYTHONPATH": str(_HERE)},
            cwd=place,
            capture_output=True,
            text=True,
        )
