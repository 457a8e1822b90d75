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
from dataclasses import dataclass, replace

from decalage.audio import SAMPLE_RATE, AudioChunk, sample_count
from decalage.clock import Clock
from decalage.config import RuntimeOptions, StreamOptions
from decalage.contracts import AudioSource, Segmenter
from decalage.errors import StreamFinishedError
from decalage.events import Caption, Failure, Gap, Partial, Settled, StageName, StreamEvent
from decalage.flow.channel import Channel, ChannelClosed, ChannelFinished
from decalage.flow.reorder import Reorderer
from decalage.flow.statistics import StreamStatistics
from decalage.speech import Segment, Utterance

logger = logging.getLogger(__name__)

_SLICE = SAMPLE_RATE // 10
"""Samples segmented in one go: no stream holds a worker for longer."""


@dataclass(frozen=True, slots=True)
class _Missing:
    first: int
    length: int
    captured: bool


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
    ``settle`` may be called from any thread, and the first answer to an index is the one that counts.
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
    ) -> None:
        self.name = name
        self.options = options
        self.damage: str | None = None
        """Why capture ended early, if it did."""
        self._segmenter = segmenter
        self._limits = limits
        self._clock = clock
        self._wake = wake
        self._source: AudioSource | None = None
        self._lock = threading.Lock()
        self._inbox: Channel[AudioChunk | _Missing] = Channel(limits.max_inbox_s, clock=clock)
        # Never refuses: at most max_in_flight settled events wait, and one partial for each.
        self._outbox: Channel[StreamEvent] = Channel(float("inf"), clock=clock)
        self._reorderer: Reorderer[Settled] = Reorderer()
        self._pending: deque[Segment] = deque()  # what one slice gave, at most two or three
        self._overflow: _Missing | None = None
        self._origin: float | None = None
        self._expected = 0
        self._issued = 0
        self._in_flight = 0
        self._peak_in_flight = 0
        self._heard: AudioChunk | None = None
        self._open: dict[int, Utterance] = {}
        self._claimed = False
        self._flushed = False
        self._samples = {"in": 0, "caption": 0, "failure": 0, "rejected": 0, "gap": 0}
        self._service_s = 0.0

    def __repr__(self) -> str:
        return f"<RuntimeStream {self.name} issued={self._issued} {self._reorderer!r} {self._inbox!r}>"

    # The outside: contracts.Stream.

    def feed(self, chunk: AudioChunk) -> None:
        if self._origin is None:
            # A live chunk arrives when its last sample has been spoken.
            spoken = chunk.end if self.options.pace == "realtime" else chunk.start
            self._origin = self._clock.now() - spoken
        if chunk.first < self._expected:
            raise ValueError(f"{chunk!r} begins before sample {self._expected}, where the last one ended")
        try:
            if chunk.first > self._expected:
                hole = chunk.first - self._expected
                self._inbox.put(_Missing(self._expected, hole, captured=False), 0)
            for part in _slices(chunk):
                self._hand_over(part)
                self._wake(self)
        except ChannelClosed as error:
            raise StreamFinishedError("the stream is finished; open another") from error
        self._expected = chunk.first + len(chunk.samples)

    def finish(self) -> None:
        """No more sound. A second call gives up waiting for a capture that does not stop."""
        source, self._source = self._source, None
        if source is not None:
            source.stop()  # ``captured`` follows when its last chunk is in
            return
        if self._overflow is not None and not self._inbox.closed:
            self._inbox.put(self._overflow, 0)
            self._overflow = None
        self._inbox.close()
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
            released = self._reorderer.statistics()
            return StreamStatistics(
                samples_in=self._samples["in"],
                samples_captioned=self._samples["caption"],
                samples_failed=self._samples["failure"],
                samples_rejected=self._samples["rejected"],
                samples_dropped=self._samples["gap"],
                samples_waiting=round(inbox.weight * SAMPLE_RATE),
                utterances=self._issued,
                settled=released.released,
                in_flight=self._in_flight,
                peak_in_flight=self._peak_in_flight,
                peak_inbox_s=inbox.peak_weight,
                service_s=self._service_s,
            )

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
        if not self._pending:
            self._segment()
        if not self._pending:
            return None
        with self._lock:
            segment = self._pending.popleft()
            self._issued = segment.index + 1
            self._in_flight += 1
            self._peak_in_flight = max(self._peak_in_flight, self._in_flight)
            if isinstance(segment, Utterance):
                self._open[segment.index] = segment
                return Job(self, segment, self.now())
        self.settle(Gap(segment.index, segment.start, segment.end, segment.cause, captured=segment.captured))
        return None

    def settle(self, event: Settled) -> bool:
        """Answer an index, once: False if it has been answered already."""
        with self._lock:
            return self._settle(event)

    def fail(self, utterance: Utterance, stage: StageName, error: str, text: str | None = None) -> bool:
        """Answer an utterance with a failure; ``text`` is the transcript, if there is one."""
        known = {} if text is None else {self.options.source: text}
        return self.settle(Failure(utterance.index, utterance.start, utterance.end, stage, error, known))

    def show(self, event: Partial) -> bool:
        """Pass a partial on unless its index is settled."""
        with self._lock:
            if self._reorderer.answered(event.index):
                return False
            self._outbox.put(event)
            return True

    def is_open(self, index: int) -> bool:
        """Whether ``index`` still waits for its answer."""
        with self._lock:
            return index in self._open

    def abandon(self, error: str) -> None:
        """End now: what is in flight becomes failures, waiting sound is dropped."""
        self._inbox.cancel()
        with self._lock:
            for utterance in list(self._open.values()):
                self._settle(Failure(utterance.index, utterance.start, utterance.end, "asr", error))
            self._flushed = True
            self._outbox.close()

    def now(self) -> float:
        """Seconds on the stream clock."""
        return self._clock.now() - (self._origin or 0.0)

    def serve(self, seconds: float) -> None:
        """Count engine time."""
        with self._lock:
            self._service_s += seconds

    @property
    def ended(self) -> bool:
        """Whether every event is in the outbox."""
        return self._outbox.closed

    def _hand_over(self, part: AudioChunk) -> None:
        if self.options.pace == "max":
            self._inbox.put(part, part.duration)
            return
        overflow = self._overflow
        if overflow is None and self._inbox.offer(part, part.duration):
            return
        if overflow is not None and self._inbox.offer(part, part.duration, before=overflow):
            self._overflow = None
            return
        first, length = (part.first, 0) if overflow is None else (overflow.first, overflow.length)
        self._overflow = _Missing(first, length + len(part.samples), captured=True)

    def _has_work(self) -> bool:
        if self._in_flight >= self._limits.max_in_flight:
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

    def _segmented(self, item: AudioChunk | _Missing) -> list[Segment]:
        if isinstance(item, _Missing):
            with self._lock:
                self._samples["in"] += item.length if item.captured else 0
            return self._guard(lambda: self._segmenter.miss(item.first, item.length, captured=item.captured))
        with self._lock:
            self._samples["in"] += len(item.samples)
            self._heard = item
        return self._guard(lambda: self._segmenter.feed(item))

    def _guard(self, step: Callable[[], list[Segment]]) -> list[Segment]:
        """Run a step of the segmenter; its failure ends the stream with one failure event."""
        try:
            return step()
        except Exception as error:
            logger.exception("segmenter of %s failed", self.name)
            self._inbox.cancel()
            with self._lock:
                index, self._issued = self._issued, self._issued + 1
                self._in_flight += 1
                start = self._heard.start if self._heard is not None else 0.0
                end = max(start, self._expected / SAMPLE_RATE)
                self._settle(Failure(index, start, end, "vad", f"{type(error).__name__}: {error}"))
                self._flushed = True
            return []

    def _settle(self, event: Settled) -> bool:
        if self._reorderer.answered(event.index):
            return False
        self._open.pop(event.index, None)
        for ready in self._reorderer.put(event.index, event):
            self._count(ready)
            self._outbox.put(self._stamped(ready))
        self._end_if_settled()
        return True

    def _count(self, event: Settled) -> None:
        if not (isinstance(event, Gap) and not event.captured):
            self._samples[event.type] += sample_count(event.end - event.start)

    def _stamped(self, event: Settled) -> Settled:
        if not isinstance(event, Caption):
            return event
        now = self.now()
        timing = replace(event.timing, emitted=now)
        if self.options.pace == "max":
            return replace(event, timing=timing)
        return replace(event, timing=timing, latency=now - timing.endpoint, lag=now - timing.speech_end)

    def _taken(self, event: StreamEvent) -> None:
        if isinstance(event, Partial):
            return
        with self._lock:
            self._in_flight -= 1
        self._wake(self)

    def _end_if_settled(self) -> None:
        if self._flushed and not self._pending and self._reorderer.next_index == self._issued:
            self._outbox.close()


def _slices(chunk: AudioChunk) -> Iterator[AudioChunk]:
    for offset in range(0, len(chunk.samples), _SLICE):
        yield AudioChunk(chunk.first + offset, chunk.samples[offset : offset + _SLICE])
