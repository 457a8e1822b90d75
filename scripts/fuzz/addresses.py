"""Where a server is and who may come in: addresses, Host, Origin and Authorization."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

from starlette.websockets import WebSocket

from decalage.app.client.address import Address
from decalage.app.server.connections import listener_query as asked
from decalage.app.server.door import Door, bearer, is_loopback, names_of
from decalage.app.server.logs import shown_path
from decalage.app.server.protocol import ProtocolError
from decalage.errors import UsageError
from scripts.fuzz.choices import BrokenError, Choices, hold
from scripts.fuzz.target import Target

_PARTS: tuple[str, ...] = (
    "http",
    "ws",
    "://",
    ":",
    "/",
    "//",
    "[::1]",
    "localhost",
    "127.0.0.1",
    "8765",
    "/v1/",
    "/overlay",
    "@",
)
_PARTS += (
    "?listen=",
    "&to=pt",
    "#",
    "%2F",
    "talks.example",
    ".",
    "é",
    "℀",
    " ",
    "\n",
    "\0",
    "[",
    "]",
    "?",
    "%",
)


_TOKEN = "let me in"  # noqa: S105 - opens nothing


def _made_of_parts(choices: Choices) -> str:
    """Text of pieces that mean something, or any."""
    return "".join(
        choices.pick(_PARTS) if choices.below(8) else choices.text(8) for _ in range(choices.below(12))
    )


def address(data: bytes) -> None:
    """An address that a person gives: one whose links lead to the same server, or bad usage in one line."""
    choices = Choices(data)
    listen_id = choices.text(12)
    given = _made_of_parts(choices) if choices.below(2) else choices.rest().decode("utf-8", "replace")
    try:
        found = Address.parsed(given)
    except UsageError as error:
        hold(error.exit_code == 2, error)
        return
    again = Address.parsed(str(found))
    hold(
        (urlsplit(again.stream).netloc, again.secure) == (urlsplit(found.stream).netloc, found.secure), given
    )
    hold(found.here == again.here, given)
    hold(str(found).isprintable() and " " not in str(found), given)
    if "\ud800" in listen_id:
        return
    captions = urlsplit(found.captions(listen_id, target="pt", after=3, partials=False))
    hold(captions.netloc == urlsplit(str(found)).netloc, given)
    hold(captions.path.rpartition("/v1/")[2].count("/") == 2 and not captions.fragment, listen_id)
    asked = parse_qs(urlsplit(found.link(listen_id, "pt")).query, keep_blank_values=True)
    hold(asked == {"listen": [listen_id], "to": ["pt"]}, listen_id)


def door(data: bytes) -> None:
    """Host, Origin and Authorization: nobody comes in by a name that only looks like the server's."""
    choices = Choices(data)
    closed = Door(token=_TOKEN, hosts=names_of("talks.example", ()), addresses=choices.below(2) == 1)
    named = Door(hosts=None, origins=("https://pages.example/",))
    host, origin = _made_of_parts(choices), _made_of_parts(choices)
    if closed.knows_host(host):
        name = host.removesuffix(":" + host.rpartition(":")[2]) if host.count(":") == 1 else host
        plain = name.lower().removesuffix(".")
        literal = plain in ("talks.example", "localhost", "127.0.0.1", "[::1]", "::1")
        hold(literal or plain.startswith("[::1]:") or closed.addresses, host)
        hold(not set(host) & set("/?#@\\ \n\0"), host)
    if named.knows_origin(origin, host):
        own = origin.lower() in (f"http://{host}".lower(), f"https://{host}".lower())
        hold(own or origin.rstrip("/") == "https://pages.example", (origin, host))
    is_loopback(host)
    token = bearer(choices.text(40))
    hold(closed.admits(token) == (token == _TOKEN), token)


async def _nothing(*_: object) -> Any:
    raise BrokenError("nobody reads or writes here")


def listener_query(data: bytes) -> None:
    """What a listener asks for: a language, a number to count from, or a refusal in a short line."""
    scope = {"type": "websocket", "path": "/", "headers": [], "query_string": data}
    try:
        target, after, _ = asked(WebSocket(scope, _nothing, _nothing))
    except ProtocolError as error:
        hold(error.code == "bad-message" and len(str(error)) <= 400, error)
        return
    hold(target is None or (target.isascii() and 2 <= len(target) <= 3), target)
    hold(after is None or 0 <= after < 10**15, after)


def logged_path(data: bytes) -> None:
    """A path as it is logged: no longer than a line, without its query, and without a long name in it."""
    choices = Choices(data)
    path = "/" + "/".join(choices.text(60) for _ in range(choices.below(6)))
    told = shown_path(path)
    hold(len(told) <= 101 and "?" not in told and "#" not in told, told)
    listen_id = "Zq3-" + choices.text(20).replace("/", "").replace("?", "").replace("#", "") + "x" * 20
    hold(listen_id not in shown_path(f"{path}/sessions/{listen_id}/captions"), listen_id)


TARGETS = (
    Target("address", address, (b"\0\0http://127.0.0.1:8765/", b"\0\0wss://talks.example/x/?listen=a&to=pt")),
    Target("door", door, (b"\0\x02\x01\x05", b"\x01\x03\x01\x01"), ("https://", f"Bearer {_TOKEN}")),
    Target(
        "listener-query",
        listener_query,
        (b"to=pt-BR&after=3&partials=false", b"after=%D9%A3&to=%ff", b"to=portuguese"),
        ("to=", "&after=", "&partials=", "%D9%A3", "+"),
        128,
    ),
    Target("logged-path", logged_path, (b"\x03\x02v1\x08sessions\x05abcde",)),
)
