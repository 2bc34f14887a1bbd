"""A smaller model of the same architecture, with the weights of the channels that stay."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pipeline.pruning.channels import Group

_WIDTH = {"Dense": "units", "Conv1D": "filters", "Conv2D": "filters", "Conv3D": "filters"}


def cut(model: Any, groups: Sequence[Group], kept: Sequence[np.ndarray]) -> Any:
    """The model without the other channels. Every layer keeps its name; the given model is as it was."""
    import keras

    outputs = {group.layer.name: keep for group, keep in zip(groups, kept, strict=True)}
    norms = {norm.name: keep for group, keep in zip(groups, kept, strict=True) for norm in group.norms}
    inputs = {
        reader.layer.name: reader.rows(keep, group.channels)
        for group, keep in zip(groups, kept, strict=True)
        for reader in group.readers
    }

    def clone(layer: Any) -> Any:
        config = layer.get_config()
        if layer.name in outputs:
            config[_WIDTH[type(layer).__name__]] = len(outputs[layer.name])
        return type(layer).from_config(config)

    smaller = keras.models.clone_model(model, clone_function=clone)
    for old, new in zip(model.layers, smaller.layers, strict=True):
        values = old.get_weights()
        if old.name in outputs or old.name in inputs:
            values = _slice(values, inputs.get(old.name), outputs.get(old.name))
        elif old.name in norms:
            values = [value[norms[old.name]] for value in values]
        new.set_weights(values)
    return smaller


def _slice(values: list[Any], rows: np.ndarray | None, columns: np.ndarray | None) -> list[Any]:
    """Kernel [..., in, out] and bias [out] of a Dense or Conv layer."""
    kernel, *rest = values
    if rows is not None:
        kernel = np.take(kernel, rows, axis=-2)
    if columns is not None:
        kernel, rest = np.take(kernel, columns, axis=-1), [value[columns] for value in rest]
    return [kernel, *rest]
