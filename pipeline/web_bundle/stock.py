"""TF.js whole, as its guide says to load it: what a bundle's modules are measured beside."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import RuntimeUnavailable

VERSION = "4.22.0"
SCRIPT = "tf.min.js"
# `tf.min.js` holds every backend but WebAssembly, which is a script and a binary on top.
WASM_SCRIPT = "tf-backend-wasm.min.js"
BINARY = "tfjs-backend-wasm-simd.wasm"
SIZES = "sizes.json"
DIRECTORY = Path(__file__).resolve().parents[2] / ".tools" / "tfjs" / VERSION


@dataclass(frozen=True)
class Sizes:
    """Bytes of some files together: as they are, by gzip -9 and by brotli -q 11."""

    raw: int
    gzip: int
    brotli: int

    def __add__(self, other: Sizes) -> Sizes:
        return Sizes(self.raw + other.raw, self.gzip + other.gzip, self.brotli + other.brotli)


def sizes() -> dict[str, Sizes]:
    """Of each file, by name.

    Raises:
        RuntimeUnavailable: `make setup` could not fetch them.
    """
    try:
        found = json.loads((DIRECTORY / SIZES).read_text())
        return {name: Sizes(**found[name]) for name in (SCRIPT, WASM_SCRIPT, BINARY)}
    except (OSError, ValueError, KeyError, TypeError):
        raise RuntimeUnavailable(f"TF.js' own {SCRIPT} is not in {DIRECTORY}.", "Run `make setup`.") from None
