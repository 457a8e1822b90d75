"""What the history keeps of a session and gives of it: values, and their arithmetic."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import isfinite
from types import MappingProxyType

from decalage.events import Caption, Event, Failure, Settled, Summary, Timing
from decalage.store.journal_session import Ending
from decalage.store.journal_settings import JournalSettings

_MOST = 2**53
"""A larger number of an utterance comes from a damaged file."""
ENDINGS: Mapping[str | None, Ending] = MappingProxyType({"closed": "closed", "stopped": "stopped"})
"""How a session ended, by what is written of it."""


@dataclass(frozen=True, slots=True)
class SessionText:
    """All that was told in a session, as its outputs had it but for growing captions."""

    name: str
    """Of its journal's folder."""
    settings: JournalSettings
    ending: Ending | None
    """None: its program came to an end before."""
    events: tuple[Event, ...]

    @property
    def duration_s(self) -> float:
        """Seconds of sound, as far as it was answered."""
        heard = (event.audio_s for event in self.events if isinstance(event, Summary))
        answered = (event.end for event in self.events if isinstance(event, Settled))
        return max(filter(isfinite, (*heard, *answered)), default=0.0)

    @property
    def answers(self) -> int:
        """How many utterances were answered, one way or another."""
        return sum(isinstance(event, Settled) for event in self.events)

    def count(self, kind: type[Settled]) -> int:
        """How many utterances were answered so."""
        return sum(isinstance(event, kind) for event in self.events)


@dataclass(frozen=True, slots=True)
class Said:
    """A text of one utterance in one language."""

    utterance: int
    language: str
    start: float
    """Seconds on the stream clock."""
    end: float
    text: str
    spoken: bool
    """Whether it is the language of the speech."""


@dataclass(frozen=True, slots=True)
class Rendition:
    """A session's captions in one more language, made afterwards."""

    language: str
    text: Mapping[int, str]
    """By utterance."""
    errors: Mapping[int, str] = field(default_factory=dict)
    """Utterance → why there is none."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A session in the list."""

    name: str
    began: str
    """ISO 8601, UTC."""
    duration_s: float
    source: tuple[str, ...]
    """The languages spoken; ``auto`` where none was told."""
    targets: tuple[str, ...]
    """The languages it can be read in beside these."""
    model: str
    ending: Ending | None
    captions: int
    failures: int
    rejected: int
    gaps: int
    first_words: str


@dataclass(frozen=True, slots=True)
class Hit:
    """An utterance in which something was found."""

    session: str
    began: str
    utterance: int
    start: float
    """Seconds on the stream clock."""
    end: float
    text: Mapping[str, str]
    """By language, the one spoken first."""
    matched: Mapping[str, Sequence[tuple[int, int]]]
    """Language → (first, past the last) letter of what was found."""


@dataclass(frozen=True, slots=True)
class Found:
    """The newest utterances that fit."""

    hits: tuple[Hit, ...]
    total: int
    """How many there are in all."""


def transcript(event: Event) -> tuple[str, str] | None:
    """(language, text) of what was heard, for an event that has it."""
    if isinstance(event, Caption):
        text = event.text.get(event.source)
        return None if text is None else (event.source, text)
    return next(iter(event.text.items()), None) if isinstance(event, Failure) else None


def answered_once(events: Iterable[Event]) -> Iterator[Event]:
    """``events`` without a second answer to an utterance."""
    answered: set[int] = set()
    for event in events:
        if isinstance(event, Settled):
            if event.index in answered:
                continue
            answered.add(event.index)
        yield event


def said(events: Iterable[Event]) -> Iterator[Said]:
    """Each text in each language; of a failure what was heard."""
    for event in events:
        heard = transcript(event)
        if not isinstance(event, Caption | Failure) or heard is None or not _is_sound(event):
            continue
        for language, text in event.text.items():
            yield Said(event.index, language, event.start, event.end, text, spoken=language == heard[0])


def _is_sound(event: Settled) -> bool:
    return 0 <= event.index < _MOST and isfinite(event.start) and isfinite(event.end)


def rendered(events: Iterable[Event], renditions: Sequence[Rendition]) -> list[Event]:
    """``events`` with what was translated afterwards in its place."""
    return [_rendered(event, renditions) for event in events]


def _rendered(event: Event, renditions: Sequence[Rendition]) -> Event:
    heard = transcript(event)
    if not isinstance(event, Caption | Failure) or heard is None:
        return event
    index, text = event.index, dict(event.text)
    errors = dict(event.errors) if isinstance(event, Caption) else {}
    for rendition in renditions:
        language = rendition.language
        if index in rendition.text:
            text[language] = rendition.text[index]
            errors.pop(language, None)
        elif index in rendition.errors and language not in text:
            errors[language] = rendition.errors[index]
    if isinstance(event, Caption):
        return replace(event, text=text, errors=errors)
    return event if len(text) == len(event.text) else _caption(event, heard[0], text, errors)


def _caption(event: Failure, source: str, text: Mapping[str, str], errors: Mapping[str, str]) -> Caption:
    """A failure whose transcript was translated after all; its end stands for the times it does not tell."""
    end = event.end
    timing = Timing(end, end, end, end, None, None, end)
    return Caption(event.index, event.start, end, source, text, timing, None, None, errors=errors)


def read_in(events: Iterable[Event], languages: Collection[str]) -> list[Event]:
    """``events`` with no translations but those into ``languages``."""
    return [_read_in(event, languages) if isinstance(event, Caption) else event for event in events]


def _read_in(caption: Caption, languages: Collection[str]) -> Caption:
    kept = {caption.source, *languages}
    return replace(
        caption,
        text={language: text for language, text in caption.text.items() if language in kept},
        errors={language: error for language, error in caption.errors.items() if language in kept},
    )
