"""Engines without models: what they say is written in the sound, and gates hold them in a call.

A run of equal non-zero samples is an utterance; ``tone(word, seconds)`` makes one whose samples
spell ``word``, a number, so that a transcript tells which sound it came from.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from decalage.audio import AudioChunk, Samples, sample_count, seconds
from decalage.config import RecognizerOptions, SegmenterOptions
from decalage.errors import EngineError
from decalage.speech import Cut, GapCause, MissingSound, Rejection, Transcript, Translation, Utterance

_STEP = 1 / 100_000
"""Amplitude per unit of a spelled number: exact in float32 up to 100 000."""


def tone(word: int, duration_s: float = 0.2) -> Samples:
    """``duration_s`` seconds that ``FakeRecognizer`` hears as ``word`` (1 … 99 999)."""
    return np.full(sample_count(duration_s), word * _STEP, dtype=np.float32)


def silence(duration_s: float = 0.1) -> Samples:
    """``duration_s`` seconds that end the utterance before them."""
    return np.zeros(sample_count(duration_s), dtype=np.float32)


def pause(duration_s: float = 0.1) -> Samples:
    """``duration_s`` seconds after which the utterance may go on: for ``ForeseeingSegmenter``."""
    return np.full(sample_count(duration_s), -_STEP, dtype=np.float32)


def speech(words: Sequence[int], duration_s: float = 0.2) -> AudioChunk:
    """All ``words`` from sample 0, a silence after each."""
    parts = [part for word in words for part in (tone(word, duration_s), silence())]
    return AudioChunk(0, np.concatenate(parts) if parts else silence(0))


def heard(samples: Samples) -> int:
    """The word spelled by ``samples``."""
    return round(float(samples[0]) / _STEP)


class Gate:
    """Holds callers until it is opened; a test waits for them to arrive instead of sleeping."""

    def __init__(self, *, opened: bool = False) -> None:
        self._condition = threading.Condition()
        self._opened = opened
        self._passes = 0
        self._inside = 0
        self._arrived = 0

    def pass_through(self) -> None:
        """Wait until the gate is open or one pass is left for this caller."""
        with self._condition:
            self._arrived += 1
            self._inside += 1
            self._condition.notify_all()
            while not self._opened and not self._passes:
                self._condition.wait()
            if not self._opened:
                self._passes -= 1
            self._inside -= 1
            self._condition.notify_all()

    def open(self) -> None:
        """Let everybody through from now on."""
        with self._condition:
            self._opened = True
            self._condition.notify_all()

    def admit(self, count: int = 1) -> None:
        """Let ``count`` callers through."""
        with self._condition:
            self._passes += count
            self._condition.notify_all()

    def wait_inside(self, count: int, timeout_s: float = 30.0) -> None:
        """Wait until ``count`` callers are held. Raises ``TimeoutError``: the test is wrong."""
        self._wait(lambda: self._inside >= count, timeout_s)

    def wait_arrived(self, count: int, timeout_s: float = 30.0) -> None:
        """Wait until ``count`` callers have come in all. Raises ``TimeoutError``."""
        self._wait(lambda: self._arrived >= count, timeout_s)

    def _wait(self, reached: Callable[[], bool], timeout_s: float) -> None:
        with self._condition:
            if not self._condition.wait_for(reached, timeout_s):
                raise TimeoutError(f"{self._arrived} arrived and {self._inside} inside, not enough")


class FakeSegmenter:
    """Each run of equal non-zero samples is an utterance, known when the next sample differs."""

    def __init__(self, stream: str) -> None:
        self._stream = stream
        self._index = 0
        self._first = 0
        self._open: list[Samples] = []

    def feed(self, chunk: AudioChunk) -> list[Cut]:
        samples = chunk.samples
        edges = np.flatnonzero(np.diff(samples)) + 1
        done: list[Cut] = []
        for part, offset in zip(np.split(samples, edges), [0, *edges], strict=True):
            if len(part) == 0:
                continue
            if self._open and self._open[-1][-1] != part[0]:
                done += self.finish()
            if part[0] != 0:
                if not self._open:
                    self._first = chunk.first + int(offset)
                self._open.append(part)
        return done

    def flush(self) -> list[Cut]:
        return self.finish()

    def miss(self, first: int, length: int, *, captured: bool) -> list[Cut]:
        done = self.finish()
        cause: GapCause = "overload" if captured else "device"
        done.append(MissingSound(self._stream, self._index, first, length, cause, captured))
        self._index += 1
        return done

    def hint(self, index: int, revision: int, transcript: Transcript) -> None:
        """Its ends are in the sound."""

    def finish(self) -> list[Cut]:
        if not self._open:
            return []
        samples = np.concatenate(self._open)
        end = seconds(self._first + len(samples))
        utterance = Utterance(self._stream, self._index, self._first, samples, end)
        self._open, self._index = [], self._index + 1
        return [utterance]


class ForeseeingSegmenter(FakeSegmenter):
    """Gives a sketch of the open utterance with each call, a paused one where a ``pause`` begins."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._revision = 0
        self._paused: list[Samples] = []
        self.hints: list[str] = []

    def feed(self, chunk: AudioChunk) -> list[Cut]:
        edges = np.flatnonzero(np.diff(chunk.samples)) + 1
        segments: list[Cut] = []
        first = chunk.first
        for part in np.split(chunk.samples, edges):
            if self._open and part[0] < 0:
                if not self._paused:
                    segments.append(self._provisional(paused=True))
                self._paused.append(part)
            else:
                if self._open and part[0] == self._open[0][0]:
                    self._open += [np.full_like(each, part[0]) for each in self._paused]  # it goes on
                self._paused = []
                segments += super().feed(AudioChunk(first, np.maximum(part, 0)))
            first += len(part)
        if self._open and not self._paused:
            segments.append(self._provisional(paused=False))
        return segments

    def hint(self, index: int, revision: int, transcript: Transcript) -> None:
        self.hints.append(f"{index}.{revision} {transcript.text}")

    def finish(self) -> list[Cut]:
        final = [replace(s, revision=self._revision) for s in super().finish() if isinstance(s, Utterance)]
        self._revision, self._paused = 0, []
        return list(final)

    def _provisional(self, *, paused: bool) -> Utterance:
        samples = np.concatenate(self._open)
        number, self._revision = self._revision, self._revision + 1
        end = seconds(self._first + len(samples))
        whole = Utterance(self._stream, self._index, self._first, samples, end, number)
        return replace(whole, final=False, paused=paused)


