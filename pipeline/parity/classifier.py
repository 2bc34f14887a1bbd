"""The output of a model that its labels are about."""

from __future__ import annotations

import numpy as np

from pipeline.parity.inputs import Tensors


def classifier(exact: Tensors, labels: np.ndarray | None) -> str | None:
    """The output that the labels are about: the first float one of shape [rows, classes], probabilities before others.

    For labels 0 and 1 that is also a lone chance of 1, shape [rows, 1].
    """
    if labels is None:
        return None
    classes = int(labels.max()) + 1 if len(labels) else 0
    flat = {name: value for name, value in exact.items() if value.dtype.kind == "f" and value.ndim == 2}
    wide = {name: value for name, value in flat.items() if value.shape[1] >= max(classes, 2)}
    for name, value in wide.items():
        if np.allclose(value[: len(labels)].sum(axis=1), 1, atol=1e-3):
            return name
    if not wide and classes == 2:
        for name, value in flat.items():
            if value.shape[1] == 1 and np.all((value >= 0) & (value <= 1)):
                return name
    return next(iter(wide), None)


def scores(value: np.ndarray) -> np.ndarray:
    """A classifier's output as [rows, classes]: a lone chance of 1 gets that of 0 beside it."""
    return value if value.shape[1] > 1 else np.concatenate([1 - value, value], axis=1)
