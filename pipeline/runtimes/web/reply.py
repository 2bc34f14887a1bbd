"""An error that came from the other side, as the exception that it is here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from pipeline.errors import RuntimeUnavailable, RuntimeUnsupported


def raise_reply(reply: Mapping[str, Any]) -> NoReturn:
    """Raise what a reply with an `error` stands for, in its words (`asReply` in adapters/session.mjs).

    Raises:
        RuntimeUnavailable: this machine lacks the device.
        RuntimeUnsupported: the library says that it does not do this on this device.
        RuntimeError: anything else.
    """
    if reply.get("unavailable"):
        raise RuntimeUnavailable(reply["error"])
    if reply.get("unsupported"):
        raise RuntimeUnsupported(reply["error"])
    raise RuntimeError(reply["error"])
