"""What a server says, as values; docs/protocol.md has every message and field."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from decalage.audio import sample_count
from decalage.errors import MalformedEventError, ServerError, brief, one_line
from decalage.events import Event
from decalage.wire import from_json

VERSION = 1
"""Of the protocol."""

_LARGEST = 2**53
"""Of a number: what JSON's readers have in common, RFC 8259, section 6."""
_SAMPLE_BYTES = 2
"""A frame holds one, or nothing can be sent."""

Body: TypeAlias = Mapping[str, object]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Limits:
    """What a server puts up with. A time of 0: it did not say."""

    frame_bytes: int = 64_000
    grace_s: float = 0.0
    """A lost connection may come back for so long."""
    ahead_s: float = 0.0
    """Sound may come so much sooner than it could have been spoken."""
    idle_s: float = 0.0
    """A session without sound or message ends after it."""


@dataclass(frozen=True, slots=True)
class Ready:
    """The session stands, and sound is wanted from sample ``received`` on."""

    session: str
    """Secret: whoever has it can go on speaking."""
    listen_id: str
    """With it others read along."""
    resumed: bool
    source: str
    targets: tuple[str, ...]
    limits: Limits
    received: int


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """Samples before ``received`` are safe."""

    received: int


@dataclass(frozen=True, slots=True)
class Numbered:
    """An event and its number in the session."""

    event: Event
    seq: int
    """From 1 on; 0: the server gave none."""


@dataclass(frozen=True, slots=True)
class Overloaded:
    """The server cannot keep up, and gives up ``shedding``; nothing: it can again."""

    behind_s: float
    shedding: str


@dataclass(frozen=True, slots=True)
class Fault:
    """What the server did not take; after a fatal one it closes the connection."""

    code: str
    message: str
    fatal: bool


@dataclass(frozen=True, slots=True)
class Closed:
    """Nothing more comes. ``flushed``: all sound that came was answered."""

    flushed: bool
    reason: str


Message: TypeAlias = Ready | Acknowledged | Numbered | Overloaded | Fault | Closed


def parsed(text: str) -> Message | None:
    """The message in ``text``; None for one that asks for nothing, or is not known here.

    Raises ``ServerError`` for what breaks the protocol.
    """
    try:
        body = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _broken(f"no JSON ({one_line(error)})") from error
    if not isinstance(body, dict):
        raise _broken("no object")
    reader = _READERS.get(str(body.get("type")))
    if reader is not None:
        return reader(body)
    try:
        event = from_json(body)
    except MalformedEventError as error:
        raise _broken(str(error)) from error
    return None if event is None else Numbered(event, _get(body, "seq", 0))


def config(
    *,
    source: str | None,
    targets: tuple[str, ...],
    partials: bool,
    stability: str | None,
    prompt: str | None,
) -> dict[str, object]:
    """The first message of a new session; what is None or empty is left to the server."""
    asked: dict[str, object] = {"from": source, "to": list(targets), "stability": stability, "prompt": prompt}
    chosen = {name: value for name, value in asked.items() if value}
    return {"type": "config", "version": VERSION, **chosen, "partials": partials}


def _ready(body: Body) -> Ready:
    limits: Body = _get(body, "limits", {})
    targets: list[object] = _get(body, "targets", [])
    plain = Limits()
    frame_bytes = _get(limits, "frame_bytes", plain.frame_bytes)
    if frame_bytes < _SAMPLE_BYTES:
        raise _broken(f"frame_bytes cannot be {frame_bytes}")
    return Ready(
        session=_get(body, "session", ""),
        listen_id=_get(body, "listen_id", ""),
        resumed=_get(body, "resumed", False),
        source=_get(body, "source", ""),
        targets=tuple(map(str, targets)),
        limits=Limits(
            frame_bytes=frame_bytes,
            grace_s=_get(limits, "grace_s", plain.grace_s),
            ahead_s=_get(limits, "ahead_s", plain.ahead_s),
            idle_s=_get(limits, "idle_s", plain.idle_s),
        ),
        received=_samples(body),
    )


def _overload(body: Body) -> Overloaded:
    shedding = body.get("shedding")
    words = shedding if isinstance(shedding, list) else [shedding] if shedding else []
    return Overloaded(_get(body, "behind_s", 0.0), ", ".join(map(str, words)))


def _closed(body: Body) -> Closed:
    return Closed(_get(body, "flushed", False), _get(body, "reason", "end"))


def _fault(body: Body) -> Fault:
    return Fault(_get(body, "code", "internal"), _get(body, "message", ""), _get(body, "fatal", True))


def _acknowledged(body: Body) -> Acknowledged:
    return Acknowledged(_samples(body))


_READERS: Mapping[str, Callable[[Body], Message]] = {
    "ready": _ready,
    "ack": _acknowledged,
    "overload": _overload,
    "error": _fault,
    "closed": _closed,
}


def _samples(body: Body) -> int:
    return sample_count(_get(body, "audio_received_s", 0.0))


def _get(body: Body, name: str, default: T) -> T:
    """The field ``name``, of the type that ``default`` has; no number is below 0.

    Raises ``ServerError`` for another one.
    """
    value = body.get(name)
    if value is None:
        return default
    if isinstance(value, int | float) and not isinstance(value, bool):
        if not 0 <= value < _LARGEST:
            raise _broken(f"{name} cannot be {brief(value)}")
        value = float(value) if isinstance(default, float) else value
    if isinstance(value, type(default)) and isinstance(value, bool) == isinstance(default, bool):
        return value
    raise _broken(f"{name} cannot be {brief(value)}")


def _broken(what: str) -> ServerError:
    return ServerError(f"the server said what cannot be understood: {what}; is it décalage?", "bad-message")
