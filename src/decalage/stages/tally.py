"""What a segmenter counts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SegmenterStatistics:
    """Where every sample went: samples_in = in_utterances + non_speech + missed + held."""

    samples_in: int
    """Samples that reached us: fed, or dropped after capture."""
    in_utterances: int
    non_speech: int
    missed: int
    """Samples captured and then dropped, told by ``miss``."""
    held: int
    """Samples not decided on yet; 0 after ``finish``."""
    held_peak: int
    uncaptured: int
    """Samples that never reached us: not part of ``samples_in``."""
    utterances: int
    cuts: int
    """Utterances ended by the hard cap."""
