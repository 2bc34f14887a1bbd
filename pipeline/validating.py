"""Validate: run the cells of a bundle again, on this machine, against the certificate's oracle and budgets.

Needs no TensorFlow in this process; only the TensorFlow cell imports it, in its own.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from pipeline import datasets, runtimes
from pipeline.artifact import Artifact
from pipeline.bundle import certificate, golden, golden_reduced, manifest
from pipeline.cells import Cell, overall
from pipeline.errors import DatasetError, UsageError
from pipeline.outcome import Outcome
from pipeline.parity import inputs
from pipeline.parity.evidence import Evidence
from pipeline.parity.judge import judge, left_out
from pipeline.parity.judge_reduced import judge_reduced
from pipeline.precisions import GATES
from pipeline.progress import Observer
from pipeline.runtimes import RuntimeEntry, early_start
from pipeline.signature import Signature


def validate(
    bundle: Path,
    *,
    data: Path | None = None,
    runtime: Sequence[str] = (),
    device: Sequence[str] = (),
    seed: int | None = None,
    gate: float = GATES[0],
    observer: Observer | None = None,
) -> Outcome:
    """Check the hashes of a bundle, then run its artifacts in their runtimes and judge them again.

    Args:
        bundle: a version directory, or its parent (the latest version).
        data: MNIST as an `.npz`, for a bundle that was judged on it.
        runtime, device: restrict what is run.
        seed: of sampled rows; the export's own by default.
        gate: share of float32's accuracy that a reduced precision must keep.

    Raises:
        BundleError: the bundle is incomplete or changed.
    """
    began = time.perf_counter()
    observer = observer or Observer()
    bundle = manifest.locate(bundle)
    listing = manifest.require_intact(bundle)
    document = certificate.read(bundle)
    seed = document["environment"]["seed"] if seed is None else seed
    artifacts = [Artifact.from_json(a) for a in listing["artifacts"]]
    entries = _select(document, artifacts, runtime, device)
    with early_start(entries) as start:
        evidence = _evidence(bundle, document, data, observer)
        observer.stage(document["model"], "running the cells")
        other = partial(judge_reduced, expected=golden_reduced.read(bundle, evidence), gate=gate)
        cells = judge(bundle, artifacts, entries, evidence, seed, start, observer.cell, other)
        cells += left_out(artifacts, entries)
    there = {(a.format, a.precision, a.variant) for a in artifacts}
    past = map(Cell.from_json, document["cells"])  # those of files that there are not stay as they are
    cells += [cell for cell in past if (cell.format, cell.precision, cell.variant) not in there]
    status = overall(cells)
    updated = {
        **document,
        "status": str(status),
        "cells": [c.to_json() for c in cells],
        "environment": certificate.environment(seed),
        "seconds": round(time.perf_counter() - began, 3),
    }
    return Outcome(document["model"], status, bundle, updated, time.perf_counter() - began)


def _select(
    document: dict[str, Any], artifacts: Sequence[Artifact], runtime: Sequence[str], device: Sequence[str]
) -> tuple[RuntimeEntry, ...]:
    """The runtimes to use; an error says so where their format is one that cannot express the model."""
    try:
        return runtimes.select(tuple(runtime), tuple(device), tuple(dict.fromkeys(a.format for a in artifacts)))
    except UsageError as error:
        missing = ", ".join(entry["format"] for entry in document.get("unsupported", []))
        if not missing:
            raise
        raise UsageError(f"{error.what} The model is UNSUPPORTED in {missing}.", error.fix) from error


def _evidence(bundle: Path, document: dict[str, Any], data: Path | None, observer: Observer) -> Evidence:
    """All judged rows if they can be had here, else the bundle's samples."""
    wanted = document["dataset"]
    judged = None
    if wanted is not None:
        try:
            dataset = datasets.load(wanted["name"], data)
        except DatasetError:
            if data is not None:
                raise
            dataset = None
        if dataset is None or dataset.sha256 != wanted["sha256"]:
            observer.notice(
                f"The dataset {wanted['name']} that this bundle was judged on is not here: its golden samples are used."
            )
            return golden.read_samples(bundle)
        judged = inputs.from_dataset(dataset, Signature.from_json(document["signature"]))
    evidence = golden.read_all(bundle, judged)
    if evidence is None:
        observer.notice("This bundle keeps no more than its golden samples: they are used.")
        return golden.read_samples(bundle)
    return evidence
