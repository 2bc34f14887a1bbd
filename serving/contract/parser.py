"""JSON as TensorFlow Serving's parser reads it: NaN and Infinity are numbers, the first of equal keys wins, and
what follows the document is ignored. Errors carry RapidJSON's texts and offsets.

C code does the work where it agrees with those rules; `strict` decides every other document.
"""

from __future__ import annotations

import json
import re
from typing import Any

from serving.contract import strict
from serving.errors import InvalidArgument

_SPACE = re.compile(r"[ \t\n\r]*")
_BOM = b"\xef\xbb\xbf"
# Where Python's decoder takes what RapidJSON refuses: numbers beyond float64, and half a surrogate pair.
_SUSPECT = re.compile(rb"[eE]\+?\d{3}|\d{300}|\\u[dD][89a-fA-F]")


def parse(body: bytes) -> Any:
    """The document at the start of a body, of dict, list, str, int, float, bool and None.

    Bytes that are not UTF-8 pass through strings as surrogate escapes: TensorFlow Serving does not check them.

    Raises:
        InvalidArgument: there is no JSON document.
    """
    if not body:
        raise InvalidArgument("JSON Parse error: The document is empty")
    if not _SUSPECT.search(body):
        text = body.removeprefix(_BOM).decode("utf-8", "surrogateescape")
        start = _SPACE.match(text)
        try:
            return _DECODER.raw_decode(text, start.end() if start else 0)[0]
        except (ValueError, RecursionError):
            pass  # invalid, or valid to RapidJSON alone ("Inf"): the strict parser knows which
    return strict.parse(body)


def _first_wins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        document = {}
        for key, value in pairs:
            document.setdefault(key, value)
    return document


_DECODER = json.JSONDecoder(object_pairs_hook=_first_wins)
