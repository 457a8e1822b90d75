"""What goes through sockets: the messages of clients and servers, and events."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from decalage.app.client.messages import Acknowledged, Numbered, Ready, parsed
from decalage.app.server.parsing import LANGUAGES, PROMPT_LETTERS, RATES, parse
from decalage.app.server.protocol import (
    CLOSE_CODES,
    ClientMessage,
    Config,
    Error,
    Ping,
    Pong,
    ProtocolError,
    dumps,
)
from decalage.app.server.protocol import written as sent
from decalage.errors import MalformedEventError, ServerError
from decalage.events import Event, as_json
from decalage.sources.packets import OPUS_RATE
from decalage.wire import from_json
from scripts.fuzz.choices import Choices, hold, written
from scripts.fuzz.target import Target

_TOLD_LETTERS = 400
"""An answer to what cannot be read is no longer, however long that was."""

_CLIENT = (
    {"type": "config", "version": 1, "from": "en", "to": ["pt", "es"], "token": "secret", "prompt": "Ada"},
    {
        "type": "config",
        "version": 1,
        "to": "pt-BR,es",
        "sample_rate": 48_000,
        "encoding": "pcm_f32le",
        "partials": False,
        "stability": "reading",
        "resume": {"session": "s", "last_seq": 3, "audio_sent_s": 1.5, "audio_from_s": 0.25},
    },
    {"type": "config", "version": 1, "encoding": "opus", "from": "auto"},
    {"type": "ping", "id": 3},
    {"type": "ping", "id": "a word"},
    {"type": "flush"},
    {"type": "end"},
)
_LIMITS = {"frame_bytes": 131_072, "session_s": 14_400.0, "idle_s": 300.0, "grace_s": 60.0, "ahead_s": 120.0}
_SERVER = (
    {
        "type": "ready",
        "session": "s",
        "listen_id": "l",
        "resumed": False,
        "source": "en",
        "targets": ["pt"],
        "limits": _LIMITS,
        "audio_received_s": 1.5,
    },
    {"type": "ack", "audio_received_s": 12.25},
    {"type": "overload", "behind_s": 3.0, "shedding": ["partials"]},
    {"type": "error", "code": "busy", "message": "full", "fatal": True},
    {"type": "closed", "flushed": True, "reason": "end"},
    {"type": "gap", "index": 1, "start": 0.5, "end": 2.0, "cause": "device", "captured": False, "seq": 4},
)
_TIMING = {"speech_end": 1.5, "endpoint": 2.0, "asr_start": 2, "asr_end": 2.2, "mt_start": None, "mt_end": 3}
_TEXT = {"en": "It was.", "pt": "Foi."}
EVENTS: tuple[dict[str, Any], ...] = (
    {
        "type": "caption",
        "index": 0,
        "start": 0.0,
        "end": 1.6,
        "source": "en",
        "text": _TEXT,
        "timing": {**_TIMING, "emitted": 2.5},
        "latency": 0.5,
        "lag": 1.0,
        "degraded": [],
        "words": [{"text": "It", "start": 0.1, "end": 0.2}],
        "errors": {"es": "no model"},
    },
    {
        "type": "partial",
        "index": 1,
        "revision": 2,
        "start": 1.6,
        "end": 2.0,
        "source": "en",
        "text": _TEXT,
        "stable": {"en": 2, "pt": 0},
    },
    {"type": "failure", "index": 2, "start": 2, "end": 3, "stage": "mt", "error": "failed", "text": _TEXT},
    {"type": "rejected", "index": 3, "start": 3.0, "end": 4.0, "reason": "loop"},
    {"type": "gap", "index": 4, "start": 4.0, "end": 5.0, "cause": "overload", "captured": True},
    {"type": "language", "index": 5, "language": "pt", "before": None},
    {"type": "speech_started", "time": 1.25},
    {"type": "speech_stopped", "time": 2.5},
    {
        "type": "summary",
        "utterances": 3,
        "captions": 1,
        "failures": 1,
        "rejected": 1,
        "gaps": 0,
        "audio_s": 60.0,
        "wall_s": 12.0,
        "rtf": 0.2,
        "load": 0.1,
        "latency": {"mean": 0.1, "p50": 0.1, "p95": 0.2, "max": 0.3},
        "lag": None,
        "dropped_s": 0.0,
        "cpu_percent": None,
        "memory_mb": 300.0,
        "cold_start_s": 1.0,
    },
)
"""One of each kind, as they are published."""


def _words(*bodies: object) -> tuple[str, ...]:
    """Every name and text in ``bodies``."""
    found: dict[str, None] = {}

    def look(value: object) -> None:
        if isinstance(value, dict):
            found.update(dict.fromkeys(map(str, value)))
            value = list(value.values())
        if isinstance(value, list | tuple):
            for each in value:
                look(each)
        elif isinstance(value, str):
            found[value] = None

    look(bodies)
    return tuple(found)


CLIENT_WORDS = _words(*_CLIENT)
SERVER_WORDS = _words(*_SERVER, *EVENTS)


def client_message(data: bytes) -> None:
    """A text frame from a client: a message that says the same written again, or a refusal that is short."""
    text = Choices(data).document(_CLIENT, CLIENT_WORDS)
    try:
        message = parse(text)
    except ProtocolError as error:
        answer = sent(Error(error.code, str(error), fatal=True)).encode()
        hold(error.code in CLOSE_CODES, error.code)
        hold(len(str(error)) <= _TOLD_LETTERS, f"{len(text)} letters are answered by {len(answer)} bytes")
        return
    if isinstance(message, Config):
        hold(message.sample_rate in RATES, message)
        hold(message.targets is None or 1 <= len(message.targets) <= LANGUAGES, message)
        hold(message.prompt is None or 1 <= len(message.prompt) <= PROMPT_LETTERS, message)
        hold(message.encoding != "opus" or message.sample_rate == OPUS_RATE, message)
    elif isinstance(message, Ping):
        sent(Pong(message.id)).encode()
    hold(parse(_as_sent(message)) == message, message)


def _as_sent(message: ClientMessage) -> str:
    body = {"type": message.type, **asdict(message)}
    if isinstance(message, Config):
        body["from"], body["to"] = body.pop("source"), body.pop("targets") and list(message.targets or ())
    return json.dumps(body)


def server_message(data: bytes) -> None:
    """A text frame from a server: a message whose numbers can be counted with, or an error that is short."""
    choices = Choices(data)
    try:
        message = parsed(choices.document((*_SERVER, *EVENTS), SERVER_WORDS))
    except ServerError as error:
        hold(len(str(error)) <= _TOLD_LETTERS and "\n" not in str(error), error)
        return
    if isinstance(message, Ready | Acknowledged):
        hold(message.received >= 0, message)
        hold(isinstance(message, Acknowledged) or message.limits.frame_bytes >= 2, message)
    elif isinstance(message, Numbered):
        _again(message.event)


def event(data: bytes) -> None:
    """JSON of an event: one that is the same after it was written and read again."""
    choices = Choices(data)
    try:
        body = json.loads(written(choices.changed(EVENTS, SERVER_WORDS)))
        found = from_json(body) if isinstance(body, dict) else None
    except RecursionError:  # the interpreter's own reader
        return
    except MalformedEventError as error:
        hold(len(str(error)) <= _TOLD_LETTERS, error)
        return
    if found is not None:
        _again(found)


def _again(found: Event) -> None:
    """Published, read and published again it says the same; times are rounded the first time only."""
    published = as_json(found)
    dumps(published)
    back = from_json(json.loads(json.dumps(published)))
    hold(back is not None and as_json(back) == published, published)


def _seeds(*bodies: object) -> tuple[bytes, ...]:
    return tuple(b"\0" + json.dumps(body).encode() for body in bodies)


TARGETS = (
    Target("client-message", client_message, _seeds(*_CLIENT), CLIENT_WORDS),
    Target("server-message", server_message, _seeds(*_SERVER, *EVENTS), SERVER_WORDS),
    Target("event", event, tuple(bytes([number, 0]) for number in range(len(EVENTS))), SERVER_WORDS),
)
