"""Counts that every part answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class StreamStatistics:
    """One stream so far. Sound is counted in samples, each sample in exactly one place."""

    samples_in: int
    samples_captioned: int
    samples_failed: int
    samples_rejected: int
    samples_dropped: int
    """In gaps that were captured."""
    samples_non_speech: int
    """In no utterance; those that may still become part of one are among them."""
    samples_waiting: int
    """In the inbox, not yet seen by the segmenter: in memory or on the disk."""
    samples_spilled: int
    """Of those, on the disk."""
    peak_spilled: int
    """The most that ever were there."""
    utterances: int
    """Indices given out, gaps included."""
    settled: int
    in_flight: int
    peak_in_flight: int
    peak_inbox_s: float
    service_s: float
    """Seconds of ASR and MT work."""
    oldest_end: float | None = None
    """End of the oldest utterance without an answer, seconds on the stream clock; None: all have one."""
    breach: str | None = None
    """What does not add up of these counts: a defect of this program."""
    shed_s: Mapping[str, float] = field(default_factory=dict)
    """What was given up under overload → for how many seconds."""

    @property
    def samples_answered(self) -> int:
        """Samples that an event accounts for; the rest is non-speech, open or waiting."""
        return self.samples_captioned + self.samples_failed + self.samples_rejected + self.samples_dropped


@dataclass(frozen=True, slots=True)
class RuntimeStatistics:
    """A runtime so far."""

    streams: int
    """Streams that have not ended."""
    waiting_asr: int
    waiting_mt: int
    abandoned_workers: int
    """Threads still inside an engine call that was given up."""
    busy_s: Mapping[str, float]
    """Seconds of engine work since the runtime was made, by stage: ``vad``, ``asr``, ``mt``."""
