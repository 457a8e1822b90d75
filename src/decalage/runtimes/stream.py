"""One stream inside a runtime: sound in, segments out to the workers, events back in order.

::

    feed() ─▶ inbox ─▶ cut() ─▶ segment ─▶ (workers) ─▶ settle() ─▶ reorderer ─▶ outbox ─▶ reader
              bounded  only with credit ▲                                                   │
              in s     └───────────────── a credit comes back for each event taken ─────────┘

No worker ever waits on a stream: ``cut`` gives None when there is no sound or no credit, and
``wake`` is called when that changes. Only ``feed`` (full speed) and the reader wait.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass

from decalage.audio import AudioChunk, seconds
from decalage.clock import Clock
from decalage.config import RuntimeOptions, StreamOptions
from decalage.contracts import AudioSource, Segmenter
from decalage.errors import StreamFinishedError
from decalage.events import Failure, Gap, Partial, Settled, StageName, StreamEvent
from decalage.flow.channel import Channel, ChannelClosed, ChannelFinished
from decalage.flow.statistics import StreamStatistics
from decalage.runtimes.intake import Intake, Missing
from decalage.runtimes.ledger import Ledger
from decalage.speech import Segment, Utterance

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """An utterance on its way: where its answer goes and when the segmenter let go of it."""

    stream: RuntimeStream
    utterance: Utterance
    endpoint: float
    """Seconds on the stream clock."""


class RuntimeStream:
    """Implements ``contracts.Stream`` for runtimes that work in this process.

    ``wake(stream)`` is called, without a lock held, whenever ``cut`` may have something to give;
    ``settle`` may be called from any thread, and the first answer to an index is the one that counts;
    ``mark(name, detail)`` is told of each gap.
    """

    def __init__(
        self,
        name: str,
        options: StreamOptions,
        segmenter: Segmenter,
        *,
        limits: RuntimeOptions,
        clock: Clock,
        wake: Callable[[RuntimeStream], None],
        mark: Callable[[str, str], None] | None = None,
    ) -> None:
        self.name = name
        self.options = options
        self.damage: str | None = None
        """Why capture ended early, if it did."""
        self._segmenter = segmenter
        self._clock = clock
        self._wake = wake
        self._mark = mark
        self._source: AudioSource | None = None
        self._lock = threading.Lock()
        self._inbox = Intake(limits.max_inbox_s, waits=options.pace == "max", clock=clock)
        # Never refuses: at most max_in_flight settled events wait, and one partial for each.
        self._outbox: Channel[StreamEvent] = Channel(float("inf"), clock=clock)
        self._ledger = Ledger(credit=limits.max_in_flight, realtime=options.pace == "realtime")
        self._pending: deque[Segment] = deque()  # what one slice gave, at most two or three
        self._origin: float | None = None
        self._heard_s = 0.0
        self._claimed = False
        self._flushed = False

    def __repr__(self) -> str:
        return f"<RuntimeStream {self.name} {self._ledger!r} {self._inbox!r}>"

    # The outside: contracts.Stream.

    def feed(self, chunk: AudioChunk) -> None:
        if self._origin is None:
            # A live chunk arrives when its last sample has been spoken.
            spoken = chunk.end if self.options.pace == "realtime" else chunk.start
            self._origin = self._clock.now() - spoken
        try:
            for _ in self._inbox.accept(chunk):
                self._wake(self)
        except ChannelClosed as error:
            raise StreamFinishedError("the stream is finished; open another") from error

    def finish(self) -> None:
        """No more sound. A second call gives up waiting for a capture that does not stop."""
        source, self._source = self._source, None
        if source is not None:
            source.stop()  # ``captured`` follows when its last chunk is in
            return
        self._inbox.finish()
        self._wake(self)

    def __iter__(self) -> Iterator[StreamEvent]:
        for event in self._outbox:
            self._taken(event)
            yield event

    async def __aiter__(self) -> AsyncIterator[StreamEvent]:
        async for event in self._outbox:
            self._taken(event)
            yield event

    def statistics(self) -> StreamStatistics:
        """Counts so far."""
        inbox = self._inbox.statistics()
        with self._lock:
            return self._ledger.statistics(inbox)

    # The inside: for the runtime that made it.

    def attach(self, source: AudioSource) -> None:
        """``finish`` shall stop ``source`` and wait for ``captured``."""
        self._source = source

    def captured(self, damage: str | None) -> None:
        """The source has given its last chunk."""
        self.damage = self.damage or damage
        self._source = None
        self.finish()

    def claim(self) -> bool:
        """True for one caller at a time, and only when ``cut`` has something to do."""
        with self._lock:
            if self._claimed or not self._has_work():
                return False
            self._claimed = True
            return True

    def release(self) -> None:
        """The claimant is done with ``cut`` for now; wakes itself if there is more."""
        with self._lock:
            self._claimed = False
        self._wake(self)

    def cut(self) -> Job | None:
        """Segment one slice of sound at most; an utterance, if one is complete.

        Only between ``claim`` and ``release``. Takes one credit for each index it gives out.
        """
        if self._outbox.closed:
            return None
        if not self._pending:
            self._segment()
        with self._lock:
            if not self._pending or self._outbox.closed:
                return None
            segment = self._pending.popleft()
            self._ledger.issue(segment)
            if isinstance(segment, Utterance):
                return Job(self, segment, self.now())
            gap = Gap(segment.index, segment.start, segment.end, segment.cause, captured=segment.captured)
            self._settle(gap)
        if self._mark is not None:
            self._mark("gap", f"{self.name}: {gap.start:.1f}-{gap.end:.1f} s ({gap.cause})")
        return None

    def settle(self, event: Settled) -> bool:
        """Answer an index, once: False if it has been answered already."""
        with self._lock:
            return self._settle(event)

    def fail(self, utterance: Utterance, stage: StageName, error: str, text: str | None = None) -> bool:
        """Answer an utterance with a failure; ``text`` is the transcript, if there is one."""
        known = {} if text is None else {self.options.source: text}
        return self.settle(Failure(utterance.index, utterance.start, utterance.end, stage, error, known))

    def is_open(self, index: int) -> bool:
        """Whether ``index`` still waits for its answer."""
        with self._lock:
            return self._ledger.is_open(index)

    def abandon(self, error: str) -> None:
        """End now: what is in flight becomes failures; dropped sound is told as ``damage``."""
        self._inbox.cancel()
        with self._lock:
            if self._outbox.closed:
                return
            for utterance in self._ledger.unanswered:
                self._settle(Failure(utterance.index, utterance.start, utterance.end, "asr", error))
            if not self._outbox.closed:
                self.damage = self.damage or error
            self._flushed = True
            self._outbox.close()

    def now(self) -> float:
        """Seconds on the stream clock."""
        return self._clock.now() - (self._origin or 0.0)

    def serve(self, service_s: float) -> None:
        """Count engine time."""
        with self._lock:
            self._ledger.service_s += service_s

    @property
    def issued(self) -> int:
        """Indices given out: the number of the utterance that comes next."""
        return self._ledger.issued

    @property
    def waiting_s(self) -> float:
        """Seconds of sound that wait for the segmenter."""
        return self._inbox.statistics().weight

    @property
    def ended(self) -> bool:
        """Whether every event is in the outbox."""
        return self._outbox.closed

    def _has_work(self) -> bool:
        if self._outbox.closed or not self._ledger.has_credit:
            return False
        return bool(self._pending) or not self._inbox.idle or (self._inbox.closed and not self._flushed)

    def _segment(self) -> None:
        flushed = False
        try:
            item = self._inbox.take()
            if item is None:
                return
            segments = self._segmented(item)
        except ChannelFinished:
            flushed = True
            segments = self._guard(self._segmenter.finish)
        with self._lock:
            self._pending.extend(segments)
            self._flushed = self._flushed or flushed
            self._end_if_settled()

    def _segmented(self, item: AudioChunk | Missing) -> list[Segment]:
        if isinstance(item, Missing):
            with self._lock:
                self._ledger.heard(item.length if item.captured else 0)
            return self._guard(lambda: self._segmenter.miss(item.first, item.length, captured=item.captured))
        with self._lock:
            self._ledger.heard(len(item.samples))
            self._heard_s = item.start
        return self._guard(lambda: self._segmenter.feed(item))

    def _guard(self, step: Callable[[], list[Segment]]) -> list[Segment]:
        """Run a step of the segmenter; its failure ends the stream with one failure event."""
        try:
            return step()
        except Exception as error:
            if self._outbox.closed:
                return []
            logger.exception("segmenter of %s failed", self.name)
            self._inbox.cancel()
            with self._lock:
                index = self._ledger.issue(None)
                end = max(self._heard_s, seconds(self._inbox.expected))
                told = f"{type(error).__name__}: {error}"
                self._settle(Failure(index, self._heard_s, end, "vad", told))
                self._flushed = True
            return []

    def _settle(self, event: Settled) -> bool:
        if self._outbox.closed or self._ledger.is_answered(event.index):
            return False
        for ready in self._ledger.answer(event, self.now()):
            self._outbox.put(ready)
        self._end_if_settled()
        return True

    def _taken(self, event: StreamEvent) -> None:
        if isinstance(event, Partial):
            return
        with self._lock:
            self._ledger.taken()
        self._wake(self)

    def _end_if_settled(self) -> None:
        if self._flushed and not self._pending and self._ledger.balanced:
            self._outbox.close()
