"""What a stream answers, as values; ``as_json`` gives the published form.

Every utterance index is answered by exactly one settled event: ``Caption``, ``Failure``,
``Rejected`` or ``Gap``, in index order. A ``Partial`` of a later index may come before an earlier
index settles, never one of an index already settled. Times are seconds on the stream clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, Literal, TypeAlias

from decalage.config import Policy
from decalage.speech import GapCause, RejectionReason, Word

VERSION = 1

StageName: TypeAlias = Literal["capture", "vad", "asr", "mt"]


@dataclass(frozen=True, slots=True)
class Start:
    """First event of a run: the settings in force."""

    type: ClassVar[str] = "start"
    source: str
    targets: tuple[str, ...]
    runtime: str
    workers: int
    threads: int
    model: str
    beam: int
    engine: str
    encoder_window: str
    end_silence: float
    """Seconds of silence that end an utterance."""
    partials: bool
    stability: str
    pace: Literal["realtime", "max"]
    input: str
    version: int = VERSION


@dataclass(frozen=True, slots=True)
class Partial:
    """What stands so far of an utterance still being spoken or recognized."""

    type: ClassVar[str] = "partial"
    index: int
    revision: int
    start: float
    end: float
    source: str
    text: Mapping[str, str]
    stable: Mapping[str, int]
    """Per language: code points of the prefix that will not change, at a word boundary."""


@dataclass(frozen=True, slots=True)
class LanguageChanged:
    """The speech is in another language from utterance ``index`` on; told with ``--from auto``."""

    type: ClassVar[str] = "language"
    index: int
    language: str
    before: str | None
    """None: nothing was known before."""


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """Somebody speaks; told where it was asked for."""

    type: ClassVar[str] = "speech_started"
    time: float
    """Of the first speech, before the utterance's ``start`` in no case."""


@dataclass(frozen=True, slots=True)
class SpeechStopped:
    """Nobody speaks any more; told where it was asked for."""

    type: ClassVar[str] = "speech_stopped"
    time: float
    """End of the last speech."""


@dataclass(frozen=True, slots=True)
class OverloadChanged:
    """The machine is too slow for the stream, or is so no more: what is given up from now on."""

    type: ClassVar[str] = "overload"
    time: float
    behind_s: float
    """How much longer than usual the oldest sound without an answer has waited."""
    policy: Policy
    shedding: tuple[str, ...]
    """``partials``, ``speculation``, ``beam``, ``model``; empty: nothing any more."""


@dataclass(frozen=True, slots=True)
class Timing:
    """When each step of one utterance began and ended."""

    speech_end: float
    endpoint: float
    """The moment the segmenter made the utterance final."""
    asr_start: float
    asr_end: float
    mt_start: float | None
    mt_end: float | None
    emitted: float


@dataclass(frozen=True, slots=True)
class Caption:
    """A settled utterance: what a person reads."""

    type: ClassVar[str] = "caption"
    index: int
    start: float
    end: float
    source: str
    text: Mapping[str, str]
    """Language → text: the source language always, then each target that did not fail."""
    timing: Timing
    latency: float | None
    """emitted − endpoint; None when not at speaking pace."""
    lag: float | None
    """emitted − speech_end; None when not at speaking pace."""
    degraded: tuple[str, ...] = ()
    words: tuple[Word, ...] = ()
    """Of the source text with their times, where they were asked for."""
    errors: Mapping[str, str] = field(default_factory=dict)
    """Target language → why its translation is missing."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """Speech-like sound that was no speech."""

    type: ClassVar[str] = "rejected"
    index: int
    start: float
    end: float
    reason: RejectionReason


@dataclass(frozen=True, slots=True)
class Gap:
    """Sound dropped by a declared policy, or never captured."""

    type: ClassVar[str] = "gap"
    index: int
    start: float
    end: float
    cause: GapCause
    captured: bool = True


@dataclass(frozen=True, slots=True)
class Failure:
    """An utterance that could not be captioned: recognition or every translation failed."""

    type: ClassVar[str] = "failure"
    index: int
    start: float
    end: float
    stage: StageName
    error: str
    text: Mapping[str, str] = field(default_factory=dict)
    """The transcript by its language, where recognition succeeded and translation did not."""


@dataclass(frozen=True, slots=True)
class Spread:
    """A distribution in seconds."""

    mean: float
    p50: float
    p95: float
    max: float


@dataclass(frozen=True, slots=True)
class Summary:
    """Last event of a run: what was done and at what cost."""

    type: ClassVar[str] = "summary"
    utterances: int
    captions: int
    failures: int
    rejected: int
    gaps: int
    audio_s: float
    wall_s: float
    rtf: float | None
    """wall_s / audio_s at full speed, else None."""
    load: float
    """Seconds of ASR and MT service per second of audio."""
    latency: Spread | None
    lag: Spread | None
    dropped_s: float
    cpu_percent: float | None
    """100 × CPU seconds of the process tree / (wall × cores); None: the process serves others too."""
    memory_mb: float | None
    """Peak proportional set size of the process tree (Linux), else peak resident set; None as above."""
    cold_start_s: float | None
    """Seconds from the command to the first sample accepted: models loaded. None as above."""
    damaged: str | None = None
    """Why the input stopped decoding, if it did."""
    voice_lag: Spread | None = None
    """From the end of speech to the first sound of its translation, where it was read aloud."""
    shed_s: Mapping[str, float] = field(default_factory=dict)
    """What was given up under overload → for how many seconds."""
    spilled_s: float | None = None
    """The most sound that ever waited on the disk, where some did."""
    breach: str | None = None
    """What does not add up: samples that no event accounts for, or two do. A defect of this program."""


Settled: TypeAlias = Caption | Failure | Rejected | Gap
StreamEvent: TypeAlias = Settled | Partial | LanguageChanged | SpeechStarted | SpeechStopped | OverloadChanged
Event: TypeAlias = Start | StreamEvent | Summary

OMITTED_WHEN_EMPTY = frozenset(
    {"errors", "damaged", "text", "words", "voice_lag", "shed_s", "spilled_s", "breach"}
)
"""Fields that stand in the published form only when set."""
_TIME_DIGITS = 4


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, _TIME_DIGITS)
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value


def as_json(event: Event) -> dict[str, Any]:
    """The published form of ``event``: a dict ready for ``json.dumps``, ``type`` first.

    Floats are rounded to a tenth of a millisecond; the fields of ``OMITTED_WHEN_EMPTY`` stand only when
    set.
    """
    body = {
        key: _plain(value) for key, value in asdict(event).items() if value or key not in OMITTED_WHEN_EMPTY
    }
    return {"type": event.type, **body}
