"""RapidJSON's iterative parser, state by state, for documents that are wrong or unusual.

Slow and exact: it finds the same error at the same offset. Common documents never come here.
"""

from __future__ import annotations

import re
from typing import Any

from serving.errors import InvalidArgument

# Deeper documents are refused: no tensor has so many dimensions, and what walks the result recurses.
MAX_DEPTH = 256

_SPACE = re.compile(rb"[ \t\n\r]*")
_PLAIN = re.compile(rb'[^"\\\x00-\x1f]*')
_DIGITS = re.compile(rb"[0-9]*")
_HEX = re.compile(rb"[0-9a-fA-F]{4}")
_ESCAPES = {b'"': b'"', b"\\": b"\\", b"/": b"/", b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t"}
_LITERALS = {b"n": (b"null", None), b"t": (b"true", True), b"f": (b"false", False)}

_EMPTY = "The document is empty."
_VALUE = "Invalid value."
_NAME = "Missing a name for object member."
_COLON = "Missing a colon after a name of object member."
_BRACE = "Missing a comma or '}' after an object member."
_BRACKET = "Missing a comma or ']' after an array element."
_HEX_DIGIT = "Incorrect hex digit after \\u escape in string."
_SURROGATE = "The surrogate pair in string is invalid."
_ESCAPE = "Invalid escape character in string."
_QUOTE = "Missing a closing quotation mark in string."
_ENCODING = "Invalid encoding in string."
_TOO_BIG = "Number too big to be stored in double."
_FRACTION = "Missing fraction part in number."
_EXPONENT = "Missing exponent in number."


def parse(body: bytes) -> Any:
    """The document at the start of a body.

    Raises:
        InvalidArgument: with RapidJSON's text and offset.
    """
    return _Parser(body).document()


class _Parser:
    def __init__(self, body: bytes) -> None:
        self._body = body
        self._at = 3 if body.startswith(b"\xef\xbb\xbf") else 0

    def document(self) -> Any:
        # One frame per open container: [container, key of the member that is being read].
        frames: list[list[Any]] = []
        self._skip()
        if self._peek() in (b"", b"\0", b",", b":", b"]", b"}"):
            raise self._error(_EMPTY)
        while True:
            value = self._open(frames)
            while True:
                if not frames:
                    return value
                container, key = frames[-1]
                if isinstance(container, list):
                    container.append(value)
                else:
                    container.setdefault(key, value)
                if not self._closes(frames):
                    break
                value = frames.pop()[0]

    def _open(self, frames: list[list[Any]]) -> Any:
        """Read up to the next complete value, opening containers on the way."""
        while True:
            self._skip()
            first = self._peek()
            if first not in (b"[", b"{"):
                return self._scalar(first)
            if len(frames) == MAX_DEPTH:
                raise self._error(f"Nested deeper than {MAX_DEPTH} levels.")
            self._at += 1
            self._skip()
            if first == b"[":
                if self._take(b"]"):
                    return []
                frames.append([[], None])
            else:
                if self._take(b"}"):
                    return {}
                frames.append([{}, self._key()])

    def _closes(self, frames: list[list[Any]]) -> bool:
        """After a member or an element: True at the container's end; False at the start of the next value."""
        self._skip()
        frame = frames[-1]
        is_list = isinstance(frame[0], list)
        if self._take(b"]" if is_list else b"}"):
            return True
        if not self._take(b","):
            raise self._error(_BRACKET if is_list else _BRACE)
        if not is_list:
            self._skip()
            frame[1] = self._key()
        return False

    def _key(self) -> str:
        if self._peek() != b'"':
            raise self._error(_NAME)
        key = self._string()
        self._skip()
        if not self._take(b":"):
            raise self._error(_COLON)
        return key

    def _scalar(self, first: bytes) -> Any:
        if first == b'"':
            return self._string()
        if first in _LITERALS:
            word, value = _LITERALS[first]
            for i in range(len(word)):
                if not self._take(word[i : i + 1]):
                    raise self._error(_VALUE)
            return value
        return self._number()

    def _number(self) -> int | float:
        start = self._at
        negative = self._take(b"-")
        if self._peek() in (b"I", b"N"):
            return self._not_finite(negative)
        if not self._take(b"0") and not self._digits():
            raise self._error(_VALUE)
        whole = True
        if self._take(b"."):
            whole = False
            if not self._digits():
                raise self._error(_FRACTION)
        if self._take(b"e") or self._take(b"E"):
            whole = False
            if not self._take(b"+"):
                self._take(b"-")
            if not self._digits():
                raise self._error(_EXPONENT)
        text = self._body[start : self._at]
        value = float(text)
        if value in (float("inf"), float("-inf")):
            self._at = start
            raise self._error(_TOO_BIG)
        # Integers beyond 64 bits are doubles to RapidJSON.
        return int(text) if whole and len(text) <= 21 else value

    def _not_finite(self, negative: bool) -> float:
        if self._take(b"N"):
            if self._take(b"a") and self._take(b"N"):
                return float("nan")
        elif self._take(b"I") and self._take(b"n") and self._take(b"f"):
            if self._peek() == b"i" and not all(self._take(c) for c in (b"i", b"n", b"i", b"t", b"y")):
                raise self._error(_VALUE)
            return float("-inf") if negative else float("inf")
        raise self._error(_VALUE)

    def _string(self) -> str:
        self._at += 1
        parts = []
        while True:
            found = _PLAIN.match(self._body, self._at)
            assert found is not None  # it matches the empty string
            parts.append(found.group())
            self._at = found.end()
            char = self._peek()
            if char == b'"':
                self._at += 1
                return b"".join(parts).decode("utf-8", "surrogateescape")
            if char in (b"", b"\0"):
                raise self._error(_QUOTE)
            if char != b"\\":
                raise self._error(_ENCODING)
            parts.append(self._escape())

    def _escape(self) -> bytes:
        start = self._at
        char = self._body[start + 1 : start + 2]
        self._at += 2
        if char in _ESCAPES:
            return _ESCAPES[char]
        if char != b"u":
            raise self._error(_ESCAPE, start)
        point = self._hex(start)
        if 0xD800 <= point <= 0xDFFF:
            if point > 0xDBFF or self._body[self._at : self._at + 2] != b"\\u":
                raise self._error(_SURROGATE, start)
            self._at += 2
            low = self._hex(start)
            if not 0xDC00 <= low <= 0xDFFF:
                raise self._error(_SURROGATE, start)
            point = 0x10000 + ((point - 0xD800) << 10) + (low - 0xDC00)
        return chr(point).encode()

    def _hex(self, start: int) -> int:
        found = _HEX.match(self._body, self._at)
        if not found:
            raise self._error(_HEX_DIGIT, start)
        self._at += 4
        return int(found.group(), 16)

    def _digits(self) -> bool:
        found = _DIGITS.match(self._body, self._at)
        assert found is not None
        self._at = found.end()
        return bool(found.group())

    def _skip(self) -> None:
        found = _SPACE.match(self._body, self._at)
        assert found is not None
        self._at = found.end()

    def _peek(self) -> bytes:
        return self._body[self._at : self._at + 1]

    def _take(self, char: bytes) -> bool:
        if self._peek() == char:
            self._at += 1
            return True
        return False

    def _error(self, text: str, at: int | None = None) -> InvalidArgument:
        return InvalidArgument(f"JSON Parse error: {text} at offset: {self._at if at is None else at}")