@dataclass
class FakeRecognizer:
    """Answers ``word <n>``; a rule per word may raise, reject, or hold the call at a gate."""

    gates: dict[int, Gate] = field(default_factory=dict)
    gate: Gate | None = None
    """Holds every call without a gate of its own."""
    failing: set[int] = field(default_factory=set)
    rejected: set[int] = field(default_factory=set)
    work: Callable[[int], None] | None = None
    """Called with the word, for service times of a test's own."""
    calls: list[int] = field(default_factory=list)
    drafts: list[str] = field(default_factory=list)
    """The text of each call's draft, empty where there was none."""

    def recognize(
        self, utterance: Utterance, options: RecognizerOptions, draft: Transcript | None = None
    ) -> Transcript | Rejection:
        word = heard(utterance.samples)
        self.calls.append(word)
        self.drafts.append("" if draft is None else draft.text)
        gate = self.gates.get(word, self.gate)
        if gate is not None:
            gate.pass_through()
        if self.work is not None:
            self.work(word)
        if word in self.failing:
            raise EngineError(f"cannot hear {word}")
        if word in self.rejected:
            return Rejection("no-speech")
        return Transcript(f"word {word}", options.language)


@dataclass
class FakeTranslator:
    """Answers ``<target>:<text>``; a target or a word may fail, a gate may hold every call."""

    gate: Gate | None = None
    gates: dict[str, Gate] = field(default_factory=dict)
    """Held by text, or by target."""
    failing_targets: set[str] = field(default_factory=set)
    calls: list[str] = field(default_factory=list)

    def translate(self, text: str, *, source: str, target: str) -> Translation:
        self.calls.append(text)
        gate = self.gates.get(text, self.gates.get(target, self.gate))
        if gate is not None:
            gate.pass_through()
        if target in self.failing_targets:
            raise EngineError(f"cannot say {text} in {target}")
        return Translation(f"{target}:{text}", source, target)

    def pairs(self) -> Sequence[tuple[str, str]]:
        return [("en", "pt"), ("en", "es"), ("pt", "en")]


@dataclass
class FakeBlueprint:
    """Builds the fakes; keeps them for the test to look at."""

    fake_recognizer: FakeRecognizer = field(default_factory=FakeRecognizer)
    fake_translator: FakeTranslator = field(default_factory=FakeTranslator)
    load_error: Exception | None = None
    segmenter_type: type[FakeSegmenter] = FakeSegmenter
    loads: list[int] = field(default_factory=list)
    """The concurrency of each recognizer that was asked for."""

    def segmenter(self, stream: str, options: SegmenterOptions) -> FakeSegmenter:  # noqa: ARG002
        return self.segmenter_type(stream)

    def recognizer(self, concurrency: int) -> FakeRecognizer:
        if self.load_error is not None:
            raise self.load_error
        self.loads.append(concurrency)
        return self.fake_recognizer

    def translator(self) -> FakeTranslator:
        return self.fake_translator
