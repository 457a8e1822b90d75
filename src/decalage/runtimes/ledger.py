"""The books of one stream: which indices are out, which are answered, where each sample went."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from decalage.audio import sample_count
from decalage.events import Caption, Failure, Gap, Settled
from decalage.flow.conservation import Conservation
from decalage.flow.reorder import Reorderer
from decalage.flow.statistics import StreamStatistics
from decalage.runtimes.intake import Intake
from decalage.speech import Segment, Utterance


class Ledger:
    """Counts, and lets answers out in index order. Pure: its stream guards it with a lock."""

    def __init__(self, *, credit: int, realtime: bool, max_lag_s: float | None = None) -> None:
        """``max_lag_s``: a caption that would be told later than that after its speech is a gap."""
        self.issued = 0
        """Indices given out."""
        self.service_s = 0.0
        """Seconds of engine work."""
        self._credit = credit
        self._realtime = realtime
        self._max_lag_s = max_lag_s
        self._conservation = Conservation()
        self._in_flight = 0
        self._peak_in_flight = 0
        self._open: dict[int, Utterance] = {}  # bounded by the credit
        self._reorderer: Reorderer[Settled] = Reorderer()
        self._samples = {"caption": 0, "failure": 0, "rejected": 0, "gap": 0}

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

    @property
    def oldest_end(self) -> float | None:
        """End of the oldest utterance in flight, seconds on the stream clock."""
        return min((utterance.end for utterance in self._open.values()), default=None)

    def heard(self, samples: int) -> None:
        """``samples`` reached the segmenter, or were dropped before it."""
        self._conservation.heard += samples

    def issue(self, segment: Segment) -> int:
        """Give out the next index, to ``segment``; takes a credit."""
        index = self._next()
        if isinstance(segment, Utterance):
            self._open[index] = segment
            self._conservation.issue(index, segment.first, len(segment.samples))
        else:
            self._conservation.issue(index, segment.first, segment.length, captured=segment.captured)
        return index

    def issue_failure(self, start: float, end: float, error: str) -> Failure:
        """The failure of the segmenter in the sound of these seconds, with the next index."""
        index = self._next()
        first, past = sample_count(start), sample_count(end)
        self._conservation.issue(index, first, past - first)
        return Failure(index, start, end, "vad", error)

    def answer(self, event: Settled, now: float) -> list[Settled]:
        """The events that go out at ``now`` (stream clock) because of this answer.

        The first answer to an index counts, others let nothing out.
        """
        if self.is_answered(event.index):
            return []
        self._open.pop(event.index, None)
        ready = [self._stamped(settled, now) for settled in self._reorderer.put(event.index, event)]
        for settled in ready:
            captured = not isinstance(settled, Gap) or settled.captured
            samples = sample_count(settled.end) - sample_count(settled.start) if captured else 0
            self._samples[settled.type] += samples
            self._conservation.answer(settled.index, samples)
        return ready

    def end(self) -> str | None:
        """The stream has ended: what does not add up, if anything."""
        self._conservation.end()
        return self._conservation.breach

    def _next(self) -> int:
        index, self.issued = self.issued, self.issued + 1
        self._in_flight += 1
        self._peak_in_flight = max(self._peak_in_flight, self._in_flight)
        return index

    def taken(self) -> None:
        """The reader has a settled event: its credit comes back."""
        self._in_flight -= 1

    def statistics(self, inbox: Intake) -> StreamStatistics:
        """Counts so far."""
        waiting = inbox.statistics()
        return StreamStatistics(
            samples_in=self._conservation.heard,
            samples_captioned=self._samples["caption"],
            samples_failed=self._samples["failure"],
            samples_rejected=self._samples["rejected"],
            samples_dropped=self._samples["gap"],
            samples_non_speech=self._conservation.non_speech,
            samples_waiting=sample_count(waiting.weight),
            samples_spilled=inbox.spilled,
            peak_spilled=inbox.peak_spilled,
            utterances=self.issued,
            settled=self._reorderer.next_index,
            in_flight=self._in_flight,
            peak_in_flight=self._peak_in_flight,
            peak_inbox_s=waiting.peak_weight,
            service_s=self.service_s,
            oldest_end=self.oldest_end,
            breach=self._conservation.breach,
        )

    def _stamped(self, event: Settled, now: float) -> Settled:
        if not isinstance(event, Caption):
            return event
        late = self._max_lag_s is not None and now - event.timing.speech_end > self._max_lag_s
        if late:
            return Gap(event.index, event.start, event.end, "overload")
        timing = replace(event.timing, emitted=now)
        if not self._realtime:
            return replace(event, timing=timing)
        return replace(event, timing=timing, latency=now - timing.endpoint, lag=now - timing.speech_end)
