"""TLS and the bearer token, both optional."""

from __future__ import annotations

import hmac
import ssl
from dataclasses import dataclass
from pathlib import Path

from serving.errors import StartFault
from serving.settings import Settings

_SCHEME = "bearer "
_SHORTEST = 16


@dataclass(frozen=True)
class Security:
    """What guards both ports.

    Attributes:
        context: of TLS for REST; None without TLS.
        pair: private key and certificate chain in PEM, for gRPC.
        token: that requests must carry; empty for none.
    """

    context: ssl.SSLContext | None = None
    pair: tuple[bytes, bytes] | None = None
    token: bytes = b""

    def admits(self, authorization: str) -> bool:
        """Whether a request with this Authorization header may be answered."""
        if not self.token:
            return True
        if authorization[: len(_SCHEME)].lower() != _SCHEME:
            return False
        given = authorization[len(_SCHEME) :].strip().encode("utf-8", "surrogateescape")
        return hmac.compare_digest(given, self.token)


def load(settings: Settings) -> Security:
    """Read the files that the settings name.

    Raises:
        StartFault: one cannot be read, or is not what it should be.
    """
    certificate, key = settings.tls_certificate, settings.tls_key
    if (certificate is None) != (key is None):
        raise StartFault("TLS needs a certificate and its key.", "Give both --tls-certificate and --tls-key.")
    context, pair = None, None
    if certificate is not None and key is not None:
        pair = (_read(key), _read(certificate))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        try:
            context.load_cert_chain(certificate, key)
        except (ssl.SSLError, OSError) as error:
            raise StartFault(
                f"'{certificate}' and '{key}' are no certificate and its key: {error}.",
                "Give two PEM files that match.",
            ) from error
    token = b""
    if settings.token_file is not None:
        token = _read(settings.token_file).strip()
        if len(token) < _SHORTEST:
            raise StartFault(
                f"The token in '{settings.token_file}' is shorter than {_SHORTEST} characters.",
                "Make one with `openssl rand -hex 32`.",
            )
    return Security(context, pair, token)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise StartFault(f"Cannot read '{path}': {error.strerror}.", "Give a file that the server may read.") from error
