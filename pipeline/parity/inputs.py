"""The inputs that every cell is judged on: real samples (or synthetic ones), and the awkward ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.datasets import Dataset
from pipeline.errors import UsageError
from pipeline.signature import Signature, TensorSpec

Tensors = dict[str, np.ndarray]

_SUBNORMAL = np.float32(1e-40)
# Awkward rows that judging tells apart from others.
ZEROS, SUBNORMAL = "zeros", "subnormal"

# Factors with a full significand, so that what is multiplied gets one, too.
_SHRUNK = (1.0, 0.999, 0.997, 0.995, 0.993)


@dataclass(frozen=True)
class Judged:
    """Rows to judge on.

    Attributes:
        tensors: by input name; regular rows first, then the awkward ones.
        regular: number of regular rows.
        labels: int64 [regular], or None where there is nothing to be right about.
        origin: a sentence that says where the regular rows come from.
        awkward: what each awkward row is.
        others: a few rows each with other sizes of the dynamic dimensions.
    """

    tensors: Tensors
    regular: int
    labels: np.ndarray | None
    origin: str
    awkward: tuple[str, ...]
    others: tuple[Judged, ...] = ()

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
    labels = dataset.y_test.astype(np.int64) if dataset.classes else None
    return from_samples(dataset.x_test, labels, signature, f"the test set of {dataset.name}")


def from_samples(x: np.ndarray, labels: np.ndarray | None, signature: Signature, origin: str) -> Judged:
    """Samples of a dataset, and awkward rows, for a model with one input.

    Raises:
        UsageError: the model does not take them.
    """
    name = origin.rpartition(" of ")[2]
    if len(signature.inputs) != 1:
        raise UsageError(
            f"The dataset {name} has one input per sample, the model takes {len(signature.inputs)}.",
            "Give inputs by name in an .npz file with --data.",
        )
    spec = signature.inputs[0]
    free = [size for size in spec.shape[1:] if size is not None]
    if len(free) != len(spec.shape) - 1 or int(np.prod(free)) != int(np.prod(x.shape[1:])):
        raise UsageError(
            f"The model takes {_shape(spec)}, a sample of {name} is {list(x.shape[1:])}.",
            "Give matching inputs in an .npz file with --data.",
        )
    rows = x.reshape(len(x), *free)
    rows = np.round(255 * rows).astype(spec.dtype) if spec.dtype == "uint8" else rows.astype(spec.dtype)
    return with_awkward({spec.name: rows}, labels, origin)


def from_arrays(arrays: Tensors, labels: np.ndarray | None, signature: Signature, origin: str) -> Judged:
    """The user's own rows by input name.

    Raises:
        UsageError: names, dtypes or shapes do not fit the signature.
    """
    chosen = {spec.name: _fit(spec, arrays, signature, origin) for spec in signature.inputs}
    counts = {name: len(value) for name, value in chosen.items()}
    if labels is not None:
        counts["labels"] = len(labels)
    if len(set(counts.values())) != 1:
        listed = ", ".join(f"'{name}' has {count}" for name, count in counts.items())
        raise UsageError(f"The arrays in {origin} differ in rows: {listed}.", "Give one row per sample in each.")
    if not next(iter(counts.values())):
        raise UsageError(f"The arrays in {origin} have no rows.", "Give at least one sample.")
    return with_awkward(chosen, labels, origin)


def _fit(spec: TensorSpec, arrays: Tensors, signature: Signature, origin: str) -> np.ndarray:
    """One input's array in the input's dtype, if that keeps its values."""
    if spec.name not in arrays:
        raise UsageError(
            f"{origin} has no array '{spec.name}'; it has {sorted(arrays)}.",
            f"The model takes {', '.join(f'{t.name} ({t.dtype} {_shape(t)})' for t in signature.inputs)}.",
        )
    value = arrays[spec.name]
    fits = value.ndim == len(spec.shape) and all(
        s is None or s == d for s, d in zip(spec.shape[1:], value.shape[1:], strict=False)
    )
    if not fits:
        raise UsageError(
            f"'{spec.name}' in {origin} has shape {list(value.shape)}.", f"The model takes {_shape(spec)}."
        )
    if spec.dtype == "string" or value.dtype.kind in "USO":
        if spec.dtype != "string" or value.dtype.kind not in "US":
            raise UsageError(f"'{spec.name}' in {origin} is {value.dtype}.", f"The model takes {spec.dtype}.")
        return np.char.decode(value, "utf-8") if value.dtype.kind == "S" else value
    with np.errstate(invalid="ignore", over="ignore"):
        cast = value.astype(spec.dtype)
        kept = np.isfinite(cast) | ~np.isfinite(value) if cast.dtype.kind == "f" else cast == value
    if not np.all(kept):
        example = value[~kept].reshape(-1)[0]
        raise UsageError(
            f"'{spec.name}' in {origin} is {value.dtype} with values that {spec.dtype} has not, such as {example}.",
            f"The model takes {spec.dtype}.",
        )
    if spec.range is not None and cast.size and not spec.range[0] <= cast.min() <= cast.max() <= spec.range[1]:
        raise UsageError(
            f"'{spec.name}' in {origin} reaches from {cast.min()} to {cast.max()}, beyond its declared range "
            f"{spec.range[0]}..{spec.range[1]}.",
            "Declare a wider range, or give rows within it.",
        )
    return cast


def _shape(spec: TensorSpec) -> str:
    return f"[{', '.join('?' if n is None else str(n) for n in spec.shape)}]"


def with_awkward(tensors: Tensors, labels: np.ndarray | None, origin: str) -> Judged:
    """Append rows that expose special cases: exact zeros, saturation, subnormal numbers, the sign of zero.

    They stay within what the rows themselves have: their range, their whole numbers, their words. A mask stays one.
    """
    names = (ZEROS, "ones", "highest", "lowest", "alternating", SUBNORMAL, "negative zero")
    result = {}
    for name, value in tensors.items():
        if value.dtype.kind == "U":
            block = _awkward_words(value)
        elif "mask" in name.lower().split("_") and set(np.unique(value)) <= {0, 1}:
            block = _awkward_masks(value)
        else:
            block = _awkward_numbers(value)
        result[name] = np.concatenate([value, block.astype(value.dtype) if value.dtype.kind != "U" else block])
    return Judged(result, len(next(iter(tensors.values()))), labels, origin, names)


def variations(judged: Judged) -> list[Tensors]:
    """The awkward rows alone: as they are, and a few times with all floats a little smaller.

    Equal numbers add up exactly for one number and not for the next, so that one row's error is a matter of luck. Whole
    numbers, words and masks stay as they are.
    """
    rows = judged.take(np.arange(judged.regular, judged.rows))
    free = [
        name
        for name, value in judged.tensors.items()
        if value.dtype.kind == "f" and np.any(value[: judged.regular] != np.round(value[: judged.regular]))
    ]
    return [
        {name: (value * shrunk).astype(value.dtype) if name in free else value for name, value in rows.items()}
        for shrunk in (_SHRUNK if free else _SHRUNK[:1])
    ]


def _awkward_numbers(value: np.ndarray) -> np.ndarray:
    low, high = (value.min(), value.max()) if value.size else (0, 0)
    pattern = np.indices(value.shape[1:]).sum(0) % 2 == 0
    one = np.ones((), value.dtype)
    rows = [one * 0, np.clip(one, low, high), high, low, np.where(pattern, high, low), one * 0, one * 0]
    block = np.stack([np.broadcast_to(np.asarray(r, value.dtype), value.shape[1:]) for r in rows])
    if value.dtype.kind == "f" and not _whole(value):
        block[5], block[6] = _SUBNORMAL, -0.0
        return block
    # Whole numbers are indices or categories: only those that occur are known to be legal.
    known = np.unique(value)
    after = np.clip(np.searchsorted(known, block), 0, len(known) - 1)
    before = np.maximum(after - 1, 0)
    closer = np.abs(known[before].astype(np.float64) - block) < np.abs(known[after].astype(np.float64) - block)
    return np.where(closer, known[before], known[after])


def _whole(value: np.ndarray) -> bool:
    """Whether floats are whole numbers, and not just zeros and ones."""
    return bool(value.size) and float(value.max()) > 1 and np.array_equal(value, np.round(value))


def _awkward_masks(value: np.ndarray) -> np.ndarray:
    """Nothing masked, all but the first step, every other one: never all, which leaves nothing to attend to."""
    shape = value.shape[1:]
    steps = np.indices(shape)[0] if shape else np.zeros(shape, int)
    full, first, every_other = np.ones(shape), steps == 0, steps % 2 == 0
    return np.stack([full, full, full, first, every_other, full, full])


def _awkward_words(value: np.ndarray) -> np.ndarray:
    """Rows of the shortest, the longest and other strings that occur."""
    known = sorted(set(value.reshape(-1).tolist()), key=lambda word: (len(word), word))
    pattern = np.indices(value.shape[1:]).sum(0) % 2 == 0
    short, long, middle = known[0], known[-1], known[len(known) // 2]
    rows = [short, middle, long, short, np.where(pattern, long, short), short, short]
    return np.stack([np.broadcast_to(np.asarray(r, value.dtype), value.shape[1:]) for r in rows])
