"""Who may come in: by token, by the name the server was called by, by the page that asks. Pure."""

from __future__ import annotations

import hmac
from collections.abc import Collection
from dataclasses import dataclass, field
from urllib.parse import urlsplit

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """``hosts`` None: any name will do, as where a token is asked for."""

    token: str | None = field(default=None, repr=False)
    hosts: Collection[str] | None = _LOOPBACK
    origins: Collection[str] = ()
    """Pages of other servers that may connect, as ``https://talks.example``."""

    def admits(self, token: str | None) -> bool:
        """Whether ``token`` is the server's, if it has one; a wrong one takes as long as the right."""
        return self.token is None or hmac.compare_digest((token or "").encode(), self.token.encode())

    def knows_host(self, host: str | None) -> bool:
        """Whether the server may be called so.

        A page whose name was made to point at this machine (DNS rebinding) passes for a page of this
        server otherwise.
        """
        return self.hosts is None or _name(host or "") in self.hosts

    def knows_origin(self, origin: str | None, host: str | None) -> bool:
        """Whether a page of ``origin`` may ask ``host``: its own, and those named. None is no page at all."""
        if origin is None:
            return True
        if origin.rstrip("/") in {each.rstrip("/") for each in self.origins}:
            return True
        scheme, _, netloc = origin.partition("://")
        return scheme in ("http", "https") and host is not None and netloc.lower() == host.lower()


def bearer(authorization: str | None) -> str | None:
    """The token of an ``Authorization: Bearer`` header."""
    scheme, _, token = (authorization or "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a server there."""
    return _name(host) in _LOOPBACK or _name(host).startswith("127.")


def _name(host: str) -> str:
    """``host`` without its port and brackets, in lower case."""
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


def names_of(host: str, more: Collection[str]) -> Collection[str]:
    """The names of a server that listens at ``host``."""
    return _LOOPBACK | {_name(host)} | {each.lower() for each in more}
