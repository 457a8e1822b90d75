"""Where a server is, and the addresses under it."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from decalage.errors import UsageError

_SECURE = {"http": False, "ws": False, "https": True, "wss": True}
_PLAIN_PORT = 8765
"""Of ``decalage serve``, where an address has neither scheme nor port."""


@dataclass(frozen=True, slots=True)
class Address:
    """A server, and the session that a link to read along names."""

    place: str
    """Host, port and path that all of the server's own paths follow; no slash at the end."""
    secure: bool
    listen_id: str | None = None
    target: str | None = None
    """The language that the link asks for."""

    @classmethod
    def parsed(cls, given: str) -> Address:
        """Out of an http, https, ws or wss URL, ``HOST`` or ``HOST:PORT``. Raises ``UsageError``."""
        try:
            parts = urlsplit(given if "://" in given else f"http://{given}")
            port = parts.port
        except ValueError as error:
            raise UsageError(f"{given} is not the address of a server: {error}") from error
        broken = parts.netloc.endswith(":")  # a slash is missing: http:/host
        whole = parts.netloc + parts.path
        odd = (
            not whole.isprintable() or " " in whole or "\\" in whole
        )  # nothing that ends a line of a request
        if odd or broken or parts.scheme not in _SECURE or not parts.hostname or parts.username is not None:
            raise UsageError(
                f"{given} is not the address of a server; write for example http://127.0.0.1:8765"
            )
        bare = "://" not in given and port is None
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        return cls(
            place=f"{parts.netloc}{f':{_PLAIN_PORT}' if bare else ''}{_above(parts.path)}",
            secure=_SECURE[parts.scheme],
            listen_id=query.get("listen") or query.get("session"),
            target=query.get("to"),
        )

    def __str__(self) -> str:
        return f"{'https' if self.secure else 'http'}://{self.place}"

    @property
    def here(self) -> bool:
        """Whether it is on this machine, where no proxy leads."""
        host = urlsplit(str(self)).hostname or ""
        return host in ("localhost", "::1") or host.startswith("127.")

    @property
    def stream(self) -> str:
        """Where to speak."""
        return f"{self._socket}/v1/stream"

    def captions(
        self, listen_id: str, *, target: str | None = None, after: int = 0, partials: bool = True
    ) -> str:
        """Where to listen, from the event after number ``after`` on."""
        query = {"to": target, "after": after or None, "partials": None if partials else "false"}
        asked = urlencode({name: value for name, value in query.items() if value is not None})
        path = f"{self._socket}/v1/sessions/{quote(listen_id, safe='')}/captions"
        return f"{path}?{asked}" if asked else path

    def link(self, listen_id: str, target: str | None = None) -> str:
        """The page on which others read along."""
        query = {"listen": listen_id} if target is None else {"listen": listen_id, "to": target}
        return f"{self}/?{urlencode(query)}"

    @property
    def _socket(self) -> str:
        return f"{'wss' if self.secure else 'ws'}://{self.place}"


def _above(path: str) -> str:
    """What stands before the server's own paths, behind a proxy for example."""
    own, found, _ = path.partition("/v1/")
    whole = own if found else path.removesuffix("/overlay")
    return whole.rstrip("/")
