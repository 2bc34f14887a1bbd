"""The inputs that every cell is judged on: real samples (or synthetic ones), and the awkward ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.datasets import Dataset
from pipeline.errors import UsageError
from pipeline.signature import Signature, TensorSpec

Tensors = dict[str, np.ndarray]

# Rows of a model without a dataset: enough for an error's distribution, small enough to keep in the bundle.
_SYNTHETIC = 256
_SUBNORMAL = np.float32(1e-40)


@dataclass(frozen=True)
class Judged:
    """Rows to judge on.

    Attributes:
        tensors: by input name; regular rows first, then the awkward ones.
        regular: number of regular rows.
        labels: int64 [regular], or None where there is nothing to be right about.
        origin: a sentence that says where the regular rows come from.
        awkward: what each awkward row is.
    """

    tensors: Tensors
    regular: int
    labels: np.ndarray | None
    origin: str
    awkward: tuple[str, ...]

    @property
    def rows(self) -> int:
        return self.regular + len(self.awkward)

    def take(self, rows: np.ndarray) -> Tensors:
        """Some rows of every input."""
        return {name: np.ascontiguousarray(value[rows]) for name, value in self.tensors.items()}


def from_dataset(dataset: Dataset, signature: Signature) -> Judged:
    """The whole test set, and awkward rows, for a model with one input.

    Raises:
        UsageError: the model does not take the dataset's samples.
    """
    if len(signature.inputs) != 1:
        raise UsageError(
            f"The dataset {dataset.name} has one input per sample, the model takes {len(signature.inputs)}.",
            "Give inputs by name in an .npz file with --data.",
        )
    spec = signature.inputs[0]
    x = dataset.x_test
    free = [size for size in spec.shape[1:] if size is not None]
    if len(free) != len(spec.shape) - 1 or int(np.prod(free)) != int(np.prod(x.shape[1:])):
        raise UsageError(
            f"The model takes {list(spec.shape)}, a sample of {dataset.name} is {list(x.shape[1:])}.",
            "Give matching inputs in an .npz file with --data.",
        )
    rows = x.reshape(len(x), *free).astype(spec.dtype)
    return _with_awkward({spec.name: rows}, dataset.y_test.astype(np.int64), f"the test set of {dataset.name}")


def from_arrays(arrays: Tensors, labels: np.ndarray | None, signature: Signature, origin: str) -> Judged:
    """The user's own rows by input name.

    Raises:
        UsageError: names, dtypes or shapes do not fit the signature.
    """
    for spec in signature.inputs:
        if spec.name not in arrays:
            raise UsageError(f"{origin} has no array '{spec.name}'.", f"It needs {[t.name for t in signature.inputs]}.")
        value = arrays[spec.name]
        fits = value.ndim == len(spec.shape) and all(
            s is None or s == d for s, d in zip(spec.shape[1:], value.shape[1:], strict=False)
        )
        if not fits:
            raise UsageError(
                f"'{spec.name}' in {origin} has shape {list(value.shape)}.", f"The model takes {list(spec.shape)}."
            )
    chosen = {t.name: arrays[t.name].astype(t.dtype) for t in signature.inputs}
    if len({len(v) for v in chosen.values()}) != 1:
        raise UsageError(f"The arrays in {origin} have different numbers of rows.", "Give one row per sample in each.")
    return _with_awkward(chosen, labels, origin)


def synthetic(signature: Signature, ranges: dict[str, tuple[float, float]], seed: int) -> Judged:
    """Seeded rows from the signature alone: smooth fields for floats (white noise tells little about a model
    that pools or normalizes), uniform numbers for integers.

    Args:
        ranges: lowest and highest value by input name; [0, 1] where it is not given.
    """
    rng = np.random.default_rng(seed)
    tensors = {t.name: _generate(t, ranges.get(t.name, (0.0, 1.0)), rng) for t in signature.inputs}
    return _with_awkward(tensors, None, f"{_SYNTHETIC} synthetic rows (seed {seed})")


def _generate(spec: TensorSpec, span: tuple[float, float], rng: np.random.Generator) -> np.ndarray:
    shape = (_SYNTHETIC, *(16 if size is None else size for size in spec.shape[1:]))
    low, high = span
    kind = np.dtype(spec.dtype)
    if kind.kind == "b":
        return rng.random(shape) < 0.5
    if kind.kind in "iu":
        return rng.integers(int(low), int(high), shape, endpoint=True).astype(kind)
    field = rng.normal(size=shape)
    for axis in range(1, len(shape)):
        if shape[axis] > 3:
            field = np.cumsum(field, axis=axis) / np.sqrt(shape[axis])
    flat = field.reshape(len(field), -1)
    flat = (flat - flat.min(1, keepdims=True)) / np.maximum(np.ptp(flat, axis=1, keepdims=True), 1e-9)
    gain = rng.uniform(0.2, 1.0, (len(flat), 1))
    if flat.shape[1] == 1:
        flat = rng.random(flat.shape)
    return (low + (high - low) * (flat * gain + (1 - gain) * rng.random((len(flat), 1)))).reshape(shape).astype(kind)


def _with_awkward(tensors: Tensors, labels: np.ndarray | None, origin: str) -> Judged:
    """Append rows that expose special cases: exact zeros, saturation, subnormal numbers, the sign of zero."""
    names = ("zeros", "ones", "highest", "lowest", "alternating", "subnormal", "negative zero")
    result = {}
    for name, value in tensors.items():
        low, high = value.min(), value.max()
        pattern = np.indices(value.shape[1:]).sum(0) % 2 == 0
        one = np.ones((), value.dtype)
        rows = [one * 0, np.clip(one, low, high), high, low, np.where(pattern, high, low), one * 0, one * 0]
        block = np.stack([np.broadcast_to(np.asarray(r, value.dtype), value.shape[1:]) for r in rows])
        if value.dtype.kind == "f":
            block[5], block[6] = _SUBNORMAL, -0.0
        if value.dtype.kind in "iu":
            block = np.clip(block, low, high)
        result[name] = np.concatenate([value, block.astype(value.dtype)])
    return Judged(result, len(next(iter(tensors.values()))), labels, origin, names)


def ranges_of(model: Any) -> dict[str, tuple[float, float]]:
    """Ranges that the layers behind each input expect: an Embedding's vocabulary, 0..255 before Rescaling."""
    ranges: dict[str, tuple[float, float]] = {}
    functional = getattr(model, "_functional", None) or model
    for tensor in getattr(functional, "inputs", None) or []:
        for layer in model._flatten_layers():
            for node in getattr(layer, "_inbound_nodes", []):
                if any(t is tensor for t in node.input_tensors):
                    if type(layer).__name__ == "Embedding":
                        ranges[tensor.name] = (0, layer.input_dim - 1)
                    elif type(layer).__name__ == "Rescaling":
                        ranges[tensor.name] = (0, 255)
    return ranges
