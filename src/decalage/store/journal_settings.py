"""What a journal says of its session: all that is needed to caption the rest of it, in session.json."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from decalage.audio import SAMPLE_RATE
from decalage.config import RecognizerOptions, SegmenterOptions, StreamOptions, Term
from decalage.errors import DecalageError, InputError
from decalage.events import Start, as_json
from decalage.wire import from_json

VERSION = 1
"""Of the folder and all that is in it."""
_SOUND = "flac"


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
    except (DecalageError, KeyError, TypeError, ValueError) as error:
        told = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else str(error)
        raise InputError(f"session.json is not one of version {VERSION}: {told}") from error


def _settings(body: dict[str, Any]) -> JournalSettings:
    if body["version"] != VERSION:
        raise ValueError(f"it has version {body['version']!r}")
    if body["sound"] != {"format": _SOUND, "rate": SAMPLE_RATE}:
        raise ValueError(f"its sound is {body['sound']!r}")
    start = from_json(_object(body["start"]))
    if not isinstance(start, Start):
        raise TypeError("start is no such event")
    return JournalSettings(
        began=str(body["began"]),
        models=Models(**{name: str(value) for name, value in _known(Models, body["models"]).items()}),
        start=start,
        options=_options(_object(body["options"])),
    )


def _options(body: dict[str, Any]) -> StreamOptions:
    given = _known(StreamOptions, body)
    given["targets"] = tuple(str(target) for target in body["targets"])
    given["terms"] = tuple(_term(_object(term)) for term in body["terms"])
    given["recognizer"] = RecognizerOptions(**_known(RecognizerOptions, body["recognizer"]))
    given["segmenter"] = SegmenterOptions(**_known(SegmenterOptions, body["segmenter"]))
    if body["directions"] is not None:
        given["directions"] = frozenset((str(source), str(target)) for source, target in body["directions"])
    return StreamOptions(**given)


def _term(body: dict[str, Any]) -> Term:
    pairs = tuple((str(language), str(text)) for language, text in body["by_language"])
    return Term(str(body["text"]), body["everywhere"], pairs)


def _known(
    kind: type[Models | StreamOptions | RecognizerOptions | SegmenterOptions], body: object
) -> dict[str, Any]:
    given = _object(body)
    return {field.name: given[field.name] for field in fields(kind) if field.name in given}


def _object(body: object) -> dict[str, Any]:
    if not isinstance(body, Mapping):
        raise TypeError(f"{body!r} is no object")
    return dict(body)
