"""The events of one session, numbered, for those who read them as they come and who missed some."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from decalage.app.server.protocol import dumps
from decalage.events import (
    Event,
    LanguageChanged,
    OverloadChanged,
    Partial,
    Settled,
    SpeechStarted,
    SpeechStopped,
    Start,
    Summary,
    as_json,
)

KEPT = 20_000
"""Events a session keeps, at most: about a day of speech."""


@dataclass(frozen=True, slots=True, eq=False)
class Told:
    """An event and its number."""

    seq: int
    event: Event
    _written: dict[str | None, str] = field(default_factory=dict, repr=False)

    def written(self, target: str | None = None) -> str:
        """As a text frame with the texts of the source and ``target``; made once for all readers."""
        if target not in self._written:
            self._written[target] = dumps({**_only(as_json(self.event), target), "seq": self.seq})
        return self._written[target]


def _only(body: dict[str, Any], target: str | None) -> dict[str, Any]:
    if target is None:
        return body
    kept = {body.get("source"), target}
    told = dict(body)
    for name in ("text", "stable", "errors"):
        if name in body:
            told[name] = {language: item for language, item in body[name].items() if language in kept}
    if told.get("errors") == {}:
        del told["errors"]
    return told


def passes(event: Event) -> bool:
    """Whether only the newest of its kind is of use to who comes late."""
    return isinstance(event, Partial | SpeechStarted | SpeechStopped)


class Replay:
    """Readers keep a cursor, the ``seq`` they have; none has a queue, so a slow one costs nothing.

    Of partials, and of beginnings and ends of speech, only the newest is kept: a reader that is late
    gets that one. Pure.
    """

    def __init__(self, kept: int = KEPT) -> None:
        self.last_seq = 0
        self._kept: deque[Told] = deque(maxlen=kept)
        self.lost_seq = 0
        """The newest that is kept no more, though it did not pass."""
        self._partials: dict[int, Told] = {}  # by index, of those not settled: a few
        self._activity: Told | None = None

    def __repr__(self) -> str:
        return f"<Replay {self.last_seq} events, {len(self._kept)} kept>"

    def add(self, event: Event) -> Told:
        """Give ``event`` its number."""
        self.last_seq += 1
        told = Told(self.last_seq, event)
        if isinstance(event, Partial):
            self._partials[event.index] = told
        elif isinstance(event, SpeechStarted | SpeechStopped):
            self._activity = told
        else:
            if isinstance(event, Settled):
                self._partials = {i: each for i, each in self._partials.items() if i > event.index}
            if len(self._kept) == self._kept.maxlen:
                self.lost_seq = self._kept[0].seq
            self._kept.append(told)
        return told

    def after(self, seq: int, *, partials: bool = True) -> list[Told]:
        """What came after event ``seq``, in order."""
        found: list[Told] = []
        for told in reversed(self._kept):
            if told.seq <= seq:
                break
            found.append(told)
        passing = [*(self._partials.values() if partials else ()), *filter(None, [self._activity])]
        found += [told for told in passing if told.seq > seq]
        return sorted(found, key=lambda told: told.seq)

    def settled(self) -> Iterator[Start | Settled | LanguageChanged | Summary]:
        """All that is kept, in order."""
        for told in self._kept:
            if not isinstance(told.event, Partial | SpeechStarted | SpeechStopped | OverloadChanged):
                yield told.event

    def cursor_before(self, count: int) -> int:
        """The cursor of a reader that is to get the last ``count`` kept events first."""
        if len(self._kept) <= count:
            return 0
        return self._kept[-count - 1].seq
