"""The modules of all of a model's TF.js artifacts, whatever their weights are stored as."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pipeline import precisions
from pipeline.artifact import Artifact
from pipeline.capture import Capture
from pipeline.cells import Cell
from pipeline.datasets import Dataset
from pipeline.parity import cost
from pipeline.parity.evidence import Evidence
from pipeline.parity.reduced import Reduced
from pipeline.runtimes import RuntimeEntry
from pipeline.web_bundle.builder import FORMAT, Written, write
from pipeline.web_bundle.image import image_of

_SOURCE = "tfjs"
_ANY_SIZE = 64  # of dynamic dimensions, where work is estimated
# Smaller weights are a smaller download; what they are widened to runs on every backend alike.
_REDUCED_DEVICES = ("wasm",)


def judged_formats(names: Iterable[str]) -> tuple[str, ...]:
    """The formats to judge: those that are written, and the bundle for pages where what it is made of is."""
    unique = tuple(dict.fromkeys(names))
    return (*unique, FORMAT) if _SOURCE in unique else unique


def write_all(
    root: Path,
    name: str,
    captured: Capture,
    artifacts: Sequence[Artifact],
    entries: Iterable[RuntimeEntry],
    evidence: Evidence,
    dataset: Dataset | None,
) -> Written:
    """Write `web/` with a module for each device that is to be judged: none is shipped that is not.

    Args:
        root: the bundle's directory.
        name: of the model.
        artifacts: of all formats.
        entries: the runtimes that will judge.
        dataset: what the model was trained on.
    """
    devices = list(dict.fromkeys(entry.device for entry in entries if entry.format == FORMAT))  # of several browsers
    if not devices:
        return Written()
    work, image = cost.multiplications(captured, _ANY_SIZE), image_of(captured.signature, dataset)
    made: list[Artifact] = []
    cells: list[Cell] = []
    for artifact in (a for a in artifacts if a.format == _SOURCE):
        whole = artifact.precision == precisions.FLOAT32
        chosen = [device for device in devices if whole or device in _REDUCED_DEVICES]
        if chosen:
            written = write(artifact, root, name, evidence, chosen, work, image)
            made += written.artifacts
            cells += written.cells
    return Written(tuple(made), tuple(cells))


def expected_of(modules: Iterable[Artifact], expected: Mapping[str, Reduced]) -> dict[str, Reduced]:
    """What the modules of reduced precision must answer, by label: what the artifacts that they are made of must."""
    sources = {module.label: f"{_SOURCE} {module.precision}" for module in modules}
    return {label: expected[source] for label, source in sources.items() if source in expected}
