"""How long an utterance waits and how many speakers fit: arithmetic on measured service times."""

from __future__ import annotations

import math

from decalage.app.advise.values import Probe, Timing

BUSY_AT_MOST = 0.7
"""Share of the workers' time that speech may take: past it waiting grows fast and a slow minute hurts."""

VAD_LOAD = 0.006
"""Seconds of voice activity detection a second of sound: 0.25 s for 44 s, on one core."""


def busy(probe: Probe, timing: Timing) -> float:
    """Share of the workers' time taken by one speaker who never pauses."""
    return timing.loaded_s / (probe.utterance_s * timing.shape.workers)


def load(probe: Probe, timing: Timing) -> float:
    """Service time of recognition and translation a second of speech, as in a run's summary."""
    return (timing.loaded_s + probe.translation_s) / probe.utterance_s


def delay_s(probe: Probe, timing: Timing) -> float:
    """Expected seconds from the end of an utterance to its caption, one speaker who never pauses.

    Recognition, translation, and the wait for a free worker as Sakasegawa approximates it for random
    arrivals and even service (*An approximation formula L_q ≃ α·ρ^β/(1−ρ)*, 1977). Infinite where
    the workers cannot keep up.
    """
    share, workers = busy(probe, timing), timing.shape.workers
    if share >= 1:
        return math.inf
    crowd: float = share ** (math.sqrt(2 * (workers + 1)) - 1) / (workers * (1 - share))
    return timing.alone_s + probe.translation_s + timing.loaded_s * crowd / 2


def speed(probe: Probe, timing: Timing) -> float:
    """Seconds of speech a second with every core at work: detection, recognition, translation."""
    cores = timing.shape.workers * timing.shape.threads
    recognition = cores / (timing.per_s * probe.utterance_s)
    return cores / (recognition + probe.translation_s / probe.utterance_s + VAD_LOAD)


def speakers(probe: Probe, timing: Timing) -> int:
    """Speakers carried at a time who never pause, at ``BUSY_AT_MOST``."""
    return int(BUSY_AT_MOST * speed(probe, timing))
