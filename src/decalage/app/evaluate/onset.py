"""Where speech is in a recording, looked for apart from the run that is judged."""

from __future__ import annotations

import numpy as np

from decalage.audio import SAMPLE_RATE, Samples, seconds
from decalage.contracts import VoiceActivityDetector

FRAME = SAMPLE_RATE // 50
"""20 ms."""
_FLOOR_DB = 30.0
"""Sound this far under the loud parts is silence."""
_FRAMES = 3
"""A click is shorter."""
_JOIN_S = 0.3
"""Shorter pauses are part of speech."""


def onset(samples: Samples) -> float:
    """Seconds to the first sound: the first 60 ms within 30 dB of the loud parts.

    By level alone, since voice activity is late on a soft beginning. Noise counts as sound: what is
    measured from here is then too long, never too short.
    """
    count = len(samples) // FRAME
    if count < _FRAMES:
        return 0.0
    frames = samples[: count * FRAME].reshape(count, FRAME).astype(np.float64)
    level = 10 * np.log10(np.mean(np.square(frames), axis=1) + 1e-12)
    loud = level > np.percentile(level, 95) - _FLOOR_DB
    held = np.convolve(loud, np.ones(_FRAMES), "valid") == _FRAMES
    return seconds(int(np.argmax(held)) * FRAME) if held.any() else 0.0


def voiced(samples: Samples, detector: VoiceActivityDetector) -> list[tuple[float, float]]:
    """Seconds from and to of each piece of speech, by voice activity."""
    step = detector.frame_samples
    spans: list[tuple[float, float]] = []
    for first in range(0, len(samples) - step + 1, step):
        if detector.probability(samples[first : first + step]) < 0.5:
            continue
        start, end = seconds(first), seconds(first + step)
        if spans and start - spans[-1][1] < _JOIN_S:
            start = spans.pop()[0]
        spans.append((start, end))
    return spans
