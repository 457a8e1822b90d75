"""Hours of speech without models: the sound spells its words, light engines read them, some fail by seed.

Cutting is real: ``VadSegmenter`` over a detector that looks at the level. What an event must say is known
from the sound alone, so a word that is lost, said twice or another stream's is seen.
"""

from __future__ import annotations

import bisect
import random
import threading
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np

from decalage.audio import AudioChunk, Samples, sample_count
from decalage.config import RecognizerOptions, SegmenterOptions
from decalage.errors import DamagedInputError, EngineError
from decalage.events import Caption, Settled
from decalage.speech import Rejection, Transcript, Translation, Utterance
from decalage.stages.segmenter import VadSegmenter
from decalage.stages.vad import FRAME_SAMPLES

_FLOOR, _STEP = 0.1, 1e-5
_STRIDE = 80
"""Samples from one that a fake looks at to the next: a word is forty times as long."""
VOICED_S = 0.14
"""A shorter stretch of a word, left by a hole, need not be taken for speech."""
WORDS = 30_000
"""So many words are told apart by their amplitude."""


def _spelled(word: int) -> float:
    return _FLOOR + (word % WORDS) * _STEP


def words_in(samples: Samples) -> list[int]:
    """The words that are spelled there."""
    seen = samples[::_STRIDE]
    voiced = seen[seen > _FLOOR / 2]
    changes = np.flatnonzero(np.diff(voiced, prepend=np.float32(-1)))
    return [round((float(voiced[at]) - _FLOOR) / _STEP) for at in changes]


def text_of(words: Sequence[int]) -> str:
    """What a recognizer makes of ``words``: four are a sentence."""
    return " ".join(f"{'W' if word % 4 == 0 else 'w'}{word}{'.' if word % 4 == 3 else ''}" for word in words)


class LevelDetector:
    """Speech is what is loud: a voice activity detector for microseconds."""

    frame_samples = FRAME_SAMPLES

    def probability(self, frame: Samples) -> float:
        return 1.0 if float(frame.max()) > _FLOOR / 2 else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Chances:
    """Of an utterance, or of a target of it, in each 10 000."""

    engine_error: int = 60
    memory_error: int = 20
    panic: int = 10
    """Something that is no ``Exception``, as native code raises it."""
    rejected: int = 200
    late: int = 6
    """A call that returns after its deadline."""
    target_failed: int = 100


FLAWLESS = Chances(engine_error=0, memory_error=0, panic=0, rejected=0, late=0, target_failed=0)


class Panic(BaseException):
    """What native code raises when it gives up."""


def _drawn(*parts: object) -> int:
    """0 … 9 999, the same for the same parts in every process."""
    return zlib.crc32(repr(parts).encode()) % 10_000


@dataclass(frozen=True)
class ReadingRecognizer:
    """Reads the words; by seed it fails, rejects, or answers too late. Picklable."""

    seed: int
    chances: Chances
    late_s: float

    def recognize(
        self,
        utterance: Utterance,
        options: RecognizerOptions,
        draft: Transcript | None = None,  # noqa: ARG002
    ) -> Transcript | Rejection:
        words = words_in(utterance.samples)
        drawn, chances = _drawn(self.seed, words[:1], "asr"), self.chances
        faults: list[tuple[int, BaseException | None]] = [
            (chances.engine_error, EngineError("by seed")),
            (chances.memory_error, MemoryError("by seed")),
            (chances.panic, Panic("by seed")),
            (chances.rejected, None),
        ]
        for share, error in faults:
            if drawn < share:
                if error is None:
                    return Rejection("no-speech")
                raise error
            drawn -= share
        if utterance.final and drawn < chances.late:
            threading.Event().wait(self.late_s)
        return Transcript(text_of(words), options.language) if words else Rejection("no-text")


@dataclass(frozen=True)
class MarkingTranslator:
    """Puts the language before the text; by seed it fails. Picklable."""

    seed: int
    chances: Chances

    def translate(self, text: str, *, source: str, target: str) -> Translation:
        if _drawn(self.seed, text.split()[:1], target) < self.chances.target_failed:
            raise EngineError("by seed")
        return Translation(f"{target}:{text}", source, target)

    def pairs(self) -> Sequence[tuple[str, str]]:
        return [("en", "pt"), ("en", "es")]


@dataclass(frozen=True)
class LightBlueprint:
    """The light engines; picklable. ``late_s`` is how long a late call takes."""

    seed: int
    chances: Chances = field(default_factory=Chances)
    late_s: float = 3.0

    def segmenter(self, stream: str, options: SegmenterOptions) -> VadSegmenter:
        return VadSegmenter(stream, LevelDetector(), options)

    def recognizer(self, concurrency: int) -> ReadingRecognizer:  # noqa: ARG002
        return ReadingRecognizer(self.seed, self.chances, self.late_s)

    def translator(self) -> MarkingTranslator:
        return MarkingTranslator(self.seed, self.chances)


