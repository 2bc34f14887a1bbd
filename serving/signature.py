"""Signatures: named inputs and outputs, and what TensorFlow calls their types."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

DEFAULT_SIGNATURE = "serving_default"
PREDICT_METHOD = "tensorflow/serving/predict"

# By dtype name: the enum's name in a SignatureDef, and the name that error texts use.
DATA_TYPES = {
    "float32": ("DT_FLOAT", "float"),
    "float64": ("DT_DOUBLE", "double"),
    "float16": ("DT_HALF", "half"),
    "int8": ("DT_INT8", "int8"),
    "int16": ("DT_INT16", "int16"),
    "int32": ("DT_INT32", "int32"),
    "int64": ("DT_INT64", "int64"),
    "uint8": ("DT_UINT8", "uint8"),
    "uint16": ("DT_UINT16", "uint16"),
    "uint32": ("DT_UINT32", "uint32"),
    "uint64": ("DT_UINT64", "uint64"),
    "bool": ("DT_BOOL", "bool"),
    "string": ("DT_STRING", "string"),
}


@dataclass(frozen=True)
class TensorSpec:
    """One named tensor.

    Attributes:
        name: the key in requests and responses.
        dtype: a NumPy dtype name ("float32", "int64", ...) or "string".
        shape: sizes; None marks a dynamic dimension. None instead of a tuple: the rank is unknown.
        tensor: the tensor's name in the artifact.
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...] | None
    tensor: str = ""

    @property
    def data_type(self) -> str:
        """TensorFlow's enum name, such as DT_FLOAT."""
        return DATA_TYPES.get(self.dtype, ("DT_INVALID", ""))[0]

    @property
    def type_name(self) -> str:
        """TensorFlow's name in texts, such as float."""
        return DATA_TYPES.get(self.dtype, ("", self.dtype))[1]

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Whether an array of this shape may be fed."""
        if self.shape is None:
            return True
        return len(shape) == len(self.shape) and all(w in (None, s) for w, s in zip(self.shape, shape, strict=True))

    def describe(self) -> str:
        """The shape in TensorFlow's notation, such as [?,28,28]."""
        if self.shape is None:
            return "<unknown>"
        return "[" + ",".join("?" if s is None else str(s) for s in self.shape) + "]"


@dataclass(frozen=True)
class Signature:
    """Named inputs and outputs of one function, in order."""

    name: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    method: str = PREDICT_METHOD

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Signature:
        """From a bundle's certificate or manifest."""

        def tensors(entries: list[dict[str, Any]]) -> tuple[TensorSpec, ...]:
            return tuple(TensorSpec(e["name"], e["dtype"], tuple(e["shape"]), e["name"]) for e in entries)

        return cls(data.get("name", DEFAULT_SIGNATURE), tensors(data["inputs"]), tensors(data["outputs"]))

    @property
    def fixed_batch(self) -> int | None:
        """The first dimension of all inputs where it is one and the same number; None if it is dynamic."""
        sizes = {t.shape[0] if t.shape else None for t in self.inputs}
        return sizes.pop() if len(sizes) == 1 else None
