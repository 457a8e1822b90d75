"""What a reader saw of each utterance in one language, and when.

So: how much was taken back, and when each word came to stay. Works on published events
(``events.as_json``) with ``at``, when each was read on the stream clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from decalage.flow.stability import agreement

Event: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Shown:
    """A text as it stood on the screen."""

    words: tuple[str, ...]
    at: float
    """Seconds on the stream clock: when it appeared."""
    heard: float
    """How much sound it came from: without computing it could have appeared then."""


class Emission(NamedTuple):
    """A word of the final text."""

    word: str
    heard: float
    at: float


def histories(events: Iterable[Event], language: str) -> dict[int, list[Shown]]:
    """Utterance → its texts in ``language`` one after another, the settled one last.

    An utterance that settles without a caption ends with no words.
    """
    found: dict[int, list[Shown]] = {}
    for event in events:
        words = tuple(event.get("text", {}).get(language, "").split()) if _tells(event) else ()
        at, heard = event["at"], event["end"]
        if event["type"] == "caption":
            at, heard = event["timing"]["emitted"], event["timing"]["endpoint"]
        found.setdefault(event["index"], []).append(Shown(words, at, heard))
    return dict(sorted(found.items()))


def _tells(event: Event) -> bool:
    return event["type"] in ("partial", "caption")


def erased(history: Sequence[Shown]) -> int:
    """Words taken back from one text to the next.

    Over the words of the final texts it is normalized erasure (Arivazhagan et al. 2020,
    "Re-translation versus Streaming for Simultaneous Translation", section 3.2): 0 for what only
    grows, 1 when each word of the result was replaced once.
    """
    before: tuple[str, ...] = ()
    count = 0
    for shown in history:
        count += len(before) - agreement(before, shown.words)
        before = shown.words
    return count


def emissions(history: Sequence[Shown]) -> list[Emission]:
    """The words of the final text, each with the moment from which it and all before it stood still."""
    if not history:
        return []
    final = history[-1].words
    standing = len(final)
    left: list[Emission] = []
    for earlier, shown in zip(reversed([None, *history[:-1]]), reversed(history), strict=True):
        kept = min(standing, agreement(earlier.words, final)) if earlier is not None else 0
        left += [Emission(word, shown.heard, shown.at) for word in reversed(final[kept:standing])]
        standing = kept
    return left[::-1]


def first_words(history: Sequence[Shown]) -> float | None:
    """When words first appeared, seconds on the stream clock."""
    return next((shown.at for shown in history if shown.words), None)
