"""One run of ``scripts.slow``: a recognizer that is too slow for a while, what the stream does about it."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from decalage.app.bench.quality import word_errors
from decalage.app.compose import RUNTIMES, make_blueprint, stream_options
from decalage.app.settings import Settings
from decalage.audio import seconds
from decalage.clock import SystemClock
from decalage.config import RecognizerOptions, SegmenterOptions
from decalage.contracts import Recognizer, Segmenter, StageBlueprint, Translator
from decalage.events import Caption, Gap, OverloadChanged, Partial, StreamEvent
from decalage.runtimes.stream import RuntimeStream
from decalage.sources.pace import Paced
from decalage.speech import Rejection, Transcript, Utterance
from scripts.trial_books import Books
from scripts.trial_sound import Placed, Programme, by_recording, english

_LOOK_EVERY_S = 0.5
_LONGEST_S = 30.0
"""Of a recording: one of which anything was dropped is not counted, so none may be all there is."""
ON_TIME_S = 1.5
"""A caption with no more lag is as if nothing had been."""


class Slowness:
    """For ``slow_s`` seconds from ``begin`` on a call takes ``rtf`` times the length of its sound."""

    def __init__(self, rtf: float, slow_s: float) -> None:
        self._rtf = rtf
        self._slow_s = slow_s
        self._until = float("inf")

    def begin(self) -> None:
        """The first word is about to be spoken."""
        self._until = time.monotonic() + self._slow_s

    def drag(self, began: float, sound_s: float) -> None:
        """Wait until a call that ``began`` then has taken its time, or all is as usual again."""
        due = min(began + self._rtf * sound_s, self._until)
        threading.Event().wait(max(0.0, due - time.monotonic()))


@dataclass(frozen=True)
class SlowBlueprint:
    """``inner`` with a recognizer that ``slowness`` holds up: for runtimes of one process."""

    inner: StageBlueprint
    slowness: Slowness

    def segmenter(self, stream: str, options: SegmenterOptions) -> Segmenter:
        return self.inner.segmenter(stream, options)

    def recognizer(self, concurrency: int) -> Recognizer:
        return SlowRecognizer(self.inner.recognizer(concurrency), self.slowness)

    def translator(self) -> Translator:
        return self.inner.translator()


@dataclass(frozen=True)
class SlowRecognizer:
    """Recognizes as ``inner`` does, only later."""

    inner: Recognizer
    slowness: Slowness

    def recognize(
        self, utterance: Utterance, options: RecognizerOptions, draft: Transcript | None = None
    ) -> Transcript | Rejection:
        began = time.monotonic()
        heard = self.inner.recognize(utterance, options, draft)
        self.slowness.drag(began, utterance.duration)
        return heard


@dataclass(frozen=True, slots=True)
class State:
    """The stream at one moment of its clock. All seconds."""

    time: float
    behind: float
    waiting: float
    """Sound not yet cut, in memory or on the disk."""
    spilled: float
    """Of that, on the disk."""


@dataclass
class Course:
    """What came of one run. Times are seconds on the stream clock."""

    mode: str
    slow_s: float
    """Up to then the recognizer was slow; 0: never."""
    books: Books = field(default_factory=Books)
    captions: list[Caption] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    changes: list[OverloadChanged] = field(default_factory=list)
    partials: list[float] = field(default_factory=list)
    """When each was read."""
    states: list[State] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    samples: dict[str, int] = field(default_factory=dict)
    placed: Sequence[Placed] = ()
    transcripts: Sequence[str] = ()
    """Of ``placed``."""

    def add(self, event: StreamEvent, now: float) -> None:
        """One event after the other."""
        self.books.add(event)
        if isinstance(event, Caption):
            self.captions.append(event)
        elif isinstance(event, Gap):
            self.gaps.append(event)
        elif isinstance(event, OverloadChanged):
            self.changes.append(event)
        elif isinstance(event, Partial):
            self.partials.append(now)

    @property
    def lags(self) -> list[float]:
        """Of each caption."""
        return [0.0 if each.lag is None else each.lag for each in self.captions]

    @property
    def recovered_s(self) -> float:
        """From the end of the slowness to the last caption that was late for it."""
        recovered_s = 0.0
        for caption, lag in zip(self.captions, self.lags, strict=True):
            if caption.timing.emitted > self.slow_s:
                if lag < ON_TIME_S:
                    break
                recovered_s = caption.timing.emitted - self.slow_s
        return recovered_s

    def whole(self) -> set[int]:
        """Places in ``placed`` of the recordings of which nothing was dropped."""
        return {
            number
            for number, each in enumerate(self.placed)
            if not any(gap.start < seconds(each.end) and gap.end > seconds(each.first) for gap in self.gaps)
        }

    def word_errors(self, among: set[int]) -> tuple[int, int]:
        """Errors and words of the recordings at these places."""
        texts = by_recording(self.captions, self.placed)
        counted = [word_errors(self.transcripts[number], texts[number], "en") for number in sorted(among)]
        return sum(errors for errors, _ in counted), sum(words for _, words in counted)


def live_through(
    settings: Settings, mode: str, rtf: float, slow_s: float, after_s: float, seed: int
) -> Course:
    """Speak for ``slow_s`` + ``after_s`` seconds at speaking pace."""
    blueprint = make_blueprint(settings)
    slowness = Slowness(rtf, slow_s)
    programme = Programme(english(_LONGEST_S), slow_s + after_s, seed)
    course = Course(mode, slow_s if rtf else 0.0)
    engines = RUNTIMES[settings.runtime](
        SlowBlueprint(blueprint, slowness) if rtf else blueprint, settings.runtime_options()
    )
    try:
        slowness.begin()
        stream = engines.run(Paced(programme, SystemClock()), stream_options(settings, blueprint))
        with _Looking(stream, course):
            for event in stream:
                course.add(event, stream.now())
        told = stream.statistics()
        course.wrong = course.books.compare(told)
        if told.breach is not None:
            course.wrong.append(f"breach: {told.breach}")
        if told.samples_in != programme.position:
            course.wrong.append(f"{programme.position} samples spoken, {told.samples_in} taken in")
        course.samples = {
            "in": told.samples_in,
            "non-speech": told.samples_non_speech,
            **course.books.samples,
        }
    finally:
        engines.close()
    course.placed = programme.placed
    course.transcripts = [programme.recordings[each.number].transcript for each in programme.placed]
    return course


class _Looking:
    """Notes the state of a stream twice a second, until it is left."""

    def __init__(self, stream: RuntimeStream, course: Course) -> None:
        self._stream = stream
        self._course = course
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *exc_info: object) -> None:
        self._done.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._done.wait(_LOOK_EVERY_S):
            told = self._stream.statistics()
            waiting, spilled = seconds(told.samples_waiting), seconds(told.samples_spilled)
            self._course.states.append(State(self._stream.now(), self._stream.behind_s, waiting, spilled))


def as_body(course: Course) -> dict[str, Any]:
    """A course for JSON and for its picture."""
    return {
        "mode": course.mode,
        "slow_s": course.slow_s,
        "captions": [
            {
                "start": each.start,
                "end": each.end,
                "emitted": each.timing.emitted,
                "lag": lag,
                "degraded": each.degraded,
                "text": dict(each.text),
            }
            for each, lag in zip(course.captions, course.lags, strict=True)
        ],
        "gaps": [asdict(each) for each in course.gaps],
        "changes": [asdict(each) for each in course.changes],
        "partials": course.partials,
        "states": [{name: round(value, 2) for name, value in asdict(s).items()} for s in course.states],
        "samples": course.samples,
        "wrong": course.wrong,
    }


def settings_of(mode: str, max_lag_s: float) -> Settings:
    """A listener's settings with one recognizer: two that wait would be as fast as one that does not."""
    base = Settings(pace="realtime", workers=1, threads=2, offline=True)
    if mode == "drop-oldest":
        return replace(base, overload="drop-oldest", max_lag_s=max_lag_s)
    return replace(base, overload="degrade")
