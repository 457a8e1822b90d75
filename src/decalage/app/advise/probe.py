"""A few seconds with the user's model: how long it takes alone, and with every worker busy.

The sound is cut by the real segmenter, so utterances are as long as people make them. With no file
given it is ``ask-not.opus`` beside this module: eleven seconds of John F. Kennedy's inaugural
address of 1961, a work of the US federal government, English, whatever language will be spoken;
what recognition costs depends on length and words, hardly on the language.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

from decalage.app.advise.shape import Shape
from decalage.app.advise.values import Probe, Timing
from decalage.clock import Clock, SystemClock
from decalage.config import RecognizerOptions, SegmenterOptions
from decalage.contracts import AudioSource, Recognizer, StageBlueprint, Translator
from decalage.errors import InputError
from decalage.runtimes.workers import WorkerPool
from decalage.speech import Transcript, Utterance

SPEECH = Path(__file__).with_name("ask-not.opus")
"""The sound measured on when none is given."""

_UTTERANCES = 3
_LANGUAGE = "en"
_SOUND_AT_MOST_S = 60.0
"""Where there is no speech in the first minute there is nothing to measure on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What to measure with."""

    model: str
    make: Callable[[int], StageBlueprint]
    """The engines, with so many threads in each recognition."""
    directions: Sequence[tuple[str, str]]
    """(source, target) of every translation of an utterance."""
    options: RecognizerOptions
    budget_s: float = 8.0
    """Time to spend on recognizing, loading apart; each shape gets its share and at least one round."""


def measure(job: Job, shapes: Sequence[Shape], source: AudioSource, clock: Clock | None = None) -> Probe:
    """Load and time every one of ``shapes`` in turn, and the translator once.

    Raises ``InputError`` for a source without speech, and what loading and the engines raise.
    """
    clock = clock or SystemClock()
    utterances = spoken(source, job.make(1))
    timings, text = [], ""
    for shape in shapes:
        recognizer = job.make(shape.threads).recognizer(shape.workers)
        timing, text = _timed(recognizer, shape, utterances, job, clock, job.budget_s / len(shapes))
        timings.append(timing)
        del recognizer  # its memory, before the next one loads
    translation_s = _translation_s(job.make(1).translator(), text, job.directions, clock)
    mean_s = fmean(utterance.duration for utterance in utterances)
    return Probe(job.model, mean_s, translation_s, tuple(timings))


def spoken(source: AudioSource, blueprint: StageBlueprint) -> list[Utterance]:
    """The first few utterances of ``source``. Raises ``InputError`` when there are none."""
    segmenter = blueprint.segmenter("probe", SegmenterOptions())
    found: list[Utterance] = []
    for chunk in source:
        found += [each for each in segmenter.feed(chunk) if isinstance(each, Utterance)]
        if len(found) >= _UTTERANCES or chunk.end > _SOUND_AT_MOST_S:
            source.stop()
            break
    else:
        found += [each for each in segmenter.finish() if isinstance(each, Utterance)]
    if not found:
        raise InputError(f"no speech in the first minute of {source.name} to measure on")
    return found[:_UTTERANCES]


def _timed(
    recognizer: Recognizer,
    shape: Shape,
    utterances: Sequence[Utterance],
    job: Job,
    clock: Clock,
    share_s: float,
) -> tuple[Timing, str]:
    """The timing of ``shape`` and the text of the first utterance that gave one."""
    pool = WorkerPool("probe", shape.workers)

    def call(utterance: Utterance) -> tuple[float, str]:
        began = clock.now()
        heard = recognizer.recognize(utterance, job.options)
        return clock.now() - began, heard.text if isinstance(heard, Transcript) else ""

    try:
        pool.submit(call, utterances[0]).result()  # the first call of an engine is slower
        began = clock.now()
        first = [pool.submit(call, utterance).result() for utterance in utterances]
        round_s = clock.now() - began
        rounds = max(1, min(3, int((share_s - 2 * round_s) / (round_s or 1.0))))
        began = clock.now()
        calls = [pool.submit(call, utterance) for utterance in _laps(utterances, rounds * shape.workers)]
        loaded = [call.result()[0] for call in calls]
        wall_s = clock.now() - began
    finally:
        pool.shutdown(cancel_futures=True)
    alone = [spent for spent, _ in first]
    per_s = len(loaded) / wall_s
    if shape.workers == 1:  # then both are the same thing, measured twice
        alone = loaded = alone + loaded
    texts = [text for _, text in first if text]
    timing = Timing(shape, fmean(alone), fmean(loaded), per_s)
    return timing, texts[0] if texts else ""


def _laps(utterances: Sequence[Utterance], laps: int) -> Iterator[Utterance]:
    """Every utterance once a lap, so that all workers get a like share."""
    for _ in range(laps):
        yield from utterances


def _translation_s(
    translator: Translator, text: str, directions: Sequence[tuple[str, str]], clock: Clock
) -> float:
    """Seconds to translate ``text`` in every direction, the second time."""
    spent_s = 0.0
    for source, target in directions:
        translator.translate(text, source=source, target=target)
        began = clock.now()
        translator.translate(text, source=source, target=target)
        spent_s += clock.now() - began
    return spent_s


def measuring_options(options: RecognizerOptions) -> RecognizerOptions:
    """``options`` for the bundled speech, which is English."""
    return replace(options, language=_LANGUAGE, prompt=None)
