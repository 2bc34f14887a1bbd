"""Inspect: what a model would become in each format, or what a bundle holds, before anything is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipeline import formats, sources
from pipeline.bundle import certificate, manifest
from pipeline.cells import Status
from pipeline.errors import LegalizationError
from pipeline.signature import Signature


@dataclass(frozen=True)
class FormatOutlook:
    """What one format can make of a model.

    Attributes:
        format: its name.
        status: PASS, or UNSUPPORTED with the reason.
        rewrites: rules that legalization would apply, with their number of uses.
        reason: layer, operation, why, and what to do, where it is unsupported.
    """

    format: str
    status: Status
    rewrites: tuple[tuple[str, int], ...] = ()
    reason: str = ""


@dataclass(frozen=True)
class Inspection:
    """A model or a bundle from outside.

    Attributes:
        name, kind: "recipe", "keras-file" or "bundle".
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
            "formats": [{**asdict(o), "status": str(o.status), "rewrites": dict(o.rewrites)} for o in self.outlook],
            "certificate": self.certificate,
        }


def inspect(
    target: str, *, format: Sequence[str] = (), unsafe: bool = False, imports: Sequence[Path] = ()
) -> Inspection:
    """Look at a bundle (its certificate, without TensorFlow), or at a recipe or `.keras` file (per format).

    A recipe is built, not trained.

    Args:
        format: only these formats.
        unsafe: allow Python code inside a `.keras` file.
        imports: Python files to run first, for the custom layers that they register with Keras.

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
    writers = formats.select(format)
    from pipeline import keras_file, recipes
    from pipeline.capture import capture
    from pipeline.legalize import legalize

    for file in imports:
        keras_file.import_module(file)
    model = keras_file.load(source.path, unsafe) if source.kind == "keras-file" else recipes.load(source.path).build()
    captured = capture(model)
    outlook = []
    for entry in writers:
        if entry.name == "savedmodel":  # written from the capture as it is
            outlook.append(FormatOutlook(entry.name, Status.PASS))
            continue
        try:
            outlook.append(FormatOutlook(entry.name, Status.PASS, legalize(captured, entry.name).rewrites))
        except LegalizationError as error:
            outlook.append(FormatOutlook(entry.name, Status.UNSUPPORTED, (), str(error)))
    return Inspection(source.name, source.kind, captured.signature, captured.parameters, tuple(outlook))
