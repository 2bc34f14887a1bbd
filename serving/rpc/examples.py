"""Input messages of Classify, Regress and MultiInference."""

from __future__ import annotations

from typing import Any

from serving.contract.examples import join
from serving.errors import InvalidArgument


def read(source: Any) -> list[bytes]:
    """The serialized examples of an Input.

    Raises:
        InvalidArgument: there are none.
    """
    kind = source.WhichOneof("kind")
    if kind == "example_list_with_context":
        held = source.example_list_with_context
        examples = join(held.context.SerializeToString(), [e.SerializeToString() for e in held.examples])
    else:
        examples = [e.SerializeToString() for e in source.example_list.examples]
    if not examples:
        raise InvalidArgument("Input is empty.")
    return examples
