"""How a model is called: which tensors, of which dtype and shape, in which structure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pipeline.errors import UsageError
from pipeline.signature import TensorSpec

HOW = (
    'Declare each input, such as --input "ids:int32:?,128" (name, dtype, shape; "?" is any size, the first the batch). '
    'Whole numbers may have a range: --input "ids:int32:?,128:0..999".'
)
_DTYPES = (
    "float32 float64 float16 int8 int16 int32 int64 uint8 uint16 uint32 uint64 bool string bfloat16".split()  # noqa: SIM905
)


@dataclass(frozen=True)
class Invocation:
    """One way to call a model.

    Attributes:
        structure: a `TensorSpec`, or lists, tuples and dicts of them.
        spread: the structure holds the arguments of `call`, by position or by name; it is not its one argument.
    """

    structure: Any
    spread: bool = False

    @property
    def declared(self) -> tuple[TensorSpec, ...]:
        """The inputs in flat order, as the model has them."""
        from keras import tree

        return tuple(tree.flatten(self.structure))

    @property
    def specs(self) -> tuple[TensorSpec, ...]:
        """The inputs in flat order, floats of every precision as float32: few runtimes take others."""
        return tuple(replace(t, dtype="float32") if _is_float(t) else t for t in self.declared)

    def call(self, model: Any, flat: Sequence[Any]) -> Any:
        """Call a model in inference mode with tensors in flat order."""
        import tensorflow as tf
        from keras import tree

        inputs = [tf.cast(x, t.dtype) if _is_float(t) else x for x, t in zip(flat, self.declared, strict=True)]
        packed = tree.pack_sequence_as(self.structure, inputs)
        if not self.spread:
            return model(packed, training=False)
        return model(**packed, training=False) if isinstance(packed, dict) else model(*packed, training=False)


def _is_float(spec: TensorSpec) -> bool:
    return spec.dtype in ("float16", "bfloat16", "float64")


def parse(text: str) -> TensorSpec:
    """An input as the command line writes it: "name:dtype:shape", such as "ids:int32:?,128", or with a range of whole
    numbers, "ids:int32:?,128:0..999".

    Raises:
        UsageError: it is not of that form.
    """
    name, _, rest = text.partition(":")
    dtype, _, rest = rest.partition(":")
    sizes, _, limits = rest.partition(":")
    dims = [part.strip() for part in sizes.strip("[]() ").split(",") if part.strip()]
    if not re.fullmatch(r"[A-Za-z_]\w*", name) or not dims or not all(re.fullmatch(r"\?|None|\d+", d) for d in dims):
        raise UsageError(f"'{text}' does not describe an input.", HOW)
    if dtype not in _DTYPES:
        raise UsageError(f"'{text}': there is no dtype '{dtype}'.", f"Choose from {', '.join(_DTYPES)}.")
    shape = (None, *(int(d) if d.isdigit() else None for d in dims[1:]))
    return TensorSpec(name, dtype, shape, _range(text, dtype, limits) if limits else None)


def _range(text: str, dtype: str, limits: str) -> tuple[int, int]:
    found = re.fullmatch(r"(-?\d+)\.\.(-?\d+)", limits.strip())
    if found is None or np.dtype("S" if dtype in ("string", "bfloat16") else dtype).kind not in "iu":
        raise UsageError(f"'{text}': '{limits}' is no range of whole numbers.", HOW)
    low, high = int(found[1]), int(found[2])
    least, most = np.iinfo(dtype).min, np.iinfo(dtype).max
    if not least <= low <= high <= most:
        raise UsageError(f"'{text}': {low}..{high} is no range of {dtype}.", f"It reaches from {least} to {most}.")
    return low, high
