"""Reads what a client says: docs/protocol.md. Pure: text in, values or a ``ProtocolError`` out."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, TypeVar, get_args

from decalage.app.server.protocol import (
    VERSION,
    ClientMessage,
    Config,
    End,
    Flush,
    Ping,
    ProtocolError,
    Resume,
)
from decalage.config import Stability
from decalage.errors import UsageError, brief
from decalage.languages import primary
from decalage.sources.packets import OPUS_RATE, Encoding

RATES = range(8_000, 192_001)
"""Hertz."""
PROMPT_LETTERS = 400
LANGUAGES = 16
"""Targets of one session, at most."""
_LARGEST = 2**53
"""Of a number: what JSON's readers have in common, RFC 8259, section 6."""


def parse(text: str) -> ClientMessage:
    """The message in a text frame; fields that are not known are passed over. Raises ``ProtocolError``."""
    try:
        body = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise ProtocolError("bad-message", f"not JSON: {error}") from error
    if not isinstance(body, dict):
        raise ProtocolError("bad-message", "not a JSON object")
    kind = body.get("type")
    if kind == "config":
        return _config(body)
    if kind == "flush":
        return Flush()
    if kind == "end":
        return End()
    if kind == "ping":
        return Ping(_ping_id(body))
    raise ProtocolError("bad-message", f"unknown type {brief(kind)}; there are config, flush, end and ping")


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def _config(body: Mapping[str, Any]) -> Config:
    version = _taken(body, "version", _whole)
    if version is None:
        raise ProtocolError("bad-message", "config needs a version")
    if version != VERSION:
        raise ProtocolError("unsupported-version", f"version {brief(version)}; this server speaks {VERSION}")
    encoding: Encoding = _taken(body, "encoding", _one_of(get_args(Encoding))) or "pcm_s16le"
    rate = _taken(body, "sample_rate", _whole)
    if rate is not None and rate not in RATES:
        raise ProtocolError("bad-message", f"sample_rate {brief(rate)}: {RATES.start} to {RATES.stop - 1} Hz")
    prompt = _taken(body, "prompt", _text)
    if prompt is not None and len(prompt) > PROMPT_LETTERS:
        raise ProtocolError("bad-message", f"a prompt has at most {PROMPT_LETTERS} letters")
    partials = _taken(body, "partials", _boolean)
    return Config(
        source=_taken(body, "from", _source),
        targets=_taken(body, "to", _targets),
        sample_rate=OPUS_RATE if encoding == "opus" else rate or 16_000,
        encoding=encoding,
        partials=True if partials is None else partials,
        stability=_taken(body, "stability", _one_of(get_args(Stability))) or "balanced",
        prompt=prompt or None,
        token=_taken(body, "token", _text),
        resume=_taken(body, "resume", _resume),
    )


def _resume(value: Any) -> Resume:
    if not isinstance(value, dict):
        raise TypeError("an object")
    found = {each.name: value.get(each.name) for each in fields(Resume)}
    if found["session"] is None or found["last_seq"] is None or found["audio_sent_s"] is None:
        raise TypeError("an object with session, last_seq and audio_sent_s")
    last_seq = _whole(found["last_seq"])
    if last_seq < 0:
        raise TypeError("an object whose last_seq is 0 or more")
    lost_to = found["audio_from_s"]
    return Resume(
        session=_text(found["session"]),
        last_seq=last_seq,
        audio_sent_s=_seconds(found["audio_sent_s"]),
        audio_from_s=None if lost_to is None else _seconds(lost_to),
    )


T = TypeVar("T")


def _taken(body: Mapping[str, Any], name: str, read: Callable[[Any], T]) -> T | None:
    """The field ``name``; null is as good as nothing."""
    value = body.get(name)
    if value is None:
        return None
    try:
        return read(value)
    except (TypeError, UsageError) as error:
        told = error if isinstance(error, UsageError) else f"{error} is needed"
        raise ProtocolError("bad-message", f"{name} {brief(value)}: {told}") from error


def _text(value: Any) -> str:
    if not isinstance(value, str) or not _is_unicode(value):
        raise TypeError("a string")
    return value


def _is_unicode(text: str) -> bool:
    """Whether ``text`` can be written: JSON may hold half of a surrogate pair, RFC 8259, section 8.2."""
    return not any("\ud800" <= letter <= "\udfff" for letter in text)


def _whole(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError("a whole number")
    return value


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError("true or false")
    return value


def _seconds(value: Any) -> float:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 <= value < _LARGEST:
        raise TypeError("a number of seconds")
    return float(value)


def _one_of(known: tuple[Any, ...]) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:
        if value not in known or not isinstance(value, str):
            raise TypeError(f"one of {', '.join(known)}")
        return value

    return read


def _source(value: Any) -> str:
    return "auto" if _text(value).lower() == "auto" else primary(value)


def _targets(value: Any) -> tuple[str, ...]:
    items = value.split(",") if isinstance(value, str) else value
    if not isinstance(items, list) or not items or len(items) > LANGUAGES:
        raise TypeError(f"a language or a list of 1 to {LANGUAGES}")
    return tuple(dict.fromkeys(primary(_text(item).strip()) for item in items))


def _ping_id(body: Mapping[str, Any]) -> int | float | str | None:
    value = body.get("id")
    whole = isinstance(value, int) and not isinstance(value, bool) and abs(value) < _LARGEST
    real = isinstance(value, float) and math.isfinite(value)  # 1e999 is read as infinite
    short = isinstance(value, str) and len(value) <= 64 and _is_unicode(value)
    if value is None or whole or real or short:
        return value
    raise ProtocolError("bad-message", f"id {brief(value)}: a number or a string of 64 letters is needed")
