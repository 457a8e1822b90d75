"""Option 3: audio, VAD, each recognizer and MT in spawned processes; sound in shared memory.

::

    audio process ─▶ capture ─▶ inbox ─▶ VAD ─▶ schedule ─▶ ASR × N ─▶ schedule ─▶ MT ─▶ reorder ─▶ events
    a source         a thread            thread             threads                thread
                                           ║                  ║                      ║
                                          VAD process        ASR process × N        MT process

The threads here only wait for answers. Order, bounds and fairness are kept in this process, so a
child holds nothing that cannot be given again: one that dies or hangs is replaced and its utterance
tried once more.
"""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import ClassVar, TypeVar

from decalage.config import SegmenterOptions
from decalage.contracts import AudioSource, Recognizer, Segmenter, StageBlueprint, Translator
from decalage.runtimes.audio_process import CapturedElsewhere, packed
from decalage.runtimes.calls import RecognizedJob, Seat, Translations, WorkerLostError, reason
from decalage.runtimes.child import Child
from decalage.runtimes.deadlines import overdue, timed
from decalage.runtimes.job import Job
from decalage.runtimes.remote import (
    RecognizerService,
    RemoteRecognizer,
    RemoteTranslator,
    TranslatorService,
)
from decalage.runtimes.remote_segmenter import RemoteSegmenter, SegmenterDesk, SegmenterService
from decalage.runtimes.staged import StagedRuntime
from decalage.runtimes.stream import RuntimeStream
from decalage.runtimes.workers import WorkerPool

T = TypeVar("T")

_STARTS = 4
"""Processes that may die one after the other before they are asked anything."""


class ProcessesRuntime(StagedRuntime):
    """The paper's multiprocessing. Scripts that use it need the ``if __name__ == "__main__":`` guard."""

    name: ClassVar[str] = "processes"
    attempts: ClassVar[int] = 2

    def _make_pools(self) -> None:
        super()._make_pools()
        self._children: list[Child] = []
        self._captures: dict[str, CapturedElsewhere] = {}
        self._recognizers: queue.SimpleQueue[tuple[Seat[Recognizer], Child]] = queue.SimpleQueue()
        self._desks: list[RemoteRecognizer | SegmenterDesk] = []

    def _load(self, blueprint: StageBlueprint) -> None:
        """All processes at the same time."""
        vad = self._child("vad", SegmenterService, blueprint)
        asr = [self._child(f"asr-{n}", RecognizerService, blueprint) for n in range(self.options.workers)]
        self._mt_child = self._child("mt", TranslatorService, blueprint)
        for child in self._children:
            child.ready()

        def within(sound_s: float) -> AbstractContextManager[Callable[[float], None]]:
            return self._deadline(self._vad, vad, self.options.vad_limit_s(sound_s))

        self._vad_child, self._segmenting = vad, SegmenterDesk(vad, self._calls.mark, within)
        self._desks.append(self._segmenting)
        for number, child in enumerate(asr):
            recognizer = RemoteRecognizer(child)
            self._desks.append(recognizer)
            self._recognizers.put((Seat(recognizer, number, child), child))
        self._translator: Seat[Translator] = Seat(RemoteTranslator(self._mt_child), remote=self._mt_child)

    def _try_segmenter(self, blueprint: StageBlueprint) -> None:
        """Their process has tried when it was made."""

    def _child(self, name: str, service: type, blueprint: StageBlueprint) -> Child:
        child = Child(name, service, blueprint)
        self._children.append(child)
        return child

    @property
    def processes(self) -> dict[str, int]:
        """Process id by name of each child at work, captures apart."""
        return {child.name: child.pid for child in self._children}

    @property
    def captures(self) -> dict[str, int]:
        """Process id by stream of each capture that has a process of its own."""
        return {stream: capture.pid for stream, capture in list(self._captures.items())}

    def _segmenter(self, stream: str, options: SegmenterOptions) -> Segmenter:
        return RemoteSegmenter(self._segmenting, stream, options)

    def _carried(self, source: AudioSource, stream: str) -> AudioSource:
        """In a process of its own, but for what cannot leave this one (standard input)."""
        parcel = packed(source)
        if parcel is None:
            return source
        elsewhere = CapturedElsewhere(source, parcel, stream)
        self._captures[stream] = elsewhere
        elsewhere.ready()
        return elsewhere

    def _uncarried(self, stream: str) -> None:
        capture = self._captures.pop(stream, None)
        if capture is not None:
            capture.close()

    def _forget(self, stream: str) -> None:
        self._segmenting.forget(stream)
        capture = self._captures.pop(stream, None)
        if capture is not None:
            capture.kill()  # its source may not have heard that it should stop

    def _cut(self, stream: RuntimeStream) -> Job | None:
        return self._calls.cut(stream, self._vad_child)

    def _recognized(self, job: Job, given_up: Callable[[], None]) -> RecognizedJob | None:  # noqa: ARG002
        """A process that is given up is ended, so the call returns."""
        seat, child = self._recognizers.get()  # there are as many as workers
        limit_s = self.options.asr_limit_s(job.utterance.duration)
        try:
            return self._tried(lambda _: self._calls.recognize(job, seat), job, child, self._asr, limit_s)
        except Exception as error:
            job.fail("asr", reason(error))
            return None
        finally:
            self._recognizers.put((seat, child))

    def _conclude(self, work: Translations) -> None:
        job, limit_s = work.recognized.job, self.options.mt_deadline_s

        def translate(renew: Callable[[float], None]) -> None:
            self._calls.translate(work, timed(self._translator, renew, self.options))

        try:
            self._tried(translate, job, self._mt_child, self._mt, limit_s)
        except Exception as error:
            self._calls.give_up(work, reason(error))

    @staticmethod
    @contextmanager
    def _deadline(pool: WorkerPool, child: Child, limit_s: float) -> Iterator[Callable[[float], None]]:
        """Bounds the calls of ``child`` by a worker of ``pool``: past it the process is ended.

        What it gives begins the time anew, as that of ``WorkerPool.deadline``.
        """
        with (
            child.turn() as end,
            pool.deadline(limit_s, lambda limit_s: end(overdue(limit_s)), stays=True) as renew,
        ):
            yield renew

    def _tried(
        self,
        call: Callable[[Callable[[float], None]], T],
        job: Job,
        child: Child,
        pool: WorkerPool,
        limit_s: float,
    ) -> T:
        """``call(renew)``, again with a fresh process when its own is lost.

        Raises what the last try raised.
        """
        left, starts = self.attempts, 0
        while True:
            try:
                with self._deadline(pool, child, limit_s) as renew:
                    return call(renew)
            except WorkerLostError as lost:
                starts += 1
                left -= lost.begun or starts > _STARTS  # one that died before it was asked was no try
                if self._closed or not job.stream.wants(job):
                    raise
                child.restart()
                self._calls.mark("worker replaced", f"{child.name}: {lost}")
                if left <= 0:
                    raise
                self._calls.mark("retry", f"{job.stream.name}#{job.utterance.index} on {child.name}")

    def _end_workers(self, until: float) -> None:  # noqa: ARG002 - killed, not asked: nothing to wait for
        for capture in list(self._captures.values()):
            capture.kill()
        for child in self._children:
            child.close()

    def _let_go(self) -> None:
        for child in self._children:
            child.bury()
        for desk in self._desks:
            desk.close()
