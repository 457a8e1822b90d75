"""The clock of one stream: 0 is its first sample, and sample n of a live source is due at n / 16 000."""

from __future__ import annotations

from decalage.audio import AudioChunk
from decalage.clock import Clock

_SPAN_S = 5.0
"""The earliest beginning that the sound of the last one or two spans speaks for is believed."""


class StreamClock:
    """Knows from the chunks when the stream began. Written by the feeding thread alone.

    A live source that stood still and goes on with the next sample began later than it seemed: what came
    before that is forgotten, and the clock goes back by the pause.
    """

    def __init__(self, clock: Clock, *, live: bool) -> None:
        self._clock = clock
        self._live = live
        self._origin: float | None = None
        self._earliest = float("inf")  # of the span that began at _since
        self._before = float("inf")  # of the span before it
        self._since = float("-inf")

    def arrived(self, chunk: AudioChunk) -> None:
        """``chunk`` has come now."""
        now = self._clock.now()
        if not self._live:
            self._origin = now - chunk.start if self._origin is None else self._origin
            return
        if now - self._since >= _SPAN_S:
            self._before, self._earliest, self._since = self._earliest, float("inf"), now
        # A chunk arrives when its last sample has been spoken, or later, but never sooner.
        self._earliest = min(self._earliest, now - chunk.end)
        self._origin = min(self._before, self._earliest)

    def now(self) -> float:
        """Seconds on the stream clock, never less than what has been heard."""
        return self._clock.now() - (self._origin or 0.0)
