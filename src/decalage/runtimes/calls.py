"""The work on an utterance, with its clocking, failures and spans: any worker's body."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Generic, Protocol, TypeVar

from decalage.audio import AudioChunk
from decalage.clock import Clock
from decalage.contracts import AudioSource, Recognizer, Translator
from decalage.errors import DecalageError, one_line
from decalage.events import Caption, Rejected, StageName, Timing
from decalage.flow.trace import Depth, Mark, Span, Trace
from decalage.runtimes.busy import BusySeconds
from decalage.runtimes.job import Job
from decalage.runtimes.roads import road
from decalage.runtimes.stream import RuntimeStream
from decalage.speech import Rejection, Transcript
from decalage.stages.terms import translated

logger = logging.getLogger(__name__)

Engine = TypeVar("Engine")


class WorkerLostError(DecalageError):
    """Raised by an engine of another process when that process is gone: the call may be tried again.

    ``begun``: whether the call may have reached it.
    """

    def __init__(self, message: str, *, begun: bool = True) -> None:
        super().__init__(message)
        self.begun = begun


@dataclass(frozen=True, slots=True)
class RemoteCall:
    """A stretch of work and the process that did it. Times are seconds, monotonic."""

    process: int
    start: float
    end: float
    ipc_s: float
    """Seconds of the call that were not work."""


class Remote(Protocol):
    """Where the calls of an engine are really answered; one call at a time."""

    def answered(self) -> list[RemoteCall]:
        """The calls since this was asked last, those that were lost with their process too."""


@dataclass(slots=True)
class Seat(Generic[Engine]):
    """An engine as a worker uses it."""

    engine: Engine
    replica: int = 0
    """Which copy of the weights."""
    remote: Remote | None = None
    """None: in this process."""


@dataclass(frozen=True, slots=True, eq=False)
class RecognizedJob:
    """A job with its transcript. Times are seconds on the stream clock."""

    job: Job
    transcript: Transcript
    asr_start: float
    asr_end: float
    degraded: tuple[str, ...] = ()
    """What was given up for it under overload."""

    @property
    def targets(self) -> list[str]:
        """The languages that need translation: all but the language of the speech."""
        return [t for t in self.job.options.targets if t != self.transcript.language]


@dataclass(slots=True, eq=False)
class Translations:
    """The texts of one utterance as they come: one worker adds, whoever gives it up reads."""

    recognized: RecognizedJob
    text: dict[str, str]
    errors: dict[str, str]
    mt_start: float | None
    """Seconds on the stream clock; None where nothing is to be translated."""

    @property
    def missing(self) -> list[str]:
        """The targets without an answer so far."""
        return [t for t in self.recognized.targets if t not in self.text and t not in self.errors]


class EngineCalls:
    """Cuts, recognizes and translates; an engine's error becomes a failure in the job's place.

    ``WorkerLostError`` alone goes through: the runtime decides whether to try again.
    """

    def __init__(self, *, clock: Clock, trace: Trace | None = None) -> None:
        self._clock = clock
        self._trace = trace
        self.busy = BusySeconds()

    def cut(self, stream: RuntimeStream, remote: Remote | None = None) -> Job | None:
        """``stream.cut()`` with its span; ``remote`` is where its segmenter is."""
        index = stream.issued
        with self._clocked("vad", Seat(None, remote=remote)) as calls:
            job = stream.cut()
        if self._trace is not None:
            self._spans("vad", stream.name, index, calls)
            self.depth(f"inbox of {stream.name}, s", stream.waiting_s)
        return job

    def captured(self, source: AudioSource, stream: RuntimeStream) -> Iterator[AudioChunk]:
        """The chunks of ``source``, a span for each: from when it was asked for to when it came."""
        asked = self._clock.now()
        for chunk in source:
            if self._trace is not None:
                process = getattr(source, "pid", os.getpid())
                thread = threading.current_thread().name
                came = self._clock.now()
                self._trace.add(Span("capture", stream.name, stream.issued, asked, came, process, thread, 0))
            yield chunk
            asked = self._clock.now()

    def depth(self, queue: str, value: float) -> None:
        """Record how much waits in ``queue`` now."""
        if self._trace is not None:
            self._trace.add(Depth(self._clock.now(), queue, value))

    def mark(self, name: str, detail: str) -> None:
        """Record something unusual."""
        logger.warning("%s: %s", name, detail)
        if self._trace is not None:
            self._trace.add(Mark(self._clock.now(), name, detail))

    def recognize(self, job: Job, seat: Seat[Recognizer]) -> RecognizedJob | None:
        """The transcript, or None when the job has been answered: rejected or failed."""
        stream, utterance = job.stream, job.utterance
        asr_start = stream.now()
        eased, degraded = stream.eased(job.options.recognizer)
        try:
            with self._served("asr", job, seat):
                options, draft = stream.hearing.options(eased), stream.hearing.draft(utterance)
                outcome = seat.engine.recognize(utterance, options, draft)
        except WorkerLostError:
            raise
        except BaseException as error:  # a panic of native code is no Exception
            _told(job.fail("asr", reason(error)), error)
            return None
        if isinstance(outcome, Rejection):
            stream.answer(job, Rejected(utterance.index, utterance.start, utterance.end, outcome.reason))
            return None
        stream.heard(job, outcome)
        return RecognizedJob(job, outcome, asr_start, stream.now(), degraded)

    def begin(self, recognized: RecognizedJob) -> Translations:
        """What there is before the first target: the transcript."""
        transcript = recognized.transcript
        start = recognized.job.stream.now() if recognized.targets else None
        return Translations(recognized, {transcript.language: transcript.text}, {}, start)

    def translate(self, work: Translations, seat: Seat[Translator]) -> None:
        """Translate into every target that is not done, then ``conclude``."""
        job, transcript = work.recognized.job, work.recognized.transcript
        for target in work.missing:
            try:
                source, text = road(transcript, target, job.options)
                if source == target:
                    work.text[target] = text
                    continue
                with self._served("mt", job, seat):
                    engine = partial(_text_of, seat.engine, source, target)
                    work.text[target] = translated(text, engine, job.options.terms, target)
            except WorkerLostError:
                raise
            except BaseException as error:  # as above
                logger.warning("translation of %r to %s failed: %s", job.utterance, target, error)
                work.errors[target] = reason(error)
        conclude(work)

    @staticmethod
    def give_up(work: Translations, told: str) -> None:
        """Settle with the targets that are done; ``told`` is what became of the others."""
        text, errors = dict(work.text), dict(work.errors)
        for target in work.missing:
            errors[target] = told
        conclude(Translations(work.recognized, text, errors, work.mt_start))

    @contextmanager
    def _served(self, stage: StageName, job: Job, seat: Seat[Engine]) -> Iterator[None]:
        """An engine call: its time counts as service, its span is recorded."""
        calls: list[RemoteCall] = []
        try:
            with self._clocked(stage, seat) as calls:
                yield
        finally:
            utterance = job.utterance
            job.stream.serve(stage, utterance, sum(call.end - call.start for call in calls))
            revision = None if utterance.final else utterance.revision
            self._spans(stage, job.stream.name, utterance.index, calls, seat.replica, revision)

    @contextmanager
    def _clocked(self, stage: StageName, seat: Seat[Engine]) -> Iterator[list[RemoteCall]]:
        """Filled, at the end, with where and when the work was done: here, unless ``seat`` is elsewhere."""
        calls: list[RemoteCall] = []
        if seat.remote is not None:
            seat.remote.answered()  # of nobody's work: a model that was loaded
        start = self._clock.now()
        try:
            yield calls
        finally:
            if seat.remote is not None:
                calls += seat.remote.answered()
            else:
                calls.append(RemoteCall(os.getpid(), start, self._clock.now(), 0.0))
            self.busy.add(stage, (call.end - call.start for call in calls))

    def _spans(
        self,
        stage: StageName,
        stream: str,
        index: int,
        calls: list[RemoteCall],
        replica: int = 0,
        revision: int | None = None,
    ) -> None:
        """A span for each of ``calls``."""
        if self._trace is None:
            return
        thread = threading.current_thread().name
        for call in calls:
            where = (call.start, call.end, call.process, thread, replica)
            self._trace.add(Span(stage, stream, index, *where, call.ipc_s, revision))


def reason(error: BaseException) -> str:
    """What went wrong, fit for an event: our own errors say it themselves, others need their type."""
    return (
        one_line(error) if isinstance(error, DecalageError) else f"{type(error).__name__}: {one_line(error)}"
    )


def _told(answered: bool, error: BaseException) -> None:
    if answered:
        logger.warning("recognition failed: %s", error)


def _text_of(engine: Translator, source: str, target: str, text: str) -> str:
    return engine.translate(text, source=source, target=target).text


def conclude(work: Translations) -> None:
    """Settle: a caption, or a failure when nothing but the transcript of another language is there."""
    recognized = work.recognized
    job, transcript = recognized.job, recognized.transcript
    if work.errors and set(work.errors) == set(job.options.targets):
        told = "; ".join(f"{target}: {error}" for target, error in work.errors.items())
        job.fail("mt", told, transcript.text, transcript.language)
        return
    job.stream.answer(job, _caption(work, job.stream.now() if recognized.targets else None))


def _caption(work: Translations, mt_end: float | None) -> Caption:
    """``emitted``, ``latency`` and ``lag`` are stamped when the caption's turn comes."""
    recognized = work.recognized
    utterance = recognized.job.utterance
    return Caption(
        index=utterance.index,
        start=utterance.start,
        end=utterance.end,
        source=recognized.transcript.language,
        text=work.text,
        timing=Timing(
            speech_end=utterance.speech_end,
            endpoint=recognized.job.endpoint,
            asr_start=recognized.asr_start,
            asr_end=recognized.asr_end,
            mt_start=work.mt_start,
            mt_end=mt_end,
            emitted=0.0,
        ),
        latency=None,
        lag=None,
        degraded=recognized.degraded,
        words=recognized.transcript.words,
        errors=work.errors,
    )
