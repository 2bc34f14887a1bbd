"""Calibration samples: what the ranges of fixed-point activations are found on. Never what a model is judged on."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pipeline.cells import Status
from pipeline.parity.contract import Check
from pipeline.parity.inputs import Judged, Tensors, from_samples
from pipeline.parity.legal import invent
from pipeline.preprocessing import Split
from pipeline.sources import Loaded

# The largest and the smallest value of a few hundred samples change little by more of them.
ROWS = 200
# Apart from the seed of the judged rows, which is the user's own number.
_STREAM = 0x0CA1


@dataclass(frozen=True)
class Calibration:
    """Rows to calibrate on.

    Attributes:
        tensors: by input name.
        origin: where they come from, in words.
        seed: that chose them.
        indices: their places in the training set, ascending; None for invented rows.
    """

    tensors: Tensors
    origin: str
    seed: int
    indices: tuple[int, ...] | None

    @property
    def rows(self) -> int:
        return len(next(iter(self.tensors.values())))

    def to_json(self) -> dict[str, Any]:
        places = None if self.indices is None else list(self.indices)
        return {"origin": self.origin, "seed": self.seed, "rows": self.rows, "indices": places}


def draw(loaded: Loaded, captured: Any, parts: Split | None, judged: Judged, seed: int) -> Calibration:
    """A seeded sample of the training set, without rows that are judged; invented legal rows where there is no set.

    Args:
        captured: of the whole model.
        parts: what the samples go through first, where the model was split.
        judged: the rows that nothing may be calibrated on.
    """
    if loaded.dataset is None:
        found = invent(captured, loaded.model, seed + _STREAM)
        rows = min(found.regular, ROWS)
        tensors = _through(parts, found)
        return Calibration({n: v[:rows] for n, v in tensors.items()}, "legal rows, invented", seed + _STREAM, None)
    dataset = loaded.dataset
    random = np.random.default_rng([seed, _STREAM])
    order = random.permutation(len(dataset.x_train))
    candidates = np.sort(order[: 2 * ROWS])
    found = from_samples(dataset.x_train[candidates], None, captured.signature, f"the training set of {dataset.name}")
    tensors = _through(parts, found)
    tensors = {n: v[: len(candidates)] for n, v in tensors.items()}
    # Sets of small or whole numbers repeat themselves: what is judged, too, is left out.
    seen = set(_digests(judged.tensors, judged.rows))
    free = np.array([k for k, digest in enumerate(_digests(tensors, len(candidates))) if digest not in seen], int)
    if not len(free):  # every training sample is a test sample, too (xor): there is nothing else
        free = np.arange(len(candidates))
    kept = np.sort(random.permutation(free)[:ROWS])
    indices = tuple(int(i) for i in candidates[kept])
    return Calibration({n: v[kept] for n, v in tensors.items()}, found.origin, seed, indices)


def hold_out(judged: Judged, parts: Split | None, seed: int) -> tuple[Judged, Calibration]:
    """The user's own rows without a fifth, and that fifth to calibrate on."""
    random = np.random.default_rng([seed, _STREAM])
    kept = np.sort(random.permutation(judged.regular)[: max(1, min(ROWS, judged.regular // 5))])
    rest = np.setdiff1d(np.arange(judged.rows), kept)
    labels = None if judged.labels is None else judged.labels[rest[rest < judged.regular]]
    others = replace(judged, tensors=judged.take(rest), regular=judged.regular - len(kept), labels=labels)
    origin = f"rows of {judged.origin} that are not judged"
    tensors = judged.take(kept)
    fed = tensors if parts is None else parts.feed(tensors)
    return others, Calibration(fed, origin, seed, tuple(int(i) for i in kept))


def check(calibration: Calibration, judged: Judged) -> Check:
    """None of the calibration rows is a row that the model is judged on."""
    seen = set(_digests(judged.tensors, judged.regular))
    count = sum(digest in seen for digest in _digests(calibration.tensors, calibration.rows))
    reason = f"{count} of {calibration.rows} calibration rows are judged, too" if count else ""
    detail = {"rows": calibration.rows, "shared": count}
    verdict = Status.INCONCLUSIVE if count else Status.PASS
    return Check("calibration", calibration.origin, verdict, reason, detail)


def _through(parts: Split | None, found: Judged) -> Tensors:
    return found.tensors if parts is None else parts.feed(found.tensors)


def _digests(tensors: Tensors, rows: int) -> list[bytes]:
    values = [np.ascontiguousarray(v[:rows]) for _, v in sorted(tensors.items())]
    return [hashlib.blake2b(b"".join(v[k].tobytes() for v in values), digest_size=16).digest() for k in range(rows)]
