"""Examples of :classify and :regress: from JSON to serialized tensorflow.Example messages, with the errors of
TensorFlow Serving."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from serving.contract.tensors import decode_bytes, is_base64, json_type
from serving.errors import InvalidArgument
from serving.protos import message

_KINDS = {"bytes_list": "bytes", "float_list": "float", "int64_list": "int64"}
_INT64 = 2**63


@cache
def _example() -> Any:
    return message("Example")


def serialize(value: Any) -> bytes:
    """One JSON object as a serialized Example.

    Raises:
        InvalidArgument: it is no object, or a feature mixes types or holds what an Example cannot.
    """
    if not isinstance(value, dict):
        raise InvalidArgument(f"Example must be JSON object but got JSON {json_type(value)}")
    example = _example()()
    for name, content in value.items():
        try:
            feature = example.features.feature[name]
        except UnicodeEncodeError as error:
            raise InvalidArgument("A feature's name is not UTF-8") from error
        for item in content if isinstance(content, list) else (content,):
            _add(item, name, feature)
    return bytes(example.SerializeToString())


def join(context: bytes, examples: Sequence[bytes]) -> list[bytes]:
    """Each example with a context before it: serialized messages merge when they are put together."""
    return [context + example for example in examples]


def _add(value: Any, name: str, feature: Any) -> None:
    """One JSON value into a feature, whose first value gives it its type."""
    if isinstance(value, str) or is_base64(value):
        decoded = decode_bytes(value)
        _expect("bytes_list", name, feature)
        if decoded is None:
            raise InvalidArgument("Unable to base64 decode")
        feature.bytes_list.value.append(decoded)
    elif isinstance(value, bool):
        _expect("int64_list", name, feature)
        feature.int64_list.value.append(int(value))
    elif isinstance(value, float) or (isinstance(value, int) and not -_INT64 <= value < 2 * _INT64):
        # Integers beyond 64 bits are doubles to RapidJSON.
        _expect("float_list", name, feature)
        feature.float_list.value.append(value)
    elif isinstance(value, int):
        _expect("int64_list", name, feature)
        if value >= _INT64:
            raise InvalidArgument(f"Feature: {name} has uint64 element. Only int64 is supported.")
        feature.int64_list.value.append(value)
    else:
        raise InvalidArgument(f"Feature: {name} has element with unexpected JSON type: {json_type(value)}")


def _expect(kind: str, name: str, feature: Any) -> None:
    found = feature.WhichOneof("kind")
    if found not in (None, kind):
        raise InvalidArgument(f"Unexpected element type in feature: {name} expecting type: {_KINDS[found]}")
