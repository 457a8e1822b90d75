"""What the runtimes with a worker pool for each stage share: who hands what to whom.

::

    inbox ─▶ VAD × 1 ─▶ schedule ─▶ ASR × N ─▶ schedule ─▶ MT × 1 ─▶ reorder ─▶ events

Work travels as tickets: a ticket in a pool's queue says that there may be something to do, the
schedule says what. There is one for each job that was added; the job may have been replaced since.
"""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections.abc import Callable, Sequence
from functools import partial

from decalage.flow.schedule import Schedule
from decalage.runtimes.calls import RecognizedJob, Translations, conclude
from decalage.runtimes.job import Job
from decalage.runtimes.local import LocalRuntime, nothing
from decalage.runtimes.stream import RuntimeStream
from decalage.runtimes.workers import WorkerPool


class StagedRuntime(LocalRuntime):
    """One VAD worker, N recognizing workers, one translating worker. Subclasses say over which engines."""

    def _make_pools(self) -> None:
        self._vad = WorkerPool("vad", 1, clock=self.clock)
        self._asr = WorkerPool("asr", self.options.workers, clock=self.clock)
        self._mt = WorkerPool("mt", 1, clock=self.clock)
        self._schedules = threading.Lock()
        self._to_recognize: Schedule[Job] = Schedule()
        self._to_translate: Schedule[RecognizedJob] = Schedule()
        self._sketches = 0  # recognitions of utterances that go on, at most ``_sketch_limit``

    @abstractmethod
    def _recognized(self, job: Job, given_up: Callable[[], None]) -> RecognizedJob | None:
        """Recognize ``job`` within its deadline; None when it has been answered.

        ``given_up`` is called where the deadline passes and this call may not return.
        """

    @abstractmethod
    def _conclude(self, work: Translations) -> None:
        """Translate what is missing and settle, within the deadline."""

    def _wake(self, stream: RuntimeStream) -> None:
        if stream.claim():
            self._dispatch(self._vad, partial(self._segment, stream))

    def _segment(self, stream: RuntimeStream) -> None:
        """VAD worker: one slice of sound; an utterance it completes goes to the recognizers."""
        job = self._cut(stream)
        if job is not None:
            self._queue(job)
        stream.release()

    def _cut(self, stream: RuntimeStream) -> Job | None:
        return self._cut_within(self._vad, stream)

    def _queue(self, job: Job) -> None:
        with self._schedules:
            self._to_recognize.add(job.utterance, job)
            waiting = len(self._to_recognize)
        self._calls.depth("waiting for ASR", waiting)
        self._dispatch(self._asr, self._recognize)

    def _recognize(self) -> None:
        """ASR worker: the next utterance by the schedule; its transcript goes to the translator."""
        with self._schedules:
            job = self._to_recognize.take(sketches=self._sketches < self._sketch_limit)
            waiting = len(self._to_recognize)
            sketch = job is not None and job.utterance.sketch
            self._sketches += sketch
        leave = _once(self._end_sketch) if sketch else nothing
        try:
            if job is not None and job.stream.start(job):
                self._calls.depth("waiting for ASR", waiting)
                self._transcribe(job, leave)
        finally:
            leave()

    def _end_sketch(self) -> None:
        with self._schedules:
            self._sketches -= 1
            waiting = len(self._to_recognize)
        if waiting:  # the ticket of a sketch that was held back was void
            self._dispatch(self._asr, self._recognize)

    def _transcribe(self, job: Job, given_up: Callable[[], None]) -> None:
        recognized = self._recognized(job, given_up)
        if recognized is None:
            return
        if not recognized.targets:
            conclude(self._calls.begin(recognized))
            return
        with self._schedules:
            self._to_translate.add(job.utterance, recognized)
            waiting = len(self._to_translate)
        self._calls.depth("waiting for MT", waiting)
        self._dispatch(self._mt, self._translate)

    def _translate(self) -> None:
        """MT worker: the next transcript by the schedule, settled as a caption."""
        with self._schedules:
            recognized = self._to_translate.take()
            waiting = len(self._to_translate)
        if recognized is None or not recognized.job.stream.wants(recognized.job):
            return
        self._calls.depth("waiting for MT", waiting)
        self._conclude(self._calls.begin(recognized))

    def _pools(self) -> Sequence[WorkerPool]:
        return [self._vad, self._asr, self._mt]

    def _waiting(self) -> tuple[int, int]:
        with self._schedules:
            return len(self._to_recognize), len(self._to_translate)


def _once(call: Callable[[], None]) -> Callable[[], None]:
    """``call``, but not a second time, from whichever thread."""
    lock = threading.Lock()

    def first() -> None:
        if lock.acquire(blocking=False):
            call()

    return first
