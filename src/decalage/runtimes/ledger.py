"""The books of one stream: which indices are out, which are answered, where each sample went."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from decalage.audio import sample_count
from decalage.events import Caption, Gap, Settled
from decalage.flow.channel import ChannelStatistics
from decalage.flow.reorder import Reorderer
from decalage.flow.statistics import StreamStatistics
from decalage.speech import Segment, Utterance


class Ledger:
    """Counts, and lets answers out in index order. Pure: its stream guards it with a lock."""

    def __init__(self, *, credit: int, realtime: bool) -> None:
        self.issued = 0
        """Indices given out."""
        self.service_s = 0.0
        """Seconds of engine work."""
        self._credit = credit
        self._realtime = realtime
        self._in_flight = 0
        self._peak_in_flight = 0
        self._open: dict[int, Utterance] = {}  # bounded by the credit
        self._reorderer: Reorderer[Settled] = Reorderer()
        self._samples = {"in": 0, "caption": 0, "failure": 0, "rejected": 0, "gap": 0}

    def __repr__(self) -> str:
        return f"<Ledger issued={self.issued} in_flight={self._in_flight} {self._reorderer!r}>"

    @property
    def has_credit(self) -> bool:
        """Whether another index may be given out."""
        return self._in_flight < self._credit

    @property
    def balanced(self) -> bool:
        """Whether every index given out has been answered and let out."""
        return self._reorderer.next_index == self.issued

    @property
    def unanswered(self) -> Sequence[Utterance]:
        """Utterances in flight."""
        return list(self._open.values())

    def is_open(self, index: int) -> bool:
        """Whether ``index`` is an utterance that waits for its answer."""
        return index in self._open

    def is_answered(self, index: int) -> bool:
        """Whether ``index`` has its answer."""
        return self._reorderer.answered(index)

    def heard(self, samples: int) -> None:
        """``samples`` reached the segmenter, or were dropped before it."""
        self._samples["in"] += samples

    def issue(self, segment: Segment | None) -> int:
        """Give out the next index, to ``segment`` if there is one; takes a credit."""
        index, self.issued = self.issued, self.issued + 1
        self._in_flight += 1
        self._peak_in_flight = max(self._peak_in_flight, self._in_flight)
        if isinstance(segment, Utterance):
            self._open[index] = segment
        return index

    def answer(self, event: Settled, now: float) -> list[Settled]:
        """The events that go out at ``now`` (stream clock) because of this answer.

        The first answer to an index counts, others let nothing out.
        """
        if self.is_answered(event.index):
            return []
        self._open.pop(event.index, None)
        ready = self._reorderer.put(event.index, event)
        for settled in ready:
            if not (isinstance(settled, Gap) and not settled.captured):
                self._samples[settled.type] += sample_count(settled.end - settled.start)
        return [self._stamped(settled, now) for settled in ready]

    def taken(self) -> None:
        """The reader has a settled event: its credit comes back."""
        self._in_flight -= 1

    def statistics(self, inbox: ChannelStatistics) -> StreamStatistics:
        """Counts so far; ``inbox`` is weighed in seconds."""
        return StreamStatistics(
            samples_in=self._samples["in"],
            samples_captioned=self._samples["caption"],
            samples_failed=self._samples["failure"],
            samples_rejected=self._samples["rejected"],
            samples_dropped=self._samples["gap"],
            samples_waiting=sample_count(inbox.weight),
            utterances=self.issued,
            settled=self._reorderer.next_index,
            in_flight=self._in_flight,
            peak_in_flight=self._peak_in_flight,
            peak_inbox_s=inbox.peak_weight,
            service_s=self.service_s,
            oldest_end=min((utterance.end for utterance in self._open.values()), default=None),
        )

    def _stamped(self, event: Settled, now: float) -> Settled:
        if not isinstance(event, Caption):
            return event
        timing = replace(event.timing, emitted=now)
        if not self._realtime:
            return replace(event, timing=timing)
        return replace(event, timing=timing, latency=now - timing.endpoint, lag=now - timing.speech_end)
