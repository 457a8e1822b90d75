"""Sound as the pipeline sees it: mono float32 at 16 kHz, placed on the stream clock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 16_000
"""Hertz. Whisper and Silero VAD are both trained at this rate."""

Samples: TypeAlias = NDArray[np.float32]
"""Shape (n,), dtype float32, mono, nominally within ±1."""


def seconds(samples: int) -> float:
    """Length of ``samples`` samples in seconds."""
    return samples / SAMPLE_RATE


def sample_count(duration_s: float) -> int:
    """Whole samples in ``duration_s`` seconds, rounded to the nearest."""
    return round(duration_s * SAMPLE_RATE)


@dataclass(frozen=True, slots=True, eq=False)
class AudioChunk:
    """A run of consecutive samples of one stream.

    ``first`` is the number of the first sample since the stream began; a source leaves
    no holes between chunks unless sound was never captured.
    """

    first: int
    """Sample number on the stream clock."""
    samples: Samples

    @property
    def start(self) -> float:
        """Seconds on the stream clock."""
        return seconds(self.first)

    @property
    def end(self) -> float:
        """Seconds on the stream clock, just past the last sample."""
        return seconds(self.first + len(self.samples))

    @property
    def duration(self) -> float:
        """Seconds."""
        return seconds(len(self.samples))

    def __repr__(self) -> str:
        return f"<AudioChunk {self.start:.3f}-{self.end:.3f} s>"
