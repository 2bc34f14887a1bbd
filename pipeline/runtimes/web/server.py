"""What a page under test is fed by: harness, packages, one model and its inputs over HTTP on this machine only.

Every address starts with a random token, so that no other page or user can read a model or post results.
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
import shutil
import threading
from collections.abc import Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

_WEB = Path(__file__).parent
ADAPTERS = _WEB.parents[2] / "adapters"
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".json": "application/json",
    ".wasm": "application/wasm",
}
# LiteRT.js imports its helper by a bare name, which takes an import map, which can only be inline.
_INLINE = re.search(r'<script type="importmap">(.*?)</script>', (_WEB / "harness.html").read_text(encoding="utf-8"))
assert _INLINE is not None
_HASH = base64.b64encode(hashlib.sha256(_INLINE[1].encode()).digest()).decode()
_CODE = (".js", ".mjs", ".wasm")
_HEADERS = {
    # Cross-origin isolation: exact clocks, and SharedArrayBuffer for libraries that want threads.
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    # As strict as a page with TF.js can be: proof that an artifact runs under such a policy.
    "Content-Security-Policy": "default-src 'none'; script-src 'self' 'wasm-unsafe-eval' "
    f"'sha256-{_HASH}'; connect-src 'self'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


class Server:
    """An HTTP server on 127.0.0.1 at a port of the system's choice, in threads of its own.

    Attributes:
        url: where the harness is, ending in "/"; put `web/harness.html` behind it.
        model: the directory whose files (not those of its folders) are served under `model/`.
    """

    def __init__(self, modules: Path) -> None:
        self.model: Path | None = None
        self._modules = modules.resolve()
        self._token = secrets.token_urlsafe(16)
        self._inputs: tuple[str, Sequence[bytes | memoryview]] = ("", ())
        self._outputs: bytes | None = None
        server = self

        class Handler(_Handler):
            owner = server

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._http.server_port}/{self._token}/"

    def offer(self, key: str, frame: Sequence[bytes | memoryview]) -> None:
        """Serve a frame's pieces as `inputs/KEY`, and forget earlier inputs and outputs."""
        self._inputs, self._outputs = (key, frame), None

    def collect(self) -> bytes:
        """The frame that the page posted since the last `offer`.

        Raises:
            RuntimeError: none came.
        """
        outputs, self._outputs = self._outputs, None
        if outputs is None:
            raise RuntimeError("the page posted no outputs")
        return outputs

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()

    def locate(self, address: str) -> Path | None:
        """The file behind an address, None when there is none or it is none of the page's business."""
        kind, _, name = unquote(urlsplit(address).path).removeprefix(f"/{self._token}/").partition("/")
        root = {"web": _WEB, "adapters": ADAPTERS, "modules": self._modules, "model": self.model}.get(kind)
        if root is None or not name:
            return None
        file = (root / name).resolve()
        if kind == "modules":
            allowed = (file.suffix in _CODE or file.name == "package.json") and file.is_relative_to(root)
        else:
            allowed = file.parent == root.resolve() and file.suffix != ".py"
        return file if allowed and file.is_file() else None

    def owns(self, path: str) -> bool:
        return path.startswith(f"/{self._token}/")


class _Handler(BaseHTTPRequestHandler):
    owner: Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 1 << 16

    def do_GET(self) -> None:
        key, frame = self.owner._inputs
        if self.owner.owns(self.path) and key and self.path.endswith(f"/inputs/{key}"):
            self._start(sum(len(piece) for piece in frame), "application/octet-stream")
            for piece in frame:
                self.wfile.write(piece)
            return
        file = self.owner.locate(self.path) if self.owner.owns(self.path) else None
        if file is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        with file.open("rb") as source:
            self._start(file.stat().st_size, _TYPES.get(file.suffix, "application/octet-stream"))
            shutil.copyfileobj(source, self.wfile, 1 << 20)

    def do_POST(self) -> None:
        if not self.owner.owns(self.path) or not self.path.endswith("/outputs"):
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        self.owner._outputs = self.rfile.read(int(self.headers["Content-Length"]))
        self._start(0, "text/plain")

    def _start(self, length: int, kind: str) -> None:
        self.send_response(HTTPStatus.OK)
        for name, value in {**_HEADERS, "Content-Type": kind, "Content-Length": str(length)}.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing prints below the CLI."""
