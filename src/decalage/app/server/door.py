"""Who may come in: by token, by the name the server was called by, by the page that asks. Pure."""

from __future__ import annotations

import hmac
import ipaddress
import re
from collections.abc import Collection
from dataclasses import dataclass, field
from urllib.parse import urlsplit

_NAME_AND_PORT = re.compile(r"(\[[0-9A-Fa-f:.%]+\]|[^\s/?#@:\[\]\\\x00-\x1f]+)(:[0-9]*)?")
"""RFC 9110, section 7.2: a host and perhaps a port, nothing before or behind them."""
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """``hosts`` None: any name will do, as where a token is asked for."""

    token: str | None = field(default=None, repr=False)
    hosts: Collection[str] | None = _LOOPBACK
    addresses: bool = False
    """Whether any IP address is taken beside ``hosts``: nobody can make one point elsewhere."""
    origins: Collection[str] = ()
    """Pages of other servers that may connect, as ``https://talks.example``."""

    def admits(self, token: str | None) -> bool:
        """Whether ``token`` is the server's, if it has one; a wrong one takes as long as the right."""
        given, own = ((each or "").encode(errors="surrogatepass") for each in (token, self.token))
        return self.token is None or hmac.compare_digest(given, own)

    def knows_host(self, host: str | None) -> bool:
        """Whether the server may be called so.

        A page whose name was made to point at this machine (DNS rebinding) passes for a page of this
        server otherwise.
        """
        if self.hosts is None:
            return True
        name = _name(host or "")
        return name in self.hosts or (self.addresses and _is_address(name))

    @property
    def misdirected(self) -> str:
        """What is told to who called the server by a name that it does not know."""
        address = ", or ask for its IP address" if self.addresses else ""
        return f"this server does not go by that name: start it with --allow-host NAME{address}"

    def knows_origin(self, origin: str | None, host: str | None) -> bool:
        """Whether a page of ``origin`` may ask ``host``: its own, and those named. None is no page at all."""
        if origin is None:
            return True
        if origin.rstrip("/") in {each.rstrip("/") for each in self.origins}:
            return True
        if not host:
            return False
        return origin.lower() in (f"http://{host}".lower(), f"https://{host}".lower())


def bearer(authorization: str | None) -> str | None:
    """The token of an ``Authorization: Bearer`` header."""
    scheme, _, token = (authorization or "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a server there."""
    return _name(host) in _LOOPBACK or _name(host).startswith("127.")


def names_of(host: str, more: Collection[str]) -> Collection[str]:
    """The names of a server that listens at ``host``: its own, this machine's to itself, and ``more``."""
    return (_LOOPBACK | {_name(each) for each in (host, *more)}) - {""}


def _name(host: str) -> str:
    """``host`` without its port, its brackets and a dot at its end, in lower case; "" for what is none."""
    if _is_address(host):
        return host.lower()
    if not _NAME_AND_PORT.fullmatch(host):
        return ""
    try:
        return (urlsplit(f"//{host}").hostname or "").lower().removesuffix(".")
    except ValueError:
        return ""


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
