"""One connection: bytes in, requests out, responses back in their order, and nothing without a bound."""

from __future__ import annotations

import asyncio
import contextlib
import time
import zlib
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, cast

import httptools

from serving import log
from serving.rest.messages import Request, Response, reject

if TYPE_CHECKING:
    from serving.rest.server import Server

# Pipelined requests that wait while one is computed; reading stops beyond.
_MAX_QUEUE = 8
# After a refusal the rest of the request is read and dropped for this long, or the client would never see the
# answer: closing with unread bytes resets the connection.
_LINGER_SECONDS = 1.0


class Connection(asyncio.Protocol):
    """HTTP/1.1 on one socket. All methods run on the event loop.

    Args:
        server: answers the requests, and knows of all connections.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self._limits = server.settings.limits
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpRequestParser(self)
        self._queue: deque[Request] = deque()
        self._busy = False  # a request is being answered
        self._answering = False  # the queue is being worked through
        self._paused = False  # nothing is read for now: enough is waiting
        self._blocked = False  # the client does not take its response
        self._closing = False  # nothing is read any more
        self._last = False  # the next response is the last
        self._started = False  # a request has begun to arrive
        self._head_done = False
        self._raw = 0
        self._url, self._body = bytearray(), bytearray()
        self._head = 0
        self._gzip = self._expects = False
        self._origin = self._authorization = b""
        self._extra: dict[bytes, bytes] = {}
        self._client = ""
        self.deadline = time.monotonic() + self._limits.idle_seconds

    # From the transport.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclasses of asyncio's.
        self._transport = cast(asyncio.Transport, transport)
        self._client = str((transport.get_extra_info("peername") or ("",))[0])
        if not self._server.admit(self):
            self._fail(reject(503, "This server has as many connections as it takes"))

    def connection_lost(self, _: Exception | None) -> None:
        self._closing = True
        self._queue.clear()
        self._transport = None
        self._server.discard(self)

    def pause_writing(self) -> None:
        self._blocked = True
        self._wait(self._limits.read_seconds)

    def resume_writing(self) -> None:
        self._blocked = False
        self._rest()

    def data_received(self, data: bytes) -> None:
        if self._closing:
            return
        if not self._head_done:
            self._raw += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            # Upgrades are not taken; the request itself was answered, what follows it is another protocol's.
            self._last = True
            if not self._busy and not self._closing:
                self._fail(reject(400, "This server speaks HTTP/1.1 only"))
        except httptools.HttpParserError as error:
            self._fail(reject(400, f"Malformed HTTP request: {error}"))
        # A line without an end is in no callback: it is counted here. All of `_raw` is this request's head, or
        # the head would be done; what came behind the end of an earlier request is not counted.
        if not self._closing and not self._head_done and self._raw > self._limits.head:
            self._too_long()

    # From the parser.

    def on_message_begin(self) -> None:
        self._reset()
        self._started = True
        if not self._busy:
            self._wait(self._limits.read_seconds)

    def on_url(self, url: bytes) -> None:
        self._url += url
        self._count(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(len(name) + len(value))
        name = name.lower()
        if name == b"content-length" and value.isdigit() and int(value[:19]) > self._limits.body:
            self._too_large()
        elif name == b"content-encoding":
            self._gzip = b"gzip" in value
        elif name == b"origin":
            self._origin = value
        elif name == b"authorization":
            self._authorization = value
        elif name == b"expect" and value.lower() == b"100-continue":
            self._expects = True
        elif name in self._server.keeps:
            self._extra[name] = value

    def on_headers_complete(self) -> None:
        self._head_done = True
        if self._expects and not self._closing and not self._busy and self._transport:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        if self._closing:
            return
        if len(self._body) + len(body) > self._limits.body:
            self._too_large()
        else:
            self._body += body

    def on_message_complete(self) -> None:
        self._started = self._head_done = False
        self._raw = 0
        if self._closing:
            return
        body = bytes(self._body)
        self._body = bytearray()
        if self._gzip and (inflated := _inflate(body, self._limits.body)) is None:
            self._too_large()
            return
        path = self._path()
        if path is None:
            self._fail(reject(400, "Malformed HTTP request: no path"))
            return
        self._queue.append(
            Request(
                self._parser.get_method().decode("ascii", "replace"),
                path,
                inflated if self._gzip and inflated is not None else body,
                self._origin.decode("latin-1"),
                self._authorization.decode("utf-8", "surrogateescape"),
                self._client,
                self._parser.should_keep_alive(),
                self._extra,
            )
        )
        if not self._busy:
            self._next()
        elif len(self._queue) >= _MAX_QUEUE and self._transport:
            self._transport.pause_reading()
            self._paused = True

    # From the server.

    @property
    def idle(self) -> bool:
        """Whether no request is being read, computed or answered."""
        return not (self._busy or self._queue or self._started or self._blocked)

    def finish(self) -> None:
        """Close after what is in flight: at once if nothing is."""
        self._last = True
        if self.idle:
            self._close()

    def expire(self) -> None:
        """The deadline has passed: the client is too slow, or has been idle for long enough."""
        if self._busy and not self._blocked:
            return
        if self._blocked or self._closing:
            self._abort()
        elif self._started:
            self._fail(reject(408, f"The request did not arrive within {self._limits.read_seconds:g} seconds"))
        else:
            self._close()

    def _next(self) -> None:
        """Answer what is in the queue, until an answer takes its time."""
        if self._answering:
            return  # the loop below goes on
        self._answering = True
        while self._queue and not self._busy and not self._closing:
            request = self._queue.popleft()
            self._busy = True
            self._server.app.answer(request, partial(self._done, request))
        self._answering = False

    def _done(self, request: Request, response: Response) -> None:
        self._busy = False
        if self._transport is None:
            return
        self._send(request, response)
        if not self._closing:
            if self._paused:
                self._paused = False
                self._transport.resume_reading()
            self._next()

    def _send(self, request: Request, response: Response) -> None:
        if self._transport is None:
            return
        close = self._last or not request.keep_alive or self._server.app.draining
        self._transport.write(response.encode(close, request.method != "HEAD"))
        if close:
            self._close()
        else:
            self._rest()

    def _rest(self) -> None:
        """Nothing is due: set the deadline for what comes next."""
        if not self._blocked:
            self._wait(self._limits.read_seconds if self._started else self._limits.idle_seconds)

    def _fail(self, response: Response) -> None:
        """Refuse what is arriving, and read nothing more from this client."""
        if self._closing or self._transport is None:
            return
        self._closing = True
        self._queue.clear()
        self._body = bytearray()
        if self._busy:
            # An earlier request's answer is still due, and would come after this one.
            self._abort()
            return
        self._transport.write(response.encode(close=True))
        with contextlib.suppress(OSError, RuntimeError):
            self._transport.write_eof()
        asyncio.get_running_loop().call_later(_LINGER_SECONDS, self._close)

    def _too_large(self) -> None:
        self._fail(reject(413, f"The request's body is larger than {self._limits.body} bytes"))

    def _too_long(self) -> None:
        self._fail(reject(431, f"The request's headers are larger than {self._limits.head} bytes"))

    def _count(self, length: int) -> None:
        self._head += length
        if self._head > self._limits.head:
            self._too_long()

    def _path(self) -> str | None:
        """Path and query; None if the target has none."""
        url = bytes(self._url)
        if not url.startswith(b"/"):
            try:
                parsed = httptools.parse_url(url)
            except httptools.HttpParserInvalidURLError:
                return None
            url = (parsed.path or b"/") + (b"?" + parsed.query if parsed.query else b"")
        return url.decode("utf-8", "surrogateescape")

    def _reset(self) -> None:
        self._url, self._body = bytearray(), bytearray()
        self._head = 0
        self._gzip = self._expects = False
        self._origin = self._authorization = b""
        self._extra = {}

    def _wait(self, seconds: float) -> None:
        self.deadline = time.monotonic() + seconds

    def _close(self) -> None:
        self._closing = True
        if self._transport is not None:
            self._transport.close()

    def _abort(self) -> None:
        self._closing = True
        if self._transport is not None:
            self._transport.abort()


def _inflate(body: bytes, limit: int) -> bytes | None:
    """A gzip body; empty if it is none, as TensorFlow Serving has it; None if it is larger than the limit."""
    inflater = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        inflated = inflater.decompress(body, limit + 1)
    except zlib.error as error:
        log.warning("bad_gzip", reason=str(error))
        return b""
    if len(inflated) > limit:
        return None
    return inflated if inflater.eof else b""
