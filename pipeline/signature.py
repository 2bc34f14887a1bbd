"""The signature of a capture: named inputs and outputs with shape and dtype, the contract of every format."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

DEFAULT_SIGNATURE = "serving_default"


@dataclass(frozen=True)
class TensorSpec:
    """One named tensor.

    Attributes:
        name: the name by which every format and runtime knows it.
        dtype: a NumPy dtype name ("float32", "int64", ...) or "string".
        shape: sizes; None marks a dynamic dimension. The first is the batch.
        range: the smallest and the largest value of a whole number, where that was declared. A model may rely on it;
            no file but ours says so, so that two specs may differ in it.
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...]
    range: tuple[int, int] | None = field(default=None, compare=False)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> TensorSpec:
        low_high = data.get("range")
        return cls(data["name"], data["dtype"], tuple(data["shape"]), None if low_high is None else tuple(low_high))

    def to_json(self) -> dict[str, Any]:
        data = {"name": self.name, "dtype": self.dtype, "shape": self.shape}
        return data if self.range is None else {**data, "range": self.range}

    def with_batch(self, batch: int | None) -> TensorSpec:
        """The same tensor with its first dimension fixed (or made dynamic)."""
        return replace(self, shape=(batch, *self.shape[1:])) if self.shape else self


@dataclass(frozen=True)
class Signature:
    """Named inputs and outputs of one inference function, in order."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    name: str = DEFAULT_SIGNATURE

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Signature:
        return cls(
            tuple(TensorSpec.from_json(t) for t in data["inputs"]),
            tuple(TensorSpec.from_json(t) for t in data["outputs"]),
            data.get("name", DEFAULT_SIGNATURE),
        )

    def to_json(self) -> dict[str, Any]:
        return {
            "inputs": [t.to_json() for t in self.inputs],
            "outputs": [t.to_json() for t in self.outputs],
            "name": self.name,
        }

    def with_batch(self, batch: int | None) -> Signature:
        """The same signature with the batch dimension of every tensor fixed (or made dynamic)."""
        return Signature(
            tuple(t.with_batch(batch) for t in self.inputs),
            tuple(t.with_batch(batch) for t in self.outputs),
            self.name,
        )

    @property
    def dynamic_batch(self) -> bool:
        return any(t.shape and t.shape[0] is None for t in self.inputs)


def unique_names(names: list[str]) -> list[str]:
    """Names that every format accepts, each once."""
    clean = [re.sub(r"[^A-Za-z0-9_]", "_", n) or "tensor" for n in names]
    clean = [n if re.match(r"[A-Za-z]", n) else f"t_{n}" for n in clean]
    # TensorFlow's signatures take names that differ in case alone for one.
    counts = Counter(name.lower() for name in clean)
    taken = {name for name, count in counts.items() if count == 1}
    result = []
    for name in clean:
        if counts[name.lower()] > 1:
            number = next(n for n in itertools.count(1) if f"{name}_{n}".lower() not in taken)
            name = f"{name}_{number}"
            taken.add(name.lower())
        result.append(name)
    return result
