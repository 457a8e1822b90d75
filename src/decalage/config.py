"""Settings as frozen values. Models, workers and threads belong to a runtime; the rest to a stream."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from math import isfinite
from typing import Literal, TypeAlias

from decalage.errors import UsageError

Pace: TypeAlias = Literal["realtime", "max"]
RuntimeName: TypeAlias = Literal["sequential", "pipeline", "pool", "processes", "asyncio", "ray"]

Engine: TypeAlias = Literal["auto", "onnxruntime", "ctranslate2"]
"""What runs the recognizer: ``onnxruntime`` searches greedily on the CPU, ``ctranslate2`` does anything,
``auto`` takes the first where it can."""

Stability: TypeAlias = Literal["fast", "balanced", "reading"]
"""``fast`` shows every hypothesis whole, ``reading`` what two in a row agree on and never takes it back,
``balanced`` the older part of that, which the settled caption may correct."""

Policy: TypeAlias = Literal["block", "degrade", "drop-oldest"]
"""What is done when the machine is too slow: wait, which only a file can; give up what is least missed, and
keep all speech; drop the oldest speech and say so."""

_FRAME_S = 0.032
"""One step of voice activity detection: 512 samples."""

EncoderWindow: TypeAlias = Literal["auto", "full"] | float
"""``auto`` fits the window to the utterance, ``full`` is Whisper's 30 s, a number is seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmenterOptions:
    """Where an utterance begins and ends. All times in seconds.

    Raises ``UsageError`` for options that contradict each other.
    """

    threshold: float = 0.5
    """Speech probability at which speech begins."""
    release: float = 0.35
    """Speech probability under which a frame counts as silence while speech is on."""
    end_silence_s: float = 0.5
    """Silence that ends an utterance."""
    min_speech_s: float = 0.1
    """Shorter bursts are non-speech."""
    pre_roll_s: float = 1.0
    """Sound kept before the first speech frame: voice activity is late on a soft onset, and at the
    start of a stream by up to 0.8 s."""
    post_roll_s: float = 0.2
    """Sound kept after the last speech frame, at most ``end_silence_s``."""
    patient_s: float = 5.0
    """Utterances longer than this end at shorter and shorter silences, a seventh at the hard cap."""
    max_utterance_s: float = 15.0
    """Hard cap: longer speech is cut at its quietest point."""
    pause_s: float | None = None
    """Silence after which a provisional utterance is given out, with the sound that the final one will
    have if speech does not go on; None for none. At least ``post_roll_s``, at most the shortest end
    silence."""
    revise_s: float | None = None
    """A provisional utterance for each so many seconds of speech, fewer of a long one; None for none."""
    finished_silence_s: float | None = None
    """End silence once the text of the pause says that the sentence is over; None as any other."""
    open_silence_s: float | None = None
    """End silence once the text of the pause says that the sentence goes on; None as any other."""
    activity: bool = False
    """Whether it is told when somebody begins to speak and stops."""
    clauses: bool = False
    """Whether an utterance ends at an earlier pause once the text that follows shows that a sentence
    ended there."""

    @property
    def undecided_s(self) -> float:
        """The longest sound that a segmenter holds before it says what it is, with room to spare."""
        return self.max_utterance_s + self.pre_roll_s + 2

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if isinstance(value, float) and not isfinite(value):
                raise UsageError(f"{each.name} {value}: a number is needed")
        if not 0 < self.release <= self.threshold <= 1:
            raise UsageError(
                f"speech threshold {self.threshold} and release {self.release}: "
                "0 < release <= threshold <= 1 is needed"
            )
        if self.end_silence_s < _FRAME_S:
            raise UsageError(f"end silence {self.end_silence_s} s: at least {_FRAME_S} s is needed")
        if min(self.pre_roll_s, self.post_roll_s, self.min_speech_s) < 0:
            raise UsageError("pre-roll, post-roll and minimum speech cannot be negative")
        if self.pause_s is not None and self.pause_s < self.post_roll_s:
            raise UsageError(
                f"pause {self.pause_s} s: at least the post-roll of {self.post_roll_s} s is needed, "
                "or the final utterance would have more sound than the pause"
            )
        needed_s = 2 * (self.pre_roll_s + self.end_silence_s + self.min_speech_s) + 4 * _FRAME_S
        if self.max_utterance_s < needed_s:
            raise UsageError(
                f"longest utterance {self.max_utterance_s} s: at least {needed_s:.2f} s is needed, "
                "twice the pre-roll, end silence and minimum speech"
            )


FORESEEN_FINISHED_S = 0.45
FORESEEN_OPEN_S = 0.7
"""End silences of a live stream once the text of a pause is known."""
SKETCH_EVERY_S = 0.4
"""Speech from one partial caption to the next, while the utterance is short."""

