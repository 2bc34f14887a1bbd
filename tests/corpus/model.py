"""What a model of the corpus is, and how its weights are made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

Random = np.random.Generator
Tensors = dict[str, np.ndarray]
Shape = tuple[int | None, ...]
Data = Callable[[Random], Tensors]


@dataclass(frozen=True)
class Model:
    """One model.

    Attributes:
        name: "<part>/<subject>/<variant>"; the subject of a layer's model is its class.
        build: makes it; called after Keras' seed was set.
        data: the user's own arrays by input name, for a model that generated numbers would not exercise;
            None judges it on what `isomer export` generates.
        rows: judge only so many of the generated rows, for a model that is large; 0 takes all.
        fast: one of the models that `make test` takes through every required cell.
    """

    name: str
    build: Callable[[], keras.Model]
    data: Data | None = None
    rows: int = 0
    fast: bool = False

    @property
    def part(self) -> str:
        return self.name.split("/")[0]

    @property
    def subject(self) -> str:
        return self.name.split("/")[1]


def settle(model: keras.Model, seed: int = 0) -> keras.Model:
    """Random weights, biases and statistics: initial zeros and ones would hide mistakes."""
    random = np.random.default_rng(seed)
    for weight in model.weights:
        shape = tuple(weight.shape)
        leaf = weight.path.rpartition("/")[2]
        if weight.dtype not in ("float32", "float64"):
            continue
        if "variance" in leaf or leaf in ("gamma", "scale"):
            weight.assign(random.uniform(0.5, 1.5, shape))
        elif len(shape) < 2:
            weight.assign(0.3 * random.normal(size=shape))
        else:
            weight.assign(random.normal(size=shape) * np.sqrt(1.5 / _fan_in(leaf, shape)))
    return model


def _fan_in(leaf: str, shape: tuple[int, ...]) -> float:
    axes = shape[:-2] if "depthwise" in leaf else shape[:-1]
    return float(max(1, np.prod(axes)))


def call(layer: Any, *inputs: Any) -> Any:
    """How most layers are called: with their inputs as arguments."""
    return layer(*inputs)


def on_list(layer: Any, *inputs: Any) -> Any:
    """How merging layers are called."""
    return layer(list(inputs))


@dataclass(frozen=True)
class Options:
    """Arguments of a layer's class."""

    arguments: tuple[Any, ...]
    named: dict[str, Any]


def of(*arguments: Any, **named: Any) -> Options:
    """Arguments of the class that the model's name begins with."""
    return Options(arguments, named)


def layer(
    name: str,
    make: Options | Callable[[], Any],
    *shapes: Shape,
    dtype: str | tuple[str, ...] = "float32",
    how: Callable[..., Any] = call,
    data: Data | None = None,
    fast: bool = False,
) -> Model:
    """A model of one layer.

    Args:
        name: "<class>/<variant>".
        make: the layer's options, or a function that constructs it.
        shapes: of its inputs, without the batch; the inputs are named x, y, z, w.
        dtype: of the inputs, one for all or one each.
        how: calls the layer on the inputs.
    """
    if isinstance(make, Options):
        options = make
        make = lambda: getattr(keras.layers, name.split("/")[0])(*options.arguments, **options.named)  # noqa: E731
    dtypes = (dtype,) * len(shapes) if isinstance(dtype, str) else dtype

    constructor: Callable[[], Any] = make

    def build() -> keras.Model:
        inputs = [keras.Input(s, dtype=d, name=n) for s, d, n in zip(shapes, dtypes, "xyzw", strict=False)]
        return settle(keras.Model(inputs if len(inputs) > 1 else inputs[0], how(constructor(), *inputs)))

    return Model(f"layers/{name}", build, data=data, fast=fast)


def topology(name: str, build: Callable[[], keras.Model], fast: bool = False) -> Model:
    """A model of several layers."""
    return Model(f"topologies/{name}", lambda: settle(build()), fast=fast)


def integers(low: int, high: int, *shape: int, dtype: str = "int64", rows: int = 64) -> Data:
    """Data of one integer input "x" in [low, high]."""
    return lambda random: {"x": random.integers(low, high, (rows, *shape), endpoint=True).astype(dtype)}


def words(choice: tuple[str, ...], *shape: int, rows: int = 64) -> Data:
    """Data of one string input "x"."""
    return lambda random: {"x": random.choice(np.array(choice), (rows, *shape))}


def uniform(low: float, high: float, *shape: int, rows: int = 64) -> Data:
    """Data of one float input "x" in [low, high)."""
    return lambda random: {"x": random.uniform(low, high, (rows, *shape)).astype("float32")}


def operation(
    name: str,
    function: Callable[..., Any],
    *shapes: Shape,
    dtype: str | tuple[str, ...] = "float32",
    data: Data | None = None,
    fast: bool = False,
) -> Model:
    """A model of one function, or of several that return a list, in the graph of a Functional model.

    Args:
        function: of inputs x, y, z.
        shapes: of the inputs, without the batch.
        dtype: of the inputs, one for all or one each.
    """
    dtypes = (dtype,) * len(shapes) if isinstance(dtype, str) else dtype

    def build() -> keras.Model:
        inputs = [keras.Input(s, dtype=d, name=n) for s, d, n in zip(shapes, dtypes, "xyzw", strict=False)]
        return keras.Model(inputs if len(inputs) > 1 else inputs[0], function(*inputs))

    return Model(f"operations/{name}", build, data=data, fast=fast)


class Calls(keras.layers.Layer):
    """A custom layer that calls a function on tensors of the backend."""

    def __init__(self, function: Callable[..., Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.function = function

    def call(self, *inputs: Any) -> Any:
        return self.function(*inputs)


def inside(name: str, function: Callable[..., Any], *shapes: Shape, **options: Any) -> Model:
    """The same inside a custom layer, where nothing is a symbol of Keras'."""
    return operation(name, lambda *inputs: Calls(function)(*inputs), *shapes, **options)
