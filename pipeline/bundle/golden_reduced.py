"""Goldens of reduced precisions: what each file's own weights answer, and what each family of kernels did.

`golden/reduced.npz` holds both for some of the judged rows, those of the samples among them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from pipeline.bundle import golden
from pipeline.parity.budget import Budget
from pipeline.parity.evidence import Evidence
from pipeline.parity.inputs import Tensors
from pipeline.parity.reduced import Reduced

FILE = "reduced.npz"


def write(root: Path, expected: Mapping[str, Reduced]) -> None:
    """Write the file below `root`; nothing where there is no reduced precision."""
    arrays: Tensors = {}
    for label, own in expected.items():
        arrays["rows"] = own.rows
        arrays[f"{label}/reason"] = np.array(own.reason)
        if own.evidence is None:
            continue
        for name, value in own.evidence.exact.items():
            arrays[f"{label}/exact/{name}"] = value
        for name, budget in own.evidence.budgets.items():
            arrays[f"{label}/scale/{name}"] = budget.scales
            arrays[f"{label}/shown/{name}"] = budget.reference_ulp
            arrays[f"{label}/limit/{name}"] = budget.limits_ulp
        arrays |= {f"{label}/quantum/{name}": np.array(step) for name, step in own.quanta.items()}
        arrays[f"{label}/noise_rows"] = np.array(own.noise_rows)
        arrays |= {f"{label}/noise/{name}": np.array(value) for name, value in own.noise.items()}
        for family, answers in own.answers.items():
            arrays |= {f"{label}/answer/{family}/{name}": value for name, value in answers.items()}
    if arrays:
        golden.save(root / golden.DIRECTORY / FILE, arrays)


def read(root: Path, evidence: Evidence) -> dict[str, Reduced]:
    """What `write` wrote, on those of its rows that the evidence has.

    Args:
        evidence: all judged rows, or the bundle's samples.
    """
    path = root / golden.DIRECTORY / FILE
    if not path.is_file():
        return {}
    arrays = golden.load(path)
    rows = arrays.pop("rows")
    samples = golden.sample_rows(root)
    places = samples if evidence.judged.rows == len(samples) else rows
    here = np.searchsorted(rows, places)  # the samples are among the rows
    few = evidence if places is samples else evidence.take(rows)
    labels = [key.removesuffix("/reason") for key in arrays if key.endswith("/reason")]
    return {label: _unpack(label, arrays, places, here, few) for label in labels}


def _unpack(label: str, arrays: Tensors, rows: np.ndarray, here: np.ndarray, few: Evidence) -> Reduced:
    def under(kind: str) -> Tensors:
        prefix = f"{label}/{kind}/"
        return {key.removeprefix(prefix): value for key, value in arrays.items() if key.startswith(prefix)}

    exact = {name: value[here] for name, value in under("exact").items()}
    if not exact:
        return Reduced(rows, None, str(arrays[f"{label}/reason"]))
    scales, shown, limits = under("scale"), under("shown"), under("limit")
    regular = few.judged.regular
    budgets = {n: Budget(scales[n][here], shown[n][here], limits[n][here], regular) for n in scales}
    answers: dict[str, Tensors] = {}
    for key, value in under("answer").items():
        family, _, name = key.partition("/")
        answers.setdefault(family, {})[name] = value[here[:regular]]
    quanta = {name: float(step) for name, step in under("quantum").items()}
    noise = {name: float(value) for name, value in under("noise").items()}
    return Reduced(
        rows, replace(few, exact=exact, budgets=budgets), "", answers, quanta, noise, int(arrays[f"{label}/noise_rows"])
    )
