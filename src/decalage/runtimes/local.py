"""What all runtimes of one machine share: opening and capturing streams, and stopping.

Stopping is a ladder; ``close`` gives each step what is left of its deadline:
stop the sources → answer what is unfinished with failures → end the workers → count who is stuck.
"""

from __future__ import annotations

import itertools
import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import ClassVar

from decalage.clock import Clock, SystemClock
from decalage.config import RuntimeOptions, SegmenterOptions, StreamOptions
from decalage.contracts import AudioSource, Recognizer, Segmenter, StageBlueprint, Translator
from decalage.errors import DecalageError, RuntimeClosedError, StreamFinishedError
from decalage.flow.statistics import RuntimeStatistics
from decalage.flow.trace import Trace
from decalage.runtimes.calls import EngineCalls, RecognizedJob, Seat, Translations, reason
from decalage.runtimes.deadlines import overdue, timed
from decalage.runtimes.job import Job
from decalage.runtimes.stream import RuntimeStream
from decalage.runtimes.workers import WorkerAbandonedError, WorkerPool

logger = logging.getLogger(__name__)


def nothing() -> None:
    """Nobody else has to hear of it."""


class LocalRuntime(ABC):
    """A runtime whose streams are kept in this process, wherever the stages run."""

    name: ClassVar[str]
    attempts: ClassVar[int] = 1
    """How often an utterance is tried whose worker dies or hangs."""
    foresees: ClassVar[bool] = True
    """Whether it works on utterances before they end."""

    def __init__(
        self,
        blueprint: StageBlueprint,
        options: RuntimeOptions,
        *,
        clock: Clock | None = None,
        trace: Trace | None = None,
    ) -> None:
        """Make the pools and load the models; ``trace`` records every engine call."""
        self.options = options
        self.clock = clock or SystemClock()
        self._blueprint = blueprint
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        self._streams: list[RuntimeStream] = []
        self._sources: dict[str, tuple[AudioSource, threading.Thread]] = {}
        self._closed = False
        self._trace = trace
        self._calls = EngineCalls(clock=self.clock, trace=trace)
        self._make_pools()
        try:
            self._load(blueprint)
            self._try_segmenter(blueprint)
        except BaseException:
            self.close()
            raise

    def __repr__(self) -> str:
        return f"<{type(self).__name__} workers={self.options.workers} streams={len(self._streams)}>"

    @property
    def stranded(self) -> str | None:
        """Why nothing will be recognized or translated any more, however often it is tried; None: it will."""
        return None

    def open(self, options: StreamOptions) -> RuntimeStream:
        with self._lock:
            if self._closed:
                raise RuntimeClosedError("the runtime is closed; make another")
            name = f"{options.name or 'stream'}-{next(self._numbers)}"
            if not self.foresees:
                finals_only = replace(options.segmenter, pause_s=None, revise_s=None)
                options = replace(options, segmenter=finals_only)
            stream = RuntimeStream(
                name,
                options,
                self._segmenter(name, options.segmenter),
                limits=self.options,
                clock=self.clock,
                wake=self._wake,
                mark=self._calls.mark,
            )
            for ended in [s for s in self._streams if s.ended]:
                self._streams.remove(ended)
                self._forget(ended.name)
            self._streams.append(stream)
        return stream

    def run(self, source: AudioSource, options: StreamOptions) -> RuntimeStream:
        stream = self.open(options)
        try:
            self._begin_capture(self._carried(source, stream.name), stream)
        except BaseException as error:
            self._uncarried(stream.name)
            stream.abandon(f"capture did not begin: {reason(error)}")
            raise
        return stream

    def close(self, deadline_s: float = 5.0) -> None:
        with self._lock:
            first, self._closed = not self._closed, True
            streams, sources = list(self._streams), list(self._sources.values())
        if not first:
            return
        until = SystemClock().now() + deadline_s
        for source, _ in sources:
            source.stop()
        for stream in streams:
            if not stream.ended:
                stream.abandon("the runtime was closed before this was done")
        for pool in self._pools():
            pool.shutdown(wait=False, cancel_futures=True)
        self._end_workers(until)
        stuck = [repr(pool) for pool in self._pools() if not pool.join(max(0.0, until - SystemClock().now()))]
        for _, thread in sources:
            thread.join(max(0.0, until - SystemClock().now()))
            stuck += [thread.name] if thread.is_alive() else []
        self._let_go()
        if stuck:
            logger.warning("still inside a call %.1f s after close: %s", deadline_s, ", ".join(stuck))

    def statistics(self) -> RuntimeStatistics:
        """Counts now."""
        waiting_asr, waiting_mt = self._waiting()
        with self._lock:
            streams = sum(not stream.ended for stream in self._streams)
        return RuntimeStatistics(
            streams=streams,
            waiting_asr=waiting_asr,
            waiting_mt=waiting_mt,
            abandoned_workers=sum(pool.abandoned for pool in self._pools()),
            busy_s=self._calls.busy.by_stage(),
        )

    @abstractmethod
    def _make_pools(self) -> None:
        """Set up workers and schedules; called once, before the models load."""

    @abstractmethod
    def _load(self, blueprint: StageBlueprint) -> None:
        """Load the engines."""

    def _try_segmenter(self, blueprint: StageBlueprint) -> None:
        """What a segmenter cannot be made without is missed now, not when the first stream begins."""
        blueprint.segmenter("", SegmenterOptions())

    @abstractmethod
    def _wake(self, stream: RuntimeStream) -> None:
        """``stream`` may have something to cut: see to it that a worker looks."""

    @abstractmethod
    def _pools(self) -> Sequence[WorkerPool]:
        """All worker pools."""

    @abstractmethod
    def _waiting(self) -> tuple[int, int]:
        """Jobs waiting for recognition and for translation."""

    def _segmenter(self, stream: str, options: SegmenterOptions) -> Segmenter:
        """A segmenter for a new stream."""
        return self._blueprint.segmenter(stream, options)

    def _carried(self, source: AudioSource, stream: str) -> AudioSource:  # noqa: ARG002
        """``source`` where this runtime captures: in a thread of this process."""
        return source

    def _uncarried(self, stream: str) -> None:  # noqa: B027 - most have nothing to undo
        """``_carried`` was in vain: the capture of ``stream`` does not begin."""

    def _forget(self, stream: str) -> None:  # noqa: B027 - most keep nothing
        """``stream`` has ended; let go of what was kept for it."""

    def _end_workers(self, until: float) -> None:  # noqa: B027 - most have nothing else
        """End what is not a thread of a pool, by ``until`` on the system clock.

        Called once, when the pools take no more work.
        """

    def _let_go(self) -> None:  # noqa: B027
        """The last of ``close``: the threads have ended, or their time has."""

    def _cut_within(
        self, pool: WorkerPool, stream: RuntimeStream, given_up: Callable[[], None] = nothing
    ) -> Job | None:
        """Cut on this worker of ``pool``; past the deadline it is replaced and the stream ends with that."""

        def give_up(limit_s: float) -> None:
            stream.give_up_cutting(overdue(limit_s))
            given_up()

        with pool.deadline(self.options.vad_deadline_s, give_up):  # of a slice, whose length is nothing
            return self._calls.cut(stream)

    def _recognize_within(
        self, pool: WorkerPool, job: Job, seat: Seat[Recognizer], given_up: Callable[[], None] = nothing
    ) -> RecognizedJob | None:
        """Recognize on this worker of ``pool``; past the deadline it is replaced, the job failed."""
        with self._recognizing(pool, job, given_up):
            return self._calls.recognize(job, seat)

    def _recognizing(
        self, pool: WorkerPool, job: Job, given_up: Callable[[], None] = nothing
    ) -> AbstractContextManager[Callable[[float], None]]:
        """The deadline of all that has to be done for the transcript of ``job``."""

        def give_up(limit_s: float) -> None:
            job.fail("asr", overdue(limit_s))
            given_up()

        return pool.deadline(self.options.asr_limit_s(job.utterance.duration), give_up)

    def _translate_within(
        self,
        pool: WorkerPool,
        work: Translations,
        seat: Seat[Translator],
        given_up: Callable[[], None] = nothing,
    ) -> None:
        """Translate and settle on this worker of ``pool``; past the deadline with what is done."""

        def give_up(limit_s: float) -> None:
            self._calls.give_up(work, overdue(limit_s))
            given_up()

        with pool.deadline(self.options.mt_deadline_s, give_up) as renew:
            self._calls.translate(work, timed(seat, renew, self.options))

    @property
    def _sketch_limit(self) -> int:
        """Recognitions of utterances that go on, at most: one worker is kept for those that have ended."""
        return max(1, self.options.workers - 1)

    def _dispatch(self, pool: WorkerPool, step: Callable[[], None]) -> None:
        """Send a ticket to ``pool``; one that comes after ``close`` is void, its job answered."""
        try:
            pool.submit(self._guarded, step)
        except RuntimeClosedError:
            logger.debug("%r is closed; a ticket was dropped", pool)

    def _guarded(self, step: Callable[[], None]) -> None:
        """A worker's edge. Engine errors are events by now: what arrives here is a defect of ours.

        A stream left claimed by it would wait for ever, so all of them end, with the reason.
        """
        try:
            step()
        except WorkerAbandonedError as abandoned:
            logger.info("%s; its late answer is dropped", abandoned)
        except BaseException as error:
            logger.exception("a step of %r failed", self)
            with self._lock:
                streams = list(self._streams)
            for stream in streams:
                stream.abandon(f"internal error: {reason(error)}")

    def _begin_capture(self, source: AudioSource, stream: RuntimeStream) -> None:
        thread = threading.Thread(
            target=self._capture, args=(source, stream), name=f"capture-{stream.name}", daemon=True
        )
        with self._lock:  # ``close`` finds a thread that runs, or keeps it from starting
            if self._closed:
                raise RuntimeClosedError("the runtime was closed before the capture began")
            stream.attach(source)
            thread.start()
            self._sources[stream.name] = (source, thread)

    def _capture(self, source: AudioSource, stream: RuntimeStream) -> None:
        """Feed ``stream`` from ``source`` until either ends; tells the stream why and lets go of both."""
        damage: str | None = None
        try:
            for chunk in self._calls.captured(source, stream):
                stream.feed(chunk)
        except StreamFinishedError:
            logger.debug("%s was finished before its source ended", stream.name)
        except DecalageError as error:
            damage = str(error)
        except BaseException as error:
            logger.exception("source of %s failed", stream.name)
            damage = reason(error)
        finally:
            stream.captured(damage)
            with self._lock:
                self._sources.pop(stream.name, None)
