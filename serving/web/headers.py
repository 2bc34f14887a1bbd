"""The headers of files that browsers get."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath

from serving.rest.messages import Response

# Nothing but this server's own files. The runtimes compile WebAssembly, and nothing else is made from strings.
_PAGE_POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; worker-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
# A bundle's own HTML is a document to read: no scripts, and no part of this origin.
_DATA_POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:"
# COOP and COEP isolate the page, which then has exact timers and may share memory with its workers.
_ISOLATION = (
    "Cross-Origin-Opener-Policy: same-origin\r\nCross-Origin-Embedder-Policy: require-corp\r\n"
    "Cross-Origin-Resource-Policy: same-origin\r\nX-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\n"
)
_UNTIL_CHANGED = "no-cache"
_FOR_EVER = "public, max-age=31536000, immutable"

_KINDS = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".wasm": "application/wasm",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".webmanifest": "application/manifest+json",
    ".md": "text/plain; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
}


@dataclass(frozen=True)
class NotModified(Response):
    """304: the client has it. HTTP forbids the length of another body than the one that is not sent."""

    def encode(self, close: bool, with_body: bool = True) -> bytes:
        head, _, rest = super().encode(close, False).partition(b"Content-Length: 0\r\n")
        return head + rest


def kind(path: str) -> bytes:
    """The content type of a file by its name."""
    return _KINDS.get(PurePosixPath(path).suffix.lower(), "application/octet-stream").encode()


def page(etag: str, forever: bool, encoding: str = "") -> bytes:
    """Headers of a file of the page.

    Args:
        forever: its address changes with its content.
        encoding: of its body; empty for none.
    """
    encoded = f"Content-Encoding: {encoding}\r\n" if encoding else ""
    return _write(_PAGE_POLICY, etag, forever, f"{encoded}Vary: Accept-Encoding\r\n")


def data(etag: str, forever: bool) -> bytes:
    """Headers of a bundle's file, and of what is said about bundles."""
    return _write(_DATA_POLICY, etag, forever)


def _write(policy: str, etag: str, forever: bool, more: str = "") -> bytes:
    kept = _FOR_EVER if forever else _UNTIL_CHANGED
    tag = f"ETag: {etag}\r\n" if etag else ""
    return f"Content-Security-Policy: {policy}\r\n{_ISOLATION}Cache-Control: {kept}\r\n{tag}{more}".encode()
