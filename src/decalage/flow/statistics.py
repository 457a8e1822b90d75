"""Counts that every part answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StreamStatistics:
    """One stream so far. Sound is counted in samples, each sample in exactly one place."""

    samples_in: int
    samples_captioned: int
    samples_failed: int
    samples_rejected: int
    samples_dropped: int
    """In gaps that were captured."""
    samples_waiting: int
    """In the inbox, not yet seen by the segmenter."""
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
