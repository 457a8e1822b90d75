"""Today's system, the baseline: one worker takes sound through VAD, ASR and MT, one after the other.

::

    capture ─▶ inbox ─▶ [ VAD ─▶ ASR ─▶ MT ] ─▶ events
                          one worker thread
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import ClassVar

from decalage.contracts import Recognizer, StageBlueprint, Translator
from decalage.runtimes.calls import Seat, Translations
from decalage.runtimes.deadlines import overdue, timed
from decalage.runtimes.job import Job
from decalage.runtimes.local import LocalRuntime
from decalage.runtimes.stream import RuntimeStream
from decalage.runtimes.workers import WorkerPool


class SequentialRuntime(LocalRuntime):
    """Everything in turn. Nothing is segmented while an utterance is recognized or translated."""

    name: ClassVar[str] = "sequential"
    foresees: ClassVar[bool] = False

    def _make_pools(self) -> None:
        self._worker = WorkerPool("worker", 1, clock=self.clock)

    def _load(self, blueprint: StageBlueprint) -> None:
        self._recognizer: Seat[Recognizer] = Seat(blueprint.recognizer(1))
        self._translator: Seat[Translator] = Seat(blueprint.translator())

    def _wake(self, stream: RuntimeStream) -> None:
        if stream.claim():
            self._dispatch(self._worker, partial(self._step, stream))

    def _step(self, stream: RuntimeStream) -> None:
        """One slice of sound, and the whole way of the utterance it completes."""
        job = self._cut_within(self._worker, stream)
        if job is not None and stream.start(job):
            self._interpret(job)
        stream.release()

    def _interpret(self, job: Job) -> None:
        begun: list[Translations] = []

        def give_up(limit_s: float) -> None:
            if begun:
                self._calls.give_up(begun[0], overdue(limit_s))
            else:
                job.fail("asr", overdue(limit_s))
            job.stream.release()

        limit_s = self.options.asr_limit_s(job.utterance.duration)
        with self._worker.deadline(limit_s, give_up) as renew:
            recognized = self._calls.recognize(job, self._recognizer)
            if recognized is not None:
                begun.append(self._calls.begin(recognized))
                self._calls.translate(begun[0], timed(self._translator, renew, self.options))

    def _pools(self) -> Sequence[WorkerPool]:
        return [self._worker]

    def _waiting(self) -> tuple[int, int]:
        return 0, 0
