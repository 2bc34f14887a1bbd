"""Ports, before a server takes them: whether they are free, and how several processes share one."""

from __future__ import annotations

import socket

from serving.errors import EnvironmentFault


def check(host: str, port: int, option: str) -> int:
    """The port, or a free one for 0, bound and let go again.

    Args:
        option: what a user sets it with.

    Raises:
        EnvironmentFault: it is taken, or the host is not this machine's.
    """
    with _bound(host, port, option, shared=False) as held:
        return int(held.getsockname()[1])


def hold(host: str, port: int, option: str) -> socket.socket:
    """A socket that keeps the port for processes that share it, and takes no connections itself.

    Raises:
        EnvironmentFault: it is taken, or the host is not this machine's.
    """
    # Unshared first: with SO_REUSEPORT alone, a second server would share the port of the first one unseen.
    return _bound(host, check(host, port, option), option, shared=True)


def _bound(host: str, port: int, option: str, shared: bool) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    held = socket.socket(family, socket.SOCK_STREAM)
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        held.bind((host, port))
    except OSError as error:
        held.close()
        raise EnvironmentFault(
            f"Cannot listen on {host}:{port}: {error.strerror or error}.", f"Choose another with {option}."
        ) from error
    return held
