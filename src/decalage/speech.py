"""What is said: utterances cut from a stream, and what the engines make of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from decalage.audio import Samples, seconds


@dataclass(frozen=True, slots=True, eq=False)
class Utterance:
    """One piece of speech cut by the segmenter.

    Utterances of a stream are disjoint and in spoken order: ``index`` counts 0, 1, 2 …
    A provisional utterance (``final`` false) has the same index as the final one that
    replaces it and a lower ``revision``; a runtime may skip it, a final one never.
    """

    stream: str
    index: int
    first: int
    """Number of the first sample on the stream clock (pre-roll included)."""
    samples: Samples
    speech_end: float
    """Seconds on the stream clock: end of the last speech sample, at most ``end``."""
    revision: int = 0
    final: bool = True
    paused: bool = False
    """Of a provisional one: speech has paused after it, so it is likely to be the final one."""

    @property
    def sketch(self) -> bool:
        """Whether it goes on: its text is for the moment only."""
        return not self.final and not self.paused

    @property
    def start(self) -> float:
        """Seconds on the stream clock."""
        return seconds(self.first)

    @property
    def end(self) -> float:
        """Seconds on the stream clock, just past the last sample (padding included)."""
        return seconds(self.first + len(self.samples))

    @property
    def duration(self) -> float:
        """Seconds."""
        return seconds(len(self.samples))

    def __repr__(self) -> str:
        state = "final" if self.final else f"provisional r{self.revision}"
        return f"<Utterance {self.stream}#{self.index} {self.start:.2f}-{self.end:.2f} s {state}>"


Ending: TypeAlias = Literal["finished", "open", "unclear"]
"""How a text ends: a sentence that is over, one that goes on, or neither can be said."""


GapCause: TypeAlias = Literal["overload", "device", "lost"]


@dataclass(frozen=True, slots=True)
class MissingSound:
    """Sound that no recognizer will hear; it takes an index like an utterance."""

    stream: str
    index: int
    first: int
    """Number of the first missing sample."""
    length: int
    """Samples missing."""
    cause: GapCause
    captured: bool = True
    """False when the sound never reached us (unplugged, suspended)."""

    @property
    def start(self) -> float:
        """Seconds on the stream clock."""
        return seconds(self.first)

    @property
    def end(self) -> float:
        """Seconds on the stream clock."""
        return seconds(self.first + self.length)


@dataclass(frozen=True, slots=True)
class Activity:
    """Somebody began to speak, or has stopped; it takes no index."""

    speaking: bool
    time: float
    """Seconds on the stream clock, of the first or past the last speech sample."""


Segment: TypeAlias = Utterance | MissingSound
"""What a segmenter cuts a stream into, beside plain non-speech."""

Cut: TypeAlias = Segment | Activity
"""What a segmenter tells of a stream."""


@dataclass(frozen=True, slots=True)
class Decoding:
    """How a recognition went: the work it took, in units that do not depend on the machine."""

    calls: int = 1
    """Decode calls, retries included."""
    tokens: int = 0
    """Tokens generated over all calls."""
    window_s: float = 30.0
    """Seconds of audio the encoder was given in the last call, padding included."""
    mean_log_probability: float = 0.0
    no_speech_probability: float = 0.0
    compression_ratio: float = 0.0


@dataclass(frozen=True, slots=True)
class Word:
    """A word, with the marks around it, and when it was said: seconds on the stream clock."""

    text: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Transcript:
    """Text recognized in one utterance."""

    text: str
    """Stripped; never empty (silence is a ``Rejection``)."""
    language: str
    """Language of the speech, a code of ``decalage.languages``."""
    decoding: Decoding = field(default_factory=Decoding)
    tokens: tuple[int, ...] = ()
    """The text as numbers of the recognizer's vocabulary, for it alone to use as a draft."""
    words: tuple[Word, ...] = ()
    """Its words with their times, where they were asked for."""
    english: str | None = None
    """The same in English, where that was asked for and could be told."""
    detected: tuple[str, float] | None = None
    """The language that the sound is in and how probable it is, where that was asked for."""


RejectionReason: TypeAlias = Literal["no-speech", "loop", "no-text"]


@dataclass(frozen=True, slots=True)
class Rejection:
    """Speech-like sound that turned out to be no speech, or none a recognizer can render.

    ``no-speech``: the model hears none. ``loop``: every decode repeated itself.
    ``no-text``: only punctuation or nothing came out.
    """

    reason: RejectionReason
    decoding: Decoding = field(default_factory=Decoding)


@dataclass(frozen=True, slots=True)
class Translation:
    """Text of one utterance in another language."""

    text: str
    source: str
    target: str
