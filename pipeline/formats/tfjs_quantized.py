"""TF.js with weights in fewer bits, made out of the float32 directory by tensorflowjs' own weight writer.

TF.js widens them when it loads: it computes in float32 all the same.
"""

from __future__ import annotations

import glob
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.artifact import Artifact
from pipeline.errors import LegalizationError, Obstacle
from pipeline.formats import size
from pipeline.formats.quantized import Samples, Stored
from pipeline.formats.tfjs import converter, signature

_STORED = {"float16": "float16", "uint8-weights": "uint8"}
_MATRIX = 2  # a bias or a scale gains little by fewer bits, and every one of its values counts


def write(base: Artifact, root: Path, precision: str, samples: Samples | None) -> Artifact:  # noqa: ARG001
    """Write `tfjs/<precision>/` beside the float32 directory: matrices and kernels in fewer bits.

    Raises:
        LegalizationError: there is no matrix among the weights.
    """
    converter()  # imports tensorflowjs without the packages that it never calls
    from tensorflowjs import read_weights, write_weights

    source, path = base.locate(root), Path("tfjs") / precision
    target = root / path
    model = json.loads((source / "model.json").read_text())
    groups = read_weights.read_weights(model["weightsManifest"], str(source), flatten=False)
    chosen = [
        glob.escape(entry["name"])
        for group in groups
        for entry in group
        if entry["data"].dtype == np.float32 and np.squeeze(entry["data"]).ndim >= _MATRIX
    ]
    if not chosen:
        raise LegalizationError.of("tfjs", [Obstacle("", (), "there is no matrix among its weights", "Leave it out.")])
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    model["weightsManifest"] = write_weights.write_weights(
        groups, str(target), write_manifest=False, quantization_dtype_map={_STORED[precision]: chosen}
    )
    (target / "model.json").write_text(json.dumps(model, separators=(",", ":"), sort_keys=True))
    return replace(
        base, precision=precision, path=path.as_posix(), signature=signature(target), bytes=size(target), notes=()
    )


def stored(path: Path) -> dict[str, Stored]:
    """Float weights of the manifest by name."""
    converter()
    from tensorflowjs import read_weights

    model = json.loads((path / "model.json").read_text())
    found: dict[str, Stored] = {}
    groups = read_weights.read_weights(model["weightsManifest"], str(path), flatten=False)
    for group, described in zip(groups, model["weightsManifest"], strict=True):
        for entry, weight in zip(group, described["weights"], strict=True):
            if entry["data"].dtype == np.float32:
                found[entry["name"]] = _entry(entry["data"], weight.get("quantization"))
    return found


def quanta(path: Path) -> dict[str, float]:  # noqa: ARG001
    """None: outputs are floats."""
    return {}


def _entry(values: np.ndarray, quantization: dict[str, Any] | None) -> Stored:
    if quantization is None or quantization["dtype"] == "float16":
        return Stored(values, "float32" if quantization is None else "float16")
    step = np.full((1,) * values.ndim, quantization["scale"])
    return Stored(values, quantization["dtype"], step, 2 ** (8 * np.dtype(quantization["dtype"]).itemsize))
