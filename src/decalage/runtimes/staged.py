"""What the runtimes with a worker pool for each stage share: who hands what to whom.

::

    inbox ─▶ VAD × 1 ─▶ schedule ─▶ ASR × N ─▶ schedule ─▶ MT × 1 ─▶ reorder ─▶ events

Work travels as tickets: a ticket in a pool's queue says that there is something to do, the
schedule says what. Tickets never outnumber jobs, and jobs never the credit of the streams.
"""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections.abc import Sequence
from functools import partial

from decalage.flow.schedule import Schedule
from decalage.runtimes.calls import RecognizedJob, Translations, conclude
from decalage.runtimes.local import LocalRuntime
from decalage.runtimes.stream import Job, RuntimeStream
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

    @abstractmethod
    def _recognized(self, job: Job) -> RecognizedJob | None:
        """Recognize ``job`` within its deadline; None when it has been answered."""

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
        return self._calls.cut(stream)

    def _queue(self, job: Job) -> None:
        with self._schedules:
            self._to_recognize.add(job.utterance, job)
            waiting = len(self._to_recognize)
        self._calls.depth("waiting for ASR", waiting)
        self._dispatch(self._asr, self._recognize)

    def _recognize(self) -> None:
        """ASR worker: the next utterance by the schedule; its transcript goes to the translator."""
        with self._schedules:
            job = self._to_recognize.take()
            waiting = len(self._to_recognize)
        if job is None or not job.stream.is_open(job.utterance.index):
            return
        self._calls.depth("waiting for ASR", waiting)
        recognized = self._recognized(job)
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
        if recognized is None or not recognized.job.stream.is_open(recognized.job.utterance.index):
            return
        self._calls.depth("waiting for MT", waiting)
        self._conclude(self._calls.begin(recognized))

    def _pools(self) -> Sequence[WorkerPool]:
        return [self._vad, self._asr, self._mt]

    def _waiting(self) -> tuple[int, int]:
        with self._schedules:
            return len(self._to_recognize), len(self._to_translate)
