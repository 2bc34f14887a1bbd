"""A closed loop of HTTP/1.1 clients on one thread: each sends its next request when the answer to the last one is in.

It does as little as it can: requests are bytes made before, answers are read by their Content-Length. What it costs
itself counts against every server alike.
"""

from __future__ import annotations

import asyncio
import socket
import time
from dataclasses import dataclass

import uvloop


@dataclass(frozen=True)
class Load:
    """What a window of requests showed.

    Attributes:
        rate: answers per second.
        p50, p99: microseconds.
        failed: answers that were not 200.
    """

    rate: float
    p50: float
    p99: float
    failed: int


def request(path: str, body: bytes, host: str = "localhost") -> bytes:
    """One POST, as bytes."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def run(port: int, message: bytes, clients: int, seconds: float) -> Load:
    """Ask for some seconds; the first tenth is not counted."""
    times, failed, elapsed = (
        _alone(port, message, seconds) if clients == 1 else _together(port, message, clients, seconds)
    )
    times.sort()
    return Load(
        len(times) / elapsed,
        times[len(times) // 2] * 1e6,
        times[min(len(times) - 1, int(len(times) * 0.99))] * 1e6,
        failed,
    )


def _alone(port: int, message: bytes, seconds: float) -> tuple[list[float], int, float]:
    """One client, on a blocking socket: no event loop of its own in the figure."""
    times: list[float] = []
    failed = 0
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        start = time.perf_counter()
        counted, end = start + seconds / 10, start + seconds
        now = start
        while now < end:
            began = now
            client.sendall(message)
            data = client.recv(1 << 18)
            while (size := _length(data)) < 0 or len(data) < size:
                more = client.recv(1 << 18)
                if not more:
                    raise ConnectionError("the server closed the connection")
                data += more
            now = time.perf_counter()
            if began >= counted:
                times.append(now - began)
                failed += not data.startswith(b"HTTP/1.1 200")
    return times, failed, seconds * 0.9


def _together(port: int, message: bytes, clients: int, seconds: float) -> tuple[list[float], int, float]:
    async def scenario() -> tuple[list[float], int, float]:
        loop = asyncio.get_running_loop()
        end = loop.create_future()
        start = time.perf_counter()
        window = (start + seconds / 10, start + seconds)
        made = [
            await loop.create_connection(lambda: _Client(message, window, end), "127.0.0.1", port)
            for _ in range(clients)
        ]
        await asyncio.wait([end, loop.create_task(asyncio.sleep(seconds))], return_when=asyncio.FIRST_COMPLETED)
        for transport, _ in made:
            transport.abort()
        if end.done():
            end.result()
        return [t for _, c in made for t in c.times], sum(c.failed for _, c in made), seconds * 0.9

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(scenario())


class _Client(asyncio.Protocol):
    def __init__(self, message: bytes, window: tuple[float, float], end: asyncio.Future[None]) -> None:
        self.times: list[float] = []
        self.failed = 0
        self._message, self._window, self._end = message, window, end
        self._data = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._send()

    def connection_lost(self, error: Exception | None) -> None:
        if time.perf_counter() < self._window[1] and not self._end.done():
            self._end.set_exception(error or ConnectionError("the server closed the connection"))

    def data_received(self, data: bytes) -> None:
        self._data = self._data + data if self._data else data
        size = _length(self._data)
        if size < 0 or len(self._data) < size:
            return
        now = time.perf_counter()
        if self._began >= self._window[0]:
            self.times.append(now - self._began)
            self.failed += not self._data.startswith(b"HTTP/1.1 200")
        self._data = b""
        if now < self._window[1]:
            self._send()

    def _send(self) -> None:
        self._began = time.perf_counter()
        self._transport.write(self._message)  # type: ignore[attr-defined]


def _length(data: bytes) -> int:
    """Bytes of a whole response; negative while its head is not in."""
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return -1
    head = data[:end].lower()
    at = head.find(b"content-length:")
    if at < 0:
        raise ValueError("an answer without Content-Length")
    return end + 4 + int(head[at + 15 :].split(b"\r\n", 1)[0])
