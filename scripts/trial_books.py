"""The books of one stream kept from its events alone, to hold beside what the stream says of itself."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from decalage.audio import sample_count
from decalage.events import Caption, Failure, Gap, Partial, Rejected, StreamEvent
from decalage.flow.statistics import StreamStatistics

_FIELDS = {
    "caption": "samples_captioned",
    "failure": "samples_failed",
    "rejected": "samples_rejected",
    "gap": "samples_dropped",
}


@dataclass(slots=True)
class Books:
    """Add each event as it is read; ``wrong`` says every way in which they break the contract.

    Holds no event but the last.
    """

    counts: Counter[str] = field(default_factory=Counter)
    samples: Counter[str] = field(default_factory=Counter)
    """By type, of what was captured; ``missing`` is what was not."""
    wrong: list[str] = field(default_factory=list)
    slack: int = 0
    """Samples that times may be off by."""
    _next: int = 0
    _end: int = 0
    _revision: tuple[int, int] = (-1, -1)

    def add(self, event: StreamEvent) -> None:
        """One event after the other."""
        self.counts[event.type] += 1
        if isinstance(event, Partial):
            self._grown(event)
        elif isinstance(event, Caption | Failure | Rejected | Gap):
            self._settled(event)

    def _grown(self, partial: Partial) -> None:
        if partial.index < self._next:
            self.wrong.append(f"a partial of {partial.index} after it settled")
        if (partial.index, partial.revision) <= self._revision:
            self.wrong.append(f"revision {partial.revision} of {partial.index} after {self._revision}")
        self._revision = (partial.index, partial.revision)

    def _settled(self, event: Caption | Failure | Rejected | Gap) -> None:
        if event.index != self._next:
            self.wrong.append(f"{event.type} {event.index} where {self._next} is next")
        self._next = max(self._next, event.index) + 1
        first, end = sample_count(event.start), sample_count(event.end)
        if first < self._end - self.slack or end < first:
            self.wrong.append(
                f"{event.type} {event.index} is {first}-{end} after one that ends at {self._end}"
            )
        self._end = end
        lost = isinstance(event, Gap) and not event.captured
        self.samples["missing" if lost else event.type] += end - first

    @property
    def answered(self) -> int:
        """Captured samples that an event accounts for."""
        return sum(self.samples[kind] for kind in _FIELDS)

    def compare(self, told: StreamStatistics) -> list[str]:
        """``wrong``, and where these books and the stream's own are not the same."""
        wrong = list(self.wrong)
        for kind, name in _FIELDS.items():
            theirs = getattr(told, name)
            if theirs != self.samples[kind]:
                wrong.append(f"{name} {theirs}, by the events {self.samples[kind]}")
        if not (self._next == told.utterances == told.settled):
            wrong.append(f"{told.utterances} indices, {told.settled} settled, {self._next} read")
        if told.in_flight or told.samples_waiting:
            wrong.append(f"{told.in_flight} in flight, {told.samples_waiting} samples waiting at the end")
        return wrong
