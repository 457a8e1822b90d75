"""The clock of one stream: 0 is its first sample, and sample n of a live source is due at n / 16 000."""

from __future__ import annotations

from decalage.audio import AudioChunk
from decalage.clock import Clock


class StreamClock:
    """Knows from the chunks when the stream began. Written by the feeding thread alone."""

    def __init__(self, clock: Clock, *, live: bool) -> None:
        self._clock = clock
        self._live = live
        self._origin: float | None = None

    def arrived(self, chunk: AudioChunk) -> None:
        """``chunk`` has come now."""
        # A live chunk arrives when its last sample has been spoken, or later, but never sooner.
        origin = self._clock.now() - (chunk.end if self._live else chunk.start)
        if self._origin is None or (self._live and origin < self._origin):
            self._origin = origin

    def now(self) -> float:
        """Seconds on the stream clock."""
        return self._clock.now() - (self._origin or 0.0)
