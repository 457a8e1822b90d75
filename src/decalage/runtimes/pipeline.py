"""Option 1: each stage has its own workers, and one utterance's MT overlaps the next one's ASR.

::

    capture ─▶ inbox ─▶ VAD ─▶ schedule ─▶ ASR × N ─▶ schedule ─▶ MT ─▶ reorder ─▶ events
    a thread            one                threads over            one
    a stream            thread             one set of weights      thread

Work travels as tickets: a ticket in a pool's queue says that there is something to do, the
schedule says what. Tickets never outnumber jobs, and jobs never the credit of the streams.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import partial
from typing import ClassVar

from decalage.contracts import Recognizer, StageBlueprint, Translator
from decalage.flow.schedule import Schedule
from decalage.runtimes.calls import RecognizedJob
from decalage.runtimes.local import LocalRuntime
from decalage.runtimes.stream import Job, RuntimeStream
from decalage.runtimes.workers import WorkerPool


class PipelineRuntime(LocalRuntime):
    """The default: N recognitions at a time over shared weights, translation overlapped."""

    name: ClassVar[str] = "pipeline"

    def _make_pools(self) -> None:
        self._vad = WorkerPool("vad", 1, clock=self.clock)
        self._asr = WorkerPool("asr", self.options.workers, clock=self.clock)
        self._mt = WorkerPool("mt", 1, clock=self.clock)
        self._schedules = threading.Lock()
        self._to_recognize: Schedule[Job] = Schedule()
        self._to_translate: Schedule[RecognizedJob] = Schedule()

    def _load(self, blueprint: StageBlueprint) -> tuple[Recognizer, Translator]:
        """Both at the same time, each on a worker that will use it."""
        recognizer = self._asr.submit(blueprint.recognizer, self.options.workers)
        translator = self._mt.submit(blueprint.translator)
        return recognizer.result(), translator.result()

    def _wake(self, stream: RuntimeStream) -> None:
        if stream.claim():
            self._dispatch(self._vad, partial(self._segment, stream))

    def _segment(self, stream: RuntimeStream) -> None:
        """VAD worker: one slice of sound; an utterance it completes goes to the recognizers."""
        job = stream.cut()
        if job is not None:
            with self._schedules:
                self._to_recognize.add(job.utterance, job)
            self._dispatch(self._asr, self._recognize)
        stream.release()

    def _recognize(self) -> None:
        """ASR worker: the next utterance by the schedule; its transcript goes to the translator."""
        with self._schedules:
            job = self._to_recognize.take()
        if job is None or not job.stream.is_open(job.utterance.index):
            return

        def give_up() -> None:
            limit = self.options.asr_deadline_s
            job.stream.fail(job.utterance, "asr", f"no answer within {limit:g} s")

        with self._asr.deadline(self.options.asr_deadline_s, give_up):
            recognized = self._calls.recognize(job)
        if recognized is None:
            return
        if not recognized.targets:
            self._calls.translate(self._calls.begin(recognized))
            return
        with self._schedules:
            self._to_translate.add(job.utterance, recognized)
        self._dispatch(self._mt, self._translate)

    def _translate(self) -> None:
        """MT worker: the next transcript by the schedule, settled as a caption."""
        with self._schedules:
            recognized = self._to_translate.take()
        if recognized is None or not recognized.job.stream.is_open(recognized.job.utterance.index):
            return

        work, limit_s = self._calls.begin(recognized), self.options.mt_deadline_s
        with self._mt.deadline(limit_s, partial(self._calls.give_up, work, limit_s)):
            self._calls.translate(work)

    def _pools(self) -> Sequence[WorkerPool]:
        return [self._vad, self._asr, self._mt]

    def _waiting(self) -> tuple[int, int]:
        with self._schedules:
            return len(self._to_recognize), len(self._to_translate)
