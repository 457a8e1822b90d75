"""The two engine calls of an utterance, with their clocking, failures and spans: any worker's body."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from decalage.clock import Clock
from decalage.contracts import Recognizer, Translator
from decalage.errors import DecalageError, one_line
from decalage.events import Caption, Rejected, StageName, Timing
from decalage.flow.trace import Span, Trace
from decalage.runtimes.stream import Job
from decalage.speech import Rejection, Transcript

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class RecognizedJob:
    """A job with its transcript. Times are seconds on the stream clock."""

    job: Job
    transcript: Transcript
    asr_start: float
    asr_end: float

    @property
    def targets(self) -> list[str]:
        """The languages that need translation: all but the language of the speech."""
        return [t for t in self.job.stream.options.targets if t != self.transcript.language]


@dataclass(slots=True, eq=False)
class Translations:
    """The texts of one utterance as they come: one worker adds, whoever gives it up reads."""

    recognized: RecognizedJob
    text: dict[str, str]
    errors: dict[str, str]
    mt_start: float | None
    """Seconds on the stream clock; None where nothing is to be translated."""


class EngineCalls:
    """Recognizes and translates jobs; an engine's error becomes a failure in the job's place."""

    def __init__(
        self, recognizer: Recognizer, translator: Translator, *, clock: Clock, trace: Trace | None = None
    ) -> None:
        self._recognizer = recognizer
        self._translator = translator
        self._clock = clock
        self._trace = trace

    def recognize(self, job: Job) -> RecognizedJob | None:
        """The transcript, or None when the job has been answered: rejected or failed."""
        stream, utterance = job.stream, job.utterance
        asr_start = stream.now()
        try:
            with self._span("asr", job):
                outcome = self._recognizer.recognize(utterance, stream.options.recognizer)
        except Exception as error:
            _told(stream.fail(utterance, "asr", reason(error)), error)
            return None
        if isinstance(outcome, Rejection):
            stream.settle(Rejected(utterance.index, utterance.start, utterance.end, outcome.reason))
            return None
        return RecognizedJob(job, outcome, asr_start, stream.now())

    def begin(self, recognized: RecognizedJob) -> Translations:
        """What there is before the first target: the transcript."""
        transcript = recognized.transcript
        start = recognized.job.stream.now() if recognized.targets else None
        return Translations(recognized, {transcript.language: transcript.text}, {}, start)

    def translate(self, work: Translations) -> None:
        """Translate into every target, then ``conclude``."""
        job, transcript = work.recognized.job, work.recognized.transcript
        for target in work.recognized.targets:
            try:
                with self._span("mt", job):
                    translation = self._translator.translate(
                        transcript.text, source=transcript.language, target=target
                    )
                work.text[target] = translation.text
            except Exception as error:
                logger.warning("translation of %r to %s failed: %s", job.utterance, target, error)
                work.errors[target] = reason(error)
        conclude(work)

    @staticmethod
    def give_up(work: Translations, limit_s: float) -> None:
        """Settle with the targets that are done; the others have not answered in ``limit_s``."""
        text, errors = dict(work.text), dict(work.errors)
        for target in work.recognized.targets:
            if target not in text:
                errors.setdefault(target, f"no answer within {limit_s:g} s")
        conclude(Translations(work.recognized, text, errors, work.mt_start))

    @contextmanager
    def _span(self, stage: StageName, job: Job) -> Iterator[None]:
        start = self._clock.now()
        try:
            yield
        finally:
            end = self._clock.now()
            job.stream.serve(end - start)
            if self._trace is not None:
                thread = threading.current_thread().name
                self._trace.add(
                    Span(stage, job.stream.name, job.utterance.index, start, end, os.getpid(), thread, 0)
                )


def reason(error: BaseException) -> str:
    """What went wrong, fit for an event: our own errors say it themselves, others need their type."""
    return (
        one_line(error) if isinstance(error, DecalageError) else f"{type(error).__name__}: {one_line(error)}"
    )


def _told(answered: bool, error: Exception) -> None:
    if answered:
        logger.warning("recognition failed: %s", error)


def conclude(work: Translations) -> None:
    """Settle: a caption, or a failure when nothing but the transcript of another language is there."""
    recognized = work.recognized
    job, transcript = recognized.job, recognized.transcript
    if work.errors and set(work.errors) == set(job.stream.options.targets):
        told = "; ".join(f"{target}: {error}" for target, error in work.errors.items())
        job.stream.fail(job.utterance, "mt", told, transcript.text)
        return
    job.stream.settle(_caption(work, job.stream.now() if recognized.targets else None))


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
        errors=work.errors,
    )
