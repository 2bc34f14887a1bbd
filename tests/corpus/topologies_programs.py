"""Custom layers, subclassed models and control flow."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers, ops

from corpus.model import topology

Input = keras.Input


@keras.saving.register_keras_serializable(package="corpus")
class Block(layers.Layer):
    """A registered custom layer with weights and a layer of its own."""

    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.inner = layers.Dense(units, activation="swish")

    def build(self, shape: Any) -> None:
        self.scale = self.add_weight(shape=(self.units,), initializer="ones", name="scale")
        self.inner.build(shape)

    def call(self, x: Any) -> Any:
        return self.inner(x) * self.scale + ops.mean(x, axis=-1, keepdims=True)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units}


def _custom_layer() -> keras.Model:
    return keras.Sequential([Input((4,)), Block(5), layers.Dense(2)])


class Subclassed(keras.Model):
    """Layers by name, control flow in Python, dropout by the `training` argument."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.drop = layers.Dense(6, activation="relu"), layers.Dense(3), layers.Dropout(0.5)

    def call(self, x: Any, training: bool = False) -> Any:
        for _ in range(2):
            h = self.first(x)
        return self.second(self.drop(h, training=training))


class SubclassedDict(keras.Model):
    """Takes and returns dicts."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.head = layers.Embedding(20, 4), layers.Dense(3)

    def call(self, inputs: dict[str, Any], training: bool = False) -> dict[str, Any]:
        pooled = ops.mean(self.embed(inputs["ids"]), axis=1) * inputs["weight"]
        return {"pooled": pooled, "logits": self.head(pooled)}


def _called(model: keras.Model, inputs: Any) -> keras.Model:
    """Built by being called on symbolic inputs, as the documentation of a subclassed model does it."""
    outputs = model(inputs)
    return keras.Model(inputs, outputs)


def _built_on_data() -> keras.Model:
    import numpy as np

    model = Subclassed()
    model(np.zeros((2, 4), "float32"))
    return model


class Conditional(layers.Layer):
    """Two branches, one of them with weights; the graph decides."""

    def build(self, shape: Any) -> None:
        self.dense = layers.Dense(3)
        self.dense.build(shape)

    def call(self, x: Any) -> Any:
        return ops.cond(ops.sum(ops.abs(x)) >= 0, lambda: self.dense(x), lambda: ops.zeros_like(x)[:, :3])


def _conditional() -> keras.Model:
    x = Input((4,), name="x")
    return keras.Model(x, Conditional()(x))


class Loop(layers.Layer):
    """A while loop whose number of turns is known only in the graph."""

    def call(self, x: Any) -> Any:
        turns = ops.shape(x)[1] - 1
        return ops.while_loop(lambda k, _: k < turns, lambda k, v: (k + 1, ops.tanh(v) * 1.1 + x), (0, x))[1]


def _loop() -> keras.Model:
    x = Input((4,), name="x")
    return keras.Model(x, Loop()(x))


class Scan(layers.Layer):
    """A cumulative recurrence by `keras.ops.scan`."""

    def call(self, x: Any) -> Any:
        first = ops.transpose(x, (1, 0, 2))
        _, found = ops.scan(lambda c, v: (0.5 * c + v, 0.5 * c + v), ops.zeros_like(first[0]), first)
        return ops.transpose(found, (1, 0, 2))


def _scan() -> keras.Model:
    x = Input((5, 3), name="x")
    return keras.Model(x, Scan()(x))


class MultiTask(keras.Model):
    """Several heads in a tuple."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk, self.heads = layers.Dense(5, activation="relu"), [layers.Dense(k) for k in (2, 3)]

    def call(self, x: Any) -> tuple[Any, ...]:
        h = self.trunk(x)
        return tuple(head(h) for head in self.heads)


MODELS = (
    topology("custom_layer", _custom_layer),
    topology("subclassed", lambda: _called(Subclassed(), Input((4,), name="x"))),
    topology(
        "subclassed_dict",
        lambda: _called(
            SubclassedDict(), {"ids": Input((5,), dtype="int32", name="ids"), "weight": Input((1,), name="weight")}
        ),
    ),
    topology("subclassed_built_on_data", _built_on_data, fast=True),
    topology("subclassed_tuple", lambda: _called(MultiTask(), Input((4,), name="x"))),
    topology("conditional", _conditional),
    topology("while_loop", _loop),
    topology("scan", _scan),
)
