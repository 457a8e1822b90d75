"""What a journal says of its session: all that is needed to caption the rest of it, in session.json."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from decalage.audio import SAMPLE_RATE
from decalage.config import StreamOptions
from decalage.errors import DecalageError, InputError, brief
from decalage.events import Start, as_json
from decalage.wire import from_json, record

VERSION = 1
"""Of the folder and all that is in it."""
_SOUND = "flac"
_ALWAYS = ("targets", "directions", "recognizer", "segmenter", "terms", "pace")


@dataclass(frozen=True, slots=True, kw_only=True)
class Models:
    """What recognized, as it was asked for; translators follow from the languages."""

    model: str
    """A name or an absolute path."""
    device: str
    compute_type: str
    engine: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalSettings:
    """A session as it began."""

    began: str
    """ISO 8601, UTC."""
    models: Models
    start: Start
    options: StreamOptions


def settings_as_json(settings: JournalSettings) -> dict[str, Any]:
    """The contents of session.json."""
    options = asdict(settings.options)
    directions = settings.options.directions
    options["directions"] = None if directions is None else sorted(directions)
    return {
        "version": VERSION,
        "began": settings.began,
        "sound": {"format": _SOUND, "rate": SAMPLE_RATE},
        "models": asdict(settings.models),
        "start": as_json(settings.start),
        "options": options,
    }


def settings_from_json(body: object) -> JournalSettings:
    """The reverse; fields that are not known here are passed over. Raises ``InputError``."""
    try:
        return _settings(_object(body))
    except (DecalageError, KeyError, TypeError, ValueError, RecursionError) as error:
        told = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else str(error)
        raise InputError(f"session.json is not one of version {VERSION}: {told}") from error


def _settings(body: dict[str, Any]) -> JournalSettings:
    if body["version"] != VERSION:
        raise ValueError(f"it has version {brief(body['version'])}")
    if body["sound"] != {"format": _SOUND, "rate": SAMPLE_RATE}:
        raise ValueError(f"its sound is {brief(body['sound'])}")
    start = from_json(_object(body["start"]))
    if not isinstance(start, Start):
        raise TypeError("start is no such event")
    options = record(StreamOptions, body["options"])
    for name in _ALWAYS:
        body["options"][name]  # there since the first version: its default would be another session's
    return JournalSettings(
        began=str(body["began"]),
        models=record(Models, body["models"]),
        start=start,
        options=options,
    )


def _object(body: object) -> dict[str, Any]:
    if not isinstance(body, Mapping):
        raise TypeError(f"{brief(body)} is no object")
    return dict(body)
