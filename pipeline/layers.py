"""Which Keras layer an operation of the graph came from: what messages name, since users know their layers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

_REPEATED = re.compile(r"_\d+$")


@dataclass(frozen=True)
class Layers:
    """The names of a model's layers, nested as the layers are.

    Attributes:
        model: the model's own name.
        paths: "encoder/attention" for a layer in a layer; parents before their children.
    """

    model: str = ""
    paths: tuple[str, ...] = ()

    def of(self, scope: str) -> str:
        """The path of the layer that a name scope belongs to; the model's name where it is none's.

        TensorFlow scopes are the layers' names with numbers ("model_1/encoder_2/attention_1/einsum"), and helpers'
        scopes between and below them. Keras opens a layer's scope twice, so that TensorFlow numbers the one which holds
        the operations: "dense_1" is first of all the layer "dense", whose sister "dense_1" is "dense_1_1".
        """
        known = set(self.paths)
        path = ""
        for part in scope.split("/"):
            for name in (_REPEATED.sub("", part), part):
                candidate = f"{path}/{name}" if path else name
                if candidate in known:
                    path = candidate
                    break
        return path or self.model or scope


def layers_of(model: Any) -> Layers:
    """The names of the layers below a `keras.Model`."""
    return Layers(model.name, tuple(by_path(model)))


def by_path(model: Any) -> dict[str, Any]:
    """The layers below a `keras.Model` by their paths, those in lists and in other layers included."""
    paths: dict[str, Any] = {}
    stack = [(child, "") for child in reversed(_children(model))]
    seen = set()
    while stack:
        layer, outer = stack.pop()
        path = f"{outer}/{layer.name}" if outer else layer.name
        if (id(layer), outer) in seen:
            continue
        seen.add((id(layer), outer))
        paths[path] = layer
        stack += [(child, path) for child in reversed(_children(layer))]
    return paths


def _children(layer: Any) -> list[Any]:
    return list(layer._flatten_layers(include_self=False, recursive=False))
