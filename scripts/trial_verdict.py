"""What a run that was disturbed came to, held beside one that was not."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher

from decalage.events import Caption, Settled

_ALIKE_S = 0.001
"""Ends of one cut, which an event tells to a tenth of a millisecond in JSON."""
_EDGE_S = 0.3
"""So much of a caption's speech may lie outside what another cut has: that may begin a frame later."""
_MOST = 0.7
"""Of its words that a caption cut otherwise keeps: the first or last of them may be the neighbour's."""


@dataclass(frozen=True, slots=True)
class Span:
    """Seconds on the stream clock."""

    start: float
    end: float

    def overlap(self, start: float, end: float) -> float:
        """Seconds that both have."""
        return max(0.0, min(self.end, end) - max(self.start, start))


@dataclass(frozen=True, slots=True, kw_only=True)
class Excused:
    """What a fault may harm."""

    touched: Sequence[Span] = ()
    """Speech that lies there may be lost, if that is told, or heard otherwise."""
    failures: int = 0
    """So many captions anywhere may be failures instead."""
    recut: int = 0
    """So many may be cut otherwise."""
    until_s: float = float("inf")
    """Sound came up to here."""
    live: Sequence[Caption] | None = None
    """Of a round at speaking pace, what an undisturbed run at that pace hears: that is as good, and marks and
    capitals may differ from both. A decode that goes by a draft does not always end as one without."""


@dataclass
class Verdict:
    """One round."""

    fault: str
    runtime: str
    told: str = ""
    """When and where, to find it again."""
    hit: bool = False
    """Whether it came in the middle of work."""
    wrong: list[str] = field(default_factory=list)
    """Every way in which the contract was broken."""
    retried: int = 0
    failures: int = 0
    """Failures told, and other events in the place of a caption."""
    recut: int = 0
    harmed: int = 0
    """Captions that the fault does not excuse."""

    @property
    def survived(self) -> bool:
        """Whether all was as it has to be."""
        return not self.wrong and not self.harmed

    def hold(self, events: Sequence[Settled], unharmed: Sequence[Caption], excused: Excused) -> None:
        """Judge ``events``, the settled ones, by the captions of a run that nothing happened to."""
        failures, recut = excused.failures, excused.recut
        for caption in unharmed:
            if caption.timing.speech_end > excused.until_s - _EDGE_S:
                continue
            pardoned = any(span.overlap(caption.start, caption.end) for span in excused.touched)
            kind = _harm(caption, events, excused.live)
            self.failures += kind == "failed"
            self.recut += kind == "recut"
            failures -= kind == "failed" and not pardoned
            recut -= kind == "recut" and not pardoned
            if kind in ("words", "lost") and not pardoned:
                told = f"{kind}: {caption.index} {caption.start:.2f}-{caption.end:.2f} s"
                self._harm(f"{told}, {_told(events, caption)!r} for {dict(caption.text)!r}")
        for left, kind in ((failures, "failed"), (recut, "cut otherwise")):
            if left < 0:
                self._harm(f"{-left} {kind} and not excused", -left)

    def _harm(self, told: str, count: int = 1) -> None:
        self.harmed += count
        self.wrong.append(told)


def _harm(caption: Caption, events: Sequence[Settled], live: Sequence[Caption] | None) -> str:
    """What became of ``caption``: ``same``, ``words``, ``failed``, ``recut`` or ``lost``."""
    near = [event for event in events if event.end > caption.start and event.start < caption.end]
    for event in near:
        if _same_cut(event, caption):
            if not isinstance(event, Caption) or event.errors:
                return "failed"
            return "same" if _alike(event, caption, live) else "words"
    span = Span(caption.start, caption.timing.speech_end)
    covered = sum(span.overlap(event.start, event.end) for event in near)
    if span.end - span.start - covered > _EDGE_S:
        return "lost"
    captions = [event for event in near if isinstance(event, Caption)]
    if len(captions) < len(near):
        return "failed"
    return "recut" if _says(captions, caption) else "words"


def _same_cut(one: Settled, other: Settled) -> bool:
    return abs(one.start - other.start) < _ALIKE_S and abs(one.end - other.end) < _ALIKE_S


def _alike(event: Caption, caption: Caption, live: Sequence[Caption] | None) -> bool:
    if dict(event.text) == dict(caption.text):
        return True
    good = [] if live is None else [caption, *(each for each in live if _same_cut(each, caption))]
    return any(_words([event]) == _words([each]) for each in good)


def _told(events: Sequence[Settled], wanted: Caption) -> list[str]:
    """What stands where ``wanted`` was."""
    near = [event for event in events if event.end > wanted.start and event.start < wanted.end]
    return [str(dict(each.text)) if isinstance(each, Caption) else each.type for each in near]


def _says(captions: Sequence[Caption], wanted: Caption) -> bool:
    """Whether most words of ``wanted`` are in ``captions``, in their order."""
    words, heard = _words([wanted]), _words(captions)
    blocks = SequenceMatcher(a=words, b=heard, autojunk=False).get_matching_blocks()
    return sum(block.size for block in blocks) >= _MOST * len(words)


def _words(captions: Sequence[Caption]) -> list[str]:
    return re.findall(r"\w+", " ".join(caption.text.get(caption.source, "") for caption in captions).lower())
