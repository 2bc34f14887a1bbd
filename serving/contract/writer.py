"""JSON out, laid out byte for byte as RapidJSON's PrettyWriter does."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import numpy as np

from serving.contract.numbers import decimals, double
from serving.errors import InvalidArgument

Tensors = Mapping[str, np.ndarray]

_INDENT = "    "
_BYTES_SUFFIX = "_bytes"
_ESCAPED = re.compile(r'["\\\x00-\x1f]')
_SHORT = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
# A document that is echoed in an error is cut here: an error must not be as long as its request.
_MAX_ECHO = 4096
_MAX_ECHO_DEPTH = 32


def quote(text: str) -> str:
    """A JSON string; what is not ASCII stays as it is."""
    return '"' + _ESCAPED.sub(lambda m: _SHORT.get(m.group()) or f"\\u{ord(m.group()):04X}", text) + '"'


def error(message: str) -> bytes:
    """The body of every refusal."""
    return _encode(f'{{\n{_INDENT}"error": {quote(message)}\n}}')


def predictions(outputs: Tensors) -> bytes:
    """Row format: one value or object for each row.

    Args:
        outputs: arrays with one first dimension.

    Raises:
        InvalidArgument: an output has no rows, or the outputs differ in their number.
    """
    rows = -1
    for name, value in outputs.items():
        if value.ndim == 0:
            raise InvalidArgument(f"Tensor name: {name} has no shape information ")
        if rows not in (-1, len(value)):
            raise InvalidArgument(
                f"Tensor name: {name} has inconsistent batch size: {len(value)} expecting: {rows}",
            )
        rows = len(value)
    named = len(outputs) > 1
    columns = [_inline(name, value, 3 if named else 2) for name, value in outputs.items()]
    if not rows:
        return _encode(f'{{\n{_INDENT}"predictions": []\n}}')
    if not named:
        # All rows on one line and the bracket on the next: so does the original.
        return _encode(f'{{\n{_INDENT}"predictions": [{", ".join(columns[0])}\n{_INDENT}]\n}}')
    keys = [quote(name) for name in outputs]
    two, three = _INDENT * 2, _INDENT * 3
    items = []
    for cells in zip(*columns, strict=True):
        members = f",\n{three}".join(f"{k}: {c}" for k, c in zip(keys, cells, strict=True))
        items.append(f"{{\n{three}{members}\n{two}}}")
    return _encode(f'{{\n{_INDENT}"predictions": [\n{two}' + f",\n{two}".join(items) + f"\n{_INDENT}]\n}}")


def columns(outputs: Tensors) -> bytes:
    """Columnar format: one value for each output, or the only output's value."""
    if len(outputs) == 1:
        ((name, value),) = outputs.items()
        return _encode(f'{{\n{_INDENT}"outputs": {_indented(name, value, 1)}\n}}')
    pad = _INDENT * 2
    members = f",\n{pad}".join(f"{quote(n)}: {_indented(n, v, 2)}" for n, v in outputs.items())
    return _encode(f'{{\n{_INDENT}"outputs": {{\n{pad}{members}\n{_INDENT}}}\n}}')


def classifications(rows: Sequence[Sequence[tuple[bytes, float]]]) -> bytes:
    """Pairs of label and score, for each row."""
    texts = []
    for row in rows:
        scores = decimals(np.array([score for _, score in row], np.float32))
        pairs = (
            f"[{quote(label.decode('utf-8', 'surrogateescape'))}, {score}]"
            for (label, _), score in zip(row, scores, strict=True)
        )
        texts.append(f"[{', '.join(pairs)}]")
    # As in the predictions, the rows are on one line and the bracket is on the next.
    return _encode(f'{{\n{_INDENT}"results": [{", ".join(texts)}\n{_INDENT}]\n}}')


def regressions(values: np.ndarray) -> bytes:
    """One number for each row, on one line with its brackets."""
    return _encode(f'{{\n{_INDENT}"results": [{", ".join(decimals(values))}]\n}}')


def echo(value: Any) -> str:
    """A request's JSON value for an error text; long ones are cut."""
    if isinstance(value, float):
        single = np.float32(value) if abs(value) <= np.finfo(np.float32).max else value
        return decimals(np.array([single]))[0]
    text = _pretty(value, 0)
    return text if len(text) <= _MAX_ECHO else text[:_MAX_ECHO] + "..."


def _inline(name: str, value: np.ndarray, depth: int) -> list[str]:
    """Texts of the rows, each on one line. `depth`: containers around a row."""
    texts = _scalars(name, value, depth + value.ndim - 1)
    for axis in reversed(range(1, value.ndim)):
        size, count = value.shape[axis], prod(value.shape[:axis])
        texts = ["[" + ", ".join(texts[i * size : (i + 1) * size]) + "]" for i in range(count)]
    return texts


def _indented(name: str, value: np.ndarray, depth: int) -> str:
    """Text of a tensor, one element a line. `depth`: containers around it."""
    texts = _scalars(name, value, depth + value.ndim)
    for axis in reversed(range(value.ndim)):
        size, count = value.shape[axis], prod(value.shape[:axis])
        outer = "\n" + _INDENT * (depth + axis)
        inner = outer + _INDENT
        texts = [
            "[" + inner + f",{inner}".join(texts[i * size : (i + 1) * size]) + outer + "]" if size else "[]"
            for i in range(count)
        ]
    return texts[0]


def _scalars(name: str, value: np.ndarray, depth: int) -> list[str]:
    flat = value.reshape(-1)
    if value.dtype.kind == "f":
        return decimals(flat)
    if value.dtype.kind == "b":
        return ["true" if v else "false" for v in flat.tolist()]
    if value.dtype.kind in "iu":
        return list(map(str, flat.tolist()))
    if name.endswith(_BYTES_SUFFIX):
        outer = "\n" + _INDENT * depth
        return [f'{{{outer}{_INDENT}"b64": "{base64.b64encode(v).decode()}"{outer}}}' for v in flat.tolist()]
    return [quote(v.decode("utf-8", "surrogateescape")) for v in flat.tolist()]


def _pretty(value: Any, depth: int) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return quote(value[:_MAX_ECHO])
    if isinstance(value, int):
        return str(value) if -(2**63) <= value < 2**64 else double(float(value))
    if isinstance(value, float):
        return double(value)
    if depth == _MAX_ECHO_DEPTH:
        return "..."
    outer = "\n" + _INDENT * depth
    inner = outer + _INDENT
    parts: list[str] = []
    length = 0
    items = value.items() if isinstance(value, dict) else ((None, v) for v in value)
    for key, item in items:
        parts.append(_pretty(item, depth + 1) if key is None else f"{quote(key)}: {_pretty(item, depth + 1)}")
        length += len(parts[-1])
        if length > _MAX_ECHO:
            break
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    return opening + inner + f",{inner}".join(parts) + outer + closing if parts else opening + closing


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
