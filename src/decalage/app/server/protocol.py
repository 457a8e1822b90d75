"""The messages of the WebSockets, as values: docs/protocol.md. ``parsing`` reads them.

Each is a frozen value; the name that a field has on the wire stands in its metadata where Python has
another use for that word. ``schema`` makes docs/protocol.schema.json of the same classes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, Literal, TypeAlias

from decalage.config import Stability
from decalage.errors import DecalageError
from decalage.sources.packets import Encoding

VERSION = 1

Code: TypeAlias = Literal[
    "bad-message",
    "bad-audio",
    "unsupported-language",
    "unsupported-version",
    "not-allowed",
    "unknown-session",
    "taken-over",
    "too-fast",
    "too-slow",
    "too-big",
    "busy",
    "internal",
]

CLOSE_CODES: Mapping[Code, int] = {
    "bad-message": 1003,
    "bad-audio": 1003,
    "unsupported-language": 1003,
    "unsupported-version": 1003,
    "not-allowed": 1008,
    "unknown-session": 1008,
    "taken-over": 1008,
    "too-fast": 1008,
    "too-slow": 1008,
    "too-big": 1009,
    "busy": 1013,
    "internal": 1011,
}

Reason: TypeAlias = Literal["end", "idle", "too-long", "draining", "expired"]
"""Why a session is over."""


class ProtocolError(DecalageError):
    """Raised for what a client may not do; ``code`` is told to it, then the socket is closed."""

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code: Code = code

    @property
    def close_code(self) -> int:
        """RFC 6455, section 7.4."""
        return CLOSE_CODES[self.code]


@dataclass(frozen=True, slots=True, kw_only=True)
class Resume:
    """Go on with a session whose socket was lost."""

    session: str = field(repr=False)
    last_seq: int
    audio_sent_s: float
    audio_from_s: float | None = None
    """The client has no sound from before; what the server lacks up to there is lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The first message of who speaks."""

    type: ClassVar[str] = "config"
    source: str | None = field(default=None, metadata={"name": "from"})
    targets: tuple[str, ...] | None = field(default=None, metadata={"name": "to"})
    sample_rate: int = 16_000
    encoding: Encoding = "pcm_s16le"
    partials: bool = True
    stability: Stability = "balanced"
    prompt: str | None = None
    token: str | None = field(default=None, repr=False)
    resume: Resume | None = None
    version: int = field(default=VERSION, metadata={"required": True})


@dataclass(frozen=True, slots=True)
class Flush:
    """The utterance is over."""

    type: ClassVar[str] = "flush"


@dataclass(frozen=True, slots=True)
class End:
    """No more sound comes."""

    type: ClassVar[str] = "end"


@dataclass(frozen=True, slots=True)
class Ping:
    """Asks for a ``Pong``."""

    type: ClassVar[str] = "ping"
    id: int | float | str | None = None


ClientMessage: TypeAlias = Config | Flush | End | Ping


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one session may ask of the server."""

    frame_bytes: int = 131_072
    session_s: float = 14_400.0
    idle_s: float = 300.0
    grace_s: float = 60.0
    ahead_s: float = 120.0
    """Sound may come so much sooner than it could have been spoken."""
    sessions: int = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """The answer to ``Config``."""

    type: ClassVar[str] = "ready"
    session: str = field(repr=False)
    listen_id: str
    protocol: int = VERSION
    resumed: bool
    source: str
    targets: tuple[str, ...]
    limits: Limits
    languages: Mapping[str, Any]
    audio_received_s: float
    journal: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """The first message to who listens."""

    type: ClassVar[str] = "ready"
    listen_id: str
    protocol: int = VERSION
    source: str
    targets: tuple[str, ...]
    languages: Mapping[str, Any]
    seq: int


@dataclass(frozen=True, slots=True)
class Ack:
    """What of the sound is safe here."""

    type: ClassVar[str] = "ack"
    audio_received_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """How a session does."""

    type: ClassVar[str] = "stats"
    audio_received_s: float
    behind_s: float
    listeners: int
    lag_p50: float | None
    lag_p95: float | None


@dataclass(frozen=True, slots=True)
class Overload:
    """The server cannot keep up, or can again: then nothing is shed."""

    type: ClassVar[str] = "overload"
    behind_s: float
    policy: str
    shedding: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Pong:
    """Answers a ``Ping``."""

    type: ClassVar[str] = "pong"
    id: int | float | str | None = None


@dataclass(frozen=True, slots=True)
class Error:
    """Something was not as it should be."""

    type: ClassVar[str] = "error"
    code: Code
    message: str
    fatal: bool


@dataclass(frozen=True, slots=True)
class Closed:
    """Nothing more comes."""

    type: ClassVar[str] = "closed"
    flushed: bool
    """All sound that came was answered."""
    reason: Reason


ServerMessage: TypeAlias = Ready | Listening | Ack | Stats | Overload | Pong | Error | Closed


def written(message: ServerMessage) -> str:
    """``message`` as a text frame."""
    return dumps({"type": message.type, **asdict(message)})


def dumps(body: Mapping[str, Any]) -> str:
    """JSON on one line, no longer than it must be."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
