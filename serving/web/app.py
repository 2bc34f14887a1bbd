"""Answers browsers: the page at /, the bundles' files below /bundles. Reading is done in threads of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from serving import log
from serving.errors import Internal, ResourceExhausted
from serving.lifecycle.model import Models
from serving.rest.messages import Request, Response, refuse
from serving.web import files
from serving.web.files import Files
from serving.web.shell import Shell

# Few: whole files are held in memory, and predictions need the processor more.
_THREADS = 2
_MAX_WAITING = 64
_METHODS = ("GET", "HEAD")
# Headers of requests that matter here and nowhere else.
HEADERS = frozenset((b"accept-encoding", b"if-none-match"))

Replier = Callable[[Response], None]


class Web:
    """What browsers get. Lives on the event loop.

    Raises:
        EnvironmentFault: the page was not built.
    """

    def __init__(self, models: Models) -> None:
        self._models = models
        self._shell = Shell()
        self._files = Files()
        self._threads = ThreadPoolExecutor(_THREADS, "web")
        self._waiting = 0

    def free(self, path: str) -> bool:
        """Whether a path needs no token: the page, which is the same for all and asks for the token itself."""
        return self._shell.find(path.partition("?")[0]) is not None

    def answer(self, request: Request, reply: Replier) -> bool:
        """Answer, now or later; False if the path is none of the page's or the bundles'."""
        path, _, query = request.path.partition("?")
        file = self._shell.find(path)
        mine = file is not None or path == files.PREFIX or path.startswith(f"{files.PREFIX}/")
        if not mine or request.method not in _METHODS:
            return False
        known = request.extra.get(b"if-none-match", b"")
        if file is not None:
            self._away(partial(Shell.respond, file, request.extra.get(b"accept-encoding", b""), known), reply)
        elif path.rstrip("/") == files.PREFIX:
            self._away(partial(self._files.listing, files.places(self._models)), reply)
        else:
            self._away(partial(self._files.respond, path, query, files.places(self._models), known), reply)
        return True

    def close(self) -> None:
        """Take no more work."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _away(self, work: Callable[[], Response], reply: Replier) -> None:
        if self._waiting >= _MAX_WAITING:
            reply(refuse(ResourceExhausted("Too many files are being read; try again")))
            return
        self._waiting += 1

        def done(future: asyncio.Future[Response]) -> None:
            self._waiting -= 1
            if future.cancelled():
                return
            if (error := future.exception()) is not None:
                log.error("fault", reason=repr(error))
                reply(refuse(Internal("The server failed on this request; its log says more")))
            else:
                reply(future.result())

        asyncio.get_running_loop().run_in_executor(self._threads, work).add_done_callback(done)
