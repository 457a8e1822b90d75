"""What is known of an utterance before it has ended: the work of its provisional revisions.

::

    provisional ──▶ given ──▶ started ──▶ concluded ──▶ partial
                      │          │            │
    final, same sound │          └─ adopts ─▶ settled as soon as it is concluded
                      │                       └─ known ─▶ settled at once
                      └─ or other sound: dropped where it waits, its late result is of no use
"""

from __future__ import annotations

from dataclasses import replace

from decalage.config import Stability
from decalage.events import Caption, Partial, Settled
from decalage.flow.stability import GrowingText
from decalage.runtimes.job import Job
from decalage.speech import Utterance


class Foresight:
    """One stream's provisional utterances. Pure: its stream guards it with a lock.

    ``stability`` None: no partial is told, and so no word is held.
    """

    def __init__(self, stability: Stability | None) -> None:
        self._stability = stability
        self._newest: Utterance | None = None
        self._started = False
        self._known: Settled | None = None
        self._adopters: dict[int, Job] = {}  # unanswered finals that wait for a provisional, by index
        self._growing: dict[int, dict[str, GrowingText]] = {}  # of unanswered indices
        self._shown: dict[int, int] = {}  # newest revision shown of them

    def give(self, utterance: Utterance) -> None:
        """A provisional utterance is on its way; older revisions are replaced by it."""
        self._newest = utterance
        self._started = False
        self._known = None

    def wants(self, utterance: Utterance) -> bool:
        """Whether the work on a provisional utterance is still of use."""
        return utterance is self._newest or self._adopter(utterance) is not None

    def _adopter(self, utterance: Utterance) -> Job | None:
        final = self._adopters.get(utterance.index)
        return final if final is not None and _same_sound(utterance, final.utterance) else None

    def start(self, utterance: Utterance) -> None:
        """``utterance`` is being worked on: if it is the newest, a final of the same sound waits for it."""
        self._started = self._started or utterance is self._newest

    def adopt(self, final: Job) -> Settled | bool:
        """The event that settles ``final``; True when it is being worked out, False when it is not."""
        newest, self._newest = self._newest, None
        if newest is None or not _same_sound(newest, final.utterance):
            return False
        if self._known is not None:
            return _settling(self._known, final)
        if self._started:
            self._adopters[newest.index] = final
        return self._started

    def conclude(self, utterance: Utterance, event: Settled) -> Settled | Partial | None:
        """``event`` would settle ``utterance`` if it were final: what it comes to."""
        adopter = self._adopter(utterance)
        if adopter is not None:
            return _settling(event, adopter)
        if utterance is self._newest:
            self._known = event
        if self._stability is None or not isinstance(event, Caption):
            return None
        if self._shown.get(event.index, -1) >= utterance.revision:
            return None
        self._shown[event.index] = utterance.revision
        return self._partial(utterance, event, self._stability)

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