UNHURRIED = SegmenterOptions(
    end_silence_s=1.5, pre_roll_s=1.5, post_roll_s=1.5, patient_s=15.0, max_utterance_s=27.0
)
"""Where nobody waits: whole sentences, as many as one encoder window holds, and so fewer words wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecognizerOptions:
    """How one utterance is recognized. Frozen per stream, handed over with each utterance."""

    language: str = "en"
    """Whisper language code of the speech, or ``auto``: the recognizer tells it by the sound."""
    likely: str | None = None
    """With ``auto``: the language so far, which a short or doubtful utterance is taken to be in."""
    english: bool = False
    """Whether the speech is told in English too, as the model itself translates it."""
    beam: int = 1
    encoder_window: EncoderWindow = "auto"
    prompt: str | None = None
    """Names and spellings to expect; biases recognition, never appears by itself."""
    words: bool = False
    """Whether the time of each word is told."""
    lighter: bool = False
    """Whether the smaller of two models recognizes."""


@dataclass(frozen=True, slots=True)
class Term:
    """A name or term and what it is in other languages."""

    text: str
    """As it is said."""
    everywhere: str | None = None
    """Its translation; None: it stays as it is."""
    by_language: tuple[tuple[str, str], ...] = ()
    """(language, translation) where it differs from that."""

    def into(self, target: str) -> str:
        """What it is in ``target``."""
        return dict(self.by_language).get(target, self.everywhere or self.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamOptions:
    """One speaker's settings."""

    targets: tuple[str, ...] = ("pt",)
    directions: frozenset[tuple[str, str]] | None = None
    """The (source, target) pairs that a translator covers; others go through English. None: any."""
    recognizer: RecognizerOptions = field(default_factory=RecognizerOptions)
    segmenter: SegmenterOptions = field(default_factory=SegmenterOptions)
    terms: tuple[Term, ...] = ()
    """Names and terms whose translation is given."""
    pace: Pace = "max"
    """``realtime``: a live source, latency and lag are measured; ``max``: the reader waits for room."""
    partials: bool = False
    """Whether what stands so far of an utterance is told."""
    stability: Stability = "balanced"
    """How much of it."""
    overload: Policy = "degrade"
    """What is done at pace ``realtime`` when the machine is too slow; at ``max`` the reader waits."""
    max_lag_s: float = 10.0
    """With ``drop-oldest``: no caption is told later than that after its speech."""
    lighter: bool = False
    """Whether there is a smaller model to fall back on."""
    name: str = ""
    """Names the stream in traces and logs; empty: the runtime numbers it."""

    @property
    def source(self) -> str:
        """Language of the speech."""
        return self.recognizer.language


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterOptions:
    """Where ``ray`` works, and what it takes of each node."""

    address: str | None = None
    """Of the cluster's head; None: a cluster of this machine alone, started for the run."""
    threads: int = 1
    """In each recognition: processors that one takes of its node."""
    fill: bool = False
    """Whether a node recognizes as much at a time as its processors allow, or ``workers`` at most."""
    gpu: bool = False
    """Whether recognition takes a GPU. Then nodes without one are passed over: texts would differ."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeOptions:
    """What a runtime owns."""

    workers: int = 1
    """Recognitions at a time; of ``ray``, on each node."""
    cluster: ClusterOptions = field(default_factory=ClusterOptions)
    """What ``ray`` alone has to know."""
    max_in_flight: int = 16
    """Utterances of one stream between the segmenter and the reader of its events."""
    max_inbox_s: float = 60.0
    """Seconds of sound of one stream that wait for the segmenter in memory."""
    max_spill_s: float = 3600.0
    """The same on the disk, with ``degrade``: 230 MB. A live source drops beyond both."""
    vad_deadline_s: float = 20.0
    """Cutting may take this long, and ``vad_deadline_rtf`` times the length of its sound beside; what takes
    longer is given up."""
    vad_deadline_rtf: float = 3.0
    asr_deadline_s: float = 20.0
    """The same for the recognition of an utterance: short sound is given up soon, a slow machine never."""
    asr_deadline_rtf: float = 6.0
    mt_deadline_s: float = 20.0
    """The same for a translation into one language, with so much beside for each character of its text."""
    mt_deadline_character_s: float = 0.2

    def vad_limit_s(self, sound_s: float) -> float:
        """How long cutting ``sound_s`` seconds of sound may take, seconds."""
        return self.vad_deadline_s + self.vad_deadline_rtf * sound_s

    def asr_limit_s(self, sound_s: float) -> float:
        """How long the recognition of an utterance of ``sound_s`` seconds may take, seconds."""
        return self.asr_deadline_s + self.asr_deadline_rtf * sound_s

    def mt_limit_s(self, text: str) -> float:
        """How long a translation of ``text`` into one language may take, seconds."""
        return self.mt_deadline_s + self.mt_deadline_character_s * len(text)
