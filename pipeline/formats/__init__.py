"""The formats, one module each. A format writes a capture as an artifact and can read back what it wrote.

A format module offers:

    write(capture, root, precision) -> list[Artifact]   files below `root`, the bundle under construction; a format that
                                                        can hold TensorFlow's own operations takes `flex=True` too
    signature(path) -> Signature                        what the file itself declares
    constants(path) -> list[np.ndarray]                 the float constants that it holds
    operators(path) -> set[str]                         the operations that it asks its runtime for
    foreign(operators) -> set[str]                      those outside of what the plain runtime has built in
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

import numpy as np

from pipeline.artifact import Artifact
from pipeline.capture import Capture
from pipeline.errors import UsageError
from pipeline.formats.quantized import Quantizer
from pipeline.signature import Signature


class Format(Protocol):
    """What a format module offers; see the package's docstring."""

    def write(self, capture: Capture, root: Path, precision: str, **allowed: bool) -> list[Artifact]: ...
    def signature(self, path: Path) -> Signature: ...
    def constants(self, path: Path) -> list[np.ndarray]: ...
    def operators(self, path: Path) -> set[str]: ...
    def foreign(self, operators: set[str]) -> set[str]: ...


@dataclass(frozen=True)
class FormatEntry:
    """One row of the table of formats.

    Attributes:
        name: of the format.
        module: what implements it.
        precisions: that it is written at.
        flex: it can hold TensorFlow's own operations, if the user allows that (Select TF).
        quantizer: what makes artifacts of other precisions than float32 (`pipeline.formats.quantized`).
        static: precisions that are written with a static batch of one, too.
    """

    name: str
    module: str
    precisions: tuple[str, ...]
    flex: bool = False
    quantizer: str = ""
    static: tuple[str, ...] = ()

    def load(self) -> Format:
        """Import the format's module (and its converter's libraries)."""
        return cast(Format, import_module(self.module))

    def load_quantizer(self) -> Quantizer:
        """Import what writes its other precisions."""
        return cast(Quantizer, import_module(self.quantizer))


FORMATS: tuple[FormatEntry, ...] = (
    FormatEntry("savedmodel", "pipeline.formats.savedmodel", ("float32",)),
    FormatEntry(
        "tflite",
        "pipeline.formats.tflite",
        ("float32", "float16", "int8-weights", "int4-weights", "int8-dynamic", "int8", "int8-io", "int16x8"),
        flex=True,
        quantizer="pipeline.formats.tflite_quantized",
        # Microcontrollers and fixed-function accelerators take whole numbers in static shapes.
        static=("int8", "int8-io"),
    ),
    FormatEntry(
        "onnx",
        "pipeline.formats.onnx",
        ("float32", "float16", "int8-dynamic", "int8"),
        quantizer="pipeline.formats.onnx_quantized",
    ),
    FormatEntry(
        "tfjs",
        "pipeline.formats.tfjs",
        ("float32", "float16", "uint8-weights"),
        quantizer="pipeline.formats.tfjs_quantized",
    ),
)


def select(names: Iterable[str] = ()) -> tuple[FormatEntry, ...]:
    """The formats of these names in table order; all if none is named.

    Raises:
        UsageError: an unknown name.
    """
    wanted = set(names)
    known = {f.name for f in FORMATS}
    if unknown := sorted(wanted - known):
        raise UsageError(f"There is no format '{unknown[0]}'.", f"Choose from {', '.join(f.name for f in FORMATS)}.")
    return tuple(f for f in FORMATS if not wanted or f.name in wanted)


def size(path: Path) -> int:
    """Bytes of a file or of all files below a directory."""
    if path.is_file():
        return path.stat().st_size
    return sum(p.stat().st_size for p in path.rglob("*") if p.is_file())
