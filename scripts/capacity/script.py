"""What one speaker asks of the engines: the cuts of a stream and the seconds of work on each, as measured."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from statistics import median
from threading import Thread
from typing import TypeAlias

import numpy as np

from decalage.app.compose import ModelBlueprint, make_blueprint, stream_options
from decalage.app.settings import Settings
from decalage.audio import AudioChunk, seconds
from decalage.clock import SystemClock
from decalage.config import RecognizerOptions, SegmenterOptions, StreamOptions
from decalage.contracts import Recognizer, Segmenter, Translator
from decalage.events import Partial
from decalage.runtimes.pipeline import PipelineRuntime
from decalage.sources.file import FileSource
from decalage.sources.pace import Paced
from decalage.speech import Cut, Rejection, Transcript, Translation, Utterance

Timed: TypeAlias = tuple[Utterance, float]

_LONGEST = 6
_ROUNDS = 5


@dataclass(frozen=True)
class Script:
    """One speaker, measured alone on the machine."""

    cuts: Sequence[tuple[int, Cut]]
    """Each with the number of samples that had come by then."""
    samples: int
    options: StreamOptions
    asr: Sequence[Timed]
    mt_s: float
    """Translation, for a second of the sound that is translated."""
    pair_cost: float
    """How much longer a recognition takes while another is at work beside it."""
    shown: float = 0.0
    """Share of what is recognized before its end that is told as a caption that grows."""
    plain: Script | None = None
    """The same speaker without captions that grow."""

    @property
    def work_s(self) -> float:
        """Seconds of recognition and translation in all."""
        return sum(spent + self.mt_s * utterance.duration for utterance, spent in self.asr)

    @property
    def audio_s(self) -> float:
        """How long the speaker speaks, seconds."""
        return seconds(self.samples)

    def service_s(self, utterance: Utterance, *, drafted: bool) -> float:
        """Recognition of ``utterance``: as measured, or what one of its length took.

        ``drafted``: what came before of it was recognized; else it costs what a whole phrase does.
        """
        if self.plain is not None and not drafted and not utterance.sketch:
            return self.plain.service_s(utterance, drafted=False)
        same = self._known.get((utterance.index, utterance.first, len(utterance.samples)))
        if same is not None:
            return same
        return max(0.01, float(np.polyval(self._lines[utterance.sketch], utterance.duration)))

    @cached_property
    def _known(self) -> dict[tuple[int, int, int], float]:
        return {(u.index, u.first, len(u.samples)): spent for u, spent in self.asr}

    @cached_property
    def _lines(self) -> dict[bool, list[float]]:
        """A line through the measured calls of each kind, growing captions (true) or not."""
        lines = {}
        for sketch in (False, True):
            points = [(u.duration, spent) for u, spent in self.asr if u.sketch == sketch]
            if len(points) < 3:
                points = [(u.duration, spent) for u, spent in self.asr]
            lengths, spent = zip(*points, strict=True)
            lines[sketch] = [float(each) for each in np.polyfit(lengths, spent, 1)]
        return lines


@dataclass
class _Log:
    cuts: list[tuple[int, Cut]] = field(default_factory=list)
    asr: list[Timed] = field(default_factory=list)
    mt: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    translated_s: float = 0.0


class _CutsTold:
    def __init__(self, segmenter: Segmenter, log: _Log) -> None:
        self._segmenter, self._log, self._came = segmenter, log, 0

    def _told(self, cuts: list[Cut]) -> list[Cut]:
        self._log.cuts += [(self._came, cut) for cut in cuts]
        return cuts

    def feed(self, chunk: AudioChunk) -> list[Cut]:
        self._came += len(chunk.samples)
        return self._told(self._segmenter.feed(chunk))

    def flush(self) -> list[Cut]:
        return self._told(self._segmenter.flush())

    def miss(self, first: int, length: int, *, captured: bool) -> list[Cut]:
        return self._told(self._segmenter.miss(first, length, captured=captured))

    def hint(self, index: int, revision: int, transcript: Transcript) -> None:
        self._segmenter.hint(index, revision, transcript)

    def finish(self) -> list[Cut]:
        return self._told(self._segmenter.finish())


class _Clocked:
    """The recognizer and the translator with the seconds of each call."""

    def __init__(self, recognizer: Recognizer | None, translator: Translator | None, log: _Log) -> None:
        self._recognizer, self._translator, self._log = recognizer, translator, log

    def recognize(
        self, utterance: Utterance, options: RecognizerOptions, draft: Transcript | None = None
    ) -> Transcript | Rejection:
        assert self._recognizer is not None  # noqa: S101
        began = time.thread_time()
        outcome = self._recognizer.recognize(utterance, options, draft)
        self._log.asr.append((utterance, time.thread_time() - began))
        self._log.translated_s += utterance.duration
        return outcome

    def translate(self, text: str, *, source: str, target: str) -> Translation:
        assert self._translator is not None  # noqa: S101
        began = time.thread_time()
        said = self._translator.translate(text, source=source, target=target)
        self._log.mt["s"] += time.thread_time() - began
        return said

    def pairs(self) -> Sequence[tuple[str, str]]:
        assert self._translator is not None  # noqa: S101
        return self._translator.pairs()


@dataclass(frozen=True)
class _Measured:
    """The real stages, each call noted."""

    blueprint: ModelBlueprint
    log: _Log

    def segmenter(self, stream: str, options: SegmenterOptions) -> _CutsTold:
        return _CutsTold(self.blueprint.segmenter(stream, options), self.log)

    def recognizer(self, concurrency: int) -> _Clocked:
        return _Clocked(self.blueprint.recognizer(concurrency), None, self.log)

    def translator(self) -> _Clocked:
        return _Clocked(None, self.blueprint.translator(), self.log)


def measure(sound: str, *, plain: Script | None) -> Script:
    """Speak ``sound`` alone to this machine, at its own pace; with captions that grow after ``plain``."""
    partials = plain is not None
    settings = Settings(pace="realtime", partials=partials, offline=True)
    blueprint, log = make_blueprint(settings), _Log()
    options = stream_options(settings, blueprint)
    runtime = PipelineRuntime(_Measured(blueprint, log), settings.runtime_options())
    try:
        stream = runtime.run(Paced(FileSource(sound), SystemClock()), options)
        shown = sum(isinstance(event, Partial) for event in stream)
    finally:
        runtime.close()
    cuts = [(at, _silent(cut) if isinstance(cut, Utterance) else cut) for at, cut in log.cuts]
    heard = [utterance for utterance, _ in log.asr]
    pair_cost = _pair_cost(blueprint, options.recognizer, heard) if plain is None else plain.pair_cost
    return Script(
        cuts=cuts,
        samples=stream.statistics().samples_in,
        options=options,
        asr=[(_silent(utterance), spent) for utterance, spent in log.asr],
        mt_s=log.mt["s"] / log.translated_s,
        plain=plain,
        shown=shown / max(1, sum(not utterance.final for utterance, _ in log.asr)),
        pair_cost=pair_cost,
    )


def _pair_cost(blueprint: ModelBlueprint, options: RecognizerOptions, heard: Sequence[Utterance]) -> float:
    """Median of ``_ROUNDS``: seconds of a thread in the longest utterances, beside another and alone."""
    recognizer = blueprint.recognizer(2)
    longest = sorted((each for each in heard if each.final), key=lambda each: -each.duration)[:_LONGEST]

    def work(spent: list[float]) -> None:
        began = time.monotonic()
        for utterance in longest:
            recognizer.recognize(utterance, options)
        spent.append(time.monotonic() - began)

    ratios = []
    for _ in range(_ROUNDS):
        alone: list[float] = []
        beside: list[float] = []
        work(alone)
        threads = [Thread(target=work, args=(beside,)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        ratios.append(max(beside) / alone[0])
    return median(ratios)


def _silent(utterance: Utterance) -> Utterance:
    """Only its length matters here."""
    return replace(utterance, samples=np.broadcast_to(np.float32(0), len(utterance.samples)))
