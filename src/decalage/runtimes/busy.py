"""Seconds of engine work by stage, counted from any thread."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping

from decalage.events import StageName

WORKING: tuple[StageName, ...] = ("vad", "asr", "mt")
"""The stages that compute; capture waits."""


class BusySeconds:
    """What each stage has worked since this was made; only grows.

    A call counts when it ends: one that hangs not yet, one that was given up when it comes back.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seconds: dict[str, float] = dict.fromkeys(WORKING, 0.0)

    def __repr__(self) -> str:
        told = " ".join(f"{stage}={seconds:.3f}" for stage, seconds in self.by_stage().items())
        return f"<BusySeconds {told}>"

    def add(self, stage: StageName, stretches: Iterable[float]) -> None:
        """Count stretches of work, in seconds, for ``stage``."""
        worked = sum(stretches)
        with self._lock:
            self._seconds[stage] += worked

    def by_stage(self) -> Mapping[str, float]:
        """A copy: every working stage, those that did nothing with 0."""
        with self._lock:
            return dict(self._seconds)
