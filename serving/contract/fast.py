"""A short cut for the common body: one float input, fixed row shape, nothing unusual.

A body without its digits and spaces is a skeleton of brackets, commas and keys. If it equals the skeleton that
the signature implies, then every row has the right shape and holds numbers only (no true, null, string or
object: their letters and quotes would show), in one comparison of bytes. What remains is to read the numbers.
Whatever does not match goes the long way, which knows the errors.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from itertools import chain
from typing import Any

import numpy as np
import orjson

from serving.contract.request import Predict
from serving.signature import DEFAULT_SIGNATURE, Signature

# Bytes of numbers and spaces. The letter e goes too, also out of the keys: those are looked up afterwards.
_DROPPED = b"0123456789+-.eE \t\r\n"
_DTYPES = ("float32", "float64")
_MAX_CACHED_ROWS = 256


class FastBodies:
    """Reads the bodies that one signature implies.

    Args:
        signature: of any kind; those that have no short cut never match.
    """

    def __init__(self, signature: Signature) -> None:
        self._signature = signature
        self._row = b""
        spec = signature.inputs[0] if len(signature.inputs) == 1 else None
        if spec is None or spec.dtype not in _DTYPES or not spec.shape or None in spec.shape[1:] or 0 in spec.shape[1:]:
            return
        self._name, self._dtype, self._shape = spec.name, np.dtype(spec.dtype), spec.shape[1:]
        row = b""
        for size in reversed(spec.shape[1:]):
            row = b"[" + b",".join([row] * (size or 0)) + b"]"
        self._row = row
        heads: dict[bytes, tuple[str, bool]] = {
            b'{"instances":': ("instances", False),
            b'{"inputs":': ("inputs", False),
        }
        named = b'{"signature_name":"' + signature.name.encode() + b'",'
        heads |= {named + head[1:]: (key, True) for head, (key, _) in list(heads.items())}
        self._heads = {head.translate(None, _DROPPED) + b"[": meaning for head, meaning in heads.items()}
        self._skeleton = lru_cache(maxsize=64)(self._rows)

    def read(self, body: bytes) -> Predict | None:
        """The request, or None if the body is not of the common form."""
        # Short rows are read as fast the long way, and a scalar's skeleton cannot be told from nothing.
        if not self._row:
            return None
        skeleton = body.translate(None, _DROPPED)
        head = next((h for h in self._heads if skeleton.startswith(h + self._row)), None)
        if head is None:
            return None
        count, rest = divmod(len(skeleton) - len(head) - 1, len(self._row) + 1)
        if rest or skeleton != head + (self._skeleton if count <= _MAX_CACHED_ROWS else self._rows)(count):
            return None
        return self._numbers(body, *self._heads[head])

    def _numbers(self, body: bytes, key: str, named: bool) -> Predict | None:
        try:
            document: dict[str, Any] = orjson.loads(body)
        except orjson.JSONDecodeError:
            return None
        values = document.get(key)
        if values is None or (named and document.get("signature_name") != self._signature.name):
            return None
        if not named and self._signature.name != DEFAULT_SIGNATURE:
            return None
        return Predict(self._signature, {self._name: self._array(values)}, key == "instances")

    def _array(self, values: list[Any]) -> np.ndarray:
        """Rows whose shape is known. NumPy makes the same of nested lists, in twice the time."""
        flat = values
        for _ in self._shape:
            flat = list(chain.from_iterable(flat))
        try:
            packed = struct.pack(f"{len(flat)}{self._dtype.char}", *flat)
        except (OverflowError, struct.error):  # beyond float32, where NumPy has infinity
            with np.errstate(over="ignore"):
                return np.array(values, dtype=self._dtype)
        return np.frombuffer(packed, self._dtype).reshape(len(values), *self._shape)

    def _rows(self, count: int) -> bytes:
        return b",".join([self._row] * count) + b"]}"
