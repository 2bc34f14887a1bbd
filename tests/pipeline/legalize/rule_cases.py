"""What a case of a rule is, and how its models are made. The cases are in `cases_<family>.py`, one file per family."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers

Random = np.random.Generator
Build = Callable[[Random], keras.Model]
Draw = Callable[[Random, tuple[int, ...], str], np.ndarray]


def normal(random: Random, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """Normal numbers; sequences end in zeros, which a Masking layer takes for padding."""
    value = random.normal(size=shape).astype(dtype)
    if value.ndim == 3 and value.shape[1] > 3:
        value[0, -2:] = 0
    return value


def between(low: float, high: float) -> Draw:
    """Uniform numbers in [low, high), or integers in [low, high] for an integer input; truth values for those."""

    def draw(random: Random, shape: tuple[int, ...], dtype: str) -> np.ndarray:
        if np.dtype(dtype).kind == "b":
            return random.random(shape) < 0.5
        if np.dtype(dtype).kind in "iu":
            return random.integers(int(low), int(high), shape, endpoint=True).astype(dtype)
        return random.uniform(low, high, shape).astype(dtype)

    return draw


def among(*values: Any) -> Draw:
    """Some of these values; words for a string input."""

    def draw(random: Random, shape: tuple[int, ...], dtype: str) -> np.ndarray:
        chosen = np.array(values, object)[random.integers(0, len(values), shape)]
        return np.asarray(chosen, np.str_ if dtype == "string" else dtype)

    return draw


class Apply(layers.Layer):
    """A layer around a function of TensorFlow."""

    def __init__(self, function: Callable[..., Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.function = function

    def call(self, *inputs: Any) -> Any:
        return self.function(*inputs)


@dataclass(frozen=True)
class Case:
    """A model for a rule.

    Attributes:
        rule: that must be applied, for each of its targets.
        name: what is special about it.
        build: makes the model, with random sizes and options.
        ulp: bound on the error of the rewritten graph, in ULP of the output's scale.
        run: write the artifacts too, and judge them in their runtimes.
        draw: makes the inputs.
    """

    rule: str
    name: str
    build: Build
    ulp: float = 8.0
    run: bool = True
    draw: Draw = normal

    @property
    def id(self) -> str:
        return f"{self.rule}-{self.name}".replace(" ", "_")


def settle(model: keras.Model, random: Random) -> keras.Model:
    """Random weights, biases and statistics: initial zeros and ones would hide mistakes."""
    for weight in model.weights:
        shape = tuple(weight.shape)
        if "variance" in weight.path or "gamma" in weight.path:
            weight.assign(random.uniform(0.5, 1.5, shape))
        elif weight.dtype == "float32":
            weight.assign(random.normal(size=shape) / np.sqrt(max(1, np.prod(shape[:-1]))))
    return model


def function(
    call: Callable[..., Any], *shapes: tuple[int | None, ...], dtype: str | tuple[str, ...] = "float32"
) -> Build:
    """A model that is one function of inputs of these shapes (without the batch), of one type or one each."""
    dtypes = (dtype,) * len(shapes) if isinstance(dtype, str) else dtype

    def build(random: Random) -> keras.Model:
        specs = enumerate(zip(shapes, dtypes, strict=True))
        inputs = [keras.Input(shape, name=f"x{k}", dtype=kind) for k, (shape, kind) in specs]
        return keras.Model(inputs, Apply(call, name="apply")(*inputs))

    return build


def stack(*parts: Callable[[Random], Any], shape: tuple[int | None, ...], dtype: str = "float32") -> Build:
    """A model of layers in sequence."""

    def build(random: Random) -> keras.Model:
        x = entry = keras.Input(shape, dtype=dtype, name="x")
        for part in parts:
            x = part(random)(x)
        return settle(keras.Model(entry, x), random)

    return build


def all_cases() -> tuple[Case, ...]:
    """The cases of every family."""
    modules = sorted(file.stem for file in Path(__file__).parent.glob("cases_*.py"))
    return tuple(case for module in modules for case in import_module(module).CASES)
