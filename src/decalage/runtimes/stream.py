"""One stream inside a runtime: sound in, segments out to the workers, events back in order.

::

    feed() ─▶ inbox ─▶ cut() ─▶ segment ─▶ (workers) ─▶ answer() ─▶ reorderer ─▶ outbox ─▶ reader
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

from decalage.audio import AudioChunk
from decalage.clock import Clock
from decalage.config import RuntimeOptions, StreamOptions
from decalage.contracts import AudioSource, Segmenter
from decalage.errors import StreamFinishedError
from decalage.events import Failure, Gap, Partial, Settled, StreamEvent
from decalage.flow.channel import ChannelClosed
from decalage.flow.statistics import StreamStatistics
from decalage.runtimes.choices import Choices
from decalage.runtimes.cutter import Cutter, SegmenterFailedError
from decalage.runtimes.foresight import Foresight
from decalage.runtimes.hearing import Hearing
from decalage.runtimes.intake import Intake
from decalage.runtimes.job import Job
from decalage.runtimes.ledger import Ledger
from decalage.runtimes.outbox import Outbox
from decalage.speech import Segment, Transcript, Utterance

logger = logging.getLogger(__name__)


class RuntimeStream:
    """Implements ``contracts.Stream`` for runtimes that work in this process.

    ``wake(stream)`` is called, without a lock held, whenever ``cut`` may have something to give;
    ``answer`` may be called from any thread, and the first answer to an index is the one that counts;
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
        self.choices = Choices(options)
        self.damage: str | None = None
        """Why capture ended early, if it did."""
        self.hearing = Hearing()
        self._clock, self._wake, self._mark = clock, wake, mark
        self._source: AudioSource | None = None
        self._lock = threading.RLock()
        self._inbox = Intake(limits.max_inbox_s, waits=options.pace == "max", clock=clock)
        self._cutter = Cutter(segmenter, self._inbox)
        self._outbox = Outbox(clock, self._taken, tells_language=options.recognizer.language == "auto")
        self._foresight = Foresight(options.stability if options.partials else None)
        self._ledger = Ledger(credit=limits.max_in_flight, realtime=options.pace == "realtime")
        self._pending: deque[Segment] = deque()  # what one slice gave, at most two or three
        self._origin: float | None = None
        self._claimed = self._flushed = False

    def __repr__(self) -> str:
        return f"<RuntimeStream {self.name} {self._ledger!r} {self._inbox!r}>"

    def feed(self, chunk: AudioChunk) -> None:
        # A live chunk arrives when its last sample has been spoken, or later, but never sooner.
        live = self.options.pace == "realtime"
        origin = self._clock.now() - (chunk.end if live else chunk.start)
        if self._origin is None or (live and origin < self._origin):
            self._origin = origin
        try:
            for _ in self._inbox.accept(chunk):
                self._wake(self)
        except ChannelClosed as error:
            raise StreamFinishedError("the stream is finished; open another") from error

    def flush(self) -> None:
        self._inbox.flush()
        self._wake(self)

    def finish(self) -> None:
        """No more sound. A second call gives up waiting for a capture that does not stop."""
        source, self._source = self._source, None
        if source is not None:
            source.stop()  # ``captured`` follows when its last chunk is in
            return
        self._inbox.finish()
        self._wake(self)

    def __iter__(self) -> Iterator[StreamEvent]:
        return iter(self._outbox)

    def __aiter__(self) -> AsyncIterator[StreamEvent]:
        return aiter(self._outbox)

    def statistics(self) -> StreamStatistics:
        """Counts so far."""
        with self._lock:
            return self._ledger.statistics(self._inbox.statistics())

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
        """Segment one slice of sound at most; an utterance to work on, if there is one.

        Only between ``claim`` and ``release``. Takes one credit for each index it gives out. A final
        utterance whose provisional has been worked on, or is being, needs no more work.
        """
        if self._outbox.closed:
            return None
        if not self._pending:
            self._segment()
        with self._lock:
            if not self._pending or self._outbox.closed:
                return None
            segment = self._pending.popleft()
            if isinstance(segment, Utterance):
                return self._job(segment)
            self._ledger.issue(segment)
            gap = Gap(segment.index, segment.start, segment.end, segment.cause, captured=segment.captured)
            self._settle(gap)
        if self._mark is not None:
            self._mark("gap", f"{self.name}: {gap.start:.1f}-{gap.end:.1f} s ({gap.cause})")
        return None

    def _job(self, utterance: Utterance) -> Job | None:
        job = Job(self, utterance, self.choices.of(utterance.index), self.now())
        if not utterance.final:
            self._foresight.give(utterance)
            self._end_if_settled()
            return job if self.choices.sketching or not utterance.sketch else None
        self._ledger.issue(utterance)
        adopted = self._foresight.adopt(job)
        if isinstance(adopted, bool):
            return None if adopted else job
        self._settle(adopted)
        return None

    def start(self, job: Job) -> bool:
        """``wants``; the caller begins with its recognition now."""
        with self._lock:
            if wanted := self.wants(job):
                self._foresight.start(job.utterance)
            return wanted

    def wants(self, job: Job) -> bool:
        """Whether ``job`` still waits for its answer."""
        with self._lock:
            if job.utterance.final:
                return self._ledger.is_open(job.utterance.index)
            return not self._outbox.closed and self._foresight.wants(job.utterance)

    def heard(self, job: Job, transcript: Transcript) -> None:
        """What was recognized tells the segmenter where a provisional utterance stands."""
        if not job.utterance.final:
            self._cutter.hint(job.utterance, transcript)
        self.hearing.heard(job.utterance, transcript)

    def answer(self, job: Job, event: Settled) -> bool:
        """Answer ``job``, once: False if it has been answered already, or nobody asks any more.

        The event of a provisional utterance is told as a partial, or settles the final one.
        """
        with self._lock:
            if job.utterance.final:
                return self._settle(event)
            if self._outbox.closed or self._ledger.is_answered(event.index):
                return False  # too late
            outcome = self._foresight.conclude(job.utterance, event)
            if isinstance(outcome, Partial):
                self._outbox.show(outcome)
                return True
            return outcome is not None and self._settle(outcome)

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

    def give_up_cutting(self, told: str) -> None:
        """End with a failure: the segmenter is in a call that does not return."""
        self._end_failed(self._cutter.overdue(told))

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
        try:
            cut = self._cutter.next()
        except SegmenterFailedError as error:
            self._end_failed(error)
            return
        if cut is None:
            return
        with self._lock:
            if not self._flushed:  # else too late
                self._ledger.heard(cut.samples)
                self._pending.extend(self._outbox.told(cut.segments))
                self._flushed = cut.last
                self._end_if_settled()

    def _end_failed(self, error: SegmenterFailedError) -> None:
        """A segmenter that fails ends its stream with one failure event."""
        logger.error("segmenter of %s failed", self.name, exc_info=error)
        self._inbox.cancel()
        with self._lock:
            if not self._flushed:
                self._ledger.heard(error.samples)
                self._flushed = True
                index = self._ledger.issue(None)
                self._settle(Failure(index, error.start, error.end, "vad", str(error)))

    def _settle(self, event: Settled) -> bool:
        if self._outbox.closed or self._ledger.is_answered(event.index):
            return False
        for ready in self._ledger.answer(self._foresight.settle(event), self.now()):
            self._outbox.put(ready)
        self._end_if_settled()
        return True

    def _taken(self) -> None:
        with self._lock:
            self._ledger.taken()
        self._wake(self)

    def _end_if_settled(self) -> None:
        if self._flushed and not self._pending and self._ledger.balanced:
            self._outbox.close()
