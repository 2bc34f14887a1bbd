"""The device kit: a directory that one copies to a device, where it checks itself (serving/kit/check.py).

It holds the models that devices run, golden inputs, what the oracle and each family of kernels answer to them, and the
hashes of it all. What it judges by is the bundle's own evidence.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import numpy as np

from pipeline import mcu
from pipeline.artifact import Artifact
from pipeline.bundle import certificate, golden, golden_reduced, manifest
from pipeline.errors import EnvironmentFault, UsageError
from pipeline.parity.evidence import Evidence
from pipeline.parity.inputs import SUBNORMAL, ZEROS
from pipeline.parity.reduced import Arithmetic, Reduced, arithmetic
from pipeline.parity.verdict import inconclusive
from pipeline.precisions import FLOAT32

SCHEMA = "isomer-kit/1"
_INDEX = "kit.json"
# What devices run; a SavedModel and TF.js are judged where they run, by `validate` and the page.
_FORMATS = ("tflite", "onnx")


def assemble(bundle: Path, output: Path | None = None) -> Path:
    """Make the kit of a bundle; returns its directory, which replaces an older kit of the same place.

    Args:
        bundle: a version directory, or its parent (the latest version).
        output: `device-<version>` beside the bundle by default.

    Raises:
        BundleError: the bundle is incomplete or changed.
        UsageError: it holds nothing that a device runs, or the output is something else than a kit.
        EnvironmentFault: the runtimes here, whose answers are recorded, failed.
    """
    root = manifest.locate(bundle)
    listing = manifest.require_intact(root)
    document = certificate.read(root)
    version = document["version"]
    target = output or root.parent / ("device" if version is None else f"device-{version}")
    if target.exists() and not (target / _INDEX).is_file():
        raise UsageError(f"'{target}' is there already and is no kit.", "Choose another --output.")
    artifacts = [Artifact.from_json(a) for a in listing["artifacts"]]
    fitting = [a for a in artifacts if a.format in _FORMATS and not a.flex]
    if not fitting:
        raise UsageError(f"'{root}' holds no TFLite or ONNX file for a device.", "Export with --format tflite,onnx.")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".kit-") as place:
        made = Path(place) / "kit"
        with as_file(files("serving.kit")) as sources:
            shutil.copytree(sources, made, ignore=shutil.ignore_patterns("__init__.py", "__pycache__"))
        (made / "golden").mkdir()
        evidence = golden.read_samples(root)
        expected = golden_reduced.read(root, evidence)
        index = {
            "schema": SCHEMA,
            "model": document["model"],
            "version": version,
            "bundle": listing["digest"],
            "regular": evidence.judged.regular,
            "awkward": list(evidence.judged.awkward),
            "flushed": _flushed(evidence),
            "inputs": {n: _save(made, f"input-{i}", v) for i, (n, v) in enumerate(evidence.judged.tensors.items())},
            "artifacts": [_pack(root, made, artifact, evidence, expected.get(artifact.label)) for artifact in fitting],
            "files": [],
        }
        if (small := mcu.choose(fitting)) is None:
            shutil.rmtree(made / "mcu")
        else:
            mcu.write(root, small, made / "mcu")
        if evidence.judged.labels is not None:
            _save(made, "labels", evidence.judged.labels)
        _write(made, index)
        _record(made)
        index = json.loads((made / _INDEX).read_text(encoding="utf-8"))
        index["files"] = _listing(made)
        _write(made, index)
        shutil.rmtree(target, ignore_errors=True)
        made.rename(target)
    return target


def _pack(root: Path, made: Path, artifact: Artifact, evidence: Evidence, reduced: Reduced | None) -> dict[str, Any]:
    """Copy one artifact; its entry in the index."""
    name = "-".join(part for part in (artifact.precision, artifact.variant) if part)
    source = artifact.locate(root)
    file = f"models/{name}{source.suffix}"
    (made / "models").mkdir(exist_ok=True)
    shutil.copyfile(source, made / file)
    own: Evidence | None = evidence
    prefix, quanta = "", {}
    if artifact.precision != FLOAT32:
        own = None if reduced is None else reduced.evidence
        prefix, quanta = f"{artifact.format}-{name}-", {} if reduced is None else reduced.quanta
    if own is not None and arithmetic(artifact.format, artifact.precision) is Arithmetic.FIXED:
        # Saturated inputs lie beyond the ranges in the file, and may do anything.
        own = own.take(np.arange(own.judged.regular))
    varying = {} if own is None else {n: b for n, b in own.budgets.items() if n not in own.fixed}
    return {
        "file": file,
        "sha256": manifest.sha256(source),
        "format": artifact.format,
        "precision": artifact.precision,
        "variant": artifact.variant,
        # In a model whose rows see each other, each golden row was answered alone.
        "dynamic": artifact.signature.dynamic_batch and not evidence.alone,
        "rows": evidence.judged.rows if own is None else own.judged.rows,
        "expect": {} if own is None else _expected(made, own, prefix),
        "families": {},
        "quanta": quanta,
        "inconclusive": "" if own is None or prefix else inconclusive(own.exact, varying),
    }


def _expected(made: Path, evidence: Evidence, prefix: str) -> dict[str, dict[str, str]]:
    """Files of the oracle's answers and the budgets, by output; the same for all artifacts that share them."""
    found: dict[str, dict[str, str]] = {}
    for index, (name, exact) in enumerate(evidence.exact.items()):
        budget = evidence.budgets.get(name)
        if budget is None:
            found[name] = {"exact": _save(made, f"{prefix}exact-{index}", exact)}
            continue
        # Where TensorFlow's own answer is not finite, nothing is required.
        required = np.where(np.isfinite(evidence.reference[name]), exact, np.nan)
        found[name] = {
            "exact": _save(made, f"{prefix}exact-{index}", required),
            "scale": _save(made, f"{prefix}scale-{index}", budget.scales),
            "limit": _save(made, f"{prefix}limit-{index}", budget.limits_ulp),
        }
    return found


def _flushed(evidence: Evidence) -> list[int] | None:
    """Rows of the subnormal input and of zeros, which some processors take for the same."""
    awkward, regular = evidence.judged.awkward, evidence.judged.regular
    if not {ZEROS, SUBNORMAL} <= set(awkward):
        return None
    return [regular + awkward.index(SUBNORMAL), regular + awkward.index(ZEROS)]


def _record(made: Path) -> None:
    """Let the checker itself write what the kernels of this machine answer."""
    command: Sequence[str] = (sys.executable, str(made / "check.py"), "--record")
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}, timeout=600
    )
    if done.returncode != 0:
        words = " ".join(done.stderr.split())[-500:]
        raise EnvironmentFault(f"The runtimes here could not answer the golden inputs: {words}", "Run `make setup`.")


def _save(made: Path, name: str, value: np.ndarray) -> str:
    file = f"golden/{name}.npy"
    np.save(made / file, np.ascontiguousarray(value))
    return file


def _listing(made: Path) -> list[dict[str, Any]]:
    paths = sorted(p for p in made.rglob("*") if p.is_file() and p.name != _INDEX)
    return [
        {"path": p.relative_to(made).as_posix(), "bytes": p.stat().st_size, "sha256": manifest.sha256(p)} for p in paths
    ]


def _write(made: Path, index: dict[str, Any]) -> None:
    (made / _INDEX).write_text(json.dumps(index, indent=1, sort_keys=True) + "\n", encoding="utf-8")
