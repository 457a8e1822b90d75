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
    marks: bool = False
    """Whether marks and capitals may differ: at speaking pace a draft leads to other roundings."""


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
            kind = _harm(caption, events, marks=excused.marks)
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


def _harm(caption: Caption, events: Sequence[Settled], *, marks: bool) -> str:
    """What became of ``caption``: ``same``, ``words``, ``failed``, ``recut`` or ``lost``."""
    near = [event for event in events if event.end > caption.start and event.start < caption.end]
    for event in near:
        if abs(event.start - caption.start) < _ALIKE_S and abs(event.end - caption.end) < _ALIKE_S:
            if not isinstance(event, Caption):
                return "failed"
            alike = dict(event.text) == dict(caption.text)
            alike = alike or (marks and _words([event]) == _words([caption]))
            return "failed" if event.errors else "same" if alike else "words"
    span = Span(caption.start, caption.timing.speech_end)
    covered = sum(span.overlap(event.start, event.end) for event in near)
    if span.end - span.start - covered > _EDGE_S:
        return "lost"
    captions = [event for event in near if isinstance(event, Caption)]
    if len(captions) < len(near):
        return "failed"
    return "recut" if _says(captions, caption) else "words"


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