class KeepingBlueprint(LightBlueprint):
    """Keeps each stream's segmenter, to ask it where the samples went: for runtimes of one process."""

    segmenters: dict[str, VadSegmenter]

    def segmenter(self, stream: str, options: SegmenterOptions) -> VadSegmenter:
        made = super().segmenter(stream, options)
        self.__dict__.setdefault("segmenters", {})[stream] = made
        return made


@dataclass(frozen=True, slots=True)
class Spoken:
    """A word and where it lies in the stream, in samples; a hole may have taken a part of it."""

    word: int
    first: int
    end: int


@dataclass
class Speech:
    """Seeded talk of ``length_s``: phrases of words, pauses, holes. Picklable, iterated once.

    Fills ``said`` with what it gives, where it is iterated in this process.
    """

    seed: int
    length_s: float
    lane: int = 0
    """Its words are its own: lanes up to 9 share none."""
    holes: bool = True
    breaks_s: float | None = None
    """Raises ``DamagedInputError`` from here on."""
    name: str = "talk"
    duration_s: float | None = None
    said: list[Spoken] = field(default_factory=list)
    position: int = 0
    """Number of the next sample."""
    given: int = 0
    """Samples given so far."""
    _stopped: bool = False

    def __iter__(self) -> Iterator[AudioChunk]:
        chance = random.Random(self.seed)  # noqa: S311 - a seed, not a secret
        count = 0
        while not self._stopped:
            if self.breaks_s is not None and self.position >= sample_count(self.breaks_s):
                raise DamagedInputError("the rest cannot be read")
            if self.position >= sample_count(self.length_s):
                return
            parts: list[Samples] = []
            for _ in range(chance.choice((1, 2, 3, 5, 8, 30)) if chance.random() < 0.9 else 60):
                parts.append(self._word(count, chance.uniform(0.2, 0.6), parts))
                parts.append(np.zeros(sample_count(chance.choice((0.0, 0.04, 0.1, 0.25))), np.float32))
                count += 1
            parts.append(np.zeros(sample_count(chance.choice((0.35, 0.6, 0.8, 1.5, 4.0))), np.float32))
            yield from self._cut(np.concatenate(parts), chance)

    def stop(self) -> None:
        self._stopped = True

    def replay(self, samples: int) -> None:
        """As if ``samples`` of it had been given here; a little more where it was stopped elsewhere."""
        with suppress(DamagedInputError):
            for _ in self:
                if self.given >= samples and self.said[-1].end < self.position:
                    break

    def _word(self, count: int, duration_s: float, before: Sequence[Samples]) -> Samples:
        word = self.lane * (WORDS // 10) + count % (WORDS // 10)
        sound = np.full(sample_count(duration_s), _spelled(word), np.float32)
        first = self.position + sum(map(len, before))
        self.said.append(Spoken(word, first, first + len(sound)))
        return sound

    def _cut(self, phrase: Samples, chance: random.Random) -> Iterator[AudioChunk]:
        """``phrase`` in chunks of odd sizes; now and then one is never captured."""
        at = 0
        while at < len(phrase):
            size = chance.choice((160, 1_600, 16_000, 16_000, 32_001))
            piece = phrase[at : at + size]
            lost = self.holes and chance.random() < 0.02
            if lost:
                self._lose(self.position, self.position + len(piece))
            else:
                self.given += len(piece)
                yield AudioChunk(self.position, piece)
            self.position += len(piece)
            at += size

    def _lose(self, first: int, end: int) -> None:
        """Take what lies there out of the words of this phrase, the last ones."""
        touched: list[Spoken] = []
        while self.said and self.said[-1].end > first:
            touched.append(self.said.pop())
        for each in reversed(touched):
            pieces = ((each.first, min(each.end, first)), (max(each.first, end), each.end))
            self.said += [Spoken(each.word, begin, until) for begin, until in pieces if begin < until]


def misheard(said: Sequence[Spoken], events: Sequence[Settled], until: int) -> list[str]:
    """Words said before sample ``until`` that no event holds, and captions that do not say what was said.

    ``events``: the settled ones in order.
    """
    spans = [(sample_count(event.start), sample_count(event.end)) for event in events]
    begins = [first for first, _ in spans]
    heard: list[list[int]] = [[] for _ in events]
    wrong = []
    for each in said:
        covered = 0
        at = max(0, bisect.bisect_right(begins, each.first) - 1)
        while at < len(spans) and spans[at][0] < each.end:
            first, end = max(spans[at][0], each.first), min(spans[at][1], each.end)
            covered += max(0, end - first)
            if first + (spans[at][0] - first) % _STRIDE < end:  # a sample that is looked at lies in it
                heard[at].append(each.word)
            at += 1
        left = min(each.end, until) - each.first - covered
        if left > sample_count(VOICED_S):
            wrong.append(f"word {each.word} at {each.first}: {left} samples in no event")
    for event, words in zip(events, heard, strict=True):
        if isinstance(event, Caption) and event.text["en"] != text_of(words):
            wrong.append(f"caption {event.index} says {event.text['en']!r}, {text_of(words)!r} was said")
    return wrong
