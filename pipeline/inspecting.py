"""Inspect: what a model would become in each format, tried out in a scratch directory; or what a bundle holds."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline import formats, preprocessing, sources, user_module, writing
from pipeline.bundle import certificate, manifest
from pipeline.capture import Capture, capture
from pipeline.cells import Status
from pipeline.errors import Obstacle
from pipeline.formats import FormatEntry
from pipeline.invocation import parse
from pipeline.progress import Observer
from pipeline.signature import Signature
from pipeline.writing import Refusal


@dataclass(frozen=True)
class FormatOutlook:
    """What one format can make of a model.

    Attributes:
        format: its name.
        status: PASS, or UNSUPPORTED with the reason.
        rewrites: rules that legalization applied, with their number of uses.
        flex: TensorFlow's own operations that the file would hold, as the user allowed.
        bytes: size of the main artifact.
        obstacles: the operations in the way, with layers, reason and advice, where it is unsupported.
        reason: the same in sentences.
    """

    format: str
    status: Status
    rewrites: tuple[tuple[str, int], ...] = ()
    bytes: int = 0
    obstacles: tuple[Obstacle, ...] = ()
    reason: str = ""
    flex: tuple[str, ...] = ()

    @property
    def outlook(self) -> str:
        """ "supported", "rewritten", "flex" (with TensorFlow's own operations) or "impossible"."""
        if self.status is Status.UNSUPPORTED:
            return "impossible"
        if self.flex:
            return "flex"
        return "rewritten" if self.rewrites else "supported"

    def to_json(self) -> dict[str, Any]:
        return {
            "format": self.format,
            "status": str(self.status),
            "outlook": self.outlook,
            "rewrites": dict(self.rewrites),
            "flex": list(self.flex),
            "bytes": self.bytes,
            "obstacles": [o.to_json() for o in self.obstacles],
            "reason": self.reason,
        }


@dataclass(frozen=True)
class Inspection:
    """A model or a bundle from outside.

    Attributes:
        name, kind: "recipe", "keras-file", "function" or "bundle".
        signature: inputs and outputs.
        parameters: number of weight values.
        outlook: per format, for a model.
        certificate: for a bundle.
    """

    name: str
    kind: str
    signature: Signature
    parameters: int
    outlook: tuple[FormatOutlook, ...] = ()
    certificate: dict[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        """The line that `--json` prints."""
        return {
            "model": self.name,
            "kind": self.kind,
            "signature": self.signature.to_json(),
            "parameters": self.parameters,
            "formats": [o.to_json() for o in self.outlook],
            "certificate": self.certificate,
        }


def inspect(
    target: str,
    *,
    format: Sequence[str] = (),
    unsafe: bool = False,
    imports: Sequence[Path] = (),
    input: Sequence[str] = (),
    split: bool = False,
    allow_flex: bool = False,
    observer: Observer | None = None,
) -> Inspection:
    """Look at a bundle (its certificate, without TensorFlow), or at a model (per format).

    Each format is really written, to a directory that is thrown away: only the converters know what they refuse. A
    recipe is built, not trained.

    Args:
        format: only these formats.
        unsafe: allow Python code inside a `.keras` file.
        imports: Python files to run first, for the custom layers that they register with Keras.
        input: inputs of a subclassed model that does not store them, such as "ids:int32:?,128".
        split: look at the part behind what reads strings.
        allow_flex: let a TFLite file hold TensorFlow's own operations where it has no others.
        observer: told what goes on.

    Raises:
        UsageError: there is no such thing, or it cannot be captured.
    """
    path = Path(target)
    if path.is_dir():
        bundle = manifest.locate(path)
        manifest.read(bundle)
        document = certificate.read(bundle)
        signature = Signature.from_json(document["signature"])
        return Inspection(document["model"], "bundle", signature, document["parameters"], (), document)
    source = sources.resolve(target, unsafe)
    declared = tuple(parse(text) for text in input)
    writers = formats.select(format)
    observer = observer or Observer()
    observer.stage(source.name, "starting TensorFlow")
    for file in imports:
        user_module.load(file)
    model, invocation = sources.build(source, unsafe=unsafe, declared=declared)
    observer.stage(source.name, "capturing")
    if split:
        parts = preprocessing.split(model)
        model, invocation = parts.core, parts.invocation
    captured = capture(model, invocation)
    outlook = []
    for entry in writers:
        observer.stage(source.name, f"trying {entry.name}")
        outlook.append(_try(captured, entry, allow_flex))
    return Inspection(source.name, source.kind, captured.signature, captured.parameters, tuple(outlook))


def _try(captured: Capture, entry: FormatEntry, flex: bool) -> FormatOutlook:
    with tempfile.TemporaryDirectory(prefix="isomer-inspect-") as scratch:
        done = writing.write(captured, entry, Path(scratch), entry.precisions[0], flex)
    if isinstance(done, Refusal):
        return FormatOutlook(entry.name, Status.UNSUPPORTED, obstacles=done.obstacles, reason=done.reason)
    return FormatOutlook(entry.name, Status.PASS, done[0].rewrites, done[0].bytes, flex=done[0].flex)
