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
from dataclasses import replace

from decalage.audio import AudioChunk, sample_count, seconds
from decalage.clock import Clock
from decalage.config import RecognizerOptions, RuntimeOptions, StreamOptions
from decalage.contracts import AudioSource, Segmenter
from decalage.errors import StreamFinishedError
from decalage.events import Settled, StageName, StreamEvent
from decalage.flow.channel import ChannelClosed
from decalage.flow.overload import USUAL_S
from decalage.flow.statistics import StreamStatistics
from decalage.runtimes.answers import Answers
from decalage.runtimes.choices import Choices
from decalage.runtimes.cutter import Cutter, SegmenterFailedError
from decalage.runtimes.hearing import Hearing
from decalage.runtimes.intake import Intake
from decalage.runtimes.job import Job
from decalage.runtimes.outbox import Outbox
from decalage.runtimes.stream_clock import StreamClock
from decalage.speech import Segment, Transcript, Utterance
from decalage.store.spill import SoundSpill

logger = logging.getLogger(__name__)


class RuntimeStream:
    """Implements ``contracts.Stream`` for runtimes of this machine.

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
        self.waits_from: float | None = None
        """Stream clock of the oldest sound that whoever feeds this stream has and holds back."""
        self._clock = StreamClock(clock, live=(live := options.pace == "realtime"))
        self._wake = wake
        self._source: AudioSource | None = None
        self._lock = threading.RLock()
        self._outbox = Outbox(clock, self._taken, tells_language=options.recognizer.language == "auto")
        self._answers = Answers(name, options, self._outbox, credit=limits.max_in_flight, mark=mark)
        self.overload = self._answers.overload
        spills = self.overload.policy == "degrade" and limits.max_spill_s > 0
        spill = SoundSpill(sample_count(limits.max_spill_s)) if spills else None
        self._inbox = Intake(limits.max_inbox_s, waits=not live, clock=clock, spill=spill)
        self._cutter = Cutter(segmenter, self._inbox, sample_count(options.segmenter.undecided_s))
        self._pending: deque[Segment] = deque()  # what one slice gave, at most two or three
        self._claimed = self._flushed = False

    def __repr__(self) -> str:
        return f"<RuntimeStream {self.name} {self._answers!r} {self._inbox!r}>"

    def feed(self, chunk: AudioChunk) -> None:
        self._clock.arrived(chunk)
        try:
            for _ in self._inbox.accept(chunk):
                self._wake(self)
        except ChannelClosed as error:
            raise StreamFinishedError("the stream is finished; open another") from error
        self.look()

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
            return replace(
                self._answers.ledger.statistics(self._inbox), shed_s=self.overload.seconds(self.now())
            )

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
                cut = Job(self, segment, self.choices.of(segment.index), self.now())
                job = self._answers.give(cut, self.now())
                self._answered()
                return job
            self._answers.miss(segment, self.now())
            self._answered()
            return None

    def start(self, job: Job) -> bool:
        """``wants``; the caller begins with its recognition now, unless overload takes it away."""
        with self._lock:
            started = self._answers.start(job, self.now())
            self._answered()
            return started

    def wants(self, job: Job) -> bool:
        """Whether ``job`` still waits for its answer."""
        with self._lock:
            return self._answers.wants(job)

    def eased(self, options: RecognizerOptions) -> tuple[RecognizerOptions, tuple[str, ...]]:
        """How a recognition that begins now is done, and what is given up for that."""
        with self._lock:
            return self.overload.eased(options), self.overload.shed

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
            told = self._answers.answer(job, event, self.now())
            self._answered()
            return told

    def abandon(self, error: str) -> None:
        """End now: what is in flight becomes failures; dropped sound is told as ``damage``."""
        self._inbox.cancel()
        with self._lock:
            if self._outbox.closed:
                return
            self._answers.fail_open(error, self.now())
            self._answered()
            if not self._outbox.closed:
                self.damage = self.damage or error
            self._flushed = True
            self._outbox.close()

    def give_up_cutting(self, told: str) -> None:
        """End with a failure: the segmenter is in a call that does not return."""
        self._end_failed(self._cutter.overdue(told))

    def now(self) -> float:
        """Seconds on the stream clock."""
        return self._clock.now()

    def serve(self, stage: StageName, utterance: Utterance, service_s: float) -> None:
        """Count engine time."""
        with self._lock:
            self._answers.ledger.service_s += service_s
            self.overload.took(stage, utterance, service_s)

    def look(self) -> None:
        """See how late this is, and give up or take back what that asks for; each feed and answer looks."""
        if self.overload.policy != "block":
            with self._lock:
                self._answers.look(self.now(), self.behind_s)

    @property
    def behind_s(self) -> float:
        """How much longer than usual the oldest sound without an answer has waited for it, seconds."""
        oldest = self._inbox.oldest
        unheard = None if oldest is None else seconds(oldest)
        pending = [at for at in (self._answers.ledger.oldest_end, unheard, self.waits_from) if at is not None]
        return max(0.0, self.now() - min(pending) - USUAL_S) if pending else 0.0

    @property
    def issued(self) -> int:
        """Indices given out: the number of the utterance that comes next."""
        return self._answers.ledger.issued

    @property
    def waiting_s(self) -> float:
        """Seconds of sound that wait for the segmenter."""
        return self._inbox.statistics().weight

    @property
    def ended(self) -> bool:
        """Whether every event is in the outbox."""
        return self._outbox.closed

    def _has_work(self) -> bool:
        if self._outbox.closed or not self._answers.ledger.has_credit:
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
                self._answers.ledger.heard(cut.samples)
                self._pending.extend(self._outbox.told(cut.segments))
                self._flushed = cut.last
                self._answered()

    def _end_failed(self, error: SegmenterFailedError) -> None:
        """A segmenter that fails ends its stream with one failure event."""
        logger.error("segmenter of %s failed", self.name, exc_info=error)
        self._inbox.cancel()
        with self._lock:
            if not self._flushed:
                self._answers.ledger.heard(error.unheard)
                self._flushed = True
                failure = self._answers.ledger.issue_failure(error.start, error.end, str(error))
                self._answers.settle(failure, self.now())
                self._answered()

    def _taken(self) -> None:
        with self._lock:
            self._answers.ledger.taken()
        self._wake(self)

    def _answered(self) -> None:
        """Something may have been: see how late the stream is, and whether it has ended."""
        self.look()
        if self._flushed and not self._pending:
            self._answers.close_if_balanced()
