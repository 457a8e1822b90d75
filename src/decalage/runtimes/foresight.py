"""What is known of an utterance before it has ended: the work of its provisional revisions.

::

    provisional ──▶ given ──▶ started ──▶ concluded ──▶ partial
                      │          │            │
    final, same sound │          └─ adopts ─▶ settled as soon as it is concluded
                      │                       └─ known ─▶ settled at once
                      └─ or other sound: dropped where it waits, its late result is of no use
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from decalage.config import Stability
from decalage.events import Caption, Partial, Settled
from decalage.flow.stability import GrowingText
from decalage.runtimes.job import Job
from decalage.speech import Utterance


@dataclass(slots=True, eq=False)
class _Foreseen:
    """A provisional utterance and what became of it."""

    utterance: Utterance
    started: bool = False
    event: Settled | None = None


class Foresight:
    """One stream's provisional utterances. Pure: its stream guards it with a lock.

    ``stability`` None: no partial is told, and so no word is held.
    """

    def __init__(self, stability: Stability | None) -> None:
        self._stability = stability
        self._newest: _Foreseen | None = None
        self._likely: _Foreseen | None = None  # the newest of those where an end is likely
        self._adopters: dict[int, Job] = {}  # unanswered finals that wait for a provisional, by index
        self._growing: dict[int, dict[str, GrowingText]] = {}  # of unanswered indices
        self._shown: dict[int, int] = {}  # newest revision shown of them

    def give(self, utterance: Utterance) -> None:
        """A provisional utterance is on its way; older revisions are replaced by it."""
        self._newest = _Foreseen(utterance)
        if utterance.paused:
            self._likely = self._newest

    def wants(self, utterance: Utterance) -> bool:
        """Whether the work on a provisional utterance is still of use."""
        return bool(self._of(utterance)) or self._adopter(utterance) is not None

    def _adopter(self, utterance: Utterance) -> Job | None:
        final = self._adopters.get(utterance.index)
        return final if final is not None and _same_sound(utterance, final.utterance) else None

    def start(self, utterance: Utterance) -> None:
        """``utterance`` is being worked on: a final of the same sound waits for it."""
        for foreseen in self._of(utterance):
            foreseen.started = True

    def adopt(self, final: Job) -> Settled | bool:
        """The event that settles ``final``; True when it is being worked out, False when it is not."""
        candidates, self._newest, self._likely = (self._newest, self._likely), None, None
        for foreseen in candidates:
            if foreseen is None or not foreseen.utterance.paused:
                continue  # a sketch is less than what a final is
            if not _same_sound(foreseen.utterance, final.utterance):
                continue
            if foreseen.event is not None:
                return _settling(foreseen.event, final)
            if foreseen.started:
                self._adopters[final.utterance.index] = final
                return True
        return False

    def conclude(self, utterance: Utterance, event: Settled) -> Settled | Partial | None:
        """``event`` would settle ``utterance`` if it were final: what it comes to."""
        adopter = self._adopter(utterance)
        if adopter is not None:
            return _settling(event, adopter)
        for foreseen in self._of(utterance):
            foreseen.event = event
        if self._stability is None or not isinstance(event, Caption):
            return None
        if self._shown.get(event.index, -1) >= utterance.revision:
            return None
        self._shown[event.index] = utterance.revision
        return self._partial(utterance, event, self._stability)

    def _of(self, utterance: Utterance) -> list[_Foreseen]:
        known = (self._newest, self._likely)
        return [foreseen for foreseen in known if foreseen is not None and foreseen.utterance is utterance]

    def settle(self, event: Settled) -> Settled:
        """``event`` as it is told: with what has been shown and is never taken back."""
        growing = self._growing.pop(event.index, {})
        self._shown.pop(event.index, None)
        self._adopters.pop(event.index, None)
        if not isinstance(event, Caption) or not growing:
            return event
        text = {name: growing[name].settle(t) if name in growing else t for name, t in event.text.items()}
        return replace(event, text=text)

    def _partial(self, utterance: Utterance, event: Caption, stability: Stability) -> Partial | None:
        growing = self._growing.setdefault(event.index, {})
        shown = {}
        for language, text in event.text.items():
            shown[language] = growing.setdefault(language, GrowingText(stability)).grow(text)
        if not any(each.text for each in shown.values()):
            return None
        return Partial(
            index=event.index,
            revision=utterance.revision,
            start=event.start,
            end=event.end,
            source=event.source,
            text={language: each.text for language, each in shown.items()},
            stable={language: each.stable for language, each in shown.items()},
        )


def _same_sound(one: Utterance, other: Utterance) -> bool:
    """Whether two utterances of a stream hold the same samples."""
    return (one.index, one.first, len(one.samples)) == (other.index, other.first, len(other.samples))


def _settling(event: Settled, final: Job) -> Settled:
    if isinstance(event, Caption):
        return replace(event, timing=replace(event.timing, endpoint=final.endpoint))
    return event
