"""Requests and responses."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus

from serving.contract import writer
from serving.errors import ServingError, VersionOverflow

JSON = b"application/json"
_TEXT = {s.value: s.phrase.encode() for s in HTTPStatus}
_HTML = "<HTML><HEAD>\n<TITLE>{0} {1}</TITLE>\n</HEAD><BODY>\n<H1>{1}</H1>\n</BODY></HTML>\n"


@dataclass(frozen=True)
class Request:
    """One request that arrived whole.

    Attributes:
        method: as sent.
        path: with its query; bytes that are not UTF-8 are surrogate escapes.
        body: after gzip.
        origin, authorization: the headers of those names; empty if there were none.
        client: its address.
        keep_alive: whether the client takes another response on this connection.
        extra: further headers that the server keeps, by their names in small letters.
    """

    method: str
    path: str
    body: bytes
    origin: str = ""
    authorization: str = ""
    client: str = ""
    keep_alive: bool = True
    extra: Mapping[bytes, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Response:
    """One response.

    Attributes:
        status: the HTTP status.
        body: may be empty.
        kind: content type.
        headers: more of them, each with its end of line.
    """

    status: int
    body: bytes = b""
    kind: bytes = JSON
    headers: bytes = b""

    def encode(self, close: bool, with_body: bool = True) -> bytes:
        """The bytes on the wire. `with_body`: False for HEAD, where only the body's length is told."""
        return b"".join(
            (
                b"HTTP/1.1 %d %b\r\nContent-Type: %b\r\nDate: %b\r\nContent-Length: %d\r\n"
                % (self.status, _TEXT.get(self.status, b""), self.kind, _date(), len(self.body)),
                self.headers,
                b"Connection: close\r\n\r\n" if close else b"\r\n",
                self.body if with_body else b"",
            )
        )


def refuse(error: ServingError) -> Response:
    """TensorFlow Serving's answer to an error."""
    body = b"" if isinstance(error, VersionOverflow) else writer.error(error.message)
    return Response(error.code.http, body)


def reject(status: int, message: str) -> Response:
    """A refusal of HTTP's own, in the form of the others."""
    return Response(status, writer.error(message))


def html(status: int) -> Response:
    """What libevent, TensorFlow Serving's HTTP library, answers by itself."""
    text = _HTML.format(status, HTTPStatus(status).phrase)
    return Response(status, text.encode(), b"text/html")


_now: tuple[int, bytes] = (0, b"")


def _date() -> bytes:
    """The date header's value, made once a second."""
    global _now
    second = int(time.time())
    if second != _now[0]:
        _now = (second, formatdate(second, usegmt=True).encode())
    return _now[1]
