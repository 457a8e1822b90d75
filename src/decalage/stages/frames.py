"""A frame with what the voice activity detector said of it, and where speech can be cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from decalage.audio import Samples

_FLOOR_DB = -100.0
_DB_PER_PROBABILITY = 20.0
"""A dip of 20 dB counts as much as going from certain speech to certain silence."""
_PAUSE_FRAMES = 5
"""Cost is averaged over 160 ms: longer than the closure of a plosive, as long as a short pause."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """Consecutive samples, owned; shorter than a whole frame only at the end of a stretch of sound."""

    samples: Samples
    probability: float
    voiced: bool
    """Speech by the thresholds, with their hysteresis."""

    @property
    def level_db(self) -> float:
        """Level without the constant part, decibels relative to full scale, at least −100."""
        return max(_FLOOR_DB, 10 * float(np.log10(np.var(self.samples, dtype=np.float64) + 1e-30)))


def quietest(frames: Sequence[Frame], start: int) -> int:
    """Index from ``start`` on of the frame amid the least sound and speech.

    Low level and low speech probability both count, averaged over the frame and its neighbours; the
    last frames, whose neighbours are yet to come, stand back. Of equals the last is taken, so that
    the utterance before the cut stays long. Raises ``ValueError`` when ``start`` is no index.
    """
    if not 0 <= start < len(frames):
        raise ValueError(f"no frame from {start} on among {len(frames)}")
    reach = _PAUSE_FRAMES // 2
    first = max(0, start - reach)
    stop = max(start + 1, len(frames) - reach)
    costs = np.array([frame.level_db / _DB_PER_PROBABILITY + frame.probability for frame in frames[first:]])
    weights = np.ones(_PAUSE_FRAMES)
    mean = np.convolve(costs, weights)[reach:] / np.convolve(np.ones(len(costs)), weights)[reach:]
    candidates = mean[start - first : stop - first].round(9)  # equal costs stay equal after averaging
    return stop - 1 - int(np.argmin(candidates[::-1]))


def joined(frames: Sequence[Frame]) -> tuple[Samples, int]:
    """The samples of ``frames``, and how many of them go up to the end of the last voiced frame."""
    spoken = max(n for n, frame in enumerate(frames, 1) if frame.voiced)
    return np.concatenate([frame.samples for frame in frames]), sum(len(f.samples) for f in frames[:spoken])
